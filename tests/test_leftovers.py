"""Fifty times off and on again, under load: nothing is left of what was switched off."""

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components.ai_router as integration
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.hub import Hub
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.fakes.openai_compatible import FakeOpenAI
from tests.household import ATTIC, CLOUD, ENTRY_ID, ask, demo, move_in
from tests.servers import at_server

TIMES = 50
AT_ONCE = 8

type Change = Callable[[HomeAssistant, MockConfigEntry], Awaitable[Any]]


class Left:
    """Everything that an entry might leave behind, counted."""

    def __init__(self, hass: HomeAssistant, folder: Path) -> None:
        """Look at what is there now."""
        self.tasks = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        self.threads = set(threading.enumerate())
        self.files = _open_files(folder)
        self.listeners = dict(hass.bus.async_listeners())
        self.timers = _timers(hass)


def _open_files(folder: Path) -> list[str]:
    open_now = Path("/proc/self/fd")
    links = []
    for each in open_now.iterdir():
        with suppress(OSError):
            links.append(str(each.readlink()))
    return sorted(link for link in links if link.startswith(str(folder)))


def _timers(hass: HomeAssistant) -> list[str]:
    """Name what the loop will still call of ours."""
    scheduled: list[asyncio.TimerHandle] = getattr(hass.loop, "_scheduled")  # noqa: B009  # the loop has no other way to tell
    return sorted(repr(timer) for timer in scheduled if not timer.cancelled() and DOMAIN in repr(timer))


async def _moved_in(hass: HomeAssistant, server: FakeOpenAI) -> MockConfigEntry:
    cloud = await at_server(hass, server, CLOUD)
    entry = await move_in(hass, None, demo(ATTIC, "Attic", options={"latency": 0.002}), cloud)
    await hass.async_block_till_done()
    return entry


async def _as_it_was(hass: HomeAssistant, server: FakeOpenAI, folder: Path) -> Left:
    """Look at a house whose frontend and such, which we depend on, have been started; they stay."""
    entry = await _moved_in(hass, server)
    await ask(entry, CLOUD)
    await _away(hass, entry)
    return Left(hass, folder)


async def _load(entry: MockConfigEntry, stop: asyncio.Event) -> int:
    """Ask without a break, come what may; return how often there was an answer."""
    answered = 0
    while not stop.is_set():
        if entry.state is not ConfigEntryState.LOADED:
            await asyncio.sleep(0.001)
            continue
        try:
            await ask(entry, CLOUD if answered % 2 else ATTIC, f"question {answered}")
            answered += 1
        except RequestFailed:
            await asyncio.sleep(0)
    return answered


async def _reload(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_reload(entry.entry_id)


async def _unload(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await hass.config_entries.async_setup(entry.entry_id)


async def _disable(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert await hass.config_entries.async_set_disabled_by(entry.entry_id, None)


@pytest.mark.parametrize("change", [_reload, _unload, _disable], ids=["reload", "unload", "disable"])
async def test_off_and_on_again_under_load(
    hass: HomeAssistant, server: FakeOpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Change
) -> None:
    before = await _as_it_was(hass, server, tmp_path)
    entry = await _moved_in(hass, server)
    entities = {state.entity_id for state in hass.states.async_all()}
    hubs: list[weakref.ref[Hub]] = []
    stop = asyncio.Event()
    asking = [asyncio.create_task(_load(entry, stop)) for _ in range(AT_ONCE)]

    for _ in range(TIMES):
        hubs.append(weakref.ref(entry.runtime_data))
        await asyncio.sleep(0.01)
        await change(hass, entry)

    stop.set()
    assert min(await asyncio.gather(*asking)) > 0
    await hass.async_block_till_done()
    assert {state.entity_id for state in hass.states.async_all()} == entities
    assert len(asyncio.all_tasks()) < 50
    settled = await _settled(entry)

    await _away(hass, entry)

    _nothing_is_left(hass, before, tmp_path, caplog)
    gc.collect()
    assert sum(hub() is not None for hub in hubs) <= 1, "old hubs are still held"
    assert settled >= TIMES


async def _settled(entry: MockConfigEntry) -> int:
    ledger = entry.runtime_data.ledger
    await ledger.flush()
    (row,) = await ledger.usage("2020-01-01", "2100-01-01", [])
    return int(row.attempts)


async def test_added_and_removed_again_under_load(
    hass: HomeAssistant, server: FakeOpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = await _as_it_was(hass, server, tmp_path)
    for _ in range(TIMES):
        entry = await _moved_in(hass, server)
        stop = asyncio.Event()
        asking = [asyncio.create_task(_load(entry, stop)) for _ in range(AT_ONCE)]
        await asyncio.sleep(0.01)

        await _away(hass, entry)

        stop.set()
        await asyncio.gather(*asking)

    _nothing_is_left(hass, before, tmp_path, caplog)


async def _away(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()


def _nothing_is_left(hass: HomeAssistant, before: Left, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    after = Left(hass, folder)
    # The connections that Home Assistant keeps open are its own, and so are the workers of its pool.
    assert {task.get_name() for task in after.tasks - before.tasks if "aiohttp" not in repr(task)} == set()
    assert {each.name for each in after.threads - before.threads if DOMAIN in each.name} == set()
    assert after.files == before.files
    assert after.timers == before.timers
    assert after.listeners == before.listeners
    assert hass.states.async_all() == []
    assert not er.async_get(hass).entities
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), ENTRY_ID)
    assert "Detected that custom integration" not in caplog.text
    ours = [each for each in caplog.records if each.name.startswith(integration.__name__)]
    assert [each.getMessage() for each in ours if each.levelno >= logging.WARNING] == []
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
