"""Calls to the actions, as one of the house's users or as the house itself."""

import asyncio
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.routing.ports import CoreEvent, RequestEnded
from custom_components.ai_router.routing.request import Request


async def call(hass: HomeAssistant, action: str, user: MockUser | None = None, **data: Any) -> dict[str, Any]:
    """Call an action that answers."""
    context = Context(user_id=None if user is None else user.id)
    reply = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True, context=context)
    assert isinstance(reply, dict)
    return reply


async def asked(hass: HomeAssistant, entry: MockConfigEntry, **data: Any) -> Request:
    """Call `process`; return the one request that the core got."""
    heard: list[Request] = []

    def hear(event: CoreEvent) -> None:
        if isinstance(event, RequestEnded):
            heard.append(event.request)

    stop = entry.runtime_data.router.subscribe(hear)
    await call(hass, "process", **({"prompt": "Hi"} | data))
    stop()
    (request,) = heard
    return request


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
