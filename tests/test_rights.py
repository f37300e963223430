"""Who may do what: every action, and every control entity, as an admin, a user, a reader and an automation.

The tables are held against what is registered: a new action or control without its row fails.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.auth.const import GROUP_ID_READ_ONLY, GROUP_ID_USER
from homeassistant.core import Context, HomeAssistant, SupportsResponse
from homeassistant.exceptions import ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.ai_router import PLATFORMS
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.storage.audit import changes

from .household import ATTIC, CLOUD, ENTRY_ID, ask, demo, move_in, pass_time

QUICK = {"latency": 0}
EVERYBODY, ADMINS = "everybody", "admins"

# Of each action what it is called with, and who may call it so.
ACTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("process", {"prompt": "Hi"}, EVERYBODY),
    ("process", {"prompt": "Hi", "dry_run": True}, EVERYBODY),
    ("process_batch", {"prompts": ["Hi"]}, EVERYBODY),
    ("count_tokens", {"prompt": "Hi"}, EVERYBODY),
    ("estimate", {"input_tokens": 1}, EVERYBODY),
    ("get_status", {}, EVERYBODY),
    ("check_health", {}, EVERYBODY),
    ("check_health", {"deep": True}, ADMINS),
    ("get_usage", {}, EVERYBODY),
    ("export_usage", {}, ADMINS),
    ("get_metrics", {}, EVERYBODY),
    ("set_provider", {"provider": "Attic", "priority": 7}, ADMINS),
    ("reset", {}, ADMINS),
    ("clear_cache", {}, ADMINS),
    ("purge", {"before": "2020-01-01"}, ADMINS),
]
# Everybody may, but there is no experiment and no embedding model here: they are told so, and not that they may not.
IN_VAIN: list[tuple[str, dict[str, Any], str]] = [
    ("embed", {"texts": ["Hi"]}, "no_embeddings"),
    ("find_similar", {"query": "Hi", "texts": ["Hello"]}, "no_embeddings"),
    ("get_experiment", {"pool": "none"}, "unknown_pool_name"),
    ("score", {"request_id": "none", "value": 1}, "request_not_known"),
]
# Of each control: its device, platform, key, the action on it and what that is given. All are an admin's.
CONTROLS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    (ATTIC, "switch", "enabled", "turn_off", {}),
    (ATTIC, "switch", "enabled", "turn_on", {}),
    (ATTIC, "switch", "enabled", "toggle", {}),
    (ENTRY_ID, "switch", "local_only", "turn_on", {}),
    (ENTRY_ID, "switch", "local_only", "turn_off", {}),
    (ENTRY_ID, "switch", "local_only", "toggle", {}),
    (ATTIC, "number", "priority", "set_value", {"value": 7}),
    (ATTIC, "number", "weight", "set_value", {"value": 2.5}),
    (ATTIC, "number", "budget_day", "set_value", {"value": 0.25}),
    (ATTIC, "number", "budget_month", "set_value", {"value": 3}),
    (ENTRY_ID, "select", "strategy", "select_option", {"option": "cheapest"}),
    (ENTRY_ID, "select", "strategy", "select_next", {}),
    (ENTRY_ID, "select", "strategy", "select_first", {}),
    (ATTIC, "button", "check", "press", {}),
    (ATTIC, "button", "reset", "press", {}),
    (ENTRY_ID, "button", "clear_cache", "press", {}),
]
SHOWS_ONLY = {"binary_sensor", "event", "sensor"}

type Who = Callable[[HomeAssistant], Context]


def somebody(hass: HomeAssistant, group: str | None) -> Context:
    """Let a person move in, and return him as the one who acts."""
    groups = [] if group is None else [hass.auth._store._groups[group]]
    user = MockUser(name="Somebody", groups=groups).add_to_hass(hass)
    return Context(user_id=user.id)


def admin(hass: HomeAssistant) -> Context:
    user = MockUser(name="Admin", is_owner=True).add_to_hass(hass)
    return Context(user_id=user.id)


PEOPLE: dict[str, tuple[Who, bool]] = {
    "admin": (admin, True),
    "automation": (lambda _: Context(), True),
    "user": (lambda hass: somebody(hass, GROUP_ID_USER), False),
    "reader": (lambda hass: somebody(hass, GROUP_ID_READ_ONLY), False),
}
each_person = pytest.mark.parametrize("person", PEOPLE)


def named(row: tuple[Any, ...]) -> str:
    return " ".join(str(each) for each in row if isinstance(each, str) and each not in (ATTIC, ENTRY_ID))


@pytest.fixture
async def entry(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> MockConfigEntry:
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)
    return await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK), demo(CLOUD, "Cloud", options=QUICK))


async def act(hass: HomeAssistant, freezer: FrozenDateTimeFactory, doing: Awaitable[Any]) -> None:
    """Wait for what is done, and let time go by meanwhile: some of it pauses."""
    task = hass.async_create_task(_awaited(doing))
    for _ in range(2_000):
        if task.done():
            break
        freezer.tick(0.01)
        await asyncio.sleep(0)
    await task


async def _awaited(doing: Awaitable[Any]) -> None:
    await doing


def calling(hass: HomeAssistant, action: str, data: dict[str, Any], context: Context) -> Awaitable[Any]:
    answers = hass.services.supports_response(DOMAIN, action) is not SupportsResponse.NONE
    return hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=answers, context=context)


def setting(hass: HomeAssistant, row: tuple[str, str, str, str, dict[str, Any]], context: Context) -> Awaitable[Any]:
    device, domain, key, action, data = row
    entity_id = er.async_get(hass).async_get_entity_id(domain, DOMAIN, f"{device}_{key}")
    assert entity_id is not None
    return hass.services.async_call(domain, action, {"entity_id": entity_id, **data}, blocking=True, context=context)


async def noted(entry: MockConfigEntry) -> int:
    return len(await changes(entry.runtime_data.ledger.reader, 100))


@pytest.mark.usefixtures("entry")
def test_every_action_has_its_row(hass: HomeAssistant) -> None:
    rows = {action for action, *_ in (*ACTIONS, *IN_VAIN)}
    assert rows == set(hass.services.async_services_for_domain(DOMAIN))


@pytest.mark.usefixtures("entry")
def test_every_control_has_its_row(hass: HomeAssistant) -> None:
    there = {
        (ATTIC if entity.unique_id.startswith(ATTIC) else ENTRY_ID, entity.domain, entity.unique_id.split("_", 1)[1])
        for entity in er.async_entries_for_config_entry(er.async_get(hass), ENTRY_ID)
        if entity.domain not in SHOWS_ONLY and not entity.unique_id.startswith(CLOUD)
    }
    assert there == {row[:3] for row in CONTROLS}
    assert {domain for _, domain, _ in there} | SHOWS_ONLY == set(PLATFORMS)


@each_person
@pytest.mark.parametrize("row", ACTIONS, ids=named)
async def test_an_action_is_for_whom_it_is(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    person: str,
    row: tuple[str, dict[str, Any], str],
) -> None:
    who, trusted = PEOPLE[person]
    action, data, whose = row
    before = await noted(entry)
    context = who(hass)
    if trusted or whose == EVERYBODY:
        await act(hass, freezer, calling(hass, action, data, context))
        return
    with pytest.raises(Unauthorized):
        await act(hass, freezer, calling(hass, action, data, context))
    assert await noted(entry) == before
    assert entry.runtime_data.router.config.providers[ATTIC].priority == 0


@each_person
@pytest.mark.parametrize("row", IN_VAIN, ids=named)
async def test_whoever_may_is_told_what_is_missing(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    person: str,
    row: tuple[str, dict[str, Any], str],
) -> None:
    action, data, missing = row
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, freezer, calling(hass, action, data, PEOPLE[person][0](hass)))
    assert refused.value.translation_key == missing


@each_person
@pytest.mark.parametrize("row", CONTROLS, ids=named)
async def test_a_control_is_an_admins(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    entry: MockConfigEntry,
    person: str,
    row: tuple[str, str, str, str, dict[str, Any]],
) -> None:
    who, trusted = PEOPLE[person]
    before = entry.options, entry.subentries[ATTIC].data
    context = who(hass)
    if trusted:
        await act(hass, freezer, setting(hass, row, context))
        return
    with pytest.raises(Unauthorized):
        await act(hass, freezer, setting(hass, row, context))
    assert (entry.options, entry.subentries[ATTIC].data) == before


@pytest.mark.parametrize("row", ACTIONS, ids=named)
async def test_who_is_gone_may_nothing_that_is_noted_or_costs(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry, row: tuple[str, dict[str, Any], str]
) -> None:
    action, data, _ = row
    if action in ("estimate", "get_metrics"):
        return
    with pytest.raises(UnknownUser):
        await act(hass, freezer, calling(hass, action, data, Context(user_id="gone")))


async def test_a_reader_sees_no_settings_and_of_people_only_himself(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)
    for person, (who, trusted) in PEOPLE.items():
        context = who(hass)
        status = await calling(hass, "get_status", {}, context)
        assert (status["configuration"] is not None) is trusted, person
        usage = await calling(hass, "get_usage", {"by": ["user"]}, context)
        assert bool(usage["rows"]) is trusted, person
