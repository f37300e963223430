"""What providers, pools and rules were last called, once for each id: history outlives what it is about."""

import sqlite3
from collections.abc import Mapping

from .queries import Reader

NAMES_KEPT = 1_000
"""How many names are kept, the last written."""

_LONGEST_NAME = 255

_WRITE = """
INSERT INTO names (id, name, written) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET name = excluded.name, written = excluded.written
"""
_TRIM = "DELETE FROM names WHERE id IN (SELECT id FROM names ORDER BY written DESC, id LIMIT -1 OFFSET ?)"
_ALL = "SELECT id, name FROM names ORDER BY written, id"


def write(connection: sqlite3.Connection, names: Mapping[str, str], now: float) -> None:
    """Write names by id, in the transaction that is open, and let go of the oldest; `now` is wall clock."""
    connection.executemany(_WRITE, [(each, name[:_LONGEST_NAME], now) for each, name in names.items()])
    connection.execute(_TRIM, (NAMES_KEPT,))


async def known_names(reader: Reader) -> dict[str, str]:
    """Return all names by id, the last written at the end. Raises `LedgerUnavailable`."""
    return dict(await reader.ask(_ALL))
