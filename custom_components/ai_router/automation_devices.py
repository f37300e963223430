"""The devices that automations name in triggers and conditions: the router's and the providers'."""

from collections.abc import Iterable

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr

from .const import DOMAIN

DEVICES = vol.All(cv.ensure_list, [cv.string], vol.Length(min=1))
"""One or several devices."""


def check_devices(hass: HomeAssistant, device_ids: Iterable[str], *, providers: bool = False) -> None:
    """Raise `vol.Invalid` where one is not ours, or not a provider's if it has to be one."""
    for device_id in device_ids:
        if subject(hass, device_id, providers=providers) is None:
            wanted = "a provider of AI Router" if providers else "AI Router's or one of its providers'"
            raise vol.Invalid(f"Device {device_id} is not {wanted}")


def subject(hass: HomeAssistant, device_id: str, *, providers: bool = False) -> str | None:
    """Return the id of the provider or of the entry that a device stands for; None where it is none of ours."""
    device = dr.async_get(hass).async_get(device_id)
    if device is None or (providers and device.config_subentry_id is None):
        return None
    return next((identifier for domain, identifier in device.identifiers if domain == DOMAIN), None)
