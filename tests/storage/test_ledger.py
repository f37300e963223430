"""Hold, settle, replay, close: what is promised is on disk, once."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from custom_components.ai_router.routing.call import Usage
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.outcome import Outcome
from custom_components.ai_router.routing.ports import Ledger, LedgerUnavailable
from custom_components.ai_router.storage import writer
from custom_components.ai_router.storage.booking import SettledHold
from custom_components.ai_router.storage.database import open_database
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.schema import BUCKETS

from .attempts import NOW, TODAY, answered, check_sums, entry, failed, files, modes, opened, row, select, until


def test_every_bucket_of_usage_has_a_column() -> None:
    assert Usage._fields == BUCKETS


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Make the writer wait: another connection is in a transaction."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def taken(ledger: SqliteLedger) -> None:
    """Wait until the writer has taken what is queued."""
    await asyncio.sleep(0)
    await until(lambda: not ledger._writer._queue)


async def test_a_hold_is_in_the_file_when_it_returns(ledger: SqliteLedger, file: Path) -> None:
    port: Ledger = ledger
    paid = entry(hold=700, pool="cameras", user_id="anna", label="doorbell")
    await port.hold(paid)
    held = row(file, paid.ticket.attempt_id)
    assert held is not None
    assert (held["state"], held["hold"], held["cost"], held["day"], held["started"]) == (0, 700, 0, TODAY, NOW)
    assert (held["provider_id"], held["model_id"], held["pool"]) == ("attic", "small", "cameras")
    assert (held["user_id"], held["label"], held["source"], held["op"]) == ("anna", "doorbell", "action", "chat")


async def test_every_commit_is_synced(ledger: SqliteLedger) -> None:
    job = ledger._writer.run(
        lambda connection: [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")
        ]
    )
    assert await asyncio.wrap_future(job) == [2, "wal"]


async def test_settle_fills_the_held_row(ledger: SqliteLedger, file: Path) -> None:
    paid = entry(hold=700)
    usage = Usage(**{bucket: number for number, bucket in enumerate(BUCKETS, start=1)})
    await ledger.hold(paid)
    ledger.settle(paid, answered(640, usage=usage))
    await ledger.flush()
    settled = row(file, paid.ticket.attempt_id)
    assert settled is not None
    assert (settled["state"], settled["hold"], settled["cost"], settled["estimated"]) == (1, 700, 640, 0)
    assert (settled["failure"], settled["phase"], settled["finish"]) == (None, None, "stop")
    assert (settled["latency"], settled["first_token"]) == (1.5, 0.25)
    assert [settled[bucket] for bucket in BUCKETS] == list(range(1, 12))
    check_sums(file)


async def test_a_failed_attempt_keeps_class_and_phase(ledger: SqliteLedger, file: Path) -> None:
    paid = entry(hold=700)
    await ledger.hold(paid)
    ledger.settle(paid, failed())
    await ledger.flush()
    settled = row(file, paid.ticket.attempt_id)
    assert settled is not None
    assert (settled["cost"], settled["failure"], settled["phase"], settled["requests"]) == (0, "overloaded", "sent", 0)


async def test_a_free_attempt_is_written_at_its_settle(ledger: SqliteLedger, file: Path) -> None:
    free = entry()
    ledger.settle(free, answered())
    await ledger.flush()
    settled = row(file, free.ticket.attempt_id)
    assert settled is not None
    assert (settled["state"], settled["hold"], settled["cost"]) == (1, 0, 0)
    check_sums(file)


async def test_settles_are_written_without_anybody_waiting(ledger: SqliteLedger, file: Path) -> None:
    ledger.settle(entry("alone"), answered())
    await until(lambda: row(file, "alone"))
    assert row(file, "alone")["state"] == 1


async def test_many_settles_are_written_before_their_time(
    ledger: SqliteLedger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SETTLE_SECONDS", 10_000.0)
    for number in range(writer.SETTLE_ROWS):
        ledger.settle(entry(str(number)), answered())
    await until(lambda: row(file, str(writer.SETTLE_ROWS - 1)))
    assert select(file, "SELECT count(*) FROM attempts WHERE state = 1") == [(writer.SETTLE_ROWS,)]


async def test_only_the_first_settle_counts(ledger: SqliteLedger, file: Path) -> None:
    paid, free = entry(hold=700), entry()
    await ledger.hold(paid)
    for attempt in (paid, free):
        ledger.settle(attempt, answered(500))
        ledger.settle(attempt, failed(999))  # in the same transaction
    await ledger.flush()
    for attempt in (paid, free):
        ledger.settle(attempt, answered(1))  # in a later one
    await ledger.flush()
    assert select(file, "SELECT cost, failure FROM attempts") == [(500, None)] * 2
    assert select(file, "SELECT attempts, failures, cost FROM usage") == [(2, 0, 1_000)]


async def test_a_cost_above_the_hold_is_booked_in_full(ledger: SqliteLedger, file: Path) -> None:
    paid = entry(hold=700)
    await ledger.hold(paid)
    ledger.settle(paid, answered(5 * 10**12))
    await ledger.flush()
    assert select(file, "SELECT cost FROM usage") == [(5 * 10**12,)]


async def test_an_attempt_is_held_once(ledger: SqliteLedger, file: Path) -> None:
    first = entry("same", hold=700)
    await ledger.hold(first)
    others = [entry(hold=1) for _ in range(20)]
    results = await asyncio.gather(
        *(ledger.hold(one) for one in (*others[:10], entry("same", hold=5), *others[10:])), return_exceptions=True
    )
    assert [type(result) for result in results if result is not None] == [LedgerUnavailable]
    assert isinstance(results[10], LedgerUnavailable)
    assert select(file, "SELECT count(*), sum(hold) FROM attempts") == [(21, 720)]


async def test_a_row_that_sqlite_refuses_harms_no_other(
    ledger: SqliteLedger, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = [entry(hold=10) for _ in range(9)]
    unwritable = entry(hold=2**70)
    results = await asyncio.gather(*(ledger.hold(one) for one in (*held, unwritable)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 9 + [LedgerUnavailable]
    for number, one in enumerate(held):
        ledger.settle(one, answered(2**70 if number == 4 else 7))
    ledger.settle(entry(label="\ud800"), answered())
    ledger.settle(entry("last"), answered())
    await ledger.flush()
    assert select(file, "SELECT state, count(*), sum(cost) FROM attempts GROUP BY state ORDER BY state") == [
        (0, 1, 0),
        (1, 9, 8 * 7),
    ]
    assert ledger.dropped == 2
    assert "does not record some attempts" in caplog.text
    check_sums(file)


NEVER_SENT = Outcome(
    Failure(FailureClass.CANCELLED, Phase.UNSENT, "not sent", billed=Billed.NO), None, 0, False, 0.0, None
)


async def test_a_cancelled_hold_has_never_been(ledger: SqliteLedger, file: Path) -> None:
    with locked(file):
        written = asyncio.ensure_future(ledger.hold(entry("written", hold=700)))
        await taken(ledger)
        written.cancel()
        with pytest.raises(asyncio.CancelledError):
            await written
        queued = asyncio.ensure_future(ledger.hold(entry("queued", hold=700)))
        await asyncio.sleep(0)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
    on_disk = asyncio.ensure_future(ledger.hold(entry("on disk", hold=700)))
    await asyncio.sleep(0)
    while row(file, "on disk") is None:  # the loop stands still meanwhile: the task has not heard of it
        pass
    on_disk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await on_disk
    await ledger.flush()
    assert select(file, "SELECT * FROM attempts") == []
    assert select(file, "SELECT * FROM usage") == select(file, "SELECT * FROM outcomes") == []
    # A hold that is there is settled, or taken back, and only once.
    settled, kept = entry("settled", hold=700), entry("kept", hold=700)
    await ledger.hold(settled)
    await ledger.hold(kept)
    ledger.settle(settled, answered(5))
    ledger.settle(settled, NEVER_SENT)
    await ledger.flush()
    assert select(file, "SELECT attempt_id, state, cost FROM attempts ORDER BY attempt_id") == [
        ("kept", 0, 0),
        ("settled", 1, 5),
    ]
    ledger.settle(kept, NEVER_SENT)
    await ledger.flush()
    assert select(file, "SELECT attempt_id FROM attempts") == [("settled",)]
    check_sums(file)


async def test_replay_settles_what_was_left_open_at_its_hold(ledger: SqliteLedger, home: Path, file: Path) -> None:
    left, done = entry(hold=700, label="doorbell"), entry(hold=300)
    await ledger.hold(left)
    await ledger.hold(done)
    ledger.settle(done, answered(250))
    await ledger.close()

    again = await SqliteLedger.open(home, NOW)
    try:
        assert await again.replay() == [SettledHold(left.ticket.attempt_id, "attic", TODAY, 700)]
        settled = row(file, left.ticket.attempt_id)
        assert settled is not None
        assert (settled["state"], settled["cost"], settled["estimated"], settled["failure"]) == (1, 700, 1, "unknown")
        assert await again.replay() == []
        again.settle(left, answered(1))  # too late: it is settled
        await again.flush()
        check_sums(file)
        assert select(file, "SELECT sum(cost), sum(estimated_cost), sum(failures) FROM usage") == [(950, 700, 1)]
    finally:
        await again.close()


async def test_replay_never_touches_what_is_under_way(ledger: SqliteLedger) -> None:
    await ledger.hold(entry(hold=700))
    with pytest.raises(RuntimeError):
        await ledger.replay()


async def test_concurrent_holds_share_transactions_and_wake_ups(
    ledger: SqliteLedger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    wake_ups = Mock(wraps=loop.call_soon_threadsafe)
    monkeypatch.setattr(loop, "call_soon_threadsafe", wake_ups)
    before = ledger.commits
    with locked(file):
        first = asyncio.ensure_future(ledger.hold(entry(hold=1)))
        await taken(ledger)
        others = [asyncio.ensure_future(ledger.hold(entry(hold=1))) for _ in range(99)]
        await asyncio.sleep(0)
    await asyncio.gather(first, *others)
    assert ledger.commits - before == 2
    assert wake_ups.call_count == 2
    assert select(file, "SELECT count(*) FROM attempts") == [(100,)]


async def test_settles_share_transactions(ledger: SqliteLedger) -> None:
    before = ledger.commits
    for _ in range(1_000):
        ledger.settle(entry(), answered())
    await ledger.flush()
    assert ledger.commits - before <= 20


async def test_the_queue_is_bounded_and_drops_no_paid_settle(
    ledger: SqliteLedger, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paid = entry("paid", hold=700)
    await ledger.hold(paid)
    with locked(file):
        flushed = asyncio.ensure_future(ledger.flush())
        ledger.settle(entry("first"), answered())
        await taken(ledger)
        for _ in range(writer.QUEUE_ROWS + 5):
            ledger.settle(entry(), answered())
        ledger.settle(paid, answered(650))
        with pytest.raises(LedgerUnavailable):
            await ledger.hold(entry(hold=1))
    await flushed
    await ledger.flush()
    assert ledger.dropped == 5
    assert [record.levelno for record in caplog.records if "does not record" in record.message] == [logging.WARNING]
    assert select(file, "SELECT count(*), sum(cost) FROM attempts WHERE state = 1") == [(writer.QUEUE_ROWS + 2, 650)]
    await ledger.hold(entry(hold=1))
    check_sums(file)


async def test_close_writes_all_and_lets_go(home: Path, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    await ledger.hold(entry("held", hold=1))
    ledger.settle(entry("free"), answered())
    assert await ledger.recent(None, 5) == []
    await asyncio.gather(ledger.close(), ledger.close())
    await ledger.close()

    assert not any("ai_router" in thread.name for thread in threading.enumerate())
    assert opened(home) == []
    assert list(files(home)) == ["ledger.db"]
    assert select(file, "SELECT attempt_id FROM attempts ORDER BY attempt_id") == [("free",), ("held",)]

    for _ in range(3):
        ledger.settle(entry(), answered())
    assert ledger.dropped == 3
    assert caplog.text.count("does not record some attempts") == 1
    for use in (lambda: ledger.hold(entry(hold=1)), ledger.flush, lambda: ledger.recent(None, 1)):
        with pytest.raises(LedgerUnavailable):
            await use()


async def test_close_goes_on_when_it_is_cancelled(home: Path) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # the last row cannot be written yet
        ledger.settle(entry("free"), answered())
        closing_task = asyncio.ensure_future(ledger.close())
        await asyncio.sleep(0)
        closing_task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing_task
    await ledger.close()
    assert list(files(home)) == ["ledger.db"]
    assert row(home / "ledger.db", "free") is not None


async def test_open_leaves_nothing_when_it_is_cancelled(home: Path) -> None:
    for turns in range(4):
        task = asyncio.ensure_future(SqliteLedger.open(home, NOW))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: not any("ai_router" in thread.name for thread in threading.enumerate()))
    assert opened(home) == []


def test_each_event_loop_may_open_it_anew(home: Path, file: Path) -> None:
    async def day(number: int) -> None:
        ledger = await SqliteLedger.open(home, NOW)
        await asyncio.gather(*(ledger.hold(entry(f"{number} {one}", hold=1)) for one in range(10)))
        assert len(await ledger.started_since(0)) == 10 * (number + 1)
        await ledger.close()

    for number in range(3):
        asyncio.run(day(number))
    assert select(file, "SELECT count(*) FROM attempts") == [(30,)]


def test_a_ledger_outlives_its_event_loop(home: Path, file: Path) -> None:
    async def begin() -> SqliteLedger:
        ledger = await SqliteLedger.open(home, NOW)
        hold = asyncio.ensure_future(ledger.hold(entry("first", hold=1)))
        await asyncio.sleep(0)
        assert not hold.done()
        return ledger

    async def go_on(ledger: SqliteLedger) -> None:
        await ledger.hold(entry("second", hold=1))
        assert await ledger.started_since(0)
        await ledger.close()

    asyncio.run(go_on(asyncio.run(begin())))
    # The first loop's end cancelled its hold.
    assert select(file, "SELECT attempt_id, state, cost FROM attempts ORDER BY 1") == [("second", 0, 0)]


@pytest.fixture
def open_to_all(home: Path, file: Path) -> None:
    open_database(home, NOW)[0].close()
    home.chmod(0o755)
    file.chmod(0o644)


@pytest.mark.usefixtures("open_to_all")
async def test_only_the_owner_may_read_it(home: Path) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    await ledger.hold(entry(hold=1))
    assert modes(home) == {".": 0o700, "ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    await ledger.close()
