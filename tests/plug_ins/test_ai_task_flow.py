"""AI Task entities in the forms: when a provider is added, and when the router is set up."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from custom_components.ai_router import config_flow
from custom_components.ai_router.const import DOMAIN
from tests.flows import Dialog
from tests.household import ask, move_in

from .oracles import DELPHI, stored_id, target


@pytest.fixture(autouse=True)
def no_ollama(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> None:
    monkeypatch.setattr(config_flow, "OLLAMA_ADDRESSES", ["http://127.0.0.1:9"])


def labels(dialog: Dialog, field: str) -> dict[str, str]:
    return {option["value"]: option["label"] for option in dialog.field(field)["selector"]["select"]["options"]}


@pytest.mark.usefixtures("oracle")
async def test_an_entity_becomes_a_provider(hass: HomeAssistant) -> None:
    entry = await move_in(hass, None)
    dialog = await Dialog.add(hass, entry, "ai_task")
    delphi, dodona = stored_id(hass, "ai_task.delphi"), stored_id(hass, "ai_task.dodona")
    assert labels(dialog, "entity") == {delphi: "Delphi", dodona: "Dodona"}
    assert dialog.shown["local"] is False
    assert "call_price" not in dialog.shown
    assert dialog.shown["patience"] == {"first_token_timeout": 180}

    await dialog.submit(name="Temple", entity=delphi, call_price=0.03)

    assert dialog.step == "create_entry"
    (subentry,) = entry.subentries.values()
    (model,) = subentry.data["models"]
    assert subentry.data["options"] == {"entity": delphi, "local": False}
    assert (model["id"], model["capabilities"]) == ("ai_task.delphi", ["chat", "vision", "structured"])
    assert (model["own"], model["local"]) == ({"call_price": "0.03"}, False)
    reply = await ask(entry, subentry.subentry_id)
    assert (reply.text, reply.cost) == ("Delphi has spoken", 30_000_000_000)

    dialog = await Dialog.change(hass, entry, subentry.subentry_id)
    assert (dialog.shown["entity"], dialog.shown["call_price"], dialog.shown["name"]) == (delphi, 0.03, "Temple")
    await dialog.submit(entity=dodona, call_price=0, local=True)
    await hass.async_block_till_done()
    (subentry,) = entry.subentries.values()
    (model,) = subentry.data["models"]
    assert (model["id"], model["capabilities"]) == ("ai_task.dodona", ["chat", "structured"])
    assert (model["own"], model["local"]) == ({"call_price": "0"}, True)
    assert (await ask(entry, subentry.subentry_id)).text == "Dodona has spoken"

    dialog = await Dialog.change(hass, entry, subentry.subentry_id)
    await dialog.submit(call_price=None)
    assert "own" not in entry.subentries[subentry.subentry_id].data["models"][0]


@pytest.mark.usefixtures("oracle")
async def test_an_entity_is_asked_for_what_a_call_costs(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "repairs", {})
    entry = await move_in(hass, None, target(hass, price=None))
    await ask(entry)
    await hass.async_block_till_done()
    (issue,) = (each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN)

    dialog = await Dialog.repair(hass, issue)
    assert [field["name"] for field in dialog.fields] == ["call_price"], "it tells of no tokens"
    assert (await dialog.answer()).errors == {"call_price": "price_missing"}
    await dialog.answer(call_price=0.04)

    assert dialog.step == "create_entry"
    assert entry.subentries[DELPHI].data["models"][0]["own"] == {"call_price": "0.04"}
    assert (await ask(entry, prompt="More")).cost == 40_000_000_000


@pytest.mark.usefixtures("oracle")
async def test_only_what_is_offered_can_be_chosen(hass: HomeAssistant) -> None:
    entry = await move_in(hass, None)
    er.async_get(hass).async_get_or_create("ai_task", DOMAIN, "pool", suggested_object_id="pool")
    hass.states.async_set("ai_task.pool", "unknown", {"supported_features": 3})
    for entity in (stored_id(hass, "ai_task.pool"), stored_id(hass, "ai_task.siwa"), "ai_task.delphi"):
        dialog = await Dialog.add(hass, entry, "ai_task")
        with pytest.raises(InvalidData):
            await dialog.submit(name="Temple", entity=entity)


@pytest.mark.usefixtures("oracle")
async def test_what_is_declared_local_can_be_added_to_a_local_router(hass: HomeAssistant) -> None:
    entry = await move_in(hass, None, local_only=True)
    dialog = await Dialog.add(hass, entry, "ai_task")
    await dialog.submit(name="Temple", entity=stored_id(hass, "ai_task.delphi"))
    assert dialog.errors == {"local": "local_only"}
    assert (await dialog.submit(local=True)).step == "create_entry"


# --- the first set-up -------------------------------------------------------------------------------


@pytest.mark.usefixtures("oracle")
async def test_none_is_added_by_itself(hass: HomeAssistant) -> None:
    dialog = await Dialog.set_up(hass)
    assert dialog.shown == {"add_ai_tasks": []}
    assert set(labels(dialog, "add_ai_tasks").values()) == {"Delphi", "Dodona"}

    assert (await dialog.submit()).step == "create_entry"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert not entry.subentries


@pytest.mark.usefixtures("oracle")
async def test_those_that_are_wanted_are_there_at_once(hass: HomeAssistant) -> None:
    dialog = await Dialog.set_up(hass)
    registry = er.async_get(hass)
    wanted = [stored_id(hass, f"ai_task.{name}") for name in ("delphi", "dodona")]
    registry.async_remove("ai_task.dodona")
    await hass.async_block_till_done()

    assert (await dialog.submit(add_ai_tasks=wanted)).step == "create_entry"

    entry: Any
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    (subentry,) = entry.subentries.values()
    assert (subentry.title, subentry.data["first_token_timeout"]) == ("Delphi", 180)
    (model,) = entry.runtime_data.router.config.providers[subentry.subentry_id].models
    assert (model.prices, model.local) == (None, False)
    assert (await ask(entry, subentry.subentry_id)).text == "Delphi has spoken"


@pytest.mark.usefixtures("oracle")
async def test_two_of_one_name_can_be_told_apart(hass: HomeAssistant) -> None:
    er.async_get(hass).async_update_entity("ai_task.dodona", name="Delphi")
    await hass.async_block_till_done()
    dialog = await Dialog.set_up(hass)
    wanted = [stored_id(hass, f"ai_task.{name}") for name in ("delphi", "dodona")]
    assert (await dialog.submit(add_ai_tasks=wanted)).step == "create_entry"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    first, second = (subentry.title for subentry in entry.subentries.values())
    assert first == "Delphi"
    assert second.startswith("Delphi (")
