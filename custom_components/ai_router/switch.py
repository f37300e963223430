"""Switches: whether a provider is used at all, and whether everything stays in the house."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .changes import change_options, change_provider
from .const import Conf
from .control import ControlEntity
from .entity import StatusDevice, async_follow_providers, router_device
from .hub import RouterConfigEntry
from .status import ProviderStatus, RouterStatus

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class StatusSwitchDescription[S](SwitchEntityDescription):
    """A switch, what it reads from a status, and the setting that it changes."""

    is_on_fn: Callable[[S], bool]
    setting: Conf


ENABLED = StatusSwitchDescription[ProviderStatus](
    key="enabled", setting=Conf.ENABLED, is_on_fn=lambda status: status.enabled
)
LOCAL_ONLY = StatusSwitchDescription[RouterStatus](
    key="local_only",
    entity_category=EntityCategory.CONFIG,
    setting=Conf.LOCAL_ONLY,
    is_on_fn=lambda status: status.local_only,
)


async def async_setup_entry(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the switches of the router, and of each provider as it comes."""
    hub = entry.runtime_data

    def switches_of(provider: StatusDevice[ProviderStatus]) -> Iterator[Entity]:
        yield ProviderSwitch(hub, provider, ENABLED)

    async_add_entities([RouterSwitch(hub, router_device(entry), LOCAL_ONLY)])
    await async_follow_providers(entry, async_add_entities, switches_of)


class StatusSwitch[S](ControlEntity[S, StatusSwitchDescription[S]], SwitchEntity):
    """One setting that is on or off."""

    entity_description: StatusSwitchDescription[S]

    @property
    @override
    def is_on(self) -> bool:
        """Return what is in force."""
        return self.entity_description.is_on_fn(self.status)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Turn it on. Raises `Unauthorized`."""
        await self._set({self.entity_description.setting: True})

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Turn it off. Raises `Unauthorized`."""
        await self._set({self.entity_description.setting: False})

    async def _set(self, changes: Mapping[str, Any]) -> None:
        await self.check_admin()
        await self.change(changes)
        self.show_now()

    @abstractmethod
    async def change(self, changes: Mapping[str, Any]) -> None:
        """Change the stored settings."""


class ProviderSwitch(StatusSwitch[ProviderStatus]):
    """A switch of a provider."""

    @override
    async def change(self, changes: Mapping[str, Any]) -> None:
        """Change the provider's settings."""
        await change_provider(self.hub, self._context, self.about, changes)


class RouterSwitch(StatusSwitch[RouterStatus]):
    """A switch of the router."""

    @override
    async def change(self, changes: Mapping[str, Any]) -> None:
        """Change the router's options."""
        await change_options(self.hub, self._context, changes)
