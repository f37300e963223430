"""Counting beforehand: the free endpoints of those who have one, asked with nothing but what is counted."""

from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass
from custom_components.ai_router.routing.model import Message, Role, Sampling, Text
from custom_components.ai_router.routing.ports import Counter
from tests.fakes.anthropic import CHAT_MODEL as CLAUDE
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.cloudflare import ACCOUNT, FakeCloudflare
from tests.fakes.faults import Fault, How
from tests.fakes.gemini import CHAT_MODEL as GEMINI
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI
from tests.fakes.server import FakeServer

from .asking import KEY, LIGHT, asking, picture, provider, user

type Place = tuple[str, FakeServer, str, dict[str, Any]]


@pytest.fixture(params=["anthropic", "gemini", "openai_compatible"])
def place(request: pytest.FixtureRequest, anthropic: FakeAnthropic, gemini: FakeGemini, openai: FakeOpenAI) -> Place:
    openai.counts = True
    places: dict[str, tuple[FakeServer, str, dict[str, Any]]] = {
        "anthropic": (anthropic, CLAUDE, {}),
        "gemini": (gemini, GEMINI, {}),
        "openai_compatible": (openai, CHAT_MODEL, {"local": True}),
    }
    return request.param, *places[request.param]


def counter(session: aiohttp.ClientSession, place: Place) -> Counter:
    kind, server, _, options = place
    client = provider(session, server.url, kind, **options)
    assert isinstance(client, Counter)
    return client


def talk(model: str, *parts: Any, **fields: Any) -> Any:
    system = Message(Role.SYSTEM, (Text("You are a house."),))
    return asking(model, system, user(*parts or ("Is the door open?",)), tools=(LIGHT,), **fields)


async def test_the_count_is_the_server_s(session: aiohttp.ClientSession, place: Place) -> None:
    _, server, model, _ = place
    few = await counter(session, place).count(talk(model, sampling=Sampling(temperature=0.5, stop=("x",))))
    many = await counter(session, place).count(talk(model, "word " * 1_000))

    assert few is not None
    assert many is not None
    assert 0 < few < many
    assert {seen.method for seen in server.requests} == {"POST"}
    # Nothing was asked: only counted.
    assert server.answers == 0
    assert not server.bodies


async def test_pictures_are_counted_too(session: aiohttp.ClientSession, anthropic: FakeAnthropic, jpeg: bytes) -> None:
    place = ("anthropic", anthropic, CLAUDE, {})
    assert await counter(session, place).count(talk(CLAUDE, "What is this?", picture(jpeg)))


@pytest.mark.parametrize("answer", [{}, {"input_tokens": 0}, {"totalTokens": "many"}, [], "words"])
async def test_an_answer_that_is_no_count_is_a_failure(
    session: aiohttp.ClientSession, place: Place, answer: Any
) -> None:
    _, server, model, _ = place
    server.everywhere = True
    server.fault = Fault(How.ERROR_IN_BODY, body=answer)
    with pytest.raises(AttemptFailed) as raised:
        await counter(session, place).count(talk(model))

    assert raised.value.failure.cls is FailureClass.MALFORMED


async def test_a_refusal_is_a_failure_without_the_key(session: aiohttp.ClientSession, place: Place) -> None:
    _, server, model, _ = place
    server.key = "another"
    with pytest.raises(AttemptFailed) as raised:
        await counter(session, place).count(talk(model))

    assert raised.value.failure.cls is FailureClass.CREDENTIAL
    assert KEY not in raised.value.failure.detail


async def test_a_server_outside_is_not_asked_for_what_may_cost(
    session: aiohttp.ClientSession, openai: FakeOpenAI
) -> None:
    openai.counts = True
    assert await counter(session, ("openai_compatible", openai, CHAT_MODEL, {})).count(talk(CHAT_MODEL)) is None
    assert not openai.requests


async def test_a_server_that_does_not_count_says_so(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    with pytest.raises(AttemptFailed):
        await counter(session, ("openai_compatible", openai, CHAT_MODEL, {"local": True})).count(talk(CHAT_MODEL))


async def test_kinds_without_a_free_count_have_none(
    session: aiohttp.ClientSession, responses: FakeResponses, ollama: FakeOllama, cloudflare: FakeCloudflare
) -> None:
    for kind, server in (("openai", responses), ("ollama", ollama), ("cloudflare", cloudflare)):
        options = {"account_id": ACCOUNT} if kind == "cloudflare" else {}
        assert not isinstance(provider(session, server.url, kind, **options), Counter)
    assert not isinstance(provider(session, None, "demo"), Counter)
