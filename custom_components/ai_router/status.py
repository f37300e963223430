"""What entities and diagnostics show: one snapshot of the router, made from the core's own counters.

Counters of money are the ones that admit requests, so a sensor can never tell another sum than the budgets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from homeassistant.util import dt as dt_util

from .routing.breaker import BreakerState
from .routing.config import ProviderConfig
from .routing.fleet import provider_money, router_money
from .routing.model import Target
from .routing.money import to_dollars
from .routing.router import Router
from .routing.tickets import BucketKey, Window

_ENOUGH_ATTEMPTS = 5
_HEALTHY_SHARE = 0.8


class Health(StrEnum):
    """How a provider does."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Money:
    """Spending in the current windows, in USD. `budget_used` is the fuller window's share in percent."""

    today: Decimal
    month: Decimal
    today_since: datetime
    month_since: datetime
    budget_used: float | None


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One provider at a moment. Latency in seconds, success rate in percent."""

    health: Health
    reason: str | None
    breaker: BreakerState
    money: Money
    requests_per_minute: int
    requests_limit: int | None
    under_way: int
    latency: float | None
    success_rate: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """The whole router at a moment."""

    money: Money
    requests_today: int
    under_way: int
    providers: Mapping[str, ProviderStatus]


def _money(router: Router, keys: tuple[BucketKey, ...], now: float) -> Money:
    admission = router.admission
    settled = {Window.DAY: 0, Window.MONTH: 0}
    used: list[float] = []
    for key in keys:
        bucket = admission.money(key)
        account = bucket.account
        settled[key.window] = account.settled
        if bucket.limit:
            used.append(round(100 * account.settled / bucket.limit, 1))
        elif bucket.limit == 0:
            used.append(100.0)
    calendar = admission.calendar
    return Money(
        today=to_dollars(settled[Window.DAY]),
        month=to_dollars(settled[Window.MONTH]),
        today_since=dt_util.utc_from_timestamp(calendar.bounds(Window.DAY, now)[0]),
        month_since=dt_util.utc_from_timestamp(calendar.bounds(Window.MONTH, now)[0]),
        budget_used=max(used, default=None),
    )


def _health(router: Router, provider: ProviderConfig, breaker: BreakerState, now: float) -> tuple[Health, str | None]:
    recent = router.recent(provider.id)
    benches = router.benches.of_provider(provider.id, now)
    benched = [bench for bench in benches.values() if not bench.resting]
    whole = benches.get(None)
    if (whole is not None and not whole.resting) or (benched and len(benched) == len(provider.models)):
        return Health.UNHEALTHY, benched[0].cls
    if breaker is BreakerState.OPEN:
        return Health.UNHEALTHY, "breaker_open"
    if benches:
        return Health.DEGRADED, next(iter(benches.values())).cls
    if breaker is BreakerState.HALF_OPEN:
        return Health.DEGRADED, "probing"
    rate = recent.success_rate
    if rate is None:
        return Health.UNKNOWN, None
    if rate == 0 or (recent.attempts >= _ENOUGH_ATTEMPTS and rate < _HEALTHY_SHARE):
        return Health.DEGRADED, "failing"
    return Health.HEALTHY, None


def _provider_status(router: Router, provider: ProviderConfig, now: float, mono: float) -> ProviderStatus:
    admission = router.admission
    states = {admission.breakers.of(Target(provider.id, model.id)).state(mono) for model in provider.models}
    order = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)
    # The provider stands as well as its best model.
    breaker = next((state for state in order if state in states), BreakerState.CLOSED)
    recent = router.recent(provider.id)
    health, reason = _health(router, provider, breaker, now)
    rate, latency = recent.success_rate, recent.latency
    return ProviderStatus(
        health=health,
        reason=reason,
        breaker=breaker,
        money=_money(router, provider_money(provider), now),
        requests_per_minute=admission.requests_last_minute(provider.id),
        requests_limit=provider.requests_per_minute,
        under_way=admission.slots(provider.id).used,
        latency=None if latency is None else round(latency, 3),
        success_rate=None if rate is None else round(100 * rate, 1),
        last_error=None if recent.last_failure is None else recent.last_failure[1],
    )


def snapshot(router: Router, now: float, mono: float, requests_today: int) -> RouterStatus:
    """Look at the router once; `now` is wall clock, `mono` the router's monotonic clock (seconds)."""
    config = router.config
    return RouterStatus(
        money=_money(router, router_money(config), now),
        requests_today=requests_today,
        under_way=router.under_way,
        providers={
            provider.id: _provider_status(router, provider, now, mono) for provider in config.providers.values()
        },
    )
