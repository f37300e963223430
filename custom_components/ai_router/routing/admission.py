"""Who may start: limits, budgets and breakers of one home, in this process.

`admit` holds no await: it is a critical section by construction, so no two requests can pass the same limit together.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import count
from os import urandom

from .bell import Bell
from .breakers import Breakers
from .budgets import Budget, Crossing, MoneyBucket
from .calendar import Calendar
from .call import RateWindow
from .config import EACH_USER, RouterConfig
from .failures import Billed, FailureClass, Phase
from .fleet import (
    Fleet,
    Lane,
    pool_money,
    provider_money,
    request_money,
    router_money,
    user_budgets,
)
from .limits import Bucket, Slots
from .model import Target
from .money import Picodollars
from .outcome import Outcome
from .ports import BudgetCrossed, Bus, Clock, Entry, Overrun, Spending
from .provider_limits import ProviderLimits
from .request import Caller
from .tickets import BucketKey, Claim, Granted, Load, Refused, Scope, Ticket, TicketState, Unit, Window

# Far from a limit: at least a fifth of it stays free.
_FAR = 5


class Admission:
    """The state of one home: implements the `State` port."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        """Begin empty; `apply` brings the limits."""
        self._clock = clock
        self._bus = bus
        self._config = RouterConfig()
        self._begun = False
        self.calendar = Calendar()
        self.breakers = Breakers(clock, bus)
        self._buckets: dict[BucketKey, Bucket] = {}
        self.limits = ProviderLimits(clock, self._buckets)
        self._open: set[Ticket] = set()
        self._under_way: dict[Target, int] = {}
        self._past_known = True
        self._numbers = count(1)
        # Random too: a machine without a clock may start twice in the same millisecond.
        self._prefix = f"{int(clock.now() * 1000):x}{urandom(2).hex()}"
        self.changed = Bell()

    # --- configuration -------------------------------------------------------------------------------

    def apply(self, fleet: Fleet, history: Sequence[Spending] | None, under_way: Sequence[Entry] = ()) -> None:
        """Take new limits. The counters of what stays are kept, those of removed providers are dropped.

        New money buckets begin with what the history says was spent in their windows, and with what is held for the
        attempts `under_way`. While the history cannot be read (None), new hard ones let nothing through. A limit that is
        set below what is spent is told of at once; what was passed under the same limit has been told before.
        """
        before, self._begun = self._config if self._begun else None, True
        weeks_move = fleet.config.week_start != self.calendar.week_start
        config = self._config = fleet.config
        self.calendar.set(config.zone, config.week_start)
        self.limits.apply(config.providers)
        for key in [key for key in self._buckets if self._is_gone(key, weeks_move=weeks_move)]:
            del self._buckets[key]
        self._past_known = history is not None
        known = set(self._buckets)
        held = [(entry.ticket, _spending(entry)) for entry in under_way if entry.ticket in self._open]
        for key in self._money_keys(config, [*(history or ()), *(row for _, row in held)]):
            self.money(key)
        for key, bucket in self._buckets.items():
            if isinstance(bucket, MoneyBucket):
                bucket.set_budget(self._budget(key))
        if history is not None:
            self._restore_spending(history, self._buckets.keys() - known)
        self._restore_holds(held, self._buckets.keys() - known)
        self.breakers.apply(config.breaker, frozenset(lane.target for lane in fleet))
        self._warn_of_new_limits(before)
        self.changed.fire()

    def _is_gone(self, key: BucketKey, *, weeks_move: bool) -> bool:
        """Say whether a bucket is nobody's any more, or would not know what it missed when it is somebody's again."""
        if key.unit is Unit.MONEY:
            unbudgeted = self._budget(key) is None
            if key.window is Window.WEEK and (weeks_move or unbudgeted):
                return True
            if key.scope in (Scope.USER, Scope.LABEL):
                return unbudgeted
        if key.scope is Scope.POOL:
            return key.id not in self._config.pools
        if key.scope is not Scope.PROVIDER or key.id in self._config.providers:
            return False
        # A provider may come back before its attempts have ended: what they use stays counted.
        return key.unit is Unit.MONEY or all(ticket.target.provider_id != key.id for ticket in self._open)

    def disown(self, provider_id: str) -> None:
        """Learn no more from a provider's attempts under way: it is gone, or spoken to in another way now."""
        for ticket in self._open:
            if ticket.target.provider_id == provider_id:
                ticket.outdated = True

    def _money_keys(self, config: RouterConfig, history: Sequence[Spending]) -> Iterator[BucketKey]:
        yield from router_money(config)
        for provider in config.providers.values():
            yield from provider_money(provider)
        for pool in config.pools.values():
            yield from pool_money(pool)
        users = {row.user_id for row in history if row.user_id} | (config.user_budgets.keys() - {EACH_USER})
        for user_id in users:
            yield from request_money(config, Caller(user_id), None)
        for label in config.label_budgets:
            yield from request_money(config, Caller(), label)

    def _budget(self, key: BucketKey, config: RouterConfig | None = None) -> Budget | None:
        config = self._config if config is None else config
        budgets: Sequence[Budget] = ()
        match key.scope:
            case Scope.ROUTER:
                budgets = config.budgets
            case Scope.PROVIDER if key.id in config.providers:
                budgets = config.providers[key.id].budgets
            case Scope.POOL if key.id in config.pools:
                budgets = config.pools[key.id].budgets
            case Scope.USER:
                budgets = user_budgets(config, key.id)
            case Scope.LABEL:
                budgets = config.label_budgets.get(key.id, ())
        return next((budget for budget in budgets if budget.window is key.window), None)

    # --- the buckets ---------------------------------------------------------------------------------

    def money(self, key: BucketKey) -> MoneyBucket:
        """Return a money bucket."""
        bucket = self._buckets.get(key)
        if not isinstance(bucket, MoneyBucket):
            bucket = self._buckets[key] = MoneyBucket(self._clock, key.window, self.calendar, known=self._past_known)
            bucket.set_budget(self._budget(key))
        return bucket

    def slots(self, provider_id: str) -> Slots:
        """Return the slots of a provider: what is under way."""
        return self.limits.slots(provider_id)

    def requests_last_minute(self, provider_id: str) -> int:
        """Return how many requests a provider got in the last 60 s."""
        return self.limits.requests(provider_id).used

    def load(self, target: Target) -> Load:
        """Return how many attempts are under way now, on a target and on its provider."""
        return Load(self._under_way.get(target, 0), self.slots(target.provider_id).used)

    @property
    def open_tickets(self) -> frozenset[Ticket]:
        """The tickets that are not settled yet."""
        return frozenset(self._open)

    def headroom(self, keys: Iterable[BucketKey]) -> Picodollars | None:
        """Return how much may still be held over all these budgets; None is without limit."""
        least: Picodollars | None = None
        for key in keys:
            room = self.money(key).headroom
            if room is not None and (least is None or room < least):
                least = room
        return least

    def is_far(self, keys: Iterable[BucketKey], amount: Picodollars) -> bool:
        """Say whether after holding an amount every budget would still have a fifth of its limit free."""
        for key in keys:
            bucket = self.money(key)
            room, limit = bucket.headroom, bucket.limit
            if room is not None and limit is not None and (room - amount) * _FAR < limit:
                return False
        return True

    # --- claims and tickets --------------------------------------------------------------------------

    def claim(
        self,
        lane: Lane,
        hold: Picodollars,
        tokens: int,
        *,
        extra: tuple[BucketKey, ...] = (),
        take: Picodollars | None = None,
        probe: bool = False,
    ) -> Claim:
        """Say what an attempt would take: money, tokens, a request and a slot.

        `hold` is the most it can cost, `take` what its budgets set aside for it (by default the same); `extra` are the
        money buckets of who asks.
        """
        takes = lane.unpaid
        if hold:
            takes = {**dict.fromkeys((*lane.money, *extra), hold if take is None else take), **takes}
        if lane.tokens is not None:
            takes = {**takes, lane.tokens: tokens}
        if told := self.limits.takes(lane.target, tokens):
            takes = {**takes, **told}
        return Claim(lane.target, takes, hold, probe, lane.provider.timeouts.total)

    def refusal(self, claim: Claim) -> Refused | None:
        """Return the bucket that refuses a claim and when it frees (wall clock), or None if the claim fits.

        Of several it is the one that frees last: before that the claim does not fit.
        """
        last: Refused | None = None
        for key, amount in claim.takes.items():
            bucket = self._buckets.get(key)
            if bucket is not None and bucket.refuses(amount):
                free_at = bucket.free_at(amount)
                if last is None or (last.free_at is not None and (free_at is None or free_at > last.free_at)):
                    last = Refused(key, free_at)
        return last

    async def admit(self, claims: Sequence[Claim]) -> Granted | Refused:
        """Grant the first claim that fits every bucket and whose breaker lets it pass."""
        soonest = Refused(None, None)
        for place, claim in enumerate(claims):
            if not self.breakers.passes(claim):
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
        now = self._clock.now()
        windows: dict[BucketKey, str] = {}
        for key, amount in claim.takes.items():
            bucket = self._buckets.get(key)
            if bucket is not None:
                windows[key] = bucket.take(amount)
        if claim.probe:
            self.breakers.of(claim.target).begin_probe(self._clock.monotonic())
        ticket = Ticket(
            attempt_id=f"{self._prefix}-{next(self._numbers)}",
            target=claim.target,
            takes=claim.takes,
            hold=claim.hold,
            window_ids=windows,
            day=self.calendar.day(now),
            started=now,
            lease=claim.lease,
            probe=claim.probe,
        )
        self._open.add(ticket)
        self.limits.sent(ticket)
        self._under_way[claim.target] = self._under_way.get(claim.target, 0) + 1
        return ticket

    def may_start(self, ticket: Ticket) -> bool:
        """Say whether a ticket still fits its budgets: while its hold was written another may have cost more than held."""
        buckets = ((self._buckets.get(key), window_id) for key, window_id in ticket.window_ids.items())
        return not any(isinstance(bucket, MoneyBucket) and bucket.overdrawn(window_id) for bucket, window_id in buckets)

    def opened(self, ticket: Ticket, rates: tuple[RateWindow, ...]) -> None:
        """Learn what a provider tells of its limits as it begins to answer, or refuses."""
        self.limits.hear(ticket, () if ticket.outdated else rates)

    async def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """Book an attempt's end in the windows it was granted in. A second settle does nothing."""
        if ticket.state is TicketState.SETTLED:
            return
        ticket.state = TicketState.SETTLED
        self._open.discard(ticket)
        self.limits.answered(ticket)
        running = self._under_way.pop(ticket.target) - 1
        if running:
            self._under_way[ticket.target] = running
        for key, window_id in ticket.window_ids.items():
            bucket = self._buckets.get(key)
            if bucket is None:
                continue
            taken = ticket.takes[key]
            overrun = bucket.settle(window_id, taken, _actual(key.unit, taken, outcome))
            if key.unit is Unit.MONEY and isinstance(bucket, MoneyBucket) and bucket.budget is not None:
                if overrun and bucket.hard:
                    self._bus(Overrun(ticket.target.provider_id, key, window_id, overrun))
                self._warn(key, bucket, window_id)
        if not ticket.outdated:
            self._learn(ticket, outcome)
        self.changed.fire()

    def _learn(self, ticket: Ticket, outcome: Outcome) -> None:
        slots = self.slots(ticket.target.provider_id)
        if outcome.failure is not None and outcome.failure.rates:
            self.opened(ticket, outcome.failure.rates)
        if outcome.failure is None:
            slots.answered()
        elif outcome.failure.cls is FailureClass.OVERLOADED:
            slots.overloaded()
        self.breakers.settle(ticket, outcome)

    def _warn(self, key: BucketKey, bucket: MoneyBucket, window_id: str) -> None:
        crossing = bucket.crossing(window_id, self._config.alert_at)
        if crossing is not None:
            settled, limit = bucket.account.settled, bucket.limit or 0
            self._bus(BudgetCrossed(key, window_id, settled, limit, crossing is Crossing.EXCEEDED))

    def _warn_of_new_limits(self, before: RouterConfig | None) -> None:
        for key, bucket in self._buckets.items():
            if not isinstance(bucket, MoneyBucket) or before is None or not _had(before, key):
                continue
            earlier = self._budget(key, before)
            if bucket.limit != (None if earlier is None else earlier.limit):
                bucket.untell()
            self._warn(key, bucket, self.calendar.window_id(key.window, self._clock.now()))

    # --- what outlives a restart ---------------------------------------------------------------------

    def reset(self, provider_id: str) -> None:
        """Close a provider's breakers, and forget its requests of the last minute and what it told of its limits."""
        self.breakers.reset(provider_id)
        self.limits.forget(provider_id)
        self.changed.fire()

    def reset_limits(self, provider_id: str, key: BucketKey | None) -> bool:
        """Let one of a provider's limits begin anew, or all; return whether there is such a one."""
        found = self.limits.reset(provider_id, key)
        self.changed.fire()
        return found

    def _restore_spending(self, history: Sequence[Spending], new: Set[BucketKey]) -> None:
        """Count what was spent since yesterday, and on days to come: the clock may be set to one of them."""
        yesterday = self.calendar.yesterday(self._clock.now())
        for key, bucket in self._buckets.items():
            if not isinstance(bucket, MoneyBucket) or (bucket.known and key not in new):
                continue
            first = self.calendar.window_of_day(key.window, yesterday)
            spent: dict[str, Picodollars] = {}
            for row in history:
                if row.cost and key.id == _owner(key.scope, row):
                    window_id = self.calendar.window_of_day(key.window, row.day)
                    if window_id >= first:
                        spent[window_id] = spent.get(window_id, 0) + row.cost
            bucket.restore(spent, self._config.alert_at)

    def _restore_holds(self, held: Sequence[tuple[Ticket, Spending]], keys: Set[BucketKey]) -> None:
        """Hold in new money buckets, at its worst case, what is under way; it is settled there too."""
        for key in keys:
            bucket = self._buckets[key]
            if not isinstance(bucket, MoneyBucket):
                continue
            for ticket, row in held:
                if row.cost and key.id == _owner(key.scope, row):
                    window_id = self.calendar.window_of_day(key.window, row.day)
                    bucket.hold(window_id, row.cost)
                    ticket.takes = {**ticket.takes, key: row.cost}
                    ticket.window_ids = {**ticket.window_ids, key: window_id}


