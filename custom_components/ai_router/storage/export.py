"""Attempts as CSV (RFC 4180), in pieces, for a spreadsheet."""

import csv
import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ..routing.money import to_dollars
from .booking import Row
from .days import seconds_around
from .queries import Reader
from .schema import BUCKETS, DIMENSIONS

EXPORT_ROWS = 200_000
"""How many attempts one export may have: about 60 MB."""

PIECE_ROWS = 1_000

_COLUMNS = (
    "attempt_id",
    "started",
    "request_id",
    *DIMENSIONS,
    "cost",
    "estimated",
    "failure",
    "phase",
    "finish",
    *BUCKETS,
    "latency",
    "first_token",
)
_HEADER = tuple("cost_usd" if name == "cost" else name for name in _COLUMNS)
_ID, _STARTED, _COST = _COLUMNS.index("attempt_id"), _COLUMNS.index("started"), _COLUMNS.index("cost")
_NAMED = tuple(_COLUMNS.index(name) for name in ("provider_id", "pool", "user_id"))
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM attempts WHERE started BETWEEN ? AND ? AND day BETWEEN ? AND ? AND state = 1 LIMIT ?)
"""
# What has been given out is named by time and id, not by rowid, which may change under a long export.
_PIECE = f"""
SELECT {", ".join(_COLUMNS)} FROM attempts
WHERE (started, attempt_id) > (?, ?) AND started <= ? AND day BETWEEN ? AND ? AND state = 1
ORDER BY started, attempt_id LIMIT ?
"""  # noqa: S608 - made of the constants above


class TooManyRows(Exception):
    """The period has more attempts than one export may have: a shorter one is to be asked for."""


async def export(
    reader: Reader, from_day: str, to_day: str, names: Mapping[str, str] | None = None
) -> AsyncGenerator[str]:
    """Yield the settled attempts of some days (YYYY-MM-DD), both included, the oldest first, with a header.

    Each piece is some whole lines. `names` has what to write for the ids of providers, pools and users. Text that a
    spreadsheet would take for a formula gets an apostrophe before it. Costs are exact dollars, `started` is UTC.
    Raises `TooManyRows` before the first piece, `ValueError` for what is no day, and `LedgerUnavailable`.
    """
    first, last = seconds_around(from_day, to_day)
    ((count,),) = await reader.ask(_COUNT, first, last, from_day, to_day, EXPORT_ROWS + 1)
    if count > EXPORT_ROWS:
        raise TooManyRows(f"there are more than {EXPORT_ROWS} attempts in this period")
    yield _lines([_HEADER])
    after: tuple[float, str] | None = (first, "")
    while after is not None:
        make = partial(_piece, names=names or {})
        text, after = await reader.read(make, _PIECE, *after, last, from_day, to_day, PIECE_ROWS)
        if text:
            yield text


def _piece(rows: Sequence[Row], names: Mapping[str, str]) -> tuple[str, tuple[float, str] | None]:
    """Return the lines and what the next piece comes after."""
    after = (rows[-1][_STARTED], rows[-1][_ID]) if len(rows) == PIECE_ROWS else None
    return _lines([_cells(row, names) for row in rows]), after


def _cells(row: Row, names: Mapping[str, str]) -> list[Any]:
    cells = list(row)
    cells[_STARTED] = datetime.fromtimestamp(row[_STARTED], UTC).isoformat(timespec="milliseconds")
    cells[_COST] = f"{to_dollars(row[_COST]):f}"
    for place in _NAMED:
        cells[place] = names.get(row[place], row[place])
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in cells]


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
