"""What all entities share: their devices, the part of the snapshot they show, and how they come with new providers."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import override

from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN, SUBENTRY_POOL, SUBENTRY_PROVIDER, Conf
from .coordinator import RouterCoordinator
from .hub import RouterConfigEntry
from .plug_ins import kinds
from .status import PoolStatus, ProviderStatus, RouterStatus
from .wording import texts_in


@dataclass(frozen=True, slots=True)
class StatusDevice[S]:
    """A device, and the part of the snapshot that tells of it.

    `id` is the entry's or the subentry's. `status` is that part when the device was made; `look` finds it in
    a later snapshot, and returns None once it is gone.
    """

    coordinator: RouterCoordinator
    id: str
    info: DeviceInfo
    status: S
    look: Callable[[RouterStatus], S | None]


class StatusEntity[S, D: EntityDescription](CoordinatorEntity[RouterCoordinator]):
    """Shows a part of the latest snapshot.

    What was spent and counted is our own knowledge, so it is available while the entry is loaded, provider up or down.
    """

    _attr_has_entity_name = True
    entity_description: D

    def __init__(self, device: StatusDevice[S], description: D) -> None:
        """Belong to a device; the description's key makes the unique id and names the translations."""
        super().__init__(device.coordinator)
        self.entity_description = description
        self.status = device.status
        self._look = device.look
        self._waits = False
        self._attr_unique_id = f"{device.id}_{description.key}"
        self._attr_translation_key = description.key
        self._attr_device_info = device.info

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        status = self._look(self.coordinator.data)
        waited, self._waits = self._waits, status is None
        # Most of a large household is idle at any time: what did not change costs no more than this comparison.
        if waited is not self._waits or (status is not None and status != self.status):
            self.status = self.status if status is None else status
            self.async_write_ha_state()

    @property
    @override
    def available(self) -> bool:
        """Not while a provider waits for the integration that knows its kind: nothing is known of it then."""
        return super().available and not self._waits

    @override
    async def async_update(self) -> None:
        """Follow `homeassistant.update_entity`: nothing is polled, but a new snapshot can be taken."""
        self.coordinator.refresh_soon()


def router_device(entry: RouterConfigEntry) -> StatusDevice[RouterStatus]:
    """Return the router's own device."""
    coordinator = entry.runtime_data.coordinator
    return StatusDevice(coordinator, entry.entry_id, _router_info(entry), coordinator.data, lambda status: status)


def _router_info(entry: RouterConfigEntry) -> DeviceInfo:
    return DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        entry_type=DeviceEntryType.SERVICE,
    )


def _subentry_device[S](
    entry: RouterConfigEntry,
    subentry: ConfigSubentry,
    model: str,
    statuses: Callable[[RouterStatus], Mapping[str, S]],
) -> StatusDevice[S]:
    coordinator = entry.runtime_data.coordinator
    # Whichever platform comes first makes the router's device: the others must be able to point to it.
    router = dr.async_get(coordinator.hass).async_get_or_create(config_entry_id=entry.entry_id, **_router_info(entry))
    subentry_id = subentry.subentry_id
    info = DeviceInfo(
        identifiers={(DOMAIN, subentry_id)},
        name=subentry.title,
        model=model,
        entry_type=DeviceEntryType.SERVICE,
        via_device_id=router.id,
    )
    status = statuses(coordinator.data)[subentry_id]
    return StatusDevice(coordinator, subentry_id, info, status, lambda latest: statuses(latest).get(subentry_id))


def _model_name(hass: HomeAssistant, key: str) -> str:
    """Return what a device is, in the household's language: a kind of provider, or a pool."""
    names = texts_in(hass, hass.config.language, "device")
    kind = kinds(hass).get(key)
    return names.get(f"component.{DOMAIN}.device.{key}.name") or (kind.name if kind else "") or key


async def async_follow_providers(
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entities_of: Callable[[StatusDevice[ProviderStatus]], Iterable[Entity]],
) -> None:
    """Add a platform's entities for every provider, now and whenever one is added."""
    await _follow(entry, async_add_entities, SUBENTRY_PROVIDER, lambda status: status.providers, entities_of)


async def async_follow_pools(
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entities_of: Callable[[StatusDevice[PoolStatus]], Iterable[Entity]],
) -> None:
    """Add a platform's entities for every pool, now and whenever one is added."""
    await _follow(entry, async_add_entities, SUBENTRY_POOL, lambda status: status.pools, entities_of)


async def _follow[S](
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    subentry_type: str,
    statuses: Callable[[RouterStatus], Mapping[str, S]],
    entities_of: Callable[[StatusDevice[S]], Iterable[Entity]],
) -> None:
    """Follow the subentries of one type.

    Home Assistant itself removes the device and the entities of a removed subentry. Between two of them the loop turns:
    what a device needs is added in milliseconds, and a household may have many.
    """
    coordinator = entry.runtime_data.coordinator
    known: set[str] = set()

    def is_new(subentry_id: str) -> bool:
        return (
            # Requests are drained after the platforms are gone: what came now would stay for ever.
            entry.state is not ConfigEntryState.UNLOAD_IN_PROGRESS
            and subentry_id not in known
            and subentry_id in entry.subentries
            and subentry_id in statuses(coordinator.data)
        )

    async def add(subentries: list[ConfigSubentry]) -> None:
        for subentry in subentries:
            if is_new(subentry.subentry_id):
                known.add(subentry.subentry_id)
                model = _model_name(coordinator.hass, subentry.data.get(Conf.KIND, subentry_type))
                device = _subentry_device(entry, subentry, model, statuses)
                async_add_entities(entities_of(device), config_subentry_id=subentry.subentry_id)
                await asyncio.sleep(0)

    def missing() -> list[ConfigSubentry]:
        known.intersection_update(entry.subentries)
        return [each for each in entry.get_subentries_of_type(subentry_type) if is_new(each.subentry_id)]

    @callback
    def follow() -> None:
        if subentries := missing():
            entry.async_create_task(coordinator.hass, add(subentries), f"{DOMAIN} adds entities of a {subentry_type}")

    await add(missing())
    entry.async_on_unload(coordinator.async_add_listener(follow))
    follow()


@callback
def async_follow_names(entry: RouterConfigEntry) -> None:
    """Keep the devices' names those of the entry and its subentries."""
    coordinator = entry.runtime_data.coordinator
    registry = dr.async_get(coordinator.hass)

    @callback
    def follow() -> None:
        titles = {subentry_id: subentry.title for subentry_id, subentry in entry.subentries.items()}
        titles[entry.entry_id] = entry.title
        for identifier, title in titles.items():
            device = registry.async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
            if device is not None and device.name != title:
                registry.async_update_device(device.id, name=title)

    entry.async_on_unload(coordinator.async_add_listener(follow))
