"""Measures one subject in a process of its own, and prints the figures as one line of JSON.

    python -m benchmarks.speed SUBJECT ADDRESS CALLS STREAMS CALLERS...

CPU is that of the whole process, its threads and the kernel's work for it included: on a shared machine it says more
than time does.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from statistics import median
from tempfile import TemporaryFile
from typing import Any

from benchmarks.subjects import MAKERS, Call

_WARM = 200
_TICK = 0.002
_SYNCS = 100


async def ticking(longest: list[float]) -> None:
    """Note (milliseconds) how much later than asked for the loop came back, at the most."""
    before = time.perf_counter()
    while True:
        await asyncio.sleep(_TICK)
        now = time.perf_counter()
        longest.append((now - before - _TICK) * 1e3)
        before = now


def _commits(call: Call) -> int:
    """Return how often the ledger of a router of ours was synced; 0 for others."""
    ledger = getattr(getattr(call, "__self__", None), "ledger", None)
    return 0 if ledger is None else int(ledger.commits)


def fsync_cpu() -> float:
    """Return the milliseconds of CPU that the disk takes for 4 kB, written and synced."""
    with TemporaryFile(buffering=0) as file:
        cpu = time.process_time()
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
        return (time.process_time() - cpu) / _SYNCS * 1e3


async def level(call: Call, calls: int, callers: int) -> dict[str, float]:
    """Measure so many calls by so many callers, each of whom asks again as soon as he is answered."""
    waited: list[float] = []
    left = calls

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await call()
            waited.append(time.perf_counter() - began)

    gc.collect()
    commits = _commits(call)
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "rps": calls / wall,
        "p50": median(waited) * 1e3,
        "cpu": cpu / calls * 1e3,
        "commits": (_commits(call) - commits) / calls,
    }


async def drained(stream: AsyncIterator[str]) -> int:
    """Read a stream to its end, and count its pieces."""
    return sum([bool(piece) async for piece in stream])


async def measure(name: str, address: str, calls: int, streams: int, callers: list[int]) -> dict[str, Any]:
    """Measure one subject."""
    stalls: list[float] = []
    ticker = asyncio.create_task(ticking(stalls))
    await asyncio.sleep(_TICK * 5)
    stalls.clear()
    call, stream, close = await MAKERS[name](address)
    await call()
    await asyncio.sleep(_TICK * 2)
    ticker.cancel()
    found: dict[str, Any] = {"stall": max(stalls), "fsync": fsync_cpu()}
    for _ in range(_WARM):
        await call()
    for number in callers:
        found[str(number)] = await level(call, max(calls, 2 * number), number)
    if streams:
        pieces = await drained(stream())
        cpu = time.process_time()
        for _ in range(streams):
            await drained(stream())
        found["chunk"] = (time.process_time() - cpu) / streams / pieces * 1e3
    await close()
    return found


def main() -> None:
    """Read the command line."""
    name, address, calls, streams, *callers = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(name, address, int(calls), int(streams), [int(each) for each in callers]))))


if __name__ == "__main__":
    main()
