"""Whom an action means: by name, by the name a household gave the device, by device; never one of several."""

import pytest
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import DOMAIN
from tests.household import ATTIC, CLOUD, FREE, demo, move_in

from .calling import call


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """A house with two providers."""
    quick = {"latency": 0}
    return await move_in(
        hass,
        None,
        demo(ATTIC, "Attic", prices=FREE, options=quick),
        demo(CLOUD, "Cloud", prices=FREE, options=quick),
    )


def rename_device(hass: HomeAssistant, entry: ConfigEntry, about: str, name: str | None) -> str:
    """Give a device a name of the household's own; return its id."""
    registry = dr.async_get(hass)
    device = registry.async_get_device_by_identifier((DOMAIN, about), entry.entry_id)
    assert device is not None
    registry.async_update_device(device.id, name_by_user=name)
    return device.id


async def answered_by(hass: HomeAssistant, reference: str) -> str:
    provider: str = (await call(hass, "process", prompt="Hi", provider=reference))["provider"]
    return provider


async def refused(hass: HomeAssistant, reference: str) -> tuple[str | None, dict[str, str] | None]:
    with pytest.raises(ServiceValidationError) as err:
        await answered_by(hass, reference)
    return err.value.translation_key, err.value.translation_placeholders


async def test_the_name_that_the_household_gave_a_device_is_one_too(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    device_id = rename_device(hass, entry, CLOUD, "Big one ")
    for reference in ("big ONE", "Cloud", " cloud", device_id, CLOUD):
        assert await answered_by(hass, reference) == "Cloud"
    rename_device(hass, entry, CLOUD, None)
    assert await refused(hass, "Big one") == ("unknown_provider", {"provider": "Big one", "known": "Attic, Cloud"})


async def test_what_the_household_calls_by_one_name_is_not_guessed_at(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    device_id = rename_device(hass, entry, CLOUD, "Attic")
    assert await refused(hass, "attic") == ("ambiguous_provider", {"provider": "attic"})
    assert await answered_by(hass, device_id) == "Cloud"
    assert await answered_by(hass, "cloud") == "Cloud"


async def test_two_that_were_given_one_name_behind_the_forms(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_subentry(entry, entry.subentries[CLOUD], title="attic")
    await hass.async_block_till_done()
    assert await refused(hass, "Attic") == ("ambiguous_provider", {"provider": "Attic"})
    assert await refused(hass, "Nobody") == ("unknown_provider", {"provider": "Nobody", "known": "Attic, attic"})
    assert await answered_by(hass, ATTIC) == "Attic"


async def test_a_device_that_is_none_is_told_by_its_name(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    router = rename_device(hass, entry, entry.entry_id, None)
    assert await refused(hass, router) == ("unknown_provider", {"provider": "AI Router", "known": "Attic, Cloud"})
    rename_device(hass, entry, entry.entry_id, "Brain")
    assert await refused(hass, router) == ("unknown_provider", {"provider": "Brain", "known": "Attic, Cloud"})
