"""A consistent copy of the ledger's file while it is being written. Everything here blocks."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from .database import open_reader

_STEP_PAGES = 512


class SnapshotStopped(Exception):
    """The time is up, or nobody wants it any more."""


def copy(path: Path, to: Path, stop: Callable[[], bool]) -> None:
    """Copy the ledger with SQLite's backup API, whole or not at all; `stop` is asked every 2 MB.

    An earlier copy at the same place is replaced at the end. Raises `SnapshotStopped`, `OSError`, `sqlite3.Error`.
    """
    _check(stop)
    unfinished = to.with_name(f"{to.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        unfinished.touch(mode=0o600)
        with closing(open_reader(path)) as source, closing(sqlite3.connect(unfinished)) as target:
            # One read transaction over all steps: without it every commit meanwhile would start the copy again.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            source.backup(target, pages=_STEP_PAGES, progress=lambda *_: _check(stop), sleep=0.0)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, that can be opened without others beside it
        unfinished.replace(to)
    finally:
        unfinished.unlink(missing_ok=True)


def _check(stop: Callable[[], bool]) -> None:
    if stop():
        raise SnapshotStopped("the copy was stopped")
