"""What AI Router shows on the page of the system's health; nothing is asked of anybody for it."""

import asyncio
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .hub import Hub
from .routing.health import Level
from .routing.ports import LedgerUnavailable

_SECONDS = 5.0


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:  # noqa: ARG001  # the platform's signature
    """Register the page."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    hub = next((entry.runtime_data for entry in hass.config_entries.async_loaded_entries(DOMAIN)), None)
    if hub is None:
        return {"running": False}
    status = hub.coordinator.data
    healths = [provider.health for provider in status.providers.values()]
    return {
        "running": True,
        "providers": len(healths),
        "healthy": healths.count(Level.HEALTHY),
        "unhealthy": healths.count(Level.UNHEALTHY),
        "requests_today": status.requests_today,
        "under_way": status.under_way,
        "ledger": await _ledger(hub),
    }


async def _ledger(hub: Hub) -> str:
    try:
        async with asyncio.timeout(_SECONDS):
            await hub.ledger.flush()
    except LedgerUnavailable as err:
        return str(err)
    except TimeoutError:
        return "no answer in time"
    return "ok"
