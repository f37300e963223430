"""What a household does to entities, devices and the entry itself while the router is in use, on a booted Home Assistant."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from household.boot import until
from household.house import House

from tests.e2e.test_face import kept

TIMES = 50
# Home Assistant itself reloads an entry half a minute after one of its entities was enabled.
RELOADED_SECONDS = 60
COST = "sensor.attic_cost_today"
# Four tokens in and a few out, at a price of which the sum has many digits behind the point.
PRICES = {"input_price": 0.000123, "output_price": 0.000457}


@pytest.fixture(scope="module")
async def attic(house: House, router: str) -> str:
    """The device of a provider that is nearly free and quick."""
    assert router
    return await add_attic(house)


async def add_attic(house: House) -> str:
    await house.add_provider("demo", name="Attic", latency=0.01, **PRICES)
    await house.until("sensor.attic_health", "unknown")
    (device,) = (row["id"] for row in await house.devices(await house.router()) if row["name"] == "Attic")
    return str(device)


@asynccontextmanager
async def asking(house: House) -> AsyncGenerator[list[int]]:
    """Ask without a break meanwhile; the list holds the status of each answer."""
    stop, statuses = asyncio.Event(), list[int]()

    async def ask() -> None:
        while not stop.is_set():
            data = {"prompt": "Is it warm there?", "provider": "Attic", "cache": "bypass"}
            statuses.append((await house.service("ai_router", "process", data))[0])

    tasks = [asyncio.create_task(ask()) for _ in range(2)]
    try:
        yield statuses
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def spent(house: House) -> Decimal:
    """Return what the ledger says of today, which the sensor must equal to the last digit once it was written."""
    _, told = await house.service("ai_router", "get_usage", {"by": ["provider"]})
    (row,) = (row for row in told["rows"] if row["provider"] == "Attic")
    return Decimal(f"{row['cost']:.12f}")


async def shows_what_was_spent(house: House) -> None:
    """Wait until the sensor tells the ledger's sum, all digits of it, never as 1E-7."""
    seen: list[tuple[str, Decimal]] = []

    async def equal() -> bool:
        state, booked = await house.state(COST), await spent(house)
        seen.append((state["state"] if state else "gone", booked))
        return seen[-1][0] == f"{booked.normalize():f}"

    try:
        await until(equal, 20)
    except TimeoutError:
        pytest.fail(f"shown and booked: {seen[-1]}")


async def gone(house: House, *entity_ids: str) -> None:
    async def away() -> bool:
        states = await house.states()
        return not any(entity_id in states for entity_id in entity_ids)

    await until(away, 20)


async def are_back(house: House, *entity_ids: str) -> None:
    async def back() -> bool:
        states = await house.states()
        return all(entity_id in states and states[entity_id]["state"] != "unavailable" for entity_id in entity_ids)

    await until(back, RELOADED_SECONDS)


def complaints(house: House, since: int) -> list[str]:
    lines = house.log()[since:].splitlines()
    ours = [
        line for line in lines if "[custom_components.ai_router" in line and (" WARNING " in line or " ERROR " in line)
    ]
    return ours + [line for line in lines if "Traceback" in line or "Detected that custom integration" in line]


async def test_one_entity_off_and_on_again_while_requests_run(house: House, attic: str) -> None:
    assert attic
    logged = len(house.log())
    async with asking(house) as statuses:
        await house.ws("config/entity_registry/update", entity_id=COST, disabled_by="user")
        await gone(house, COST)
        assert await house.state("sensor.attic_cost_this_month") is not None
        await house.ws("config/entity_registry/update", entity_id=COST, disabled_by=None)

        await are_back(house, COST)
    await shows_what_was_spent(house)
    assert statuses.count(HTTPStatus.OK) > 10
    assert complaints(house, logged) == []


