"""Open the ledger's file: readable by its owner alone, checked, of our schema. Everything here blocks."""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ..routing.ports import LedgerUnavailable
from .backup_mark import made_at
from .sqlite_files import beside, make_private
from .structure import NoLedger, migrate, schema_of

FILE_NAME = "ledger.db"
SNAPSHOT_NAME = "ledger.snapshot.db"
"""Where a consistent copy may lie beside the ledger; it stands in for a damaged one."""

_BUSY_SECONDS = 5.0
_WAL_BYTES_KEPT = 8 * 1024 * 1024
_PRIMARY_CODE = 0xFF
_HEADER = b"SQLite format 3\0"


class Opening(NamedTuple):
    """How the file was found: where one that is no whole ledger was set aside, what was wrong, what took its place.

    `backup` is when the backup was made that it was restored from (wall clock), None if it was not.
    """

    set_aside: Path | None
    from_snapshot: bool
    wrong: str = ""
    backup: float | None = None


def open_database(directory: Path, now: float) -> tuple[sqlite3.Connection, Opening]:
    """Open the ledger in a directory for writing. What is no whole one is set aside for its snapshot or for a new one.

    Raises `LedgerTooNew`, and `OSError` or `sqlite3.Error` when the file can neither be read nor begun.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    path = directory / FILE_NAME
    opening = Opening(None, from_snapshot=False)
    if path.exists() and (wrong := _wrong_with(path)):
        opening = Opening(_set_aside(path, now), _take_snapshot(directory / SNAPSHOT_NAME, path), wrong)
    make_private(path)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        # Only a file that has no table yet takes this in.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection, opening._replace(backup=made_at(directory))


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the ledger for reading."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY_SECONDS, uri=True, isolation_level=None)


def _wrong_with(path: Path) -> str:
    """Read the whole file once and say what is wrong with it, '' if nothing is; index and number can be mended.

    It is opened for reading only, so that a newer one stays as it is to the byte. Raises `LedgerTooNew`.
    """
    if not path.is_file():
        return "it is no file"
    # SQLite takes a file of no bytes for a new one. Ours has a page before anything is in it: this one has lost it all.
    if not path.stat().st_size:
        return "it is empty"
    # Nor does it look at one that is shorter than its header.
    with path.open("rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            return "it is not a database"
    connection = open_reader(path)
    try:
        schema_of(connection)
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except NoLedger as err:
        return str(err)
    except sqlite3.DatabaseError as err:
        # Any other error (no permission, a failing disk) may pass, and a good file must not be set aside for it.
        if err.sqlite_errorcode & _PRIMARY_CODE in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return str(err)
        raise
    else:
        return "" if found == "ok" else str(found)
    finally:
        connection.close()


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
        if not snapshot.exists() or _wrong_with(snapshot):
            return False
        shutil.copyfile(snapshot, path)
    except OSError, sqlite3.Error, LedgerUnavailable:
        path.unlink(missing_ok=True)
        return False
    return True
