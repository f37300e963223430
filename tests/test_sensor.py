"""The sensors in a real Home Assistant, fed by real requests and compared with the ledger on disk."""

import asyncio
import gc
import json
import weakref
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_component import DATA_INSTANCES
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, snapshot_platform
from syrupy.assertion import SnapshotAssertion

import custom_components.ai_router as integration
from custom_components.ai_router.const import DOMAIN, Conf
from custom_components.ai_router.providers.registry import KINDS
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.money import to_dollars
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.sensor import PROVIDER_SENSORS, ROUTER_SENSORS, SHARED_SENSORS

from .household import ENTRY_ID, FREE, ask, ask_in_vain, demo, move_in, pass_time

# Noon in the test household's zone, eight hours behind UTC.
pytestmark = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")

ATTIC, CLOUD = "01ATTIC", "01CLOUD"


@pytest.fixture
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the noisy sensors too, as a household may."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


def shown(hass: HomeAssistant, entity_id: str) -> State:
    state = hass.states.get(f"sensor.{entity_id}")
    assert state is not None, f"{entity_id} is not there"
    return state


def written_as(dollars: Decimal) -> str:
    return f"{dollars:f}"


async def in_the_ledger(entry: MockConfigEntry, from_day: str, to_day: str) -> dict[str, Decimal]:
    """Sum up on disk what every provider has cost."""
    ledger = entry.runtime_data.ledger
    await ledger.flush()
    return {row.key[0]: to_dollars(row.cost) for row in await ledger.usage(from_day, to_day, ["provider_id"])}


@pytest.mark.usefixtures("all_enabled")
async def test_entities(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    entity_registry: er.EntityRegistry,
    device_registry: dr.DeviceRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    limits = {Conf.BUDGET_DAY.value: "10", Conf.REQUESTS_PER_MINUTE.value: 30}
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", **limits), budget_month="20")
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)

    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)
    router = device_registry.async_get_device_by_identifier((DOMAIN, ENTRY_ID), entry.entry_id)
    provider = device_registry.async_get_device_by_identifier((DOMAIN, ATTIC), entry.entry_id)
    assert router is not None
    assert provider is not None
    assert router == snapshot(name="router")
    assert provider == snapshot(name="provider")
    assert provider.via_device_id == router.id
    assert (router.config_subentry_id, provider.config_subentry_id) == (None, ATTIC)


async def test_noisy_sensors_are_disabled_by_default(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, entity_registry: er.EntityRegistry
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))

    registered = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    disabled = {each.unique_id for each in registered if each.disabled_by is er.RegistryEntryDisabler.INTEGRATION}
    assert disabled == {f"{ENTRY_ID}_under_way", f"{ATTIC}_under_way", f"{ATTIC}_last_error"}


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


# --- entities come and go ------------------------------------------------------------------------


