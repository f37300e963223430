"""Texts as vectors over every kind that makes them: order, portions, counts, and replies that cannot be used."""

import asyncio
import base64
import math
import struct
from array import array
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.providers.demo import EMBEDDING_MODEL, Demo
from custom_components.ai_router.providers.embeddings import portions
from custom_components.ai_router.providers.registry import KINDS, ProviderSetup
from custom_components.ai_router.routing.call import Call, Event, Finish, Finished, Opened, Usage, UsageTotal, Vectors
from custom_components.ai_router.routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope
from custom_components.ai_router.routing.model import Op
from custom_components.ai_router.routing.ports import Provider
from tests.fakes import cloudflare as cf
from tests.fakes import embeddings
from tests.fakes.anthropic import CHAT_MODEL as CLAUDE
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.cloudflare import FakeCloudflare
from tests.fakes.faults import Fault, How
from tests.fakes.gemini import EMBEDDER as GEMINI_EMBEDDER
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import EMBEDDER as HOUSE_EMBEDDER
from tests.fakes.openai_compatible import FakeOpenAI
from tests.fakes.server import FakeServer

from .asking import KEY, asking, provider, until, user

TEXTS = ("the door is open", "der Hund schläft ☃", "rain at seven")


@dataclass
class Place:
    """A server that embeds, and the provider before it."""

    kind: str
    server: FakeServer
    model: str
    provider: Provider

    @property
    def sent(self) -> list[Any]:
        return [seen.body for seen in self.server.requests if seen.method == "POST"]


@pytest.fixture(params=["openai", "openai_compatible", "gemini", "ollama", "cloudflare"])
def place(
    request: pytest.FixtureRequest,
    session: aiohttp.ClientSession,
    responses: FakeResponses,
    openai: FakeOpenAI,
    gemini: FakeGemini,
    ollama: FakeOllama,
    cloudflare: FakeCloudflare,
) -> Place:
    servers: dict[str, tuple[FakeServer, str]] = {
        "openai": (responses, "text-embedding-3-small"),
        "openai_compatible": (openai, HOUSE_EMBEDDER),
        "gemini": (gemini, GEMINI_EMBEDDER),
        "ollama": (ollama, "nomic-embed-text:latest"),
        "cloudflare": (cloudflare, cf.EMBEDDER),
    }
    kind = request.param
    server, model = servers[kind]
    options = {"account_id": cf.ACCOUNT} if kind == "cloudflare" else {}
    key = None if kind == "ollama" else KEY
    return Place(kind, server, model, provider(session, server.url, kind, key=key, **options))


def embedding(model: str, *texts: str, **fields: Any) -> Call:
    return asking(model, *map(user, texts or TEXTS), max_output=0, op=Op.EMBED, **fields)


async def heard(of: Provider, call: Call) -> tuple[list[Event], Failure | None]:
    """Run an attempt; return its events and, where it failed, why."""
    events: list[Event] = []
    try:
        async with aclosing(of.attempt(call)) as stream:
            async for event in stream:
                events.append(event)  # noqa: PERF401 - what came before a failure is kept
    except AttemptFailed as err:
        return events, err.failure
    return events, None


def vectors(events: list[Event]) -> list[array[float]]:
    return [vector for event in events if isinstance(event, Vectors) for vector in event.vectors]


def usage(events: list[Event]) -> Usage | None:
    told = [event.usage for event in events if isinstance(event, UsageTotal)]
    return told[-1] if told else None


async def test_each_text_becomes_the_vector_in_its_place(place: Place) -> None:
    events, failure = await heard(place.provider, embedding(place.model))

    assert failure is None
    assert isinstance(events[0], Opened)
    assert events[-1] == Finished(Finish.STOP)
    assert [list(vector) for vector in vectors(events)] == [embeddings.vector(text) for text in TEXTS]
    assert all(vector.typecode == "f" for vector in vectors(events))
    assert usage(events) == Usage(fresh_in=embeddings.tokens(list(TEXTS)))


async def test_many_texts_go_in_portions_that_each_server_takes(place: Place) -> None:
    texts = [f"text number {number} of many" for number in range(230)]
    events, failure = await heard(place.provider, embedding(place.model, *texts))

    assert failure is None
    assert [list(vector) for vector in vectors(events)] == [embeddings.vector(text) for text in texts]
    assert len(place.sent) > 1
    assert usage(events) == Usage(fresh_in=embeddings.tokens(texts), requests=len(place.sent))


