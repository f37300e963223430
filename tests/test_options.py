"""The router's options: each arrives where it is read, at once and without a reload, and goes away when emptied."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.ai_router.flows.option_presets import PRESETS
from custom_components.ai_router.hub import Hub
from custom_components.ai_router.routing.budgets import AtCap, Budget
from custom_components.ai_router.routing.cache import CacheUse
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR as DOLLAR
from custom_components.ai_router.routing.tickets import Window
from custom_components.ai_router.settings import disk_cache_bytes, picture_size, retention_days

from .flows import Dialog, english, running
from .household import demo

type Look = Callable[[Hub], Any]


def of_config(name: str) -> Look:
    def look(hub: Hub) -> Any:
        found: Any = hub.router.config
        for part in name.split("."):
            found = getattr(found, part)
        return found

    return look


# The section, the field, what is typed, where it is read, and what is read there.
TYPED: list[tuple[str, str, Any, Look, Any]] = [
    ("routing", "strategy", "fastest", of_config("strategy"), "fastest"),
    ("routing", "failover", False, of_config("failover"), False),
    ("routing", "attempts", 7, of_config("attempts"), 7),
    ("routing", "retry_base", 1.5, of_config("backoff.base"), 1.5),
    ("routing", "retry_longest", 9, of_config("backoff.longest"), 9),
    ("routing", "timeout", 45, of_config("bounds.timeout"), 45),
    ("routing", "max_tokens", 250, of_config("max_output"), 250),
    ("routing", "reasoning_tokens", 9_000, of_config("reasoning_output"), 9_000),
    ("access", "local_only", True, of_config("local_only"), True),
    *(
        ("money", f"budget_{window.value}", 0.1, of_config("budgets"), (Budget(window, DOLLAR // 10),))
        for window in (Window.DAY, Window.WEEK, Window.MONTH, Window.TOTAL)
    ),
    ("money", "max_cost", 0.25, of_config("bounds.max_cost"), DOLLAR // 4),
    ("money", "unknown_price_hold", 0.0000001, of_config("unknown_price_hold"), 100_000),
    ("money", "at_cap", "local", of_config("at_cap"), AtCap.LOCAL),
    ("money", "alert_at", 60, of_config("alert_at"), 0.6),
    ("money", "worst_case", True, of_config("worst_case"), True),
    ("money", "week_start", "sunday", of_config("week_start"), 6),
    ("shares", "each_user_day", 1, of_config("user_budgets"), {"*": (Budget(Window.DAY, DOLLAR),)}),
    ("shares", "each_user_month", 9, of_config("user_budgets"), {"*": (Budget(Window.MONTH, 9 * DOLLAR),)}),
    (
        "shares",
        "label_budgets",
        [{"label": "door", "day": 0.5, "month": 2.0}, {"label": "tv", "month": 0.0}],
        of_config("label_budgets"),
        {
            "door": (Budget(Window.DAY, DOLLAR // 2), Budget(Window.MONTH, 2 * DOLLAR)),
            "tv": (Budget(Window.MONTH, 0),),
        },
    ),
    ("cache", "cache", "all", of_config("cache.use"), CacheUse.ALL),
    ("cache", "cache_minutes", 5, of_config("cache.ttl"), 300.0),
    ("cache", "cache_memory", 2, of_config("cache.max_bytes"), 2 * 1024 * 1024),
    ("health", "health_interval", 0, of_config("health_interval"), None),
    ("health", "degraded_errors", 10, of_config("health.degraded_share"), 0.1),
    ("health", "unhealthy_errors", 95, of_config("health.unhealthy_share"), 0.95),
    ("health", "slow_seconds", 7.5, of_config("health.slow_seconds"), 7.5),
    ("health", "breaker_ratio", 75, of_config("breaker.ratio"), 0.75),
    ("health", "breaker_growth", 1.5, of_config("breaker.growth"), 1.5),
    ("health", "breaker_probes", 3, of_config("breaker.probes"), 3),
    ("health", "breaker_models", 4, of_config("breaker.provider_targets"), 4),
    ("health", "breaker_failures", 2, of_config("breaker.failures"), 2),
    ("health", "breaker_seconds", 10, of_config("breaker.open_seconds"), 10),
    ("health", "breaker_longest", 900, of_config("breaker.longest_open_seconds"), 900),
    ("data", "retention_days", 30, lambda hub: retention_days(hub.entry.options), 30),
    ("data", "picture_size", 768, lambda hub: picture_size(hub.entry.options), 768),
    ("data", "completed_event", True, lambda hub: hub.entry.options["completed_event"], True),
    ("data", "delete_data", True, lambda hub: hub.entry.options["delete_data"], True),
]
# What needs another field beside it, or is a household's own: each has a test of its own.
ELSEWHERE = {
    *("budget_only_warns", "unknown_price", "users", "user_budgets", "cache_on_disk", "cache_disk"),
    "automations",
    "exact_tokens",  # in test_exact_tokens.py
}


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    return await running(hass, demo("01A", "Attic"))


async def test_all_fields_have_a_test(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.options(hass, entry)

    shown = {field["name"] for section in dialog.fields for field in section["schema"]}
    assert shown == {field for _, field, *_ in TYPED} | ELSEWHERE


@pytest.mark.parametrize(("section", "field", "value", "look", "read"), TYPED, ids=[each[1] for each in TYPED])
async def test_an_option_is_in_force_at_once_and_shown_again(
    hass: HomeAssistant, entry: MockConfigEntry, section: str, field: str, value: Any, look: Look, read: Any
) -> None:
    hub: Hub = entry.runtime_data
    await (await Dialog.options(hass, entry)).submit()
    before = hub.router.config
    if section != "data":
        assert look(hub) != read
    dialog = await Dialog.options(hass, entry)

    await dialog.submit(**{section: {field: value}})

    assert dialog.step == "create_entry"
    assert look(hub) == read
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown[section][field] == value

    await dialog.submit()

    assert look(hub) == read
    if field != "unknown_price_hold":
        await (await Dialog.options(hass, entry)).submit(**{section: {field: None}})
        assert hub.router.config == before


async def test_options_that_nobody_changed_change_nothing(hass: HomeAssistant) -> None:
    entry = await running(hass, of_a_later_version="x")
    before = entry.runtime_data.router.config

    await (await Dialog.options(hass, entry)).submit()

    assert entry.runtime_data.router.config == before
    assert entry.options["of_a_later_version"] == "x"


async def test_amounts_are_stored_without_loss_and_whole_numbers_as_such(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(
        routing={"timeout": 45.0, "max_tokens": 250.0}, money={"budget_day": 0.1, "max_cost": 0.0000001}
    )

    stored = entry.options
    assert (stored["budget_day"], stored["max_cost"]) == ("0.1", "0.0000001")
    assert {type(stored[name]) for name in ("timeout", "max_tokens", "cache_minutes", "alert_at")} == {int}


async def test_budgets_may_only_warn(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await (await Dialog.options(hass, entry)).submit(money={"budget_day": 2, "budget_only_warns": True})

    assert entry.runtime_data.router.config.budgets == (Budget(Window.DAY, 2 * DOLLAR, hard=False),)


async def test_an_amount_in_a_list_may_come_as_text(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await (await Dialog.options(hass, entry)).submit(shares={"label_budgets": [{"label": "door", "day": "1.50"}]})

    assert entry.options["label_budgets"] == {"door": {"day": "1.5"}}


async def test_who_may_ask_and_what_one_may_spend(
    hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: MockUser
) -> None:
    user = hass_admin_user.id
    await (await Dialog.options(hass, entry)).submit(
        access={"users": [user]},
        shares={"each_user_day": 1, "user_budgets": [{"user": user, "month": 3.5}]},
    )

    config = entry.runtime_data.router.config
    assert config.users == {user}
    assert config.user_budgets == {"*": (Budget(Window.DAY, DOLLAR),), user: (Budget(Window.MONTH, 7 * DOLLAR // 2),)}

    await hass.auth.async_remove_user(hass_admin_user)
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["shares"] == {"each_user_day": 1.0, "user_budgets": [{"user": user, "month": 3.5}]}
    (access,) = (field["schema"] for field in dialog.fields if field["name"] == "access")
    (people,) = (field["selector"]["select"]["options"] for field in access if field["name"] == "users")
    assert {each["value"]: each["label"] for each in people}[user] == f"Somebody who has gone ({user[:6]})"
    await dialog.submit()

    assert entry.runtime_data.router.config == config, "kept to somebody who is gone is not everybody's"

    await (await Dialog.options(hass, entry)).submit(access={"users": []}, shares={"user_budgets": []})

    assert entry.runtime_data.router.config.users is None
    assert entry.runtime_data.router.config.user_budgets == {"*": (Budget(Window.DAY, DOLLAR),)}


async def test_which_automations_may_ask(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    trigger = {"trigger": "event", "event_type": "go"}
    automations = [{"id": "1", "alias": "Night", "triggers": trigger, "actions": []}]
    assert await async_setup_component(hass, "automation", {"automation": automations})
    await (await Dialog.options(hass, entry)).submit(access={"automations": ["automation.night"]})
    registry = er.async_get(hass)
    night = registry.async_get("automation.night")
    assert night is not None

    config = entry.runtime_data.router.config
    assert (config.users, config.automations) == (None, {night.id})

    registry.async_update_entity("automation.night", new_entity_id="automation.late")
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["access"]["automations"] == ["automation.late"]
    await dialog.submit()
    assert entry.runtime_data.router.config == config, "a renamed automation stays meant"

    registry.async_remove("automation.late")
    await (await Dialog.options(hass, entry)).submit()
    assert entry.runtime_data.router.config == config, "kept to one that is gone is not for all"

    await (await Dialog.options(hass, entry)).submit(access={"automations": []})
    assert entry.runtime_data.router.config.automations is None


async def test_calls_of_unknown_price_can_be_refused_and_allowed_again(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(money={"unknown_price": "refuse", "unknown_price_hold": None})

    assert entry.options["unknown_price_hold"] is None
    assert entry.runtime_data.router.config.unknown_price_hold is None
    dialog = await Dialog.options(hass, entry)
    assert (dialog.shown["money"]["unknown_price"], dialog.shown["money"]["unknown_price_hold"]) == ("refuse", 0.05)

    await dialog.submit(money={"unknown_price": "ceiling", "unknown_price_hold": 0.2})

    assert entry.options["unknown_price_hold"] == "0.2"


async def test_answers_are_kept_on_disk_only_where_that_is_wanted(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hub: Hub = entry.runtime_data
    file = Path(hass.config.path(".storage", "ai_router", "cache.db"))
    await (await Dialog.options(hass, entry)).submit()
    assert (disk_cache_bytes(entry.options), hub.router.answers.store) == (None, None)

    await (await Dialog.options(hass, entry)).submit(cache={"cache_on_disk": True, "cache_disk": 3})

    assert disk_cache_bytes(entry.options) == 3 * 1024 * 1024
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hub.router.answers.store is not None
    assert await hass.async_add_executor_job(file.exists)

    await (await Dialog.options(hass, entry)).submit(cache={"cache": "off"})

    await hass.async_block_till_done(wait_background_tasks=True)
    assert (disk_cache_bytes(entry.options), hub.router.answers.store) == (None, None)
    assert not await hass.async_add_executor_job(file.exists), (
        "answers that nobody wants kept any more are not left lying about"
    )


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"money": {"unknown_price_hold": 0}}, {"money": "hold_missing"}),
        ({"money": {"unknown_price_hold": None}}, {"money": "hold_missing"}),
        ({"routing": {"retry_base": 5}}, {"routing": "retry_backwards"}),
        ({"routing": {"retry_base": 5, "retry_longest": None}}, {"routing": "retry_backwards"}),
        ({"health": {"breaker_longest": 59}}, {"health": "breaker_backwards"}),
        ({"health": {"unhealthy_errors": 19}}, {"health": "errors_backwards"}),
        ({"shares": {"label_budgets": [{"label": "tv"}]}}, {"shares": "amount_missing"}),
        ({"shares": {"label_budgets": [{"label": " ", "day": 1}]}}, {"shares": "amount_missing"}),
        ({"shares": {"label_budgets": [{"label": "tv", "day": float("nan")}]}}, {"shares": "amount_missing"}),
        (
            {"shares": {"label_budgets": [{"label": "tv", "day": 1}, {"label": "tv ", "month": 1}]}},
            {"shares": "amount_twice"},
        ),
        ({"access": {"local_only": True}, "data": {"exact_tokens": True}}, {"data": "exact_tokens_local"}),
    ],
)
async def test_what_does_not_fit_together_is_said_at_its_section(
    hass: HomeAssistant, entry: MockConfigEntry, typed: dict[str, Any], errors: dict[str, str]
) -> None:
    dialog = await Dialog.options(hass, entry)

    await dialog.submit(**typed, cache={"cache_minutes": 7})

    assert (dialog.step, dialog.errors) == ("settings", errors)
    assert dialog.shown["cache"]["cache_minutes"] == 7
    assert not entry.options


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("money", "budget_day", -1),
        ("money", "budget_day", float("nan")),
        ("money", "budget_month", float("inf")),
        ("money", "unknown_price_hold", float("nan")),
        ("money", "unknown_price", "free"),
        ("money", "alert_at", 0),
        ("routing", "timeout", 0),
        ("routing", "max_tokens", 0),
        ("routing", "strategy", "experiment"),
        ("access", "users", ["nobody"]),
        ("shares", "user_budgets", [{"user": "nobody", "day": 1}]),
        ("shares", "label_budgets", [{"label": "tv", "day": -1}]),
        ("cache", "cache", "sometimes"),
    ],
)
async def test_what_is_no_value_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, section: str, field: str, value: Any
) -> None:
    dialog = await Dialog.options(hass, entry)

    with pytest.raises(InvalidData):
        await dialog.submit(**{section: {field: value}})

    assert not entry.options


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_preset_fills_the_page_in_and_stores_nothing_by_itself(
    hass: HomeAssistant, entry: MockConfigEntry, preset: str
) -> None:
    await (await Dialog.options(hass, entry)).submit(
        access={"local_only": True}, money={"budget_week": 1, "unknown_price_hold": 0.3}
    )
    before = dict(entry.options)

    dialog = await Dialog.options(hass, entry, preset)

    assert dict(entry.options) == before
    for section, fields in PRESETS[preset].items():
        for field, value in fields.items():
            assert dialog.shown[section].get(field) == value
    assert (dialog.shown["access"], dialog.shown["money"]["unknown_price_hold"]) == ({"local_only": True}, 0.3)

    await dialog.submit()

    config = entry.runtime_data.router.config
    assert config.strategy == PRESETS[preset]["routing"]["strategy"]
    assert config.bounds.max_cost == round(PRESETS[preset]["money"]["max_cost"] * DOLLAR)
    assert {budget.window for budget in config.budgets} == (
        {Window.MONTH} if preset == "balanced" else {Window.DAY, Window.MONTH}
    )
    assert config.local_only


def test_every_error_has_its_sentence() -> None:
    assert set(english()["options"]["error"]) == {
        *("hold_missing", "exact_tokens_local", "retry_backwards", "breaker_backwards", "errors_backwards"),
        *("amount_missing", "amount_twice"),
        "unreadable",  # in test_stored_settings.py
    }
