"""llama.cpp's own server, in the three protocols that it speaks."""

import json
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Call, Finish, UsageTotal, Vectors
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import Capability, Op, Sampling, Target
from custom_components.ai_router.routing.ports import Provider
from tests.providers.asking import DOOR, KEY, LIGHT, asking, fail, hear, picture, provider, results, turn, user, whole

from .speaking_model import ARGUMENTS, CONTEXT, DATA, TEXT, THOUGHTS, TOOL

MODEL = "speaking"
ASKED = user("Is the door open?")
PROTOCOLS = {
    "openai_compatible": {"preset": "llama_cpp", "local": True},
    "openai": {},
    "anthropic": {},
}

of_each = pytest.mark.parametrize("kind", PROTOCOLS)
both_ways = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def at(session: aiohttp.ClientSession, url: str, kind: str, key: str | None = KEY) -> Provider:
    return provider(session, url, kind, key=key, **PROTOCOLS[kind])


async def probed(session: aiohttp.ClientSession, url: str, kind: str) -> Provider:
    """Make a provider that knows its server, as every one is that is used."""
    made = at(session, url, kind)
    await made.probe()
    return made


def in_form(call: Call, *, stream: bool) -> Call:
    return call if stream else whole(call)


@of_each
@both_ways
async def test_text(session: aiohttp.ClientSession, speaking: str, kind: str, stream: bool) -> None:
    call = asking(MODEL, user("Hi"), sampling=Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("NEVER",)))

    answer = await hear(at(session, speaking, kind), in_form(call, stream=stream))

    assert (answer.text, answer.finish) == (TEXT, Finish.STOP)
    assert answer.opened
    assert answer.usage is not None
    assert answer.usage.output_tokens == 9
    assert answer.usage.input_tokens == 22


@of_each
@both_ways
async def test_what_is_cut_is_not_whole(session: aiohttp.ClientSession, speaking: str, kind: str, stream: bool) -> None:
    call = asking(MODEL, ASKED, max_output=3)

    answer = await hear(at(session, speaking, kind), in_form(call, stream=stream))

    assert (answer.text, answer.finish) == ("The door is", Finish.LENGTH)
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


@of_each
@both_ways
async def test_a_turn_with_a_tool(session: aiohttp.ClientSession, speaking: str, kind: str, stream: bool) -> None:
    of = await probed(session, speaking, kind)
    wish = in_form(asking(MODEL, ASKED, tools=(LIGHT,)), stream=stream)

    asked = await hear(of, wish)
    history = (ASKED, turn(asked, Target("p", MODEL)), *results(asked))
    told = await hear(of, in_form(asking(MODEL, *history, tools=(LIGHT,)), stream=stream))

    assert asked.finish is Finish.TOOLS
    assert [(call.name, call.arguments) for call in asked.calls] == [(TOOL, ARGUMENTS)]
    assert (told.text, told.finish) == (TEXT, Finish.STOP)


@of_each
@both_ways
async def test_data_in_the_shape_that_is_asked_for(
    session: aiohttp.ClientSession, speaking: str, kind: str, stream: bool
) -> None:
    call = in_form(asking(MODEL, ASKED, structure=DOOR), stream=stream)

    answer = await hear(at(session, speaking, kind), call)

    # In the two other protocols this server passes over the field without a word. The router takes no words for data.
    assert answer.text == (json.dumps(DATA) if kind == "openai_compatible" else TEXT)


@of_each
@both_ways
async def test_thoughts_are_not_the_answer(
    session: aiohttp.ClientSession, thinking: str, kind: str, stream: bool
) -> None:
    call = in_form(asking(MODEL, ASKED, sampling=Sampling(reasoning="low")), stream=stream)

    answer = await hear(at(session, thinking, kind), call)

    assert (answer.text, answer.finish) == (TEXT, Finish.STOP)
    assert answer.thoughts.strip() == "".join(THOUGHTS)


