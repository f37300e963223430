"""The ledger: who asked what of whom, what it cost and how it ended, on disk before money can be spent."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from ..routing.failures import Billed, Failure, FailureClass, Phase
from ..routing.money import Picodollars
from ..routing.outcome import Outcome
from ..routing.ports import Entry, LedgerUnavailable
from .audit import Change, append
from .backup_mark import lay, lift
from .booking import SavedRow, SettledHold, TakenBack, held_row, settle_held, settled_row
from .database import FILE_NAME
from .names import write
from .queries import Reader, Recent, Spent, Started, UsageRow
from .retention import purge, retain
from .snapshot import SnapshotStopped, copy
from .writer import Writer

_LOGGER = logging.getLogger(__name__)

# SQLite's own default: how long the log grows before its pages are moved into the file.
_CHECKPOINT_PAGES = 1_000

_NEVER_SENT = Outcome(
    failure=Failure(FailureClass.CANCELLED, Phase.UNSENT, billed=Billed.NO),
    usage=None,
    cost=0,
    estimated=False,
    latency=0.0,
    first_token=None,
)


class SqliteLedger:
    """The core's `Ledger` port on an SQLite file of its own.

    `recovered` is where a file that is no whole ledger was set aside when this one was opened, `wrong` what was wrong
    with it, `from_snapshot` whether a snapshot has taken its place; `backup` is when the backup was made that it comes
    from (wall clock), None if from none. `reader` is for the queries of `usage`, `metrics`, `export` and `audit`.
    """

    def __init__(self, directory: Path, now: float) -> None:
        """Use `open`."""
        self.recovered: Path | None = None
        self.from_snapshot = False
        self.wrong = ""
        self.backup: float | None = None
        self.reader = Reader(directory / FILE_NAME)
        self._path = directory / FILE_NAME
        self._writer = Writer(directory, now, at_end=self._let_go)
        self._closing = threading.Event()
        self._copying = threading.Lock()
        self._granting = False
        self._held: set[str] = set()

    @classmethod
    async def open(cls, directory: Path, now: float) -> Self:
        """Open the ledger of a directory, or begin one; `now` is wall-clock seconds.

        Raises `LedgerTooNew` for a file of a newer version, which is left as it is, and `LedgerUnavailable`.
        """
        ledger = cls(directory, now)
        ledger._writer.start()
        try:
            opening = await asyncio.wrap_future(ledger._writer.opened)
        except BaseException:
            ledger._writer.stop()
            raise
        ledger.recovered, ledger.from_snapshot, ledger.wrong, ledger.backup = opening
        return ledger

    @property
    def commits(self) -> int:
        """How many transactions with rows were committed; each is one fsync."""
        return self._writer.commits

    @property
    def dropped(self) -> int:
        """How many settles are lost to the ledger: free ones in excess, late ones, those SQLite refuses."""
        return self._writer.dropped

    @property
    def failing(self) -> str:
        """Why nothing can be written at present; empty while all is well."""
        return self._writer.failing

    async def hold(self, entry: Entry) -> None:
        """Put a hold on disk. Raises `LedgerUnavailable`: then nothing may be sent."""
        self._granting = True
        waiter = self._writer.hold(held_row(entry))
        self._held.add(entry.ticket.attempt_id)
        try:
            await waiter
        except LedgerUnavailable:
            self._held.discard(entry.ticket.attempt_id)
            raise
        except asyncio.CancelledError:
            # The row may be on disk or not; who was cancelled here has sent nothing.
            self.settle(entry, _NEVER_SENT)
            raise

    def settle(self, entry: Entry, outcome: Outcome) -> None:
        """Book an attempt's end, once: a second settle changes nothing. Returns at once.

        One that was never sent has never been: its hold is taken back.
        """
        attempt_id = entry.ticket.attempt_id
        held = attempt_id in self._held
        self._held.discard(attempt_id)
        if not outcome.never_sent:
            self._writer.settle(settled_row(entry, outcome), keep=held or outcome.cost > 0)
        elif held:
            self._writer.settle(TakenBack(attempt_id), keep=True)

    async def replay(self) -> list[SettledHold]:
        """Settle, at their holds, the attempts of an earlier process that never were. To be called before any hold."""
        if self._granting:
            raise RuntimeError("replay would settle attempts that are under way")
        return await asyncio.wrap_future(self._writer.run(settle_held))

    def add_saved(self, day: str, provider_id: str, model_id: str, amount: Picodollars) -> None:
        """Note what an answer from the cache would have cost. Returns at once; written within a second."""
        self._writer.settle(SavedRow(day, provider_id, model_id, amount), keep=False)

    async def note(self, change: Change) -> None:
        """Put a change of settings, credentials, budgets or data on disk. Raises `LedgerUnavailable`."""
        await asyncio.wrap_future(self._writer.run(lambda connection: append(connection, change)))

    async def name(self, names: Mapping[str, str], now: float) -> None:
        """Put names on disk by the id of what they are of; `now` is wall clock. Raises `LedgerUnavailable`."""
        await asyncio.wrap_future(self._writer.run(lambda connection: write(connection, names, now)))

    async def retain(self, today: str, days: int) -> int:
        """Delete settled attempts older than so many full days before today (YYYY-MM-DD), and return how many.

        All sums stay. Raises `ValueError` and `LedgerUnavailable`.
        """
        return await retain(self._writer, today, days)

    async def purge(self, before_day: str | None) -> int:
        """Delete attempts and sums of the days before one (YYYY-MM-DD), None for all; return how many attempts.

        What is held, the audit and the names stay. Raises `ValueError` and `LedgerUnavailable`.
        """
        return await purge(self._writer, before_day)

    async def snapshot(self, to: Path, seconds: float = 60.0) -> bool:
        """Copy what is written to a file of its own, consistent, within some seconds; say whether that worked.

        Never raises. An earlier copy at the same place stays until the new one is whole.
        """
        stopped = threading.Event()

        def make() -> None:
            with self._copying:
                copy(self._path, to, lambda: stopped.is_set() or self._closing.is_set())

        try:
            async with asyncio.timeout(seconds):
                await self.flush()
                await asyncio.to_thread(make)
        except (OSError, sqlite3.Error, LedgerUnavailable, SnapshotStopped) as err:
            _LOGGER.warning("No snapshot of the ledger was made: %s", str(err) or type(err).__name__)
            return False
        finally:
            stopped.set()
        return True

    def beside(self, name: str) -> Path:
        """Name a file in the ledger's folder."""
        return self._path.with_name(name)

    async def only_append(self, on: bool) -> None:
        """Let the file itself be until further notice, while rows go to its log alone. Raises `LedgerUnavailable`.

        Who copies both files one after the other then has a whole ledger, less what came last.
        """
        pages = 0 if on else _CHECKPOINT_PAGES

        def job(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")

        await asyncio.wrap_future(self._writer.run(job))

    async def mark_backup(self, on: bool) -> None:
        """Lay beside the file what tells a restored ledger from this one, or take it away. Raises `OSError`."""
        await asyncio.to_thread(lay if on else lift, self._path.parent)

    async def flush(self) -> None:
        """Wait until everything queued so far is on disk. Raises `LedgerUnavailable`."""
        await asyncio.wrap_future(self._writer.run(lambda _: None))

    async def close(self) -> None:
        """Write what is queued and let go of file and threads, also when cancelled. May be called again."""
        self._closing.set()
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)

    def _let_go(self) -> None:
        self.reader.close()
        with self._copying:  # a copy under way has its own connection; it ends soon
            pass

    async def spent_since(self, day: str) -> list[Spent]:
        """Sum what every provider has settled on each day (YYYY-MM-DD) from this one on."""
        return await self.reader.spent_since(day)

    async def recent(self, provider_id: str | None, limit: int) -> list[Recent]:
        """List the newest settled attempts of one provider, or of all."""
        return await self.reader.recent(provider_id, limit)

    async def started_since(self, when: float) -> list[Started]:
        """List all attempts from a time (wall clock) on, the oldest first."""
        return await self.reader.started_since(when)

    async def requests_on(self, day: str) -> tuple[int, int]:
        """Count one day's requests (YYYY-MM-DD), and those of them that were answered; see `Reader.requests_on`."""
        return await self.reader.requests_on(day)

    async def usage(
        self,
        from_day: str,
        to_day: str,
        by: Sequence[str],
        *,
        only: Mapping[str, str] | None = None,
        top: int | None = None,
    ) -> list[UsageRow]:
        """Sum up the days from one to another, both included, by any of `DIMENSIONS`; see `Reader.usage`."""
        return await self.reader.usage(from_day, to_day, by, only=only, top=top)
