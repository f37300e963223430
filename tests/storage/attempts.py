"""Attempts for the ledger's tests, and what its file says, read without the ledger's own code."""

import asyncio
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.outcome import Outcome
from custom_components.ai_router.routing.ports import Entry
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.routing.tickets import Ticket

NOW = 1_795_300_000.0
TODAY = "2026-11-21"

DIMENSIONS = "day, provider_id, model_id, pool, user_id, label, source, op"
SUMS = """count(*), sum(failure IS NOT NULL), sum(cost), sum(cost * estimated),
    sum(fresh_in + cache_read + cache_write_5m + cache_write_1h + image_in + audio_in),
    sum(text_out + reasoning_out + image_out), sum(cache_read)"""
ROLLED_UP = "attempts, failures, cost, estimated_cost, input_tokens, output_tokens, cached_tokens"


def entry(
    attempt_id: str | None = None,
    hold: int = 0,
    *,
    request_id: str = "",
    provider_id: str = "attic",
    model_id: str = "small",
    pool: str | None = None,
    user_id: str | None = None,
    label: str | None = None,
    day: str = TODAY,
    started: float = NOW,
) -> Entry:
    attempt_id = attempt_id or uuid4().hex
    return Entry(
        request=Request(
            id=request_id or f"request of {attempt_id}", caller=Caller(user_id=user_id), messages=(), label=label
        ),
        ticket=Ticket(
            attempt_id=attempt_id,
            target=Target(provider_id, model_id),
            takes={},
            hold=hold,
            window_ids={},
            day=day,
            started=started,
            lease=60.0,
        ),
        provider_id=provider_id,
        model_id=model_id,
        pool=pool,
    )


def answered(cost: int = 0, *, estimated: bool = False, usage: Usage | None = None, latency: float = 1.5) -> Outcome:
    usage = usage or Usage(fresh_in=100, cache_read=20, text_out=30)
    return Outcome(None, usage, cost, estimated, latency, 0.25, Finish.STOP)


def failed(cost: int = 0, cls: FailureClass = FailureClass.OVERLOADED) -> Outcome:
    return Outcome(Failure(cls, Phase.SENT), None, cost, False, 0.5, None)


def select(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def row(path: Path, attempt_id: str) -> dict[str, Any] | None:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM attempts WHERE attempt_id = ?", (attempt_id,)).fetchone()
        return None if found is None else dict(found)


def check_sums(path: Path) -> None:
    """The roll-up is the sum over the settled attempts, to the last picodollar."""
    grouped = f"GROUP BY {DIMENSIONS} ORDER BY {DIMENSIONS}"
    attempts = select(path, f"SELECT {DIMENSIONS}, {SUMS} FROM attempts WHERE state = 1 {grouped}")  # noqa: S608 - ours
    usage = select(path, f"SELECT {DIMENSIONS}, {ROLLED_UP} FROM usage ORDER BY {DIMENSIONS}")  # noqa: S608 - ours
    assert usage == attempts
    ended = "day, provider_id, model_id, coalesce(failure, '')"
    attempts = select(path, f"SELECT {ended}, count(*) FROM attempts WHERE state = 1 GROUP BY {ended} ORDER BY {ended}")  # noqa: S608 - ours
    outcomes = "day, provider_id, model_id, failure"
    counted = select(path, f"SELECT {outcomes}, sum(attempts) FROM outcomes GROUP BY {outcomes} ORDER BY {outcomes}")  # noqa: S608 - ours
    assert counted == attempts


def modes(home: Path) -> dict[str, int]:
    """The names and rights of the files in a folder, and of itself as '.'."""
    return {"." if path == home else path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.iterdir())}


def names(folder: Path) -> set[str]:
    """The files in a folder that are no folders themselves."""
    return {path.name for path in folder.iterdir() if path.is_file()}


def files(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.iterdir()}


def put(directory: Path, database: bytes, log: bytes) -> Path:
    """Lay a ledger into a new folder."""
    directory.mkdir()
    (directory / "ledger.db").write_bytes(database)
    (directory / "ledger.db-wal").write_bytes(log)
    return directory


def opened(home: Path) -> list[Path]:
    """The files in a folder that this process has open."""
    links = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    return [path for path in links if home in path.parents]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what a thread does."""
    while not condition():  # noqa: ASYNC110 - threads and files tell nobody
        await asyncio.sleep(0.01)
