"""Rules: what is filled in arrives in the core, and what cannot be read or is gone lets nothing through."""

from datetime import time
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.ai_router.const import SUBENTRY_POOL, SUBENTRY_RULE
from custom_components.ai_router.routing.config import Conditions, RuleConfig
from custom_components.ai_router.routing.model import Capability, Message, Op, Role, Text
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, Caller, Request
from tests.flows import Dialog
from tests.household import ATTIC, CLOUD, subentry

from .conftest import id_of

LOCAL = {"local_only": True}


def config(entry: MockConfigEntry, title: str = "Rule") -> RuleConfig:
    found: RuleConfig
    (found,) = (rule for rule in entry.runtime_data.router.config.rules if rule.name == title)
    return found


async def add(
    hass: HomeAssistant, entry: MockConfigEntry, when: dict[str, Any], then: dict[str, Any], **fields: Any
) -> Dialog:
    dialog = await Dialog.new(hass, entry, SUBENTRY_RULE)
    return await dialog.submit(**{"name": "Rule", **fields}, when=when, then=then)


async def ask(entry: MockConfigEntry, **fields: Any) -> Reply:
    request = Request("r", Caller(), (Message(Role.USER, (Text("Hi"),)),), **fields)
    reply: Reply = await entry.runtime_data.router.process(request)
    return reply