def _spending(entry: Entry) -> Spending:
    """Say whose what an attempt under way holds will be."""
    request, ticket = entry.request, entry.ticket
    who = request.caller.user_id or ""
    return Spending(ticket.day, entry.provider_id, who, request.label or "", ticket.hold, entry.pool or "")


def _had(config: RouterConfig, key: BucketKey) -> bool:
    """Say whether a configuration knows whose budget it is. Who comes later may have been told of before a restart."""
    match key.scope:
        case Scope.PROVIDER:
            return key.id in config.providers
        case Scope.POOL:
            return key.id in config.pools
        case _:
            return True


def _owner(scope: Scope, row: Spending) -> str:
    match scope:
        case Scope.PROVIDER:
            return row.provider_id
        case Scope.POOL:
            return row.pool
        case Scope.USER:
            return row.user_id
        case Scope.LABEL:
            return row.label
        case _:
            return ""


def _actual(unit: Unit, taken: int, outcome: Outcome) -> int:
    """Say what an attempt really used of what it had taken."""
    failure = outcome.failure
    match unit:
        case Unit.MONEY:
            return outcome.cost
        case Unit.REQUESTS | Unit.INPUT_TOKENS | Unit.OUTPUT_TOKENS:
            return 0 if failure is not None and failure.phase is Phase.UNSENT else taken
        case Unit.SLOTS:
            return 0
        case Unit.TOKENS:
            if outcome.usage is not None:
                return outcome.usage.input_tokens + outcome.usage.output_tokens
            unused = failure is not None and (failure.phase is Phase.UNSENT or failure.billed is Billed.NO)
            return 0 if unused else taken
