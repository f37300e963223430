"""Midnight, a month's end and the end of summer time in the booted Home Assistant, with its own recorder.

Its wall clock is moved to shortly before; the seconds over the border are lived through.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from household.boot import CONFIGURATION, until
from household.house import House, opened
from wild import DOLLARS, PICODOLLARS, PRICE_IN, PRICE_OUT, TOKENS_IN, TOKENS_OUT, WildServer, wild

# There the first of November 2026 is a month's first day, and one of 25 hours.
ZONE = ZoneInfo("America/New_York")
COMPONENTS = Path(__file__).parents[2] / "custom_components"
MOVED_CLOCK = Path(__file__).parent / "moved_clock"
ONE = PRICE_IN * TOKENS_IN + PRICE_OUT * TOKENS_OUT
SHORTLY = timedelta(seconds=10)
WHILE_STARTING = timedelta(minutes=4, seconds=30)
SENSORS = ("cloud_cost_today", "cloud_cost_this_month", "ai_router_requests_today")


class Spent(NamedTuple):
    """What one side of a border cost, and what the sensors told at its end."""

    bill: int
    told: dict[str, dict[str, Any]]


class MovedHouse:
    """A house whose clock a test moves."""

    def __init__(self, house: House, clock: Path, server: WildServer) -> None:
        self.house = house
        self._clock = clock
        self._server = server
        self._asked = 0

    async def now(self) -> datetime:
        """Return its own time."""
        _, told = await self.house.rest("POST", "/api/template", {"template": "{{ utcnow().isoformat() }}"})
        return datetime.fromisoformat(told)

    async def move(self, moment: datetime) -> None:
        """Set its clock."""
        await set_clock(self._clock, moment)
        await self.reach(moment)

    async def reach(self, moment: datetime) -> None:
        """Wait until its clock is so far."""

        async def reached() -> bool:
            return await self.now() >= moment

        await until(reached, 30)

    async def spend(self, times: int) -> Spent:
        """Ask so often, and wait for the sensors to tell of it."""
        before = self._server.bill
        for _ in range(times):
            self._asked += 1
            await self.house.process(prompt=f"Question {self._asked}")
        await asyncio.sleep(3)  # longer than the sensors' throttle
        return Spent(self._server.bill - before, await self.told())

    async def told(self) -> dict[str, dict[str, Any]]:
        """Return the sensors' states by their keys."""
        return {key: await self.house.state(f"sensor.{key}") or {} for key in SENSORS}

    async def over(self, border: datetime, before: int, after: int) -> tuple[Spent, Spent]:
        """Start shortly before a border and spend on both of its sides."""
        await self.begin_again(border - WHILE_STARTING)
        # Within the five minutes that the recorder sums up: what a jump of the clock passes over, it leaves out.
        await self.move(border - SHORTLY)
        first = await self.spend(before)
        assert await self.now() < border, "this machine is too slow to spend in time"
        await self.reach(border + timedelta(seconds=3))
        return first, await self.spend(after)

    async def begin_again(self, moment: datetime) -> None:
        """Stop, and start with another clock."""
        await self.house.home_assistant.stop()
        await set_clock(self._clock, moment)
        await self.house.restart()

    async def statistics(self, sensor: str, period: str, periods: Collection[str]) -> dict[str, Decimal]:
        """Return by how much a sensor's sum grew in each day or month, by its first day.

        Waits until the recorder, which compiles in the background, has come to the last of the periods asked for.
        """
        found: dict[str, Decimal] = {}

        async def compiled() -> bool:
            found.update(await self._changes(sensor, period))
            return max(periods) in found

        await until(compiled, 60)
        return found

    async def _changes(self, sensor: str, period: str) -> dict[str, Decimal]:
        found = await self.house.ws(
            "recorder/statistics_during_period",
            start_time="2026-10-01T00:00:00+00:00",
            statistic_ids=[f"sensor.{sensor}"],
            period=period,
            types=["change"],
        )
        return {
            f"{datetime.fromtimestamp(row['start'] / 1000, ZONE):%Y-%m-%d}": Decimal(str(row["change"]))
            for row in found.get(f"sensor.{sensor}", [])
            if row["change"]
        }


@pytest.fixture(scope="module")
async def server() -> AsyncGenerator[WildServer]:
    async with wild() as server:
        yield server


