"""Every platform's entities in a household with a provider, as the registry and the states show them."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props

import custom_components.ai_router as integration
from custom_components.ai_router.const import DOMAIN, SUBENTRY_POOL, Conf
from custom_components.ai_router.event import PROVIDER_KINDS, ROUTER_KINDS
from custom_components.ai_router.events import EVENT_DATA

from .flows import english
from .household import ATTIC, ENTRY_ID, ask, demo, move_in, pass_time, subentry

# Noon in the test household's zone, eight hours behind UTC.
pytestmark = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")


@pytest.fixture(autouse=True)
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the noisy ones too, as a household may."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


@pytest.mark.parametrize("platform", integration.PLATFORMS)
async def test_entities(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    platform: Platform,
) -> None:
    monkeypatch.setattr(integration, "PLATFORMS", [platform])
    limits = {Conf.BUDGET_DAY.value: "10", Conf.REQUESTS_PER_MINUTE.value: 30}
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", **limits), budget_month="20")
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)
    # A field that the newest Home Assistant's registry has and the one before has not.
    both = snapshot.with_defaults(exclude=props("compat_name"))
    await snapshot_platform(hass, entity_registry, both, entry.entry_id)


async def test_devices(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    device_registry: dr.DeviceRegistry,
    snapshot: SnapshotAssertion,
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    router = device_registry.async_get_device_by_identifier((DOMAIN, ENTRY_ID), entry.entry_id)
    provider = device_registry.async_get_device_by_identifier((DOMAIN, ATTIC), entry.entry_id)
    assert router is not None
    assert provider is not None
    assert router == snapshot(name="router")
    assert provider == snapshot(name="provider")
    assert provider.via_device_id == router.id
    assert (router.config_subentry_id, provider.config_subentry_id) == (None, ATTIC)


async def test_every_attribute_has_a_name(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, entity_registry: er.EntityRegistry
) -> None:
    pool = subentry("01POOL", SUBENTRY_POOL, "Vision", members=[{"provider": ATTIC}], strategy="experiment")
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"), pool)
    await ask(entry, ATTIC)
    await pass_time(hass, freezer)
    texts = english()["entity"]
    shown = 0
    for row in er.async_entries_for_config_entry(entity_registry, entry.entry_id):
        entity = hass.data["entity_components"][row.domain].get_entity(row.entity_id)
        named = texts[row.domain][row.translation_key].get("state_attributes", {})
        for attribute in entity.extra_state_attributes or {}:
            assert named[attribute]["name"], (row.entity_id, attribute)
            shown += 1
    assert shown > 10

    for kinds, key in ((ROUTER_KINDS, "router_alert"), (PROVIDER_KINDS, "provider_alert")):
        told = {field for kind in kinds for field in EVENT_DATA[kind]} | {"unseen"}
        assert told <= texts["event"][key]["state_attributes"].keys()
