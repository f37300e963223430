"""Servers that others wrote, each as a process of its own on the loopback."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def _is_up(url: str) -> bool:
    try:
        async with aiohttp.request("GET", url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def server(
    log: Path, health: str, *command: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[str]:
    """Run a server for a while and give its address; it gets `--port`, and is there once `health` answers."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--host", "127.0.0.1", "--port", str(port)),
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=output,
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _is_up(url + health):
                assert process.returncode is None, f"{command[0]} ended: see {log}"
                await asyncio.sleep(0.1)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
