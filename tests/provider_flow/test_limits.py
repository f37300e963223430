"""What the router may take from a provider: every field of it arrives in the core, and goes away when it is emptied."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.config import ProviderConfig
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.retries import Backoff
from custom_components.ai_router.routing.tickets import Window
from tests.flows import Dialog

from .steps import provider_id, stored

# The section, the field, what is typed, and what the core then says.
TYPED: list[tuple[str, str, Any, Any]] = [
    ("limits", "enabled", False, lambda provider: provider.enabled is False),
    ("limits", "priority", 7, lambda provider: provider.priority == 7),
    ("limits", "weight", 2.5, lambda provider: provider.weight == 2.5),
    ("limits", "requests_per_minute", 20, lambda provider: provider.requests_per_minute == 20),
    ("limits", "requests_per_hour", 300, lambda provider: provider.requests_per_hour == 300),
    ("limits", "tokens_per_minute", 90_000, lambda provider: provider.tokens_per_minute == 90_000),
    ("limits", "concurrent", 3, lambda provider: provider.concurrent == 3),
    ("patience", "connect_timeout", 1.5, lambda provider: provider.timeouts.connect == 1.5),
    ("patience", "first_token_timeout", 150, lambda provider: provider.timeouts.first_token == 150),
    ("patience", "idle_timeout", 12, lambda provider: provider.timeouts.idle == 12),
    ("patience", "total_timeout", 700, lambda provider: provider.timeouts.total == 700),
    ("patience", "attempts", 2, lambda provider: provider.attempts == 2),
    ("patience", "retry_base", 2.5, lambda provider: provider.backoff == Backoff(2.5, 4.0)),
    ("patience", "retry_longest", 30, lambda provider: provider.backoff == Backoff(0.5, 30)),
    *(
        ("limits", f"budget_{window.value}", 1.25, lambda provider, window=window: _budget(provider, window))
        for window in (Window.DAY, Window.WEEK, Window.MONTH, Window.TOTAL)
    ),
]
# What means something only together with another, or is somebody's id: each has a test of its own.
ELSEWHERE = {"users", "burst", "budget_only_warns"}


def _budget(provider: ProviderConfig, window: Window) -> bool:
    return provider.budgets == (Budget(window, 5 * PICODOLLARS_PER_DOLLAR // 4),)


def config(entry: MockConfigEntry) -> ProviderConfig:
    found: ProviderConfig = entry.runtime_data.router.config.providers[provider_id(entry, "Demo")]
    return found


async def test_all_fields_have_a_test(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.add(hass, entry, "demo")

    shown = {field["name"] for name in ("limits", "patience") for field in dialog.field(name)["schema"]}
    assert shown == {field for _, field, _, _ in TYPED} | ELSEWHERE


@pytest.mark.parametrize(("section", "field", "value", "holds"), TYPED, ids=[each[1] for each in TYPED])
async def test_a_limit_holds_and_is_shown_again(
    hass: HomeAssistant, entry: MockConfigEntry, section: str, field: str, value: Any, holds: Any
) -> None:
    await (await Dialog.add(hass, entry, "demo")).submit()
    before = config(entry)
    assert not holds(before)
    dialog = await Dialog.change(hass, entry, before.id)

    await dialog.submit(**{section: {field: value}})

    assert dialog.step == "reconfigure_successful"
    assert holds(config(entry))
    dialog = await Dialog.change(hass, entry, before.id)
    assert dialog.shown[section][field] == value

    await dialog.submit(**{section: {field: None}})

    assert config(entry) == before


async def test_a_burst_belongs_to_the_requests_of_a_minute(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await (await Dialog.add(hass, entry, "demo")).submit(limits={"burst": 4})

    assert (dialog.step, dialog.errors) == ("demo", {"limits": "burst_alone"})

    await dialog.submit(limits={"requests_per_minute": 30})

    assert dialog.step == "create_entry"
    assert (config(entry).requests_per_minute, config(entry).burst) == (30, 4)


async def test_no_longest_wait_is_shorter_than_the_first(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.add(hass, entry, "demo")

    await dialog.submit(patience={"retry_base": 5, "retry_longest": 4})

    assert (dialog.step, dialog.errors) == ("demo", {"patience": "retry_backwards"})


async def test_budgets_may_only_warn(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await (await Dialog.add(hass, entry, "demo")).submit(limits={"budget_day": 2, "budget_only_warns": True})

    assert config(entry).budgets == (Budget(Window.DAY, 2 * PICODOLLARS_PER_DOLLAR, hard=False),)


async def test_who_may_use_a_provider(hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: MockUser) -> None:
    dialog = await Dialog.add(hass, entry, "demo")
    users = next(field for field in dialog.field("limits")["schema"] if field["name"] == "users")
    assert hass_admin_user.id in {option["value"] for option in users["selector"]["select"]["options"]}

    await dialog.submit(limits={"users": [hass_admin_user.id]})

    assert config(entry).users == {hass_admin_user.id}

    await hass.auth.async_remove_user(hass_admin_user)
    dialog = await Dialog.change(hass, entry, config(entry).id)
    await dialog.submit(limits={"priority": 1})

    assert config(entry).users == {hass_admin_user.id}, "a provider kept to somebody who is gone is not everybody's"

    await (await Dialog.change(hass, entry, config(entry).id)).submit(limits={"users": []})

    assert config(entry).users is None


@pytest.mark.parametrize("users", [["nobody"], "nobody"])
async def test_only_people_of_the_house_may_be_named(hass: HomeAssistant, entry: MockConfigEntry, users: Any) -> None:
    dialog = await Dialog.add(hass, entry, "demo")

    with pytest.raises(InvalidData):
        await dialog.submit(limits={"users": users})

    assert not entry.subentries


async def test_a_limit_of_a_server_is_stored_as_a_whole_number(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await (await Dialog.add(hass, entry, "demo")).submit(limits={"tokens_per_minute": 9000.0, "concurrent": 2.0})

    data = stored(entry, "Demo")
    assert {type(data[name]) for name in ("tokens_per_minute", "concurrent")} == {int}
