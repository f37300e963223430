"""What is stored and is not what it should be: nothing fails, nothing is loosened, and Repairs names it."""

from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import DOMAIN, SUBENTRY_POOL, SUBENTRY_PROVIDER, SUBENTRY_RULE, Conf
from custom_components.ai_router.diagnostics import async_get_config_entry_diagnostics
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.providers.price_table import PriceTable
from custom_components.ai_router.providers.registry import ProviderSetup
from custom_components.ai_router.routing.budgets import AtCap, Budget
from custom_components.ai_router.routing.config import EACH_USER, RouterConfig
from custom_components.ai_router.routing.model import Op
from custom_components.ai_router.routing.money import to_picodollars
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Caller
from custom_components.ai_router.routing.router import Router
from custom_components.ai_router.routing.tickets import Window
from custom_components.ai_router.settings import Stored, router_config
from custom_components.ai_router.stored_settings import BUDGET_WINDOWS, NOBODY, read_options, read_subentry

from .flows import Dialog, english
from .household import ATTIC, CLOUD, FREE, ask, demo
from .routing.simulation import LoopClock, MemoryLedger, run
from .routing.simulation import ask as asked

MODEL = demo(ATTIC, "Attic").data["models"][0]
POOL, RULE = "01POOL", "01RULE"
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    0.5,
    2**63 - 1,
    float("nan"),
    float("inf"),
    "",
    "high",
    "NaN",
    "1e999999",
    "-5",
    [],
    ["a", 5],
    [["a"]],
    {},
    {"day": "much"},
    {"a": {"day": -1}},
    {"5": 6},
)
PROVIDER = {
    **demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}).data,
    "url": "http://localhost:1",
    "credential": "env:NOT_SET",
    "credential_since": "2026-11-01T00:00:00+00:00",
    "secrets": {},
    "enabled": True,
    "priority": 1,
    "weight": 1.0,
    "users": ["u"],
    "requests_per_minute": 5,
    "requests_per_hour": 50,
    "burst": 1,
    "tokens_per_minute": 9_000,
    "concurrent": 2,
    "connect_timeout": 1.0,
    "first_token_timeout": 1.0,
    "idle_timeout": 1.0,
    "total_timeout": 9.0,
    "attempts": 2,
    "retry_base": 0.1,
    "retry_longest": 1.0,
    "budget_day": "1",
    "budget_week": "2",
    "budget_month": "3",
    "budget_total": "4",
    "budget_only_warns": False,
}
POOL_DATA = {
    "members": [{"provider": ATTIC, "weight": 1.0}],
    "strategy": "priority",
    "fallback": "01GONE",
    "at_cap": "01GONE",
    "local_only": True,
    "max_cost": "0.5",
    "budget_day": "1",
    "budget_only_warns": False,
}
RULE_DATA = {
    "when": {"labels": ["door"]},
    "priority": 1,
    "enabled": True,
    "pool": POOL,
    "providers": [ATTIC],
    "local_only": True,
    "max_cost": "0.5",
    "timeout": 5,
    "max_tokens": 100,
}
OPTIONS = {
    "strategy": "priority",
    "failover": True,
    "attempts": 2,
    "retry_base": 0.1,
    "retry_longest": 1.0,
    "timeout": 60,
    "max_tokens": 100,
    "reasoning_tokens": 100,
    "users": ["u"],
    "automations": ["a"],
    "local_only": True,
    "max_cost": "0.5",
    "budget_day": "1",
    "budget_week": "2",
    "budget_month": "3",
    "budget_total": "4",
    "budget_only_warns": False,
    "unknown_price_hold": None,
    "at_cap": "refuse",
    "alert_at": 80,
    "worst_case": True,
    "week_start": "monday",
    "user_budgets": {"u": {"day": "1"}},
    "label_budgets": {"door": {"month": "1"}},
    "cache": "off",
    "cache_minutes": 5,
    "cache_memory": 5,
    "cache_on_disk": False,
    "cache_disk": 5,
    "health_interval": 0,
    "degraded_errors": 10,
    "unhealthy_errors": 50,
    "slow_seconds": 5,
    "breaker_failures": 5,
    "breaker_ratio": 50,
    "breaker_growth": 2,
    "breaker_probes": 1,
    "breaker_models": 2,
    "breaker_seconds": 30,
    "breaker_longest": 60,
    "retention_days": 400,
    "picture_size": 1_024,
    "exact_tokens": False,
    "completed_event": False,
    "delete_data": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0", "1.5", "u"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def subentry(subentry_id: str, subentry_type: str, data: Mapping[str, Any]) -> ConfigSubentryData:
    title = f"{subentry_type} {subentry_id}"
    return ConfigSubentryData(
        data=dict(data), subentry_id=subentry_id, subentry_type=subentry_type, title=title, unique_id="the same"
    )


def entry_of(options: Mapping[str, Any], *subentries: ConfigSubentryData) -> MockConfigEntry:
    return MockConfigEntry(domain=DOMAIN, title="AI Router", options=options, subentries_data=subentries)


def read(options: Mapping[str, Any] = MappingProxyType({}), *subentries: ConfigSubentryData) -> RouterConfig:
    """Return the core's configuration; every provider that can be read is simulated."""
    stored = Stored.of(entry_of(options, *subentries))
    clients = {
        each.subentry_id: Demo(ProviderSetup(id=each.subentry_id, kind="demo"))
        for each, read_settings in stored.of_type(SUBENTRY_PROVIDER)
        if not read_settings.unreadable
    }
    return router_config(stored, clients, "Europe/Amsterdam", PriceTable())


def works(config: RouterConfig) -> None:
    """Let a router plan by a configuration; only a refusal in words may come of it."""

    async def main(clock: LoopClock) -> None:
        router = Router(clock, MemoryLedger())
        router.apply(config)
        for caller in (Caller(), Caller(user_id="u")):
            for label in (None, "door"):
                try:
                    router.plan(asked(caller=caller, label=label))
                    await router.process(asked(caller=caller, label=label))
                except RequestFailed:
                    continue
        await router.close(0)

    run(main)


# --- whatever is stored ------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(OPTIONS)), JSON | st.sampled_from(ODD))
def test_no_option_stops_the_router_or_loosens_what_it_may_do(name: str, value: Any) -> None:
    config = read({**OPTIONS, name: value}, subentry(ATTIC, SUBENTRY_PROVIDER, PROVIDER))
    unreadable = read_options({**OPTIONS, name: value}).unreadable

    assert unreadable in ((), (name,))
    assert config.local_only is (value is not False if name == "local_only" else True)
    strict = read(OPTIONS)
    if unreadable:
        closed = {budget.window: budget.limit for budget in config.budgets if budget.hard}
        for budget in strict.budgets:
            assert closed[budget.window] <= budget.limit
        assert config.bounds.max_cost is not None
        assert config.bounds.max_cost <= to_picodollars("0.5")
        assert config.users is not None
        assert config.users <= {"u", NOBODY}
        assert config.automations is not None
        assert config.automations <= {"a", NOBODY}
        assert config.unknown_price_hold is None
        assert config.at_cap is AtCap.REFUSE
        assert config.worst_case
        assert (
            "u" in config.user_budgets
            or config.user_budgets
            == {
                EACH_USER: (Budget(Window.DAY, 0),),
            }
            or name == "user_budgets"
        )
    works(config)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PROVIDER)), JSON | st.sampled_from(ODD))
