"""What happens, as the bus, the event entities and the logbook tell it: from real requests through a real router."""

import asyncio
import logging
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.events import EVENT_DATA, Kind
from custom_components.ai_router.routing.breaker import BreakerState
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.ports import BreakerMoved
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.fakes.faults import Fault, How
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI
from tests.household import ATTIC, CLOUD, ENTRY_ID, FREE, ask, ask_in_vain, demo, device_id, move_in, pass_time
from tests.servers import SECRET, at_server

from .happenings import PROMPT, ask_anybody, kinds, on_the_bus, shown, shown_types

_ABOUT = {"device_id", "name"}


@pytest.fixture
def told(hass: HomeAssistant) -> dict[Kind, list[Event[Any]]]:
    return on_the_bus(hass)


# --- each kind from what causes it ------------------------------------------------------------------


async def test_an_answer_from_the_first_provider_is_nothing_to_tell(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]]
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}))

    await ask_anybody(entry)
    await hass.async_block_till_done()

    assert kinds(told) == {}
    assert shown(hass, "ai_router").state == "unknown"


async def test_a_failover_tells_who_answered_and_who_could_not(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    shown_states = async_capture_events(hass, EVENT_STATE_CHANGED)
    server.key = "another"
    entry = await move_in(
        hass,
        freezer,
        await at_server(hass, server, CLOUD, priority=9),
        demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}),
    )

    await ask_anybody(entry, context_id="01CAUSE")
    await hass.async_block_till_done()

    (event,) = told[Kind.FAILOVER]
    assert event.data == {
        "device_id": device_id(hass, ENTRY_ID),
        "name": "AI Router",
        "request_id": "the-request",
        "label": "doorbell",
        "provider": "Attic",
        "model": entry.runtime_data.router.config.providers[ATTIC].models[0].id,
        "failed": [{"provider": "Server", "model": CHAT_MODEL, "outcome": "credential"}],
    }
    assert event.context.parent_id == "01CAUSE"
    (benched,) = told[Kind.BENCHED]
    assert benched.data == {
        "device_id": device_id(hass, CLOUD),
        "name": "Server",
        "model": None,
        "reason": "credential",
    }
    assert shown(hass, "ai_router").attributes[ATTR_EVENT_TYPE] == "failover"
    assert shown_types(shown_states, "server") == ["benched", "provider_unhealthy"]
    assert shown(hass, "attic").state == "unknown"

    entry.runtime_data.router.mend(CLOUD)
    await hass.async_block_till_done()

    (unbenched,) = told[Kind.UNBENCHED]
    assert (unbenched.data["name"], unbenched.data["model"]) == ("Server", None)


async def test_nobody_answers(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    server.key = "another"
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))

    for _ in range(2):  # the second one finds nobody left to ask
        with pytest.raises(RequestFailed):
            await ask_anybody(entry)
    await hass.async_block_till_done()

    first, second = told[Kind.ALL_FAILED]
    assert first.data["reason"] == "all_failed"
    assert first.data["failed"] == [{"provider": "Server", "model": CHAT_MODEL, "outcome": "credential"}]
    assert (second.data["reason"], second.data["failed"]) == ("all_down", [])
    assert kinds(told) == {"all_failed": 2, "benched": 1, "provider_unhealthy": 1}


async def test_a_rate_limit_is_told_by_the_attempt_alone(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    server.fault = Fault(How.REFUSE, 429, {"Retry-After": "30"}, {"error": {"message": "slow down"}})
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))

    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()

    assert kinds(told) == {"rate_limited": 1}
    (event,) = told[Kind.RATE_LIMITED]
    assert (event.data["model"], event.data["reason"]) == (CHAT_MODEL, "rate_limit")
    assert event.data["retry_at"].endswith("+00:00")


async def test_a_breaker_opens_and_closes(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    shown_states = async_capture_events(hass, EVENT_STATE_CHANGED)
    server.fault = Fault(How.REFUSE, 400, body={"error": {"message": "x"}})
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))
    breaker = entry.runtime_data.router.admission.breakers
    server.fault = Fault(How.REFUSE, 500, body={"error": {"message": "x"}})
    while not told[Kind.BREAKER_OPENED]:
        await ask_in_vain(entry, CLOUD)
        await hass.async_block_till_done()

    assert told[Kind.BREAKER_OPENED][0].data["model"] == CHAT_MODEL
    assert shown_types(shown_states, "server") == ["breaker_opened", "provider_unhealthy"]

    for state in (BreakerState.HALF_OPEN, BreakerState.OPEN):
        entry.runtime_data.events.hear(BreakerMoved(Target(CLOUD, CHAT_MODEL), state))
    await hass.async_block_till_done()
    assert len(told[Kind.BREAKER_OPENED]) == 1, "a probe was in vain: it was never closed"

    breaker.reset(CLOUD)
    await hass.async_block_till_done()

    assert len(told[Kind.BREAKER_CLOSED]) == 1


