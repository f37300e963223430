"""What is written: rows from entries, and the statements of one transaction, the roll-up included.

Rows are plain tuples made in the caller's thread, so nothing that can change crosses to the writer.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from ..routing.failures import FailureClass
from ..routing.money import Picodollars
from ..routing.outcome import Outcome
from ..routing.ports import Entry
from .latencies import latency_step
from .schema import (
    ADD_SAVED,
    ALREADY_SETTLED,
    BUCKETS,
    COUNT_OUTCOMES,
    DIMENSIONS,
    HELD,
    HELD_COLUMNS,
    INSERT_HELD,
    ROLL_UP,
    SETTLE,
    SETTLE_HELD,
    SETTLED_COLUMNS,
    TAKE_BACK,
)

type Row = tuple[Any, ...]

_buckets = attrgetter(*BUCKETS)
_NO_USAGE = (0,) * len(BUCKETS)

_ROW = (*HELD_COLUMNS, *SETTLED_COLUMNS)
_DIMENSIONS = slice(_ROW.index(DIMENSIONS[0]), _ROW.index(DIMENSIONS[-1]) + 1)
_DAY, _PROVIDER, _HOLD = _ROW.index("day"), _ROW.index("provider_id"), _ROW.index("hold")
_MODEL = _ROW.index("model_id")
_COST, _ESTIMATED, _FAILURE = _ROW.index("cost"), _ROW.index("estimated"), _ROW.index("failure")
_INPUT = slice(_ROW.index("fresh_in"), _ROW.index("audio_in") + 1)
_OUTPUT = slice(_ROW.index("text_out"), _ROW.index("image_out") + 1)
_CACHED, _LATENCY = _ROW.index("cache_read"), _ROW.index("latency")


class SettledHold(NamedTuple):
    """A hold whose settle was lost, now booked in full; `day` is the household's date it was held on."""

    attempt_id: str
    provider_id: str
    day: str
    hold: Picodollars


class TakenBack(NamedTuple):
    """A hold whose attempt was never sent: its row goes, so that it counts nowhere."""

    attempt_id: str


class SavedRow(NamedTuple):
    """What an answer from the cache would have cost on one of the household's days (YYYY-MM-DD)."""

    day: str
    provider_id: str
    model_id: str
    amount: Picodollars


def held_row(entry: Entry) -> Row:
    """Make the row of an attempt that is about to start."""
    request, ticket = entry.request, entry.ticket
    return (
        ticket.attempt_id,
        request.id,
        ticket.started,
        ticket.day,
        entry.provider_id,
        entry.model_id,
        entry.pool or "",
        request.caller.user_id or "",
        request.label or "",
        request.caller.source,
        # A plain str: SQLite's binding looks for an adapter for every other type, which costs more than the row.
        request.op.value,
        ticket.hold,
    )


def settled_row(entry: Entry, outcome: Outcome) -> Row:
    """Make the row of an attempt that has ended."""
    failure, usage, finish = outcome.failure, outcome.usage, outcome.finish
    return (
        *held_row(entry),
        outcome.cost,
        1 if outcome.estimated else 0,
        None if failure is None else failure.cls.value,
        None if failure is None else failure.phase.value,
        None if finish is None else finish.value,
        *(_NO_USAGE if usage is None else _buckets(usage)),
        outcome.latency,
        outcome.first_token,
    )


def book(connection: sqlite3.Connection, holds: Sequence[Row], settles: Sequence[Row]) -> None:
    """Write holds, then settles (what was saved or taken back among them) and their sums, in the open transaction.

    What is settled stays as it is.
    """
    if holds:
        connection.executemany(INSERT_HELD, holds)
    if not settles:
        return
    fresh: dict[str, Row] = {}
    saved: list[Row] = []
    taken_back: list[Row] = []
    for row in settles:
        if isinstance(row, SavedRow):
            saved.append(row)
        elif isinstance(row, TakenBack):
            taken_back.append(row)
        else:
            fresh.setdefault(row[0], row)
    if saved:
        connection.executemany(ADD_SAVED, saved)
    if taken_back:
        connection.executemany(TAKE_BACK, taken_back)
    if not fresh:
        return
    for (attempt_id,) in connection.execute(ALREADY_SETTLED, (json.dumps(list(fresh)),)):
        del fresh[attempt_id]
    connection.executemany(SETTLE, fresh.values())
    _sum_up(connection, fresh.values())


def _sum_up(connection: sqlite3.Connection, rows: Collection[Row]) -> None:
    connection.executemany(ROLL_UP, _sums(rows))
    outcomes = Counter(map(_outcome, rows))
    connection.executemany(COUNT_OUTCOMES, ((*key, attempts) for key, attempts in outcomes.items()))


def _outcome(row: Row) -> Row:
    failure = row[_FAILURE]
    step = latency_step(row[_LATENCY]) if failure is None else 0
    return row[_DAY], row[_PROVIDER], row[_MODEL], failure or "", step


def _sums(rows: Iterable[Row]) -> list[Row]:
    sums: dict[Row, list[Any]] = {}
    for row in rows:
        total = sums.setdefault(row[_DIMENSIONS], [0, 0, 0, 0, 0, 0, 0, 0.0])
        cost = row[_COST]
        total[0] += 1
        total[1] += row[_FAILURE] is not None
        total[2] += cost
        total[3] += cost if row[_ESTIMATED] else 0
        total[4] += sum(row[_INPUT])
        total[5] += sum(row[_OUTPUT])
        total[6] += row[_CACHED]
        total[7] += row[_LATENCY]
    return [(*dimensions, *total) for dimensions, total in sums.items()]


def settle_held(connection: sqlite3.Connection) -> list[SettledHold]:
    """Settle every row that is still held at its hold, as estimated, in the transaction that is open."""
    unknown = FailureClass.UNKNOWN.value
    held: list[Row] = connection.execute(HELD).fetchall()
    connection.execute(SETTLE_HELD, (unknown,))
    _sum_up(connection, [(*row, row[_HOLD], 1, unknown, None, None, *_NO_USAGE, 0.0, None) for row in held])
    return [SettledHold(row[0], row[_PROVIDER], row[_DAY], row[_HOLD]) for row in held]