async def test_what_was_embedded_before_a_failure_is_told(place: Place) -> None:
    texts = [f"text number {number} of many" for number in range(230)]
    place.server.fault = [None, Fault(How.REFUSE, status=503, body={"error": {"message": "busy"}})]
    events, failure = await heard(place.provider, embedding(place.model, *texts))

    assert failure is not None
    assert failure.cls is FailureClass.OVERLOADED
    done = len(vectors(events))
    assert 0 < done < len(texts)
    assert usage(events) == Usage(fresh_in=embeddings.tokens(texts[:done]))
    assert not any(isinstance(event, Finished) for event in events)


async def test_a_server_that_counts_nothing_tells_nothing(place: Place) -> None:
    place.server.fault = Fault(How.NO_USAGE)
    events, failure = await heard(place.provider, embedding(place.model))

    assert failure is None
    assert usage(events) is None
    assert len(vectors(events)) == len(TEXTS)


type Change = Callable[[list[Any]], list[Any]]
CHANGES: dict[str, Change] = {
    "one too few": lambda given: given[:-1],
    "one too many": lambda given: [*given, given[0]],
    "none at all": lambda given: given[:0],
    "not a number": lambda given: [[math.nan, 1.0], *given[1:]],
    "infinite": lambda given: [[-math.inf, 1.0], *given[1:]],
    "nothing in place of a number": lambda given: [[None, 1.0], *given[1:]],
    "words": lambda given: [["a", "b"], *given[1:]],
    "nested": lambda given: [[one] for one in given],
    "no vector": lambda given: [None, *given[1:]],
    "broken base64": lambda given: ["AAA", *given[1:]],
    "half a number in base64": lambda given: [base64.b64encode(b"abc").decode(), *given[1:]],
}


@pytest.mark.parametrize("change", CHANGES)
async def test_vectors_that_cannot_be_used_are_a_failure(place: Place, change: str) -> None:
    place.server.change = CHANGES[change]
    events, failure = await heard(place.provider, embedding(place.model))

    assert failure is not None
    assert failure.cls is FailureClass.INVALID_ANSWER
    assert failure.billed is Billed.PARTIAL
    assert not vectors(events)


def _packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


