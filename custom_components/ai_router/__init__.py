"""AI Router: one place in the house that everything asks for AI answers."""

import logging

from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .hub import Hub, RouterConfigEntry
from .routing.ports import LedgerUnavailable
from .services import async_setup_services

_LOGGER = logging.getLogger(__name__)
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = [Platform.SENSOR]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:  # noqa: ARG001  # the platform's signature
    """Register the actions once; they say so when the entry is not set up."""
    async_setup_services(hass)
    return True


# Home Assistant 2026.11 wants None from the next two; 2026.10 still insists on a boolean.
async def async_setup_entry(hass: HomeAssistant, entry: RouterConfigEntry) -> bool:
    """Open the router of the entry."""
    hub = entry.runtime_data = await Hub.open(hass, entry)

    async def stop(_: Event) -> None:
        await hub.close()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop))
    try:
        await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    except BaseException:
        await hub.close()
        raise
    entry.async_on_unload(entry.add_update_listener(_async_follow))
    return True


async def _async_follow(hass: HomeAssistant, entry: RouterConfigEntry) -> None:  # noqa: ARG001  # a listener's signature
    """Follow a change of options or subentries without a reload: a reload would drop the others' traffic."""
    try:
        await entry.runtime_data.apply()
    except LedgerUnavailable:
        _LOGGER.warning("The change takes effect when the ledger can be read again and the entry is reloaded")


async def async_unload_entry(hass: HomeAssistant, entry: RouterConfigEntry) -> bool:
    """Take the entities away, let requests end, and close everything."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    await entry.runtime_data.close()
    return True
