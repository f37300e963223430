"""What AI Router shows on the page of the system's health; nothing is asked of anybody for it.

Home Assistant translates the names there and shows values as they are: they are numbers, and the words it uses itself.
"""

import asyncio
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .hub import Hub
from .routing.health import Level
from .routing.ports import LedgerUnavailable

_SECONDS = 5.0
_PAGE, _REPAIRS = f"/config/integrations/integration/{DOMAIN}", "/config/repairs"


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:  # noqa: ARG001  # the platform's signature
    """Register the page."""
    register.async_register_info(_info, _PAGE)


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
        "ledger": _ledger(hub),
    }


async def _ledger(hub: Hub) -> str | dict[str, str]:
    """Say whether what was written is on disk; why it is not stands under Repairs and in the log."""
    try:
        async with asyncio.timeout(_SECONDS):
            await hub.ledger.flush()
    except LedgerUnavailable:
        return {"type": "failed", "error": "unreachable", "more_info": _REPAIRS}
    except TimeoutError:
        return {"type": "failed", "error": "timeout"}
    return "ok"