def test_a_provider_is_used_as_it_is_stored_or_not_at_all(name: str, value: Any) -> None:
    data = {**PROVIDER, name: value}
    config = read({}, subentry(ATTIC, SUBENTRY_PROVIDER, data), subentry(CLOUD, SUBENTRY_PROVIDER, PROVIDER))

    assert CLOUD in config.providers
    assert (ATTIC in config.providers) is not bool(read_subentry(SUBENTRY_PROVIDER, data).unreadable)
    works(config)


_FIELDS = sorted({*MODEL, "own", "listed", "retires"})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_FIELDS), JSON | st.sampled_from(ODD))
def test_a_model_is_local_only_where_it_says_so(name: str, value: Any) -> None:
    data = {**PROVIDER, "models": [{**MODEL, "local": False, name: value}]}
    config = read({}, subentry(ATTIC, SUBENTRY_PROVIDER, data))

    for provider in config.providers.values():
        says_so = value is True if name == "local" else isinstance(value, dict) and value.get("local") is True
        assert provider.models[0].local is says_so
    works(config)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(RULE_DATA)), JSON | st.sampled_from(ODD))
def test_a_rule_holds_however_it_is_stored(name: str, value: Any) -> None:
    data = {**RULE_DATA, name: value}
    (rule,) = read({}, subentry(RULE, SUBENTRY_RULE, data)).rules
    unreadable = read_subentry(SUBENTRY_RULE, data).unreadable

    assert rule.enabled is (name != "enabled" or value is not False)
    assert rule.local_only is (name != "local_only" or value is not False)
    if unreadable:
        assert rule.bounds.max_cost is not None
        assert rule.bounds.max_cost <= to_picodollars("0.5")
        assert rule.when is None or name != "when"
        assert name not in {"pool", "providers", "timeout", "max_tokens"} or rule.providers == (NOBODY,)
    works(read({}, subentry(ATTIC, SUBENTRY_PROVIDER, PROVIDER), subentry(RULE, SUBENTRY_RULE, data)))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(POOL_DATA)), JSON | st.sampled_from(ODD))
