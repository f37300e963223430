"""A consistent copy while the ledger is written, and the ledger that starts from it."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from custom_components.ai_router.storage import snapshot
from custom_components.ai_router.storage.database import SNAPSHOT_NAME
from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW, TODAY, answered, check_sums, entry, files, modes, names, opened, put, row, select, until


async def fill(ledger: SqliteLedger, rows: int = 500) -> None:
    for number in range(rows):
        ledger.settle(entry(f"{number}"), answered(3))
    await ledger.flush()


async def test_a_snapshot_has_what_was_booked_before_it(ledger: SqliteLedger, tmp_path: Path) -> None:
    await ledger.hold(entry("held", hold=7))
    ledger.settle(entry("free"), answered())
    copy = tmp_path / "copy.db"
    assert await ledger.snapshot(copy)
    assert row(copy, "held") is not None
    assert row(copy, "free") is not None
    check_sums(copy)
    assert modes(tmp_path)["copy.db"] == 0o600
    assert names(tmp_path) == {"copy.db"}


async def test_a_snapshot_is_one_moment_of_a_ledger_being_written(
    ledger: SqliteLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_STEP_PAGES", 1)
    await fill(ledger, 2_000)
    done = False

    async def write() -> int:
        written = 0
        while not done:
            paid = entry(hold=5)
            await ledger.hold(paid)
            ledger.settle(paid, answered(5))
            written += 1
        return written

    writing = asyncio.create_task(write())
    copy = tmp_path / "copy.db"
    try:
        for _ in range(3):
            assert await ledger.snapshot(copy)
            assert select(copy, "PRAGMA integrity_check") == [("ok",)]
            check_sums(copy)
    finally:
        done = True
    assert await writing > 0


async def test_a_snapshot_does_not_start_again_at_every_commit(
    ledger: SqliteLedger, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(ledger)
    check = snapshot._check
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:

        def commit(stop: Callable[[], bool]) -> None:
            other.execute("INSERT INTO audit (at, user_id, kind, provider_id, text) VALUES (0, '', 'data', '', '')")
            check(stop)

        monkeypatch.setattr(snapshot, "_STEP_PAGES", 10)
        monkeypatch.setattr(snapshot, "_check", commit)
        copy = tmp_path / "copy.db"
        assert await ledger.snapshot(copy, seconds=20.0)
    assert select(copy, "SELECT count(*) FROM audit") == [(1,)]  # the one before the copy began


async def test_a_snapshot_that_takes_too_long_leaves_the_earlier_one(
    ledger: SqliteLedger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "copy.db"
    assert await ledger.snapshot(copy)
    before = copy.read_bytes()
    await fill(ledger)
    assert not await ledger.snapshot(copy, seconds=0.0)
    assert copy.read_bytes() == before
    await until(lambda: not list(tmp_path.glob("*.unfinished")))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.fixture
def slow_copy(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let every copy, once begun, take until it is stopped; the event tells that its file is there."""
    begun, check = threading.Event(), snapshot._check
    asked: list[Callable[[], bool]] = []

    def wait(stop: Callable[[], bool]) -> None:
        while asked and not stop():
            begun.set()
            time.sleep(0.01)
        asked.append(stop)
        check(stop)

    monkeypatch.setattr(snapshot, "_STEP_PAGES", 1)
    monkeypatch.setattr(snapshot, "_check", wait)
    return begun


async def test_a_snapshot_under_way_is_stopped_by_close(
    ledger: SqliteLedger, home: Path, tmp_path: Path, slow_copy: threading.Event
) -> None:
    making = asyncio.create_task(ledger.snapshot(tmp_path / "copy.db"))
    await until(slow_copy.is_set)
    await ledger.close()
    assert opened(tmp_path) == []
    assert not await making
    assert set(files(home)) == {"ledger.db"}
    assert names(tmp_path) == set()


