"""Actions that change something: what they change, that they are noted, and that they are for admins."""

from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.ai_router.routing.call import RateWindow
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.money import to_picodollars
from custom_components.ai_router.routing.outcome import Outcome
from custom_components.ai_router.routing.tickets import Window
from custom_components.ai_router.storage.audit import Changed, changes
from tests.household import ATTIC, CLOUD, demo, move_in

from .calling import call, purge, tell

QUICK = {"latency": 0}


@pytest.fixture
async def entry(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    return await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK), demo(CLOUD, "Cloud", options=QUICK))


async def noted(entry: MockConfigEntry) -> list[tuple[str, Changed, str, str]]:
    found = await changes(entry.runtime_data.ledger.reader, 10)
    return [(change.user_id, change.kind, change.provider_id, change.text) for change in found]


async def test_a_provider_is_changed_at_once_and_it_is_noted(
    hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: MockUser
) -> None:
    await tell(hass, "set_provider", hass_admin_user, provider="attic", priority=7, budget_day=0.5, concurrent=3)
    provider = entry.runtime_data.router.config.providers[ATTIC]
    assert (provider.priority, provider.concurrent, provider.enabled) == (7, 3, True)
    assert [(budget.window, budget.limit, budget.hard) for budget in provider.budgets] == [
        (Window.DAY, to_picodollars("0.5"), True)
    ]
    assert entry.subentries[ATTIC].data["budget_day"] == "0.5"
    user, kind, about, text = (await noted(entry))[0]
    assert (user, kind, about) == (hass_admin_user.id, Changed.BUDGET, ATTIC)
    assert "priority: 7" in text
    await tell(hass, "set_provider", provider="Attic", budget_day=None, enabled=False, budget_only_warns=True)
    provider = entry.runtime_data.router.config.providers[ATTIC]
    assert (provider.budgets, provider.enabled, provider.priority) == ((), False, 7)
    reply = await call(hass, "process", prompt="Hi")
    assert reply["provider"] == "Cloud"


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    "data", [{"priority": None}, {"budget_day": -1}, {"budget_day": float("nan")}, {"burst": 0}, {"unknown": 1}]
)
async def test_a_setting_that_is_none_is_refused(hass: HomeAssistant, data: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        await tell(hass, "set_provider", provider="Attic", **data)


@pytest.mark.usefixtures("entry")
async def test_a_change_needs_a_provider_that_is_there_and_something_to_change(hass: HomeAssistant) -> None:
    for data, key in (
        ({"provider": "Attic"}, "nothing_to_change"),
        ({"provider": "x", "weight": 1}, "unknown_provider"),
    ):
        with pytest.raises(ServiceValidationError) as refused:
            await tell(hass, "set_provider", **data)
        assert refused.value.translation_key == key


async def test_a_reset_closes_breakers_and_ends_benches(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    dead = demo(ATTIC, "Attic", options={"latency": 0, "success_rate": 0.0, "error": "billing"})
    await move_in(hass, freezer, dead)
    with pytest.raises(HomeAssistantError):
        await call(hass, "process", prompt="Hi")
    status = await call(hass, "get_status")
    assert status["providers"][0]["health"] == "unhealthy"
    await tell(hass, "reset", what="limits")
    assert (await call(hass, "get_status"))["providers"][0]["models"][0]["set_aside"] is not None
    await tell(hass, "reset", provider="Attic")
    assert (await call(hass, "get_status"))["providers"][0]["models"][0]["set_aside"] is None


def limits(status: dict[str, Any]) -> dict[tuple[str, str, str | None], int]:
    """What is used of each limit of the first provider, by what it counts, over which time, of which model."""
    shown = status["providers"][0]["limits"]
    return {(each["unit"], each["window"], each["model"]): each["used"] for each in shown}


async def test_one_limit_begins_anew_and_the_others_stay(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_admin_user: MockUser
) -> None:
    busy = demo(ATTIC, "Attic", options=QUICK, requests_per_minute=5, requests_per_hour=9, tokens_per_minute=9_000)
    entry = await move_in(hass, freezer, busy)
    await call(hass, "process", prompt="Hi")
    router = entry.runtime_data.router
    (target,) = (Target(ATTIC, model.id) for model in router.config.providers[ATTIC].models)
    ticket = await router.admission.admit([router.admission.claim(router._dispatcher.planner.fleet.lanes[0], 0, 10)])
    router.admission.opened(ticket.ticket, (RateWindow("requests", 50, 10, None),))
    before = limits(await call(hass, "get_status"))
    told = ("requests", "told", target.model_id)
    assert before[told] == 40
    assert before["requests", "minute", None] == before["requests", "hour", None] == 2

    await tell(hass, "reset", hass_admin_user, provider="Attic", unit="requests", window="hour")

    after = limits(await call(hass, "get_status"))
    assert after == before | {("requests", "hour", None): 0}
    assert (await noted(entry))[0] == (
        hass_admin_user.id,
        Changed.SETTINGS,
        ATTIC,
        "reset of limits, unit: requests, window: hour",
    )
    await tell(hass, "reset", provider="Attic", model=target.model_id)
    assert told not in limits(await call(hass, "get_status"))
    with pytest.raises(ServiceValidationError) as refused:
        await tell(hass, "reset", unit="slots", window="told")
    assert refused.value.translation_key == "limit_not_known"
    await router.admission.settle(ticket.ticket, Outcome(None, None, 0, False, 0.0, None))


async def test_the_cache_is_cleared_whole_or_one_answer(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    for prompt in ("one", "two"):
        await call(hass, "process", prompt=prompt, temperature=0)
    one = await call(hass, "process", prompt="one", temperature=0)
    assert one["cached"]
    await tell(hass, "clear_cache", key=one["cache_key"])
    assert not (await call(hass, "process", prompt="one", temperature=0))["cached"]
    assert (await call(hass, "process", prompt="two", temperature=0))["cached"]
    await tell(hass, "clear_cache")
    assert entry.runtime_data.router.answers.stats().entries == 0


@pytest.mark.usefixtures("entry")
async def test_a_purge_says_what_it_deleted(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await call(hass, "process", prompt="one")
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "purge")
    assert refused.value.translation_key == "purge_of_what"
    with pytest.raises(vol.Invalid):
        await call(hass, "purge", everything=True, before="2026-01-01")
    assert await purge(hass, freezer, before="2020-01-01") == {"attempts": 0}
    assert await purge(hass, freezer, everything=True) == {"attempts": 1}
    assert (await call(hass, "get_usage", period="total"))["total"]["attempts"] == 0


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("set_provider", {"provider": "Attic", "priority": 1}),
        ("reset", {}),
        ("clear_cache", {}),
        ("check_health", {"deep": True}),
    ],
)
async def test_they_are_for_admins_and_for_the_house_itself(
    hass: HomeAssistant,
    action: str,
    data: dict[str, Any],
    hass_read_only_user: MockUser,
    hass_admin_user: MockUser,
) -> None:
    with pytest.raises(Unauthorized):
        await tell(hass, action, hass_read_only_user, **data)
    await tell(hass, action, hass_admin_user, **data)
    await tell(hass, action, **data)


@pytest.mark.usefixtures("entry")
async def test_a_purge_is_for_admins(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_read_only_user: MockUser,
    hass_admin_user: MockUser,
) -> None:
    with pytest.raises(Unauthorized):
        await call(hass, "purge", hass_read_only_user, everything=True)
    assert await purge(hass, freezer, hass_admin_user, everything=True) == {"attempts": 0}
