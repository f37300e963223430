"""AI Router: one place in the house that everything asks for AI answers."""

import logging

from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .ai_task_target import ai_task_kind
from .const import DOMAIN
from .dashboard.cards import async_offer_cards, async_serve_cards
from .dashboard.feed import FEED
from .dashboard.websocket import async_setup_websocket
from .entity import async_follow_names
from .hub import Hub, RouterConfigEntry
from .migration import migrate
from .plug_ins import Registration, async_setup_plug_ins
from .removal import clean_up
from .services import async_setup_services

_LOGGER = logging.getLogger(__name__)
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:  # noqa: ARG001  # the platform's signature
    """Register actions, websocket commands, cards and kinds of provider once; they are there without the entry too."""
    Registration(hass, DOMAIN).add_provider_kind(ai_task_kind(hass))
    await async_setup_plug_ins(hass)
    async_setup_services(hass)
    async_setup_websocket(hass)
    await async_serve_cards(hass)
    return True


# Home Assistant 2026.11 wants None from the next three; 2026.10 still insists on a boolean.
async def async_migrate_entry(hass: HomeAssistant, entry: RouterConfigEntry) -> bool:
    """Bring what an earlier version stored up to date."""
    migrate(hass, entry)
    return True


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
    async_follow_names(entry)
    hass.data[FEED].follow(hub)
    async_offer_cards(hass, entry)
    hub.issues.start()
    return True


async def _async_follow(hass: HomeAssistant, entry: RouterConfigEntry) -> None:
    """Follow a change of options or subentries without a reload: a reload would drop the others' traffic."""
    await entry.runtime_data.apply()
    hass.data[FEED].push_soon()


async def async_unload_entry(hass: HomeAssistant, entry: RouterConfigEntry) -> bool:
    """Take the entities away, let requests end, and close everything."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    await entry.runtime_data.close()
    return True


async def async_remove_entry(hass: HomeAssistant, entry: RouterConfigEntry) -> None:
    """Take away what was kept for the entry."""
    await clean_up(hass, entry)
