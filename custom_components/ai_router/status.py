"""What entities and diagnostics show: one snapshot of the router, made from the core's own counters.

Counters of money are the ones that admit requests, so a sensor can never tell another sum than the budgets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from homeassistant.util import dt as dt_util

from .routing.breaker import BreakerState
from .routing.call import RateWindow
from .routing.config import ProviderConfig
from .routing.experiments import EXPERIMENT, ArmReport
from .routing.fleet import provider_money, router_money
from .routing.health import Level
from .routing.money import to_dollars
from .routing.router import Router
from .routing.tickets import BucketKey, Window
from .tallies import Tallies, Tally


@dataclass(frozen=True, slots=True)
class Money:
    """Spending in the current windows, and since the ledger began, in USD.

    `budget_used` is the fullest budget's share in percent; `budget_left` what may still be spent of the tightest.
    """

    today: Decimal
    month: Decimal
    total: Decimal
    today_since: datetime
    month_since: datetime
    budget_used: float | None
    budget_left: Decimal | None
    exceeded: bool


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One provider at a moment. Latency in seconds, success rate in percent.

    `limited` names the limits that are used up now. `own_requests` and `own_tokens` are what is left by its own word.
    """

    health: Level
    reason: str | None
    breaker: BreakerState
    money: Money
    tally: Tally
    enabled: bool
    priority: int
    weight: float
    budgets: Mapping[Window, Decimal]
    requests_per_minute: int
    requests_limit: int | None
    tokens_per_minute: int
    tokens_limit: int | None
    limited: tuple[str, ...]
    own_requests: RateWindow | None
    own_tokens: RateWindow | None
    under_way: int
    latency: float | None
    success_rate: float | None
    last_error: str | None
    credential_since: datetime | None


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """What a pool answered today; of an experiment what came of its arms, else None."""

    tally: Tally
    today_since: datetime
    arms: tuple[ArmReport, ...] | None


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """What the cache did since the start: hit rate in percent, savings in USD."""

    hit_rate: float | None
    saved: Decimal
    entries: int


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """The whole router at a moment. `projected` is what the running month will have cost at its end (USD)."""

    health: Level
    reason: str | None
    money: Money
    tally: Tally
    cache: CacheStatus
    projected: Decimal
    strategy: str
    local_only: bool
    success_rate: float | None
    requests_today: int
    under_way: int
    queued: int
    providers: Mapping[str, ProviderStatus]
    pools: Mapping[str, PoolStatus]


def _money(router: Router, keys: tuple[BucketKey, ...], shown: float) -> Money:
    """Sum up the windows in which a time lies (wall clock); budgets are always told of as they stand now."""
    admission = router.admission
    calendar = admission.calendar
    settled = {Window.DAY: 0, Window.MONTH: 0, Window.TOTAL: 0}
    used: list[float] = []
    left: list[int] = []
    used_up = False
    for key in keys:
        bucket = admission.money(key)
        account, limit = bucket.account, bucket.limit
        settled[key.window] = bucket.settled_in(calendar.window_id(key.window, shown))
        if limit is not None:
            used.append(round(100 * account.settled / limit, 1) if limit else 100.0)
            left.append(max(0, limit - account.settled))
            used_up = used_up or bucket.used_up
    return Money(
        today=to_dollars(settled[Window.DAY]),
        month=to_dollars(settled[Window.MONTH]),
        total=to_dollars(settled[Window.TOTAL]),
        today_since=dt_util.utc_from_timestamp(calendar.bounds(Window.DAY, shown)[0]),
        month_since=dt_util.utc_from_timestamp(calendar.bounds(Window.MONTH, shown)[0]),
        budget_used=max(used, default=None),
        budget_left=to_dollars(min(left)) if left else None,
        exceeded=0 in left or used_up,
    )


def _provider_status(
    router: Router, provider: ProviderConfig, tally: Tally, since: datetime | None, shown: float, mono: float
) -> ProviderStatus:
    admission = router.admission
    states = admission.breakers.states(provider.id, mono)
    order = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)
    # The provider stands as well as its best model.
    breaker = next((state for state in order if state in states), BreakerState.CLOSED)
    recent = router.recent(provider.id)
    health = router.health(provider.id)
    latency = recent.latency
    rates = router.rates(provider.id)
    return ProviderStatus(
        health=health.level,
        reason=health.reason,
        breaker=breaker,
        money=_money(router, provider_money(provider), shown),
        tally=tally,
        enabled=provider.enabled,
        priority=provider.priority,
        weight=provider.weight,
        budgets={budget.window: to_dollars(budget.limit) for budget in provider.budgets},
        requests_per_minute=admission.requests_last_minute(provider.id),
        requests_limit=provider.requests_per_minute,
        tokens_per_minute=admission.tokens_last_minute(provider.id),
        tokens_limit=provider.tokens_per_minute,
        limited=tuple(
            f"{status.key.unit} {status.key.window}"
            for status in router.limits(provider.id)
            if status.free_at is not None
        ),
        own_requests=_scarcest(rates, "requests"),
        own_tokens=_scarcest(rates, "tokens"),
        under_way=admission.slots(provider.id).used,
        latency=None if latency is None else round(latency, 3),
        success_rate=_percent(recent.success_rate),
        last_error=None if recent.last_failure is None else recent.last_failure[1],
        credential_since=since,
    )


def _scarcest(rates: Iterable[RateWindow], unit: str) -> RateWindow | None:
    """Return the one of a provider's own limits of which the least is left."""
    known = [rate for rate in rates if unit in rate.name and rate.remaining is not None]
    return min(known, key=lambda rate: rate.remaining or 0, default=None)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def snapshot(
    router: Router, tallies: Tallies, credentials: Mapping[str, datetime | None], now: float, mono: float, shown: float
) -> RouterStatus:
    """Look at the router once; `now` is wall clock, `mono` the router's monotonic clock (seconds).

    `credentials` tells since when each provider's key is in use; `shown` is a time in the day and month whose sums are
    told of (wall clock).
    """
    config = router.config
    overall = router.overall_health()
    cache = router.answers.stats()
    day = tallies.of_day(router.admission.calendar.day(shown))
    money = _money(router, router_money(config), shown)
    return RouterStatus(
        health=overall.level,
        reason=overall.reason,
        money=money,
        tally=day.router,
        cache=CacheStatus(_percent(cache.hit_rate), to_dollars(cache.saved), cache.entries),
        projected=tallies.projected(router, now),
        strategy=config.strategy,
        local_only=config.local_only,
        success_rate=_percent(day.answered / day.requests) if day.requests else None,
        requests_today=day.requests,
        under_way=router.under_way,
        queued=router.queued,
        providers={
            provider.id: _provider_status(
                router, provider, day.of_provider(provider.id), credentials.get(provider.id), shown, mono
            )
            for provider in config.providers.values()
        },
        pools={
            pool.id: PoolStatus(
                day.of_pool(pool.id),
                money.today_since,
                router.experiment(pool.id) if pool.strategy == EXPERIMENT else None,
            )
            for pool in config.pools.values()
        },
    )
