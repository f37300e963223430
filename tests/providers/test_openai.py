"""OpenAI's Responses API, spoken to over a real socket."""

import asyncio
from contextlib import aclosing
from datetime import date

import aiohttp
import pytest

from custom_components.ai_router.providers.openai import OpenAI
from custom_components.ai_router.routing.call import Finish, RateWindow, Usage
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, FailureScope
from custom_components.ai_router.routing.model import (
    Capability,
    Message,
    Model,
    Role,
    Target,
    Text,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.ports import Provider
from tests.fakes.faults import Fault, How
from tests.fakes.openai import ALWAYS_MODEL, CHAT_MODEL, PLAIN_MODEL, RESTING_MODEL, FakeResponses
from tests.fakes.openai_rules import Traits

from .asking import KEY, LIGHT, asking, fail, hear, picture, provider, results, turn, user, whole

ALL = [CHAT_MODEL, ALWAYS_MODEL, RESTING_MODEL, PLAIN_MODEL]
CALLS = [
    {"call_id": "call_1", "name": "light_on", "arguments": '{"room":"hall"}'},
    {"call_id": "call_2", "name": "light_on", "arguments": "{}"},
]


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


async def test_without_an_address_it_is_openai_s_own(session: aiohttp.ClientSession) -> None:
    of = provider(session, None, "openai")

    assert isinstance(of, OpenAI)
    assert str(of._address(asking(CHAT_MODEL))) == "https://api.openai.com/v1/responses"


@pytest.mark.parametrize(
    "pasted",
    [
        "{}",
        "{}/",
        " {} ",
        "{}/responses",
        "{}/chat/completions",
        "{}/models",
        "http://127.0.0.1:{port}",
        "127.0.0.1:{port}",
    ],
)
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
        "gpt-5.6-luna": Model(
            "gpt-5.6-luna", can | Capability.REASONING, 1_050_000, 128_000, retires=date(2999, 12, 31)
        ),
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
