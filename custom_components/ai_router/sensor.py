"""What the router and each provider spend, and how they do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfRatio, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .const import CURRENCY
from .entity import StatusDevice, StatusEntity, async_follow_pools, async_follow_providers, router_device
from .hub import RouterConfigEntry
from .routing.breaker import BreakerState
from .routing.call import RateWindow
from .routing.experiments import ArmReport
from .routing.failures import FailureClass
from .routing.health import Level
from .routing.money import to_dollars
from .status import PoolStatus, ProviderStatus, RouterStatus

# The coordinator pushes; nothing is asked of a provider.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class StatusSensorDescription[S](SensorEntityDescription):
    """A sensor, and what it reads from a status."""

    value_fn: Callable[[S], StateType | datetime]
    last_reset_fn: Callable[[S], datetime] | None = None
    attributes_fn: Callable[[S], dict[str, Any]] | None = None
    available_fn: Callable[[S], bool] | None = None


def _exact(amount: Decimal | None) -> str | None:
    """Write out all digits: Home Assistant would show a small `Decimal` as 1E-7."""
    return None if amount is None else f"{amount:f}"


def _dollars[S](
    key: str,
    amount: Callable[[S], Decimal | None],
    since: Callable[[S], datetime] | None = None,
    *,
    sums_up: bool = True,
    digits: int = 4,
    enabled: bool = True,
) -> StatusSensorDescription[S]:
    """Describe an amount of money; one that sums up has long-term statistics, begun anew at `since`."""
    return StatusSensorDescription(
        key=key,
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL if sums_up else None,
        native_unit_of_measurement=CURRENCY,
        suggested_display_precision=digits,
        entity_registry_enabled_default=enabled,
        value_fn=lambda status: _exact(amount(status)),
        last_reset_fn=since,
    )


def _count[S](
    key: str,
    count: Callable[[S], int],
    since: Callable[[S], datetime],
    attributes: Callable[[S], dict[str, Any]] | None = None,
    *,
    enabled: bool = True,
) -> StatusSensorDescription[S]:
    """Describe a count of today."""
    return StatusSensorDescription(
        key=key,
        # Not TOTAL_INCREASING: after a night without power, 5 requests of yesterday and 7 of today look like 7.
        state_class=SensorStateClass.TOTAL,
        entity_registry_enabled_default=enabled,
        value_fn=count,
        last_reset_fn=since,
        attributes_fn=attributes,
    )


def _percent[S](
    key: str,
    share: Callable[[S], float | None],
    attributes: Callable[[S], dict[str, Any]] | None = None,
    *,
    enabled: bool = True,
) -> StatusSensorDescription[S]:
    return StatusSensorDescription(
        key=key,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=1,
        entity_registry_enabled_default=enabled,
        value_fn=share,
        attributes_fn=attributes,
    )


def _diagnostic[S](
    key: str,
    figure: Callable[[S], int | None],
    attributes: Callable[[S], dict[str, Any]] | None = None,
    available: Callable[[S], bool] | None = None,
) -> StatusSensorDescription[S]:
    """Describe a figure that helps to find a cause, and is switched on by who looks for one."""
    return StatusSensorDescription(
        key=key,
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=figure,
        attributes_fn=attributes,
        available_fn=available,
    )


def _own_limit(
    key: str, window: Callable[[ProviderStatus], RateWindow | None]
) -> StatusSensorDescription[ProviderStatus]:
    """Describe what is left of a limit by the provider's own word."""

    def remaining(status: ProviderStatus) -> int | None:
        told = window(status)
        return None if told is None else told.remaining

    def quota(status: ProviderStatus) -> dict[str, Any]:
        told = window(status)
        if told is None:
            return {}
        reset = None if told.reset_at is None else dt_util.utc_from_timestamp(told.reset_at).isoformat()
        return {"limit": told.limit, "reset": reset}

    return _diagnostic(key, remaining, quota, lambda status: status.health is not Level.UNHEALTHY)


def _arm(report: ArmReport) -> dict[str, Any]:
    """Tell of one variant what the household compares; figures that are not known yet are None."""
    return {
        "provider_id": report.arm.provider_id,
        "model": report.arm.model_id,
        "requests": report.requests,
        "error_rate": None if report.error_rate is None else round(100 * report.error_rate, 1),
        "cost": None if report.cost.mean is None else float(to_dollars(round(report.cost.mean))),
        "latency": None if report.latency.mean is None else round(report.latency.mean, 3),
        "score": None if report.score.mean is None else round(report.score.mean, 3),
    }


