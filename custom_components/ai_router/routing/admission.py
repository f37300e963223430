"""Who may start: limits, budgets and breakers of one home, in this process.

`admit` holds no await: it is a critical section by construction, so no two requests can pass the same limit together.
"""

from collections.abc import Sequence
from itertools import count

from .bell import Bell
from .breaker import Breaker, BreakerState
from .budgets import Budget, MoneyBucket
from .calendar import Calendar
from .config import RouterConfig
from .failures import MEANING, FailureScope, Phase
from .fleet import Fleet, Lane, provider_money, requests_key, router_money, slots_key
from .limits import SlidingWindow, Slots
from .model import BucketKey, Claim, Granted, Outcome, Refused, Scope, Target, Ticket, TicketState, Unit
from .money import Picodollars
from .ports import BreakerMoved, Bus, Clock, Overrun

_MINUTE = 60.0
_LEASE = 900.0


class Admission:
    """The state of one home: implements the `State` port."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        """Begin empty; `apply` brings the limits."""
        self._clock = clock
        self._bus = bus
        self._breaker_settings = RouterConfig().breaker
        self.calendar = Calendar()
        self._money: dict[BucketKey, MoneyBucket] = {}
        self._requests: dict[BucketKey, SlidingWindow] = {}
        self._slots: dict[BucketKey, Slots] = {}
        self._breakers: dict[Target, Breaker] = {}
        self._open: set[Ticket] = set()
        self._numbers = count(1)
        self._prefix = f"{int(clock.now() * 1000):x}"
        self.changed = Bell()

    # --- configuration ---------------------------------------------------------------------------

    def apply(self, fleet: Fleet) -> None:
        """Take new limits. The counters of what stays are kept, those of removed providers are dropped."""
        config = fleet.config
        self.calendar.set(config.zone, config.week_start)
        self._apply_budgets(router_money(config), config.budgets)
        for provider in config.providers.values():
            self._apply_budgets(provider_money(provider), provider.budgets)
            self._request_window(requests_key(provider.id)).limit = provider.requests_per_minute
            self._slot_bucket(slots_key(provider.id)).limit = provider.concurrent
        for table in (self._money, self._requests, self._slots):
            for key in [key for key in table if key.id and key.id not in config.providers]:
                del table[key]
        targets = {lane.target for lane in fleet}
        for gone in self._breakers.keys() - targets:
            del self._breakers[gone]
        self._breaker_settings = config.breaker
        for breaker in self._breakers.values():
            breaker.settings = config.breaker
        self.changed.fire()

    def _apply_budgets(self, keys: Sequence[BucketKey], budgets: Sequence[Budget]) -> None:
        by_window = {budget.window: budget for budget in budgets}
        for key in keys:
            bucket = self.money(key)
            budget = by_window.get(key.window)
            bucket.limit = None if budget is None else budget.limit
            bucket.hard = budget is None or budget.hard

    # --- the buckets, for reading ----------------------------------------------------------------

    def money(self, key: BucketKey) -> MoneyBucket:
        """Return a money bucket."""
        bucket = self._money.get(key)
        if bucket is None:
            bucket = self._money[key] = MoneyBucket(key.window, self.calendar)
        return bucket

    def _request_window(self, key: BucketKey) -> SlidingWindow:
        window = self._requests.get(key)
        if window is None:
            window = self._requests[key] = SlidingWindow(None, _MINUTE)
        return window

    def _slot_bucket(self, key: BucketKey) -> Slots:
        slots = self._slots.get(key)
        if slots is None:
            slots = self._slots[key] = Slots(None)
        return slots

    def requests_last_minute(self, provider_id: str) -> int:
        """Return how many requests a provider got in the last 60 s."""
        return self._request_window(requests_key(provider_id)).used(self._clock.monotonic())

    def under_way(self, provider_id: str) -> int:
        """Return how many attempts run on a provider now."""
        return self._slot_bucket(slots_key(provider_id)).used

    def breaker(self, target: Target) -> Breaker:
        """Return a target's breaker."""
        breaker = self._breakers.get(target)
        if breaker is None:
            breaker = self._breakers[target] = Breaker(self._breaker_settings)
        return breaker

    @property
    def open_tickets(self) -> frozenset[Ticket]:
        """The tickets that are not settled yet."""
        return frozenset(self._open)

    def headroom(self, lane: Lane) -> Picodollars | None:
        """Return how much may still be held for a target over all its budgets; None is without limit."""
        now = self._clock.now()
        least: Picodollars | None = None
        for key in lane.money:
            room = self.money(key).headroom(now)
            if room is not None and (least is None or room < least):
                least = room
        return least

    # --- claims and tickets ----------------------------------------------------------------------

    def claim(self, lane: Lane, hold: Picodollars, *, probe: bool = False) -> Claim:
        """Say what an attempt would take."""
        takes = {**dict.fromkeys(lane.money, hold), **lane.unpaid} if hold else lane.unpaid
        return Claim(lane.target, takes, hold, probe)

    def refusal(self, claim: Claim) -> Refused | None:
        """Return the bucket that refuses a claim and when it frees (wall clock), or None if the claim fits."""
        now, mono = self._clock.now(), self._clock.monotonic()
        for key, amount in claim.takes.items():
            if key.unit is Unit.MONEY:
                bucket = self.money(key)
                if bucket.refuses(amount, now):
                    return Refused(key, bucket.free_at(amount, now))
            elif key.unit is Unit.REQUESTS:
                window = self._request_window(key)
                if window.refuses(amount, mono):
                    free_in = window.free_in(amount, mono)
                    return Refused(key, None if free_in is None else now + free_in)
            elif self._slot_bucket(key).refuses(amount):
                return Refused(key, now)
        return None

    def _gate(self, claim: Claim) -> bool:
        breaker = self._breakers.get(claim.target)
        if breaker is None or breaker.closed:
            return True
        return claim.probe and not breaker.probing

    async def admit(self, claims: Sequence[Claim]) -> Granted | Refused:
        """Grant the first claim that fits every bucket and whose breaker lets it pass."""
        soonest = Refused(None, None)
        for place, claim in enumerate(claims):
            if not self._gate(claim):
                continue
            refused = self.refusal(claim)
            if refused is None:
                return Granted(place, self._grant(claim))
            if soonest.bucket is None or (
                refused.free_at is not None and (soonest.free_at is None or refused.free_at < soonest.free_at)
            ):
                soonest = refused
        return soonest

    def _grant(self, claim: Claim) -> Ticket:
        now, mono = self._clock.now(), self._clock.monotonic()
        windows: dict[BucketKey, str] = {}
        for key, amount in claim.takes.items():
            if key.unit is Unit.MONEY:
                windows[key] = self.money(key).take(amount, now)
            elif key.unit is Unit.REQUESTS:
                self._request_window(key).take(amount, mono)
            else:
                self._slot_bucket(key).used += amount
        probe = claim.probe
        if probe:
            self.breaker(claim.target).begin_probe(mono)
        ticket = Ticket(
            attempt_id=f"{self._prefix}-{next(self._numbers)}",
            target=claim.target,
            takes=claim.takes,
            hold=claim.hold,
            window_ids=windows,
            day=self.calendar.day(now),
            started=now,
            expires=now + _LEASE,
            probe=probe,
        )
        self._open.add(ticket)
        return ticket

    async def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """Book an attempt's end in the windows it was granted in. A second settle does nothing."""
        if ticket.state is TicketState.SETTLED:
            return
        ticket.state = TicketState.SETTLED
        self._open.discard(ticket)
        failure = outcome.failure
        for key, taken in ticket.takes.items():
            if key.unit is Unit.MONEY:
                self._settle_money(ticket, key, taken, outcome.cost)
            elif key.unit is Unit.SLOTS:
                self._slot_bucket(key).used -= taken
            elif failure is not None and failure.phase is Phase.UNSENT:
                self._request_window(key).give_back(taken)
        self._move_breaker(ticket, outcome)
        self.changed.fire()

    def _settle_money(self, ticket: Ticket, key: BucketKey, taken: Picodollars, cost: Picodollars) -> None:
        bucket = self._money.get(key)
        if bucket is None:
            return
        window_id = ticket.window_ids[key]
        overrun = bucket.settle(window_id, taken, cost)
        if overrun and bucket.hard:
            self._bus(Overrun(ticket.target.provider_id, key, window_id, overrun))

    def _move_breaker(self, ticket: Ticket, outcome: Outcome) -> None:
        target = ticket.target
        failure = outcome.failure
        breaker = self._breakers.get(target)
        if breaker is None:
            if failure is None:
                return
            breaker = self.breaker(target)
        mono = self._clock.monotonic()
        weight = 0.0
        if failure is not None and failure.scope is not FailureScope.REQUEST:
            weight = MEANING[failure.cls].breaker
        if weight:
            moved = breaker.fail(weight, mono, probe=ticket.probe)
        elif failure is None or failure.status is not None:
            # A refusal with a status is an answer: the target lives, whatever it thinks of this request.
            moved = breaker.succeed(probe=ticket.probe)
        else:
            if ticket.probe:
                breaker.release()
            moved = False
        if moved:
            self._bus(BreakerMoved(target, breaker.state(mono)))

    # --- what outlives a restart -----------------------------------------------------------------

    def reset(self, provider_id: str) -> None:
        """Close a provider's breakers and forget its requests of the last minute."""
        for target, breaker in self._breakers.items():
            if target.provider_id == provider_id and not breaker.closed:
                breaker.reset()
                self._bus(BreakerMoved(target, BreakerState.CLOSED))
        self._request_window(requests_key(provider_id)).restore([])
        self.changed.fire()

    def restore_spending(self, provider_id: str, day: str, cost: Picodollars) -> None:
        """Add what the ledger says a provider spent on a day, in all windows that still run."""
        now = self._clock.now()
        for key, bucket in self._money.items():
            if key.scope is Scope.PROVIDER and key.id != provider_id:
                continue
            window_id = self.calendar.window_of_day(key.window, day)
            if window_id == self.calendar.window_id(key.window, now):
                bucket.add_settled(window_id, cost)

    def restore_requests(self, provider_id: str, started: Sequence[float]) -> None:
        """Set a provider's requests of the last minute (wall clock)."""
        shift = self._clock.monotonic() - self._clock.now()
        self._request_window(requests_key(provider_id)).restore(sorted(when + shift for when in started))

    def open_breakers(self) -> dict[Target, float]:
        """Return when each open breaker opened (wall clock), to be restored after a restart."""
        shift = self._clock.now() - self._clock.monotonic()
        return {
            target: breaker.opened + shift for target, breaker in self._breakers.items() if breaker.opened is not None
        }

    def restore_breaker(self, target: Target, opened: float) -> None:
        """Open a breaker as it was before a restart; `opened` is wall-clock seconds."""
        self.breaker(target).restore(min(opened, self._clock.now()) + self._clock.monotonic() - self._clock.now())
