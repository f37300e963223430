"""Long-term statistics in the real recorder, after simulated days, equal the ledger: no cent is lost or counted twice."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done

from custom_components.ai_router.routing.money import to_dollars
from custom_components.ai_router.routing.ports import AttemptStarted, CoreEvent

from .household import ATTIC, CLOUD, ask, demo, move_in, pass_time, shown

EXACT = 1e-9
ZONE = ZoneInfo("US/Pacific")  # the test household's
SPANS = ("today", "this_month", "in_all")
FIVE_MINUTES = timedelta(minutes=5)

type Date = tuple[int, int, int]

pytestmark = [
    # The recorder's own clockwork compiles; its file is on disk.
    pytest.mark.parametrize("enable_statistics", [True]),
    pytest.mark.parametrize("persistent_database", [True]),
    pytest.mark.parametrize("recorder_config", [{"include": {"entity_globs": ["sensor.*_today", "sensor.*_cost_*"]}}]),
]


@pytest.fixture(autouse=True)
def quick() -> None:
    """Write no line for each statement; the plugin would."""
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show what a household may leave hidden: the sum since ever."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


class Days:
    """Lets simulated days go by for a household with a recorder."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry) -> None:
        """Take a household that has moved in."""
        self._hass = hass
        self._freezer = freezer
        self.entry = entry

    async def until(self, *date_and_time: int) -> None:
        """Go on to a local time; every five minutes the recorder sums up."""
        goal = datetime(*date_and_time, tzinfo=ZONE).astimezone(UTC)  # type: ignore[misc, arg-type]  # as datetime takes them
        while (now := dt_util.utcnow()) < goal:
            mark = now.replace(minute=now.minute - now.minute % 5, second=10, microsecond=0)
            self._freezer.move_to(min(goal, mark + FIVE_MINUTES if mark <= now else mark))
            async_fire_time_changed(self._hass)
            await async_wait_recording_done(self._hass)

    async def spend(self, provider_id: str, words: int) -> None:
        """Ask for so many tokens, and let the sensors show it."""
        await ask(self.entry, provider_id, "word " * words)
        await self.pass_time(2)

    async def pass_time(self, seconds: int) -> None:
        """Let some seconds go by."""
        await pass_time(self._hass, self._freezer, seconds)

    async def changes(self, sensor: str, period: str) -> dict[str, float]:
        """Return by how much a sensor's sum grew in each day or month, by the period's first day."""
        rows = await self._rows(sensor, period)
        return {
            f"{datetime.fromtimestamp(row['start'], ZONE):%Y-%m-%d}": row["change"] for row in rows if row["change"]
        }

    async def sum(self, sensor: str) -> float:
        """Return the last sum of a sensor."""
        return (await self._rows(sensor, "hour"))[-1]["sum"]

    async def _rows(self, sensor: str, period: str) -> list[dict[str, float]]:
        await async_wait_recording_done(self._hass)
        entity_id = f"sensor.{sensor}"
        found = await get_instance(self._hass).async_add_executor_job(
            lambda: statistics_during_period(
                self._hass,
                datetime(2026, 1, 1, tzinfo=UTC),
                None,
                {entity_id},
                period,  # type: ignore[arg-type]  # day, month or hour
                None,
                {"change", "sum"},
            )
        )
        return list(found[entity_id])  # type: ignore[arg-type]  # its rows are such dictionaries

    async def ledger(self, *by: str) -> dict[str, float]:
        """Return what the ledger on disk says, in dollars, by its own dimensions."""
        await self.entry.runtime_data.ledger.flush()
        rows = await self.entry.runtime_data.ledger.usage("2026-01-01", "2027-12-31", by)
        return {"/".join(row.key): float(to_dollars(row.cost)) for row in rows}

    async def tokens(self, provider_id: str) -> int:
        """Return how many tokens a provider took and gave, by the ledger."""
        await self.entry.runtime_data.ledger.flush()
        rows = await self.entry.runtime_data.ledger.usage("2026-01-01", "2027-12-31", ["provider_id"])
        return sum(row.input_tokens + row.output_tokens for row in rows if row.key == (provider_id,))

    async def check_sums(self) -> None:
        """Compare all sums with the ledger: in all, and by provider."""
        total = (await self.ledger())[""]
        assert total > 0
        by_provider = await self.ledger("provider_id")
        for span in SPANS:
            assert await self.sum(f"ai_router_cost_{span}") == pytest.approx(total, abs=EXACT), span
            for provider_id, name in ((ATTIC, "attic"), (CLOUD, "cloud")):
                spent = by_provider.get(provider_id, 0.0)
                assert await self.sum(f"{name}_cost_{span}") == pytest.approx(spent, abs=EXACT), span

    async def check(self) -> None:
        """Compare all sums with the ledger: in all, by provider, by day and by month."""
        await self.check_sums()
        by_day = await self.ledger("day")
        for span in SPANS:
            assert await self.changes(f"ai_router_cost_{span}", "day") == pytest.approx(by_day, abs=EXACT), span
            months = await self.changes(f"ai_router_cost_{span}", "month")
            assert months == pytest.approx(_by_month(by_day.items()), abs=EXACT), span


