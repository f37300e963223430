"""What the router and each provider spend, and how they do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfRatio, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .entity import StatusDevice, StatusEntity, async_follow_providers, router_device
from .hub import RouterConfigEntry
from .routing.breaker import BreakerState
from .routing.failures import FailureClass
from .status import Health, ProviderStatus, RouterStatus

# The coordinator pushes; nothing is asked of a provider.
PARALLEL_UPDATES = 0

_CURRENCY = "USD"


@dataclass(frozen=True, kw_only=True)
class StatusSensorDescription[S](SensorEntityDescription):
    """A sensor, and what it reads from a status."""

    value_fn: Callable[[S], StateType]
    last_reset_fn: Callable[[S], datetime] | None = None
    attributes_fn: Callable[[S], dict[str, Any]] | None = None


def _exact(amount: Decimal) -> str:
    """Write out all digits: Home Assistant would show a small `Decimal` as 1E-7."""
    return f"{amount:f}"


SHARED_SENSORS: tuple[StatusSensorDescription[RouterStatus | ProviderStatus], ...] = (
    StatusSensorDescription(
        key="cost_today",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=_CURRENCY,
        suggested_display_precision=4,
        value_fn=lambda status: _exact(status.money.today),
        last_reset_fn=lambda status: status.money.today_since,
    ),
    StatusSensorDescription(
        key="cost_month",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=_CURRENCY,
        suggested_display_precision=4,
        value_fn=lambda status: _exact(status.money.month),
        last_reset_fn=lambda status: status.money.month_since,
    ),
    StatusSensorDescription(
        key="budget_used",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=1,
        value_fn=lambda status: status.money.budget_used,
    ),
    StatusSensorDescription(
        key="under_way",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda status: status.under_way,
    ),
)

ROUTER_SENSORS: tuple[StatusSensorDescription[RouterStatus], ...] = (
    StatusSensorDescription(
        key="requests_today",
        # Not TOTAL_INCREASING: after a night without power, 5 requests of yesterday and 7 of today look like 7.
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda status: status.requests_today,
        last_reset_fn=lambda status: status.money.today_since,
    ),
)

PROVIDER_SENSORS: tuple[StatusSensorDescription[ProviderStatus], ...] = (
    StatusSensorDescription(
        key="health",
        device_class=SensorDeviceClass.ENUM,
        options=[health.value for health in Health],
        value_fn=lambda status: status.health.value,
        attributes_fn=lambda status: {"reason": status.reason},
    ),
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
        key="latency",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=2,
        value_fn=lambda status: status.latency,
    ),
    StatusSensorDescription(
        key="success_rate",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=1,
        value_fn=lambda status: status.success_rate,
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
    async_follow_providers(entry, async_add_entities, _sensors_of)


def _sensors_of(provider: StatusDevice[ProviderStatus]) -> Iterator[Entity]:
    yield from (StatusSensor(provider, description) for description in SHARED_SENSORS)
    yield from (StatusSensor(provider, description) for description in PROVIDER_SENSORS)


class StatusSensor[S](StatusEntity[S], SensorEntity):
    """One figure of a status."""

    entity_description: StatusSensorDescription[S]

    def __init__(self, device: StatusDevice[S], description: StatusSensorDescription[S]) -> None:
        """Show what the description reads."""
        super().__init__(device, description)

    @property
    @override
    def native_value(self) -> StateType:
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