async def test_a_new_provider_gets_its_entities_without_a_reload(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, device_registry: dr.DeviceRegistry
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    hub = entry.runtime_data
    hass.config_entries.async_add_subentry(entry, demo(CLOUD, "Cloud", prices=("1000", "0")))
    await pass_time(hass, freezer)

    assert shown(hass, "cloud_cost_today").state == "0"
    assert shown(hass, "cloud_circuit_breaker").state == "closed"
    router = device_registry.async_get_device_by_identifier((DOMAIN, ENTRY_ID), entry.entry_id)
    device = device_registry.async_get_device_by_identifier((DOMAIN, CLOUD), entry.entry_id)
    assert router is not None
    assert device is not None
    assert (device.config_subentry_id, device.via_device_id, device.model) == (CLOUD, router.id, "Demo")

    await ask(entry, CLOUD)
    await pass_time(hass, freezer)
    assert shown(hass, "cloud_cost_today").state == "0.001"
    assert shown(hass, "attic_cost_today").state == "0"
    assert entry.runtime_data is hub


async def test_a_removed_provider_takes_its_entities_along(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"), demo(CLOUD, "Cloud"))
    hub = entry.runtime_data
    entity = weakref.ref(hass.data[DATA_INSTANCES]["sensor"].get_entity("sensor.cloud_cost_today"))
    assert entity() is not None

    hass.config_entries.async_remove_subentry(entry, CLOUD)
    await hass.async_block_till_done()

    assert [state.entity_id for state in hass.states.async_all() if "cloud" in state.entity_id] == []
    assert device_registry.async_get_device_by_identifier((DOMAIN, CLOUD), entry.entry_id) is None
    registered = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    assert {each.config_subentry_id for each in registered} == {None, ATTIC}

    await ask(entry, ATTIC)
    await pass_time(hass, freezer)
    gc.collect()
    assert entity() is None, "somebody still holds the removed entity"
    assert shown(hass, "attic_cost_today").state != "0"
    assert [state.entity_id for state in hass.states.async_all() if "cloud" in state.entity_id] == []
    assert entry.runtime_data is hub
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_provider_added_and_removed_at_once_leaves_nothing(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    hass.config_entries.async_add_subentry(entry, demo(CLOUD, "Cloud"))
    hass.config_entries.async_remove_subentry(entry, CLOUD)
    await pass_time(hass, freezer)

    assert {state.name.split()[0] for state in hass.states.async_all()} == {"AI", "Attic"}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_renamed_provider_renames_its_device_and_nothing_else(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"), demo(CLOUD, "Cloud"))
    hub = entry.runtime_data
    before = {each.unique_id: each.entity_id for each in entity_registry.entities.values()}
    hass.config_entries.async_update_subentry(entry, entry.subentries[ATTIC], title="Cellar")
    hass.config_entries.async_update_entry(entry, title="The router")
    await pass_time(hass, freezer)

    names = {device.name for device in dr.async_entries_for_config_entry(device_registry, entry.entry_id)}
    assert names == {"The router", "Cellar", "Cloud"}
    assert shown(hass, "attic_cost_today").name == "Cellar Cost today"
    assert shown(hass, "ai_router_cost_today").name == "The router Cost today"
    assert {each.unique_id: each.entity_id for each in entity_registry.entities.values()} == before
    assert entry.runtime_data is hub


async def test_a_provider_added_while_the_entry_unloads_waits_for_the_next_start(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=FREE, options={"latency": 3600}))
    hanging = asyncio.create_task(ask(entry, ATTIC))
    await pass_time(hass, freezer)
    unloading = asyncio.create_task(hass.config_entries.async_unload(entry.entry_id))
    await asyncio.sleep(0)
    assert shown(hass, "attic_cost_today").state == STATE_UNAVAILABLE

    hass.config_entries.async_add_subentry(entry, demo(CLOUD, "Cloud"))
    await pass_time(hass, freezer, 3)
    assert not unloading.done()
    assert CLOUD in entry.runtime_data.coordinator.data.providers
    assert hass.states.get("sensor.cloud_cost_today") is None

    for _ in range(20):
        await pass_time(hass, freezer, 1)
    assert await unloading
    with pytest.raises(RequestFailed):
        await hanging
    assert await hass.config_entries.async_setup(entry.entry_id)
    await pass_time(hass, freezer)
    assert shown(hass, "cloud_cost_today").state == "0"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# --- the load on Home Assistant ------------------------------------------------------------------


async def test_a_busy_router_writes_each_state_at_most_every_two_seconds(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=("1000", "0")), demo(CLOUD, "Cloud"))
    written: dict[str, list[datetime]] = {}

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        written.setdefault(event.data["entity_id"], []).append(event.time_fired)

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    for _ in range(20):
        await asyncio.gather(*(ask(entry, ATTIC) for _ in range(10)))
        await pass_time(hass, freezer, 1)
    await pass_time(hass, freezer)

    assert 10 <= len(written["sensor.ai_router_cost_today"]) <= 11
    for entity_id, moments in written.items():
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
        assert min(gaps, default=2.0) >= 2.0, entity_id
    assert shown(hass, "ai_router_cost_today").state == "0.2"
    assert shown(hass, "ai_router_requests_today").state == "200"


async def test_an_idle_provider_is_not_written(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"), demo(CLOUD, "Cloud"))
    moved_in = shown(hass, "cloud_cost_today").last_reported
    await pass_time(hass, freezer)
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)

    assert shown(hass, "attic_cost_today").last_reported > moved_in
    idle = [state for state in hass.states.async_all("sensor") if state.name.startswith("Cloud ")]
    assert {state.last_reported for state in idle} == {moved_in}


async def test_update_entity_takes_a_new_snapshot(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    coordinator = entry.runtime_data.coordinator
    await pass_time(hass, freezer, 3)
    taken: list[None] = []
    stop = coordinator.async_add_listener(lambda: taken.append(None))
    await hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": "sensor.attic_cost_today"}, blocking=True
    )
    await pass_time(hass, freezer, 1)
    stop()

    assert len(taken) == 1
    assert shown(hass, "attic_cost_today").state == "0"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# --- translations and icons ----------------------------------------------------------------------


def stored_json(name: str) -> dict[str, Any]:
    text = (Path(integration.__file__).parent / name).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def test_every_sensor_has_its_words_and_an_icon() -> None:
    words = stored_json("translations/en.json")["entity"]["sensor"]
    icons = stored_json("icons.json")["entity"]["sensor"]
    descriptions = {each.key: each for each in (*SHARED_SENSORS, *ROUTER_SENSORS, *PROVIDER_SENSORS)}

    assert words.keys() == icons.keys() == descriptions.keys()
    for key, description in descriptions.items():
        assert words[key]["name"]
        assert words[key].get("state", {}).keys() == set(description.options or ())
        assert icons[key].get("state", {}).keys() <= set(description.options or ())


def test_every_reason_has_its_words() -> None:
    health = stored_json("translations/en.json")["entity"]["sensor"]["health"]
    reasons = health["state_attributes"]["reason"]["state"]

    assert reasons.keys() == {*FailureClass, "breaker_open", "probing", "failing"}


def test_every_kind_of_provider_has_the_name_its_devices_show_as_model() -> None:
    assert stored_json("translations/en.json")["device"].keys() == KINDS.keys()
