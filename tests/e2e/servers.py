"""The providers' servers of tests/fakes, each as a process of its own."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from household.boot import until
from yarl import URL

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20


class Server:
    """A provider's server on this machine; it can be taken away and come back on the same port."""

    def __init__(self, kind: str, arguments: tuple[str, ...]) -> None:
        """Describe the server; `start` runs it."""
        self._kind = kind
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    async def start(self) -> None:
        """Run `python -m tests.fakes.<kind>` and read its address from the JSON line it prints."""
        port = URL(self.url).port if self.url else 0
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"tests.fakes.{self._kind}", "--port", str(port), *self._arguments),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line, f"tests.fakes.{self._kind} ended without telling its address"
        self.url = json.loads(line)["url"]

    async def stop(self) -> None:
        """Take the server away: from now on its port refuses."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()

    async def _ask(self, method: str, path: str, body: Any = None) -> bytes:
        async with aiohttp.request(method, URL(self.url).origin() / path, json=body) as response:
            response.raise_for_status()
            return await response.read()

    async def control(self, **order: Any) -> None:
        """Tell the server what to do: `fault`, `hold`, `text`, `key`, `reset`."""
        await self._ask("POST", "_control", order)

    async def tally(self) -> dict[str, Any]:
        """Return what was asked for and given; money in picodollars."""
        return dict(json.loads(await self._ask("GET", "_tally")))

    async def last_picture(self) -> bytes:
        """Return the last picture that arrived."""
        return await self._ask("GET", "_picture")

    async def until(self, seconds: float = 30, **wanted: int) -> None:
        """Wait until the tally says so."""

        async def reached() -> bool:
            tally = await self.tally()
            return all(tally[name] == count for name, count in wanted.items())

        await until(reached, seconds)


@asynccontextmanager
async def fake(kind: str, *arguments: str) -> AsyncGenerator[Server]:
    """Run a provider's server for a while."""
    server = Server(kind, arguments)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
