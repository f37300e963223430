"""What happens to the router and to each provider, as events that can be shown, kept and acted on."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import StatusDevice, async_follow_providers, router_device
from .events import ROUTER, Events, Happening, Kind
from .hub import RouterConfigEntry
from .status import ProviderStatus

# The core pushes; nothing is asked of a provider.
PARALLEL_UPDATES = 0

_BUDGETS = (Kind.BUDGET_ALERT, Kind.BUDGET_EXCEEDED, Kind.OVERRUN)
ROUTER_KINDS = (Kind.FAILOVER, Kind.ALL_FAILED, Kind.COMPLETED, *_BUDGETS)
PROVIDER_KINDS = (
    *(
        Kind.PROVIDER_DEGRADED,
        Kind.PROVIDER_UNHEALTHY,
        Kind.PROVIDER_RECOVERED,
        Kind.BREAKER_OPENED,
        Kind.BREAKER_CLOSED,
    ),
    *(Kind.BENCHED, Kind.UNBENCHED, Kind.RATE_LIMITED, *_BUDGETS),
)

_EACH_REQUEST = frozenset({Kind.FAILOVER, Kind.ALL_FAILED, Kind.COMPLETED, Kind.RATE_LIMITED})
_PAUSE_SECONDS = 2.0


async def async_setup_entry(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the alert of the router, and of each provider as it comes."""
    hub = entry.runtime_data
    async_add_entities([Alert(router_device(entry), ROUTER, ROUTER_KINDS, hub.events, hub.clock.monotonic)])

    def alert_of(provider: StatusDevice[ProviderStatus]) -> Iterator[Entity]:
        yield Alert(provider, provider.id, PROVIDER_KINDS, hub.events, hub.clock.monotonic)

    await async_follow_providers(entry, async_add_entities, alert_of)


class Alert(EventEntity):
    """Tells what happens to one device.

    What can happen with every request is shown at most once in two seconds for each type, `unseen` counts those between
    two shown; the bus has them all.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(
        self,
        device: StatusDevice[Any],
        about: str,
        kinds: Sequence[Kind],
        events: Events,
        monotonic: Callable[[], float],
    ) -> None:
        """Tell of the router (`ROUTER`) or of a provider."""
        self._attr_unique_id = f"{device.id}_alert"
        self._attr_device_info = device.info
        self._attr_translation_key = "provider_alert" if about else "router_alert"
        self._attr_event_types = [kind.value for kind in kinds]
        self._about = about
        self._events = events
        self._monotonic = monotonic
        self._shown: dict[Kind, float] = {}
        self._unseen: dict[Kind, int] = {}

    @override
    async def async_added_to_hass(self) -> None:
        """Listen as long as the entity is there."""
        self.async_on_remove(self._events.listen(self._about, self._hear))

    @callback
    def _hear(self, happening: Happening) -> None:
        kind, data = happening.kind, dict(happening.data)
        if kind in _EACH_REQUEST:
            now = self._monotonic()
            if now - self._shown.get(kind, float("-inf")) < _PAUSE_SECONDS:
                self._unseen[kind] = self._unseen.get(kind, 0) + 1
                return
            self._shown[kind] = now
            data["unseen"] = self._unseen.pop(kind, 0)
        # The entity is of the device, and has a name of its own.
        self._trigger_event(kind.value, {name: data[name] for name in data if name not in ("device_id", "name")})
        self.async_write_ha_state()
