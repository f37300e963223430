"""Answers on disk outlive a restart where that is wanted, and what the cache saves is in the ledger."""

from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.routing.cache import CacheMode
from custom_components.ai_router.routing.model import Message, Role, Text
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.request import Caller, Request

from .actions.calling import call
from .household import CLOUD, demo, move_in

QUICK = {"latency": 0}


async def ask(entry: MockConfigEntry, number: int) -> Reply:
    message = Message(Role.USER, (Text("Hi"),))
    request = Request(f"r{number}", Caller(), (message,), cache_mode=CacheMode.USE)
    reply: Reply = await entry.runtime_data.router.process(request)
    return reply


async def test_what_the_cache_saves_is_in_the_ledger(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK))
    first = await ask(entry, 1)
    assert (first.cached, first.cost > 0) == (False, True)

    assert (await call(hass, "get_usage"))["saved_by_cache"] == {"amount": 0.0, "answers": 0}

    for number in (2, 3):
        assert (await ask(entry, number)).cached

    usage = await call(hass, "get_usage")
    assert usage["saved_by_cache"] == {"amount": 2 * usage["total"]["cost"], "answers": 2}


async def test_answers_on_disk_outlive_a_restart(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), cache_on_disk=True)
    first = await ask(entry, 1)

    await hass.config_entries.async_reload(entry.entry_id)

    assert not entry.runtime_data.router.answers.stats().entries
    again = await ask(entry, 2)
    assert (again.cached, again.text) == (True, first.text)


async def test_what_an_earlier_run_has_kept_goes_where_nobody_wants_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), cache_on_disk=True)
    await ask(entry, 1)
    await hass.config_entries.async_unload(entry.entry_id)
    file = Path(hass.config.path(".storage", "ai_router", "cache.db"))
    assert await hass.async_add_executor_job(file.exists)

    hass.config_entries.async_update_entry(entry, options={})
    await hass.config_entries.async_setup(entry.entry_id)

    assert not await hass.async_add_executor_job(file.exists)
    assert not (await ask(entry, 2)).cached
