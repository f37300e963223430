"""Serves the dashboard cards: one file, loaded on every page of the frontend while the entry is; no resource is written."""

import hashlib
from pathlib import Path

from homeassistant.components import frontend
from homeassistant.components.http import StaticPathConfig  # type: ignore[attr-defined]  # 2026.10 does not list it
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

_FILE = Path(__file__).parents[1] / "frontend" / "ai-router-card.js"
_PATH = f"/{DOMAIN}/{_FILE.name}"
_URL: HassKey[str] = HassKey(f"{DOMAIN}.cards_url")


async def async_serve_cards(hass: HomeAssistant) -> None:
    """Put the file on the web server, once for the whole run: Home Assistant cannot take a path away again.

    Its address carries a hash of the content, so that browsers may keep it and still take a new one.
    """
    if frontend.DOMAIN not in hass.config.components:
        return
    digest = hashlib.sha256(await hass.async_add_executor_job(_FILE.read_bytes)).hexdigest()
    await hass.http.async_register_static_paths([StaticPathConfig(_PATH, str(_FILE), cache_headers=True)])
    hass.data[_URL] = f"{_PATH}?v={digest[:12]}"


@callback
def async_offer_cards(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Have the frontend load the cards until the entry is unloaded. Pages that are open keep what they have loaded."""
    url = hass.data.get(_URL)
    if url is not None:
        frontend.add_extra_js_url(hass, url)
        entry.async_on_unload(lambda: frontend.remove_extra_js_url(hass, url))
