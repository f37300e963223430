"""Fill a ledger, then measure what it costs to write, to ask and to keep.

    python -m benchmarks.ledger [rows]

CPU is that of all threads of the process; the disk's own fsync is reported apart. Rows 200,000 unless told.
"""

import argparse
import asyncio
import itertools
import os
import random
import resource
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.model import Op, Target
from custom_components.ai_router.routing.outcome import Outcome
from custom_components.ai_router.routing.ports import Entry
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.routing.tickets import Ticket
from custom_components.ai_router.storage import export, metrics, usage
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.schema import DIMENSIONS

NOW = datetime(2026, 7, 1, tzinfo=UTC)
DAYS = 365
DAY = 86_400
PER_ROUND = 5_000
PROVIDERS = tuple(uuid.UUID(int=number).hex[-26:] for number in range(4))
MODELS = ("small", "large", "vision")
POOLS = (None, "conversation", "cameras")
USERS = (None, *(uuid.UUID(int=number).hex for number in range(3)))
FAILED_OVER = 0.05
NUMBERS = itertools.count(1)


class Automation(NamedTuple):
    """What asks: with its own label, for one person, of one model; in a busy household there are sixty."""

    label: str
    user_id: str | None
    pool: str | None
    target: Target


AUTOMATIONS = tuple(
    Automation(
        f"automation {number}",
        USERS[number % 4],
        POOLS[number % 3],
        Target(PROVIDERS[number % 4], MODELS[number // 4 % 3]),
    )
    for number in range(60)
)


def entry(chance: random.Random, started: float, hold: int) -> Entry:
    """Make one attempt; some go to another provider than their automation's first."""
    asks = chance.choice(AUTOMATIONS)
    target = asks.target
    if chance.random() < FAILED_OVER:
        target = Target(chance.choice(PROVIDERS), chance.choice(MODELS))
    return Entry(
        request=Request(
            id=f"{int(started * 1000):011x}{chance.randbytes(5).hex()}",
            caller=Caller(user_id=asks.user_id),
            messages=(),
            op=Op.CHAT,
            label=asks.label,
        ),
        ticket=Ticket(
            attempt_id=f"{int(started * 1000):011x}{chance.randbytes(5).hex()}",
            target=target,
            takes={},
            hold=hold,
            window_ids={},
            day=datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%d"),
            started=started,
            lease=60.0,
        ),
        provider_id=target.provider_id,
        model_id=target.model_id,
        pool=asks.pool,
    )


def outcome(chance: random.Random, cost: int) -> Outcome:
    """Make the end of one attempt."""
    return Outcome(
        failure=None,
        usage=Usage(fresh_in=chance.randrange(2_000), cache_read=500, text_out=chance.randrange(500)),
        cost=cost,
        estimated=False,
        latency=chance.random() * 3,
        first_token=chance.random(),
        finish=Finish.STOP,
    )


def attempts(chance: random.Random, count: int, hold: int) -> list[tuple[Entry, Outcome]]:
    """Make attempts of the last day."""
    start, step = NOW.timestamp() - DAY, DAY / count
    return [(entry(chance, start + number * step, hold), outcome(chance, hold // 2)) for number in range(count)]


def size(directory: Path) -> int:
    """Sum up the bytes of the ledger's files."""
    return sum(file.stat().st_size for file in directory.iterdir())


async def fill(ledger: SqliteLedger, chance: random.Random, rows: int) -> None:
    """Write rows evenly over the year before `NOW`."""
    first = (NOW - timedelta(days=DAYS)).timestamp()
    step = DAYS * DAY / rows
    for done in range(0, rows, PER_ROUND):
        for number in range(done, min(done + PER_ROUND, rows)):
            ledger.settle(entry(chance, first + number * step, 0), outcome(chance, chance.randrange(10**9)))
        await ledger.flush()


async def free(ledger: SqliteLedger, work: Sequence[tuple[Entry, Outcome]]) -> None:
    """Settle attempts that cost nothing, as many at once as a second may bring."""
    for done in range(0, len(work), PER_ROUND):
        for one, end in work[done : done + PER_ROUND]:
            ledger.settle(one, end)
        await ledger.flush()


async def paid(ledger: SqliteLedger, work: Sequence[tuple[Entry, Outcome]], concurrency: int) -> None:
    """Hold and settle with so many callers at once."""
    left = iter(work)

    async def caller() -> None:
        for one, end in left:
            await ledger.hold(one)
            ledger.settle(one, end)

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    await ledger.flush()


async def measure(name: str, ledger: SqliteLedger, count: int, work: Awaitable[None]) -> None:
    """Print what one attempt costs; the system's share is mostly writing and syncing."""
    commits, before, wall = ledger.commits, resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await work
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - wall
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(
        f"{name:<38}{(user + system) / count * 1e3:8.4f} ms CPU/attempt ({system / count * 1e3:.4f} of it the system's) "
        f"{count / wall:8.0f}/s {(ledger.commits - commits) / count:6.3f} commits/attempt"
    )


async def ask(name: str, query: Callable[[], Awaitable[Sequence[object]]], times: int = 21) -> None:
    """Print how long a query takes."""
    taken = []
    answer: Sequence[object] = ()
    for _ in range(times):
        start = time.perf_counter()
        answer = await query()
        taken.append((time.perf_counter() - start) * 1e3)
    print(f"{name:<38}{median(taken):8.2f} ms median, {min(taken):.2f} best, {taken[0]:.2f} first {len(answer):8} rows")


async def exported(ledger: SqliteLedger, day: str) -> list[str]:
    """Export a day's attempts."""
    return [piece async for piece in export.export(ledger.reader, day, day)]


async def beside(name: str, ledger: SqliteLedger, chance: random.Random, work: Callable[[], Awaitable[int]]) -> None:
    """Print how long some deleting takes, and how long a paid hold waits meanwhile."""
    waited: list[float] = []
    start = time.perf_counter()
    deleting = asyncio.ensure_future(work())
    while not deleting.done():
        one = entry(chance, NOW.timestamp(), 1)
        began = time.perf_counter()
        await ledger.hold(one)
        waited.append((time.perf_counter() - began) * 1e3)
        ledger.settle(one, outcome(chance, 1))
        await asyncio.sleep(0.01)
    print(
        f"{name}: {await deleting:,} attempts in {time.perf_counter() - start:.1f} s; a hold meanwhile "
        f"{median(waited):.2f} ms median, {max(waited):.1f} longest"
    )


def fsync_time(directory: Path, times: int = 200) -> float:
    """Return how long (seconds) the disk needs for 4 kB, written and synced."""
    taken = []
    file = os.open(directory / "fsync", os.O_CREAT | os.O_WRONLY)
    for _ in range(times):
        start = time.perf_counter()
        os.write(file, b"x" * 4096)
        os.fdatasync(file)
        taken.append(time.perf_counter() - start)
    os.close(file)
    return median(taken)


async def queries(ledger: SqliteLedger) -> None:
    """Ask what a household asks."""
    await ask("month summary", lambda: ledger.usage("2026-06-01", "2026-06-30", ("provider_id",)))
    await ask("month, top models", lambda: ledger.usage("2026-06-01", "2026-06-30", ("provider_id", "model_id")))
    rolled_up = await ledger.usage("2026-06-01", "2026-06-30", DIMENSIONS)
    print(f"rolled-up rows of the month: {len(rolled_up):,}")
    await ask("month by day", lambda: ledger.usage("2026-06-01", "2026-06-30", ("day",)))
    await ask("year, by label", lambda: ledger.usage("2025-07-01", "2026-06-30", ("label",)))
    reader, last_day = ledger.reader, "2026-06-30"
    await ask("month, top 10 users", lambda: ledger.usage("2026-06-01", last_day, ("user_id",), top=10))
    await ask("week and month projected", lambda: usage.projection(reader, last_day))
    for name, first_day in (("day", last_day), ("month", "2026-06-01"), ("year", "2025-07-01")):
        await ask(f"{name}, success and percentiles", partial(metrics.quality, reader, first_day, last_day), 7)
        await ask(f"{name}, errors", partial(metrics.errors, reader, first_day, last_day), 7)
    end = NOW.timestamp()
    await ask("timeline of a day in 5 minutes", lambda: metrics.timeline(reader, end - DAY, end, 300))
    await ask("timeline of a month in hours", lambda: metrics.timeline(reader, end - 30 * DAY, end, 3_600), 7)
    await ask("timeline of a year in days", lambda: metrics.timeline(reader, end - DAYS * DAY, end, DAY), 3)
    await ask("export of a day", lambda: exported(ledger, last_day), 3)
    await ask("spent since the month's start", lambda: ledger.spent_since("2026-06-01"))
    await ask("recent 50 of one provider", lambda: ledger.recent(PROVIDERS[0], 50))
    await ask("started in the last hour", lambda: ledger.started_since(NOW.timestamp() - 3_600))


async def deleting(ledger: SqliteLedger, chance: random.Random, directory: Path) -> None:
    """Copy it, then delete the most of it, then all."""
    home = directory / "ledger"
    start = time.perf_counter()
    assert await ledger.snapshot(directory / "snapshot.db")
    print(f"snapshot of {size(home) / 2**20:.0f} MiB {time.perf_counter() - start:.2f} s")
    await beside("retention of 300 days", ledger, chance, lambda: ledger.retain("2026-06-30", 300))
    await beside("purge of all", ledger, chance, lambda: ledger.purge(None))
    print(f"after the purge: {size(home) / 2**20:.1f} MiB")


async def run(rows: int, directory: Path) -> None:
    """Do all of it."""
    chance = random.Random(1)  # noqa: S311 - the same household in every run
    print(f"fsync of 4 kB: {fsync_time(directory) * 1e3:.2f} ms")
    home = directory / "ledger"
    ledger = await SqliteLedger.open(home, NOW.timestamp())

    for name, count, hold, concurrency in (
        ("free settle", 20_000, 0, 0),
        ("paid hold + settle, 1 caller", 5_000, 10**9, 1),
        ("paid hold + settle, 100 callers", 20_000, 10**9, 100),
    ):
        work = attempts(chance, count, hold)
        job = paid(ledger, work, concurrency) if hold else free(ledger, work)
        await measure(f"{name}, empty ledger", ledger, count, job)
    await ledger.flush()

    start, before = time.perf_counter(), size(home)
    await fill(ledger, chance, rows)
    print(f"filled {rows:,} rows in {time.perf_counter() - start:.0f} s")
    print(f"growth: {(size(home) - before) / rows * 1e5 / 2**20:.1f} MiB per 100,000 rows")

    work = attempts(chance, 20_000, 0)
    await measure(f"free settle, {rows:,} rows", ledger, 20_000, free(ledger, work))
    for concurrency, count in (1, 5_000), (100, 20_000):
        work = attempts(chance, count, 10**9)
        name = f"paid, {concurrency} callers, {rows:,} rows"
        await measure(name, ledger, count, paid(ledger, work, concurrency))

    await queries(ledger)
    await deleting(ledger, chance, directory)

    start = time.perf_counter()
    await ledger.close()
    print(f"close {time.perf_counter() - start:.2f} s")
    start = time.perf_counter()
    ledger = await SqliteLedger.open(home, NOW.timestamp())
    print(f"open, with the check of the whole file {time.perf_counter() - start:.2f} s")
    start = time.perf_counter()
    await ledger.replay()
    print(f"replay of nothing {(time.perf_counter() - start) * 1e3:.1f} ms")
    await ledger.close()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(rows, Path(directory)))


if __name__ == "__main__":
    main()
