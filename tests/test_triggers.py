"""Triggers and conditions as automations use them."""

from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import condition, trigger
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.ai_router.condition import CONDITIONS
from custom_components.ai_router.const import SUBENTRY_POOL
from custom_components.ai_router.events import Kind
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.trigger import TRIGGERS
from tests.actions.calling import call
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import english
from tests.household import ATTIC, CLOUD, ENTRY_ID, ask, demo, device_id, move_in, pass_time, subentry
from tests.servers import at_server

POOL = "01POOL"


async def automate(hass: HomeAssistant, **automation: Any) -> list[Event[Any]]:
    """Set an automation up; it puts on the bus what its trigger told."""
    action = {"event": "automated", "event_data": {"told": "{{ trigger }}"}}
    config = {"automation": {"alias": "A", "actions": [action], **automation}}
    assert await async_setup_component(hass, "automation", config)
    await hass.async_block_till_done()
    assert hass.states.async_entity_ids("automation"), "the automation was not taken"
    return async_capture_events(hass, "automated")


async def test_a_trigger_tells_the_automation_what_happened(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", options={"success_rate": 0, "latency": 0, "error": "billing"})
    )
    runs = await automate(hass, triggers=[{"trigger": "ai_router.all_failed"}])

    with pytest.raises(RequestFailed):
        await ask(entry, ATTIC)
    await hass.async_block_till_done()

    (run,) = runs
    told = run.data["told"]
    assert (told["platform"], told["reason"], told["name"]) == ("ai_router.all_failed", "all_failed", "AI Router")
    assert told["failed"][0]["outcome"] == "billing"
    assert told["description"] == "all failed: AI Router"


@pytest.mark.parametrize(("watched", "runs_expected"), [(None, 2), (ATTIC, 1), (CLOUD, 1)])
async def test_a_trigger_watches_the_devices_that_are_chosen(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, watched: str | None, runs_expected: int
) -> None:
    failing = {"success_rate": 0, "latency": 0, "error": "credential"}
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=failing), demo(CLOUD, "Cloud", options=failing))
    options = {} if watched is None else {"options": {"device_id": device_id(hass, watched)}}
    runs = await automate(hass, triggers=[{"trigger": "ai_router.provider_unhealthy", **options}])

    for provider_id in (ATTIC, CLOUD):
        with pytest.raises(RequestFailed):
            await ask(entry, provider_id)
    await pass_time(hass, freezer, 30)

    assert len(runs) == runs_expected


async def test_a_trigger_outlives_a_reload_and_ends_with_its_automation(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", options={"success_rate": 0, "latency": 0, "error": "billing"})
    )
    runs = await automate(hass, triggers=[{"trigger": "ai_router.all_failed"}])
    assert await hass.config_entries.async_reload(entry.entry_id)

    with pytest.raises(RequestFailed):
        await ask(entry, ATTIC)
    await hass.async_block_till_done()
    assert len(runs) == 1

    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.a"}, blocking=True)
    with pytest.raises(RequestFailed):
        await ask(entry, ATTIC)
    await hass.async_block_till_done()
    assert len(runs) == 1


@pytest.mark.parametrize("kind", sorted(TRIGGERS))
async def test_every_trigger_runs_on_its_event_alone(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, kind: str
) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic"))
    runs = await automate(hass, triggers=[{"trigger": f"ai_router.{kind}"}])

    for each in Kind:
        hass.bus.async_fire(each.event_type, {"device_id": "any", "name": each.value})
    await hass.async_block_till_done()

    assert [run.data["told"]["name"] for run in runs] == [kind]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trigger": "ai_router.budget_alert", "options": {"device_id": "nobody"}},
        {"trigger": "ai_router.budget_alert", "options": {"device_id": []}},
        {"trigger": "ai_router.failover", "options": {"device_id": "any"}},
        {"trigger": "ai_router.invented"},
    ],
)
async def test_a_trigger_that_cannot_be(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, wrong: dict[str, Any]
) -> None:
    await move_in(hass, freezer)
    config = {**wrong, "platform": wrong["trigger"]}
    del config["trigger"]

    with pytest.raises(vol.Invalid):
        await trigger.async_validate_trigger_config(hass, [config])


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("provider_unhealthy", ENTRY_ID),
        ("provider_degraded", POOL),
        ("provider_recovered", POOL),
        ("budget_alert", POOL),
        ("budget_exceeded", POOL),
    ],
)
async def test_what_never_happens_to_a_device_is_not_waited_for(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, kind: str, about: str
) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic"), subentry(POOL, SUBENTRY_POOL, "Evenings"))
    config = {"platform": f"ai_router.{kind}", "options": {"device_id": device_id(hass, about)}}

    with pytest.raises(vol.Invalid, match=r"Device (AI Router|Evenings) is not"):
        await trigger.async_validate_trigger_config(hass, [config])


# --- conditions -------------------------------------------------------------------------------------


async def checked(hass: HomeAssistant, kind: str, **options: Any) -> bool | None:
    """Check a condition as an automation does."""
    config = {"condition": f"ai_router.{kind}", "options": options}
    valid = await condition.async_validate_condition_config(hass, config)
    check = await condition.async_from_config(hass, valid)
    return check(hass)


