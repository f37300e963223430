"""Brings what an earlier version stored up to date.

A minor step adds what may be missing, so that an older version still runs with it, and keeps it. A major one would
change what is there: Home Assistant itself refuses an entry of a newer major version.
"""

from collections.abc import Callable

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import SUBENTRY_PROVIDER, Conf

VERSION, MINOR_VERSION = 1, 2


def migrate(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take all minor steps up to this version; a newer one has nothing that would have to be taken back."""
    for minor in range(entry.minor_version, MINOR_VERSION):
        _STEPS[minor](hass, entry)
        hass.config_entries.async_update_entry(entry, minor_version=minor + 1)


def _date_keys(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Count the age of keys whose date was not noted from today."""
    since = dt_util.utcnow().isoformat(timespec="seconds")
    for subentry in entry.get_subentries_of_type(SUBENTRY_PROVIDER):
        if Conf.CREDENTIAL in subentry.data and Conf.CREDENTIAL_SINCE not in subentry.data:
            data = {**subentry.data, Conf.CREDENTIAL_SINCE.value: since}
            hass.config_entries.async_update_subentry(entry, subentry, data=data)


_STEPS: dict[int, Callable[[HomeAssistant, ConfigEntry], None]] = {1: _date_keys}
"""`_STEPS[n]` leads from minor version n to n + 1."""
