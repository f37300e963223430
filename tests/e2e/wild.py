"""A server of chat completions that keeps to no rules, in the process of the tests: it does what its `how` says."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from yarl import URL

PICODOLLARS = 10**12
PRICE_IN, PRICE_OUT = 1_234_567, 7_654_321  # picodollars a token
TOKENS_IN, TOKENS_OUT = 37, 13
WORDS = ("The ", "door ", "is ", "shut ", "🚪.")
DOLLARS = {"input_price": PRICE_IN / 10**6, "output_price": PRICE_OUT / 10**6}
"""Its prices as its form takes them."""

_USAGE = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}


def _message(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(chunk | more, ensure_ascii=False).encode() + b"\n\n"


class WildServer:
    """Answers as `how` says; `hold` keeps answers back until it is set.

    `bill` is what it would charge, in picodollars, `bodies` what it was sent, `keys` by whom.
    """

    def __init__(self) -> None:
        """Behave at first."""
        self.how = "well"
        self.key: str | None = None
        self.words = WORDS
        self.hold = asyncio.Event()
        self.hold.set()
        self.bill = 0
        self.waiting = 0
        self.lists = 0
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""

    async def models(self, request: web.Request) -> web.Response:
        """List one model."""
        self.lists += 1
        if (refused := self._refused(request)) is not None:
            return refused
        return web.json_response({"object": "list", "data": [{"id": "wild-1", "object": "model"}]})

    def _refused(self, request: web.Request) -> web.Response | None:
        told = request.headers.get("Authorization")
        if self.key is None or told == f"Bearer {self.key}":
            return None
        # As some do: the key stands in the message.
        error = {"message": f"Incorrect API key provided: {told}", "code": "invalid_api_key"}
        return web.json_response({"error": error}, status=401)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer one chat."""
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("Authorization"))
        if (refused := self._refused(request)) is not None:
            return refused
        self.waiting += 1
        try:
            await self.hold.wait()
        finally:
            self.waiting -= 1
        match self.how:
            case "error with 200":
                return web.json_response({"error": {"message": "no credit", "code": "insufficient_quota"}})
            case "overloaded":
                return web.json_response({"error": {"message": "too busy", "type": "server_error"}}, status=503)
            case "words with 200":
                return web.Response(text="Rate limit exceeded, try again later")
            case "page with 200":
                return web.Response(text="<html>502 Bad Gateway</html>", content_type="text/html")
            case "nothing with 200":
                return web.Response(text="", content_type="text/event-stream")
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await self._stream(request, stream)
        return stream

    async def _stream(self, request: web.Request, stream: web.StreamResponse) -> None:
        if self.how == "headers, then gone":
            self._hang_up(request)
            return
        await stream.write(_message({"role": "assistant", "content": ""}))
        if self.how == "for ever":
            while True:
                await stream.write(_message({"content": "and on "}))
                await asyncio.sleep(0.01)
        whole = b"".join(_message({"content": word}) for word in self.words)
        if self.how == "half of it":
            await stream.write(whole[: len(whole) // 2])
            self._hang_up(request)
            return
        if self.how == "an error in the middle":
            await stream.write(_message({"content": "The "}) + b'data: {"error": {"message": "out of memory"}}\n\n')
            return
        if self.how == "byte by byte":
            for place in range(len(whole)):
                await stream.write(whole[place : place + 1])
        else:
            await stream.write(whole)
        if self.how == "no end":
            return
        self.bill += TOKENS_IN * PRICE_IN + TOKENS_OUT * PRICE_OUT
        await stream.write(_message({}, "stop", usage=_USAGE))
        if self.how == "counted, then gone":
            await asyncio.sleep(0.2)  # what was written has arrived
            self._hang_up(request)
            return
        if self.how != "no last word":
            await stream.write(b"data: [DONE]\n\n")

    @staticmethod
    def _hang_up(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()


@asynccontextmanager
async def wild() -> AsyncGenerator[WildServer]:
    """Run a wild server for a while."""
    server = WildServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes([web.get("/v1/models", server.models), web.post("/v1/chat/completions", server.chat)])
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = str(URL.build(scheme="http", host=host, port=port, path="/v1"))
        yield server
    finally:
        server.hold.set()
        await runner.cleanup()