async def test_budget_is_left_until_it_is_spent(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(
        hass, freezer, await at_server(hass, server, CLOUD, budget_day="1"), demo(ATTIC, "Attic"), budget_month="1.5"
    )
    cloud, attic, router = (device_id(hass, each) for each in (CLOUD, ATTIC, ENTRY_ID))
    assert await checked(hass, "budget_left", device_id=[cloud, attic, router])
    assert await checked(hass, "budget_left", at_least=1.5)
    assert not await checked(hass, "budget_left", at_least=1.51)
    with pytest.raises(vol.Invalid):
        await checked(hass, "budget_left", at_least=float("inf"))

    server.usage = {"prompt_tokens": 999_990, "completion_tokens": 10, "total_tokens": 1_000_000}
    await ask(entry, CLOUD)

    assert await checked(hass, "budget_left")
    assert await checked(hass, "budget_left", at_least=0.5)
    assert not await checked(hass, "budget_left", at_least=0.6)
    assert not await checked(hass, "budget_left", device_id=cloud)
    assert not await checked(hass, "budget_left", device_id=[attic, cloud])
    assert await checked(hass, "budget_left", device_id=[attic], at_least=1_000)  # it has no budget


async def test_a_pool_has_budget_left(hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI) -> None:
    members = [{"provider": CLOUD}]
    await move_in(
        hass,
        freezer,
        await at_server(hass, server, CLOUD),
        subentry(POOL, SUBENTRY_POOL, "Evenings", members=members, budget_day="1"),
    )
    pool = device_id(hass, POOL)
    assert await checked(hass, "budget_left", device_id=pool, at_least=1)
    assert not await checked(hass, "budget_left", device_id=pool, at_least=1.01)

    server.usage = {"prompt_tokens": 999_990, "completion_tokens": 10, "total_tokens": 1_000_000}
    await call(hass, "process", prompt="Hi", pool="Evenings")
    assert not await checked(hass, "budget_left", device_id=pool)


async def test_what_is_too_little_for_a_request_is_no_budget(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, budget_day="1"))
    cloud = device_id(hass, CLOUD)
    server.usage = {"prompt_tokens": 990_000, "completion_tokens": 0, "total_tokens": 990_000}
    await ask(entry, CLOUD)
    assert await checked(hass, "budget_left", device_id=cloud)

    with pytest.raises(RequestFailed):
        await ask(entry, CLOUD, "word " * 100_000)
    assert not await checked(hass, "budget_left", device_id=cloud)


async def test_a_provider_is_healthy_when_it_has_answered(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    failing = {"success_rate": 0, "latency": 0, "error": "credential"}
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}), demo(CLOUD, "Cloud", options=failing)
    )
    attic, cloud = device_id(hass, ATTIC), device_id(hass, CLOUD)
    await ask(entry, ATTIC)
    with pytest.raises(RequestFailed):
        await ask(entry, CLOUD)
    await pass_time(hass, freezer)

    assert await checked(hass, "provider_healthy", device_id=attic)
    assert not await checked(hass, "provider_healthy", device_id=cloud)
    assert not await checked(hass, "provider_healthy", device_id=[attic, cloud])


async def test_conditions_do_not_hold_while_nothing_is_known(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    attic = device_id(hass, ATTIC)
    config = {"condition": "ai_router.budget_left", "options": {"device_id": attic}}
    valid = await condition.async_validate_condition_config(hass, config)
    check = await condition.async_from_config(hass, valid)
    assert check(hass)

    hass.config_entries.async_remove_subentry(entry, ATTIC)
    await hass.async_block_till_done()
    assert not check(hass)
    assert await checked(hass, "budget_left")

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert not await checked(hass, "budget_left")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("provider_healthy", {}),
        ("provider_healthy", {"device_id": ENTRY_ID}),
        ("provider_healthy", {"device_id": POOL}),
        ("provider_healthy", {"device_id": "nobody"}),
        ("budget_left", {"at_least": -1}),
        ("budget_left", {"device_id": "nobody"}),
    ],
)
async def test_a_condition_that_cannot_be(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, kind: str, options: dict[str, Any]
) -> None:
    await move_in(hass, freezer, subentry(POOL, SUBENTRY_POOL, "Evenings"))
    if (about := options.get("device_id")) in (ENTRY_ID, POOL):
        options = {"device_id": device_id(hass, about)}

    with pytest.raises(vol.Invalid):
        await checked(hass, kind, **options)


# --- what the editor shows --------------------------------------------------------------------------


async def test_the_editor_finds_every_field_with_its_words(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer)
    triggers = await trigger.async_get_all_descriptions(hass)
    conditions = await condition.async_get_all_descriptions(hass)

    for known, described, texts in (
        (TRIGGERS, triggers, english()["triggers"]),
        (CONDITIONS, conditions, english()["conditions"]),
    ):
        assert set(texts) == set(known)
        for key in known:
            description = described[f"ai_router.{key}"]
            assert description is not None, key
            assert texts[key]["name"]
            assert texts[key]["description"]
            assert set(description["fields"]) == set(texts[key].get("fields", {}))
