"""The household's clocks: a zone that is changed, a clock that was wrong at the start, what ends while the past is read."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.hub import Hub
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.tickets import Window
from custom_components.ai_router.storage import spending as past
from tests.actions.calling import call

from .household import CLOUD, ask, demo, move_in, pass_time

QUICK = {"latency": 0}
# At 1,000 dollars a million words in and 2,000 out, with answers this short, one request fits in and no second one.
ONE, SHORT = "0.05", 6


async def used_up(entry: MockConfigEntry) -> bool:
    """Ask once; say whether that was refused for money."""
    (result,) = await asyncio.gather(ask(entry, CLOUD), return_exceptions=True)
    if isinstance(result, Reply):
        assert result.cost > 0
        return False
    assert isinstance(result, RequestFailed)
    assert result.code is RefusalCode.OVER_BUDGET
    return True


@pytest.mark.parametrize("window", ["day", "week", "month", "total"])
async def test_a_clock_that_was_behind_at_the_start_opens_no_budget_again(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, window: str
) -> None:
    """A machine without a clock of its own begins where it was switched off, and is set right later."""
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-12-01 09:00:00+00:00")
    entry = await move_in(
        hass, freezer, demo(CLOUD, "Cloud", options=QUICK), **{f"budget_{window}": ONE}, max_tokens=SHORT
    )
    assert [await used_up(entry) for _ in range(2)] == [False, True]
    assert await hass.config_entries.async_unload(entry.entry_id)

    freezer.move_to("2026-11-28 09:00:00+00:00")
    assert await hass.config_entries.async_setup(entry.entry_id)
    freezer.move_to("2026-12-01 10:00:00+00:00")
    await pass_time(hass, freezer)

    assert await used_up(entry)


async def test_days_follow_the_households_zone(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-21 20:00:00+00:00")
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), budget_day=ONE, max_tokens=SHORT)
    hub: Hub = entry.runtime_data
    assert [await used_up(entry) for _ in range(2)] == [False, True]

    await hass.config.async_update(time_zone="Asia/Tokyo")
    await pass_time(hass, freezer)

    assert hub.router.admission.calendar.day(hub.clock.now()) == "2026-11-22"
    assert [await used_up(entry) for _ in range(2)] == [False, True]

    await hass.config.async_update(time_zone="UTC")
    await pass_time(hass, freezer)
    assert await used_up(entry)


async def test_the_first_day_of_the_week_is_the_same_for_all(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """Saturday's and Sunday's spending: one week that begins on Monday, two where Sunday is the first day."""
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-21 12:00:00+00:00")
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), budget_week=ONE, max_tokens=SHORT)
    assert not await used_up(entry)
    freezer.move_to("2026-11-22 12:00:00+00:00")
    await pass_time(hass, freezer)
    assert await used_up(entry)
    assert (await call(hass, "get_usage", period="week"))["total"]["attempts"] == 1

    hass.config_entries.async_update_entry(entry, options={**entry.options, "week_start": "sunday"})
    await pass_time(hass, freezer)

    week = await call(hass, "get_usage", period="week")
    assert (week["from"], week["total"]["attempts"]) == ("2026-11-22", 0)
    assert (await call(hass, "get_usage", period="last_week"))["total"]["attempts"] == 1
    status = await call(hass, "get_status")
    (budget,) = (each for each in status["budgets"] if each["window"] == "week")
    assert (budget["spent"], budget["ends"]) == (0.0, "2026-11-29T00:00:00+00:00")
    assert [await used_up(entry) for _ in range(2)] == [False, True]
    usage = await call(hass, "get_usage", period="week")
    assert usage["projection"]["week"] >= usage["total"]["cost"] > 0


async def test_what_ends_while_the_past_is_read_is_counted_in_a_new_budget(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await move_in(hass, None, demo(CLOUD, "Cloud", options=QUICK), max_tokens=SHORT)
    hub: Hub = entry.runtime_data
    read = hub.ledger.usage
    once: list[asyncio.Task[Any]] = []

    async def read_slowly(*args: Any, **more: Any) -> Any:
        rows = await read(*args, **more)
        if not once:
            once.append(asyncio.create_task(ask(entry, CLOUD)))
            await once[0]
        return rows

    monkeypatch.setattr(hub.ledger, "usage", read_slowly)
    hass.config_entries.async_update_entry(entry, options={"budget_week": ONE, "max_tokens": SHORT})
    await hass.async_block_till_done()

    assert once[0].result().cost > 0
    assert await used_up(entry)
    spent = await past.spending(hub.ledger, hub.router.admission.calendar, datetime.now(UTC).timestamp())
    key = next(key for key in hub.router.admission._buckets if key.window is Window.WEEK)
    assert hub.router.admission.money(key).account.settled == sum(row.cost for row in spent)