async def test_a_model_does_not_think_if_it_shall_not(session: aiohttp.ClientSession, thinking: str) -> None:
    call = asking(MODEL, ASKED, sampling=Sampling(reasoning="off"))

    answer = await hear(at(session, thinking, "openai_compatible"), call)

    assert (answer.text, answer.thoughts) == (TEXT, "")


@of_each
async def test_a_conversation_goes_on(session: aiohttp.ClientSession, thinking: str, kind: str) -> None:
    of = await probed(session, thinking, kind)
    before = await hear(of, asking(MODEL, ASKED))

    answer = await hear(of, asking(MODEL, ASKED, turn(before, Target("p", MODEL)), user("Sure?")))

    assert (answer.text, answer.finish) == (TEXT, Finish.STOP)


@of_each
async def test_a_wrong_key(session: aiohttp.ClientSession, speaking: str, kind: str) -> None:
    failure, heard = await fail(at(session, speaking, kind, "sk-wrong-key-3"), asking(MODEL))

    assert (failure.cls, failure.scope, failure.phase) == (
        FailureClass.CREDENTIAL,
        FailureScope.ACCOUNT,
        Phase.SENT,
    )
    assert "sk-wrong-key-3" not in failure.detail
    assert heard.events == []


async def test_the_probe_notices_a_wrong_key(session: aiohttp.ClientSession, speaking: str) -> None:
    await at(session, speaking, "openai_compatible").probe()

    with pytest.raises(AttemptFailed) as raised:
        await at(session, speaking, "openai_compatible", "sk-wrong-key-3").probe()

    assert raised.value.failure.cls is FailureClass.CREDENTIAL


@of_each
async def test_what_is_too_long_says_so(session: aiohttp.ClientSession, speaking: str, kind: str) -> None:
    failure, _ = await fail(at(session, speaking, kind), asking(MODEL, user("x" * 2 * CONTEXT)))

    assert failure.cls is FailureClass.CONTEXT_LENGTH


@of_each
async def test_a_picture_that_cannot_be_seen(
    session: aiohttp.ClientSession, speaking: str, kind: str, jpeg: bytes
) -> None:
    failure, heard = await fail(at(session, speaking, kind), asking(MODEL, user("What is this?", picture(jpeg))))

    assert failure.cls is FailureClass.CAPABILITY
    assert heard.text == ""


async def test_the_model_as_the_server_tells_it(session: aiohttp.ClientSession, speaking: str) -> None:
    (model,) = await at(session, speaking, "openai_compatible").models()

    assert (model.id, model.context, model.local) == (MODEL, CONTEXT, True)
    assert Capability.CHAT in model.caps
    assert Capability.VISION not in model.caps
    assert Capability.VISION in model.told


@pytest.mark.parametrize("kind", ["openai_compatible", "anthropic"])
async def test_tokens_are_counted_beforehand(session: aiohttp.ClientSession, speaking: str, kind: str) -> None:
    of: Any = at(session, speaking, kind)

    assert await of.count(asking(MODEL, user("Hi"))) == 22


@pytest.mark.parametrize("kind", ["openai_compatible", "openai"])
async def test_texts_as_vectors(session: aiohttp.ClientSession, embedding: str, kind: str) -> None:
    texts = ("The door is shut", "The door is", "zzz")
    call = asking(MODEL, *map(user, texts), op=Op.EMBED)

    heard = await hear(at(session, embedding, kind), call)

    (vectors,) = (event.vectors for event in heard.events if isinstance(event, Vectors))
    (usage,) = (event.usage for event in heard.events if isinstance(event, UsageTotal))

    def near(one: Any, other: Any) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert len(vectors) == 3
    assert near(vectors[0], vectors[1]) > 0.5 > near(vectors[0], vectors[2])
    assert usage.input_tokens > 0
    assert heard.finish is Finish.STOP
