"""Which target is tried next, and when: plan, admit, and wait where waiting helps.

No target is tried twice while another is left. When every breaker is open, one request probes the nearest target and
the others wait for its outcome.
"""

from collections.abc import Callable, Sequence
from math import inf
from operator import itemgetter

from .admission import Admission
from .bell import Bell
from .benches import Benches
from .breaker import Breaker
from .fleet import pause_key, slots_key
from .offers import Ask, Offer
from .planner import Draft, Planner
from .plans import Because, LeftOut, Plan, Reason, Why
from .ports import Clock
from .refusals import RefusalCode, RequestFailed, for_good
from .retries import RetryBudget
from .tickets import BucketKey, Granted, Refused, Ticket, Unit
from .trip import Trip
from .waiting_room import WaitingRoom

# What keeps targets back, told in this order: first what is nearest to an answer.
_DYNAMIC: tuple[tuple[Why, RefusalCode], ...] = (
    (Why.LEDGER_DOWN, RefusalCode.LEDGER_UNAVAILABLE),
    (Why.OVER_BUDGET, RefusalCode.OVER_BUDGET),
    (Why.LIMITED, RefusalCode.LIMITED),
    (Why.BREAKER_OPEN, RefusalCode.ALL_DOWN),
    (Why.BENCHED, RefusalCode.ALL_DOWN),
    (Why.UNKNOWN_STRATEGY, RefusalCode.UNKNOWN_STRATEGY),
)


_WAITS = Reason(Because.WAITS_FOR_LIMIT)
# A wall clock is too coarse for the last nanoseconds of a wait: without this, they would be spun away.
_SHORTEST_WAIT = 0.001