def test_a_pool_is_used_as_it_is_stored_or_not_at_all(name: str, value: Any) -> None:
    data = {**POOL_DATA, name: value}
    stored = (subentry(ATTIC, SUBENTRY_PROVIDER, PROVIDER), subentry(RULE, SUBENTRY_RULE, RULE_DATA))
    config = read({}, *stored, subentry(POOL, SUBENTRY_POOL, data))

    assert (POOL in config.pools) is not bool(read_subentry(SUBENTRY_POOL, data).unreadable)
    works(config)


# --- single values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["much", -1, "-1", "NaN", float("nan"), "inf", "1e99", True, [], {}, ""])
@pytest.mark.parametrize("name", [*BUDGET_WINDOWS])
def test_a_budget_that_cannot_be_read_lets_nothing_through(name: Conf, value: Any) -> None:
    config = read({name: value})

    assert config.budgets == (Budget(BUDGET_WINDOWS[name], 0, hard=True),)


@pytest.mark.parametrize("value", ["5", 5, 5.0, "5.00", 0.000001])
def test_an_amount_may_be_text_or_a_number(value: Any) -> None:
    assert read({"budget_month": value}).budgets == (Budget(Window.MONTH, to_picodollars(value)),)


@pytest.mark.parametrize("value", ["no", 0, 1, None, "false", []])
def test_what_is_no_switch_keeps_everything_in_the_house(value: Any) -> None:
    assert read({"local_only": value}).local_only


@pytest.mark.parametrize(
    ("name", "value", "users", "labels", "day"),
    [
        ("user_budgets", {"u": {"day": "1"}, "v": {"day": "x"}}, {"u": 1, "v": 0}, {}, None),
        ("user_budgets", {"u": {"week": "1"}}, {"u": 0}, {}, None),
        ("user_budgets", ["u"], {EACH_USER: 0}, {}, None),
        ("label_budgets", {"door": {"day": "1"}, "cat": 5}, {}, {"door": 1, "cat": 0}, None),
        ("label_budgets", "door", {}, {}, 0),
    ],
)
def test_whose_budget_cannot_be_read_spends_nothing(
    name: str, value: Any, users: dict[str, int], labels: dict[str, int], day: int | None
) -> None:
    config = read({name: value})

    def limits(found: Mapping[str, tuple[Budget, ...]]) -> dict[str, int]:
        return {whose: budget.limit // 10**12 for whose, (budget,) in found.items()}

    assert (limits(config.user_budgets), limits(config.label_budgets)) == (users, labels)
    assert [budget.limit for budget in config.budgets] == ([] if day is None else [day])


def test_what_is_not_known_is_left_alone() -> None:
    data = {**PROVIDER, "of_a_later_version": {"a": 1}, "models": [{**MODEL, "later": 1, "own": {"later": 1}}]}

    assert not read_subentry(SUBENTRY_PROVIDER, data).unreadable
    assert read_subentry(SUBENTRY_PROVIDER, data).safe["of_a_later_version"] == {"a": 1}


def test_what_this_version_stores_can_be_read() -> None:
    assert not read_options(OPTIONS).unreadable
    for subentry_type, data in (
        (SUBENTRY_PROVIDER, PROVIDER),
        (SUBENTRY_POOL, POOL_DATA),
        (SUBENTRY_RULE, RULE_DATA),
    ):
        assert not read_subentry(subentry_type, data).unreadable
    (rule,) = read({}, subentry(RULE, SUBENTRY_RULE, RULE_DATA)).rules
    assert rule.when is not None
    assert rule.when.ops == frozenset[Op]()


def test_a_provider_in_another_zone_is_no_matter() -> None:
    assert read({}).zone is not UTC


# --- in a house --------------------------------------------------------------------------------------


def issue(hass: HomeAssistant, about: str) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"settings_unreadable_{about}")


async def start(hass: HomeAssistant, options: Mapping[str, Any], *subentries: ConfigSubentryData) -> MockConfigEntry:
    entry = entry_of(options, *subentries)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


SOUND = subentry(CLOUD, SUBENTRY_PROVIDER, demo(CLOUD, "Cloud", prices=FREE, options={"latency": 0}).data)


