"""The blueprints in a real Home Assistant: each is loaded, made an automation, and does what it says."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import automation
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service

from custom_components.ai_router.const import DOMAIN

from .household import ATTIC, CLOUD, ENTRY_ID, ask, demo, move_in, pass_time

FOLDER = Path(__file__).parents[1] / "blueprints" / "automation" / "ai_router"
NAMES = sorted(path.name for path in FOLDER.glob("*.yaml"))
QUICK = {"latency": 0}
NOTIFY = [{"action": "test.notify", "data": {"title": "{{ title }}", "message": "{{ message }}"}}]
NOON = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")


@pytest.mark.parametrize("name", NAMES)
def test_its_form_is_valid_and_says_where_it_comes_from(name: str) -> None:
    blueprint = Blueprint(
        load_yaml_dict(str(FOLDER / name)),
        expected_domain="automation",
        schema=automation.config.AUTOMATION_BLUEPRINT_SCHEMA,
    )
    assert blueprint.validate() is None
    assert blueprint.metadata["source_url"].endswith(f"/blueprints/automation/ai_router/{name}")
    assert blueprint.metadata["homeassistant"]["min_version"] == "2026.10.0"


async def use(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    """Make an automation of a blueprint."""
    place = Path(hass.config.path("blueprints", "automation", "ai_router"))

    def put() -> None:
        place.mkdir(parents=True)
        shutil.copy(FOLDER / f"{name}.yaml", place)

    await hass.async_add_executor_job(put)
    config = {"use_blueprint": {"path": f"ai_router/{name}.yaml", "input": inputs}}
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()
    (state,) = hass.states.async_all("automation")
    assert state.state == "on", state.attributes


async def end(hass: HomeAssistant) -> None:
    """Turn the automation off: its timer would outlive the test."""
    (state,) = hass.states.async_all("automation")
    await hass.services.async_call("automation", "turn_off", {"entity_id": state.entity_id}, blocking=True)


async def spend(entry: MockConfigEntry, dollars: float) -> float:
    """Ask until so much is spent, and return how much it was."""
    spent = 0.0
    while spent < dollars:
        reply = await ask(entry, CLOUD, "word " * 50)
        spent += reply.cost / 1e12
    return round(spent, 6)


def told(calls: list[Any]) -> list[Mapping[str, Any]]:
    return [dict(call.data) for call in calls]


@pytest.fixture
async def entry(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    """A house with a budget of ten dollars a day. A word costs 0.1 cents in and 0.2 out, an answer at most 2 dollars."""
    return await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), budget_day="10")


@NOON
async def test_budget_alert(hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry) -> None:
    calls = async_mock_service(hass, "test", "notify")
    await use(hass, "budget_alert", actions=NOTIFY)
    spent = await spend(entry, 8)
    await pass_time(hass, freezer)
    (call,) = told(calls)
    assert call["title"] == "AI budget of AI Router"
    assert call["message"] == f"Most of the budget of AI Router for the day is used: {spent:.2f} of 10.00 USD."


@NOON
async def test_budget_webhook(hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry) -> None:
    calls = async_mock_service(hass, "rest_command", "tell_me")
    await use(hass, "budget_webhook", command="tell_me")
    spent = await spend(entry, 8)
    await pass_time(hass, freezer)
    (call,) = told(calls)
    assert call == {"kind": "alert", "whose": "AI Router", "window": "day", "spent": spent, "limit": 10.0}


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn: a run that waits for midnight is not done, and a frozen loop has no time-outs."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise TimeoutError


@NOON
async def test_local_only_without_budget(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), budget_day="3", budget_only_warns=True)
    switch = er.async_get(hass).async_get_entity_id("switch", DOMAIN, f"{ENTRY_ID}_local_only")
    assert switch is not None
    await use(hass, "local_only_without_budget", local_only=switch)
    await spend(entry, 3)
    await until(lambda: entry.runtime_data.router.config.local_only)
    await until(lambda: "Repeat at step 2: Initialized trigger" in caplog.text)  # it waits for midnight
    freezer.move_to("2026-11-22 08:00:06+00:00")
    async_fire_time_changed(hass)
    await until(lambda: not entry.runtime_data.router.config.local_only)
    await end(hass)


@NOON
async def test_local_only_of_the_household_s_own_stays(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(
        hass,
        freezer,
        demo(CLOUD, "Cloud", options=QUICK),
        budget_day="3",
        budget_only_warns=True,
        local_only=True,
    )
    switch = er.async_get(hass).async_get_entity_id("switch", DOMAIN, f"{ENTRY_ID}_local_only")
    assert switch is not None
    await use(hass, "local_only_without_budget", local_only=switch)
    freezer.move_to("2026-11-22 08:00:04+00:00")
    await pass_time(hass, freezer)
    await pass_time(hass, freezer)
    assert entry.runtime_data.router.config.local_only
    await end(hass)


@NOON
@pytest.mark.parametrize(
    ("owner", "window", "title", "message"),
    [
        ("ada's id", "day", "AI budget of Ada", "The budget of Ada for the day is used: 1.00 of 1.00 USD."),
        (
            "nobody's id",
            "total",
            "AI budget of nobody's id",
            "The budget of nobody's id in all is used: 1.00 of 1.00 USD.",
        ),
    ],
)
async def test_a_person_s_budget_is_told_by_name(
    hass: HomeAssistant, entry: MockConfigEntry, owner: str, window: str, title: str, message: str
) -> None:
    assert entry
    calls = async_mock_service(hass, "test", "notify")
    await use(hass, "budget_alert", actions=NOTIFY)
    hass.states.async_set("person.ada", "home", {"friendly_name": "Ada", "user_id": "ada's id"})
    hass.states.async_set("person.guest", "home", {"friendly_name": "Guest"})
    told_of = {"scope": "user", "owner": owner, "window": window, "spent": 1.0, "limit": 1.0}
    hass.bus.async_fire("ai_router_budget_exceeded", {"device_id": "x", "name": "AI Router", **told_of})
    await hass.async_block_till_done()
    assert told(calls) == [{"title": title, "message": message}]


async def test_a_webhook_gets_a_person_s_name(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert entry
    calls = async_mock_service(hass, "rest_command", "tell_me")
    await use(hass, "budget_webhook", command="tell_me")
    hass.states.async_set("person.ada", "home", {"friendly_name": "Ada", "user_id": "ada's id"})
    for owner in ("ada's id", "doorbell"):
        told_of = {"scope": "user", "owner": owner, "window": "day", "spent": 1.0, "limit": 1.0}
        hass.bus.async_fire("ai_router_budget_exceeded", {"device_id": "x", "name": "AI Router", **told_of})
    await hass.async_block_till_done()
    assert [each["whose"] for each in told(calls)] == ["Ada", "doorbell"]


@NOON
async def test_nightly_report(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    calls = async_mock_service(hass, "test", "notify")
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), demo(ATTIC, "Attic", options=QUICK))
    await use(hass, "nightly_report", at="12:30:00", actions=NOTIFY)
    await ask(entry, CLOUD)
    await ask(entry, CLOUD, "Hello there")
    freezer.move_to("2026-11-21 20:29:59+00:00")
    await pass_time(hass, freezer)
    (call,) = told(calls)
    assert call["title"] == "AI today: 0.0210 USD"
    assert call["message"] == "Cloud: 0.0210 USD, 2 requests. This month: 0.02 USD."
    await end(hass)


@NOON
@pytest.mark.parametrize("answers", [True, False], ids=["answered", "nobody answers"])
async def test_doorbell(hass: HomeAssistant, freezer: FrozenDateTimeFactory, answers: bool) -> None:
    calls = async_mock_service(hass, "test", "notify")
    asked = async_mock_service(
        hass, DOMAIN, "process", response={"text": "A parcel."} if answers else {"error": {"code": "all_failed"}}
    )
    hass.states.async_set("binary_sensor.bell", "off")
    actions = [{"action": "test.notify", "data": {"message": "{{ message }}"}}]
    await use(hass, "doorbell", doorbell="binary_sensor.bell", camera="camera.door", actions=actions, local_only=True)
    hass.states.async_set("binary_sensor.bell", "on")
    await hass.async_block_till_done()
    assert told(calls) == [{"message": "A parcel." if answers else "Somebody is at the door."}]
    assert told(asked) == [
        {
            "prompt": "Who or what is at the door? Answer in one short sentence.",
            "images": "camera.door",
            "local_only": True,
            "max_cost": 0.01,
            "timeout": 20,
            "label": "doorbell",
            "on_error": "return",
        }
    ]
    for state, attributes in (
        ("on", {"battery": 50}),  # it rings no second time by telling more
        ("unavailable", {}),
        ("on", {}),  # nor by coming back
        ("off", {}),
    ):
        hass.states.async_set("binary_sensor.bell", state, attributes)
        await hass.async_block_till_done()
    assert len(calls) == 1