async def test_a_budget_is_nearly_and_then_wholly_used_up(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, budget_day="1"), budget_month="1000")
    server.usage = {"prompt_tokens": 899_990, "completion_tokens": 10, "total_tokens": 900_000}
    await ask(entry, CLOUD)
    await hass.async_block_till_done()

    (alert,) = told[Kind.BUDGET_ALERT]
    budget = {"device_id": device_id(hass, CLOUD), "name": "Server", "scope": "provider", "owner": "Server"}
    assert alert.data == {**budget, "window": "day", "spent": 0.9, "limit": 1.0}
    assert shown(hass, "server").attributes[ATTR_EVENT_TYPE] == "budget_alert"

    server.usage = {"prompt_tokens": 199_990, "completion_tokens": 10, "total_tokens": 200_000}
    await ask(entry, CLOUD, "Once more")
    await hass.async_block_till_done()

    (exceeded,) = told[Kind.BUDGET_EXCEEDED]
    assert exceeded.data == {**budget, "window": "day", "spent": 1.1, "limit": 1.0}
    (overrun,) = told[Kind.OVERRUN]
    assert overrun.data == {**budget, "window": "day", "provider": "Server", "amount": 0.1}
    assert kinds(told) == {"budget_alert": 1, "budget_exceeded": 1, "overrun": 1}


@pytest.mark.parametrize("lowered", ["0.4", "0"])
async def test_a_budget_that_is_lowered_below_what_is_spent_is_told_of_at_once(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    told: dict[Kind, list[Event[Any]]],
    server: FakeOpenAI,
    lowered: str,
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, budget_day="1"))
    server.usage = {"prompt_tokens": 499_990, "completion_tokens": 10, "total_tokens": 500_000}
    await ask(entry, CLOUD)
    await pass_time(hass, freezer)
    assert kinds(told) == {}

    subentry = entry.subentries[CLOUD]
    for _ in range(2):
        hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, "budget_day": lowered})
        await pass_time(hass, freezer)

    (exceeded,) = told[Kind.BUDGET_EXCEEDED]
    assert (exceeded.data["spent"], exceeded.data["limit"]) == (0.5, float(lowered))
    assert kinds(told) == {"budget_exceeded": 1}
    sensor = hass.states.get("binary_sensor.server_budget_used_up")
    assert sensor is not None
    assert sensor.state == "on"
    # A budget of nothing is a choice; there is nothing in it to mend.
    issues = {issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN}
    assert issues == (set() if lowered == "0" else {f"budget_reached_provider_{CLOUD}_day"})


async def test_the_router_s_own_budget_is_told_by_its_own_device(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD), budget_month="1")
    server.usage = {"prompt_tokens": 899_990, "completion_tokens": 10, "total_tokens": 900_000}
    await ask(entry, CLOUD)
    await hass.async_block_till_done()

    (alert,) = told[Kind.BUDGET_ALERT]
    assert (alert.data["name"], alert.data["scope"], alert.data["owner"], alert.data["window"]) == (
        "AI Router",
        "router",
        None,
        "month",
    )
    assert shown(hass, "ai_router").attributes[ATTR_EVENT_TYPE] == "budget_alert"


async def test_health_is_told_when_it_is_lost_and_when_an_answer_shows_that_it_is_back(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]], server: FakeOpenAI
) -> None:
    server.key = "another"
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))

    await ask_in_vain(entry, CLOUD)
    await pass_time(hass, freezer, 30)

    (ill,) = told[Kind.PROVIDER_UNHEALTHY]
    assert ill.data["reason"] == "credential"
    assert (ill.data["name"], ill.data["health"]) == ("Server", "unhealthy")

    server.key = SECRET
    entry.runtime_data.router.mend(CLOUD)
    for number in range(30):
        await ask(entry, CLOUD, f"{number}")
    await pass_time(hass, freezer, 30)

    (well,) = told[Kind.PROVIDER_RECOVERED]
    assert (well.data["name"], well.data["health"], well.data["reason"]) == ("Server", "healthy", None)
    assert shown(hass, "server").attributes[ATTR_EVENT_TYPE] == "provider_recovered"