@pytest.fixture(scope="module")
async def moved(tmp_path_factory: pytest.TempPathFactory, server: WildServer) -> AsyncGenerator[MovedHouse]:
    """A house on the evening of the last of October, with one paid provider."""
    folder, clock = tmp_path_factory.mktemp("moved"), tmp_path_factory.mktemp("clock") / "clock"
    settings = CONFIGURATION.replace("Europe/Amsterdam", ZONE.key)
    await asyncio.to_thread((folder / "configuration.yaml").write_text, settings, "utf-8")
    await set_clock(clock, datetime(2026, 10, 31, 20, 0, tzinfo=ZONE))
    environment = {"PYTHONPATH": str(MOVED_CLOCK), "MOVED_CLOCK": str(clock)}
    async with opened(folder, COMPONENTS, environment=environment) as house:
        # Other tokens would not live through the days that the clock is moved over.
        house.token = await house.ws("auth/long_lived_access_token", client_name="days", lifespan=365)
        await house.add_router()
        await house.add_provider("openai_compatible", name="Cloud", url=server.url, budget_day=1, **DOLLARS)
        # The recorder takes a sensor's very first state as its zero.
        for key in SENSORS:
            await house.until(f"sensor.{key}", "0")
        yield MovedHouse(house, clock, server)


@pytest.mark.timeout(400)  # five starts and three borders
async def test_nothing_is_lost_over_month_end_and_a_day_of_25_hours(moved: MovedHouse) -> None:
    midnight, next_midnight = datetime(2026, 11, 1, tzinfo=ZONE), datetime(2026, 11, 2, tzinfo=ZONE)
    end_of_summer_time = datetime(2026, 11, 1, 6, tzinfo=UTC)

    october, sunday = await moved.over(midnight, 3, 2)
    summer, winter = await moved.over(end_of_summer_time, 1, 4)
    evening, monday = await moved.over(next_midnight, 5, 1)

    assert sums(october) == (october.bill, october.bill)
    assert sums(sunday) == (sunday.bill, sunday.bill)
    assert resets(sunday) == (midnight, midnight)
    of_sunday = sunday.bill + summer.bill + winter.bill + evening.bill
    assert sums(winter) == (of_sunday - evening.bill,) * 2
    assert resets(winter) == (midnight, midnight)
    assert sums(evening) == (of_sunday, of_sunday)
    assert sums(monday) == (monday.bill, of_sunday + monday.bill)
    assert resets(monday) == (next_midnight, midnight)

    # At its start the recorder compiles what it has not yet.
    await moved.begin_again(datetime(2026, 11, 2, 1, 30, tzinfo=ZONE))
    assert sums(Spent(0, await moved.told())) == (monday.bill, of_sunday + monday.bill)
    days = {"2026-10-31": october.bill, "2026-11-01": of_sunday, "2026-11-02": monday.bill}
    months = {"2026-10-01": october.bill, "2026-11-01": of_sunday + monday.bill}
    asked = {day: Decimal(bill // ONE) for day, bill in days.items()}
    assert await moved.statistics("ai_router_requests_today", "day", periods=days) == asked
    for sensor in ("cloud_cost_today", "cloud_cost_this_month"):
        assert await moved.statistics(sensor, "day", periods=days) == in_dollars(days), sensor
        assert await moved.statistics(sensor, "month", periods=months) == in_dollars(months), sensor


async def set_clock(clock: Path, moment: datetime) -> None:
    """Name a time in the file, all at once: it is read all the while."""

    def write() -> None:
        anew = clock.with_suffix(".new")
        anew.write_text(moment.astimezone(UTC).isoformat(), encoding="utf-8")
        anew.replace(clock)

    await asyncio.to_thread(write)


def sums(spent: Spent) -> tuple[int, ...]:
    """Return today's and the month's cost as the sensors told them, in picodollars."""
    return tuple(int(Decimal(spent.told[key]["state"]) * PICODOLLARS) for key in SENSORS[:2])


def in_dollars(bills: Mapping[str, int]) -> dict[str, Any]:
    """Return amounts as statistics tell them: binary fractions."""
    return {day: pytest.approx(Decimal(bill) / PICODOLLARS, abs=Decimal("1e-12")) for day, bill in bills.items()}


def resets(spent: Spent) -> tuple[datetime, ...]:
    """Return since when today's and the month's cost count."""
    return tuple(datetime.fromisoformat(spent.told[key]["attributes"]["last_reset"]) for key in SENSORS[:2])
