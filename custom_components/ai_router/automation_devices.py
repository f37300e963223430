"""The devices that automations name in triggers and conditions: the router's, providers' and pools'."""

from collections.abc import Iterable

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr

from .const import DOMAIN, SUBENTRY_POOL, SUBENTRY_PROVIDER

ROUTER = "router"
DEVICES = vol.All(cv.ensure_list, [cv.string], vol.Length(min=1))
"""One or several devices."""

_CALLED = {
    ROUTER: "AI Router itself",
    SUBENTRY_PROVIDER: "a provider of AI Router",
    SUBENTRY_POOL: "a pool of AI Router",
}


def check_devices(hass: HomeAssistant, device_ids: Iterable[str], kinds: tuple[str, ...]) -> None:
    """Raise `vol.Invalid` where one is not of these kinds: what never happens to it would be waited for for ever."""
    for device_id in device_ids:
        if subject(hass, device_id, kinds) is None:
            wanted = " or ".join(_CALLED[kind] for kind in kinds)
            raise vol.Invalid(f"Device {_name(hass, device_id)} is not {wanted}")


def subject(hass: HomeAssistant, device_id: str, kinds: tuple[str, ...]) -> str | None:
    """Return the id of the entry, provider or pool that a device stands for; None where it is none of these kinds."""
    device = dr.async_get(hass).async_get(device_id)
    if device is None:
        return None
    for domain, identifier in device.identifiers:
        for entry in hass.config_entries.async_entries(DOMAIN) if domain == DOMAIN else ():
            subentry = entry.subentries.get(identifier)
            kind = ROUTER if identifier == entry.entry_id else subentry and subentry.subentry_type
            if kind in kinds:
                return identifier
    return None


def _name(hass: HomeAssistant, device_id: str) -> str:
    device = dr.async_get(hass).async_get(device_id)
    return (device and (device.name_by_user or device.name)) or device_id