@pytest.mark.parametrize(
    ("options", "fault", "count", "reason"),
    [
        ({"degraded_errors": 20}, Fault(How.REFUSE, 500), 2, "failing"),
        ({"slow_seconds": 0.1}, Fault(How.SLOW, seconds=0.15), 6, "slow"),
    ],
)
async def test_a_threshold_that_is_passed_is_told_once_and_so_is_the_recovery(
    hass: HomeAssistant,
    told: dict[Kind, list[Event[Any]]],
    server: FakeOpenAI,
    options: dict[str, float],
    fault: Fault,
    count: int,
    reason: str,
) -> None:
    entry = await move_in(hass, None, await at_server(hass, server, CLOUD), **options)
    server.fault = fault
    await (ask_in_vain if fault.how is How.REFUSE else ask)(entry, CLOUD)
    server.fault = None
    for number in range(4):
        await ask(entry, CLOUD, f"{number}")
    assert not told[Kind.PROVIDER_DEGRADED], "of one failure alone, the request itself tells"

    server.fault = fault
    for number in range(count):
        await (ask_in_vain if fault.how is How.REFUSE else ask)(entry, CLOUD, f"again {number}")
    await hass.async_block_till_done()

    (ill,) = told[Kind.PROVIDER_DEGRADED]
    assert (ill.data["name"], ill.data["health"], ill.data["reason"]) == ("Server", "degraded", reason)
    assert shown(hass, "server").attributes[ATTR_EVENT_TYPE] == "provider_degraded"

    server.fault = None
    for number in range(20):
        await ask(entry, CLOUD, f"well {number}")
    await hass.async_block_till_done()

    (well,) = told[Kind.PROVIDER_RECOVERED]
    assert well.data["health"] == "healthy"
    assert len(told[Kind.PROVIDER_DEGRADED]) == 1
    assert not told[Kind.PROVIDER_UNHEALTHY]


# --- what is told of every answer, if it is wanted --------------------------------------------------


async def test_every_answer_is_told_only_on_request(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, told: dict[Kind, list[Event[Any]]]
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}))
    await ask_anybody(entry)
    await hass.async_block_till_done()
    assert kinds(told) == {}

    hass.config_entries.async_update_entry(entry, options={"completed_event": True})
    await hass.async_block_till_done()
    reply = await ask_anybody(entry, prompt="Other words")
    await hass.async_block_till_done()

    assert kinds(told) == {"completed": 1}
    (event,) = told[Kind.COMPLETED]
    assert event.data == {
        "device_id": device_id(hass, ENTRY_ID),
        "name": "AI Router",
        "request_id": "the-request",
        "label": "doorbell",
        "provider": "Attic",
        "model": reply.target.model_id,
        "cached": False,
        "attempts": 1,
        "latency": event.data["latency"],
        "cost": reply.cost / 10**12,
        "estimated": False,
        "input_tokens": reply.usage.input_tokens,
        "output_tokens": reply.usage.output_tokens,
    }


# --- what is never told -----------------------------------------------------------------------------


async def test_nothing_that_was_said_and_no_secret_gets_on_the_bus(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    told: dict[Kind, list[Event[Any]]],
    server: FakeOpenAI,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.fault = Fault(How.REFUSE, 400, body={"error": {"message": f"your prompt '{PROMPT}' with {SECRET} is bad"}})
    entry = await move_in(
        hass,
        freezer,
        await at_server(hass, server, CLOUD, title=f"Server {SECRET}", priority=9),
        demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}),
        completed_event=True,
    )
    for key in (SECRET, "another"):
        server.key = key
        for _ in range(2):
            with pytest.raises(RequestFailed) if key == SECRET else _nothing():
                await ask_anybody(entry)
        server.fault = None
    await hass.async_block_till_done()

    events = [event for of_kind in told.values() for event in of_kind]
    assert {"failover", "completed", "benched"} <= kinds(told).keys()
    for event in events:
        assert set(event.data) == {*_ABOUT, *EVENT_DATA[Kind(event.event_type.removeprefix(f"{DOMAIN}_"))]}
    entities = [dict(state.attributes, friendly_name=None) for state in hass.states.async_all("event")]
    said = repr([event.data for event in events]) + repr(entities)
    assert SECRET not in said
    assert PROMPT not in said
    assert "Demo answer" not in said


class _nothing:  # noqa: N801 - reads as a statement
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


async def test_whoever_hears_may_ask_the_router_at_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    server.key = "another"
    entry = await move_in(
        hass,
        freezer,
        await at_server(hass, server, CLOUD, priority=9),
        demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}),
    )
    answers: list[str] = []
    done = asyncio.Event()

    async def hear(_: Event[Any]) -> None:
        answers.append((await ask_anybody(entry, prompt="What happened?")).text)
        done.set()

    hass.bus.async_listen_once(Kind.BENCHED.event_type, hear)
    await ask_anybody(entry)
    await asyncio.wait_for(done.wait(), 10)

    assert answers == ['Demo answer to "What happened?"']
