"""Calls to the actions, as one of the house's users or as the house itself."""

import asyncio
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.ai_router.const import DOMAIN


async def call(hass: HomeAssistant, action: str, user: MockUser | None = None, **data: Any) -> dict[str, Any]:
    """Call an action that answers."""
    context = Context(user_id=None if user is None else user.id)
    reply = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True, context=context)
    assert isinstance(reply, dict)
    return reply


async def tell(hass: HomeAssistant, action: str, user: MockUser | None = None, **data: Any) -> None:
    """Call an action that only does something."""
    context = Context(user_id=None if user is None else user.id)
    await hass.services.async_call(DOMAIN, action, data, blocking=True, context=context)


async def purge(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, user: MockUser | None = None, **data: Any
) -> dict[str, Any]:
    """Call `purge`, which pauses between its steps: in a frozen house the pauses would never end."""
    purging = asyncio.create_task(call(hass, "purge", user, **data))
    while not purging.done():
        freezer.tick(0.01)
        await asyncio.sleep(0)
    return purging.result()
