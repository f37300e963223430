"""AI Task entities of another integration as providers, in a real Home Assistant."""

import asyncio
import importlib
import io
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import probatio
import pytest
from aiohttp import ClientError
from homeassistant.components import media_source
from homeassistant.components.media_player import BrowseError
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import llm
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml.objects import NodeStrClass
from PIL import Image as PilImage
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.ai_router.ai_task_target import AiTaskTarget, entities, hand_out
from custom_components.ai_router.const import DOMAIN, SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.pictures import prepare
from custom_components.ai_router.providers.registry import ProviderSetup
from custom_components.ai_router.routing.call import Call, Timeouts
from custom_components.ai_router.routing.failures import FailureClass, Phase
from custom_components.ai_router.routing.model import (
    Capability,
    Image,
    Message,
    Model,
    Role,
    Structure,
    Target,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.stored_models import CALL_PRICE, model_to_stored
from tests.household import ATTIC, demo, move_in

DELPHI = "01DELPHI"
BLIND, SEEING, IDLE = 1, 3, 4
SEES = Capability.CHAT | Capability.STRUCTURED | Capability.VISION


@pytest.fixture
async def oracle(hass: HomeAssistant) -> ModuleType:
    """A house with three entities: one takes no pictures, one does, one generates only pictures."""
    assert await async_setup_component(hass, "homeassistant", {})
    entry = MockConfigEntry(
        domain="oracle", title="Oracle", data={"oracles": {"Delphi": SEEING, "Dodona": BLIND, "Siwa": IDLE}}
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return importlib.import_module("custom_components.oracle.ai_task")


def stored_id(hass: HomeAssistant, entity_id: str) -> str:
    entry = er.async_get(hass).async_get(entity_id)
    assert entry is not None
    return entry.id


def target(
    hass: HomeAssistant,
    entity_id: str = "ai_task.delphi",
    *,
    price: str | None = "0.02",
    caps: Capability = SEES,
    local: bool = False,
    **settings: Any,
) -> ConfigSubentry:
    own = None if price is None else {CALL_PRICE: price}
    data = {
        Conf.KIND.value: "ai_task",
        Conf.OPTIONS.value: {"entity": stored_id(hass, entity_id), "local": local},
        Conf.MODELS.value: [model_to_stored(Model(entity_id, caps, local=local, told=SEES), own=own)],
        **settings,
    }
    return ConfigSubentry(
        data=MappingProxyType(data),
        subentry_id=DELPHI,
        subentry_type=SUBENTRY_PROVIDER,
        title="Delphi",
        unique_id=None,
    )


def said(role: Role, *parts: Any) -> Message:
    return Message(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def request(*messages: Message | str, **more: Any) -> Request:
    whole = tuple(said(Role.USER, each) if isinstance(each, str) else each for each in messages)
    return Request(id="asked", caller=Caller(), messages=whole, **more)


async def put(entry: MockConfigEntry, asked: Request) -> Reply:
    reply: Reply = await entry.runtime_data.router.process(asked)
    return reply


async def refused(entry: MockConfigEntry, asked: Request) -> FailureClass:
    with pytest.raises(RequestFailed) as err:
        await put(entry, asked)
    failure = err.value.attempts[0].outcome.failure
    assert failure is not None
    return failure.cls


# --- what is asked, what comes back -----------------------------------------------------------------


async def test_a_prompt_is_passed_on_as_it_is(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))

    reply = await put(entry, request("Who is at the door?"))

    (task,) = oracle.TASKS["Delphi"]
    assert (task.instructions, task.structure, task.attachments, task.llm_api) == (
        "Who is at the door?",
        None,
        None,
        None,
    )
    assert (reply.text, reply.target) == ("Delphi has spoken", Target(DELPHI, "ai_task.delphi"))
    assert (reply.cost, reply.estimated) == (PICODOLLARS_PER_DOLLAR // 50, True)


async def test_who_spoke_is_named_where_more_is_said_than_a_prompt(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))

    await put(
        entry,
        request(
            said(Role.SYSTEM, "Be brief."),
            said(Role.USER, "Is it dark?"),
            said(Role.ASSISTANT, "I look.", ToolCall("1", "light", {"room": "hall"})),
            said(Role.TOOL, ToolResult("1", "light", "12 lx")),
            said(Role.ASSISTANT, "Yes."),
            said(Role.USER, "How dark?", "In numbers."),
        ),
    )

    assert oracle.TASKS["Delphi"][0].instructions == (
        "System: Be brief.\n\nUser: Is it dark?\n\n"
        'Assistant: I look.\n[calls light: {"room":"hall"}]\n\nTool: [light answers: 12 lx]\n\n'
        "Assistant: Yes.\n\nUser: How dark?\nIn numbers."
    )


SCHEMA = {
    "type": "object",
    "properties": {
        "package": {"type": "boolean", "description": "Is there one?"},
        "size": {"type": "string", "enum": ["small", "large"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "weight": {"type": "number"},
        "day": {"type": "string", "format": "date"},
        "names": {"type": "array", "items": {"type": "string"}},
        "sender": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "city": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["package", "size"],
    "additionalProperties": False,
}


async def test_a_structure_reaches_the_entity_as_it_was_asked_for(hass: HomeAssistant, oracle: ModuleType) -> None:
    data = {
        "package": True,
        "size": "large",
        "count": 2,
        "weight": 1,
        "names": ["A"],
        "sender": {"name": "B"},
        "note": None,
    }

    async def tell(task: Any) -> Any:
        # Names that come from an automation are texts of YAML's own kind.
        return {NodeStrClass(name): value for name, value in task.structure(data).items()}

    oracle.DEEDS["Delphi"] = tell
    entry = await move_in(hass, None, target(hass))

    reply = await put(entry, request("What came?", structure=Structure("Parcel", SCHEMA)))

    (task,) = oracle.TASKS["Delphi"]
    # As every core integration turns it into what its model is held to.
    seen = probatio.to_openapi(task.structure, custom_serializer=llm.selector_serializer, openapi_version="3.1.0")
    assert (seen, task.name) == (SCHEMA, "Parcel")
    assert reply.data == data
    with pytest.raises(probatio.Invalid):
        task.structure({**data, "size": "huge"})
    with pytest.raises(probatio.Invalid):
        task.structure({"size": "large"})


@pytest.mark.parametrize(
    ("answer", "cls"),
    [
        ("", FailureClass.EMPTY),
        (None, FailureClass.EMPTY),
        ("not JSON", FailureClass.INVALID_ANSWER),
        ({"a": object()}, FailureClass.INVALID_ANSWER),
    ],
)
async def test_what_is_no_answer_is_not_passed_on_as_one(
    hass: HomeAssistant, oracle: ModuleType, answer: Any, cls: FailureClass
) -> None:
    async def tell(task: Any) -> Any:
        return answer

    oracle.DEEDS["Delphi"] = tell
    entry = await move_in(hass, None, target(hass, attempts=1))

    structure = Structure("Parcel", {"type": "object", "properties": {"a": {}}})
    assert await refused(entry, request("What?", structure=structure)) is cls


async def test_tools_are_not_its_business(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))
    tool = Tool("light", "", {"type": "object"})

    with pytest.raises(RequestFailed):
        await put(entry, request("Light!", tools=(tool,), needs=Capability.CHAT | Capability.TOOLS))
    call = Call(Target(DELPHI, "x"), (said(Role.USER, "Light!"),), 100, Timeouts(), tools=(tool,))
    with pytest.raises(Exception, match="calls no tools"):
        await anext(
            AiTaskTarget(hass, ProviderSetup("p", "ai_task", options={"entity": "ai_task.delphi"})).attempt(call)
        )
    assert not oracle.TASKS


# --- prices, locality -------------------------------------------------------------------------------


async def test_a_price_of_nothing_is_nothing_and_none_is_unknown(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass, price="0"))
    (free,) = entry.runtime_data.router.config.providers[DELPHI].models
    assert free.prices is not None
    assert (free.prices.free, free.prices.source, (await put(entry, request("Hi"))).cost) == (True, "user", 0)

    hass.config_entries.async_update_subentry(entry, entry.subentries[DELPHI], data=target(hass, price=None).data)
    await hass.async_block_till_done()
    (unknown,) = entry.runtime_data.router.config.providers[DELPHI].models
    assert (unknown.prices, unknown.local) == (None, False)


async def test_local_only_asks_only_what_an_admin_calls_local(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))
    with pytest.raises(RequestFailed):
        await put(entry, request("Hi", local_only=True))
    assert not oracle.TASKS

    hass.config_entries.async_update_subentry(entry, entry.subentries[DELPHI], data=target(hass, local=True).data)
    await hass.async_block_till_done()
    assert (await put(entry, request("Hi", local_only=True))).text == "Delphi has spoken"


# --- pictures ---------------------------------------------------------------------------------------


def photo() -> Image:
    """A picture that lay on its side, with a place in it."""
    picture = PilImage.new("RGB", (400, 200), "red")
    exif = PilImage.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 15.0)
    raw = io.BytesIO()
    picture.save(raw, "JPEG", exif=exif)
    return prepare(raw.getvalue(), 100)


async def gone(path: Path) -> None:
    """Wait until another thread has deleted a file."""
    async with asyncio.timeout(10):
        while path.exists():  # noqa: ASYNC110, ASYNC240 - a file tells nobody when it goes, and asking takes no time
            await asyncio.sleep(0.01)


async def test_a_picture_is_handed_over_ready_and_is_gone_afterwards(
    hass: HomeAssistant, oracle: ModuleType, hass_ws_client: WebSocketGenerator
) -> None:
    meddling: dict[str, Any] = {}

    async def look(task: Any) -> Any:
        """See what others could fetch while the call lasts."""
        (attachment,) = task.attachments
        where = attachment.media_content_id
        meddling["mode"] = attachment.path.stat().st_mode & 0o777
        await meddling["socket"].send_json_auto_id({"type": "media_source/resolve_media", "media_content_id": where})
        meddling["answer"] = await meddling["socket"].receive_json()
        with pytest.raises(media_source.Unresolvable):  # it was fetched once already
            await media_source.async_resolve_media(hass, where, None)
        return "red"

    oracle.DEEDS["Delphi"] = look
    entry = await move_in(hass, None, target(hass))
    meddling["socket"] = await hass_ws_client(hass)

    reply = await put(
        entry, request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)
    )

    assert reply.text == "red"
    (path, mime, content) = oracle.PICTURES[0]
    with PilImage.open(io.BytesIO(content)) as seen:
        assert (seen.size, seen.format, dict(seen.getexif())) == ((50, 100), "JPEG", {})
    assert (mime, meddling["mode"]) == ("image/jpeg", 0o600)
    assert meddling["answer"]["success"] is False
    await gone(path)