async def test_a_device_off_and_on_again_while_requests_run(house: House, attic: str) -> None:
    logged = len(house.log())
    entities = [row for row in await house.entities(await house.router()) if row["device_id"] == attic]
    shown = [row["entity_id"] for row in entities if not row["disabled_by"]]
    assert COST in shown
    async with asking(house) as statuses:
        await house.ws("config/device_registry/update", device_id=attic, disabled_by="user")
        await gone(house, *shown)
        before = len(statuses)
        reply = await house.process(prompt="Does a provider answer without its device?", provider="Attic")
        assert reply["provider"] == "Attic"
        await house.ws("config/device_registry/update", device_id=attic, disabled_by=None)

        await are_back(house, *shown)
        assert len(statuses) > before
    await shows_what_was_spent(house)
    assert complaints(house, logged) == []


async def test_values_are_there_after_a_restart_before_anybody_asks(house: House, attic: str) -> None:
    assert attic
    sensors = (COST, "sensor.attic_cost_this_month", "sensor.ai_router_cost_today", "sensor.ai_router_requests_today")
    await shows_what_was_spent(house)
    before = await house.states()

    await house.restart()

    after = await house.states()
    for sensor in sensors:
        assert after[sensor]["state"] == before[sensor]["state"] != "0", sensor
        assert after[sensor]["attributes"]["last_reset"] == before[sensor]["attributes"]["last_reset"], sensor
    assert after["sensor.attic_success_rate"]["state"] == "100.0"


async def test_the_recorder_finds_nothing_wrong_with_our_statistics(house: House, attic: str) -> None:
    assert attic
    issues: dict[str, Any] = await house.ws("recorder/validate_statistics")
    ours = {row["entity_id"] for row in await house.entities(await house.router())}
    assert {name: found for name, found in issues.items() if name in ours} == {}


async def test_templates_and_a_structure_in_a_script(house: House, attic: str) -> None:
    assert attic
    structure = {
        "package": {"selector": {"boolean": {}}, "required": True},
        "kind": {"selector": {"select": {"options": ["box", "letter"]}}, "description": "What it is"},
        "weight": {"selector": {"number": {"min": 2, "max": 30}}, "required": True},
        "when": {"selector": {"text": {}}},
    }
    sequence = [
        {"variables": {"where": "door", "who": ["Attic"]}},
        {
            "action": "ai_router.process",
            "data": {
                "prompt": "What is at the {{ where }}? {{ 1 + 1 }}",
                "provider": "{{ who }}",
                "label": "{{ where }}",
                "structure": structure,
            },
            "response_variable": "reply",
        },
        {"stop": "done", "response_variable": "reply"},
    ]

    reply = (await house.ws("execute_script", sequence=sequence))["response"]

    assert (reply["provider"], reply["finish_reason"]) == ("Attic", "stop")
    assert reply["data"]["when"] == 'Demo answer to "What is at the door? 2"'
    assert (reply["data"]["package"], reply["data"]["kind"], reply["data"]["weight"]) == (True, "box", 2)

    broken = {**sequence[1], "data": {"prompt": "Hi", "structure": {"it": {"selector": {"nothing": {}}}}}}
    with pytest.raises(Exception, match="structure"):
        await house.ws("execute_script", sequence=[broken])


async def test_removed_and_added_again_under_load(house: House, attic: str) -> None:
    assert attic
    before, logged = kept(house), len(house.log())
    async with asking(house) as statuses:
        for _ in range(TIMES):
            status, _ = await house.rest("DELETE", f"/api/config/config_entries/entry/{await house.router()}")
            assert status == HTTPStatus.OK
            await house.add_router()
            await house.add_provider("demo", name="Attic", latency=0.01, **PRICES)
    assert statuses.count(HTTPStatus.OK) > 0

    await house.rest("DELETE", f"/api/config/config_entries/entry/{await house.router()}")
    assert not await house.entries("ai_router")
    rows = await house.ws("config/entity_registry/list")
    assert [row["entity_id"] for row in rows if row["platform"] == "ai_router"] == []

    async def quiet() -> bool:
        after = kept(house)
        return after["threads of ours"] == 0 and after["files of ours"] == 0

    await until(quiet, 20)
    assert kept(house)["files"] <= before["files"]
    assert complaints(house, logged) == []
    assert (house.folder / ".storage" / "ai_router" / "ledger.db").exists(), "what was spent stays"