# What is typed in "when", and what the core then has.
CONDITIONS: list[tuple[dict[str, Any], Conditions]] = [
    ({"always": True}, Conditions()),
    ({"ops": ["embed"]}, Conditions(ops=frozenset({Op.EMBED}))),
    ({"needs": ["vision", "tools"]}, Conditions(needs=Capability.VISION | Capability.TOOLS)),
    ({"entities": ["camera.door"]}, Conditions(entities=frozenset({"camera.door"}))),
    ({"labels": ["doorbell"]}, Conditions(labels=frozenset({"doorbell"}))),
    ({"automations": ["automation.night"]}, Conditions(automations=frozenset({"automation.night"}))),
    ({"sources": ["ai_task"]}, Conditions(sources=frozenset({"ai_task"}))),
    ({"tokens_from": 500}, Conditions(tokens_from=500)),
    ({"tokens_to": 500}, Conditions(tokens_to=500)),
    ({"after": "22:00:00"}, Conditions(after=time(22))),
    ({"before": "06:30:00"}, Conditions(before=time(6, 30))),
    ({"ops": ["chat"], "labels": ["a", "b"]}, Conditions(frozenset({Op.CHAT}), labels=frozenset({"a", "b"}))),
]
# What is typed in "then", and what the core then has.
EFFECTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"providers": [CLOUD]}, {"providers": (CLOUD,)}),
    ({"local_only": True}, {"local_only": True}),
    ({"max_cost": 0.5}, {"bounds": Bounds(max_cost=PICODOLLARS_PER_DOLLAR // 2)}),
    ({"timeout": 20}, {"bounds": Bounds(timeout=20)}),
    ({"max_tokens": 50}, {"bounds": Bounds(max_output=50)}),
]
ELSEWHERE = {"name", "enabled", "priority", "areas", "users", "pool"}


async def test_all_fields_have_a_test(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.new(hass, entry, SUBENTRY_RULE)

    shown = {inner["name"] for field in dialog.fields for inner in field.get("schema", [field])}
    typed = {name for each in (CONDITIONS, EFFECTS) for fields, _ in each for name in fields}
    assert shown == typed | ELSEWHERE


@pytest.mark.parametrize(("typed", "expected"), CONDITIONS)
async def test_a_condition_arrives_and_is_shown_again(
    hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, Any], expected: Conditions
) -> None:
    await add(hass, entry, typed, LOCAL)

    assert config(entry).when == expected
    dialog = await Dialog.alter(hass, entry, id_of(entry, "Rule"))
    assert dialog.shown["when"] == {"always": False} | typed
    await dialog.submit()
    assert config(entry).when == expected


@pytest.mark.parametrize(("typed", "expected"), EFFECTS)
async def test_an_effect_arrives_and_is_shown_again(
    hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, Any], expected: dict[str, Any]
) -> None:
    await add(hass, entry, {"always": True}, typed, enabled=False, priority=5)

    rule_id = id_of(entry, "Rule")
    wanted = RuleConfig(rule_id, "Rule", Conditions(), **{"priority": 5, "enabled": False, **expected})
    assert config(entry) == wanted
    dialog = await Dialog.alter(hass, entry, rule_id)
    assert dialog.shown["then"] == {"local_only": False} | typed
    await dialog.submit()
    assert config(entry) == wanted


async def test_people_and_areas_are_meant_by_their_ids(
    hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: MockUser
) -> None:
    area = ar.async_get(hass).async_create("Porch")
    await add(hass, entry, {"users": [hass_admin_user.id], "areas": [area.id]}, LOCAL)

    assert config(entry).when == Conditions(users=frozenset({hass_admin_user.id}), areas=frozenset({area.id}))

    await hass.auth.async_remove_user(hass_admin_user)
    dialog = await Dialog.alter(hass, entry, id_of(entry, "Rule"))
    await dialog.submit(priority=1)

    assert config(entry).when == Conditions(users=frozenset({hass_admin_user.id}), areas=frozenset({area.id}))


async def test_a_renamed_camera_and_automation_stay_meant(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    registry = er.async_get(hass)
    camera = registry.async_get_or_create("camera", "porch", "1", suggested_object_id="door")
    night = registry.async_get_or_create("automation", "automation", "1", suggested_object_id="night")
    await add(hass, entry, {"entities": ["camera.door"], "automations": ["automation.night"]}, LOCAL)

    registry.async_update_entity("camera.door", new_entity_id="camera.bedroom")

    assert config(entry).when == Conditions(entities=frozenset({camera.id}), automations=frozenset({night.id}))
    dialog = await Dialog.alter(hass, entry, id_of(entry, "Rule"))
    assert dialog.shown["when"]["entities"] == ["camera.bedroom"]
    await dialog.submit()
    assert config(entry).when == Conditions(entities=frozenset({camera.id}), automations=frozenset({night.id}))


@pytest.mark.parametrize(
    ("when", "then", "errors"),
    [
        ({}, LOCAL, {"when": "no_condition"}),
        ({"labels": [" "], "ops": []}, LOCAL, {"when": "no_condition"}),
        ({"always": True, "ops": ["chat"]}, LOCAL, {"when": "always_and_more"}),
        ({"tokens_from": 5, "tokens_to": 5}, LOCAL, {"when": "tokens_backwards"}),
        ({"tokens_to": 0}, LOCAL, {"when": "tokens_backwards"}),
        ({"always": True}, {}, {"then": "no_effect"}),
        ({"always": True}, {"providers": []}, {"then": "no_effect"}),
    ],
)
async def test_a_rule_is_about_something_and_does_something(
    hass: HomeAssistant, entry: MockConfigEntry, when: dict[str, Any], then: dict[str, Any], errors: dict[str, str]
) -> None:
    dialog = await add(hass, entry, when, then)

    assert (dialog.step, dialog.errors) == ("user", errors)
    assert dialog.shown["name"] == "Rule"
    assert not entry.runtime_data.router.config.rules


async def test_a_name_is_needed_and_nobody_else_s(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await add(hass, entry, {"always": True}, LOCAL)

    assert (await add(hass, entry, {"always": True}, LOCAL, name="rule ")).errors == {"name": "name_taken"}
    assert (await add(hass, entry, {"always": True}, LOCAL, name=" ")).errors == {"name": "name_missing"}


async def test_requests_follow_a_rule_at_once_and_when_it_goes_they_are_free(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    assert (await ask(entry, label="doorbell")).target.provider_id == ATTIC

    await add(hass, entry, {"labels": ["doorbell"]}, {"providers": [CLOUD]})

    reply = await ask(entry, label="doorbell")
    assert (reply.target.provider_id, reply.plan.rule) == (CLOUD, id_of(entry, "Rule"))
    assert (await ask(entry, label="other")).target.provider_id == ATTIC

    dialog = await Dialog.alter(hass, entry, id_of(entry, "Rule"))
    hass.config_entries.async_remove_subentry(entry, id_of(entry, "Rule"))
    await hass.async_block_till_done()

    assert (await ask(entry, label="doorbell")).target.provider_id == ATTIC
    assert (await dialog.submit()).step == "rule_removed"


async def test_a_rule_to_what_is_gone_lets_nothing_through(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await (await Dialog.new(hass, entry, SUBENTRY_POOL)).submit(name="Vision", members=[CLOUD])
    pool_id = id_of(entry, "Vision")
    await add(hass, entry, {"labels": ["pool"]}, {"pool": pool_id}, name="To the pool")
    await add(hass, entry, {"labels": ["provider"]}, {"providers": [CLOUD], **LOCAL}, name="To the provider")
    assert (await ask(entry, label="pool")).pool == pool_id
    shown = (await Dialog.alter(hass, entry, id_of(entry, "To the pool"))).shown["then"]
    assert shown == {"local_only": False, "pool": pool_id}

    for gone in (CLOUD, pool_id):
        hass.config_entries.async_remove_subentry(entry, gone)
    await hass.async_block_till_done()

    for label, code in (("pool", RefusalCode.UNKNOWN_POOL), ("provider", RefusalCode.NO_CAPABLE_TARGET)):
        with pytest.raises(RequestFailed) as refused:
            await ask(entry, label=label)
        assert refused.value.code is code
    assert (await ask(entry)).target.provider_id == ATTIC
    dialog = await Dialog.alter(hass, entry, id_of(entry, "To the pool"))
    assert dialog.shown["then"] == {"local_only": False}
    assert (await dialog.submit()).errors == {"then": "no_effect"}
    dialog = await Dialog.alter(hass, entry, id_of(entry, "To the provider"))
    assert dialog.shown["then"] == LOCAL


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        [],
        "always",
        {"of_a_later_version": 1},
        {"ops": ["sing"]},
        {"needs": ["wings"]},
        {"after": "late"},
        {"after": 7},
        {"tokens_from": "many"},
        {"labels": 5},
        {"labels": "doorbell"},
        {"labels": [["a"]]},
    ],
)
async def test_conditions_that_cannot_be_read_are_about_everything(
    hass: HomeAssistant, entry: MockConfigEntry, stored: Any
) -> None:
    data = {"priority": 0, "enabled": True, "local_only": True} | ({} if stored is None else {"when": stored})
    rule = subentry("01RULE", "rule", "Odd", **data)
    hass.config_entries.async_add_subentry(entry, rule)
    await hass.async_block_till_done()

    assert config(entry, "Odd").when is None
    with pytest.raises(RequestFailed):
        await ask(entry)
    assert (await Dialog.alter(hass, entry, "01RULE")).shown["name"] == "Odd"


async def test_a_router_that_does_not_run_takes_no_rule(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.new(hass, entry, SUBENTRY_RULE)
    await hass.config_entries.async_unload(entry.entry_id)

    await dialog.submit(name="Rule", when={"always": True}, then=LOCAL)

    assert dialog.step == "entry_not_loaded"
    assert len(entry.subentries) == 2
