"""What is deleted, and when: attempts after some time, everything when an admin purges.

All of it goes through the writer in small steps with a pause after each, so that no hold waits for long. A stop in
between leaves the rest for the next time.
"""

import asyncio
import sqlite3
from functools import partial

from .days import AFTER_ALL_DAYS, later, seconds_around
from .writer import Job, Writer

STEP_ROWS = 500
_STEP_PAGES = 500
_PAUSE_SECONDS = 0.02
_END_OF_TIME = float("inf")

# The oldest first along the index by time. What is held is under way or waits for `replay`: it is never deleted.
_DELETE_ATTEMPTS = """
DELETE FROM attempts WHERE rowid IN
    (SELECT rowid FROM attempts WHERE started < ? AND day < ? AND state = 1 ORDER BY started LIMIT ?)
"""
_ROLLED_UP = ("usage", "outcomes", "saved")


async def retain(writer: Writer, today: str, days: int) -> int:
    """Delete the settled attempts of all days but today (YYYY-MM-DD) and so many full days before; return how many.

    The sums stay: usage, money, metrics and so every budget window are what they were. The file does not shrink, its
    free pages are used again. Raises `ValueError` and `LedgerUnavailable`.
    """
    if days < 1:
        raise ValueError("attempts are kept for one day at the least")
    return await _delete_attempts(writer, later(today, -days))


async def purge(writer: Writer, before_day: str | None) -> int:
    """Delete settled attempts and all sums of the days before one (YYYY-MM-DD), or of all; return how many attempts.

    A budget window that reaches into these days starts from what is left at the next start of the router. The audit
    and the names stay. The pages set free are given back to the disk step by step (`incremental_vacuum`, which needs no second
    copy of the file as VACUUM does); a file that was begun with schema 1 keeps them for later use.
    Raises `ValueError` and `LedgerUnavailable`.
    """
    before = AFTER_ALL_DAYS if before_day is None else before_day
    deleted = await _delete_attempts(writer, before)
    for table in _ROLLED_UP:
        while await _step(writer, partial(_delete_first_day, table=table, before=before)):
            pass
    while await _step(writer, _give_back):
        pass
    return deleted


async def _delete_attempts(writer: Writer, before: str) -> int:
    until = _END_OF_TIME if before == AFTER_ALL_DAYS else seconds_around(before, before)[1]
    deleted = 0
    while step := await _step(writer, partial(_delete_oldest, until=until, before=before)):
        deleted += step
    return deleted


async def _step(writer: Writer, job: Job[int]) -> int:
    count = await asyncio.wrap_future(writer.run(job))
    await asyncio.sleep(_PAUSE_SECONDS)
    return count


def _delete_oldest(connection: sqlite3.Connection, until: float, before: str) -> int:
    return connection.execute(_DELETE_ATTEMPTS, (until, before, STEP_ROWS)).rowcount


def _delete_first_day(connection: sqlite3.Connection, table: str, before: str) -> int:
    sql = f"DELETE FROM {table} WHERE day < ? AND day = (SELECT min(day) FROM {table})"  # noqa: S608 - one of _ROLLED_UP
    return connection.execute(sql, (before,)).rowcount


def _give_back(connection: sqlite3.Connection) -> int:
    before = _free_pages(connection)
    connection.execute(f"PRAGMA incremental_vacuum({_STEP_PAGES})").fetchall()
    return before - _free_pages(connection)


def _free_pages(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(count)
