"""Simulated providers."""

from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.tickets import Window
from tests.flows import Dialog, running
from tests.household import demo

from .steps import STORED_UNLIMITED, UNLIMITED, provider_id, stored


async def test_a_demo_needs_nothing(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hub = entry.runtime_data
    dialog = await (await Dialog.add(hass, entry, "demo")).submit()

    assert dialog.step == "create_entry"
    data = stored(entry, "Demo")
    assert data | {"models": []} == {
        "kind": "demo",
        "options": {"latency": 0.5, "success_rate": 1.0, "error": "transient", "local": True},
        "models": [],
        **STORED_UNLIMITED,
    }
    assert [model["id"] for model in data["models"]] == ["demo-chat", "demo-vision", "demo-embed"]
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    config = hub.router.config.providers[provider_id(entry, "Demo")]
    assert all(model.prices is not None and model.prices.free for model in config.models)


async def test_a_demo_with_everything_filled_in(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.add(hass, entry, "demo")
    await dialog.submit(
        name=" Cheap cloud ",
        latency=0,
        success_rate=7,
        error="billing",
        input_price=0.5,
        output_price=1.5,
        limits={"priority": 20.0, "requests_per_minute": 30.0, "budget_day": 0.25, "budget_month": 5},
    )

    data = stored(entry, "Cheap cloud")
    models = data.pop("models")
    assert data == {
        "kind": "demo",
        "options": {
            "latency": 0.0,
            "success_rate": 0.07,
            "error": "billing",
            "local": True,
            "input_price": "0.5",
            "output_price": "1.5",
        },
        **STORED_UNLIMITED,
        "priority": 20,
        "requests_per_minute": 30,
        "budget_day": "0.25",
        "budget_month": "5",
    }
    assert {type(data[name]) for name in ("priority", "requests_per_minute")} == {int}
    assert {(model["input_price"], model["output_price"]) for model in models} == {("0.5", "1.5")}
    config = entry.runtime_data.router.config.providers[provider_id(entry, "Cheap cloud")]
    assert (config.priority, config.requests_per_minute) == (20, 30)
    assert config.budgets == (
        Budget(Window.DAY, PICODOLLARS_PER_DOLLAR // 4),
        Budget(Window.MONTH, 5 * PICODOLLARS_PER_DOLLAR),
    )

    dialog = await Dialog.change(hass, entry, config.id)

    assert dialog.shown == {
        "name": "Cheap cloud",
        "latency": 0.0,
        "success_rate": 7.0,
        "error": "billing",
        "local": True,
        "input_price": 0.5,
        "output_price": 1.5,
        "limits": UNLIMITED | {"priority": 20, "requests_per_minute": 30, "budget_day": 0.25, "budget_month": 5.0},
        "patience": {},
    }


async def test_changing_a_demo_changes_nothing_else(hass: HomeAssistant) -> None:
    changed = demo("01A", "First", priority=5, budget_day="1", enabled=False, options={"of_a_later_version": 1})
    entry = await running(hass, changed, demo("01B", "Second"))
    hub, second = entry.runtime_data, entry.subentries["01B"]

    dialog = await Dialog.change(hass, entry, "01A")
    await dialog.submit(success_rate=50, limits={"budget_day": None, "budget_month": 2})

    assert dialog.step == "reconfigure_successful"
    data = stored(entry, "First")
    assert data.pop("models")
    assert data == {
        "kind": "demo",
        "options": {"of_a_later_version": 1, "latency": 0.5, "success_rate": 0.5, "error": "transient", "local": True},
        "priority": 5,
        "weight": 1.0,
        "budget_month": "2",
        "enabled": False,
    }
    assert entry.subentries["01B"] == second
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    assert hub.router.config.providers["01A"].budgets == (Budget(Window.MONTH, 2 * PICODOLLARS_PER_DOLLAR),)


async def test_a_demo_can_play_a_provider_outside_the_house(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await (await Dialog.add(hass, entry, "demo")).submit(name="Cloud", local=False)

    config = entry.runtime_data.router.config.providers[provider_id(entry, "Cloud")]
    assert config.models
    assert not any(model.local for model in config.models)
    assert all(model.prices is not None and model.prices.free for model in config.models)

    await (await Dialog.change(hass, entry, config.id)).submit(local=True)

    config = entry.runtime_data.router.config.providers[config.id]
    assert all(model.local for model in config.models)


@pytest.mark.parametrize("given", ["input_price", "output_price"])
async def test_one_price_alone_is_none(hass: HomeAssistant, entry: MockConfigEntry, given: str) -> None:
    (missing,) = {"input_price", "output_price"} - {given}
    dialog = await (await Dialog.add(hass, entry, "demo")).submit(name="A", **{given: 3})

    assert (dialog.step, dialog.errors) == ("demo", {missing: "price_incomplete"})
    assert (dialog.shown["name"], dialog.shown[given]) == ("A", 3.0)

    await dialog.submit(**{missing: 0})

    assert dialog.step == "create_entry"
    assert stored(entry, "A")["options"][missing] == "0"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency", "nan"),
        ("success_rate", 101),
        ("input_price", -0.1),
        ("error", "bad_request"),
        ("limits", {"requests_per_minute": 0}),
        ("limits", {"budget_day": "nan"}),
    ],
)
async def test_what_is_no_amount_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, field: str, value: Any
) -> None:
    dialog = await Dialog.add(hass, entry, "demo")

    with pytest.raises(InvalidData) as refused:
        await dialog.submit(**{field: value})

    assert field in str(refused.value.schema_errors)
    assert not entry.subentries