@pytest.mark.parametrize("value", ODD, ids=str)
async def test_every_setting_at_once_stops_nobody_else(hass: HomeAssistant, value: Any) -> None:
    """One provider, one pool, one rule for each of their settings, and the odd value in that setting."""
    odd = [
        subentry(f"{subentry_type}_{name}", subentry_type, {**data, name: value})
        for subentry_type, data in ((SUBENTRY_PROVIDER, PROVIDER), (SUBENTRY_POOL, POOL_DATA))
        for name in data
        # The name of a strategy may be one that another integration brings.
        if name != "strategy" or not isinstance(value, str)
    ]
    # Rules that cannot be read are about everything: this one is about a label.
    odd += [subentry(f"rule_{name}", SUBENTRY_RULE, {**RULE_DATA, name: value}) for name in RULE_DATA if name != "when"]

    entry = await start(hass, {}, SOUND, *odd)

    assert entry.state is ConfigEntryState.LOADED
    assert (await ask(entry, CLOUD)).text.startswith("Demo answer")
    hub = entry.runtime_data
    for about, names in hub.unreadable.items():
        shown = issue(hass, about)
        assert shown is not None
        assert (shown.translation_placeholders or {})["settings"] == ", ".join(names)
        assert shown.translation_key in english()["issues"]
        assert about not in hub.router.config.providers
        assert about not in hub.router.config.pools
    assert await async_get_config_entry_diagnostics(hass, entry)
    for subentry_id, each in entry.subentries.items():
        change = Dialog.change if each.subentry_type == SUBENTRY_PROVIDER else Dialog.alter
        assert (await change(hass, entry, subentry_id)).step in {"demo", "kind_unknown", "reconfigure"}
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("value", ODD, ids=str)
async def test_every_option_at_once(hass: HomeAssistant, value: Any) -> None:
    options = dict.fromkeys(OPTIONS, value)
    if isinstance(value, str):  # the name of a strategy may be one that another integration brings
        options["strategy"] = "priority"
    entry = await start(hass, options, SOUND)

    assert entry.state is ConfigEntryState.LOADED
    unreadable = entry.runtime_data.unreadable.get("", ())
    shown = issue(hass, "router")
    assert (shown is not None) is bool(unreadable)
    assert (await Dialog.options(hass, entry)).step == "settings"


@pytest.mark.parametrize(
    ("data", "setting"),
    [
        ({"priority": "high"}, "priority"),
        ({"weight": None}, "weight"),
        ({"models": "many"}, "models"),
        ({"models": [{"id": "x"}]}, "models"),
        ({"kind": ["demo"]}, "kind"),
        ({"budget_day": -1}, "budget_day"),
        ({"concurrent": "two"}, "concurrent"),
        ({"options": {"latency": "long"}}, "options"),
        ({"secrets": ["a"]}, "secrets"),
    ],
)
async def test_a_provider_that_cannot_be_read_is_named_and_mended_by_reconfiguring(
    hass: HomeAssistant, data: dict[str, Any], setting: str
) -> None:
    stored = subentry(ATTIC, SUBENTRY_PROVIDER, {**demo(ATTIC, "Attic", prices=FREE).data, **data})
    entry = await start(hass, {}, stored, SOUND)

    shown = issue(hass, ATTIC)
    assert shown is not None
    assert shown.translation_placeholders == {"name": "provider 01ATTIC", "settings": setting}
    assert ATTIC not in entry.runtime_data.router.config.providers
    assert (await ask(entry)).target.provider_id == CLOUD

    form = await Dialog.change(hass, entry, ATTIC)
    if setting == "kind":
        assert form.step == "kind_unknown"
        return
    assert (await form.submit(latency=0)).step == "reconfigure_successful"
    await hass.async_block_till_done()

    assert issue(hass, ATTIC) is None
    assert (await ask(entry, ATTIC)).target.provider_id == ATTIC


async def test_options_that_cannot_be_read_are_mended_by_saving_them(hass: HomeAssistant) -> None:
    entry = await start(hass, {"budget_month": "much", "local_only": "no", "timeout": 5}, SOUND)
    config = entry.runtime_data.router.config
    assert config.local_only
    assert config.budgets == (Budget(Window.MONTH, 0),)
    assert config.bounds.timeout == 5
    assert issue(hass, "router") is not None

    await (await Dialog.options(hass, entry)).submit()  # nobody has looked at it

    assert entry.options["local_only"] is True
    assert entry.options["budget_month"] == "0"
    await hass.async_block_till_done()
    assert issue(hass, "router") is None


