"""What the sensors count is what the ledger counts, however requests end, and also after a restart."""

import asyncio
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from random import Random

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.hub import Hub
from custom_components.ai_router.routing.model import Message, Role, Text
from custom_components.ai_router.routing.money import to_dollars
from custom_components.ai_router.routing.ports import AttemptStarted
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.storage.usage import projection

from .household import ATTIC, CLOUD, FREE, ask, demo, move_in, pass_time, shown

QUICK = {"latency": 0}
TODAY = "2026-11-21"
pytestmark = [pytest.mark.freeze_time("2026-11-21 12:00:00+00:00"), pytest.mark.usefixtures("all_enabled")]


@pytest.fixture
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the noisy sensors too, as a household may."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


@contextmanager
def locked(hass: HomeAssistant) -> Generator[None]:
    """Make the ledger wait: another connection is in a transaction."""
    file = hass.config.path(".storage", "ai_router", "ledger.db")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def granted(hub: Hub, attempts: int) -> None:
    """Wait until so many attempts are granted and wait for the disk."""
    while len(hub.router.admission.open_tickets) < attempts:  # noqa: ASYNC110 - threads tell nobody
        await asyncio.sleep(0)  # the loop's own time is frozen


async def agree(hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, day: str = TODAY) -> int:
    """Compare all counts of a day with the ledger's; return how many attempts it had."""
    hub: Hub = entry.runtime_data
    await hub.ledger.flush()
    await pass_time(hass, freezer)
    # A clock that was moved has moved the loop's own time too, which it never does in a house.
    hub.coordinator.refresh_now()
    rows = {row.key[0]: row for row in await hub.ledger.usage(day, day, ["provider_id"])}
    for name, provider_id in (("attic", ATTIC), ("cloud", CLOUD)):
        row = rows.get(provider_id)
        attempts = shown(hass, f"{name}_requests_today")
        tokens = shown(hass, f"{name}_tokens_today")
        assert (int(attempts.state), attempts.attributes["failures"]) == (
            (row.attempts, row.failures) if row else (0, 0)
        )
        assert (tokens.attributes["input_tokens"], tokens.attributes["output_tokens"]) == (
            (row.input_tokens, row.output_tokens) if row else (0, 0)
        )
        assert shown(hass, f"{name}_cost_today").state == f"{to_dollars(row.cost if row else 0):f}"
    requests, _ = await hub.ledger.requests_on(day)
    assert shown(hass, "ai_router_requests_today").state == str(requests)
    projected = await projection(hub.ledger.reader, day, hub.router.config.week_start)
    assert shown(hass, "ai_router_cost_this_month_projected").state == f"{to_dollars(projected.month):f}"
    return sum(row.attempts for row in rows.values())


async def house(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    await hass.config.async_set_time_zone("UTC")
    shaky = {**QUICK, "success_rate": 0.5, "error": "overloaded"}
    free = demo(ATTIC, "Attic", prices=FREE, options=shaky, priority=5)
    return await move_in(hass, freezer, free, demo(CLOUD, "Cloud", options=QUICK))


async def test_a_request_that_is_cancelled_while_its_hold_is_written_counts_nowhere(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await house(hass, freezer)
    hub: Hub = entry.runtime_data
    await ask(entry, CLOUD)
    with locked(hass):
        asking = [asyncio.create_task(ask(entry, CLOUD)) for _ in range(3)]
        await granted(hub, 3)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    assert await agree(hass, freezer, entry) == 1

    assert await hass.config_entries.async_reload(entry.entry_id)
    assert await agree(hass, freezer, entry) == 1
    assert entry.runtime_data.router.admission.requests_last_minute(CLOUD) == 1


async def test_a_request_whose_hold_no_longer_fits_its_configuration_counts_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """It was granted, and the settings changed before anything was sent: it is asked anew."""
    entry = await house(hass, freezer)
    hub: Hub = entry.runtime_data
    with locked(hass):
        asking = asyncio.create_task(ask(entry, CLOUD))
        await granted(hub, 1)
        hub.router.apply(replace(hub.router.config, max_output=50), [])
    assert (await asking).cost > 0
    assert await agree(hass, freezer, entry) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_they_agree_however_requests_end(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seed: int) -> None:
    chance = Random(seed)
    entry = await house(hass, freezer)
    router = entry.runtime_data.router
    for number in range(25):
        request = Request(
            id=f"{seed} {number}", caller=Caller(), messages=(Message(Role.USER, (Text("some words " * number),)),)
        )
        way = chance.choice(("whole", "cancelled", "left", "read"))
        if way in ("whole", "cancelled"):
            sent = asyncio.Event()
            stop = router.subscribe(lambda event, sent=sent: sent.set() if isinstance(event, AttemptStarted) else None)
            asking = asyncio.create_task(router.process(request))
            if way == "cancelled":
                if chance.random() < 0.5:
                    await sent.wait()
                else:
                    await asyncio.sleep(0)
                asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            stop()
            continue
        try:
            async with router.open(request) as stream:
                async for _ in stream:
                    if way == "left":
                        break
        except RequestFailed:
            pass
    attempts = await agree(hass, freezer, entry)
    assert attempts

    assert await hass.config_entries.async_reload(entry.entry_id)
    assert await agree(hass, freezer, entry) == attempts


async def test_what_ends_on_a_day_that_a_clock_had_left_is_not_missed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """A clock that is set forth some days and back again: each day has what was booked on it."""
    entry = await house(hass, freezer)
    for day in ("11-21", "11-22", "11-23", "11-24", "11-21", "12-31", "11-21", "11-22"):
        freezer.move_to(f"2026-{day} 12:00:00+00:00")
        await ask(entry, CLOUD)
        await pass_time(hass, freezer)
    freezer.move_to("2026-11-21 13:00:00+00:00")
    await pass_time(hass, freezer, 15)
    assert await agree(hass, freezer, entry) == 3
    freezer.move_to("2026-11-24 13:00:00+00:00")
    await pass_time(hass, freezer, 15)
    assert await agree(hass, freezer, entry, "2026-11-24") == 1
