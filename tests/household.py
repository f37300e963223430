"""A household in a real Home Assistant: the entry with simulated providers, and requests put through its router."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry, ConfigSubentryData
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.ai_router.const import DOMAIN, SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.providers.demo import CHAT_MODEL
from custom_components.ai_router.routing.model import Message, Model, Role, Text
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.ports import AttemptEnded, CoreEvent
from custom_components.ai_router.routing.request import Caller, Pins, Request
from custom_components.ai_router.stored_models import model_to_stored

ENTRY_ID = "01ROUTER"
ATTIC, CLOUD = "01ATTIC", "01CLOUD"
FREE = ("0", "0")
_numbers = count(1)


def demo(
    provider_id: str,
    title: str,
    *,
    prices: tuple[str, str] = ("1000", "2000"),
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> ConfigSubentry:
    """Describe a simulated provider; prices are dollars per million tokens in and out, as stored.

    It counts a token a word, and answers `Demo answer to "..."`.
    """
    data = {
        Conf.KIND.value: "demo",
        Conf.MODELS.value: [model_to_stored(Model(CHAT_MODEL), *prices)],
        Conf.OPTIONS.value: options or {},
        **settings,
    }
    return subentry(provider_id, SUBENTRY_PROVIDER, title, **data)


def subentry(subentry_id: str, subentry_type: str, title: str, **data: Any) -> ConfigSubentry:
    """Describe a provider, a pool or a rule as it is stored."""
    return ConfigSubentry(
        data=MappingProxyType(data),
        subentry_id=subentry_id,
        subentry_type=subentry_type,
        title=title,
        unique_id=None,
    )


async def set_up(
    hass: HomeAssistant, subentries: Iterable[ConfigSubentry], options: Mapping[str, Any], **more: Any
) -> MockConfigEntry:
    """Set the entry up; `more` is what else it is made of."""
    stored = tuple(
        ConfigSubentryData(
            data=each.data,
            subentry_id=each.subentry_id,
            subentry_type=each.subentry_type,
            title=each.title,
            unique_id=None,
        )
        for each in subentries
    )
    entry = MockConfigEntry(domain=DOMAIN, title="AI Router", options=options, subentries_data=stored, **more)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def move_in(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory | None, *providers: ConfigSubentry, **options: Any
) -> MockConfigEntry:
    """Set the entry up, and let the first seconds go by; without a freezer, time is real."""
    entry = await set_up(hass, providers, options, entry_id=ENTRY_ID)
    if freezer is not None:
        await pass_time(hass, freezer)
    return entry


async def ask(entry: MockConfigEntry, provider_id: str | None = None, prompt: str = "Hi") -> Reply:
    """Put a request that any provider may answer, or only one, through the router. Raises `RequestFailed`."""
    reply: Reply = await entry.runtime_data.router.process(
        Request(
            id=f"request-{next(_numbers)}",
            caller=Caller(),
            messages=(Message(Role.USER, (Text(prompt),)),),
            pins=Pins(providers=() if provider_id is None else (provider_id,)),
        )
    )
    return reply


async def ask_in_vain(entry: MockConfigEntry, provider_id: str, prompt: str = "Hi") -> None:
    """Ask a provider that fails, and give up after its first attempt."""
    ended = asyncio.Event()

    def hear(event: CoreEvent) -> None:
        if isinstance(event, AttemptEnded):
            ended.set()

    stop = entry.runtime_data.router.subscribe(hear)
    asking = asyncio.create_task(ask(entry, provider_id, prompt))
    await ended.wait()
    stop()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: int = 2) -> None:
    """Let so many seconds go by, and what is due by then happen."""
    freezer.tick(timedelta(seconds=seconds))
    for _ in range(2):  # what happens may set a timer of no time at all, and a frozen loop never comes to it by itself
        async_fire_time_changed(hass)
        await hass.async_block_till_done()


def shown(hass: HomeAssistant, entity_id: str) -> State:
    """Return what a sensor shows; it must be there."""
    state = hass.states.get(f"sensor.{entity_id}")
    assert state is not None, f"sensor.{entity_id} is not there"
    return state


def device_id(hass: HomeAssistant, identifier: str) -> str:
    """Return the id of the device of a provider, a pool or the router (`ENTRY_ID`)."""
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), ENTRY_ID)
    assert device is not None
    return device.id
