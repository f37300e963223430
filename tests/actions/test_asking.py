"""What `process` is told arrives in the request, and what came of it is in the reply."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.ai_router.actions.asking import PROMPT_FIELDS, Field
from custom_components.ai_router.automations import AUTOMATIONS
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.providers.demo import CHAT_MODEL
from custom_components.ai_router.routing.model import Capability, Message, Model, Role, Text
from custom_components.ai_router.routing.ports import RequestEnded
from custom_components.ai_router.routing.request import CacheMode, Degrade, Priority, Request
from custom_components.ai_router.stored_models import model_to_stored
from tests.household import ATTIC, CLOUD, demo, move_in, pass_time, subentry

from .calling import asked, call

POOL, RULE = "01POOL", "01RULE"
QUICK = {"latency": 0}
WORD = {"type": "string"}
DEAD = {"latency": 0, "success_rate": 0.0}


@pytest.fixture
async def entry(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    return await move_in(
        hass,
        freezer,
        demo(ATTIC, "Attic", options=QUICK),
        demo(CLOUD, "Cloud", options=QUICK),
        subentry(POOL, "pool", "Vision", members=[{"provider": CLOUD}]),
        subentry(RULE, "rule", "Door", when={"labels": ["doorbell"]}, pool=POOL),
    )


TURNS = [{"role": "user", "text": "Who?"}, {"role": "assistant", "text": "Me."}]
# What is told, where the request has it, and what it is there.
TOLD: list[tuple[str, Any, Callable[[Request], Any], Any]] = [
    ("pool", "vision", lambda request: request.pins.pool, POOL),
    ("provider", ["Cloud", "attic"], lambda request: request.pins.providers, (CLOUD, ATTIC)),
    ("model", "demo-chat", lambda request: request.pins.models, ("demo-chat",)),
    ("prefer", "Cloud", lambda request: request.pins.prefer, (CLOUD,)),
    ("exclude", ["Attic"], lambda request: request.pins.exclude, (ATTIC,)),
    ("strategy", "cheapest", lambda request: request.pins.strategy, "cheapest"),
    ("needs", ["tools", "vision"], lambda request: request.needs & ~Capability.CHAT, Capability(6)),
    ("system", "Be brief.", lambda request: request.messages[0], Message(Role.SYSTEM, (Text("Be brief."),))),
    ("history", TURNS, lambda request: [turn.role for turn in request.messages], ["user", "assistant", "user"]),
    ("trim", True, lambda request: request.trim, True),
    ("conversation", "kitchen", lambda request: request.session_id, "kitchen"),
    ("max_tokens", 7, lambda request: request.bounds.max_output, 7),
    ("max_cost", 3, lambda request: request.bounds.max_cost, 3 * 10**12),
    ("max_latency", 2.5, lambda request: request.bounds.max_latency, 2.5),
    ("attempts", 2, lambda request: request.bounds.attempts, 2),
    ("timeout", 9, lambda request: request.bounds.timeout, 9),
    ("temperature", 0.5, lambda request: request.sampling.temperature, 0.5),
    ("top_p", 0.9, lambda request: request.sampling.top_p, 0.9),
    ("reasoning", "low", lambda request: request.sampling.reasoning, "low"),
    ("local_only", True, lambda request: request.local_only, True),
    ("cache", "refresh", lambda request: request.cache_mode, CacheMode.REFRESH),
    ("stale_ok", True, lambda request: request.degrade, Degrade(stale_ok=True)),
    ("default_text", "None.", lambda request: request.degrade, Degrade(default_text="None.")),
    ("priority", "voice", lambda request: request.priority, Priority.VOICE),
    ("label", "tv", lambda request: request.label, "tv"),
]
ELSEWHERE = {"prompt", "images", "media", "files", "structure", "on_error"}


def test_all_fields_have_a_test() -> None:
    assert set(Field) == {field for field, *_ in TOLD} | ELSEWHERE
    assert {str(field) for field in PROMPT_FIELDS} == set(Field) - {"priority", "on_error"}


@pytest.mark.parametrize(("field", "value", "look", "expected"), TOLD, ids=[each[0] for each in TOLD])
async def test_a_field_arrives(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    field: str,
    value: Any,
    look: Callable[[Request], Any],
    expected: Any,
) -> None:
    assert look(await asked(hass, entry, on_error="return")) != expected

    assert look(await asked(hass, entry, on_error="return", **{field: value})) == expected


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    "data",
    [
        {"needs": "wings"},
        {"history": [{"role": "system", "text": "x"}]},
        {"history": [{"text": "x"}]},
        {"top_p": 2},
        {"reasoning": "huge"},
        {"cache": "sometimes"},
        {"priority": "now"},
        {"attempts": 0},
        {"max_cost": float("inf")},
        {"max_cost": 1e300},
        {"max_latency": 0},
        {"structure": {}},
        {"structure": {"a": {}}},
        {"structure": {"a": {"selector": {"wings": {}}}}},
        {"structure": ["a"]},
        {"structure": {"a": {"selector": {"select": {"options": []}}}}},
        {"structure": {"a": {"selector": {"select": {"options": [], "multiple": True}}}}},
        {"media": [{"media_content_type": "image/png"}]},
        {"files": [""]},
        *({field: None} for field in ("provider", "prefer", "exclude", "needs", "images", "media", "files")),
        {"images": {}},
    ],
)
async def test_what_is_no_value_is_refused(hass: HomeAssistant, data: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        await call(hass, "process", prompt="Hi", **data)


async def test_who_asks_right_after_a_change_finds_it_in_force(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """As forms do: they store, and Home Assistant tells the router later."""
    hass.config_entries.async_add_subentry(entry, demo("01NEW", "New", options=QUICK))
    assert (await call(hass, "process", prompt="Hi", provider="New"))["provider"] == "New"

    hass.config_entries.async_update_entry(entry, options={"local_only": True})
    with pytest.raises(HomeAssistantError) as refused:
        await call(hass, "process", prompt="Hi", provider="New")
    assert refused.value.translation_key == "not_local"


async def test_a_pool_is_named_by_name_or_device_and_the_reply_names_it(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, POOL), entry.entry_id)
    assert device is not None
    for reference in ("Vision", " VISION", device.id, POOL):
        reply = await call(hass, "process", prompt="Hi", pool=reference)
        assert (reply["pool"], reply["provider"]) == ("Vision", "Cloud")
    assert (await call(hass, "process", prompt="Hi"))["pool"] is None
    # The picker offers the router's own device too.
    router = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    assert router is not None
    assert (await call(hass, "process", prompt="Hi", pool=router.id))["pool"] is None
    with pytest.raises(ServiceValidationError, match="Vision"):
        await call(hass, "process", prompt="Hi", pool="Ears")


@pytest.mark.usefixtures("entry")
async def test_the_reply_names_the_rule(hass: HomeAssistant) -> None:
    reply = await call(hass, "process", prompt="Hi", label="doorbell")

    assert (reply["route"]["rule"], reply["pool"]) == ("Door", "Vision")
    assert (await call(hass, "process", prompt="Hi"))["route"]["rule"] is None


async def test_data_comes_in_the_shape_that_was_asked_for(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    model = Model(CHAT_MODEL, Capability.CHAT | Capability.STRUCTURED)
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK, models=[model_to_stored(model, "1", "2")]))
    shape = {
        "package": {"selector": {"boolean": {}}, "required": True, "description": "Is one there?"},
        "count": {"selector": {"number": {"min": 0, "max": 9}}, "required": True},
        "kind": {"selector": {"select": {"options": ["box", "letter"]}}, "required": True},
        "words": {"selector": {"text": {}}},
    }

    reply = await call(hass, "process", prompt="Look", structure=shape)

    data = reply["data"]
    assert isinstance(data["package"], bool)
    assert isinstance(data["count"], int | float)
    assert data["kind"] in {"box", "letter"}


async def test_the_shape_is_sent_as_a_schema(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    field = {"selector": {"boolean": {}}, "required": True, "description": "Is one there?"}

    request = await asked(hass, entry, on_error="return", structure={"package": field})

    assert request.structure is not None
    assert request.structure.schema == {
        "type": "object",
        "properties": {"package": {"type": "boolean", "description": "Is one there?"}},
        "required": ["package"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(("multiple", "shape"), [(False, WORD), (True, {"type": "array", "items": WORD})])
async def test_a_free_choice_that_names_no_word_takes_any(
    hass: HomeAssistant, entry: MockConfigEntry, multiple: bool, shape: dict[str, Any]
) -> None:
    choice = {"select": {"options": [], "custom_value": True, "multiple": multiple}}

    request = await asked(hass, entry, on_error="return", structure={"word": {"selector": choice}})

    assert request.structure is not None
    assert request.structure.schema["properties"] == {"word": shape}


async def test_a_shape_may_have_hundreds_of_fields(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    fields = {f"field_{number}": {"selector": {"text": {}}} for number in range(500)}

    request = await asked(hass, entry, on_error="return", structure=fields)

    assert request.structure is not None
    assert request.structure.schema["properties"].keys() == fields.keys()


async def test_what_is_taken_instead_of_a_failure(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=DEAD))

    reply = await call(hass, "process", prompt="Hi", default_text="Nobody knows.", attempts=1)

    assert (reply["text"], reply["degraded"], reply["provider"], reply["model"]) == (
        "Nobody knows.",
        "default",
        None,
        None,
    )
    assert [attempt["outcome"] for attempt in reply["attempts"]] == ["transient"]
    with pytest.raises(HomeAssistantError):
        await call(hass, "process", prompt="Hi", stale_ok=True, attempts=1)


async def test_an_old_answer_will_do(
    hass: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    first = await call(hass, "process", prompt="Hi", cache="use")
    assert (first["cached"], first["degraded"]) == (False, None)
    await pass_time(hass, freezer, 2 * 3_600)
    for provider in (ATTIC, CLOUD):
        data = {**entry.subentries[provider].data, "options": DEAD}
        hass.config_entries.async_update_subentry(entry, entry.subentries[provider], data=data)
    await hass.async_block_till_done()

    old = await call(hass, "process", prompt="Hi", cache="use", stale_ok=True, attempts=1)

    assert (old["text"], old["degraded"], old["cost"]["amount"]) == (first["text"], "stale", 0)


@pytest.mark.usefixtures("entry")
async def test_only_an_earlier_answer(hass: HomeAssistant) -> None:
    with pytest.raises(HomeAssistantError):
        await call(hass, "process", prompt="Hi", cache="only")
    first = await call(hass, "process", prompt="Hi", cache="use")

    again = await call(hass, "process", prompt="Hi", cache="only")

    assert (again["cached"], again["text"], again["cache_key"]) == (True, first["text"], first["cache_key"])
    assert (await call(hass, "process", prompt="Hi"))["cache_key"] is None


async def test_the_automation_that_asks_is_known(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    heard: list[Request] = []
    entry.runtime_data.router.subscribe(
        lambda event: heard.append(event.request) if isinstance(event, RequestEnded) else None
    )
    action = {"action": "ai_router.process", "data": {"prompt": "Hi"}, "response_variable": "reply"}
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": [
                {"alias": "Night", "triggers": {"trigger": "event", "event_type": "night"}, "actions": action},
                {
                    "alias": "Morning",
                    "id": "1",
                    "triggers": {"trigger": "event", "event_type": "morning"},
                    "actions": {"action": "script.ask"},
                },
            ]
        },
    )
    assert await async_setup_component(hass, "script", {"script": {"ask": {"sequence": [action]}}})
    registered = async_capture_events(hass, "automation_triggered")

    hass.bus.async_fire("night")
    await hass.async_block_till_done()
    hass.bus.async_fire("morning")
    await hass.async_block_till_done()
    await call(hass, "process", prompt="Hi")

    assert len(registered) == 2
    morning = er.async_get(hass).async_get("automation.morning")
    assert morning is not None
    assert [request.caller.automation for request in heard] == ["automation.night", morning.id, None]


async def test_no_more_runs_of_automations_are_remembered_than_needed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    def run(name: str) -> Context:
        context = Context()
        hass.bus.async_fire("automation_triggered", {"entity_id": f"automation.{name}"}, context=context)
        return context

    patient = run("patient")
    busy = [run("busy") for _ in range(101)]
    remembered = hass.data[AUTOMATIONS]

    # One that runs all the time makes nobody forget one that waits.
    assert [remembered.of(each) for each in (patient, busy[0], busy[1])] == [
        "automation.patient",
        None,
        "automation.busy",
    ]

    for number in range(998):
        run(f"a{number}")
    assert remembered.of(patient) == "automation.patient"
    run("one_more")
    assert [remembered.of(each) for each in (patient, busy[1])] == [None, "automation.busy"]
    assert len(remembered._runs) == 100 + 999

    await hass.config_entries.async_unload(entry.entry_id)

    assert AUTOMATIONS not in hass.data


async def test_an_automation_that_ran_before_us_is_known(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """It has waited while the router was reloaded: what it asks then is its own, and not the house's."""
    go = {"wait_for_trigger": {"trigger": "event", "event_type": "go_on"}}
    action = {"action": "ai_router.process", "data": {"prompt": "Hi"}, "response_variable": "reply"}
    triggers = {"trigger": "event", "event_type": "begin"}
    patient = {"id": "1", "alias": "Patient", "triggers": triggers, "actions": [{"event": "begun"}, go, action]}
    assert await async_setup_component(hass, "automation", {"automation": [patient]})
    begun = asyncio.Event()
    hass.bus.async_listen_once("begun", callback(lambda _: begun.set()))
    hass.bus.async_fire("begin")
    await begun.wait()
    assert await hass.config_entries.async_reload(entry.entry_id)
    found: list[Request] = []
    router = entry.runtime_data.router
    router.subscribe(lambda event: found.append(event.request) if isinstance(event, RequestEnded) else None)

    hass.bus.async_fire("go_on")
    await hass.async_block_till_done()

    registered = er.async_get(hass).async_get("automation.patient")
    assert registered is not None
    assert [request.caller.automation for request in found] == [registered.id]


async def test_only_chosen_automations_may_ask(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    action = {"action": "ai_router.process", "data": {"prompt": "Hi", "on_error": "return"}, "response_variable": "r"}
    tell = {"event": "told", "event_data": {"error": "{{ (r.error | default({})).code | default('') }}"}}
    assert await async_setup_component(hass, "script", {"script": {"ask": {"sequence": [action, tell]}}})
    automations = [
        {
            "id": name,
            "alias": name,
            "triggers": {"trigger": "event", "event_type": name},
            "actions": [{"action": "script.ask"}],
        }
        for name in ("dawn", "dusk")
    ]
    assert await async_setup_component(hass, "automation", {"automation": automations})
    dawn = er.async_get(hass).async_get("automation.dawn")
    assert dawn is not None
    hass.config_entries.async_update_entry(entry, options={"automations": [dawn.id]})
    await hass.async_block_till_done()
    told = async_capture_events(hass, "told")

    for name in ("dawn", "dusk"):
        hass.bus.async_fire(name)
        await hass.async_block_till_done()
    await hass.services.async_call("script", "ask", blocking=True)

    assert [event.data["error"] for event in told] == ["", "not_allowed", ""]
