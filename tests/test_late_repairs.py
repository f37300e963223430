"""Repairs whose cause is gone, or that another browser has open too, and what a household ignores."""

from collections.abc import Mapping
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.events import Kind
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.stored_models import OWN
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI
from tests.flows import Dialog
from tests.happenings import on_the_bus
from tests.household import CLOUD, ask, move_in, pass_time, shown
from tests.servers import at_server
from tests.test_repairs import issues, the_issue


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant, socket_enabled: None) -> None:
    assert await async_setup_component(hass, "repairs", {})


async def change(hass: HomeAssistant, entry: MockConfigEntry, changes: Mapping[str, Any]) -> None:
    """Change what is stored of the provider, as its forms would; None takes something away."""
    data = {**entry.subentries[CLOUD].data, **changes}
    stored = {key: value for key, value in data.items() if value is not None}
    hass.config_entries.async_update_subentry(entry, entry.subentries[CLOUD], data=stored)
    await hass.async_block_till_done()


# --- prices -----------------------------------------------------------------------------------------


async def unpriced(hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI) -> MockConfigEntry:
    models = (CHAT_MODEL, VISION_MODEL)
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, prices=None, models=models))
    await ask(entry, CLOUD)
    await hass.async_block_till_done()
    return entry


async def test_of_two_who_enter_a_price_the_first_one_decides(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await unpriced(hass, freezer, server)
    first, second = await Dialog.repair(hass, the_issue(hass)), await Dialog.repair(hass, the_issue(hass))

    await first.answer(input_price=1, output_price=2)
    await second.answer(input_price=0, output_price=0)

    assert (first.step, second.step) == ("create_entry", "over")
    assert entry.subentries[CLOUD].data["models"][0][OWN] == {"input_price": "1", "output_price": "2"}


async def test_the_price_of_a_model_that_is_not_used_any_more(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await unpriced(hass, freezer, server)
    dialog = await Dialog.repair(hass, the_issue(hass))
    await change(hass, entry, {"models": entry.subentries[CLOUD].data["models"][1:]})
    assert issues(hass) == {}

    assert (await dialog.answer(input_price=1, output_price=2)).step == "over"
    assert [model["id"] for model in entry.subentries[CLOUD].data["models"]] == [VISION_MODEL]


async def test_where_unknown_prices_are_refused_what_cannot_be_used_asks_for_its_price(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    names = ("a", "b", "c", CHAT_MODEL)
    provider = await at_server(hass, server, CLOUD, prices=None, models=names)
    entry = await move_in(hass, freezer, provider, unknown_price_hold=None)
    await hass.async_block_till_done()

    # Not all at once: a provider may have thousands.
    assert list(issues(hass)) == [f"price_unknown_{CLOUD}_{name}" for name in names[:3]]
    for name in names:
        issue = issues(hass)[f"price_unknown_{CLOUD}_{name}"]
        assert issue.translation_key == "price_unknown_refused"
        await (await Dialog.repair(hass, issue)).answer(input_price=1, output_price=2)
    assert issues(hass) == {}
    assert (await ask(entry, CLOUD)).target.model_id == CHAT_MODEL


@pytest.mark.parametrize("reason", [{"enabled": False}, {"local_only": True}])
async def test_what_is_not_to_be_used_needs_no_price(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI, reason: dict[str, bool]
) -> None:
    of_provider = {key: value for key, value in reason.items() if key == "enabled"}
    provider = await at_server(hass, server, CLOUD, prices=None, **of_provider)
    options = {key: value for key, value in reason.items() if key == "local_only"}
    await move_in(hass, freezer, provider, unknown_price_hold=None, **options)
    await hass.async_block_till_done()

    assert issues(hass) == {}


# --- budgets ----------------------------------------------------------------------------------------


async def spent(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI, **settings: Any
) -> MockConfigEntry:
    """A provider that has cost a dollar, its whole budget of this day."""
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, budget_day="1", **settings))
    server.usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    await ask(entry, CLOUD)
    await hass.async_block_till_done()
    return entry


async def test_of_two_who_raise_a_budget_the_first_one_decides(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await spent(hass, freezer, server)
    first, second = await Dialog.repair(hass, the_issue(hass)), await Dialog.repair(hass, the_issue(hass))

    await first.answer(amount=2)
    await second.answer(amount=50)

    assert (first.step, second.step) == ("create_entry", "over")
    assert entry.subentries[CLOUD].data["budget_day"] == "2"


async def test_a_budget_that_was_taken_away_does_not_come_back(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await spent(hass, freezer, server)
    dialog = await Dialog.repair(hass, the_issue(hass))
    await change(hass, entry, {"budget_day": None})

    assert (await dialog.answer(amount=2)).step == "over"
    assert "budget_day" not in entry.subentries[CLOUD].data


async def fits(entry: MockConfigEntry, prompt: str) -> bool:
    """Ask; say whether the budgets had enough left for it."""
    try:
        await ask(entry, CLOUD, prompt)
    except RequestFailed as err:
        if err.code is RefusalCode.OVER_BUDGET:
            return False
        raise
    return True


async def test_what_is_left_of_a_budget_is_too_little_for_a_request(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    """A hold is the most that a request may cost: a hard budget stops before it is spent to the last cent."""
    prices = ("3", "15")
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, prices=prices, budget_day="0.05"))
    told = on_the_bus(hass)
    answered = 0
    while await fits(entry, f"Tell me number {answered} of {'many ' * 200}"):
        answered += 1
        assert answered < 1_000
    await pass_time(hass, freezer)

    assert answered > 1
    left = float(shown(hass, "server_budget_left").state)
    assert 0 < left < 0.025
    assert the_issue(hass).issue_id == f"budget_reached_provider_{CLOUD}_day"
    (exceeded,) = told[Kind.BUDGET_EXCEEDED]
    assert exceeded.data["spent"] < exceeded.data["limit"] == 0.05
    used_up = hass.states.get("binary_sensor.server_budget_used_up")
    assert used_up is not None
    assert used_up.state == "on"

    await (await Dialog.repair(hass, the_issue(hass))).answer(amount=1)

    assert issues(hass) == {}
    await ask(entry, CLOUD, "Tell me more")


async def test_a_request_that_is_too_large_for_a_budget_has_not_used_it_up(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, prices=("3", "15"), budget_day="0.02"))
    await ask(entry, CLOUD)
    told = on_the_bus(hass)

    assert not await fits(entry, "word " * 2_000)
    await hass.async_block_till_done()

    assert issues(hass) == {}
    assert not told[Kind.BUDGET_EXCEEDED]


async def test_an_issue_that_is_ignored_is_told_anew_when_its_cause_comes_back(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await spent(hass, freezer, server)
    issue_id = the_issue(hass).issue_id
    ir.async_ignore_issue(hass, DOMAIN, issue_id, True)
    await pass_time(hass, freezer, 61)
    assert the_issue(hass).dismissed_version is not None, "it stays ignored as long as its cause lasts"

    await pass_time(hass, freezer, 86_400)
    assert issues(hass) == {}
    await ask(entry, CLOUD, "More")
    await hass.async_block_till_done()

    assert (the_issue(hass).issue_id, the_issue(hass).dismissed_version) == (issue_id, None)
