"""Entities by which a person changes something: what they change, and for whom they do."""

from collections.abc import Mapping
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.ai_router.const import DOMAIN, Conf
from custom_components.ai_router.routing.money import to_picodollars
from custom_components.ai_router.routing.tickets import Window

from .actions.calling import call, tell
from .household import ATTIC, CLOUD, ENTRY_ID, ask, demo, device_id, move_in, pass_time, subentry

QUICK = {"latency": 0}

# Of each entity: its device, domain and key, what is called, and the state after it.
CONTROLS: list[tuple[str, str, str, str, Mapping[str, Any], str | None]] = [
    (ATTIC, "switch", "enabled", "turn_off", {}, "off"),
    (ENTRY_ID, "switch", "local_only", "turn_on", {}, "on"),
    (ATTIC, "number", "priority", "set_value", {"value": 7}, "7"),
    (ATTIC, "number", "weight", "set_value", {"value": 2.5}, "2.5"),
    (ATTIC, "number", "budget_day", "set_value", {"value": 0.25}, "0.25"),
    (ATTIC, "number", "budget_month", "set_value", {"value": 3}, "3.0"),
    (ENTRY_ID, "select", "strategy", "select_option", {"option": "cheapest"}, "cheapest"),
    (ATTIC, "button", "check", "press", {}, None),
    (ATTIC, "button", "reset", "press", {}, None),
    (ENTRY_ID, "button", "clear_cache", "press", {}, None),
]
each_control = pytest.mark.parametrize(
    ("device", "domain", "key", "action", "data", "after"), CONTROLS, ids=[f"{each[1]}.{each[2]}" for each in CONTROLS]
)


@pytest.fixture
async def entry(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> MockConfigEntry:
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)
    return await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK), demo(CLOUD, "Cloud", options=QUICK))


def entity_of(hass: HomeAssistant, device: str, domain: str, key: str) -> str:
    found = er.async_get(hass).async_get_entity_id(domain, DOMAIN, f"{device}_{key}")
    assert found is not None
    return found


async def use(
    hass: HomeAssistant, entity_id: str, action: str, data: Mapping[str, Any], user: MockUser | None = None
) -> None:
    context = Context(user_id=None if user is None else user.id)
    domain = entity_id.partition(".")[0]
    await hass.services.async_call(domain, action, {"entity_id": entity_id, **data}, blocking=True, context=context)
    await hass.async_block_till_done()


@pytest.mark.usefixtures("entry")
def test_every_control_is_looked_at_here(hass: HomeAssistant) -> None:
    controls = {"switch", "number", "select", "button"}
    there = {
        (entity.domain, entity.unique_id.rpartition(f"{device}_")[2])
        for entity in er.async_entries_for_config_entry(er.async_get(hass), ENTRY_ID)
        for device in (ATTIC, ENTRY_ID)
        if entity.domain in controls and entity.unique_id.startswith(f"{device}_")
    }
    assert there == {(domain, key) for _, domain, key, *_ in CONTROLS}


@pytest.mark.usefixtures("entry")
@each_control
async def test_an_admin_and_an_automation_may_use_it(
    hass: HomeAssistant,
    hass_admin_user: MockUser,
    device: str,
    domain: str,
    key: str,
    action: str,
    data: Mapping[str, Any],
    after: str | None,
) -> None:
    entity_id = entity_of(hass, device, domain, key)
    for user in (hass_admin_user, None):
        await use(hass, entity_id, action, data, user)
        state = hass.states.get(entity_id)
        assert state is not None
        if after is not None:
            assert state.state == after


@each_control
async def test_nobody_else_may(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_owner_user: MockUser,
    device: str,
    domain: str,
    key: str,
    action: str,
    data: Mapping[str, Any],
    after: str | None,
) -> None:
    entity_id = entity_of(hass, device, domain, key)
    before = entry.options, entry.subentries[ATTIC].data
    guest = MockUser(name="Guest").add_to_hass(hass)
    guest.mock_policy({"entities": True})  # he may control every entity, as Home Assistant's users do
    with pytest.raises(Unauthorized):
        await use(hass, entity_id, action, data, guest)
    assert (entry.options, entry.subentries[ATTIC].data) == before


async def test_what_is_changed_is_stored_and_in_force(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    for device, domain, key, action, data, after in CONTROLS:
        if after is None:
            continue
        await use(hass, entity_of(hass, device, domain, key), action, data)
    config = entry.runtime_data.router.config
    provider = config.providers[ATTIC]
    assert (provider.enabled, provider.priority, provider.weight) == (False, 7, 2.5)
    assert {budget.window: budget.limit for budget in provider.budgets} == {
        Window.DAY: to_picodollars("0.25"),
        Window.MONTH: to_picodollars("3"),
    }
    assert (config.local_only, config.strategy) == (True, "cheapest")
    assert entry.options == {Conf.LOCAL_ONLY.value: True, Conf.STRATEGY.value: "cheapest"}
    assert entry.subentries[ATTIC].data["budget_day"] == "0.25"


@pytest.mark.parametrize("key", ["priority", "weight", "budget_day", "budget_month"])
async def test_what_is_no_number_is_refused_and_not_stored(
    hass: HomeAssistant, entry: MockConfigEntry, key: str
) -> None:
    """A template may well come to NaN, and stored it would stop every change after it, and the next start."""
    before = entry.subentries[ATTIC].data
    with pytest.raises(ServiceValidationError):
        await use(hass, entity_of(hass, ATTIC, "number", key), "set_value", {"value": float("nan")})
    assert entry.subentries[ATTIC].data == before


async def test_a_change_of_one_provider_leaves_the_others_counters_alone(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, entry: MockConfigEntry
) -> None:
    await ask(entry, CLOUD)
    await pass_time(hass, freezer)
    cost = hass.states.get("sensor.cloud_cost_today")
    await use(hass, entity_of(hass, ATTIC, "number", "priority"), "set_value", {"value": 9})
    assert hass.states.get("sensor.cloud_cost_today") == cost


async def test_a_failed_check_says_why(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    gone = demo(ATTIC, "Attic", options={**QUICK, "success_rate": 0.0, "error": "credential"})
    await move_in(hass, freezer, gone)
    with pytest.raises(HomeAssistantError) as failed:
        await use(hass, entity_of(hass, ATTIC, "button", "check"), "press", {})
    assert failed.value.translation_key == "check_failed"


async def test_a_disabled_device_goes_from_view_and_nothing_else(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    pool = subentry("01POOL", "pool", "Doors", members=[{"provider": ATTIC}])
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK), pool)
    devices = dr.async_get(hass)
    for gone in (ATTIC, "01POOL"):
        devices.async_update_device(device_id(hass, gone), disabled_by=dr.DeviceEntryDisabler.USER)
    await pass_time(hass, freezer, 60)
    assert hass.states.get("switch.attic_enabled") is None

    assert entry.runtime_data.router.config.providers[ATTIC].enabled
    reply = await call(hass, "process", prompt="Hi", pool="Doors")
    assert (reply["provider"], reply["pool"]) == ("Attic", "Doors")

    await tell(hass, "set_provider", provider="Attic", enabled=False)
    with pytest.raises(HomeAssistantError, match="switched off"):
        await call(hass, "process", prompt="Hi", pool="Doors")
