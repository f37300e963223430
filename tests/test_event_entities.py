"""Alerts' entities, their words, and the logbook's."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, HomeAssistant
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.ai_router import logbook
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.event import PROVIDER_KINDS, ROUTER_KINDS
from custom_components.ai_router.events import EVENT_DATA, Kind
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import english
from tests.household import ATTIC, CLOUD, FREE, ask_in_vain, demo, move_in
from tests.servers import at_server

from .happenings import ask_anybody, on_the_bus, shown, shown_types


@pytest.fixture
def told(hass: HomeAssistant) -> dict[Kind, list[Event[Any]]]:
    return on_the_bus(hass)


async def test_an_entity_shows_at_most_one_of_a_type_in_two_seconds_and_counts_the_others(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]]
) -> None:
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}), completed_event=True
    )
    writes = async_capture_events(hass, EVENT_STATE_CHANGED)
    clock = 1_000.0
    alert = hass.data["entity_components"]["event"].get_entity("event.ai_router_alert")
    alert._monotonic = lambda: clock
    for number in range(5):
        await ask_anybody(entry, prompt=f"{number}")
    await hass.async_block_till_done()

    assert len(told[Kind.COMPLETED]) == 5
    assert shown_types(writes, "ai_router") == ["completed"]
    assert shown(hass, "ai_router").attributes["unseen"] == 0

    clock += 2
    await ask_anybody(entry, prompt="the last")
    await hass.async_block_till_done()

    assert shown(hass, "ai_router").attributes["unseen"] == 4
    assert shown_types(writes, "ai_router") == ["completed", "completed"]


async def test_an_alert_is_kept_over_a_reload_and_tells_nothing_of_a_router_that_is_gone(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    server.key = "another"
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()
    before = shown(hass, "server")
    assert before.attributes[ATTR_EVENT_TYPE] == "provider_unhealthy"
    old = entry.runtime_data

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    after = shown(hass, "server")
    assert (after.state, after.attributes["reason"]) == (before.state, "credential")
    assert old.events._listeners == {}


def test_everything_that_can_happen_is_translated_and_described() -> None:
    texts = english()["entity"]["event"]
    for name, expected in (("router_alert", ROUTER_KINDS), ("provider_alert", PROVIDER_KINDS)):
        assert texts[name]["name"]
        assert list(texts[name]["state_attributes"]["event_type"]["state"]) == [kind.value for kind in expected]
    assert {*ROUTER_KINDS, *PROVIDER_KINDS} == set(Kind) == set(EVENT_DATA)


async def test_the_logbook_says_what_happened(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    server.key = "another"
    entry = await move_in(
        hass,
        freezer,
        await at_server(hass, server, CLOUD, priority=9),
        demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}),
    )
    described: dict[str, Any] = {}
    logbook.async_describe_events(
        hass, lambda domain, event_type, describe: described.update({event_type: (domain, describe)})
    )
    await ask_anybody(entry)
    await hass.async_block_till_done()

    said = []
    for kind in (Kind.FAILOVER, Kind.BENCHED):
        domain, describe = described[kind.event_type]
        assert domain == DOMAIN
        said.append(describe(told[kind][0]))
    assert said == [
        {"name": "AI Router", "message": "went on to Attic after Server failed (Key rejected)"},
        {"name": "Server", "message": "was set aside until mended (Key rejected)"},
    ]
