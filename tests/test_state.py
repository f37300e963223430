"""What the router knows outlives a power cut: it is on disk soon after it has changed, and found again."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.ai_router.providers.demo import CHAT_MODEL
from custom_components.ai_router.routing.breaker import BreakerState
from custom_components.ai_router.routing.budgets import MoneyBucket
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.tickets import BucketKey, Scope, Unit, Window
from custom_components.ai_router.settings import fingerprint

from .actions.calling import call
from .household import ATTIC, CLOUD, FREE, ask, ask_in_vain, demo, move_in, pass_time, subentry

DEAD = {"latency": 0, "success_rate": 0.0}
QUICK = demo(ATTIC, "Attic", options={"latency": 0})
POOL = subentry("01POOL", "pool", "Trial", members=[{"provider": ATTIC}], strategy="experiment")


@pytest.fixture
async def entry(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    broken = demo("01BROKEN", "Broken", options=DEAD)
    rejected = demo(CLOUD, "Cloud", options={**DEAD, "error": FailureClass.CREDENTIAL.value})
    return await move_in(hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}), broken, rejected, POOL)


def on_disk(hass_storage: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(hass_storage["ai_router.state"]["data"]))


async def score(hass: HomeAssistant, value: float) -> None:
    reply = await call(hass, "process", prompt="Hi", pool="Trial")
    data = {"request_id": reply["request_id"], "value": value}
    await hass.services.async_call("ai_router", "score", data, blocking=True)


async def test_a_score_is_on_disk_within_seconds(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any], entry: MockConfigEntry
) -> None:
    reply = await call(hass, "process", prompt="Hi", pool="Trial")
    await pass_time(hass, freezer, 6)
    (before,) = on_disk(hass_storage)["experiments"]
    data = {"request_id": reply["request_id"], "value": 0.75}

    await hass.services.async_call("ai_router", "score", data, blocking=True)
    await pass_time(hass, freezer, 6)

    (arm,) = on_disk(hass_storage)["experiments"]
    assert (before[-1][0], arm[-1][0]) == (0, 1)
    assert entry.runtime_data.router.experiment("01POOL")[0].score.mean == 0.75


async def test_what_is_learned_is_on_disk_within_minutes(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}))
    await ask(entry, ATTIC)
    await pass_time(hass, freezer, 301)
    await pass_time(hass, freezer, 6)

    assert on_disk(hass_storage)["learned"] == json.loads(json.dumps(entry.runtime_data.router.memory.state()))
    assert ATTIC in json.dumps(on_disk(hass_storage)["learned"])
    del hass_storage["ai_router.state"]
    await pass_time(hass, freezer, 301)
    await pass_time(hass, freezer, 6)
    assert "ai_router.state" not in hass_storage, "nothing new, nothing written"


async def test_all_of_it_is_there_after_a_restart(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any], entry: MockConfigEntry
) -> None:
    await score(hass, 0.5)
    await ask_in_vain(entry, CLOUD)
    for _ in range(5):
        await ask_in_vain(entry, "01BROKEN")
    router = entry.runtime_data.router
    target = Target("01BROKEN", CHAT_MODEL)
    assert not router.admission.breakers.of(target).closed
    known = json.loads(json.dumps(router.memory.state()))
    told = router.experiment("01POOL")

    assert await hass.config_entries.async_reload(entry.entry_id)

    again = entry.runtime_data.router
    assert again is not router
    assert again.admission.breakers.of(target).state(again._clock.monotonic()) is BreakerState.OPEN
    assert again.benches.all()[CLOUD, None].cls is FailureClass.CREDENTIAL
    assert again.experiment("01POOL") == told
    assert told[0].score.values == 1
    assert json.loads(json.dumps(again.memory.state())) == known


async def test_the_last_error_is_known_after_a_restart_however_many_answers_came_since(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(
        hass,
        freezer,
        demo(ATTIC, "Attic", prices=FREE, options={"latency": 0, "success_rate": 0.0, "error": "overloaded"}),
    )
    await ask_in_vain(entry, ATTIC)
    attic = entry.subentries[ATTIC]
    hass.config_entries.async_update_subentry(entry, attic, data={**attic.data, "options": {"latency": 0}})
    await hass.async_block_till_done()
    for _ in range(101):
        await ask(entry, ATTIC)
    before = entry.runtime_data.router.recent(ATTIC)
    assert before.last_failure is not None
    assert before.success_rate == 1

    assert await hass.config_entries.async_reload(entry.entry_id)

    again = entry.runtime_data.router.recent(ATTIC)
    assert again is not before
    assert again.last_failure is not None
    assert again.last_failure[1] is before.last_failure[1] is FailureClass.OVERLOADED
    assert again.success_rate == 1
    assert entry.runtime_data.coordinator.look().providers[ATTIC].last_error == "overloaded"


async def test_a_budget_of_which_too_little_is_left_stays_used_up(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_storage: dict[str, Any]
) -> None:
    paid = demo(ATTIC, "Attic", prices=("0", "1000"), options={"latency": 0})
    entry = await move_in(hass, freezer, paid, budget_day="0.3", max_tokens=100)
    with suppress(RequestFailed):
        for _ in range(30):
            await ask(entry, ATTIC, "word " * 100)
    assert bucket(entry).turned_away
    await pass_time(hass, freezer, 6)
    alerts = async_capture_events(hass, "ai_router_budget_exceeded")
    assert on_disk(hass_storage)["turned_away"]

    assert await hass.config_entries.async_reload(entry.entry_id)

    assert bucket(entry).used_up
    with pytest.raises(RequestFailed):
        await ask(entry, ATTIC)
    await hass.async_block_till_done()
    assert not alerts, "it was told before"
    freezer.tick(86_400)
    assert not bucket(entry).used_up


def bucket(entry: MockConfigEntry) -> MoneyBucket:
    return entry.runtime_data.router.admission.money(BucketKey(Scope.ROUTER, "", Window.DAY, Unit.MONEY))


@pytest.mark.parametrize(
    ("version", "stored"),
    [
        (1, {"learned": {"strategies": {"fastest": 1}, "usual": 5}}),
        (1, {"learned": {}}),
        (1, {"learned": 5, "experiments": [[1]], "breakers": [[ATTIC]], "turned_away": [5]}),
        (1, {"benches": [[ATTIC, None, "of a later version", "", 0.0, None, fingerprint(QUICK.data)]], "breakers": 5}),
        (1, 5),
        (9, {"of": "a later version"}),
    ],
)
async def test_what_cannot_be_read_does_not_stop_it(
    hass: HomeAssistant, hass_storage: dict[str, Any], version: int, stored: Any
) -> None:
    hass_storage["ai_router.state"] = {"version": version, "minor_version": 1, "key": "ai_router.state", "data": stored}
    entry = await move_in(hass, None, QUICK)

    assert (await ask(entry, ATTIC)).target.provider_id == ATTIC


async def test_a_failure_of_a_later_version_does_not_stop_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, tmp_path: Path
) -> None:
    await ask_in_vain(entry, CLOUD)
    assert await hass.config_entries.async_unload(entry.entry_id)
    with closing(sqlite3.connect(tmp_path / ".storage" / "ai_router" / "ledger.db")) as connection, connection:
        connection.execute("UPDATE attempts SET failure = 'of_a_later_version'")

    assert await hass.config_entries.async_setup(entry.entry_id)

    failed = entry.runtime_data.router.recent(CLOUD).last_failure
    assert failed is not None
    assert failed[1] is FailureClass.UNKNOWN
