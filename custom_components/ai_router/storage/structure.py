"""Whether a file has the tables of a ledger, and of which schema. Everything here blocks."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from typing import Any

from .latencies import latency_step
from .schema import MIGRATIONS, SCHEMA_VERSION, LedgerTooNew

type _Columns = Mapping[str, tuple[Any, ...]]
"""By name: the type, whether it may be null, and its place in the primary key."""


class NoLedger(Exception):
    """What the file holds is no ledger, or not the whole of one; the text says what, in a few words."""


def schema_of(connection: sqlite3.Connection) -> int:
    """Return the version of a file's tables; 0 where there are none yet.

    A file that has lost its number and has all tables is told by them. Raises `NoLedger`, and `LedgerTooNew`.
    """
    if _number(connection, "application_id"):
        raise NoLedger("it belongs to another program")
    told = _number(connection, "user_version")
    if told > SCHEMA_VERSION:
        raise LedgerTooNew(f"the ledger has schema {told}, this version knows {SCHEMA_VERSION}")
    found = _tables(connection)
    if told <= 0:
        if not found:
            return 0
        told = next(version for version in range(1, SCHEMA_VERSION + 1) if not _too_many(found, version))
    if too_many := _too_many(found, told):
        raise NoLedger(f"the table {too_many[0]} is of a later schema than the file")
    if lack := _lack(found, told):
        raise NoLedger(lack)
    return told


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file up to this schema, each step in one transaction, and make indexes that are gone anew."""
    connection.create_function("latency_step", 1, latency_step, deterministic=True)
    found = schema_of(connection)
    for version in range(found, SCHEMA_VERSION):
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[version]} PRAGMA user_version = {version + 1}; COMMIT;")
    if _number(connection, "user_version") != SCHEMA_VERSION:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    for name, sql in _expected(SCHEMA_VERSION)[1].items():
        if name not in there:
            connection.execute(sql)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (number,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)


def _tables(connection: sqlite3.Connection) -> dict[str, _Columns]:
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    ).fetchall()
    return {
        name: {
            column: (kind.upper(), bool(not_null), key)
            for column, kind, not_null, key in connection.execute(
                'SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,)
            )
        }
        for (name,) in names
    }


@cache
def _expected(version: int) -> tuple[Mapping[str, _Columns], Mapping[str, str]]:
    """Return the tables of a version, and the statements of its indexes, by their names."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("latency_step", 1, latency_step, deterministic=True)
        for step in MIGRATIONS[:version]:
            connection.executescript(step)
        indexes = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
        return _tables(connection), dict(indexes.fetchall())


def _too_many(found: Mapping[str, _Columns], version: int) -> list[str]:
    """Return the tables that later versions bring: the step to those would fail."""
    later = _expected(SCHEMA_VERSION)[0].keys() - _expected(version)[0].keys()
    return sorted(found.keys() & later)


def _lack(found: Mapping[str, _Columns], version: int) -> str | None:
    """Say what a file's tables lack of those of a version; what it has besides is no matter."""
    for table, columns in _expected(version)[0].items():
        if table not in found:
            return f"the table {table} is missing"
        for column, kind in columns.items():
            if found[table].get(column) != kind:
                return f"the column {column} of the table {table} is missing or another one"
    return None
