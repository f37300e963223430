"""A provider for speed tests: answers chat completions at once, or when it is told to, and counts what reaches it.

    python benchmarks/server.py

prints its port. It is a process of its own, so that its work is not measured with the caller's, and needs no more than
aiohttp. Below `/v1` it answers, below `/slow/v1` after 0.1 s, below `/dead/v1` it fails; `/hold` keeps all answers back until `/release`; `/counts`
tells, and forgets, how many requests came by path and key.
"""

import asyncio
import json
from collections import Counter
from typing import Any

from aiohttp import web

CHUNKS = 50
SLOW = 0.1
TEXT = "The light is on."
USAGE = {"prompt_tokens": 25, "completion_tokens": 8, "total_tokens": 33}


def _answer(**choice: Any) -> dict[str, Any]:
    return {"id": "answer", "created": 1, "model": "bench", "choices": [{"index": 0, **choice}]}


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    chunk = _answer(delta=delta, finish_reason=finish) | {"object": "chat.completion.chunk"}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


WHOLE = json.dumps(
    _answer(message={"role": "assistant", "content": TEXT}, finish_reason="stop")
    | {"object": "chat.completion", "usage": USAGE}
).encode()
PIECES = (
    *(_event({"content": f"word {number} "}) for number in range(CHUNKS)),
    _event({}, "stop"),
    b"data: [DONE]\n\n",
)


class Server:
    """One provider with two addresses, one of which is broken."""

    def __init__(self) -> None:
        """Answer at once."""
        self._counts: Counter[str] = Counter()
        self._open = asyncio.Event()
        self._open.set()

    def application(self) -> web.Application:
        """Return what is served."""
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._chat)
        application.router.add_post("/slow/v1/chat/completions", self._slow)
        application.router.add_post("/dead/v1/chat/completions", self._fail)
        application.router.add_get("/hold", self._hold)
        application.router.add_get("/release", self._release)
        application.router.add_get("/counts", self._tell)
        return application

    def _count(self, request: web.Request) -> None:
        self._counts[f"{request.path} {request.headers.get('Authorization', '')}"] += 1

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self._count(request)
        body = await request.json()
        await self._open.wait()
        if not body.get("stream"):
            return web.Response(body=WHOLE, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in PIECES:
            await response.write(piece)
        await response.write_eof()
        return response

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(SLOW)
        return await self._chat(request)

    async def _fail(self, request: web.Request) -> web.Response:
        self._count(request)
        return web.json_response({"error": {"message": "out of order", "type": "server_error"}}, status=500)

    async def _hold(self, _: web.Request) -> web.Response:
        self._open.clear()
        return web.Response()

    async def _release(self, _: web.Request) -> web.Response:
        self._open.set()
        return web.Response()

    async def _tell(self, _: web.Request) -> web.Response:
        counts, self._counts = self._counts, Counter()
        return web.json_response(counts)


async def main() -> None:
    """Serve until killed."""
    runner = web.AppRunner(Server().application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
