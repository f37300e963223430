"""OpenAI's Responses API, spoken to over a real socket."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, FailureScope
from custom_components.ai_router.routing.model import (
    Capability,
    Finish,
    Message,
    Model,
    RateWindow,
    Role,
    Sampling,
    Structure,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from custom_components.ai_router.routing.ports import Provider
from tests.fakes.faults import Fault, How
from tests.fakes.openai import ALWAYS_MODEL, CHAT_MODEL, PLAIN_MODEL, RESTING_MODEL, FakeResponses
from tests.fakes.openai_rules import Traits

from .asking import DOOR, KEY, LIGHT, asking, fail, hear, picture, provider, results, turn, user, whole

ALL = [CHAT_MODEL, ALWAYS_MODEL, RESTING_MODEL, PLAIN_MODEL]
CALLS = [
    {"call_id": "call_1", "name": "light_on", "arguments": '{"room":"hall"}'},
    {"call_id": "call_2", "name": "light_on", "arguments": "{}"},
]
FREE_FORM = Structure("anything", {"type": "object", "properties": {"data": {"type": "object"}}})


def at(session: aiohttp.ClientSession, server: FakeResponses) -> Provider:
    return provider(session, server.url, "openai")


# --- answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", ALL)
async def test_an_answer(session: aiohttp.ClientSession, responses: FakeResponses, model: str, stream: bool) -> None:
    responses.thinking = "The door is a door."
    call = asking(model)

    answer = await hear(at(session, responses), call if stream else whole(call))

    assert answer.opened is not None
    assert (answer.text, answer.thoughts, answer.finish) == (responses.text, "", Finish.STOP)
    assert answer.usage == Usage(fresh_in=responses.tokens_in, text_out=responses.tokens_out)
    assert len([event for event in answer.events if hasattr(event, "text")]) == (
        len(responses.text.split()) if stream else 1
    )


@pytest.mark.parametrize("pasted", ["{}", "{}/", "{}/responses", "{}/chat/completions", "http://127.0.0.1:{port}"])
async def test_any_address_people_paste(session: aiohttp.ClientSession, responses: FakeResponses, pasted: str) -> None:
    port = responses.url.rpartition(":")[2].removesuffix("/v1")

    answer = await hear(provider(session, pasted.format(responses.url, port=port), "openai"), asking(CHAT_MODEL))

    assert answer.text == responses.text
    assert responses.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("model", ALL)
async def test_nothing_is_kept_there(session: aiohttp.ClientSession, responses: FakeResponses, model: str) -> None:
    responses.tool_calls = CALLS
    of = at(session, responses)
    heard = await hear(of, asking(model, user("Light!"), tools=(LIGHT,)))
    said = turn(heard, Target("p", model))
    await hear(of, asking(model, user("Light!"), said, *results(heard), tools=(LIGHT,)))

    for body in responses.bodies:
        assert body["store"] is False
        assert not {"previous_response_id", "conversation", "metadata", "user", "background"} & body.keys()


@pytest.mark.parametrize("model", ALL)
async def test_pictures_arrive_as_they_are(
    session: aiohttp.ClientSession, responses: FakeResponses, jpeg: bytes, model: str
) -> None:
    await hear(at(session, responses), asking(model, user("Who is it?", picture(jpeg), picture(jpeg))))

    assert responses.pictures == [jpeg, jpeg]


async def test_the_provider_s_own_limits_are_told(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    responses.fault = Fault(
        How.SLOW,
        headers={"x-ratelimit-limit-tokens": "30000", "x-ratelimit-remaining-tokens": "29000"},
    )

    answer = await hear(at(session, responses), asking(CHAT_MODEL))

    assert answer.opened is not None
    assert answer.opened.rates == (RateWindow("tokens", 30000, 29000, None),)


# --- reasoning ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", [None, "none", "minimal", "low", "medium", "high", "xhigh", "max", "on"])
@pytest.mark.parametrize("model", ALL)
async def test_every_wish_is_taken_at_once(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, wish: str | None
) -> None:
    sampling = Sampling(reasoning=wish, temperature=0.2, top_p=0.9)

    await hear(at(session, responses), asking(model, tools=(LIGHT,), sampling=sampling))

    (body,) = responses.bodies
    rests = model == PLAIN_MODEL or (model == RESTING_MODEL and wish is None)
    assert ("temperature" in body) == (rests or (wish == "none" and model != ALWAYS_MODEL))


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_are_told_apart(session: aiohttp.ClientSession, responses: FakeResponses, stream: bool) -> None:
    responses.thinking = "The door is a door."
    call = asking(CHAT_MODEL, sampling=Sampling(reasoning="low"))

    answer = await hear(at(session, responses), call if stream else whole(call))

    assert (answer.thoughts, answer.text) == (responses.thinking, responses.text)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("wish", ["low", None])
@pytest.mark.parametrize("model", [CHAT_MODEL, ALWAYS_MODEL])
async def test_reasoning_goes_back_with_the_tools_answers(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, wish: str | None, stream: bool
) -> None:
    responses.thinking, responses.tool_calls = "The hall first.", CALLS
    of = at(session, responses)
    messages = [user("Light!")]

    for _ in range(2):
        call = asking(model, *messages, tools=(LIGHT,), sampling=Sampling(reasoning=wish))
        heard = await hear(of, call if stream else whole(call))
        assert (heard.thoughts, heard.text) == ("The hall first." if wish else "", "On it.")
        assert heard.finish is Finish.TOOLS
        messages += [turn(heard, Target("p", model)), *results(heard)]
    responses.tool_calls = []
    last = await hear(of, asking(model, *messages, tools=(LIGHT,), sampling=Sampling(reasoning=wish)))

    # The server has looked at every piece of reasoning: only whole ones of this very model pass.
    assert len(responses.bodies) == 3
    kinds = [item.get("type", item.get("role")) for item in responses.bodies[-1]["input"]]
    loop = ["reasoning", "message", "function_call", "function_call", "function_call_output", "function_call_output"]
    assert kinds == ["user", *loop, *loop]
    assert [item["phase"] for item in responses.bodies[-1]["input"] if "phase" in item] == ["commentary"] * 2
    assert last.text == responses.text


async def test_reasoning_ends_with_its_turn(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    responses.thinking, responses.tool_calls = "The hall first.", CALLS
    of = at(session, responses)
    heard = await hear(of, asking(CHAT_MODEL, user("Light!"), tools=(LIGHT,)))
    said = turn(heard, Target("p", CHAT_MODEL))

    for later in (
        asking(CHAT_MODEL, user("Light!"), said, *results(heard), user("Thanks!"), tools=(LIGHT,)),
        asking(ALWAYS_MODEL, user("Light!"), said, *results(heard), tools=(LIGHT,)),
    ):
        await hear(of, later)
        assert not any(item.get("type") == "reasoning" for item in responses.bodies[-1]["input"])
    assert len(responses.bodies) == 3


async def test_reasoning_that_is_refused_is_given_up_once(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    responses.thinking, responses.tool_calls = "The hall first.", CALLS
    of = at(session, responses)
    heard = await hear(of, asking(CHAT_MODEL, user("Light!"), tools=(LIGHT,)))
    good = turn(heard, Target("p", CHAT_MODEL))
    (thought, *rest) = good.parts
    assert isinstance(thought, Thinking)
    spoiled = [{**item, "encrypted_content": "x"} if "summary" in item else item for item in thought.opaque[0]]
    bad = Message(good.role, (Thinking("", (spoiled,), thought.origin), *rest))

    await hear(of, asking(CHAT_MODEL, user("Light!"), bad, *results(heard), tools=(LIGHT,)))
    await hear(of, asking(CHAT_MODEL, user("Light!"), good, *results(heard), tools=(LIGHT,)))

    sent = [any(item.get("type") == "reasoning" for item in body["input"]) for body in responses.bodies]
    # Nothing is remembered of it: the next conversation may be whole.
    assert sent == [False, True, False, True]
    assert responses.answers == 3


# --- tools -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", ALL)
async def test_a_turn_with_tools_is_taken_back(
    session: aiohttp.ClientSession, responses: FakeResponses, jpeg: bytes, model: str, stream: bool
) -> None:
    responses.tool_calls = CALLS
    of = at(session, responses)
    call = asking(model, Message(Role.SYSTEM, (Text("Be brief."),)), user("Light!"), tools=(LIGHT,))

    asked = await hear(of, call if stream else whole(call))
    await hear(
        of,
        asking(
            model,
            user("Light!"),
            Message(Role.ASSISTANT, (Text("On it."), *asked.calls)),
            *(Message(Role.TOOL, (ToolResult(call.id, call.name, "done"), picture(jpeg))) for call in asked.calls),
            user("And?"),
            tools=(LIGHT,),
        ),
    )

    assert asked.calls == [ToolCall("call_1", "light_on", {"room": "hall"}), ToolCall("call_2", "light_on", {})]
    assert asked.finish is Finish.TOOLS
    assert responses.answers == 2
    assert responses.pictures == [jpeg, jpeg]


# --- structure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("shape", [DOOR, FREE_FORM])
@pytest.mark.parametrize("model", ALL)
async def test_a_shape(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, shape: Structure, stream: bool
) -> None:
    call = asking(model, structure=shape)

    answer = await hear(at(session, responses), call if stream else whole(call))

    assert json.loads(answer.text) == {"open": True}
    assert answer.finish is Finish.STOP
    assert [body["text"]["format"]["strict"] for body in responses.bodies] == [shape is DOOR]


async def test_a_refused_schema_is_not_remembered_and_a_refused_mode_is(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    of = at(session, responses)
    responses.refuses = {CHAT_MODEL: {"text.format"}}

    for _ in range(2):
        await hear(of, asking(CHAT_MODEL, structure=DOOR))

    means = [body["text"]["format"]["type"] if "text" in body else "words" for body in responses.bodies]
    assert means == ["json_schema", "json_object", "words", "json_schema", "words"]
    assert all('"boolean"' in json.dumps(body["input"]) or "schema" in json.dumps(body) for body in responses.bodies)


# --- what a model does not take ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "field", "call"),
    [
        (CHAT_MODEL, "reasoning.effort", {"sampling": Sampling(reasoning="low")}),
        (CHAT_MODEL, "reasoning.summary", {"sampling": Sampling(reasoning="low")}),
        (CHAT_MODEL, "include", {"tools": (LIGHT,)}),
        (CHAT_MODEL, "prompt_cache_options", {}),
        (PLAIN_MODEL, "temperature", {"sampling": Sampling(temperature=0.2, top_p=0.9)}),
        (PLAIN_MODEL, "top_p", {"sampling": Sampling(temperature=0.2, top_p=0.9)}),
    ],
)
async def test_refused_fields_are_left_out_and_remembered(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, field: str, call: dict[str, Any]
) -> None:
    responses.refuses = {model: {field}}
    of = at(session, responses)

    for _ in range(2):
        await hear(of, asking(model, **call))

    name = field.rpartition(".")[2]
    assert [f'"{name}"' in json.dumps(body) for body in responses.bodies] == [True, False, False]


async def test_what_is_not_known_of_a_model_is_found_out(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    responses.models["gpt-7"] = Traits(efforts=frozenset({"low"}), cache_options=False)
    of = at(session, responses)
    sampling = Sampling(reasoning=None, temperature=0.2)

    await hear(of, asking("gpt-7", sampling=sampling, tools=(LIGHT,)))
    await hear(of, asking("gpt-7", sampling=sampling, tools=(LIGHT,)))

    assert ["temperature" in body for body in responses.bodies] == [True, False, False]
    assert all("include" in body for body in responses.bodies)


async def test_a_refusal_of_something_else_is_a_failure(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    failure, _ = await fail(at(session, responses), asking(CHAT_MODEL, max_output=5))

    assert failure.cls is FailureClass.BAD_REQUEST
    assert len(responses.bodies) == 1


# --- connections -------------------------------------------------------------------------------------


async def test_closing_an_attempt_closes_the_connection(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    responses.fault = Fault(How.HANG_AFTER, after=3)
    async with aclosing(at(session, responses).attempt(asking(CHAT_MODEL))) as events:
        await anext(events)
        await anext(events)

    async with asyncio.timeout(10):
        await responses.someone_left.wait()


async def test_the_key_is_nowhere(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    responses.fault = Fault(How.ECHO_KEY)

    failure, _ = await fail(at(session, responses), asking(CHAT_MODEL))

    assert KEY in responses.requests[0].headers["Authorization"]
    assert KEY not in repr(failure)


# --- models and probe --------------------------------------------------------------------------------


async def test_models(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    responses.models["gpt-5.6-luna"] = Traits(shutdown="2999-12-31")
    responses.models["gpt-4o"] = Traits(shutdown="2026-01-01")

    models = {model.id: model for model in await at(session, responses).models()}

    can = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED | Capability.TOOLS | Capability.VISION
    assert models == {
        CHAT_MODEL: Model(CHAT_MODEL, can | Capability.REASONING, 1_050_000, 128_000),
        ALWAYS_MODEL: Model(ALWAYS_MODEL, can | Capability.REASONING, 1_050_000, 128_000),
        RESTING_MODEL: Model(RESTING_MODEL, can | Capability.REASONING, 400_000, 128_000),
        PLAIN_MODEL: Model(PLAIN_MODEL, can, 1_000_000, 32_000),
        "gpt-5.6-luna": Model("gpt-5.6-luna", can | Capability.REASONING, 1_050_000, 128_000),
        "text-embedding-3-small": Model("text-embedding-3-small", Capability.EMBEDDINGS),
        "gpt-image-2.5-flare": Model("gpt-image-2.5-flare", Capability.IMAGE_OUT),
        "gpt-audio": Model("gpt-audio", Capability.NONE),
        "whisper-1": Model("whisper-1", Capability.NONE),
    }
    assert not any(model.local or model.prices for model in models.values())


async def test_a_probe_is_free_and_checks_the_key(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    await at(session, responses).probe()

    with pytest.raises(AttemptFailed) as raised:
        await provider(session, responses.url, "openai", key="sk-another-key").probe()

    assert responses.bodies == []
    failure = raised.value.failure
    assert (failure.cls, failure.scope) == (FailureClass.CREDENTIAL, FailureScope.ACCOUNT)


async def test_a_list_that_is_none(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    responses.fault, responses.everywhere = Fault(How.ERROR_IN_BODY, body={"hello": 1}), True

    with pytest.raises(AttemptFailed) as raised:
        await at(session, responses).models()

    assert raised.value.failure.cls is FailureClass.MALFORMED
