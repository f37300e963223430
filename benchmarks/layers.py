"""What each layer of a free call adds to a bare POST, in CPU microseconds of the event loop's thread.

    .venv/test/bin/python -m benchmarks.layers [SECONDS]

The layers take turns in one process, a few calls each, so that all meet the same moments of the machine; the lowest
tenth of the rounds and their median are shown. Each layer contains the one above it in the table.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median, quantiles
from typing import Any

import aiohttp
import orjson
from yarl import URL

from benchmarks.adapter import House
from benchmarks.chapter import serving
from benchmarks.subjects import MESSAGES, MODEL, make_direct
from custom_components.ai_router.clock import SystemClock
from custom_components.ai_router.providers.transport import Transport
from custom_components.ai_router.routing.attempt import Trial
from custom_components.ai_router.routing.call import DEFAULT_TIMEOUTS, Call
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.money import FREE

_SECONDS = 20.0
_WARM, _IN_TURN = 200, 20
_BODY = orjson.dumps({"model": MODEL, "messages": MESSAGES, "stream": False, "max_tokens": 64})

type Layer = Callable[[], Awaitable[Any]]


def layers(house: House, session: aiohttp.ClientSession, address: str) -> dict[str, Layer]:
    """Return what is measured of our own, from the wire up."""
    transport = Transport(session, "a server", "sk-0")
    url = URL(f"{address}/chat/completions")
    client = house.router.config.providers["p0"].client
    clock = SystemClock(asyncio.get_running_loop())
    call = Call(Target("p0", MODEL), house.request().messages, 64, DEFAULT_TIMEOUTS, stream=False)

    async def post() -> object:
        answer = await transport.post(url, _BODY, 5.0)
        try:
            return await transport.parse(answer, await answer.body())
        finally:
            answer.close()

    async def attempt() -> int:
        return len([event async for event in client.attempt(call)])

    async def trial() -> int:
        end = clock.monotonic() + DEFAULT_TIMEOUTS.total
        return len([event async for event in Trial(client, call, clock, float).events(end, end, end, end)])

    return {"transport": post, "provider": attempt, "attempt with its timers": trial, "router": house.call}


async def measure(address: str, seconds: float) -> None:
    """Measure all in turns and print them."""
    direct, _, close = await make_direct(address)
    house = await House.open([address] * 3, FREE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        spent: dict[str, list[float]] = {}
        measured = {"bare POST": direct, **layers(house, session, address)}
        for call in measured.values():
            for _ in range(_WARM):
                await call()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, call in measured.items():
                began = time.thread_time()
                for _ in range(_IN_TURN):
                    await call()
                spent.setdefault(name, []).append((time.thread_time() - began) / _IN_TURN * 1e6)
    await house.close()
    await close()
    print("| layer | lowest tenth | median |\n|---|---|---|")
    for name, each in spent.items():
        print(f"| {name} | {quantiles(each, n=10)[0]:.0f} µs | {median(each):.0f} µs |")


def main() -> None:
    """Read the command line."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    with serving() as address:
        asyncio.run(measure(address, seconds))


if __name__ == "__main__":
    main()
