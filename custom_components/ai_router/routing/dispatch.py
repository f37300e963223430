"""Which target is tried next, and when: plan, admit, and wait where waiting helps.

No target is tried twice while another is left. When every breaker is open, one request probes the nearest target and
the others wait for its outcome.
"""

from collections.abc import Callable

from .admission import Admission
from .bell import Bell
from .benches import Benches
from .breaker import Breaker
from .metrics import Recent
from .model import Granted, LeftOut, Refused, Ticket, Unit, Why
from .planner import Draft, Offer, Planner
from .ports import Clock
from .refusals import RefusalCode, RequestFailed
from .trip import Trip

# What keeps targets back, told in this order: first what is nearest to an answer.
_DYNAMIC: tuple[tuple[Why, RefusalCode], ...] = (
    (Why.LEDGER_DOWN, RefusalCode.LEDGER_UNAVAILABLE),
    (Why.OVER_BUDGET, RefusalCode.OVER_BUDGET),
    (Why.LIMITED, RefusalCode.LIMITED),
    (Why.BREAKER_OPEN, RefusalCode.ALL_DOWN),
    (Why.BENCHED, RefusalCode.ALL_DOWN),
)


class Dispatcher:
    """Finds the next ticket for a trip."""

    def __init__(
        self,
        planner: Planner,
        admission: Admission,
        benches: Benches,
        clock: Clock,
        stop: Bell,
        chance: Callable[[], float],
        recent: Callable[[str], Recent],
    ) -> None:
        """Dispatch over one configuration. `stop` rings when the router closes; `chance` gives jitter, 0 to 1."""
        self.planner = planner
        self._admission = admission
        self._benches = benches
        self._clock = clock
        self._stop = stop
        self._chance = chance
        self._recent = recent

    async def next(self, trip: Trip) -> tuple[Offer, Ticket]:
        """Return the next attempt's offer and ticket. Raises `RequestFailed` where nothing more can be done."""
        while True:
            if self._stop.rung:
                raise trip.refuse(RefusalCode.STOPPING)
            if self._left(trip) <= 0:
                raise trip.refuse(RefusalCode.DEADLINE)
            draft = self.planner.draft(trip.ask, trip.hindsight)
            if trip.attempts and not trip.config.failover:
                draft.offers = [offer for offer in draft.offers if offer.lane.target == trip.attempts[0].target]
                draft.broken.clear()
            refused: Refused | None = None
            if draft.offers and trip.may_try():
                granted = await self._admission.admit([offer.claim for offer in draft.offers])
                if isinstance(granted, Granted):
                    return self._granted(trip, draft, granted)
                refused = granted
                self._note_refused(draft, len(draft.offers))
            if trip.plan is None:
                trip.plan = draft.plan()
            found = await self._wait(trip, draft, refused)
            if found is not None:
                return found

    def _left(self, trip: Trip) -> float:
        return trip.deadline - self._clock.monotonic()

    def _granted(self, trip: Trip, draft: Draft, granted: Granted) -> tuple[Offer, Ticket]:
        offer = draft.offers[granted.place]
        if granted.place:
            self._note_refused(draft, granted.place)
            del draft.offers[: granted.place]
        trip.others_left = len(draft.offers) > 1
        if trip.plan is None:
            draft.confidence = self._recent(offer.lane.provider.id).confidence
            trip.plan = draft.plan()
        return offer, granted.ticket

    def _note_refused(self, draft: Draft, count: int) -> None:
        for offer in draft.offers[:count]:
            refused = self._admission.refusal(offer.claim)
            if refused is not None and refused.bucket is not None:
                why = Why.OVER_BUDGET if refused.bucket.unit is Unit.MONEY else Why.LIMITED
                draft.left_out.append(LeftOut(offer.lane.target, why, refused.free_at))

    async def _wait(self, trip: Trip, draft: Draft, refused: Refused | None) -> tuple[Offer, Ticket] | None:
        """Wait for what may help. Returns None when a new plan is worth making, a probe's ticket where one is due."""
        if refused is not None and refused.bucket is not None and refused.bucket.unit is Unit.SLOTS:
            await self._admission.changed.wait(self._left(trip))
            return None
        if await self._retry(trip):
            return None
        if draft.broken and trip.may_try():
            return await self._probe(trip, draft)
        raise self._no_target(trip, draft, refused)

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
        delay = max(rest, trip.backoff(self._chance()))
        if delay >= self._left(trip):
            return False
        await self._stop.wait(delay)
        trip.retry(target)
        return True

    async def _probe(self, trip: Trip, draft: Draft) -> tuple[Offer, Ticket] | None:
        lane = min(draft.broken, key=lambda lane: self._admission.breaker(lane.target).reopens_at)
        breaker = self._admission.breaker(lane.target)
        if breaker.probing:
            if await self._failed_elsewhere(breaker, trip):
                raise self._no_target(trip, draft, None)
            return None
        wait = breaker.forced_at() - self._clock.monotonic()
        if wait > 0:
            if wait >= self._left(trip):
                raise self._no_target(trip, draft, None)
            await self._stop.wait(wait)
            return None
        offer = self.planner.price(lane, trip.ask, "the nearest to come back", unpaid_only=trip.unpaid_only)
        if isinstance(offer, LeftOut):
            raise self._no_target(trip, draft, None)
        offer = self.planner.as_probe(offer)
        granted = await self._admission.admit([offer.claim])
        if isinstance(granted, Refused):
            raise self._no_target(trip, draft, granted)
        trip.others_left = False
        return offer, granted.ticket

    async def _failed_elsewhere(self, breaker: Breaker, trip: Trip) -> bool:
        """Wait for the outcome of another request's probe; say whether it failed."""
        while breaker.probing:
            if self._left(trip) <= 0 or self._stop.rung:
                return False
            await self._admission.changed.wait(self._left(trip))
        return not breaker.closed

    def _no_target(self, trip: Trip, draft: Draft, refused: Refused | None) -> RequestFailed:
        if not self.planner.fleet.lanes:
            return trip.refuse(RefusalCode.NO_PROVIDER)
        if trip.unpaid_only:
            return trip.refuse(RefusalCode.LEDGER_UNAVAILABLE)
        if trip.attempts:
            return trip.refuse(RefusalCode.ALL_FAILED)
        for why, code in _DYNAMIC:
            kept = [left_out for left_out in draft.left_out if left_out.why is why]
            if kept:
                free_at = min((left_out.free_at for left_out in kept if left_out.free_at is not None), default=None)
                return trip.refuse(code, bucket=None if refused is None else refused.bucket, free_at=free_at)
        return trip.refuse(RefusalCode.NO_CAPABLE_TARGET)