@pytest.mark.parametrize("seconds", [0.2, 1_000.0])
async def test_a_snapshot_that_nobody_waits_for_any_more_stops(
    ledger: SqliteLedger, tmp_path: Path, slow_copy: threading.Event, seconds: float
) -> None:
    making = asyncio.create_task(ledger.snapshot(tmp_path / "copy.db", seconds))
    await until(lambda: slow_copy.is_set() or making.done())
    if seconds > 1:
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
    else:
        assert not await making
    await until(lambda: not list(tmp_path.glob("*.unfinished")))
    assert not (tmp_path / "copy.db").exists()


async def test_a_snapshot_that_cannot_be_made_raises_nothing(ledger: SqliteLedger, tmp_path: Path) -> None:
    assert not await ledger.snapshot(tmp_path / "nowhere" / "copy.db")
    (tmp_path / "folder").mkdir()
    assert not await ledger.snapshot(tmp_path / "folder")
    await ledger.close()
    assert not await ledger.snapshot(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


async def damaged_with_snapshot(home: Path) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    ledger.settle(entry("before"), answered(7))
    assert await ledger.snapshot(home / SNAPSHOT_NAME)
    ledger.settle(entry("after"), answered(11))
    await ledger.close()
    with (home / "ledger.db").open("r+b") as raw:
        raw.write(b"\xa5" * 100)


async def test_a_snapshot_takes_a_damaged_files_place(home: Path) -> None:
    await damaged_with_snapshot(home)
    ledger = await SqliteLedger.open(home, NOW)
    try:
        assert ledger.recovered is not None
        assert ledger.from_snapshot
        assert [spent.cost for spent in await ledger.spent_since(TODAY)] == [7]
        await ledger.hold(entry("new", hold=1))
        assert modes(home)["ledger.db"] == 0o600
    finally:
        await ledger.close()
    assert set(files(home)) == {"ledger.db", SNAPSHOT_NAME, "ledger.db.damaged-20261121T222640"}
    again = await SqliteLedger.open(home, NOW)
    assert (again.recovered, again.from_snapshot) == (None, False)
    await again.close()


@pytest.mark.parametrize("content", [b"", b"\xa5" * 5_000, None])
async def test_a_snapshot_that_is_no_good_is_not_used(home: Path, content: bytes | None) -> None:
    await damaged_with_snapshot(home)
    unusable = home / SNAPSHOT_NAME
    if content is None:
        unusable.unlink()
        unusable.mkdir()
    else:
        unusable.write_bytes(content)
    ledger = await SqliteLedger.open(home, NOW)
    try:
        assert ledger.recovered is not None
        assert await ledger.spent_since("") == []
        await ledger.hold(entry("new", hold=1))
    finally:
        await ledger.close()


async def test_a_newer_snapshot_is_not_used(home: Path, file: Path) -> None:
    await damaged_with_snapshot(home)
    select(home / SNAPSHOT_NAME, "PRAGMA user_version = 99")
    ledger = await SqliteLedger.open(home, NOW)
    assert not ledger.from_snapshot
    await ledger.close()
    assert select(file, "SELECT count(*) FROM attempts") == [(0,)]


async def test_while_only_appended_to_the_file_stays_as_it_is(ledger: SqliteLedger, home: Path, tmp_path: Path) -> None:
    await ledger.only_append(True)
    before = files(home)["ledger.db"]
    for _ in range(6):  # more than the log usually holds
        for _ in range(500):
            ledger.settle(entry(label="x" * 2_000), answered(1))
        await ledger.flush()
    kept = files(home)
    assert kept["ledger.db"] == before
    copies = put(tmp_path / "copies", before, kept["ledger.db-wal"])
    assert select(copies / "ledger.db", "SELECT count(*) FROM attempts") == [(3_000,)]
    await ledger.only_append(False)
    ledger.settle(entry(), answered(1))
    await ledger.flush()
    assert files(home)["ledger.db"] != before