@pytest.mark.parametrize("value", ODD, ids=str)
async def test_options_that_nobody_looked_at_are_no_looser_when_saved(hass: HomeAssistant, value: Any) -> None:
    entry = await start(hass, {}, SOUND)
    for name in OPTIONS:
        stored = {**OPTIONS, "automations": ["automation.night"], name: value}
        hass.config_entries.async_update_entry(entry, options=stored)
        await hass.async_block_till_done()
        if not entry.runtime_data.unreadable:
            continue
        before = entry.runtime_data.router.config
        form = await Dialog.options(hass, entry)
        assert set(form.errors.values()) == {"unreadable"}, name
        (section,) = form.errors
        assert name in {field["name"] for field in form.field(section)["schema"]}

        await form.submit()  # nobody has looked at it

        assert form.step == "create_entry", (name, form.errors)
        assert entry.runtime_data.router.config == before, name
        assert not entry.runtime_data.unreadable


@pytest.mark.parametrize("value", [5, "u", {"u": 1}, [5], [["u"]]], ids=str)
@pytest.mark.parametrize("name", ["users", "automations"])
async def test_who_may_ask_is_everybody_only_where_somebody_says_so(hass: HomeAssistant, name: str, value: Any) -> None:
    entry = await start(hass, {name: value}, SOUND)
    stranger = Caller(user_id="u", automation="a")

    form = await Dialog.options(hass, entry)
    await form.submit()
    with pytest.raises(RequestFailed):
        entry.runtime_data.router.plan(asked(caller=stranger))

    form = await Dialog.options(hass, entry)
    assert not form.errors
    await form.submit(access={name: []})
    assert entry.runtime_data.router.plan(asked(caller=stranger)).candidates


@pytest.mark.parametrize("value", ODD, ids=str)
async def test_a_rule_that_nobody_looked_at_is_no_looser_when_saved(hass: HomeAssistant, value: Any) -> None:
    entry = await start(hass, {}, SOUND)
    for name in RULE_DATA:
        data = {**RULE_DATA, "providers": [CLOUD], "pool": None, name: value}
        if not read_subentry(SUBENTRY_RULE, data).unreadable:
            continue
        rule = ConfigSubentry(
            data=MappingProxyType(data),
            subentry_id=f"rule_{name}",
            subentry_type=SUBENTRY_RULE,
            title=name,
            unique_id=None,
        )
        hass.config_entries.async_add_subentry(entry, rule)
        await hass.async_block_till_done()
        (before,) = entry.runtime_data.router.config.rules

        form = await Dialog.alter(hass, entry, rule.subentry_id)
        await form.submit()

        if form.errors:
            assert form.errors == {"when": "no_condition"}, "about all requests only where somebody says so"
        else:
            assert entry.runtime_data.router.config.rules == (before,), name
            assert not entry.runtime_data.unreadable
        hass.config_entries.async_remove_subentry(entry, rule.subentry_id)
        await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("name", "loosest"),
    [
        ("users", frozenset({NOBODY})),
        ("enabled", False),
        *((name, 1) for name in ("requests_per_minute", "requests_per_hour", "tokens_per_minute", "concurrent")),
    ],
)
async def test_a_provider_that_nobody_looked_at_is_no_looser_when_saved(
    hass: HomeAssistant, name: str, loosest: Any
) -> None:
    data = {**demo(ATTIC, "Attic", prices=FREE).data, name: {"odd": 1}}
    entry = await start(hass, {}, subentry(ATTIC, SUBENTRY_PROVIDER, data), SOUND)
    assert ATTIC not in entry.runtime_data.router.config.providers

    form = await Dialog.change(hass, entry, ATTIC)
    assert (await form.submit(latency=0)).step == "reconfigure_successful"
    await hass.async_block_till_done()

    assert issue(hass, ATTIC) is None
    assert getattr(entry.runtime_data.router.config.providers[ATTIC], name) == loosest


async def test_an_entry_that_becomes_unreadable_while_it_runs(hass: HomeAssistant) -> None:
    entry = await start(hass, {}, SOUND)
    cloud = entry.subentries[CLOUD]

    hass.config_entries.async_update_subentry(entry, cloud, data={**cloud.data, "priority": "high"})
    await hass.async_block_till_done()

    assert issue(hass, CLOUD) is not None
    with pytest.raises(RequestFailed):
        await ask(entry, CLOUD)
    hass.config_entries.async_update_subentry(entry, cloud, data={**cloud.data, "priority": 5})
    await hass.async_block_till_done()
    assert issue(hass, CLOUD) is None
    assert (await ask(entry, CLOUD)).text.startswith("Demo answer")
