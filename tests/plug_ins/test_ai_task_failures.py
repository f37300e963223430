"""AI Task entities that fail, vanish, take too long, or lead back to the router."""

import asyncio
import importlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import ClientError
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er

from custom_components.ai_router.ai_task_target import AiTaskTarget, entities
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.providers.registry import ProviderSetup
from custom_components.ai_router.routing.failures import FailureClass, Phase
from custom_components.ai_router.routing.model import (
    Capability,
    Role,
)
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.household import ATTIC, demo, move_in

from .oracles import DELPHI, SEEING, gone, photo, put, refused, request, said, target


class Refusal(Exception):
    """As the client libraries of the core's integrations have them."""

    def __init__(self, status: int, name: str = "status_code") -> None:
        super().__init__("refused")
        setattr(self, name, status)


FAILURES: list[tuple[BaseException | None, FailureClass]] = [
    (None, FailureClass.TRANSIENT),
    (Refusal(429), FailureClass.RATE_LIMIT),
    (Refusal(529), FailureClass.OVERLOADED),
    (Refusal(503, "code"), FailureClass.OVERLOADED),
    (Refusal(500, "status"), FailureClass.TRANSIENT),
    (Refusal(413), FailureClass.TOO_LARGE),
    (Refusal(402), FailureClass.BILLING),
    (Refusal(401), FailureClass.TRANSIENT),
    (Refusal(200), FailureClass.TRANSIENT),
    (TimeoutError(), FailureClass.TIMEOUT_FIRST_TOKEN),
    (ClientError(), FailureClass.NETWORK),
    (ConnectionRefusedError(), FailureClass.NETWORK),
]


@pytest.mark.parametrize(("cause", "cls"), FAILURES)
async def test_what_went_wrong_is_told_by_what_lies_behind_it(
    hass: HomeAssistant, oracle: ModuleType, cause: BaseException | None, cls: FailureClass
) -> None:
    async def fail(task: Any) -> Any:
        raise HomeAssistantError("It did not work") from cause

    oracle.DEEDS["Delphi"] = fail
    entry = await move_in(hass, None, target(hass), demo(ATTIC, "Attic"))

    reply = await put(entry, request("Hi"))

    assert reply.target.provider_id == ATTIC
    outcome = reply.attempts[0].outcome
    assert outcome.failure is not None
    assert (outcome.failure.cls, outcome.failure.phase, outcome.failure.detail) == (cls, Phase.SENT, "It did not work")
    # What a server refused is not paid; of the others nobody knows.
    paid = not isinstance(cause, Refusal) or cause.args == () or getattr(cause, "status_code", 0) == 200
    assert outcome.cost == (PICODOLLARS_PER_DOLLAR // 50 if paid else 0)


@pytest.mark.parametrize("err", [ZeroDivisionError(), KeyError("x"), asyncio.CancelledError(), StopAsyncIteration()])
async def test_what_an_entity_does_wrong_ends_nothing_but_its_own_attempt(
    hass: HomeAssistant, oracle: ModuleType, err: BaseException
) -> None:
    async def fail(task: Any) -> Any:
        raise err

    oracle.DEEDS["Delphi"] = fail
    entry = await move_in(hass, None, target(hass, attempts=1), demo(ATTIC, "Attic"))

    reply = await put(entry, request("Hi"))

    failure = reply.attempts[0].outcome.failure
    assert failure is not None
    assert (failure.cls, reply.target.provider_id) == (FailureClass.MALFORMED, ATTIC)
    assert not entry.runtime_data.router.admission.open_tickets


async def test_an_entity_that_goes_while_it_is_asked_still_answers_or_is_passed_over(
    hass: HomeAssistant, oracle: ModuleType
) -> None:
    begun, answer = asyncio.Event(), asyncio.Event()

    async def wait(task: Any) -> Any:
        begun.set()
        await answer.wait()
        return "The last word"

    oracle.DEEDS["Delphi"] = wait
    entry = await move_in(hass, None, target(hass, attempts=1), demo(ATTIC, "Attic"))
    asking = asyncio.create_task(put(entry, request("Hi")))
    await begun.wait()

    er.async_get(hass).async_remove("ai_task.delphi")
    await hass.async_block_till_done(wait_background_tasks=False)
    answer.set()

    assert (await asking).text == "The last word"
    assert (await put(entry, request("And now?"))).target.provider_id == ATTIC


async def test_what_is_not_there_is_not_asked_and_comes_back(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass, attempts=1))
    entity = oracle.ENTITIES["Delphi"]
    entity._attr_available = False
    entity.async_write_ha_state()

    assert await refused(entry, request("Hi")) is FailureClass.NETWORK
    failure = await entry.runtime_data.router.check(DELPHI)
    assert (failure.cls, failure.phase) == (FailureClass.NETWORK, Phase.UNSENT)

    entity._attr_available = True
    entity.async_write_ha_state()
    assert await entry.runtime_data.router.check(DELPHI) is None
    assert (await put(entry, request("Hi"))).text == "Delphi has spoken"


