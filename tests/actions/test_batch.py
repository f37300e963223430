"""`process_batch`: one result each and in order, a few at a time, bounded in time, stopped as a whole."""

import asyncio
from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from pytest_homeassistant_custom_component.common import MockUser, async_capture_events

from custom_components.ai_router.actions.batch import PROGRESS_EVENT
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.routing.ports import AttemptStarted, CoreEvent
from custom_components.ai_router.routing.request import Priority

from ..household import ATTIC, CLOUD, FREE, demo, move_in

QUICK = {"latency": 0}
SLOW = {"latency": 3_600}


async def batch(hass: HomeAssistant, *prompts: Any, context: Context | None = None, **data: Any) -> dict[str, Any]:
    """Call the action."""
    reply = await hass.services.async_call(
        DOMAIN,
        "process_batch",
        {"prompts": list(prompts), **data},
        blocking=True,
        return_response=True,
        context=context,
    )
    assert isinstance(reply, dict)
    return reply


async def test_results_come_in_the_order_of_the_prompts_answers_and_errors_alike(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    started: list[AttemptStarted] = []

    def hear(event: CoreEvent) -> None:
        if isinstance(event, AttemptStarted):
            started.append(event)

    entry.runtime_data.router.subscribe(hear)
    prompts = ["one", {"prompt": "two", "max_tokens": 2}, " ", {"prompt": "four", "model": "none of ours"}, "five"]
    reply = await batch(hass, *prompts, label="night")

    texts = [result.get("text") for result in reply["results"]]
    assert texts == ['Demo answer to "one"', "Demo answer", None, None, 'Demo answer to "five"']
    assert [result["error"]["code"] for result in reply["results"][2:4]] == ["empty_prompt", "no_capable_target"]
    assert (reply["total"], reply["failed"]) == (5, 2)
    paid = sum(result["cost"]["amount"] for result in reply["results"] if "cost" in result)
    assert reply["cost"] == {"amount": pytest.approx(paid), "currency": "USD", "estimated": False}
    assert paid > 0
    assert {event.request.priority for event in started} == {Priority.BATCH}
    assert {event.request.label for event in started} == {"night"}


async def test_only_so_many_are_under_way_at_a_time(hass: HomeAssistant) -> None:
    entry = await move_in(hass, None, demo(ATTIC, "Attic", prices=FREE, options={"latency": 0.01}))
    router = entry.runtime_data.router
    most = 0

    def hear(event: CoreEvent) -> None:
        nonlocal most
        most = max(most, router.under_way)

    router.subscribe(hear)
    reply = await batch(hass, *map(str, range(12)), concurrency=3)

    assert [result["text"] for result in reply["results"]] == [f'Demo answer to "{number}"' for number in range(12)]
    assert most == 3


async def test_it_says_how_far_it_is(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    heard = async_capture_events(hass, PROGRESS_EVENT)
    context = Context()
    await batch(hass, "a secret of the house", " ", "three", label="night", concurrency=1, context=context)

    assert [event.data for event in heard] == [
        {"label": "night", "done": 1, "failed": 0, "total": 3},
        {"label": "night", "done": 2, "failed": 1, "total": 3},
        {"label": "night", "done": 3, "failed": 1, "total": 3},
    ]
    assert {event.context.id for event in heard} == {context.id}


async def test_the_time_limit_is_for_all_and_what_is_done_is_kept(hass: HomeAssistant) -> None:
    quick, slow = demo(ATTIC, "Attic", options=QUICK), demo(CLOUD, "Cloud", options=SLOW)
    await move_in(hass, None, quick, slow)
    prompts = ["one", {"prompt": "two", "provider": "Cloud"}, "three"]
    reply = await batch(hass, *prompts, provider="Attic", concurrency=1, timeout=1)

    assert [result.get("text") for result in reply["results"]] == ['Demo answer to "one"', None, None]
    assert [result["error"]["code"] for result in reply["results"][1:]] == ["deadline", "deadline"]
    assert all(result["error"]["message"] for result in reply["results"][1:])


async def test_cancelling_it_cancels_the_rest(hass: HomeAssistant) -> None:
    entry = await move_in(hass, None, demo(ATTIC, "Attic", prices=FREE, options=SLOW))
    router = entry.runtime_data.router
    started = asyncio.Event()
    attempts = 0

    def hear(event: CoreEvent) -> None:
        nonlocal attempts
        if isinstance(event, AttemptStarted):
            attempts += 1
            if attempts == 2:
                started.set()

    router.subscribe(hear)
    asking = asyncio.create_task(batch(hass, *map(str, range(10)), concurrency=2))
    await started.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert asking.cancelled()
    assert (router.under_way, attempts) == (0, 2)
    assert not router.admission.open_tickets


async def test_the_first_failure_stops_it_where_that_is_wished(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    with pytest.raises(ServiceValidationError, match="The prompt is empty"):
        await batch(hass, "one", " ", "three", concurrency=1, on_error="raise")

    assert entry.runtime_data.router.recent(ATTIC).attempts == 1


async def test_what_holds_for_all_can_only_be_tightened(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    away = await batch(hass, {"prompt": "one", "local_only": False}, local_only=True)
    assert "must stay in the house" in away["results"][0]["error"]["message"]
    dear = await batch(hass, {"prompt": "one", "max_cost": 100}, max_cost=0.000001)
    assert "cost more than this request is allowed to" in dear["results"][0]["error"]["message"]
    own = await batch(hass, {"prompt": "one", "label": "mine", "provider": "Attic"}, provider="Nobody")
    assert own["failed"] == 0


async def test_who_may_not_see_a_camera_gets_nothing(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    guest = MockUser(id="guest").add_to_hass(hass)
    guest.mock_policy({})
    with pytest.raises(Unauthorized):
        await batch(hass, {"prompt": "one", "images": "camera.door"}, context=Context(user_id=guest.id))

    assert entry.runtime_data.router.recent(ATTIC).attempts == 0


async def test_it_goes_on_past_a_provider_that_is_down(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    dead = demo(ATTIC, "Attic", prices=FREE, options={"latency": 0, "success_rate": 0.0}, priority=10)
    await move_in(hass, freezer, dead, demo(CLOUD, "Cloud", options=QUICK))
    reply = await batch(hass, "one", "two")

    assert [result["provider"] for result in reply["results"]] == ["Cloud", "Cloud"]


@pytest.mark.parametrize(
    "data",
    [
        {"prompts": []},
        {"prompts": ["x"] * 501},
        {"prompts": [{"system": "no prompt"}]},
        {"prompts": [{"prompt": "x", "timeout": 0}]},
        {"prompts": [{"prompt": "x", "on_error": "raise"}]},
        {"prompts": [["x"]]},
        {"prompts": ["x"], "concurrency": 0},
        {"prompts": ["x"], "concurrency": 17},
        {"prompts": ["x"], "prompt": "y"},
        {},
    ],
)
async def test_what_the_schema_does_not_allow_is_refused(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, data: dict[str, Any]
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    with pytest.raises(vol.Invalid):
        await hass.services.async_call(DOMAIN, "process_batch", data, blocking=True, return_response=True)
    assert entry.runtime_data.router.recent(ATTIC).attempts == 0


async def test_without_an_entry_the_action_says_so(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError):
        await batch(hass, "one")
