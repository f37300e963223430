"""What the fake servers answer to texts that are to be embedded, and what they refuse."""

import asyncio
import base64
import hashlib
import json
import re
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.fakes.faults import How
from tests.fakes.server import FakeServer, Prepared, Refused, _plain

SIZE = 16
_MOST_TEXTS, _MOST_TOKENS = 2_048, 300_000
_FIELDS = {"model": str, "input": list, "encoding_format": str}


def vector(text: str) -> list[float]:
    """Make a vector of a text: texts that share words lie near each other."""
    numbers = [0.0] * SIZE
    for word in re.findall(r"\w+", text.lower()):
        numbers[hashlib.sha256(word.encode()).digest()[0] % SIZE] += 1.0
    return numbers


def tokens(texts: list[str]) -> int:
    """Count as a tokenizer might: never more than bytes."""
    return sum(max(1, len(text.encode()) // 4) for text in texts)


type Reply = Callable[[dict[str, Any], bool], dict[str, Any]]


def add_route(server: FakeServer, app: web.Application, path: str, reply: Reply) -> None:
    """Answer at `path` as `handler` does."""
    app.router.add_post(path, handler(server, reply))


def handler(server: FakeServer, reply: Reply) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer with what `reply` makes of a body (and whether to count), with faults as chats have them."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except asyncio.CancelledError, ConnectionError:
            server.left += 1
            server.someone_left.set()
            raise

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await server.note(request)
        fault = server._next_fault(body)
        how = fault.how if fault else None
        try:
            await server._pause(fault)
            if fault is not None and how == How.REFUSE:
                return _plain(fault)
            server.authorize(request)
            whole = json.dumps(reply(body, how != How.NO_USAGE)).encode()
        except Refused as refused:
            return server.refusal(refused)
        return await server._answer(request, Prepared([], whole, False, "application/json", b"", (0, 0)), fault)

    return handle


def openai_reply(
    body: dict[str, Any],
    counts: bool,
    models: set[str],
    refuse: Callable[..., Refused],
    change: Callable[[list[Any]], list[Any]],
) -> dict[str, Any]:
    """Answer in OpenAI's form; the vectors come in another order than the texts, each with its number."""
    for name, value in body.items():
        if name not in _FIELDS or not isinstance(value, _FIELDS[name]):
            raise refuse(400, f"Unrecognized request argument supplied: {name}")
    if body["model"] not in models:
        raise refuse(404, f"The model `{body['model']}` does not exist", None, "model_not_found")
    texts = body["input"]
    if not 1 <= len(texts) <= _MOST_TEXTS or not all(isinstance(text, str) and text for text in texts):
        raise refuse(400, "'$.input' is invalid.", "input")
    if tokens(texts) > _MOST_TOKENS:
        raise refuse(400, "Requested too many tokens, max 300000 tokens per request", "input")
    vectors: list[Any] = [vector(text) for text in texts]
    if body.get("encoding_format", "float") == "base64":
        vectors = [base64.b64encode(struct.pack(f"<{SIZE}f", *one)).decode() for one in vectors]
    entries = [{"object": "embedding", "embedding": one, "index": number} for number, one in enumerate(change(vectors))]
    usage = {"usage": {"prompt_tokens": tokens(texts), "total_tokens": tokens(texts)}} if counts else {}
    return {"object": "list", "data": entries[::-1], "model": body["model"], **usage}
