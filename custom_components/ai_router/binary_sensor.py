"""What may need somebody: a provider that is ill, limited, or out of budget."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import StatusDevice, StatusEntity, async_follow_providers, router_device
from .hub import RouterConfigEntry
from .routing.health import Level
from .status import ProviderStatus, RouterStatus

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class StatusBinaryDescription[S](BinarySensorEntityDescription):
    """A binary sensor, and what it reads from a status."""

    is_on_fn: Callable[[S], bool]
    attributes_fn: Callable[[S], dict[str, Any]] | None = None


SHARED: tuple[StatusBinaryDescription[RouterStatus | ProviderStatus], ...] = (
    StatusBinaryDescription(
        key="problem",
        device_class=BinarySensorDeviceClass.PROBLEM,
        is_on_fn=lambda status: status.health is Level.UNHEALTHY,
        attributes_fn=lambda status: {"reason": status.reason},
    ),
    StatusBinaryDescription(
        key="budget_exceeded",
        device_class=BinarySensorDeviceClass.PROBLEM,
        is_on_fn=lambda status: status.money.exceeded,
    ),
)
RATE_LIMITED = StatusBinaryDescription[ProviderStatus](
    key="rate_limited",
    entity_category=EntityCategory.DIAGNOSTIC,
    is_on_fn=lambda status: bool(status.limited),
    attributes_fn=lambda status: {"limits": list(status.limited)},
)


async def async_setup_entry(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of the router, and of each provider as it comes."""
    router = router_device(entry)
    async_add_entities(StatusBinarySensor(router, description) for description in SHARED)
    await async_follow_providers(entry, async_add_entities, _sensors_of)


def _sensors_of(provider: StatusDevice[ProviderStatus]) -> Iterator[Entity]:
    yield from (StatusBinarySensor(provider, description) for description in SHARED)
    yield StatusBinarySensor(provider, RATE_LIMITED)


class StatusBinarySensor[S](StatusEntity[S, StatusBinaryDescription[S]], BinarySensorEntity):
    """One question about a status."""

    entity_description: StatusBinaryDescription[S]

    @property
    @override
    def is_on(self) -> bool:
        """Return the answer."""
        return self.entity_description.is_on_fn(self.status)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return what explains it."""
        read = self.entity_description.attributes_fn
        return None if read is None else read(self.status)
