"""What the household asked and spent today, counted as it happens; begun from the ledger, so a restart loses nothing."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from .routing.calendar import Calendar
from .routing.fleet import router_money
from .routing.money import Picodollars, to_dollars
from .routing.outcome import Attempt
from .routing.ports import AttemptEnded, CoreEvent, RequestEnded
from .routing.router import Router
from .routing.tickets import Window
from .storage.ledger import SqliteLedger
from .storage.queries import UsageRow
from .storage.usage import known_costs, project


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums of one day; `cost` in picodollars."""

    attempts: int = 0
    failures: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Picodollars = 0

    @property
    def dollars(self) -> Decimal:
        """The cost in USD."""
        return to_dollars(self.cost)


_NOTHING = Tally()
# As many as budgets keep windows: a clock may be set back into one of them.
_DAYS_KEPT = 16
# A projection looks at the running month, the running week and the two weeks before.
_COSTS_KEPT = 62


@dataclass(slots=True)
class Day:
    """The sums of one day, of the router, each provider and each pool."""

    requests: int = 0
    answered: int = 0
    router: Tally = _NOTHING
    _providers: dict[str, Tally] = field(default_factory=dict)
    _pools: dict[str, Tally] = field(default_factory=dict)

    def of_provider(self, provider_id: str) -> Tally:
        """Return a provider's sums."""
        return self._providers.get(provider_id, _NOTHING)

    def of_pool(self, pool_id: str) -> Tally:
        """Return a pool's sums."""
        return self._pools.get(pool_id, _NOTHING)

    def count(self, attempt: Attempt) -> None:
        """Count an attempt that has ended."""
        provider_id, pool = attempt.target.provider_id, attempt.pool
        more = _of_attempt(attempt)
        self.router = _add(self.router, more)
        self._providers[provider_id] = _add(self.of_provider(provider_id), more)
        if pool is not None:
            self._pools[pool] = _add(self.of_pool(pool), more)

    def count_request(self, ended: RequestEnded, day: str) -> None:
        """Count a request that has ended, on this day; what another provider made good was answered all the same."""
        self.requests += 1
        self.answered += any(attempt.day == day and attempt.outcome.failure is None for attempt in ended.attempts)


@dataclass(slots=True)
class Tallies:
    """The sums of the days since the start, and what other days have cost.

    A day that is over may still be under way, and come again when a clock is set back.
    """

    _days: dict[str, Day] = field(default_factory=dict)
    _costs: dict[str, Picodollars] = field(default_factory=dict)
    _first_day: str = ""

    @classmethod
    async def read(cls, ledger: SqliteLedger, day: str, week_start: int) -> Tallies:
        """Begin with what the ledger says of a day. Raises `LedgerUnavailable`."""
        costs, first_day = await known_costs(ledger.reader, day, week_start)
        costs.pop(day, None)
        total = await ledger.usage(day, day, ())
        known = Day(
            *await ledger.requests_on(day),
            _of_row(total[0]) if total else _NOTHING,
            _by_key(await ledger.usage(day, day, ("provider_id",))),
            _by_key(await ledger.usage(day, day, ("pool",))),
        )
        return cls({day: known}, costs, first_day)

    def of_day(self, day: str) -> Day:
        """Return the sums of today or of another day since the start (YYYY-MM-DD)."""
        return self._days.get(day, _IDLE)

    def count(self, event: CoreEvent) -> None:
        """Count what has ended on the day it is booked on, as the ledger does: after a restart it is the same."""
        for day in booked_on(event):
            if isinstance(event, AttemptEnded):
                self._day(day).count(event.attempt)
            elif isinstance(event, RequestEnded):
                self._day(day).count_request(event, day)

    def _day(self, day: str) -> Day:
        found = self._days.get(day)
        if found is None:
            for old in sorted(self._days)[: max(0, len(self._days) + 1 - _DAYS_KEPT)]:
                self._costs[old] = self._costs.get(old, 0) + self._days.pop(old).router.cost
            for old in sorted(self._costs)[:-_COSTS_KEPT]:
                del self._costs[old]
            found = self._days[day] = Day()
        return found

    def projected(self, router: Router, now: float) -> Decimal:
        """Return what the running month will have cost at its end (USD)."""
        calendar: Calendar = router.admission.calendar
        today = calendar.day(now)
        key = next(key for key in router_money(router.config) if key.window is Window.DAY)
        known = dict(self._costs)
        for day, sums in self._days.items():
            known[day] = known.get(day, 0) + sums.router.cost
        known[today] = router.admission.money(key).account.settled
        return to_dollars(project(known, self._first_day or today, today, calendar.week_start).month)


_IDLE = Day()


def booked_on(event: CoreEvent) -> set[str]:
    """Return the household's dates (YYYY-MM-DD) on which what has ended is booked."""
    if isinstance(event, AttemptEnded):
        return {event.attempt.day}
    return {attempt.day for attempt in event.attempts} if isinstance(event, RequestEnded) else set()


def _of_row(row: UsageRow) -> Tally:
    return Tally(row.attempts, row.failures, row.input_tokens, row.output_tokens, row.cost)


def _by_key(rows: list[UsageRow]) -> dict[str, Tally]:
    return {row.key[0]: _of_row(row) for row in rows}


def _of_attempt(attempt: Attempt) -> Tally:
    outcome = attempt.outcome
    usage = outcome.usage
    tally = Tally(1, outcome.failure is not None, cost=outcome.cost)
    if usage is not None:
        tally = replace(tally, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
    return tally


def _add(one: Tally, other: Tally) -> Tally:
    return Tally(
        one.attempts + other.attempts,
        one.failures + other.failures,
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cost + other.cost,
    )
