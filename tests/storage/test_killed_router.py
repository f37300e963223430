"""Whatever reached a paid server is in the ledger afterwards, for at least its price: killed, or without power.

The server here is the worst there is: it bills the whole answer as soon as a request has arrived.

A power cut is simulated from the files as they are when a request arrives, for that is what its hold was to be on disk
for: what was written to the log after the last whole commit is dropped, cut in the middle of a frame, or garbled. That
the disk keeps what SQLite has asked it to sync, and that SQLite asks (`synchronous = FULL`), is taken for granted:
pages cannot be dropped from a real disk's cache here.
"""

import asyncio
import json
import random
import struct
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from custom_components.ai_router.storage.ledger import SqliteLedger
from tests.fakes.faults import Fault, How
from tests.fakes.openai_compatible import FakeOpenAI

from .attempts import check_sums, put, select
from .paid_router import PRICE_IN, PRICE_OUT

KILLS = 50

pytestmark = pytest.mark.usefixtures("socket_enabled")
PROGRAM = Path(__file__).with_name("paid_router.py")
_HEADER, _FRAME_HEADER = 32, 24


@dataclass(slots=True)
class Image:
    """The ledger's files at a moment, and what had reached the server by then."""

    arrived: int
    billed: int
    database: bytes
    log: bytes


class Harsh(FakeOpenAI):
    """Bills on arrival; answers after a while. Every `every`th arrival, what lies on disk is looked at."""

    def __init__(self, ledger: Path, chance: random.Random, every: int = 0) -> None:
        super().__init__()
        self.billed = self.arrived = 0
        self.images: list[Image] = []
        self._ledger = ledger
        self._chance = chance
        self._every = every
        self._goal = 0
        self.reached = asyncio.Event()
        self.fault = self._bill

    def expect(self, requests: int) -> None:
        """Set `reached` when so many more have come."""
        self._goal = self.arrived + requests
        self.reached.clear()

    def _bill(self, body: dict[str, Any]) -> Fault:
        self.arrived += 1
        if self.arrived >= self._goal:
            self.reached.set()
        self.billed += len(json.dumps(body["messages"])) // 4 * PRICE_IN + len(self.text.split()) * PRICE_OUT
        if self._every and self.arrived % self._every == 0:
            self._look()
        return Fault(How.SLOW, seconds=self._chance.random() / 50)

    def _look(self) -> None:
        log = self._ledger.with_name("ledger.db-wal")
        before = log.read_bytes()[:_HEADER]
        database, after = self._ledger.read_bytes(), log.read_bytes()
        if after[:_HEADER] == before:  # else it was begun anew between the two: no moment of one disk
            self.images.append(Image(self.arrived, self.billed, database, after))


@asynccontextmanager
async def killable(home: Path, url: str) -> AsyncGenerator[Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, PROGRAM, home, url, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def tell(process: Process, order: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{order}\n".encode())
    assert (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip() == order


async def round_of(process: Process, server: Harsh, requests: int, seconds: float) -> None:
    """Let so many requests and a little time pass, then kill."""
    server.expect(requests)
    await tell(process, "go")
    await asyncio.wait_for(server.reached.wait(), 20)
    await asyncio.sleep(seconds)
    await tell(process, "kill")


async def booked(home: Path, moment: float) -> tuple[int, int, int]:
    """Open the ledger as a start would: how many attempts and picodollars it has, and how many had no known end."""
    ledger = await SqliteLedger.open(home, moment)
    try:
        assert ledger.recovered is None
        open_ends = len(await ledger.replay())
    finally:
        await ledger.close()
    file = home / "ledger.db"
    check_sums(file)
    ((attempts, cost),) = select(file, "SELECT count(*), sum(cost) FROM attempts WHERE state = 1")
    return attempts, cost, open_ends


async def test_nothing_that_reached_the_server_is_lost_in_50_kills(home: Path) -> None:
    chance = random.Random(20_261_121)
    server = Harsh(home / "ledger.db", chance)
    await server.start()
    interrupted = 0
    try:
        async with killable(home, server.url) as process:
            for _ in range(KILLS):
                await round_of(process, server, chance.randrange(1, 60), chance.random() / 50)
                attempts, cost, open_ends = await booked(home, time.time())
                interrupted += open_ends
                assert attempts >= server.arrived
                assert cost >= server.billed
    finally:
        await server.stop()
    assert interrupted > KILLS, "or the kills came at no interesting moment"


def last_commit(log: bytes) -> int:
    """Return where the last whole commit ends: a frame that tells the size of the database ends one."""
    (page,) = struct.unpack_from(">I", log, 8)
    salt = log[16:24]
    end, at = _HEADER, _HEADER
    while at + _FRAME_HEADER + page <= len(log) and log[at + 8 : at + 16] == salt:
        (committed,) = struct.unpack_from(">I", log, at + 4)
        at += _FRAME_HEADER + page
        if committed:
            end = at
    return end


def cut(log: bytes, chance: random.Random) -> bytes:
    """Return what may be left of the log: its end dropped, torn, garbled or full of zeros."""
    end = last_commit(log)
    synced, rest = log[:end], log[end:] or chance.randbytes(_FRAME_HEADER + 4096)
    return chance.choice(
        (
            synced,
            synced + rest[: chance.randrange(len(rest))],
            synced + chance.randbytes(len(rest)),
            synced + bytes(len(rest)),
        )
    )


async def test_nothing_that_reached_the_server_is_lost_when_the_power_fails(home: Path, tmp_path: Path) -> None:
    chance = random.Random(20_261_122)
    server = Harsh(home / "ledger.db", chance, every=5)
    await server.start()
    try:
        async with killable(home, server.url) as process:
            for _ in range(4):
                await round_of(process, server, 250, 0)
                await booked(home, time.time())
    finally:
        await server.stop()
    assert len(server.images) > 100
    for number, image in enumerate(server.images):
        place = put(tmp_path / str(number), image.database, cut(image.log, chance))
        attempts, cost, _ = await booked(place, time.time())
        assert attempts >= image.arrived
        assert cost >= image.billed
