"""The sensors in a real Home Assistant, fed by real requests and compared with the ledger on disk."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components.ai_router as integration
from custom_components.ai_router.const import Conf
from custom_components.ai_router.providers.registry import KINDS
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.health import REASONS
from custom_components.ai_router.routing.money import to_dollars
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.sensor import POOL_SENSORS, PROVIDER_SENSORS, ROUTER_SENSORS, SHARED_SENSORS

from .fakes.faults import Fault, How
from .fakes.openai_compatible import FakeOpenAI
from .household import ATTIC, CLOUD, ENTRY_ID, FREE, ask, ask_in_vain, demo, move_in, pass_time, shown
from .servers import at_server

# Noon in the test household's zone, eight hours behind UTC.
pytestmark = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")


@pytest.fixture
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the noisy sensors too, as a household may."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


def written_as(dollars: Decimal) -> str:
    return f"{dollars:f}"


async def in_the_ledger(entry: MockConfigEntry, from_day: str, to_day: str) -> dict[str, Decimal]:
    """Sum up on disk what every provider has cost."""
    ledger = entry.runtime_data.ledger
    await ledger.flush()
    return {row.key[0]: to_dollars(row.cost) for row in await ledger.usage(from_day, to_day, ["provider_id"])}


async def test_noisy_sensors_are_disabled_by_default(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, entity_registry: er.EntityRegistry
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))

    registered = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    disabled = {
        each.unique_id
        for each in registered
        if each.domain == "sensor" and each.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    }
    shared = ("cost_total", "tokens_today", "under_way")
    own = ("attempts_today", "own_requests_left", "own_tokens_left", "credential_since", "last_error")
    assert disabled == {
        *(f"{device}_{key}" for device in (ENTRY_ID, ATTIC) for key in shared),
        *(f"{ATTIC}_{key}" for key in own),
        *(f"{ENTRY_ID}_{key}" for key in ("cache_hit_rate", "cache_saved", "queued")),
    }


# --- money ---------------------------------------------------------------------------------------


async def test_costs_equal_the_ledger_to_the_last_digit(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(
        hass,
        freezer,
        demo(ATTIC, "Attic", prices=("0.123457", "7.654321")),
        demo(CLOUD, "Cloud", prices=("31.000001", "0")),
    )
    for number in range(30):
        await ask(entry, ATTIC, "word " * (number + 1))
        await ask(entry, CLOUD, "word " * (2 * number + 1))
    await pass_time(hass, freezer)

    costs = await in_the_ledger(entry, "2026-11-21", "2026-11-21")
    assert costs.keys() == {ATTIC, CLOUD}
    assert min(costs.values()) > 0
    for span in ("today", "this_month"):
        assert shown(hass, f"attic_cost_{span}").state == written_as(costs[ATTIC])
        assert shown(hass, f"cloud_cost_{span}").state == written_as(costs[CLOUD])
        assert shown(hass, f"ai_router_cost_{span}").state == written_as(costs[ATTIC] + costs[CLOUD])
    assert shown(hass, "ai_router_requests_today").state == "60"


@pytest.mark.parametrize(("per_million", "state"), [("0.1", "0.0000001"), ("0.000001", "0.000000000001")])
async def test_small_costs_are_written_out(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, per_million: str, state: str
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=(per_million, "0")))
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)

    assert shown(hass, "attic_cost_today").state == state
    assert shown(hass, "ai_router_cost_this_month").state == state


async def test_budget_used_is_the_fuller_windows_share(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    budgets = {Conf.BUDGET_DAY.value: "1", Conf.BUDGET_MONTH.value: "0.2"}
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", prices=("1000", "0"), **budgets), demo(CLOUD, "Cloud"), budget_day="0.5"
    )
    assert shown(hass, "attic_budget_used").state == "0.0"

    await ask(entry, ATTIC)  # one token: 0.001 dollars
    await pass_time(hass, freezer)

    assert shown(hass, "attic_budget_used").state == "0.5"
    assert shown(hass, "cloud_budget_used").state == STATE_UNKNOWN
    assert shown(hass, "ai_router_budget_used").state == "0.2"


async def test_costs_and_requests_begin_anew_at_the_households_midnight(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to("2026-12-01 07:59:50+00:00")  # the last seconds of November
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=("1000", "0")))
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)
    for sensor in ("attic_cost_today", "attic_cost_this_month", "ai_router_cost_today"):
        assert shown(hass, sensor).state == "0.001"
    assert shown(hass, "attic_cost_today").attributes["last_reset"] == "2026-11-30T08:00:00+00:00"
    assert shown(hass, "attic_cost_this_month").attributes["last_reset"] == "2026-11-01T07:00:00+00:00"
    assert shown(hass, "ai_router_requests_today").state == "1"

    await pass_time(hass, freezer, 15)  # nobody asks anything

    for sensor in ("attic_cost_today", "attic_cost_this_month", "ai_router_cost_today", "ai_router_cost_this_month"):
        assert shown(hass, sensor).state == "0"
        assert shown(hass, sensor).attributes["last_reset"] == "2026-12-01T08:00:00+00:00"
    requests = shown(hass, "ai_router_requests_today")
    assert (requests.state, requests.attributes["last_reset"]) == ("0", "2026-12-01T08:00:00+00:00")

    await pass_time(hass, freezer, 24 * 3600)
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)
    assert shown(hass, "attic_cost_today").attributes["last_reset"] == "2026-12-02T08:00:00+00:00"
    assert shown(hass, "attic_cost_this_month").attributes["last_reset"] == "2026-12-01T08:00:00+00:00"
    assert shown(hass, "ai_router_requests_today").state == "1"


async def test_a_restart_keeps_what_was_spent_and_counted(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    settings = {Conf.BUDGET_DAY.value: "10"}
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", **settings), demo(CLOUD, "Cloud"))
    for provider_id in (ATTIC, ATTIC, CLOUD):
        await ask(entry, provider_id, "a few words")
    await pass_time(hass, freezer)
    before = {state.entity_id: (state.state, dict(state.attributes)) for state in hass.states.async_all("sensor")}
    assert before["sensor.attic_success_rate"][0] == "100.0"
    assert before["sensor.attic_requests_in_the_last_minute"][0] == "2"

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert {state.state for state in hass.states.async_all("sensor")} == {STATE_UNAVAILABLE}
    assert await hass.config_entries.async_setup(entry.entry_id)
    await pass_time(hass, freezer)

    after = {state.entity_id: (state.state, dict(state.attributes)) for state in hass.states.async_all("sensor")}
    assert after == before


async def test_the_router_succeeds_where_another_provider_makes_it_good(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    dead = demo(ATTIC, "Attic", priority=9, options={"success_rate": 0, "latency": 0, "error": "overloaded"})
    entry = await move_in(hass, freezer, dead, demo(CLOUD, "Cloud"))
    for _ in range(3):
        await ask(entry)
    await pass_time(hass, freezer)
    assert shown(hass, "attic_success_rate").state == "0.0"
    assert shown(hass, "ai_router_success_rate").state == "100.0"

    await ask_in_vain(entry, ATTIC)
    await pass_time(hass, freezer)
    assert shown(hass, "ai_router_success_rate").state == "75.0"

    assert await hass.config_entries.async_reload(entry.entry_id)
    await pass_time(hass, freezer)
    assert shown(hass, "ai_router_success_rate").state == "75.0"


# --- how providers do ----------------------------------------------------------------------------


def change_options(hass: HomeAssistant, entry: MockConfigEntry, provider_id: str, **options: Any) -> None:
    subentry = entry.subentries[provider_id]
    hass.config_entries.async_update_subentry(
        entry, subentry, data={**subentry.data, Conf.OPTIONS.value: {**subentry.data[Conf.OPTIONS], **options}}
    )


@pytest.mark.usefixtures("all_enabled")
async def test_a_provider_that_is_down_shows_it_and_keeps_its_costs(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=("1000", "0"), budget_day="1"))
    hub = entry.runtime_data
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)
    health = shown(hass, "attic_health")
    assert (health.state, health.attributes["reason"]) == ("healthy", None)
    assert shown(hass, "attic_last_error").state == STATE_UNKNOWN

    change_options(hass, entry, ATTIC, success_rate=0, error="network")
    await hass.async_block_till_done()
    for _ in range(5):
        await ask_in_vain(entry, ATTIC)
    await pass_time(hass, freezer)

    health = shown(hass, "attic_health")
    assert (health.state, health.attributes["reason"]) == ("unhealthy", "breaker_open")
    assert shown(hass, "attic_circuit_breaker").state == "open"
    assert shown(hass, "attic_last_error").state == "network"
    assert shown(hass, "attic_success_rate").state == "16.7"  # one of six
    assert shown(hass, "attic_cost_today").state == "0.001"
    assert shown(hass, "attic_budget_used").state == "0.1"

    await pass_time(hass, freezer, 75)  # the breaker lets a probe through, which only time tells

    health = shown(hass, "attic_health")
    assert (health.state, health.attributes["reason"]) == ("degraded", "probing")
    assert shown(hass, "attic_circuit_breaker").state == "half_open"
    assert shown(hass, "attic_requests_in_the_last_minute").state == "0"

    change_options(hass, entry, ATTIC, success_rate=1)
    await pass_time(hass, freezer)

    assert shown(hass, "attic_circuit_breaker").state == "closed"
    assert entry.runtime_data is hub


@pytest.mark.usefixtures("all_enabled")
async def test_what_a_provider_tells_of_its_own_limits_is_gone_while_it_cannot_be_asked(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, ATTIC, "Attic", prices=FREE))
    for sensor in ("requests", "tokens"):
        left = shown(hass, f"attic_{sensor}_left_by_its_own_count")
        assert (left.state, left.attributes.get("limit")) == (STATE_UNKNOWN, None)
    told = {"limit-requests": "60", "remaining-requests": "59", "reset-requests": "30s", "remaining-tokens": "1234"}
    server.fault = Fault(How.SLOW, headers={f"x-ratelimit-{name}": value for name, value in told.items()})

    await ask(entry, ATTIC)
    await pass_time(hass, freezer)

    left = shown(hass, "attic_requests_left_by_its_own_count")
    assert (left.state, left.attributes["limit"], left.attributes["unit_of_measurement"]) == ("59", 60, "requests")
    assert left.attributes["reset"].startswith("2026-11-21T20:00:3")
    assert shown(hass, "attic_tokens_left_by_its_own_count").state == "1234"
    assert shown(hass, "attic_tokens_left_by_its_own_count").attributes["reset"] is None

    await server.stop()
    for _ in range(5):
        await ask_in_vain(entry, ATTIC)
    await pass_time(hass, freezer)

    assert shown(hass, "attic_health").state == "unhealthy"
    assert shown(hass, "attic_requests_left_by_its_own_count").state == STATE_UNAVAILABLE
    assert shown(hass, "attic_tokens_left_by_its_own_count").state == STATE_UNAVAILABLE
    assert shown(hass, "attic_cost_today").state == "0"
    assert shown(hass, "attic_requests_today").state == "6"


@pytest.mark.parametrize(
    ("error", "health", "reason"), [("credential", "unhealthy", "credential"), ("rate_limit", "degraded", "rate_limit")]
)
async def test_health_tells_why_a_provider_is_set_aside(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, error: str, health: str, reason: str
) -> None:
    ill = demo(ATTIC, "Attic", prices=FREE, options={"success_rate": 0, "error": error})
    entry = await move_in(hass, freezer, ill)
    await ask_in_vain(entry, ATTIC)
    await pass_time(hass, freezer)

    state = shown(hass, "attic_health")
    assert (state.state, state.attributes["reason"]) == (health, reason)


@pytest.mark.usefixtures("all_enabled")
async def test_requests_under_way_are_counted(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", prices=FREE, options={"latency": 30}), demo(CLOUD, "Cloud")
    )
    await pass_time(hass, freezer)
    asking = [asyncio.create_task(ask(entry, ATTIC)) for _ in range(3)]
    await pass_time(hass, freezer)

    assert shown(hass, "attic_requests_under_way").state == "3"
    assert shown(hass, "cloud_requests_under_way").state == "0"
    assert shown(hass, "ai_router_requests_under_way").state == "3"

    await pass_time(hass, freezer, 30)
    await asyncio.gather(*asking)
    await pass_time(hass, freezer)
    assert shown(hass, "attic_requests_under_way").state == "0"
    assert shown(hass, "ai_router_requests_under_way").state == "0"
    assert float(shown(hass, "attic_latency").state) >= 30


async def test_tokens_of_the_last_minute_stand_beside_their_limit(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """Under way they count what they claim, ended what the ledger has, also after a restart; then they go by themselves."""
    slow = demo(ATTIC, "Attic", prices=FREE, options={"latency": 10}, tokens_per_minute=9_000)
    entry = await move_in(hass, freezer, slow, demo(CLOUD, "Cloud", options={"latency": 0}))

    def tokens(name: str) -> tuple[str, int | None]:
        state = shown(hass, f"{name}_tokens_in_the_last_minute")
        assert state.attributes["unit_of_measurement"] == "tokens"
        return state.state, state.attributes["limit"]

    assert (tokens("attic"), tokens("cloud")) == (("0", 9_000), ("0", None))
    asking = asyncio.create_task(ask(entry, ATTIC, "a few words"))
    await pass_time(hass, freezer)
    (ticket,) = entry.runtime_data.router.admission.open_tickets
    assert ticket.tokens > 1_000  # what a question may get for an answer
    assert tokens("attic") == (str(ticket.tokens), 9_000)

    await pass_time(hass, freezer, 10)
    await asking
    for number in range(3):
        await ask(entry, CLOUD, "word " * (number + 1))
    await pass_time(hass, freezer)
    await entry.runtime_data.ledger.flush()
    rows = await entry.runtime_data.ledger.usage("2026-11-21", "2026-11-21", ["provider_id"])
    used = {row.key[0]: row.input_tokens + row.output_tokens for row in rows}
    assert 0 < used[ATTIC] < used[CLOUD] < ticket.tokens
    assert (tokens("attic"), tokens("cloud")) == ((str(used[ATTIC]), 9_000), (str(used[CLOUD]), None))

    assert await hass.config_entries.async_reload(entry.entry_id)
    await pass_time(hass, freezer)
    assert (tokens("attic"), tokens("cloud")) == ((str(used[ATTIC]), 9_000), (str(used[CLOUD]), None))

    await pass_time(hass, freezer, 47)  # nobody asks anything; the first began a minute ago
    assert (tokens("attic"), tokens("cloud")) == (("0", 9_000), (str(used[CLOUD]), None))
    await pass_time(hass, freezer, 15)
    assert tokens("cloud") == ("0", None)


async def test_a_limit_of_tokens_that_is_used_up_still_is_after_a_restart(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    few = demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}, tokens_per_minute=1_600)
    entry = await move_in(hass, freezer, few)
    prompt = "word " * 400
    await ask(entry, ATTIC, prompt)
    before = entry.runtime_data.router.limits(ATTIC)
    assert before[0].used > 400

    assert await hass.config_entries.async_reload(entry.entry_id)

    assert entry.runtime_data.router.limits(ATTIC) == before
    with pytest.raises(RequestFailed) as refused:
        await ask(entry, ATTIC, prompt)
    assert refused.value.bucket == before[0].key


# --- translations and icons ----------------------------------------------------------------------


def stored_json(name: str) -> dict[str, Any]:
    text = (Path(integration.__file__).parent / name).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def test_every_sensor_has_its_words_and_an_icon() -> None:
    words = stored_json("translations/en.json")["entity"]["sensor"]
    icons = stored_json("icons.json")["entity"]["sensor"]
    every = (*SHARED_SENSORS, *ROUTER_SENSORS, *PROVIDER_SENSORS, *POOL_SENSORS)
    descriptions = {each.key: each for each in every}

    assert words.keys() == icons.keys() == descriptions.keys()
    for key, description in descriptions.items():
        assert words[key]["name"]
        assert words[key].get("state", {}).keys() == set(description.options or ())
        assert icons[key].get("state", {}).keys() <= set(description.options or ())


def test_every_reason_has_its_words() -> None:
    health = stored_json("translations/en.json")["entity"]["sensor"]["health"]
    reasons = health["state_attributes"]["reason"]["state"]

    assert reasons.keys() == {*FailureClass, *REASONS}


def test_every_kind_of_provider_has_the_name_its_devices_show_as_model() -> None:
    assert stored_json("translations/en.json")["device"].keys() == {*KINDS, "ai_task", "pool"}
