"""All budgets of a household: the router's, and those of its providers, pools, users and labels."""

from collections.abc import Iterable, Iterator, Sequence, Set

from .budgets import Budget, Crossing, MoneyBucket
from .calendar import Calendar
from .config import EACH_USER, RouterConfig
from .fleet import pool_money, provider_money, request_money, router_money, user_budgets
from .limits import Bucket
from .money import Picodollars
from .ports import BudgetCrossed, Bus, Clock, Entry, Overrun, Spending
from .request import Caller
from .tickets import BucketKey, Scope, Ticket, Unit, Window

# Far from a limit: at least a fifth of it stays free.
_FAR = 5


class HouseholdBudgets:
    """Keeps the money among the buckets of an admission, and tells what passes a budget."""

    def __init__(self, clock: Clock, bus: Bus, buckets: dict[BucketKey, Bucket], calendar: Calendar) -> None:
        """Begin without budgets."""
        self._clock = clock
        self._bus = bus
        self._buckets = buckets
        self._calendar = calendar
        self._config = RouterConfig()
        self._begun = False
        self._past_known = True

    # --- configuration -------------------------------------------------------------------------------

    def apply(
        self, config: RouterConfig, history: Sequence[Spending] | None, held: Sequence[Entry], *, weeks_move: bool
    ) -> None:
        """Take new budgets. What is counted for those who stay is kept, and dropped for those who are gone.

        New buckets begin with what the history says was spent in their windows, and with what is `held`. While the
        history cannot be read (None), new hard ones let nothing through. A limit that is set below what is spent is told
        of at once; what was passed under the same limit has been told before. `weeks_move`: weeks begin on another day.
        """
        before, self._begun = self._config if self._begun else None, True
        self._config = config
        for key in [key for key in self._buckets if self._is_gone(key, weeks_move=weeks_move)]:
            del self._buckets[key]
        self._past_known = history is not None
        known = set(self._buckets)
        holds = [(entry.ticket, _spending(entry)) for entry in held]
        for key in self._keys([*(history or ()), *(row for _, row in holds)]):
            self.money(key)
        for key, bucket in self._buckets.items():
            if isinstance(bucket, MoneyBucket):
                bucket.set_budget(self._budget(key))
        new = self._buckets.keys() - known
        if history is not None:
            self._restore_spending(history, new)
        self._restore_holds(holds, new)
        self._warn_of_new_limits(before)

    def _is_gone(self, key: BucketKey, *, weeks_move: bool) -> bool:
        """Say whether a bucket is nobody's any more, or would not know what it missed when it is somebody's again."""
        if key.unit is not Unit.MONEY:
            return False
        unbudgeted = self._budget(key) is None
        if key.window is Window.WEEK and (weeks_move or unbudgeted):
            return True
        if key.scope in (Scope.USER, Scope.LABEL):
            return unbudgeted
        return not _knows(self._config, key)

    def _keys(self, history: Sequence[Spending]) -> Iterator[BucketKey]:
        config = self._config
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

    # --- how they stand ------------------------------------------------------------------------------

    def money(self, key: BucketKey) -> MoneyBucket:
        """Return a money bucket."""
        bucket = self._buckets.get(key)
        if not isinstance(bucket, MoneyBucket):
            bucket = self._buckets[key] = MoneyBucket(self._clock, key.window, self._calendar, known=self._past_known)
            bucket.set_budget(self._budget(key))
        return bucket

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

    def overdrawn(self, ticket: Ticket) -> bool:
        """Say whether a budget that a ticket was granted from is passed by now: another has cost more than was held."""
        buckets = ((self._buckets.get(key), window_id) for key, window_id in ticket.window_ids.items())
        return any(isinstance(bucket, MoneyBucket) and bucket.overdrawn(window_id) for bucket, window_id in buckets)

    # --- what is told --------------------------------------------------------------------------------

    def booked(self, ticket: Ticket, key: BucketKey, bucket: MoneyBucket, overrun: Picodollars) -> None:
        """Tell what an attempt that was booked has passed, and by how much."""
        window_id = ticket.window_ids[key]
        if overrun and bucket.hard:
            self._bus(Overrun(ticket.target.provider_id, key, window_id, overrun))
        self._warn(key, bucket, window_id)

    def turn_away(self, key: BucketKey) -> None:
        """Note that a request did not fit into what a budget has left; tell once in a window that it is used up."""
        bucket = self._buckets.get(key)
        if isinstance(bucket, MoneyBucket) and bucket.turn_away():
            window_id = self._calendar.window_id(key.window, self._clock.now())
            self._bus(BudgetCrossed(key, window_id, bucket.account.settled, bucket.limit or 0, True))

    def _warn(self, key: BucketKey, bucket: MoneyBucket, window_id: str) -> None:
        crossing = bucket.crossing(window_id, self._config.alert_at)
        if crossing is not None:
            settled, limit = bucket.account.settled, bucket.limit or 0
            self._bus(BudgetCrossed(key, window_id, settled, limit, crossing is Crossing.EXCEEDED))

    def _warn_of_new_limits(self, before: RouterConfig | None) -> None:
        for key, bucket in self._buckets.items():
            # Who comes later may have been told of before a restart.
            if not isinstance(bucket, MoneyBucket) or before is None or not _knows(before, key):
                continue
            earlier = self._budget(key, before)
            if bucket.limit != (None if earlier is None else earlier.limit):
                bucket.untell()
            self._warn(key, bucket, self._calendar.window_id(key.window, self._clock.now()))

    # --- what outlives a restart ---------------------------------------------------------------------

    def turned_away(self) -> list[tuple[str, str, str, str, Picodollars]]:
        """Return the budgets of which too little is left, as plain values: no ledger tells of them."""
        now = self._clock.now()
        return [
            (key.scope, key.id, key.window, self._calendar.window_id(key.window, now), bucket.limit or 0)
            for key, bucket in self._buckets.items()
            if isinstance(bucket, MoneyBucket) and bucket.turned_away
        ]

    def restore_turned_away(self, stored: Iterable[tuple[str, str, str, str, Picodollars]]) -> None:
        """Take back which were so in an earlier run; not those that were changed since, or whose window is over."""
        before = {tuple(row) for row in stored}
        for key, bucket in self._buckets.items():
            if isinstance(bucket, MoneyBucket) and bucket.budget is not None:
                window_id = self._calendar.window_id(key.window, self._clock.now())
                if (key.scope, key.id, key.window, window_id, bucket.budget.limit) in before:
                    bucket.turn_away()

    def _restore_spending(self, history: Sequence[Spending], new: Set[BucketKey]) -> None:
        """Count what was spent since yesterday, and on days to come: the clock may be set to one of them."""
        yesterday = self._calendar.yesterday(self._clock.now())
        for key, bucket in self._buckets.items():
            if not isinstance(bucket, MoneyBucket) or (bucket.known and key not in new):
                continue
            first = self._calendar.window_of_day(key.window, yesterday)
            spent: dict[str, Picodollars] = {}
            for row in history:
                if row.cost and key.id == _owner(key.scope, row):
                    window_id = self._calendar.window_of_day(key.window, row.day)
                    if window_id >= first:
                        spent[window_id] = spent.get(window_id, 0) + row.cost
            bucket.restore(spent, self._config.alert_at)

    def _restore_holds(self, held: Sequence[tuple[Ticket, Spending]], new: Set[BucketKey]) -> None:
        """Hold in new money buckets, at its worst case, what is under way; it is settled there too."""
        for key in new:
            bucket = self._buckets[key]
            if not isinstance(bucket, MoneyBucket):
                continue
            for ticket, row in held:
                if row.cost and key.id == _owner(key.scope, row):
                    window_id = self._calendar.window_of_day(key.window, row.day)
                    bucket.hold(window_id, row.cost)
                    ticket.takes = {**ticket.takes, key: row.cost}
                    ticket.window_ids = {**ticket.window_ids, key: window_id}


def _spending(entry: Entry) -> Spending:
    """Say whose what an attempt under way holds will be."""
    request, ticket = entry.request, entry.ticket
    who = request.caller.user_id or ""
    return Spending(ticket.day, entry.provider_id, who, request.label or "", ticket.hold, entry.pool or "")


def _knows(config: RouterConfig, key: BucketKey) -> bool:
    """Say whether a configuration knows whose budget it is."""
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
