"""Texts as vectors: what the protocols ask and answer, and how many texts go at once.

A reply is cut into vectors away from the event loop: in digits, each takes some 60 kB.
"""

import asyncio
import sys
import time
from array import array
from base64 import b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from yarl import URL

from ..routing.call import Call, Event, Finish, Finished, Opened, Usage, UsageTotal, Vector, Vectors
from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, Phase
from .chat_usage import count
from .conversation import encoded, joined
from .error_bodies import kind_of_body
from .rates import rate_windows
from .transport import Answer, Transport

# Some 100 vectors of 4,096 numbers, each written with all its digits.
MAX_VECTORS_BODY = 16 * 1024 * 1024
# A parser lets no other thread run, the event loop's neither: in digits, some 2 MB at a time.
DIGITS_AT_ONCE = 32
# The least of all providers' limits on one request is 300,000 tokens, and a token is at least a byte.
_BYTES_AT_ONCE = 300_000
_NO_NUMBERS = (b"NaN", b"Infinity")
_NOT_ALL = "a vector of which not all are numbers"

type Refusal = Callable[[Answer, Call], Awaitable[Failure]]


class NoVectors(ValueError):
    """A reply whose vectors cannot be read: too few, too many, twice the same, or not made of numbers."""


class Told(NamedTuple):
    """What one reply holds: the vectors in the order of the texts, and what it counted."""

    vectors: tuple[Vector, ...]
    usage: Usage | None


class Embedding(NamedTuple):
    """How a protocol embeds: `at_once` texts in one body, what the body is, and where the vectors are in the reply.

    `vectors` returns them as they came, None where the reply is of another kind.
    """

    at_once: int
    body: Callable[[str, Sequence[str]], dict[str, Any]]
    vectors: Callable[[dict[str, Any]], list[Any] | None]
    usage: Callable[[dict[str, Any]], Usage | None]


def texts_of(call: Call) -> list[str]:
    """Return the texts of a call that embeds."""
    return [joined(message.parts) for message in call.messages]


def portions(texts: Sequence[str], at_once: int) -> Iterator[list[str]]:
    """Cut the texts into what one body may hold; a text that is too long for any goes alone."""
    portion: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode(errors="surrogatepass"))
        if portion and (len(portion) >= at_once or size + length > _BYTES_AT_ONCE):
            yield portion
            portion, size = [], 0
        portion.append(text)
        size += length
    if portion:
        yield portion


async def embed(transport: Transport, url: URL, form: Embedding, call: Call, refusal: Refusal) -> AsyncGenerator[Event]:
    """Embed a call's texts, a portion after the other. Raises `AttemptFailed`; closing it closes the connection.

    What a portion cost is told also where a later one fails. `refusal` reads why an answer is no success.
    """
    used: Usage | None = Usage(requests=0)
    try:
        for texts in portions(texts_of(call), form.at_once):
            body = await encoded(partial(_body, form, texts), call)
            answer = await transport.post(url, body, call.timeouts.connect)
            try:
                if not answer.ok:
                    raise AttemptFailed(await refusal(answer, call))
                yield Opened(rate_windows(answer.headers, time.time()))
                told = await _told(transport, answer, form, len(texts), call)
            finally:
                answer.close()
            yield Vectors(told.vectors)
            used = None if used is None or told.usage is None else _sum(used, told.usage)
    except AttemptFailed:
        if used is not None and used.requests:
            yield UsageTotal(used)
        raise
    if used is not None:
        yield UsageTotal(used)
    yield Finished(Finish.STOP)


def _body(form: Embedding, texts: Sequence[str], call: Call) -> dict[str, Any]:
    return form.body(call.target.model_id, texts)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(fresh_in=one.fresh_in + other.fresh_in, requests=one.requests + other.requests)


async def _told(transport: Transport, answer: Answer, form: Embedding, texts: int, call: Call) -> Told:
    body = await answer.body(MAX_VECTORS_BODY)
    replies = transport.replies
    try:
        told = await asyncio.get_running_loop().run_in_executor(None, _read, body, form, texts)
    except orjson.JSONDecodeError:
        failure = replies.stranger(kind_of_body(answer.content_type, body))
    except NoVectors as err:
        failure = Failure(FailureClass.INVALID_ANSWER, Phase.SENT, str(err), billed=Billed.PARTIAL)
    else:
        if isinstance(told, Told):
            return told
        failure = replies.in_band(told, Phase.SENT, call.target.model_id) or replies.stranger("JSON of another kind")
    raise AttemptFailed(failure)


def _read(body: bytes, form: Embedding, texts: int) -> Told | Any:
    """Read the reply to so many texts; what is of another kind is returned as it is. Raises `NoVectors`."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        if not any(word in body for word in _NO_NUMBERS):
            raise
        data = None
    if data is None:
        raise NoVectors(_NOT_ALL)
    found = form.vectors(data) if isinstance(data, dict) else None
    if found is None:
        return data
    if len(found) != texts:
        raise NoVectors(f"{len(found)} vectors for {texts} texts")
    return Told(tuple(map(_vector, found)), form.usage(data))


def _vector(told: Any) -> Vector:
    """Read a vector: a list of numbers, or its 32-bit floats in base64."""
    try:
        if isinstance(told, list):
            return array("f", told)
        vector = array("f")
        vector.frombytes(b64decode(told, validate=True))
    except TypeError, ValueError:
        raise NoVectors(_NOT_ALL) from None
    if sys.byteorder == "big":
        vector.byteswap()
    return vector


# --- the form that most servers share: OpenAI's ------------------------------------------------------


def openai_body(model: str, texts: Sequence[str]) -> dict[str, Any]:
    """Ask as all servers understand it."""
    return {"model": model, "input": list(texts)}


def compact_body(model: str, texts: Sequence[str]) -> dict[str, Any]:
    """Ask for the vectors in base64, which is a third of the same in digits."""
    return {**openai_body(model, texts), "encoding_format": "base64"}


def openai_vectors(data: dict[str, Any]) -> list[Any] | None:
    """Return the vectors by the number of their text. Raises `NoVectors` where two have the same."""
    entries = data.get("data")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    if any("index" in entry for entry in entries):
        places = [entry.get("index") for entry in entries]
        if sorted(place for place in places if isinstance(place, int)) != list(range(len(entries))):
            raise NoVectors("vectors that do not say which text each belongs to")
        entries = sorted(entries, key=lambda entry: entry["index"])
    return [entry.get("embedding") for entry in entries]


def openai_usage(data: dict[str, Any]) -> Usage | None:
    """Return what was counted."""
    tokens = count(data.get("usage"), "prompt_tokens", "total_tokens")
    return Usage(fresh_in=tokens) if tokens else None


OPENAI = Embedding(100, compact_body, openai_vectors, openai_usage)
COMPATIBLE = Embedding(DIGITS_AT_ONCE, openai_body, openai_vectors, openai_usage)
