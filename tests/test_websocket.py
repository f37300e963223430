"""What the dashboard cards are told over a real websocket, how often, and who is told what."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockUser
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket, WebSocketGenerator

from custom_components.ai_router.const import DOMAIN, Conf
from custom_components.ai_router.dashboard.feed import FEED
from custom_components.ai_router.dashboard.recent_requests import KEPT
from custom_components.ai_router.routing.model import Message, Role, Text
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Caller, Pins, Request

from .household import ATTIC, CLOUD, FREE, ask, demo, move_in, pass_time

# Noon in the test household's zone, eight hours behind UTC.
pytestmark = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")

_numbers = count(1)


class Viewer:
    """One card: `view` is all it has been told, `pushes` how often."""

    def __init__(self, client: MockHAClientWebSocket) -> None:
        self.client = client
        self.view: dict[str, Any] = {}
        self.pushes: list[dict[str, Any]] = []
        self.number = 0

    async def look(self) -> None:
        """Subscribe, and take what is shown at once."""
        self.number = next(_numbers)
        await self.client.send_json({"id": self.number, "type": f"{DOMAIN}/subscribe"})
        assert (await self.client.receive_json())["success"]
        self.take(await self.client.receive_json())

    def take(self, message: dict[str, Any]) -> None:
        assert (message["id"], message["type"]) == (self.number, "event")
        assert [key for key, value in message["event"].items() if key in self.view and self.view[key] == value] == []
        self.pushes.append(message["event"])
        self.view.update(message["event"])

    async def catch_up(self) -> None:
        """Take all that has been pushed: what comes before the answer to a ping."""
        number = next(_numbers)
        await self.client.send_json({"id": number, "type": "ping"})
        while (message := await self.client.receive_json())["type"] != "pong":
            self.take(message)


@pytest.fixture
async def admin(hass: HomeAssistant, hass_ws_client: WebSocketGenerator) -> AsyncGenerator[Viewer]:
    client = await hass_ws_client(hass)
    yield Viewer(client)
    await client.close()


@pytest.fixture
async def reader(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator, hass_read_only_access_token: str
) -> AsyncGenerator[Viewer]:
    client = await hass_ws_client(hass, hass_read_only_access_token)
    yield Viewer(client)
    await client.close()


async def ask_as(entry: Any, user_id: str | None, label: str) -> None:
    """Ask the attic as a user."""
    await entry.runtime_data.router.process(
        Request(
            id=f"of-{label}",
            caller=Caller(user_id=user_id),
            messages=(Message(Role.USER, (Text("Tell nobody of the treasure"),)),),
            pins=Pins(providers=(ATTIC,)),
            label=label,
        )
    )


async def quiet(hass: HomeAssistant, freezer: FrozenDateTimeFactory, viewer: Viewer) -> None:
    """Let all be pushed that there is to push, and forget it."""
    for _ in range(3):
        await pass_time(hass, freezer, 4)
    await viewer.catch_up()
    viewer.pushes.clear()


async def test_all_of_it_first(hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer) -> None:
    limits = {Conf.BUDGET_DAY.value: "10", Conf.REQUESTS_PER_MINUTE.value: 30, Conf.TOKENS_PER_MINUTE.value: 9_000}
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", **limits), budget_month="20")
    await ask(entry, ATTIC, "one two three")
    await pass_time(hass, freezer)

    await admin.look()

    view = admin.view
    assert (view["set_up"], view["activity"]) == (True, {"requests_today": 1, "under_way": 0})
    provider = view["providers"][0]
    cost = provider["today"]
    assert Decimal(cost) > 0
    assert provider == {
        "id": ATTIC,
        "name": "Attic",
        "kind": "demo",
        "entity": "sensor.attic_health",
        "waiting": False,
        "enabled": True,
        "local": False,
        "health": "healthy",
        "reason": None,
        "breaker": "closed",
        "requests_per_minute": 1,
        "requests_limit": 30,
        "tokens_per_minute": 9,
        "tokens_limit": 9_000,
        "under_way": 0,
        "latency": provider["latency"],
        "success_rate": 100.0,
        "today": cost,
        "month": cost,
        "budgets": [
            {"window": "day", "limit": "10", "spent": cost, "over": False, "hard": True, "free_at": 1795334400.0}
        ],
    }
    assert Decimal(view["spend"].pop("projected")) == Decimal(cost) * 10  # ten days are left, each like this first one
    assert view["spend"] == {
        "currency": "USD",
        "today": cost,
        "month": cost,
        "budgets": [
            {"window": "month", "limit": "20", "spent": cost, "over": False, "hard": True, "free_at": 1796112000.0}
        ],
    }


async def test_money_is_written_out_to_the_last_digit(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=("0.000001", "0")))
    await ask(entry, ATTIC)
    await admin.look()

    assert admin.view["spend"]["today"] == "0.000000000001"
    assert admin.view["requests"][0]["cost"]["amount"] == "0.000000000001"


async def test_an_answer_tells_who_gave_it_and_why_but_never_what_was_said(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer
) -> None:
    dead = demo(ATTIC, "Attic", prices=FREE, options={"success_rate": 0}, priority=9)
    entry = await move_in(hass, freezer, dead, demo(CLOUD, "Cloud"))
    await entry.runtime_data.router.process(
        Request("one", Caller(), (Message(Role.USER, (Text("treasure"),)),), label="map")
    )
    with pytest.raises(RequestFailed):
        await entry.runtime_data.router.process(
            Request("two", Caller(), (Message(Role.USER, (Text("treasure"),)),), pins=Pins(models=("no such model",)))
        )
    await admin.look()

    failed, answered = admin.view["requests"]
    assert (failed["failure"], failed["provider"], failed["tried"]) == ("no_capable_target", None, [])
    assert (answered["label"], answered["provider"], answered["model"]) == ("map", "Cloud", "demo-chat")
    assert (answered["pool"], answered["rule"]) == (None, None)
    (reason,) = answered["reasons"]
    assert reason == {"because": "priority", "number": 0, "share": None, "seconds": None, "price": None}
    assert answered["failure"] is None
    assert answered["tried"] == [{"provider": "Attic", "model": "demo-chat", "failure": "transient"}]
    assert Decimal(answered["cost"]["amount"]) > 0
    assert "treasure" not in str(admin.view)


async def test_a_reason_is_told_with_its_figures_for_who_looks_to_write(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer
) -> None:
    tiny = ("0.000001", "0")
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=tiny), demo(CLOUD, "Cloud"), strategy="cheapest")
    await ask(entry)
    await admin.look()

    (reason,) = admin.view["requests"][0]["reasons"]
    assert (reason["because"], reason["number"], reason["share"]) == ("price", None, None)
    assert 0 < Decimal(reason["price"]) < Decimal("0.0001")
    assert "E" not in reason["price"]


async def test_one_push_a_second_however_much_happens(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await admin.look()
    await quiet(hass, freezer, admin)

    for number in range(50):
        await ask_as(entry, None, f"question {number}")
    await pass_time(hass, freezer, 1)
    await admin.catch_up()
    assert len(admin.pushes) == 1
    assert len(admin.view["requests"]) == KEPT
    assert admin.view["requests"][0]["label"] == "question 49"

    await ask_as(entry, None, "late")
    await pass_time(hass, freezer, 0)
    await admin.catch_up()
    assert len(admin.pushes) == 1

    await pass_time(hass, freezer, 1)
    await admin.catch_up()
    assert len(admin.pushes) == 2
    assert admin.view["requests"][0]["label"] == "late"
    assert "set_up" not in admin.pushes[-1]  # only what has changed


async def test_what_has_not_changed_is_not_pushed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await admin.look()
    await quiet(hass, freezer, admin)

    for _ in range(2):  # not longer: the connection would want a heartbeat
        await pass_time(hass, freezer, 15)
        await ask(entry, ATTIC)
    await admin.catch_up()
    assert admin.pushes
    assert "set_up" not in {key for push in admin.pushes for key in push}


async def test_who_is_no_admin_is_told_of_own_requests_only(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    admin: Viewer,
    reader: Viewer,
    hass_read_only_user: MockUser,
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await admin.look()
    await reader.look()
    await ask_as(entry, hass_read_only_user.id, "mine")
    await ask_as(entry, "somebody else", "theirs")
    await ask_as(entry, None, "the house's")
    await pass_time(hass, freezer)
    await admin.catch_up()
    await reader.catch_up()

    assert [each["label"] for each in admin.view["requests"]] == ["the house's", "theirs", "mine"]
    assert [each["label"] for each in reader.view["requests"]] == ["mine"]
    assert reader.view["spend"] == admin.view["spend"]
    assert reader.view["providers"] == admin.view["providers"]

    hass_read_only_user.mock_policy({})
    hass_read_only_user.groups = [await hass.auth.async_get_group("system-admin")]
    hass_read_only_user.invalidate_cache()
    await ask_as(entry, None, "one more")
    await pass_time(hass, freezer)
    await reader.catch_up()
    assert len(reader.view["requests"]) == 4


async def test_own_requests_are_kept_from_being_pushed_out_by_others(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, reader: Viewer, hass_read_only_user: MockUser
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await ask_as(entry, hass_read_only_user.id, "mine")
    for number in range(60):  # more users than are kept apart
        await ask_as(entry, f"user {number % 40}", f"theirs {number}")
    await reader.look()

    assert [each["label"] for each in reader.view["requests"]] == ["mine"]


async def test_a_reload_is_told_and_loses_nobody(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await ask_as(entry, None, "before")
    await admin.look()
    assert await hass.config_entries.async_unload(entry.entry_id)
    await pass_time(hass, freezer, 20)
    await admin.catch_up()
    assert (admin.view["set_up"], admin.view["providers"], admin.view["requests"]) == (False, [], [])
    assert admin.view["spend"] is None

    assert await hass.config_entries.async_setup(entry.entry_id)
    await pass_time(hass, freezer)
    await ask_as(entry, None, "after")
    await pass_time(hass, freezer)
    await admin.catch_up()
    assert admin.view["set_up"]
    assert [each["label"] for each in admin.view["requests"]] == ["after", "before"]


async def test_a_renamed_provider_and_a_new_budget_are_pushed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await admin.look()
    hass.config_entries.async_update_subentry(entry, entry.subentries[ATTIC], title="Cellar")
    await hass.async_block_till_done()
    await pass_time(hass, freezer)
    hass.config_entries.async_update_entry(entry, options={Conf.BUDGET_DAY.value: "0"})
    await hass.async_block_till_done()
    await pass_time(hass, freezer)
    await admin.catch_up()

    assert admin.view["providers"][0]["name"] == "Cellar"
    (budget,) = admin.view["spend"]["budgets"]
    assert (budget["window"], budget["limit"], budget["over"]) == ("day", "0", True)


async def test_without_an_entry_it_says_so(hass: HomeAssistant, admin: Viewer) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    await admin.look()

    assert admin.view == {"set_up": False, "spend": None, "activity": None, "providers": [], "requests": []}


async def test_viewers_are_let_go(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer, reader: Viewer
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    feed = hass.data[FEED]
    await admin.look()
    await reader.look()
    assert len(feed._viewers) == 2

    number = next(_numbers)
    await admin.client.send_json({"id": number, "type": "unsubscribe_events", "subscription": admin.number})
    assert (await admin.client.receive_json())["success"]
    assert len(feed._viewers) == 1
    await reader.client.close()
    await hass.async_block_till_done()
    assert len(feed._viewers) == 0

    await ask(entry, ATTIC)
    assert feed._pending is None  # nobody looks: nothing is made


async def test_viewers_are_bounded(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, admin: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.ai_router.dashboard.feed._MOST_VIEWERS", 1)
    await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await admin.look()

    await admin.client.send_json({"id": next(_numbers), "type": f"{DOMAIN}/subscribe"})
    answer = await admin.client.receive_json()
    assert (answer["success"], answer["error"]["code"]) == (False, "not_allowed")
