"""`get_status`, `check_health`, `get_metrics`: how the router stands, for templates."""

import json
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from pytest_homeassistant_custom_component.common import MockUser

from tests.household import ATTIC, CLOUD, FREE, demo, move_in, subentry

from .calling import call

QUICK = {"latency": 0}


async def test_the_status_of_everything(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_read_only_user: MockUser
) -> None:
    attic = demo(ATTIC, "Attic", prices=FREE, options=QUICK, requests_per_minute=5)
    await move_in(hass, freezer, attic, demo(CLOUD, "Cloud", options=QUICK, budget_day="2"), budget_month="10")
    reply = await call(hass, "process", prompt="Hi", provider="Cloud")
    status = await call(hass, "get_status")
    assert json.loads(json.dumps(status)) == status
    assert [provider["provider"] for provider in status["providers"]] == ["Attic", "Cloud"]
    month = next(budget for budget in status["budgets"] if budget["window"] == "month")
    assert month["limit"] == 10
    assert month["spent"] > 0
    assert month["held"] == 0
    attic_status, cloud_status = status["providers"]
    assert any((limit["unit"], limit["limit"]) == ("requests", 5) for limit in attic_status["limits"])
    assert next(budget for budget in cloud_status["budgets"] if budget["window"] == "day")["limit"] == 2
    used = reply["usage"]["input_tokens"] + reply["usage"]["output_tokens"]
    minute = [(each["requests_last_minute"], each["tokens_last_minute"]) for each in status["providers"]]
    assert minute == [(0, 0), (1, used)]
    model = cloud_status["models"][0]
    assert (model["price"]["input"], model["price"]["output"], model["breaker"]) == (1000, 2000, "closed")
    assert model["retires"] is None
    assert status["configuration"]["strategy"] == "priority"
    seen = await call(hass, "get_status", user=hass_read_only_user, provider=["cloud"])
    assert seen["configuration"] is None
    assert [provider["provider"] for provider in seen["providers"]] == ["Cloud"]


async def test_the_budgets_of_people_labels_and_pools(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_admin_user: MockUser, hass_read_only_user: MockUser
) -> None:
    hass_admin_user.name, hass_read_only_user.name = "Ann", "Bob"
    pool = subentry("01POOL", "pool", "Eyes", members=[{"provider": CLOUD}], budget_week="5")
    budgets = {
        "user_budgets": {"*": {"day": "3"}, hass_admin_user.id: {"month": "4"}},
        "label_budgets": {"door": {"day": "2"}},
    }
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), pool, **budgets)
    cost = (await call(hass, "process", user=hass_read_only_user, prompt="Hi", pool="Eyes", label="door"))["cost"]

    status = await call(hass, "get_status")

    def told(budgets: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
        return {each["window"]: (each["limit"], each["spent"]) for each in budgets if each["limit"] is not None}

    assert {each["name"]: told(each["budgets"]) for each in status["people"]} == {
        "Ann": {"month": (4, 0)},
        "Bob": {"day": (3, cost["amount"])},
    }
    assert {each["label"]: told(each["budgets"]) for each in status["labels"]} == {"door": {"day": (2, cost["amount"])}}
    assert {each["name"]: told(each["budgets"]) for each in status["pools"]} == {"Eyes": {"week": (5, cost["amount"])}}
    seen = await call(hass, "get_status", user=hass_read_only_user)
    assert [each["name"] for each in seen["people"]] == ["Bob"]


async def test_a_check_is_free_and_a_deep_one_tells_its_price(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK))
    checked = await call(hass, "check_health")
    assert [(each["provider"], each["ok"], each["failure"]) for each in checked["providers"]] == [("Cloud", True, None)]
    assert (await call(hass, "get_usage"))["total"]["attempts"] == 0
    (deep,) = (await call(hass, "check_health", deep=True, provider="Cloud"))["providers"]
    assert deep["ok"]
    assert 0 < deep["cost"] <= deep["at_most"]


async def test_metrics_of_a_day(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    dead = demo(ATTIC, "Attic", options={**QUICK, "success_rate": 0.0, "error": "overloaded"}, priority=5)
    await move_in(hass, freezer, dead, demo(CLOUD, "Cloud", options=QUICK))
    for _ in range(6):
        await call(hass, "process", prompt="Hi")
    found = await call(hass, "get_metrics", by=["provider"], interval=60)
    rows = {row["provider"]: row for row in found["rows"]}
    assert rows["Cloud"]["success_rate"] == 100
    assert rows["Attic"]["success_rate"] == 0
    assert [error["failure"] for error in found["errors"]] == ["overloaded"]
    assert [row["provider"] for row in found["fastest"]] == ["Cloud"]
    assert [row["provider"] for row in found["most_reliable"]] == ["Cloud"]
    assert sum(piece["attempts"] for piece in found["timeline"]) == sum(row["attempts"] for row in found["rows"])
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "get_metrics", period="total", interval=1)
    assert refused.value.translation_key == "timeline_too_fine"
    to_the_end = await call(hass, "get_metrics", **{"from": found["from"], "to": "9999-12-31"}, interval=60)
    assert to_the_end["timeline"] == found["timeline"]


async def test_metrics_of_one_provider_or_model_alone(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK, priority=5), demo(CLOUD, "Cloud", options=QUICK))
    for provider in ("Attic", "Cloud"):
        for _ in range(6):
            await call(hass, "process", prompt="Hi", provider=provider)

    async def seen(**only: str) -> list[set[str]]:
        found = await call(hass, "get_metrics", interval=60, **only)
        assert sum(piece["attempts"] for piece in found["timeline"]) == sum(row["attempts"] for row in found["rows"])
        return [{row["provider"] for row in found[name]} for name in ("rows", "fastest", "most_reliable")]

    assert await seen() == [{"Attic", "Cloud"}] * 3
    assert await seen(provider="Cloud") == [{"Cloud"}] * 3
    assert await seen(model="demo-chat") == [{"Attic", "Cloud"}] * 3
    assert await seen(model="nobody") == [set()] * 3


async def test_without_an_entry_the_actions_say_so(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer)
    assert await hass.config_entries.async_unload(entry.entry_id)
    for action in ("get_status", "get_usage", "get_metrics", "check_health"):
        with pytest.raises(ServiceValidationError):
            await call(hass, action)
