"""What can be asked of the ledger. Queries run one at a time on a read-only connection in a thread of their own."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from heapq import nsmallest
from pathlib import Path
from typing import Any, NamedTuple

from ..routing.money import Picodollars
from ..routing.ports import LedgerUnavailable
from .booking import Row
from .database import open_reader
from .days import seconds_around
from .schema import DIMENSIONS, SUMS

RECENT_ROWS = 10_000
"""How far back `recent` looks for one provider: a bound on its work, instead of one more index to keep."""


class Spent(NamedTuple):
    """What one provider has settled on one of the household's days (YYYY-MM-DD); `requests` counts attempts."""

    provider_id: str
    day: str
    cost: Picodollars
    requests: int


class Recent(NamedTuple):
    """One settled attempt. `failure` is its class; '' in a name stands for none."""

    attempt_id: str
    request_id: str
    started: float
    provider_id: str
    model_id: str
    pool: str
    user_id: str
    label: str
    source: str
    op: str
    cost: Picodollars
    estimated: bool
    failure: str | None
    phase: str | None
    finish: str | None
    output_tokens: int
    latency: float
    first_token: float | None


class Started(NamedTuple):
    """One attempt, settled or not: when it began (wall clock), and the tokens it used, in and out, as far as is known."""

    provider_id: str
    model_id: str
    started: float
    tokens: int


class UsageRow(NamedTuple):
    """Sums over attempts that agree in `key`, which follows the dimensions asked for; `latency` is a sum of seconds."""

    key: tuple[str, ...]
    attempts: int
    failures: int
    cost: Picodollars
    estimated_cost: Picodollars
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    latency: float

    def averages(self) -> Averages:
        """Return what one attempt took."""
        return Averages(
            self.cost / self.attempts,
            self.input_tokens / self.attempts,
            self.output_tokens / self.attempts,
            self.latency / self.attempts,
        )


class Averages(NamedTuple):
    """What an attempt took on average: picodollars, tokens, seconds."""

    cost: float
    input_tokens: float
    output_tokens: float
    latency: float


_SPENT_SINCE = """
SELECT provider_id, day, sum(cost), sum(attempts) FROM usage WHERE day >= ? GROUP BY provider_id, day
"""

_RECENT = """
SELECT attempt_id, request_id, started, provider_id, model_id, pool, user_id, label, source, op, cost, estimated,
    failure, phase, finish, text_out + reasoning_out + image_out, latency, first_token
FROM (SELECT * FROM attempts ORDER BY started DESC LIMIT ?3)
WHERE state = 1 AND (?1 IS NULL OR provider_id = ?1) ORDER BY started DESC LIMIT ?2
"""

_STARTED_SINCE = """
SELECT provider_id, model_id, started,
    fresh_in + cache_read + cache_write_5m + cache_write_1h + image_in + audio_in + text_out + reasoning_out + image_out
FROM attempts WHERE started >= ? ORDER BY started
"""

_REQUESTS_ON = """
SELECT count(DISTINCT request_id), count(DISTINCT iif(state = 1 AND failure IS NULL, request_id, NULL))
FROM attempts WHERE started BETWEEN ? AND ? AND day = ?
"""

_SUMS_SQL = ", ".join(f"sum({name}) AS {name}" for name in SUMS)

_DAYS = "usage WHERE day BETWEEN ? AND ?"
# The table is ordered by day and provider. Summed up in that order first, the sums by provider need no sorting.
_DAYS_BY_PROVIDER = f"(SELECT provider_id, {_SUMS_SQL} FROM {_DAYS} GROUP BY day, provider_id)"  # noqa: S608 - constants


class Reader:
    """Asks the ledger. Every query raises `LedgerUnavailable` when the file cannot be read or is closed."""

    def __init__(self, path: Path) -> None:
        """Take the file; it is opened with the first query."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ai_router ledger reader")

    async def spent_since(self, day: str) -> list[Spent]:
        """Sum what every provider has settled on each day from this one on."""
        return [Spent(*row) for row in await self.ask(_SPENT_SINCE, day)]

    async def recent(self, provider_id: str | None, limit: int) -> list[Recent]:
        """List the settled attempts of one provider, or of all, the newest first."""
        rows = await self.ask(_RECENT, provider_id, limit, RECENT_ROWS)
        return [Recent(*(*row[:11], bool(row[11]), *row[12:])) for row in rows]

    async def started_since(self, when: float) -> list[Started]:
        """List all attempts from a time (wall clock) on, the oldest first."""
        return await self.read(lambda rows: [Started(*row) for row in rows], _STARTED_SINCE, when)

    async def requests_on(self, day: str) -> tuple[int, int]:
        """Count the requests of one of the household's days (YYYY-MM-DD), each once however often it was tried.

        Returns how many there were, and how many of them were answered.
        """
        ((count, answered),) = await self.ask(_REQUESTS_ON, *seconds_around(day, day), day)
        return count, answered

    async def usage(
        self,
        from_day: str,
        to_day: str,
        by: Sequence[str],
        *,
        only: Mapping[str, str] | None = None,
        top: int | None = None,
    ) -> list[UsageRow]:
        """Sum up the days from one to another, both included, by any of `DIMENSIONS`. Raises `ValueError`.

        `only` names values that dimensions must have. `top` asks for so many rows, the dearest first, then the busiest;
        else they are in the order of their keys.
        """
        only = only or {}
        if unknown := {*by, *only} - set(DIMENSIONS):
            raise ValueError(f"usage cannot be summed by {', '.join(sorted(unknown))}")
        keys = ", ".join(by)
        source = _DAYS if only or tuple(by) != ("provider_id",) else _DAYS_BY_PROVIDER
        sql = f"SELECT {', '.join((*by, _SUMS_SQL))} FROM {source}"  # noqa: S608 - only names from DIMENSIONS
        sql += "".join(f" AND {name} = ?" for name in only)
        sql += f" GROUP BY {keys} ORDER BY {keys}" if by else " HAVING count(*)"

        def make(rows: list[Row]) -> list[UsageRow]:
            found = [UsageRow(row[: len(by)], *row[len(by) :]) for row in rows]
            if top is None:
                return found
            return nsmallest(top, found, key=lambda row: (-row.cost, -row.attempts, row.key))

        return await self.read(make, sql, from_day, to_day, *only.values())

    def close(self) -> None:
        """Wait (blocking) for the query under way, and close the file."""
        self._thread.submit(self._disconnect)
        self._thread.shutdown()

    async def ask(self, sql: str, *values: Any) -> list[Row]:
        """Return a query's rows."""
        return await self.read(list, sql, *values)

    async def read[R](self, make: Callable[[list[Row]], R], sql: str, *values: Any) -> R:
        """Return what is made, in the thread, of a query's rows."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, make, sql, values)
        except sqlite3.Error as err:
            raise LedgerUnavailable(f"the ledger cannot be read: {err}") from err
        except RuntimeError as err:  # the thread takes nothing more
            raise LedgerUnavailable("the ledger is closed") from err

    def _read[R](self, make: Callable[[list[Row]], R], sql: str, values: Sequence[Any]) -> R:
        if self._connection is None:
            self._connection = open_reader(self._path)
        return make(self._connection.execute(sql, values).fetchall())

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