class Dispatcher:
    """Finds the next ticket for a trip."""

    def __init__(
        self,
        planner: Planner,
        admission: Admission,
        benches: Benches,
        clock: Clock,
        stop: Bell,
        room: WaitingRoom,
        chance: Callable[[], float],
        retries: RetryBudget,
    ) -> None:
        """Dispatch over one configuration.

        `stop` rings when the router closes; `room` is where requests wait for limits; `chance` gives jitter, 0 to 1;
        `retries` is how many the whole router may send.
        """
        self.planner = planner
        self._admission = admission
        self._benches = benches
        self._clock = clock
        self._stop = stop
        self._room = room
        self._chance = chance
        self._retries = retries
        self._retired = Bell()

    def retire(self) -> None:
        """Send all who wait away with nothing: another dispatcher has taken over, or the router closes."""
        self._retired.ring_for_good()
        self._room.disband()

    async def next(self, trip: Trip) -> tuple[Offer, Ticket] | None:
        """Return the next attempt's offer and ticket; None where this dispatcher has retired meanwhile.

        Raises `RequestFailed` where nothing more can be done.
        """
        try:
            return await self._next(trip)
        finally:
            if trip.place is not None:
                self._room.leave(trip.place)
                trip.place = None

    async def _next(self, trip: Trip) -> tuple[Offer, Ticket] | None:
        while True:
            if self._stop.rung:
                raise trip.refuse(RefusalCode.STOPPING)
            if self._retired.rung:
                return None
            if self._left(trip) <= 0:
                raise trip.refuse(RefusalCode.DEADLINE)
            draft = self.planner.draft(trip.ask, trip.hindsight)
            if trip.attempts and not trip.config.failover:
                draft.offers = [offer for offer in draft.offers if offer.lane.target == trip.attempts[0].target]
                draft.broken.clear()
            if trip.attempts:
                now = self._clock.monotonic()
                draft.offers = [offer for offer in draft.offers if trip.may_take(offer, now)]
                draft.broken = [offer for offer in draft.broken if trip.may_take(offer, now)]
            refused: Refused | None = None
            if draft.offers and trip.may_try():
                waited_for = self._let_others_first(trip, draft)
                granted = await self._admission.admit([offer.claim for offer in draft.offers])
                if isinstance(granted, Granted):
                    self.planner.took(draft, granted.place)
                draft.offers += waited_for
                if isinstance(granted, Granted):
                    return self._granted(trip, draft, granted)
                refused = granted
                if refused.bucket is None and waited_for:
                    refused = Refused(slots_key(waited_for[0].lane.provider.id), self._clock.now())
                self._note_refused(draft, draft.offers)
            self._tell_used_up(draft)
            if trip.plan is None:
                trip.plan = self.planner.plan(draft)
            found = await self._wait(trip, draft, refused)
            if found is not None:
                return found

    def _left(self, trip: Trip) -> float:
        return trip.deadline - self._clock.monotonic()

    def _granted(self, trip: Trip, draft: Draft, granted: Granted) -> tuple[Offer, Ticket]:
        offer = draft.offers[granted.place]
        if granted.place:
            self._note_refused(draft, draft.offers[: granted.place])
            del draft.offers[: granted.place]
        self._tell_used_up(draft)
        trip.others_left = len(draft.offers) > 1
        if trip.plan is None:
            trip.plan = self.planner.plan(draft)
        return offer, granted.ticket

    def foresee(self, ask: Ask) -> Plan:
        """Return the plan of a request that is not sent: what a limit keeps back is left out, as it would be passed over.

        Where nothing else is left, that is what the request would wait for, as far as waiting is worth it.
        """
        draft = self.planner.draft(ask)
        left = inf if ask.bounds.timeout is None else ask.bounds.timeout
        free: list[Offer] = []
        waited_for: list[tuple[float, Offer]] = []
        for offer in draft.offers:
            refused = self._admission.refusal(offer.claim)
            wait = None if refused is None else self._worth_waiting(refused, left)
            if refused is None:
                free.append(offer)
            elif wait is not None:
                waited_for.append((refused.free_at or 0.0, offer))
        waited_for.sort(key=itemgetter(0))
        going = free or [offer for _, offer in waited_for]
        self._note_refused(draft, [offer for offer in draft.offers if offer not in going])
        if not free:
            for offer in going:
                draft.reasons[offer.lane.target] += (_WAITS,)
        draft.offers = going
        return self.planner.plan(draft)

    def _note_refused(self, draft: Draft, offers: Sequence[Offer]) -> None:
        for offer in offers:
            refused = self._admission.refusal(offer.claim)
            if refused is not None and refused.bucket is not None:
                why = Why.OVER_BUDGET if refused.bucket.unit is Unit.MONEY else Why.LIMITED
                draft.leave_out(LeftOut(offer.lane.target, why, refused.free_at, refused.bucket))

    def _tell_used_up(self, draft: Draft) -> None:
        """Tell of the budgets that kept a target from a request which is sent, not only planned."""
        for key in draft.short:
            self._admission.budgets.turn_away(key)

    def _worth_waiting(self, refused: Refused, left: float) -> float | None:
        """Return how long to wait in line (seconds); None where it is not worth it.

        For a slot it is as long as there is time `left`, for any other limit until it frees, if that is soon.
        """
        if refused.bucket is None or refused.bucket.unit is Unit.MONEY or refused.free_at is None:
            return None
        if refused.bucket.unit is Unit.SLOTS:
            return left
        wait = refused.free_at - self._clock.now()
        return None if wait > min(left, self.planner.fleet.config.longest_wait) else max(wait, _SHORTEST_WAIT)

    async def _wait(self, trip: Trip, draft: Draft, refused: Refused | None) -> tuple[Offer, Ticket] | None:
        """Wait for what may help. Returns None when a new plan is worth making, a probe's ticket where one is due."""
        if refused is not None and await self._queue(trip, draft, refused):
            return None
        if await self._retry(trip):
            return None
        if draft.broken and trip.may_try():
            return await self._probe(trip, draft)
        raise self._no_target(trip, draft, refused)

    def _let_others_first(self, trip: Trip, draft: Draft) -> list[Offer]:
        """Take out of the draft, and return, what somebody who came earlier or matters more waits for."""
        if not len(self._room):
            return []
        priority, own = trip.request.priority, trip.place
        waited_for = [o for o in draft.offers if self._room.goes_first(priority, o.lane.target, own)]
        draft.offers = [offer for offer in draft.offers if offer not in waited_for]
        return waited_for

    async def _queue(self, trip: Trip, draft: Draft, refused: Refused) -> bool:
        """Wait in line where waiting is worth it; say whether it was."""
        seconds = self._worth_waiting(refused, self._left(trip))
        if seconds is None:
            return False
        if trip.place is None:
            if len(self._room) >= trip.config.queue_size:
                return False
            targets = (offer.lane.target for offer in draft.offers)
            trip.place = self._room.enter(trip.request.priority, targets)
        await self._room.turn(trip.place, seconds)
        return True

    async def _retry(self, trip: Trip) -> bool:
        """Wait until a failed target may be tried once more; say whether there is one within the time left."""
        now = self._clock.now()
        rests = []
        for target in trip.retryable():
            bench = self._benches.of(target, now)
            if bench is None or bench.until is not None:
                rests.append((0.0 if bench is None or bench.until is None else bench.until - now, target))
        if not rests:
            return False
        rest, target = min(rests)
        delay = max(rest, trip.backoff(target, self._chance()))
        if delay >= self._left(trip) or not self._retries.spend():
            return False
        await self._retired.wait(delay)
        if self._retired.rung:
            self._retries.refund()
        else:
            trip.retry(target)
        return True

    async def _probe(self, trip: Trip, draft: Draft) -> tuple[Offer, Ticket] | None:
        offer = min(draft.broken, key=lambda offer: self._admission.breakers.of(offer.lane.target).reopens_at)
        breaker = self._admission.breakers.of(offer.lane.target)
        if breaker.probing:
            if await self._failed_elsewhere(breaker, trip):
                raise self._no_target(trip, draft, None)
            return None
        wait = breaker.forced_at() - self._clock.monotonic()
        if wait > 0:
            # Who has just failed here need not wait to fail again.
            if trip.attempts or wait >= self._left(trip):
                raise self._no_target(trip, draft, None)
            await self._retired.wait(wait)
            return None
        offer = self.planner.as_probe(offer)
        granted = await self._admission.admit([offer.claim])
        if isinstance(granted, Refused):
            raise self._no_target(trip, draft, granted)
        trip.others_left = False
        return offer, granted.ticket

    async def _failed_elsewhere(self, breaker: Breaker, trip: Trip) -> bool:
        """Wait for the outcome of another request's probe; say whether it failed."""
        while breaker.probing:
            if self._left(trip) <= 0 or self._retired.rung:
                return False
            await self._admission.changed.wait(self._left(trip))
        return not breaker.closed

    def _no_target(self, trip: Trip, draft: Draft, refused: Refused | None) -> RequestFailed:
        if trip.ask.refused is not None:
            return trip.refuse(trip.ask.refused)
        if self.planner.fleet.bare:
            return trip.refuse(RefusalCode.NO_PROVIDER)
        if trip.unpaid_only:
            return trip.refuse(RefusalCode.LEDGER_UNAVAILABLE)
        if trip.attempts:
            return trip.refuse(RefusalCode.ALL_FAILED)
        # What keeps them back now, which need not be what did before the wait.
        trip.plan = self.planner.plan(draft)
        for why, code in _DYNAMIC:
            kept = [left_out for left_out in draft.left_out if left_out.why is why]
            if kept:
                first = min(kept, key=lambda left_out: inf if left_out.free_at is None else left_out.free_at)
                bucket = self._pause(kept, first.free_at) or first.bucket or (refused.bucket if refused else None)
                return trip.refuse(code, bucket=bucket, free_at=first.free_at)
        return trip.refuse(for_good(trip.plan, within=trip.ask.within))

    def _pause(self, kept: list[LeftOut], free_at: float | None) -> BucketKey | None:
        """Name the pause that ends first, if it is a provider's pause that is waited for."""
        now = self._clock.now()
        for each in kept:
            if each.why is Why.LIMITED and each.free_at == free_at:
                provider_id = each.target.provider_id
                benches = self._benches.of_provider(provider_id, now)
                for model_id in (None, each.target.model_id):
                    bench = benches.get(model_id)
                    if bench is not None and bench.resting and bench.until == free_at:
                        return pause_key(provider_id, model_id)
        return None