async def test_both_forms_of_a_vector_are_read(place: Place) -> None:
    place.server.change = lambda given: [_packed(0.5, -2.0), [0.5, -2.0], [1, 0]][: len(given)]
    events, failure = await heard(place.provider, embedding(place.model))

    assert failure is None
    assert [list(vector) for vector in vectors(events)] == [[0.5, -2.0], [0.5, -2.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("fault", "cls"),
    [
        (Fault(How.PAGE, status=200), FailureClass.MALFORMED),
        (Fault(How.EMPTY_BODY), FailureClass.MALFORMED),
        (Fault(How.ERROR_IN_BODY, body={"hello": "world"}), FailureClass.MALFORMED),
        (Fault(How.ERROR_IN_BODY, body={"error": {"message": "too many", "code": 429}}), FailureClass.RATE_LIMIT),
        (Fault(How.CUT), FailureClass.STREAM_CUT),
        (Fault(How.CLOSE_BEFORE), FailureClass.NETWORK),
        (Fault(How.REDIRECT), FailureClass.MALFORMED),
        (Fault(How.NOT_HTTP), FailureClass.NETWORK),
    ],
)
async def test_what_goes_wrong_on_the_way_has_its_class(place: Place, fault: Fault, cls: FailureClass) -> None:
    place.server.fault = fault
    events, failure = await heard(place.provider, embedding(place.model))

    assert failure is not None
    assert failure.cls is cls
    assert KEY not in failure.detail
    assert not vectors(events)


async def test_a_wrong_key_is_told_apart(place: Place) -> None:
    place.server.key = "another"
    _, failure = await heard(place.provider, embedding(place.model))

    assert failure is not None
    assert failure.cls is FailureClass.CREDENTIAL


async def test_a_model_that_is_not_there_is_missing(place: Place) -> None:
    _, failure = await heard(place.provider, embedding("nobody-embed"))

    assert failure is not None
    assert failure.cls is FailureClass.MODEL_MISSING or place.kind == "cloudflare"


async def test_leaving_closes_the_connection(place: Place) -> None:
    place.server.fault = Fault(How.SLOW, seconds=60)
    asking = asyncio.create_task(heard(place.provider, embedding(place.model)))
    await until(lambda: bool(place.sent))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(10):
        await place.server.someone_left.wait()


# --- single kinds ----------------------------------------------------------------------------------


async def test_ollama_does_not_cut_a_text_unseen(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    house = provider(session, ollama.url, "ollama", key=None, num_ctx=2048.0, keep_alive="5m")
    _, failure = await heard(house, embedding("nomic-embed-text:latest", "word " * 5_000))

    assert failure is not None
    assert (failure.cls, failure.scope) == (FailureClass.CONTEXT_LENGTH, FailureScope.REQUEST)
    (body,) = [seen.body for seen in ollama.requests]
    assert (body["truncate"], body["options"], body["keep_alive"]) == (False, {"num_ctx": 2048}, "5m")


async def test_ollama_signed_out_of_its_cloud_keeps_its_own_models(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    ollama.fault = Fault(How.REFUSE, status=401, body={"error": "unauthorized"})
    _, failure = await heard(provider(session, ollama.url, "ollama", key=None), embedding("nomic-embed-text:latest"))

    assert failure is not None
    assert (failure.cls, failure.scope) == (FailureClass.CREDENTIAL, FailureScope.TARGET)


async def test_openai_is_asked_for_the_short_form(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    await heard(provider(session, responses.url, "openai"), embedding("text-embedding-3-small"))

    (seen,) = responses.requests
    assert seen.body == {"model": "text-embedding-3-small", "input": list(TEXTS), "encoding_format": "base64"}


@pytest.mark.parametrize(
    "numbers", [[0, 0, 1], [0, 1, 5], [0, 1, None]], ids=["twice the same", "out of range", "one without"]
)
async def test_a_vector_that_belongs_to_no_text_is_not_guessed(
    session: aiohttp.ClientSession, openai: FakeOpenAI, numbers: list[int | None]
) -> None:
    data = [{"embedding": [1.0], **({} if number is None else {"index": number})} for number in numbers]
    openai.fault = Fault(How.ERROR_IN_BODY, body={"data": data})
    _, failure = await heard(provider(session, openai.url), embedding(HOUSE_EMBEDDER))

    assert failure is not None
    assert failure.cls is FailureClass.INVALID_ANSWER


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"prompt_tokens": 12, "total_tokens": 12}, Usage(fresh_in=12)),
        ({"total_tokens": 9}, Usage(fresh_in=9)),
        ({"prompt_tokens": 0, "total_tokens": 0}, None),
        (None, None),
        ("many", None),
    ],
)
async def test_golden_usage(
    session: aiohttp.ClientSession, openai: FakeOpenAI, counted: Any, expected: Usage | None
) -> None:
    data = [{"embedding": [1.0], "index": number} for number in range(len(TEXTS))]
    openai.fault = Fault(How.ERROR_IN_BODY, body={"data": data, "usage": counted})
    events, failure = await heard(provider(session, openai.url), embedding(HOUSE_EMBEDDER))

    assert failure is None
    assert usage(events) == expected


async def test_claude_embeds_nothing_and_nothing_is_sent(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    _, failure = await heard(provider(session, anthropic.url, "anthropic"), embedding(CLAUDE))

    assert failure is not None
    assert (failure.cls, failure.billed) == (FailureClass.CAPABILITY, Billed.NO)
    assert not anthropic.requests


async def test_the_demo_places_texts_by_their_words() -> None:
    demo = KINDS["demo"].build(ProviderSetup("p", "demo"), None)  # type: ignore[arg-type] # it needs no session
    assert isinstance(demo, Demo)
    events, failure = await heard(demo, embedding(EMBEDDING_MODEL, "open door", "Door, open!", "a cat"))

    assert failure is None
    one, same, other = vectors(events)
    assert one == same != other
    assert usage(events) == Usage(fresh_in=6)


@pytest.mark.parametrize(("rate", "error"), [(0.0, "rate_limit"), (0.0, "stream_cut")])
async def test_the_demo_fails_as_it_is_told(rate: float, error: str) -> None:
    demo = Demo(ProviderSetup("p", "demo", options={"success_rate": rate, "error": error}))
    _, failure = await heard(demo, embedding(EMBEDDING_MODEL))

    assert failure is not None
    assert failure.cls == error


def test_portions_keep_the_order_and_the_bounds() -> None:
    texts = ["a" * 200_000, "b" * 100_000, "c", "d" * 400_000, "e"]

    assert [[text[0] for text in portion] for portion in portions(texts, 100)] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert list(portions(["x"] * 5, 2)) == [["x", "x"], ["x", "x"], ["x"]]
    assert list(portions([], 2)) == []