async def test_a_picture_is_only_for_its_own_call(hass: HomeAssistant, oracle: ModuleType) -> None:
    """Even who knows the id, and before the entity has fetched it, gets nothing from outside."""
    asked = asyncio.Event()
    ids: list[str] = []
    resolve = media_source.async_resolve_media

    async def spy(hass: HomeAssistant, media_content_id: str, target: Any = None) -> Any:
        ids.append(media_content_id)
        asked.set()
        await asyncio.sleep(0)
        return await resolve(hass, media_content_id, target)

    entry = await move_in(hass, None, target(hass))
    seen = request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_source, "async_resolve_media", spy)
        asking = asyncio.create_task(put(entry, seen))
        await asked.wait()
        with pytest.raises(media_source.Unresolvable):
            await resolve(hass, ids[0], None)
        assert hand_out(ids[0].rpartition("/")[2]) is None
        await asking
    assert oracle.PICTURES


async def test_a_picture_that_nobody_fetched_is_gone_with_the_call(hass: HomeAssistant, oracle: ModuleType) -> None:
    over = asyncio.Event()
    late: list[asyncio.Task[Any]] = []
    resolve = media_source.async_resolve_media

    async def fetch_later(media_content_id: str) -> Any:
        await over.wait()
        return await resolve(hass, media_content_id, None)

    async def leave(hass: HomeAssistant, media_content_id: str, target: Any = None) -> Any:
        # What is begun from within the call is in its context.
        late.append(asyncio.create_task(fetch_later(media_content_id)))
        raise media_source.Unresolvable("not now")

    entry = await move_in(hass, None, target(hass, attempts=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_source, "async_resolve_media", leave)
        seen = request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)
        with pytest.raises(RequestFailed):
            await put(entry, seen)
    over.set()

    assert late
    for task in late:
        with pytest.raises(media_source.Unresolvable):
            await task


async def test_there_is_nothing_to_browse(hass: HomeAssistant, oracle: ModuleType) -> None:
    await move_in(hass, None)
    with pytest.raises(BrowseError):
        await media_source.async_browse_media(hass, f"media-source://{DOMAIN}")


async def test_several_pictures_keep_their_turns(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))
    asked = request(
        said(Role.USER, photo(), "And this?"),
        said(Role.ASSISTANT, "Red."),
        said(Role.USER, photo(), photo(), "And these?"),
        needs=Capability.CHAT | Capability.VISION,
    )
    await put(entry, asked)

    (task,) = oracle.TASKS["Delphi"]
    assert task.instructions == (
        "User: [picture 1]\nAnd this?\n\nAssistant: Red.\n\nUser: [picture 2]\n[picture 3]\nAnd these?"
    )
    assert len({attachment.path for attachment in task.attachments}) == 3


async def test_an_entity_that_has_lost_its_sight_gets_no_picture(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass, "ai_task.dodona"))
    asked = request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)

    assert await refused(entry, asked) is FailureClass.CAPABILITY
    assert not oracle.TASKS


# --- failures, time, cancel -------------------------------------------------------------------------


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
