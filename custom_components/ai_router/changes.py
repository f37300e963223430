"""Changes of settings by actions and entities: noted in the ledger's audit (who, when, what), then in force at once."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError

from .const import DOMAIN
from .flows.fields import decimal_text
from .hub import Hub
from .routing.ports import LedgerUnavailable
from .storage.audit import Change, Changed
from .stored_settings import BUDGET_WINDOWS


async def note(hub: Hub, context: Context | None, kind: Changed, text: str, about: str = "") -> None:
    """Write to the audit what is about to be changed (`about`: a provider's id). Raises `HomeAssistantError`."""
    user_id = "" if context is None else context.user_id or ""
    try:
        await hub.ledger.note(Change(hub.clock.now(), user_id, kind, about, text))
    except LedgerUnavailable as err:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="ledger_unavailable") from err


async def change_provider(hub: Hub, context: Context | None, provider_id: str, changes: Mapping[str, Any]) -> None:
    """Change a provider's stored settings; None takes one away. Raises `HomeAssistantError`."""
    await note(hub, context, _kind(changes), _text(changes), provider_id)
    subentry = hub.entry.subentries[provider_id]
    with hub.trail.noted(hub.entry):
        hub.hass.config_entries.async_update_subentry(hub.entry, subentry, data=_changed(subentry.data, changes))
    await hub.apply()


async def change_options(hub: Hub, context: Context | None, changes: Mapping[str, Any]) -> None:
    """Change the router's stored options; None takes one away. Raises `HomeAssistantError`."""
    await note(hub, context, _kind(changes), _text(changes))
    with hub.trail.noted(hub.entry):
        hub.hass.config_entries.async_update_entry(hub.entry, options=_changed(hub.entry.options, changes))
    # The update listener comes later; who goes on after this must find it done.
    await hub.apply()


def _kind(changes: Mapping[str, Any]) -> Changed:
    return Changed.BUDGET if changes.keys() & {key.value for key in BUDGET_WINDOWS} else Changed.SETTINGS


def _text(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {'none' if value is None else value}" for key, value in changes.items())


def _changed(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    data = {key: value for key, value in stored.items() if key not in changes}
    for key, value in changes.items():
        if value is not None:
            data[key] = decimal_text(value) if key in BUDGET_WINDOWS else value
    return data
