"""The file of kept answers. Everything here blocks, and runs in one thread.

It holds keys and answers, nothing of what was asked. Losing it costs some calls, no more: a file that is damaged or of
another version is deleted and begun anew.
"""

import json
import logging
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from ..routing.cache import Answer, StoreStats
from ..routing.call import Usage
from ..routing.model import Target
from .sqlite_files import beside, make_private

FILE_NAME = "cache.db"

_SCHEMA = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT NOT NULL PRIMARY KEY,
    body BLOB NOT NULL,                     -- JSON
    packed INTEGER NOT NULL,                -- 1: the body is compressed with zlib
    stored REAL NOT NULL,
    fresh_until REAL NOT NULL,
    kept_until REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS answers_stored ON answers (stored);
CREATE INDEX IF NOT EXISTS answers_kept ON answers (kept_until);
"""
_PACKED_BYTES = 4_096
_WAL_PAGES = 100
_BUSY_SECONDS = 1.0
_PRIMARY_CODE = 0xFF
# The last one: a table or a column is not there.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}

_LOGGER = logging.getLogger(__name__)


class _Unusable(Exception):
    """The file is damaged or of another version."""


class AnswerFile:
    """Answers in SQLite. `max_bytes` bounds the file; the oldest answers make room for new ones."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        """Name the file; it is opened when it is first needed."""
        self._path = directory / FILE_NAME
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._failing = False

    def _safely[R](self, otherwise: R, job: Callable[[sqlite3.Connection], R]) -> R:
        """Do something with the file, or return `otherwise`: no trouble of a cache is worth a failed request."""
        try:
            return job(self._open())
        except (OSError, sqlite3.Error, _Unusable) as err:
            if _is_damage(err):
                _LOGGER.warning("The kept answers cannot be read and are begun anew: %s", err)
                self.delete()
            elif not self._failing:
                _LOGGER.warning("Answers cannot be kept on disk for now: %s", err)
            self._failing = True
            return otherwise

    def get(self, key: str) -> Answer | None:
        """Return an answer, also one past its time."""
        return self._safely(None, lambda connection: _get(connection, key))

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, unless it alone would drive most others out."""

        def put(connection: sqlite3.Connection) -> None:
            body = _encode(answer)
            packed = len(body) > _PACKED_BYTES
            if packed:
                body = zlib.compress(body)
            if len(body) >= self._max_bytes // 2:
                return
            row = (key, body, packed, answer.stored, answer.fresh_until, answer.kept_until)
            with _transaction(connection):
                connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
                self._make_room(connection)
            self._failing = False

        self._safely(None, put)

    def drop(self, key: str) -> None:
        """Forget one answer."""

        def drop(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM answers WHERE key = ?", (key,))

        self._safely(None, drop)

    def clean(self, now: float) -> None:
        """Forget what nobody would be given any more, and give the room back to the disk."""

        def clean(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.execute("DELETE FROM answers WHERE kept_until <= ?", (now,))
                self._make_room(connection)
            connection.execute("PRAGMA incremental_vacuum").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

        self._safely(None, clean)

    def stats(self) -> StoreStats:
        """Count answers and bytes."""
        return self._safely(
            StoreStats(0, 0),
            lambda connection: StoreStats(
                connection.execute("SELECT count(*) FROM answers").fetchone()[0], _used_bytes(connection)
            ),
        )

    def delete(self) -> None:
        """Delete the file with all that it holds."""
        self.close()
        try:
            delete_answers(self._path.parent)
        except OSError as err:
            _LOGGER.warning("The kept answers cannot be deleted: %s", err)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._path)
        return self._connection

    def _make_room(self, connection: sqlite3.Connection) -> None:
        while _used_bytes(connection) > self._max_bytes:
            oldest = "DELETE FROM answers WHERE rowid = (SELECT rowid FROM answers ORDER BY stored LIMIT 1)"
            if not connection.execute(oldest).rowcount:
                return


def delete_answers(directory: Path) -> None:
    """Delete a directory's kept answers, if there are any. Blocks. Raises `OSError`."""
    path = directory / FILE_NAME
    for file in (path, *beside(path)):
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(file.is_dir() for file in (path, *beside(path))):
        raise _Unusable("a folder is in its place")
    make_private(path)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        _check(connection)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # After a power cut the last answers may be missing, which is no loss; the file stays whole.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        # What is forgotten is overwritten: a household that clears its answers means it.
        connection.execute("PRAGMA secure_delete = ON")
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLE} PRAGMA user_version = {_SCHEMA}; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    if owner:
        raise _Unusable("the file belongs to another program")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in {0, _SCHEMA}:
        raise _Unusable(f"the file has version {version}")
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise _Unusable("the file is damaged")


def _is_damage(err: Exception) -> bool:
    if isinstance(err, sqlite3.Error):
        return getattr(err, "sqlite_errorcode", 0) & _PRIMARY_CODE in _DAMAGED
    return isinstance(err, _Unusable)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _get(connection: sqlite3.Connection, key: str) -> Answer | None:
    sql = "SELECT body, packed, stored, fresh_until, kept_until FROM answers WHERE key = ?"
    row = connection.execute(sql, (key,)).fetchone()
    if row is None:
        return None
    body, packed, stored, fresh_until, kept_until = row
    try:
        told = json.loads(zlib.decompress(body) if packed else body)
        return Answer(
            told["text"],
            told["data"],
            Target(*told["target"]),
            Usage(**told["usage"]),
            told["cost"],
            stored,
            fresh_until,
            kept_until,
        )
    except (ValueError, KeyError, TypeError, zlib.error) as err:
        raise _Unusable(f"an answer cannot be read: {type(err).__name__}") from None


def _encode(answer: Answer) -> bytes:
    told = {
        "text": answer.text,
        "data": answer.data,
        "target": answer.target,
        "usage": answer.usage._asdict(),
        "cost": answer.cost,
    }
    return json.dumps(told, separators=(",", ":")).encode()
