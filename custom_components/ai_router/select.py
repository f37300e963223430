"""The router's strategy, as a choice."""

from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .changes import change_options
from .const import Conf
from .control import ControlEntity
from .entity import router_device
from .hub import RouterConfigEntry
from .plug_ins import STRATEGIES_CHANGED, strategies
from .status import RouterStatus

PARALLEL_UPDATES = 0

STRATEGY = SelectEntityDescription(key="strategy", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the router's choice."""
    async_add_entities([StrategySelect(entry.runtime_data, router_device(entry), STRATEGY)])


class StrategySelect(ControlEntity[RouterStatus, SelectEntityDescription], SelectEntity):
    """How the router chooses among all providers."""

    entity_description: SelectEntityDescription

    @override
    async def async_added_to_hass(self) -> None:
        """Show what plug-ins bring and take along."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_dispatcher_connect(self.hass, STRATEGIES_CHANGED, self.async_write_ha_state),
        )

    @property
    @override
    def options(self) -> list[str]:
        """Return what can be chosen."""
        return strategies()

    @property
    @override
    def current_option(self) -> str | None:
        """Return the strategy that is set; None while what brought it is away."""
        return self.status.strategy if self.status.strategy in self.options else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Change it. Raises `Unauthorized`."""
        await self.check_admin()
        await change_options(self.hub, self._context, {Conf.STRATEGY: option})
        self.show_now()