SHARED_SENSORS: tuple[StatusSensorDescription[RouterStatus | ProviderStatus], ...] = (
    _dollars("cost_today", lambda status: status.money.today, lambda status: status.money.today_since),
    _dollars("cost_month", lambda status: status.money.month, lambda status: status.money.month_since),
    _dollars("cost_total", lambda status: status.money.total, digits=2, enabled=False),
    _dollars("budget_left", lambda status: status.money.budget_left, sums_up=False, digits=2),
    _percent("budget_used", lambda status: status.money.budget_used),
    _count(
        "tokens_today",
        lambda status: status.tally.input_tokens + status.tally.output_tokens,
        lambda status: status.money.today_since,
        lambda status: {"input_tokens": status.tally.input_tokens, "output_tokens": status.tally.output_tokens},
        enabled=False,
    ),
    StatusSensorDescription(
        key="health",
        device_class=SensorDeviceClass.ENUM,
        options=[level.value for level in Level],
        value_fn=lambda status: status.health.value,
        attributes_fn=lambda status: {"reason": status.reason},
    ),
    _percent("success_rate", lambda status: status.success_rate),
    _diagnostic("under_way", lambda status: status.under_way),
)

ROUTER_SENSORS: tuple[StatusSensorDescription[RouterStatus], ...] = (
    _count("requests_today", lambda status: status.requests_today, lambda status: status.money.today_since),
    _diagnostic("queued", lambda status: status.queued),
    _dollars("cost_projected", lambda status: status.projected, sums_up=False),
    _percent(
        "cache_hit_rate",
        lambda status: status.cache.hit_rate,
        lambda status: {"entries": status.cache.entries},
        enabled=False,
    ),
    _dollars("cache_saved", lambda status: status.cache.saved, sums_up=False, enabled=False),
)

POOL_SENSORS: tuple[StatusSensorDescription[PoolStatus], ...] = (
    _dollars("cost_today", lambda status: status.tally.dollars, lambda status: status.today_since),
    _count(
        "attempts_today",
        lambda status: status.tally.attempts,
        lambda status: status.today_since,
        lambda status: {"failures": status.tally.failures},
    ),
    StatusSensorDescription(
        key="experiment",
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda status: None if status.arms is None else sum(arm.requests for arm in status.arms),
        attributes_fn=lambda status: {"arms": [_arm(arm) for arm in status.arms or ()]},
    ),
)

PROVIDER_SENSORS: tuple[StatusSensorDescription[ProviderStatus], ...] = (
    StatusSensorDescription(
        key="breaker",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in BreakerState],
        value_fn=lambda status: status.breaker.value,
    ),
    StatusSensorDescription(
        key="requests_last_minute",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda status: status.requests_per_minute,
        attributes_fn=lambda status: {"limit": status.requests_limit},
    ),
    StatusSensorDescription(
        key="tokens_last_minute",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda status: status.tokens_per_minute,
        attributes_fn=lambda status: {"limit": status.tokens_limit},
    ),
    StatusSensorDescription(
        key="latency",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=2,
        value_fn=lambda status: status.latency,
    ),
    _count(
        "attempts_today",
        lambda status: status.tally.attempts,
        lambda status: status.money.today_since,
        lambda status: {"failures": status.tally.failures},
        enabled=False,
    ),
    _own_limit("own_requests_left", lambda status: status.own_requests),
    _own_limit("own_tokens_left", lambda status: status.own_tokens),
    StatusSensorDescription(
        key="credential_since",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda status: status.credential_since,
    ),
    StatusSensorDescription(
        key="last_error",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        options=[cls.value for cls in FailureClass],
        value_fn=lambda status: status.last_error,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the router, and of each provider as it comes."""
    router = router_device(entry)
    async_add_entities(StatusSensor(router, description) for description in SHARED_SENSORS)
    async_add_entities(StatusSensor(router, description) for description in ROUTER_SENSORS)
    await async_follow_providers(entry, async_add_entities, _sensors_of)
    await async_follow_pools(
        entry, async_add_entities, lambda pool: (StatusSensor(pool, each) for each in POOL_SENSORS)
    )


def _sensors_of(provider: StatusDevice[ProviderStatus]) -> Iterator[Entity]:
    yield from (StatusSensor(provider, description) for description in SHARED_SENSORS)
    yield from (StatusSensor(provider, description) for description in PROVIDER_SENSORS)


class StatusSensor[S](StatusEntity[S, StatusSensorDescription[S]], SensorEntity):
    """One figure of a status."""

    entity_description: StatusSensorDescription[S]

    @property
    @override
    def available(self) -> bool:
        """Not while a provider that tells the figure itself cannot be asked."""
        check = self.entity_description.available_fn
        return super().available and (check is None or check(self.status))

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the figure; None shows as unknown."""
        return self.entity_description.value_fn(self.status)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Return when the day or month began that a sum belongs to."""
        read = self.entity_description.last_reset_fn
        return None if read is None else read(self.status)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return what explains the figure."""
        read = self.entity_description.attributes_fn
        return None if read is None else read(self.status)
