"""Pools: what is filled in arrives in the core, names may change, and what is gone does no harm."""

from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import SUBENTRY_POOL
from custom_components.ai_router.providers.demo import CHAT_MODEL
from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.config import Member, PoolConfig
from custom_components.ai_router.routing.model import Message, Role, Text
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.request import Bounds, Caller, Pins, Request
from custom_components.ai_router.routing.tickets import Window
from tests.flows import Dialog, running
from tests.household import ATTIC, CLOUD, ask

from .conftest import id_of

CLOUD_CHAT = f"{CLOUD}/{CHAT_MODEL}"


def config(entry: MockConfigEntry, title: str) -> PoolConfig:
    found: PoolConfig = entry.runtime_data.router.config.pools[id_of(entry, title)]
    return found


async def add(hass: HomeAssistant, entry: MockConfigEntry, name: str, **fields: Any) -> str:
    dialog = await Dialog.new(hass, entry, SUBENTRY_POOL)
    await dialog.submit(**{"name": name, "members": [ATTIC], **fields})
    assert dialog.step == "create_entry", dialog.errors
    return id_of(entry, name)


# What is typed, and what the core then has.
TYPED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"members": [CLOUD, ATTIC]}, {"members": (Member(CLOUD), Member(ATTIC))}),
    ({"members": [CLOUD_CHAT]}, {"members": (Member(CLOUD, CHAT_MODEL),)}),
    ({"strategy": "cheapest"}, {"strategy": "cheapest"}),
    ({"bounds": {"local_only": True}}, {"local_only": True}),
    ({"bounds": {"max_cost": 0.01}}, {"bounds": Bounds(max_cost=PICODOLLARS_PER_DOLLAR // 100)}),
    *(
        (
            {"budgets": {f"budget_{window.value}": 2}},
            {"budgets": (Budget(window, 2 * PICODOLLARS_PER_DOLLAR),)},
        )
        for window in (Window.DAY, Window.WEEK, Window.MONTH, Window.TOTAL)
    ),
    (
        {"budgets": {"budget_day": 0, "budget_only_warns": True}},
        {"budgets": (Budget(Window.DAY, 0, hard=False),)},
    ),
]
ELSEWHERE = {"name", "fallback", "at_cap"}


async def test_all_fields_have_a_test(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.new(hass, entry, SUBENTRY_POOL)

    shown = {inner["name"] for field in dialog.fields for inner in field.get("schema", [field])}
    typed = {name for fields, _ in TYPED for name in fields if name not in {"bounds", "budgets"}}
    typed |= {name for fields, _ in TYPED for part in ("bounds", "budgets") for name in fields.get(part, ())}
    assert shown == typed | ELSEWHERE


@pytest.mark.parametrize(("typed", "holds"), TYPED)
async def test_what_is_filled_in_is_in_force_and_shown_again(
    hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, Any], holds: dict[str, Any]
) -> None:
    hub = entry.runtime_data
    pool_id = await add(hass, entry, "Vision", **typed)

    expected = {"members": (Member(ATTIC),)} | holds
    assert config(entry, "Vision") == PoolConfig(id=pool_id, name="Vision", **expected)
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)

    before = config(entry, "Vision")
    dialog = await Dialog.alter(hass, entry, pool_id)
    for name, value in typed.items():
        assert dialog.shown[name] == (dialog.shown[name] | value if isinstance(value, dict) else value)
    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    assert config(entry, "Vision") == before


async def test_members_are_offered_with_all_their_models_and_with_each(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    dialog = await Dialog.new(hass, entry, SUBENTRY_POOL)

    assert {option["value"]: option["label"] for option in dialog.options_of("members")} == {
        ATTIC: "Attic",
        f"{ATTIC}/{CHAT_MODEL}": f"Attic / {CHAT_MODEL}",
        CLOUD: "Cloud",
        CLOUD_CHAT: f"Cloud / {CHAT_MODEL}",
    }


async def test_requests_go_through_a_new_pool_at_once(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    pool_id = await add(hass, entry, "Vision", members=[CLOUD])
    request = Request("r", Caller(), (Message(Role.USER, (Text("Hi"),)),), pins=Pins(pool=pool_id))

    reply = await entry.runtime_data.router.process(request)

    assert (reply.target.provider_id, reply.pool) == (CLOUD, pool_id)


@pytest.mark.parametrize("name", ["", " ", "vision", " VISION "])
async def test_a_name_is_needed_and_nobody_else_s(hass: HomeAssistant, entry: MockConfigEntry, name: str) -> None:
    await add(hass, entry, "Vision")
    dialog = await Dialog.new(hass, entry, SUBENTRY_POOL)

    await dialog.submit(name=name, members=[CLOUD])

    assert dialog.errors == {"name": "name_taken" if name.strip() else "name_missing"}
    assert dialog.shown["members"] == [CLOUD]

    await dialog.submit(name=" Doors ")

    assert config(entry, "Doors").members == (Member(CLOUD),)


async def test_a_pool_without_members_is_none(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.new(hass, entry, SUBENTRY_POOL)

    await dialog.submit(name="Vision", members=[])

    assert dialog.errors == {"members": "no_members"}
    with pytest.raises(InvalidData):
        await dialog.submit(members=["nobody"])


async def test_without_a_provider_there_is_no_pool(hass: HomeAssistant) -> None:
    entry = await running(hass)

    assert (await Dialog.new(hass, entry, SUBENTRY_POOL)).step == "no_providers"


async def test_a_pool_keeps_its_name_and_what_points_to_it_follows(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    first = await add(hass, entry, "First")
    await add(hass, entry, "Second", fallback=first)

    await (await Dialog.alter(hass, entry, first)).submit(name="FIRST")

    assert config(entry, "Second").fallback == first
    assert config(entry, "FIRST").id == first


async def test_pools_that_lead_back_are_not_offered(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    first = await add(hass, entry, "First")
    second = await add(hass, entry, "Second", fallback=first)
    third = await add(hass, entry, "Third", budgets={"at_cap": second, "budget_day": 1})
    assert (config(entry, "Third").at_cap, config(entry, "Third").fallback) == (second, None)

    def offered(dialog: Dialog) -> list[set[str]]:
        at_cap = next(field for field in dialog.field("budgets")["schema"] if field["name"] == "at_cap")
        return [
            {option["value"] for option in field["selector"]["select"]["options"]}
            for field in (dialog.field("fallback"), at_cap)
        ]

    assert offered(await Dialog.alter(hass, entry, first)) == [set(), set()]
    assert offered(await Dialog.alter(hass, entry, second)) == [{first}, {first}]
    assert offered(await Dialog.alter(hass, entry, third)) == [{first, second}, {first, second}]
    assert offered(await Dialog.new(hass, entry, SUBENTRY_POOL)) == [{first, second, third}] * 2


@pytest.mark.parametrize("strategy", ["weighted", "experiment"])
async def test_weights_are_asked_for_where_they_count(
    hass: HomeAssistant, entry: MockConfigEntry, strategy: str
) -> None:
    dialog = await Dialog.new(hass, entry, SUBENTRY_POOL)
    await dialog.submit(name="Split", members=[ATTIC, CLOUD_CHAT], strategy=strategy)

    assert (dialog.step, dialog.shown) == ("weights", {"Attic": 1.0, f"Cloud / {CHAT_MODEL}": 1.0})

    await dialog.submit(Attic=0, **{f"Cloud / {CHAT_MODEL}": 0})

    assert (dialog.step, dialog.errors) == ("weights", {"base": "no_weight"})

    await dialog.look_again()
    await dialog.submit(Attic=3)

    assert dialog.step == "create_entry"
    assert config(entry, "Split").members == (Member(ATTIC, None, 3.0), Member(CLOUD, CHAT_MODEL, 1.0))
    assert config(entry, "Split").strategy == strategy

    dialog = await (await Dialog.alter(hass, entry, id_of(entry, "Split"))).submit(members=[ATTIC, CLOUD])
    assert dialog.shown == {"Attic": 3.0, "Cloud": 1.0}
    await dialog.submit(Cloud=0)

    assert config(entry, "Split").members == (Member(ATTIC, None, 3.0), Member(CLOUD, None, 0.0))

    # Weights outlive a strategy that does not ask for them.
    await (await Dialog.alter(hass, entry, id_of(entry, "Split"))).submit(strategy="priority")
    assert config(entry, "Split").members == (Member(ATTIC, None, 3.0), Member(CLOUD, None, 0.0))


async def test_weights_count_too_where_the_router_goes_by_them(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, options={"strategy": "weighted"})
    await hass.async_block_till_done()

    dialog = await (await Dialog.new(hass, entry, SUBENTRY_POOL)).submit(name="Split", members=[ATTIC])

    assert dialog.step == "weights"


async def test_another_flow_may_be_faster_with_the_name(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    slow = await Dialog.new(hass, entry, SUBENTRY_POOL)
    await slow.submit(name="Split", members=[ATTIC], strategy="weighted")
    await add(hass, entry, "Split")

    await slow.submit(Attic=2)

    assert (slow.step, slow.errors) == ("user", {"name": "name_taken"})

    await slow.submit(name="Other")
    await slow.submit(Attic=2)

    assert config(entry, "Other").members == (Member(ATTIC, None, 2.0),)


async def test_members_and_pools_that_are_gone_do_no_harm(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    first = await add(hass, entry, "First", members=[CLOUD])
    second = await add(hass, entry, "Second", members=[ATTIC, CLOUD], fallback=first, budgets={"at_cap": first})

    hass.config_entries.async_remove_subentry(entry, CLOUD)
    hass.config_entries.async_remove_subentry(entry, first)
    await hass.async_block_till_done()

    assert (await ask(entry, ATTIC)).target.provider_id == ATTIC
    dialog = await Dialog.alter(hass, entry, second)
    assert dialog.shown["members"] == [ATTIC]
    assert "fallback" not in dialog.shown
    assert "at_cap" not in dialog.shown["budgets"]
    await dialog.submit()
    assert config(entry, "Second") == PoolConfig(id=second, name="Second", members=(Member(ATTIC),))


async def test_a_pool_can_be_removed(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    pool_id = await add(hass, entry, "Vision")
    dialog = await Dialog.alter(hass, entry, pool_id)

    hass.config_entries.async_remove_subentry(entry, pool_id)
    await hass.async_block_till_done()

    assert not entry.runtime_data.router.config.pools
    assert (await dialog.submit()).step == "pool_removed"


async def test_a_router_that_does_not_run_takes_no_pool(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.new(hass, entry, SUBENTRY_POOL)
    await hass.config_entries.async_unload(entry.entry_id)

    await dialog.submit(name="Vision", members=[ATTIC])

    assert dialog.step == "entry_not_loaded"
    assert len(entry.subentries) == 2