async def test_an_entity_may_be_renamed_and_one_that_is_removed_is_gone(
    hass: HomeAssistant, oracle: ModuleType
) -> None:
    entry = await move_in(hass, None, target(hass))
    registry = er.async_get(hass)
    registry.async_update_entity("ai_task.delphi", new_entity_id="ai_task.pythia")
    await hass.async_block_till_done()
    assert (await put(entry, request("Hi"))).text == "Delphi has spoken"

    registry.async_remove("ai_task.pythia")
    await hass.async_block_till_done()
    assert await refused(entry, request("Hi")) is FailureClass.MODEL_MISSING


async def test_a_cancel_and_the_end_of_time_reach_the_entity(hass: HomeAssistant, oracle: ModuleType) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(task: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    oracle.DEEDS["Delphi"] = wait
    entry = await move_in(hass, None, target(hass, first_token_timeout=0.2, attempts=1), demo(ATTIC, "Attic"))
    asked = request(said(Role.USER, photo(), "Hi"), needs=Capability.CHAT | Capability.VISION)

    asking = asyncio.create_task(put(entry, asked))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert ended.is_set()
    await gone(oracle.PICTURES[0][0])

    ended.clear()
    reply = await put(entry, request("Hi"))
    failure = reply.attempts[0].outcome.failure
    assert failure is not None
    assert (failure.cls, reply.target.provider_id) == (FailureClass.TIMEOUT_FIRST_TOKEN, ATTIC)
    assert ended.is_set()


# --- loops ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["directly", "through an action", "in a task of its own"])
async def test_a_loop_ends_with_a_clear_failure(hass: HomeAssistant, oracle: ModuleType, way: str) -> None:
    entry = await move_in(hass, None, target(hass))
    inner: list[RequestFailed] = []

    async def ask_again() -> str:
        try:
            return (await put(entry, request("Hi"))).text
        except RequestFailed as err:
            inner.append(err)
            raise HomeAssistantError("the router failed") from err

    async def action(call: ServiceCall) -> dict[str, Any]:
        return {"text": await ask_again()}

    hass.services.async_register("test", "again", action, supports_response=SupportsResponse.ONLY)
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "directly": ask_again,
        "through an action": lambda: hass.services.async_call("test", "again", blocking=True, return_response=True),
        "in a task of its own": lambda: hass.async_create_task(ask_again()),
    }
    oracle.DEEDS["Delphi"] = lambda _: ways[way]()

    with pytest.raises(RequestFailed) as outer:
        await put(entry, request("Hi"))

    assert len(oracle.TASKS["Delphi"]) == 1
    for err, phase, words in (
        (inner[0], Phase.UNSENT, "must not ask it in turn"),
        (outer.value, Phase.SENT, "ai_task.delphi has asked the router"),
    ):
        (attempt,) = err.attempts
        failure = attempt.outcome.failure
        assert failure is not None
        assert (failure.cls, failure.phase) == (FailureClass.CAPABILITY, phase)
        assert words in failure.detail


async def test_a_loop_may_end_elsewhere_and_leaves_nothing_behind(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass, priority=5), demo(ATTIC, "Attic"))
    later: list[asyncio.Task[Reply]] = []
    over = asyncio.Event()

    async def ask_later() -> Reply:
        await over.wait()
        return await put(entry, request("Later"))

    async def deed(task: Any) -> Any:
        if task.instructions != "Hi":
            return "once more"
        # What an entity leaves behind is in the context of a call that has ended by then.
        later.append(asyncio.create_task(ask_later()))
        return (await put(entry, request("Inside"))).target.provider_id

    oracle.DEEDS["Delphi"] = deed

    assert (await put(entry, request("Hi"))).text == ATTIC
    over.set()
    assert (await later[0]).text == "once more"


async def test_our_own_entities_are_neither_offered_nor_asked(hass: HomeAssistant, oracle: ModuleType) -> None:
    registry = er.async_get(hass)
    own = registry.async_get_or_create("ai_task", DOMAIN, "pool", suggested_object_id="pool", supported_features=SEEING)
    hass.states.async_set("ai_task.pool", "unknown", {"supported_features": SEEING})

    assert set(entities(hass).values()) == {"Delphi", "Dodona"}
    client = AiTaskTarget(hass, ProviderSetup("p", "ai_task", options={"entity": own.id}))
    with pytest.raises(Exception, match="the router's own"):
        await client.probe()


def test_the_registry_of_kinds_and_the_core_know_nothing_of_it() -> None:
    home = Path(importlib.import_module("custom_components.ai_router").__file__ or "").parent
    for file in (*(home / "routing").rglob("*.py"), *(home / "providers").rglob("*.py")):
        assert not re.search(r"ai_task_|AI Task", file.read_text()), file
