"""A file of an earlier schema keeps everything and learns what is new."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.storage.audit import Change, Changed, changes
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.metrics import errors, quality
from custom_components.ai_router.storage.schema import MIGRATIONS, SCHEMA_VERSION

from .attempts import NOW, TODAY, answered, check_sums, entry, failed, select


async def book(home: Path) -> None:
    chance = random.Random(1)
    ledger = await SqliteLedger.open(home, NOW)
    await ledger.hold(entry("held", hold=9))
    for number in range(300):
        outcome = answered(chance.randrange(10**9), latency=chance.random() * 20)
        if chance.random() < 0.3:
            outcome = failed(5, chance.choice(list(FailureClass)))
        provider_id, ago = chance.choice("abc"), chance.randrange(20)
        one = entry(f"{number}", provider_id=provider_id, day=f"2026-11-{21 - ago:02}", started=NOW - ago * 86_400)
        ledger.settle(one, outcome)
    await ledger.close()


def make_version_1(home: Path, source: Path) -> None:
    """Make a file with the statements of schema 1, and fill it from one of today's."""
    home.mkdir()
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {MIGRATIONS[0]} PRAGMA user_version = 1; COMMIT;")
        connection.execute("ATTACH ? AS other", (str(source),))
        for table in ("attempts", "usage"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM other.{table}")  # noqa: S608 - ours


TABLES = {"attempts": "attempt_id", "usage": "1, 2, 3, 4", "outcomes": "1, 2, 3, 4, 5"}


async def test_version_1_is_brought_up_and_keeps_everything(home: Path, file: Path, tmp_path: Path) -> None:
    await book(home)
    old = tmp_path / "old"
    make_version_1(old, file)
    ledger = await SqliteLedger.open(old, NOW)
    try:
        assert ledger.recovered is None
        assert select(old / "ledger.db", "PRAGMA user_version") == [(SCHEMA_VERSION,)]
        for table, order in TABLES.items():
            sql = f"SELECT * FROM {table} ORDER BY {order}"  # noqa: S608 - ours
            assert select(old / "ledger.db", sql) == select(file, sql)
        assert len(await quality(ledger.reader, "2026-11-01", TODAY)) == 3
        assert await errors(ledger.reader, "2026-11-01", TODAY)
        assert [hold.attempt_id for hold in await ledger.replay()] == ["held"]
        ledger.add_saved(TODAY, "a", "small", 1)
        await ledger.note(Change(NOW, "", Changed.SETTINGS, "", "migrated"))
        assert len(await changes(ledger.reader, 10)) == 1
        assert await ledger.purge("2026-11-10")  # its pages stay in the file, and nothing waits for them
        check_sums(old / "ledger.db")
    finally:
        await ledger.close()


async def test_a_migration_that_fails_leaves_the_file_at_its_version(home: Path, file: Path, tmp_path: Path) -> None:
    await book(home)
    old = tmp_path / "old"
    make_version_1(old, file)
    select(old / "ledger.db", "CREATE VIEW saved AS SELECT 1")
    with pytest.raises(LedgerUnavailable, match="saved already exists"):
        await SqliteLedger.open(old, NOW)
    assert select(old / "ledger.db", "PRAGMA user_version") == [(1,)]
    assert select(old / "ledger.db", "SELECT count(*) FROM sqlite_schema WHERE name = 'outcomes'") == [(0,)]
    select(old / "ledger.db", "DROP VIEW saved")
    ledger = await SqliteLedger.open(old, NOW)
    await ledger.close()
    check_sums(old / "ledger.db")
