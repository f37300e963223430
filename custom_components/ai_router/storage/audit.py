"""Who changed what: settings, credentials, budgets, the ledger itself. Never with a secret in it."""

import sqlite3
from enum import StrEnum
from typing import NamedTuple

from .queries import Reader

AUDIT_ROWS = 10_000
"""How many changes are kept, the newest."""

_LONGEST_TEXT = 500

_APPEND = "INSERT INTO audit (at, user_id, kind, provider_id, text) VALUES (?, ?, ?, ?, ?)"
_TRIM = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?"
_NEWEST = """
SELECT at, user_id, kind, provider_id, text FROM audit
WHERE at >= ?1 AND (?2 IS NULL OR kind = ?2) ORDER BY id DESC LIMIT ?3
"""


class Changed(StrEnum):
    """What kind of thing was changed."""

    SETTINGS = "settings"
    CREDENTIAL = "credential"
    BUDGET = "budget"
    DATA = "data"


class Change(NamedTuple):
    """One change: when (wall clock), by whom ('' is the house itself), of what kind, of which provider ('' is none).

    `text` says in a few words what it was: names of settings and amounts, never a key.
    """

    at: float
    user_id: str
    kind: Changed
    provider_id: str
    text: str


def append(connection: sqlite3.Connection, change: Change) -> None:
    """Write one change, in the transaction that is open, and let go of the oldest."""
    text = change.text[:_LONGEST_TEXT]
    connection.execute(_APPEND, (change.at, change.user_id, change.kind.value, change.provider_id, text))
    connection.execute(_TRIM, (AUDIT_ROWS,))


async def changes(reader: Reader, limit: int, since: float = 0.0, kind: Changed | None = None) -> list[Change]:
    """List the newest changes from a time (wall clock) on, of one kind or of all."""
    rows = await reader.ask(_NEWEST, since, None if kind is None else kind.value, limit)
    return [Change(at, user_id, Changed(found), provider_id, text) for at, user_id, found, provider_id, text in rows]
