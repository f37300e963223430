"""Entities come and go with their providers, without a reload, and are written only when and as often as needed."""

import asyncio
import gc
import weakref
from datetime import datetime
from itertools import pairwise

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import DATA_INSTANCES
from homeassistant.setup import async_setup_component

from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.routing.refusals import RequestFailed

from .household import ATTIC, CLOUD, ENTRY_ID, FREE, ask, demo, move_in, pass_time, shown

pytestmark = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")


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
        await asyncio.gather(*(ask(entry, ATTIC) for _ in range(50)))
        await pass_time(hass, freezer, 1)
    await pass_time(hass, freezer)

    assert 10 <= len(written["sensor.ai_router_cost_today"]) <= 11
    for entity_id, moments in written.items():
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
        assert min(gaps, default=2.0) >= 2.0, entity_id
    assert shown(hass, "ai_router_cost_today").state == "1"
    assert shown(hass, "ai_router_requests_today").state == "1000"


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


async def test_the_loop_turns_between_two_providers(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """What fifty providers need, in one go, would hold up the whole house."""
    turns = 0
    came: dict[str, int] = {}

    def turn() -> None:
        nonlocal turns, turning
        turns += 1
        turning = hass.loop.call_soon(turn)

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        came.setdefault(event.data["entity_id"], turns)

    turning = hass.loop.call_soon(turn)
    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    await move_in(hass, freezer, *(demo(f"01P{number}", f"P{number}") for number in range(10)))
    turning.cancel()

    assert len({came[f"sensor.p{number}_health"] for number in range(10)}) == 10
    assert len({came[f"switch.p{number}_enabled"] for number in range(10)}) == 10
