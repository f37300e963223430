"""A router with two providers."""

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.flows import running
from tests.household import ATTIC, CLOUD, demo

QUICK = {"latency": 0}


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """A router with a free provider in the attic and one that costs."""
    return await running(
        hass, demo(ATTIC, "Attic", prices=("0", "0"), options=QUICK), demo(CLOUD, "Cloud", options=QUICK)
    )


def id_of(entry: MockConfigEntry, title: str) -> str:
    """Return the id of a provider, pool or rule."""
    found: str
    (found,) = (subentry.subentry_id for subentry in entry.subentries.values() if subentry.title == title)
    return found
