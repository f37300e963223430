"""LiteLLM's proxy in all protocols that it offers: what it says stands in its configuration."""

from copy import replace
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, Phase
from custom_components.ai_router.routing.model import Capability, Op
from tests.providers.asking import LIGHT, asking, fail, hear, picture, provider, results, turn, user, whole

from .speaking_model import ARGUMENTS, TEXT, TOOL

KINDS = ("openai_compatible", "openai", "anthropic", "gemini")
BEHIND = ("house-openai", "house-anthropic", "house-gemini")
# What its mocks do not do: they cannot stream responses, and ask Gemini itself where they are asked in its protocol.
NOT_MOCKED = {("openai", model) for model in BEHIND} | {("gemini", "house-gemini")}
STREAMED = [(kind, model, True) for kind in KINDS for model in BEHIND if (kind, model) not in NOT_MOCKED]
WHOLE = [(kind, model, False) for kind in KINDS for model in BEHIND]

of_each = pytest.mark.parametrize("kind", KINDS)
both_ways = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


@pytest.mark.parametrize(("kind", "model", "stream"), STREAMED + WHOLE)
async def test_text(session: aiohttp.ClientSession, litellm: str, kind: str, model: str, stream: bool) -> None:
    call = asking(model, user("Is the door open?"), max_output=1_000)

    answer = await hear(provider(session, litellm, kind), call if stream else whole(call))

    assert answer.text == TEXT
    assert answer.finish is Finish.STOP
    assert answer.opened
    # It counts the words of its mocks everywhere but in a stream of Gemini's.
    assert (answer.usage is not None) == ((kind, stream) != ("gemini", True))


@of_each
async def test_history_and_pictures_are_taken(
    session: aiohttp.ClientSession, litellm: str, kind: str, jpeg: bytes
) -> None:
    of = provider(session, litellm, kind)
    asked = user("Who is this?", picture(jpeg), picture(jpeg))
    call = whole(asking("house-openai", asked, max_output=1_000))
    before = await hear(of, call)

    answer = await hear(of, replace(call, messages=(asked, turn(before, call.target), user("Sure?"))))

    assert (answer.text, answer.finish) == (TEXT, Finish.STOP)


async def test_a_turn_with_a_tool(session: aiohttp.ClientSession, litellm: str) -> None:
    of = provider(session, litellm)
    # Its mocks stream no calls.
    call = whole(asking("house-tools", user("Light!"), tools=(LIGHT,)))

    asked = await hear(of, call)
    history = (user("Light!"), turn(asked, call.target), *results(asked))
    told = await hear(of, asking("house-openai", *history, tools=(LIGHT,)))

    assert asked.finish is Finish.TOOLS
    assert [(call.name, call.arguments) for call in asked.calls] == [(TOOL, ARGUMENTS)]
    assert (told.text, told.finish) == (TEXT, Finish.STOP)


@of_each
async def test_a_wrong_key(session: aiohttp.ClientSession, litellm: str, kind: str) -> None:
    wrong = "wrong-key-without-prefix"
    failure, heard = await fail(provider(session, litellm, kind, key=wrong), asking("house-openai"))

    assert (failure.cls, failure.phase) == (FailureClass.CREDENTIAL, Phase.SENT)
    assert wrong not in failure.detail
    assert heard.events == []


@pytest.mark.parametrize(
    ("model", "cls"),
    [
        ("house-limited", FailureClass.RATE_LIMIT),
        ("house-broken", FailureClass.TRANSIENT),
        ("house-long", FailureClass.CONTEXT_LENGTH),
        ("house-gone", FailureClass.MODEL_MISSING),
    ],
)
@both_ways
async def test_failures(
    session: aiohttp.ClientSession, litellm: str, model: str, cls: FailureClass, stream: bool
) -> None:
    call = asking(model)

    failure, heard = await fail(provider(session, litellm), call if stream else whole(call))

    assert failure.cls is cls
    assert heard.text == ""


async def test_models_and_the_probe(session: aiohttp.ClientSession, litellm: str) -> None:
    of = provider(session, litellm)

    await of.probe()
    models = {model.id: model for model in await of.models()}
    with pytest.raises(AttemptFailed) as raised:
        await provider(session, litellm, key="wrong-key-without-prefix").probe()

    assert raised.value.failure.cls is FailureClass.CREDENTIAL
    assert Capability.CHAT in models["house-openai"].caps
    assert models["house-openai"].context == 922_000


async def test_a_vector_too_few_is_no_answer(session: aiohttp.ClientSession, litellm: str) -> None:
    of: Any = provider(session, litellm)

    failure, heard = await fail(of, asking("house-embed", user("one"), user("two"), op=Op.EMBED))
    answer = await hear(of, asking("house-embed", user("one"), op=Op.EMBED))

    assert failure.cls is FailureClass.INVALID_ANSWER
    assert heard.finish is None
    assert answer.finish is Finish.STOP
