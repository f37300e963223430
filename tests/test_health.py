"""Health in a real Home Assistant: what outlives a restart, and checks that end with the entry."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant

from custom_components.ai_router.providers.demo import CHAT_MODEL
from custom_components.ai_router.routing.breaker import BreakerState
from custom_components.ai_router.routing.health import Level
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.ports import CoreEvent, HealthChanged

from .household import ATTIC, FREE, ask_in_vain, demo, move_in, pass_time, shown

pytestmark = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")
DEAD = {"success_rate": 0, "error": "network"}


async def test_a_breaker_keeps_its_period_over_a_restart(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=FREE, options=DEAD))
    target = Target(ATTIC, CHAT_MODEL)
    for _ in range(5):
        await ask_in_vain(entry, ATTIC)
    await pass_time(hass, freezer, 61)
    await ask_in_vain(entry, ATTIC)  # the probe fails too: the next period is longer
    now = entry.runtime_data.clock.monotonic()
    breaker = entry.runtime_data.router.admission.breakers.of(target)
    assert (breaker.state(now), breaker.repeats) == (BreakerState.OPEN, 2)

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await pass_time(hass, freezer)

    again = entry.runtime_data.router.admission.breakers.of(target)
    assert again is not breaker
    assert (again.repeats, again.wide) == (2, True)
    assert again.reopens_at == pytest.approx(breaker.reopens_at, abs=5)
    assert shown(hass, "attic_health").state == "unhealthy"


async def test_a_check_tells_the_household_and_ends_with_the_entry(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=FREE, options=DEAD), health_interval=60)
    router = entry.runtime_data.router
    heard: list[CoreEvent] = []
    router.subscribe(heard.append)
    assert router.config.health_interval == 60
    assert shown(hass, "attic_health").state == "unknown"

    for _ in range(2):
        failure = await router.check(ATTIC)
        assert failure is not None
    await pass_time(hass, freezer)

    assert [event for event in heard if isinstance(event, HealthChanged)] == [
        HealthChanged(ATTIC, Level.UNKNOWN, Level.DEGRADED, "network"),
        HealthChanged(ATTIC, Level.DEGRADED, Level.UNHEALTHY, "network"),
    ]
    health = shown(hass, "attic_health")
    assert (health.state, health.attributes["reason"]) == ("unhealthy", "network")

    assert await hass.config_entries.async_unload(entry.entry_id)
    late = await router.check(ATTIC)
    assert late is not None
    assert late.detail == "stopping"