def _by_month(days: Iterable[tuple[str, float]]) -> dict[str, float]:
    months: dict[str, float] = {}
    for day, cost in days:
        months[f"{day[:7]}-01"] = months.get(f"{day[:7]}-01", 0.0) + cost
    return months


async def moved_in(hass: HomeAssistant, freezer: FrozenDateTimeFactory, latency: float = 0) -> Days:
    """Two paid providers, whose prices are no round numbers."""
    options = {"latency": latency}
    entry = await move_in(
        hass,
        freezer,
        demo(ATTIC, "Attic", prices=("0.123457", "7.654321"), options=options),
        demo(CLOUD, "Cloud", prices=("31.000001", "1099.999999"), options=options),
    )
    return Days(hass, freezer, entry)


@pytest.mark.parametrize(
    ("eve", "day", "after"),
    [
        # Summer time ends on the first of November, a month's first day of 25 hours, and begins on a day of 23 hours.
        pytest.param(
            (2026, 10, 31),
            (2026, 11, 1),
            (2026, 11, 2),
            marks=pytest.mark.freeze_time("2026-11-01 05:30:00+00:00"),
            id="month-end-and-autumn",
        ),
        pytest.param(
            (2027, 3, 13),
            (2027, 3, 14),
            (2027, 3, 15),
            marks=pytest.mark.freeze_time("2027-03-14 06:30:00+00:00"),
            id="spring",
        ),
    ],
)
async def test_statistics_of_simulated_days_equal_the_ledger(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    eve: Date,
    day: Date,
    after: Date,
) -> None:
    house = await moved_in(hass, freezer)
    random = Random(7)
    # One and two o'clock are the hours that come twice, or never.
    for date, hour in ((eve, 23), *((day, hour) for hour in (0, 1, 2, 3, 9, 23)), (after, 0)):
        await house.until(*date, hour, 20 + hour)
        for provider_id in (ATTIC, CLOUD):
            await house.spend(provider_id, random.randint(1, 200))
    await house.until(*after, 2)

    await house.check()


@pytest.mark.freeze_time("2026-12-01 07:30:00+00:00")  # half an hour before the month ends
async def test_what_is_spent_in_the_last_second_of_a_month_is_not_lost(
    recorder_mock: Recorder, hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    house = await moved_in(hass, freezer)
    await house.spend(ATTIC, 10)
    await house.until(2026, 11, 30, 23, 59)
    await house.pass_time(58)
    await ask(house.entry, CLOUD, "as late as it gets")
    await house.pass_time(1)
    await ask(house.entry, CLOUD, "and later still")
    await house.pass_time(0)
    await house.pass_time(1)
    assert shown(hass, "cloud_cost_this_month").state != "0"
    await house.pass_time(2)
    for span in ("today", "this_month"):
        assert shown(hass, f"cloud_cost_{span}").state == "0"
    await house.until(2026, 12, 1, 0, 20)
    await house.spend(ATTIC, 10)
    await house.until(2026, 12, 1, 2)

    await house.check_sums()
    tokens = await house.sum("cloud_tokens_today")
    assert tokens == await house.tokens(CLOUD)


@pytest.mark.freeze_time("2026-12-01 07:30:00+00:00")
async def test_what_is_under_way_at_midnight_is_not_lost(
    recorder_mock: Recorder, hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    house = await moved_in(hass, freezer, latency=25)
    await house.until(2026, 11, 30, 23, 59)
    await house.pass_time(50)
    sent = asyncio.Event()

    def hear(event: CoreEvent) -> None:
        if isinstance(event, AttemptStarted):
            sent.set()

    house.entry.async_on_unload(house.entry.runtime_data.router.subscribe(hear))
    asking = asyncio.create_task(ask(house.entry, CLOUD, "a long story"))
    # Its hold goes to a real disk, and no frozen clock may run before it is there.
    await sent.wait()
    for _ in range(3):
        await house.pass_time(5)
    state = shown(hass, "cloud_cost_today")  # of the day that is over, but not all of it is known
    assert (state.state, state.attributes["last_reset"]) == ("0", "2026-11-30T08:00:00+00:00")
    for _ in range(4):
        await house.pass_time(5)
    assert asking.done(), "the answer takes 25 seconds"
    assert asking.result().cost > 0
    await house.pass_time(2)
    await house.pass_time(2)
    await house.until(2026, 12, 1, 2)

    assert set(await house.ledger("day")) == {"2026-11-30"}, "it belongs to the day it began on"
    await house.check_sums()
    for sensor in ("cloud_cost_today", "cloud_cost_this_month", "ai_router_requests_today"):
        state = shown(hass, sensor)
        assert (state.state, state.attributes["last_reset"]) == ("0", "2026-12-01T08:00:00+00:00")
