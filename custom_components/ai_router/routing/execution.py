"""One granted attempt from its hold to its settlement, whatever happens in between."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from .admission import Admission
from .attempt import Trial
from .benches import Benches
from .billing import bill
from .call import Event, Finish, Opened, UsageTotal
from .config import RouterConfig
from .failures import MEANING, AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from .metrics import Recent
from .model import Structure, Text
from .offers import Offer
from .outcome import Attempt, Outcome, Reply
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
from .shape import shaped
from .sight import overlooked
from .strategies import Strategies
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
        strategies: Strategies,
        config: Callable[[], RouterConfig],
    ) -> None:
        """Take what an attempt needs around it; `config` is the configuration of the moment."""
        self._admission = admission
        self._benches = benches
        self._ledger = ledger
        self._clock = clock
        self._bus = bus
        self._recent = recent
        self._usual = usual
        self._strategies = strategies
        self._config = config

    async def run(self, trip: Trip, offer: Offer, ticket: Ticket, *, live: bool) -> AsyncGenerator[Event]:
        """Hold, send, settle; yield events once the first content is there, if somebody listens (`live`).

        Sets the trip's reply, or notes the failure and returns where another attempt may follow.
        Raises `RequestFailed` where none may.
        """
        lane = offer.lane
        request = trip.request
        entry = trip.entry = Entry(request, ticket, lane.provider.id, lane.model.id, lane.pool)
        pace = partial(self._admission.limits.one_more, ticket)
        trial = trip.trial = Trial(lane.provider.client, offer.call(request), self._clock, pace, trip.left_alone)
        began = self._clock.monotonic()
        failure: Failure | None = _NOT_SENT
        unwritten = False
        data: Any = None
        try:
            if ticket.hold and not await self._hold(trip, entry):
                return
            ticket.state = TicketState.SENT
            self._bus(AttemptStarted(request, ticket))
            async with aclosing(trial.events(*self._limits(trip, offer, ticket, began))) as events:
                async for event in events:
                    if isinstance(event, Opened):
                        self._admission.opened(ticket, event.rates)
                    if live and not isinstance(event, (Opened, UsageTotal)):
                        trip.committed = True
                        yield event
            self._check_sight(offer, trial)
            data = _structured(trial, request.structure)
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
            self._set_aside(trip, offer, ticket, failure)
            self._learn(trip, offer, failure)

    async def _hold(self, trip: Trip, entry: Entry) -> bool:
        """Put a hold on disk; say whether the attempt may still start as it was planned."""
        async with asyncio.timeout_at(trip.deadline):
            await self._ledger.hold(entry)
        return self._config() is trip.config and self._admission.may_start(entry.ticket)

    def _check_sight(self, offer: Offer, trial: Trial) -> None:
        """Notice pictures that were dropped: the target gets none for a while. Raises `AttemptFailed`."""
        lane, usage = offer.lane, trial.usage
        least = lane.provider.least_picture
        if usage is None or least is None or not overlooked(offer.fit.messages, usage, least):
            return
        self._benches.blind(lane.target, self._clock.now())
        detail = "it answered without having seen the picture"
        raise AttemptFailed(Failure(FailureClass.CAPABILITY, trial.phase, detail, FailureScope.TARGET))

    def _limits(self, trip: Trip, offer: Offer, ticket: Ticket, began: float) -> tuple[float, float, float, float]:
        timeouts, bounds = offer.lane.provider.timeouts, offer.fit.bounds
        deadline = trip.deadline
        if bounds.timeout is not None:
            deadline = min(deadline, trip.started + bounds.timeout)
        end_by = min(deadline, began + ticket.lease)
        hurry = end_by - began if bounds.first_token is None else bounds.first_token
        if trip.others_left:
            hurry = min(hurry, (end_by - began) * _PATIENCE)
        return began + timeouts.first_token, began + hurry, end_by, deadline

    async def _settle(
        self, trip: Trip, offer: Offer, entry: Entry, trial: Trial, failure: Failure | None, began: float
    ) -> Outcome:
        ticket, lane = entry.ticket, offer.lane
        told, usage = trial.usage, trial.usage
        if told is not None and ticket.hold and trial.cost is None:
            usage = trial.filled(told, offer.fit.size.estimate)
        guessed = usage != told
        # What is told at the end of a whole answer is all there is, also where the answer itself is no good.
        whole = failure is None or trial.finish is not None
        seen = usage if usage is not None and whole else trial.seen(offer.fit.size.estimate)
        cost, estimated = bill(
            lane.model.prices, ticket.hold, failure, usage, seen, ticket.started, trial.cost, offer.fit.size.pictures
        )
        first = trial.first_content
        outcome = Outcome(
            failure,
            usage,
            cost,
            estimated or (guessed and cost > 0),
            self._clock.monotonic() - began,
            None if first is None else first - began,
            trial.finish,
        )
        if failure is None and usage is not None and not guessed:
            self._usual.learn(lane.target, trip.request.label, usage, offer.fit.size.estimate)
        await self._admission.settle(ticket, outcome)
        self._ledger.settle(entry, outcome)
        if not outcome.never_sent:
            attempt = Attempt(ticket.attempt_id, lane.target, outcome, lane.pool, offer.fit.trimmed, ticket.day)
            trip.attempts.append(attempt)
            if not ticket.outdated:
                self._recent(lane.provider.id).add(outcome, self._clock.now(), lane.model.id)
                self._strategies.learn(trip.ask, lane.target, outcome, self._clock.monotonic())
            self._bus(AttemptEnded(trip.request, attempt))
        return outcome

    def _reply(self, trip: Trip, offer: Offer, trial: Trial, outcome: Outcome, data: Any) -> Reply:
        if trip.plan is None:
            raise RuntimeError("an attempt ran without a plan")
        lane, ended = offer.lane, [attempt.outcome for attempt in trip.attempts]
        # By place: by name, making it would cost more than all that is in it.
        return Reply(
            trip.request.id,
            trial.parts(),
            data,
            trial.finish or Finish.OTHER,
            lane.target,
            lane.pool,
            outcome.usage or trial.seen(offer.fit.size.estimate),
            sum([each.cost for each in ended]),
            any(each.estimated for each in ended),
            False,
            self._clock.monotonic() - trip.started,
            outcome.first_token,
            tuple(trip.attempts),
            trip.plan,
            vectors=tuple(trial.vectors),
            trimmed=offer.fit.trimmed,
            cache_key=trip.cache_key,
        )

    def _set_aside(self, trip: Trip, offer: Offer, ticket: Ticket, failure: Failure) -> None:
        """Keep other requests from what a failure shows to be of no use, if it is still there as it was."""
        if ticket.outdated:
            return
        lane = offer.lane
        key = self._benches.note(lane.target, failure, self._clock.now())
        if key is not None:
            self._bus(Benched(*key, failure))
        refused = failure.cls is FailureClass.CAPABILITY and failure.phase is not Phase.UNSENT
        # Pictures that were dropped are remembered for themselves.
        if refused and not self._benches.is_blind(lane.target, self._clock.now()):
            self._benches.unable(lane.target, trip.ask.needs)

    def _learn(self, trip: Trip, offer: Offer, failure: Failure) -> None:
        """Draw the consequences of a failure for its own request; raise where no other attempt may follow."""
        trip.note(offer.lane, failure)
        if trip.committed:
            raise trip.refuse(RefusalCode.STREAM_BROKEN)
        if failure.cls is FailureClass.TIMEOUT_TOTAL and self._clock.monotonic() >= trip.deadline:
            raise trip.refuse(RefusalCode.DEADLINE)
        if failure.cls is FailureClass.CANCELLED:
            raise trip.refuse(RefusalCode.STOPPING)
        meaning = MEANING[failure.cls]
        if not meaning.next and not meaning.again:
            raise trip.refuse(RefusalCode.REJECTED)


def _structured(trial: Trial, wanted: Structure | None) -> Any:
    # A turn that calls tools is not the answer yet.
    if wanted is None or trial.finish is Finish.TOOLS:
        return None
    text = "".join(part.text for part in trial.parts() if isinstance(part, Text))
    try:
        return shaped(text, wanted.schema)
    except ValueError:
        raise AttemptFailed(
            Failure(FailureClass.INVALID_ANSWER, trial.phase, "the answer is not the JSON that was asked for")
        ) from None
