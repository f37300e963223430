"""Open the ledger's file: readable by its owner alone, checked, of our schema. Everything here blocks."""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ..routing.ports import LedgerUnavailable
from .latencies import latency_step
from .schema import MIGRATIONS, SCHEMA_VERSION, LedgerTooNew
from .sqlite_files import beside, make_private

FILE_NAME = "ledger.db"
SNAPSHOT_NAME = "ledger.snapshot.db"
"""Where a consistent copy may lie beside the ledger; it stands in for a damaged one."""

_BUSY_SECONDS = 5.0
_WAL_BYTES_KEPT = 8 * 1024 * 1024
_PRIMARY_CODE = 0xFF


class Opening(NamedTuple):
    """How the file was found: where a damaged one was set aside, and whether a snapshot took its place."""

    set_aside: Path | None
    from_snapshot: bool


def open_database(directory: Path, now: float) -> tuple[sqlite3.Connection, Opening]:
    """Open the ledger in a directory for writing. A damaged one is set aside for its snapshot or for a new one.

    Raises `LedgerTooNew`, and `OSError` or `sqlite3.Error` when the file can neither be read nor begun.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    path = directory / FILE_NAME
    opening = Opening(None, from_snapshot=False)
    if path.exists() and _damaged(path):
        opening = Opening(_set_aside(path, now), _take_snapshot(directory / SNAPSHOT_NAME, path))
    make_private(path)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        # Only a file that has no table yet takes this in.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection, opening


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the ledger for reading."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY_SECONDS, uri=True, isolation_level=None)


def _damaged(path: Path) -> bool:
    """Read the whole file once. It is opened for reading only, so that a newer one stays as it is to the byte."""
    # SQLite takes a file of no bytes for a new one. Ours has a page before anything is in it: this one has lost it all.
    if not path.stat().st_size:
        return True
    connection = open_reader(path)
    try:
        found = _version(connection)
        if found > SCHEMA_VERSION:
            raise LedgerTooNew(f"the ledger has schema {found}, this version knows {SCHEMA_VERSION}")
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.DatabaseError as err:
        # Any other error (no permission, a failing disk) may pass, and a good file must not be set aside for it.
        if err.sqlite_errorcode & _PRIMARY_CODE in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return True
        raise
    finally:
        connection.close()


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _set_aside(path: Path, now: float) -> Path:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    target = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while target.exists():  # a machine without a clock of its own may live the same second twice
        number += 1
        target = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    path.rename(target)
    for file, kept in zip(beside(path), beside(target), strict=True):
        if file.exists():
            file.rename(kept)
    return target


def _take_snapshot(snapshot: Path, path: Path) -> bool:
    """Put a good snapshot in a file's place. Any other is left alone: a new ledger is better than none."""
    try:
        if not snapshot.exists() or _damaged(snapshot):
            return False
        shutil.copyfile(snapshot, path)
    except OSError, sqlite3.Error, LedgerUnavailable:
        path.unlink(missing_ok=True)
        return False
    return True


def _migrate(connection: sqlite3.Connection) -> None:
    connection.create_function("latency_step", 1, latency_step, deterministic=True)
    for version in range(_version(connection), SCHEMA_VERSION):
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[version]} PRAGMA user_version = {version + 1}; COMMIT;")
