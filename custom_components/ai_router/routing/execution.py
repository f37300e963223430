"""One granted attempt from its hold to its settlement, whatever happens in between."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from .admission import Admission
from .attempt import Trial
from .benches import Benches
from .billing import bill
from .failures import MEANING, AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from .metrics import Recent
from .model import Call, Event, Finish, Opened, Text, UsageTotal
from .outcome import Attempt, Outcome, Reply
from .planner import Offer
from .ports import (
    AttemptEnded,
    AttemptStarted,
    Benched,
    Bus,
    Clock,
    Entry,
    Ledger,
    LedgerUnavailable,
)
from .refusals import RefusalCode
from .tickets import Ticket, TicketState
from .trip import Trip
from .usual import Usual

_LOGGER = logging.getLogger(__name__)
# Of the time that is left, the share an attempt may wait for its first word while another target stands ready.
_PATIENCE = 0.5
_NOT_SENT = Failure(FailureClass.CANCELLED, Phase.UNSENT, "not sent", FailureScope.REQUEST, billed=Billed.NO)


class Executor:
    """Runs granted attempts."""

    def __init__(
        self,
        admission: Admission,
        benches: Benches,
        ledger: Ledger,
        clock: Clock,
        bus: Bus,
        recent: Callable[[str], Recent],
        usual: Usual,
    ) -> None:
        """Take what an attempt needs around it."""
        self._admission = admission
        self._benches = benches
        self._ledger = ledger
        self._clock = clock
        self._bus = bus
        self._recent = recent
        self._usual = usual

    async def run(self, trip: Trip, offer: Offer, ticket: Ticket, *, live: bool) -> AsyncGenerator[Event]:
        """Hold, send, settle; yield events once the first content is there, if somebody listens (`live`).

        Sets the trip's reply, or notes the failure and returns where another attempt may follow.
        Raises `RequestFailed` where none may.
        """
        lane = offer.lane
        request = trip.request
        entry = Entry(request, ticket, lane.provider.id, lane.model.id, request.pins.pool)
        call = Call(
            lane.target,
            request.messages,
            offer.max_output,
            lane.provider.timeouts,
            request.tools,
            request.structure,
            request.sampling,
            request.stream,
        )
        trial = trip.trial = Trial(lane.provider.client, call, self._clock)
        began = self._clock.monotonic()
        failure: Failure | None = _NOT_SENT
        unwritten = False
        data: Any = None
        try:
            if ticket.hold:
                async with asyncio.timeout_at(trip.deadline):
                    await self._ledger.hold(entry)
            ticket.state = TicketState.SENT
            self._bus(AttemptStarted(request, ticket))
            async with aclosing(trial.events(*self._limits(trip, call, began))) as events:
                async for event in events:
                    if live and not isinstance(event, (Opened, UsageTotal)):
                        trip.committed = True
                        yield event
            data = _structured(trial, request.structure is not None)
            failure = None
        except AttemptFailed as err:
            failure = err.failure
        except LedgerUnavailable:
            unwritten = True
        except TimeoutError:
            # Only the wait for the disk runs under the trip's own timer: nothing was sent.
            unwritten = True
        except asyncio.CancelledError, GeneratorExit:
            if trial.phase is not Phase.UNSENT:
                failure = Failure(
                    FailureClass.CANCELLED, trial.phase, "stopped", FailureScope.REQUEST, billed=Billed.PARTIAL
                )
            raise
        except Exception as err:  # a provider's own fault, ours or a plug-in's, must still settle and fail over
            _LOGGER.exception("Provider %s failed in an unforeseen way", lane.provider.name)
            failure = Failure(FailureClass.UNKNOWN, trial.phase, type(err).__name__)
        finally:
            outcome = await self._settle(trip, offer, entry, trial, failure, began)
        if failure is None:
            trip.reply = self._reply(trip, offer, trial, outcome, data)
        elif unwritten:
            trip.unpaid_only = True
        else:
            self._learn(trip, offer, failure)

    def _limits(self, trip: Trip, call: Call, began: float) -> tuple[float, float]:
        end_by = min(trip.deadline, began + call.timeouts.total)
        patience = call.timeouts.first_token
        asked = trip.ask.bounds.first_token
        if asked is not None:
            patience = min(patience, asked)
        if trip.others_left:
            patience = min(patience, (end_by - began) * _PATIENCE)
        return began + patience, end_by

    async def _settle(
        self, trip: Trip, offer: Offer, entry: Entry, trial: Trial, failure: Failure | None, began: float
    ) -> Outcome:
        ticket, lane = entry.ticket, offer.lane
        usage = trial.usage
        seen = trial.seen(trip.ask.size.estimate) if usage is None or failure is not None else usage
        cost, estimated = bill(lane.model.prices, ticket.hold, failure, usage, seen, ticket.started)
        first = trial.first_content
        outcome = Outcome(
            failure,
            usage,
            cost,
            estimated,
            self._clock.monotonic() - began,
            None if first is None else first - began,
            trial.finish,
        )
        if failure is None and usage is not None:
            self._usual.learn(lane.target, trip.request.label, usage, trip.ask.size.estimate)
        await self._admission.settle(ticket, outcome)
        self._ledger.settle(entry, outcome)
        if failure is not _NOT_SENT:
            attempt = Attempt(ticket.attempt_id, lane.target, outcome)
            trip.attempts.append(attempt)
            self._recent(lane.provider.id).add(outcome, self._clock.now())
            self._bus(AttemptEnded(trip.request, attempt))
        return outcome

    def _reply(self, trip: Trip, offer: Offer, trial: Trial, outcome: Outcome, data: Any) -> Reply:
        if trip.plan is None:
            raise RuntimeError("an attempt ran without a plan")
        return Reply(
            request_id=trip.request.id,
            parts=trial.parts(),
            data=data,
            finish=trial.finish or Finish.OTHER,
            target=offer.lane.target,
            pool=trip.request.pins.pool,
            usage=outcome.usage or trial.seen(trip.ask.size.estimate),
            cost=sum(attempt.outcome.cost for attempt in trip.attempts),
            estimated=any(attempt.outcome.estimated for attempt in trip.attempts),
            cached=False,
            latency=self._clock.monotonic() - trip.started,
            first_token=outcome.first_token,
            attempts=tuple(trip.attempts),
            plan=trip.plan,
        )

    def _learn(self, trip: Trip, offer: Offer, failure: Failure) -> None:
        """Draw the consequences of a failure; raise where no other attempt may follow."""
        lane = offer.lane
        key = self._benches.note(lane.target, failure, self._clock.now())
        if key is not None:
            self._bus(Benched(*key, failure))
        trip.note(lane, failure)
        if trip.committed:
            raise trip.refuse(RefusalCode.STREAM_BROKEN)
        if failure.cls is FailureClass.TIMEOUT_TOTAL and self._clock.monotonic() >= trip.deadline:
            raise trip.refuse(RefusalCode.DEADLINE)
        if failure.cls is FailureClass.CANCELLED:
            raise trip.refuse(RefusalCode.STOPPING)
        meaning = MEANING[failure.cls]
        if not meaning.next and not meaning.again:
            raise trip.refuse(RefusalCode.REJECTED)


def _structured(trial: Trial, wanted: bool) -> Any:
    # A turn that calls tools is not the answer yet.
    if not wanted or trial.finish is Finish.TOOLS:
        return None
    text = "".join(part.text for part in trial.parts() if isinstance(part, Text))
    try:
        return json.loads(text)
    except ValueError:
        raise AttemptFailed(
            Failure(FailureClass.INVALID_ANSWER, trial.phase, "the answer is not the JSON that was asked for")
        ) from None
