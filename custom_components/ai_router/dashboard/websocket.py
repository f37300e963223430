"""What the dashboard cards ask for over Home Assistant's websocket."""

from functools import partial
from typing import Any

import voluptuous as vol
from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import ERR_NOT_ALLOWED
from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.core import HomeAssistant, callback

from ..const import DOMAIN
from .feed import FEED, Feed, Viewer


@callback
def async_setup_websocket(hass: HomeAssistant) -> None:
    """Register the commands once; they answer `set_up: false` while no entry is loaded."""
    hass.data[FEED] = Feed(hass)
    async_register_command(hass, _subscribe)


@websocket_command({vol.Required("type"): f"{DOMAIN}/subscribe"})
@callback
def _subscribe(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """Show a signed-in user what the cards show, from now on until the connection or the subscription ends."""
    feed, viewer = hass.data[FEED], Viewer(connection, message["id"])
    if not feed.add(viewer):
        connection.send_error(viewer.message_id, ERR_NOT_ALLOWED, "too many cards look at the router already")
        return
    connection.subscriptions[viewer.message_id] = partial(feed.remove, viewer)
    connection.send_result(viewer.message_id)
    feed.greet(viewer)
