"""A file that is damaged, newer than we are, or cannot be written."""

import asyncio
import logging
import os
import resource
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.schema import LedgerTooNew

from .attempts import NOW, TODAY, answered, check_sums, entry, files, row, select, until

PAGE = 4096


async def filled(home: Path, rows: int = 500) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    for number in range(rows):
        ledger.settle(entry(str(number)), answered())
    await ledger.close()


def scribble(file: Path, offset: int, length: int) -> bytes:
    """Overwrite a part of the file, and return the whole as it is now."""
    with file.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xa5" * length)
    return file.read_bytes()


@pytest.mark.parametrize(("offset", "length"), [(0, 100), (PAGE, 3 * PAGE), (10 * PAGE, 2 * PAGE)])
async def test_a_damaged_file_is_set_aside(home: Path, file: Path, offset: int, length: int) -> None:
    await filled(home)
    damaged = scribble(file, offset, length)
    ledger = await SqliteLedger.open(home, NOW)
    try:
        assert ledger.recovered == home / "ledger.db.damaged-20261121T222640"
        assert ledger.recovered.read_bytes() == damaged
        await ledger.hold(entry("new", hold=1))
        assert select(file, "SELECT attempt_id FROM attempts") == [("new",)]
    finally:
        await ledger.close()
    again = await SqliteLedger.open(home, NOW)
    assert again.recovered is None
    await again.close()


async def test_a_file_that_has_lost_all_it_held_is_damaged(home: Path, file: Path) -> None:
    await filled(home, 1)
    os.truncate(file, 0)
    ledger = await SqliteLedger.open(home, NOW)
    await ledger.close()
    assert ledger.recovered == home / "ledger.db.damaged-20261121T222640"


async def test_a_damaged_file_takes_its_side_files_along(home: Path, file: Path) -> None:
    await filled(home)
    scribble(file, 0, 100)
    (home / "ledger.db-wal").write_bytes(b"wal")
    (home / "ledger.db-shm").write_bytes(b"shm")
    for expected in ("ledger.db.damaged-20261121T222640", "ledger.db.damaged-20261121T222640-2"):
        ledger = await SqliteLedger.open(home, NOW)
        assert ledger.recovered == home / expected
        await ledger.close()
        scribble(file, 0, 100)
    assert (home / "ledger.db.damaged-20261121T222640-wal").read_bytes() == b"wal"


async def test_a_newer_file_is_refused_and_left_alone(home: Path, file: Path) -> None:
    await filled(home)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DROP TABLE usage")
    before = files(home)
    with pytest.raises(LedgerTooNew):
        await SqliteLedger.open(home, NOW)
    after = files(home)
    assert after["ledger.db"] == before["ledger.db"]
    assert not any("damaged" in name for name in after)


async def test_a_newer_file_is_recognised_by_its_write_ahead_log(home: Path, file: Path, tmp_path: Path) -> None:
    await filled(home)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        before = {}
        for name in ("ledger.db", "ledger.db-wal"):
            before[name] = (home / name).read_bytes()
            (crashed / name).write_bytes(before[name])
    with pytest.raises(LedgerTooNew):
        await SqliteLedger.open(crashed, NOW)
    assert {name: (crashed / name).read_bytes() for name in before} == before


async def test_a_folder_that_cannot_be_made_is_told(home: Path) -> None:
    put_in_the_way(home)
    with pytest.raises(LedgerUnavailable, match="exists"):
        await SqliteLedger.open(home, NOW)
    assert await asyncio.to_thread(home.is_file)


def put_in_the_way(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


async def test_a_file_that_is_in_use_is_not_called_damaged(
    home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.ai_router.storage.database._BUSY_SECONDS", 0.0)
    await filled(home)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            await SqliteLedger.open(home, NOW)
    assert list(files(home)) == ["ledger.db"]


async def test_a_full_file_refuses_holds_and_loses_nothing(ledger: SqliteLedger, file: Path) -> None:
    async def limit(pages: int) -> None:
        job = ledger._writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())
        await asyncio.wrap_future(job)

    await limit(30)
    reported = []

    async def hold_on() -> None:
        while True:
            paid = entry(hold=7)
            await ledger.hold(paid)
            reported.append(paid)

    with pytest.raises(LedgerUnavailable, match="full"):
        await hold_on()
    assert len(reported) > 50
    assert {name for (name,) in select(file, "SELECT attempt_id FROM attempts")} == {
        paid.ticket.attempt_id for paid in reported
    }

    await limit(1_000_000)
    await ledger.hold(entry(hold=7))
    for paid in reported:
        ledger.settle(paid, answered(5))
    await ledger.flush()
    assert select(file, "SELECT sum(cost) FROM usage") == [(5 * len(reported),)]
    check_sums(file)


@contextmanager
def broken_disk() -> Generator[None]:
    """Let every write of this process to a file fail."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_settles_wait_while_the_disk_fails(
    ledger: SqliteLedger, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paid = [entry(hold=7) for _ in range(20)]
    await asyncio.gather(*(ledger.hold(one) for one in paid))
    with broken_disk():
        for one in paid:
            ledger.settle(one, answered(5))
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                await ledger.flush()
            with pytest.raises(LedgerUnavailable):
                await ledger.hold(entry("refused", hold=1))
        ledger.settle(entry("free"), answered())
    await ledger.hold(entry("granted", hold=1))
    await ledger.flush()
    assert ledger.dropped == 0
    assert row(file, "refused") is None
    assert select(file, "SELECT sum(cost), sum(attempts) FROM usage") == [(100, 21)]
    check_sums(file)
    levels = [record.levelno for record in caplog.records if record.name.endswith("writer")]
    assert levels == [logging.ERROR, logging.WARNING]  # once when it fails, once when it works again


async def test_settles_are_tried_again_by_themselves(ledger: SqliteLedger, file: Path) -> None:
    with broken_disk():
        ledger.settle(entry("free"), answered())
        with pytest.raises(LedgerUnavailable):
            await ledger.flush()
    await until(lambda: row(file, "free"))


async def test_a_hold_tries_its_luck_before_the_others_turn(
    ledger: SqliteLedger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.ai_router.storage.writer._LONGEST_BACKOFF", 10_000.0)
    monkeypatch.setattr("custom_components.ai_router.storage.writer._FIRST_BACKOFF", 10_000.0)
    with broken_disk():
        ledger.settle(entry("free"), answered())
        with pytest.raises(LedgerUnavailable):
            await ledger.flush()
    before = ledger.commits
    await ledger.hold(entry(hold=1))
    await until(lambda: row(file, "free"))  # the hold has shown that it is their turn
    await ledger.flush()
    assert ledger.commits - before == 2


async def test_a_hold_that_was_refused_fills_no_queue(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.ai_router.storage.writer.QUEUE_ROWS", 10)
    with broken_disk():
        for _ in range(50):
            refused = entry(hold=7)
            with pytest.raises(LedgerUnavailable):
                await ledger.hold(refused)
            ledger.settle(refused, answered())
        assert ledger.dropped == 40


async def test_close_ends_although_the_disk_fails(home: Path, file: Path) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    paid = entry("paid", hold=7)
    await ledger.hold(paid)
    with broken_disk():
        ledger.settle(paid, answered(5))
        ledger.settle(entry("free"), answered())
        await ledger.close()
    assert ledger.dropped == 2
    again = await SqliteLedger.open(home, NOW)
    try:
        assert again.recovered is None
        assert [(hold.attempt_id, hold.day, hold.hold) for hold in await again.replay()] == [("paid", TODAY, 7)]
        check_sums(file)
    finally:
        await again.close()
