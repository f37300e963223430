"""The one thread that writes. What is queued together is committed together, with one fsync."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import Any

from ..routing.ports import LedgerUnavailable
from .batch import Batch
from .booking import Row, book
from .database import Opening, open_database
from .schema import SCHEMA_VERSION

QUEUE_ROWS = 10_000
"""How many rows may wait: beyond it holds are refused and settles that need not be kept are dropped.

Those that must be kept are always taken. There is one at the most for each hold on disk, so the refusal bounds them.
"""

SETTLE_ROWS = 200
SETTLE_SECONDS = 0.5
_FOR_EVER = -1.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.5, 30.0

_ROW_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
)
"""What a row can be at fault for; any other error is the file's or the disk's."""

_LOGGER = logging.getLogger(__name__)

type Job[R] = Callable[[sqlite3.Connection], R]


class Writer:
    """Queues rows from the event loop and commits them in its own thread."""

    def __init__(self, directory: Path, now: float, at_end: Callable[[], None]) -> None:
        """Take the ledger's directory; `at_end` is called in the thread before the file is closed."""
        self.opened: Future[Opening] = Future()
        self.commits = 0
        self.dropped = 0
        self.failing = ""
        self._directory = directory
        self._now = now
        self._at_end = at_end
        self._lock = threading.Lock()
        # A lock as a bell: the thread sleeps in `acquire`, `release` rings. A Condition costs twice the CPU per wake.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._queue = Batch()
        self._jobs: list[tuple[Future[Any], Job[Any]]] = []
        self._due: float | None = None
        self._closing = False
        self._backoff = 0.0
        self._dropping = False
        self._thread = threading.Thread(target=self._run, name="ai_router ledger", daemon=True)

    # --- from the event loop -----------------------------------------------------------------------

    def start(self) -> None:
        """Open the file in the thread; `opened` tells how that ended."""
        self._thread.start()

    def hold(self, row: Row) -> asyncio.Future[None]:
        """Queue a hold; the future is done when it is on disk. Raises `LedgerUnavailable`."""
        with self._lock:
            self._check_open()
            if len(self._queue) >= QUEUE_ROWS:
                raise LedgerUnavailable("the ledger is too far behind")
            waiter = asyncio.get_running_loop().create_future()
            self._queue.holds.append(row)
            self._queue.waiters.append(waiter)
            self._ring()
        return waiter

    def settle(self, row: Row, *, keep: bool) -> None:
        """Queue a settle; it is on disk within a second unless the disk fails. `keep` it however long the queue is."""
        with self._lock:
            settles = self._queue.settles
            if not self._closing and (keep or len(settles) < QUEUE_ROWS):
                settles.append(row)
                if self._due is None:
                    self._due = monotonic() + SETTLE_SECONDS
                    self._ring()
                elif len(settles) == SETTLE_ROWS and not self._backoff:
                    self._due = 0.0
                    self._ring()
                return
        self._drop(1, "it is closed" if self._closing else "it is too far behind")

    def run[R](self, job: Job[R]) -> Future[R]:
        """Queue a job that gets a transaction of its own after all that is queued. Raises `LedgerUnavailable`."""
        with self._lock:
            self._check_open()
            future: Future[R] = Future()
            self._jobs.append((future, job))
            self._ring()
        return future

    def stop(self) -> None:
        """Take nothing more; the thread writes what is queued and ends."""
        with self._lock:
            self._closing = True
            self._ring()

    def join(self) -> None:
        """Wait (blocking) until the thread has ended."""
        self._thread.join()

    def _ring(self) -> None:
        if self._bell.locked():
            self._bell.release()

    def _check_open(self) -> None:
        if self._closing:
            raise LedgerUnavailable("the ledger is closed")

    # --- in the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        if not self.opened.set_running_or_notify_cancel():
            return
        try:
            connection, opening = open_database(self._directory, self._now)
        except LedgerUnavailable as err:
            self.opened.set_exception(err)
            return
        except (OSError, sqlite3.Error) as err:
            self.opened.set_exception(LedgerUnavailable(str(err)))
            return
        self.opened.set_result(opening)
        while work := self._take():
            batch, jobs = work
            written = self._write(connection, batch) if batch or self._backoff else True
            for future, job in jobs:
                self._do(connection, future, job if written else _unwritten)
        self._at_end()
        connection.close()  # the last one: SQLite moves the log into the file and removes it

    def _take(self) -> tuple[Batch, list[tuple[Future[Any], Job[Any]]]] | None:
        """Wait for work; None when it is over."""
        while True:
            with self._lock:
                if self._ready():
                    if self._closing and not self._queue and not self._jobs:
                        return None
                    batch = self._next()
                    jobs, self._jobs = self._jobs, []
                    return batch, jobs
                patience = _FOR_EVER if self._due is None else max(0.0, self._due - monotonic())
            self._bell.acquire(timeout=patience)

    def _ready(self) -> bool:
        return bool(self._closing or self._queue.holds or self._jobs or self._settles_due())

    def _settles_due(self) -> bool:
        return self._due is not None and self._due <= monotonic()

    def _next(self) -> Batch:
        """Take what is queued: a hold's commit carries the settles before it, so a crash leaves few of them open.

        After a failure holds try their luck alone: a long queue would cost them much CPU.
        """
        batch, self._queue = self._queue, Batch()
        if self._backoff and not (self._closing or self._jobs or self._settles_due()):
            self._queue.settles, batch.settles = batch.settles, []
        else:
            self._due = None
        return batch

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> bool:
        """Commit a batch, and say whether nothing of it waits for another try. An empty one shows if that works again."""
        try:
            _transact(connection, (lambda on: book(on, batch.holds, batch.settles)) if batch else _touch)
        except _ROW_FAULTS as err:
            if len(batch) > 1:
                first, second = batch.halves()
                written = self._write(connection, first)
                return self._write(connection, second) and written
            batch.tell(f"the ledger refuses this attempt: {err}")
            self._drop(len(batch.settles), f"a row is refused: {err}")
        except Exception as err:  # noqa: BLE001 - whatever it is, the thread lives on and those who wait are told
            self._fail(batch, err)
            return False
        else:
            self.commits += bool(batch)
            batch.tell(None)
            self._dropping = False
            if self._backoff:
                self._recover()
        return True

    def _fail(self, batch: Batch, err: Exception) -> None:
        """Tell who waits, and keep the settles for the next try."""
        batch.tell(f"the ledger cannot be written: {err}")
        if not self._backoff:
            _LOGGER.error("The ledger cannot be written, so no paid attempt can start: %s", err)
        self._backoff = min(self._backoff * 2 or _FIRST_BACKOFF, _LONGEST_BACKOFF)
        self.failing = str(err) or type(err).__name__
        with self._lock:
            if not self._closing:
                self._queue.settles[:0] = batch.settles
                self._due = monotonic() + self._backoff
                return
        # Paid ones are safe all the same: their holds are on disk and are settled at the next start.
        self._drop(len(batch.settles), "it was closed while it could not be written")

    def _recover(self) -> None:
        _LOGGER.warning("The ledger can be written again")
        self.failing = ""
        with self._lock:
            self._backoff = 0.0
            if self._queue.settles:
                self._due = monotonic()

    @staticmethod
    def _do(connection: sqlite3.Connection, future: Future[Any], job: Job[Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(_transact(connection, job))
        except Exception as err:  # noqa: BLE001 - as above
            future.set_exception(LedgerUnavailable(f"the ledger cannot be written: {err}"))

    def _drop(self, count: int, why: str) -> None:
        with self._lock:
            self.dropped += count
            told = self._dropping or not count
            self._dropping |= bool(count)
        if not told:
            _LOGGER.warning("The ledger does not record some attempts: %s", why)


def _transact[R](connection: sqlite3.Connection, job: Job[R]) -> R:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _touch(connection: sqlite3.Connection) -> None:
    """Write a page as it is: on a full disk that fails as any row would."""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _unwritten(_: sqlite3.Connection) -> None:
    raise LedgerUnavailable("what was queued before is not on disk")
