"""A file that is no whole ledger is mended, or set aside for the last copy with a word about it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.schema import SCHEMA_VERSION

from .attempts import NOW, answered, check_sums, entry, select
from .test_damage import filled, put_in_the_way


def run_sql(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(script)


def sql(script: str) -> Callable[[Path], None]:
    return lambda file: run_sql(file, script)


def write(text: str) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        file.write_text(text)

    return spoil


def make_another_programs(file: Path) -> None:
    file.unlink()
    run_sql(file, "CREATE TABLE things (a); PRAGMA user_version = 77; PRAGMA application_id = 1196444487;")


def put_a_folder_in_its_place(file: Path) -> None:
    file.unlink()
    put_in_the_way(file / "something")


def take_the_log_of_another(file: Path) -> None:
    """Lay the log of another database beside the file, as a copy that mixes folders up does."""
    other = file.with_name("other.db")
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE things (a); INSERT INTO things VALUES (1);")
        log = other.with_name("other.db-wal").read_bytes()
    for left in file.parent.glob("other.db*"):
        left.unlink()
    assert log
    file.with_name("ledger.db-wal").write_bytes(log)


def contents(home: Path) -> set[bytes]:
    return {path.read_bytes() for path in home.rglob("*") if path.is_file()} - {b""}


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (sql("DROP TABLE attempts"), "the table attempts is missing"),
        (sql("DROP TABLE usage"), "the table usage is missing"),
        (sql("DROP TABLE saved"), "the table saved is missing"),
        (sql("DROP TABLE names"), "the table names is missing"),
        (sql("ALTER TABLE usage RENAME TO use_"), "the table usage is missing"),
        (sql("DROP TABLE usage; CREATE VIEW usage AS SELECT 1 AS cost"), "the table usage is missing"),
        (sql("ALTER TABLE attempts DROP COLUMN cost"), "the column cost"),
        (sql("ALTER TABLE usage RENAME COLUMN cost TO costs"), "the column cost"),
        (
            sql("CREATE TABLE u AS SELECT * FROM usage; DROP TABLE usage; ALTER TABLE u RENAME TO usage"),
            "the column day",
        ),
        (sql("DROP TABLE saved; PRAGMA user_version = 0"), "the table saved is missing"),
        (sql("DROP TABLE attempts; PRAGMA user_version = 0"), "the table attempts is missing"),
        (sql("PRAGMA user_version = 1"), "of a later schema"),
        (sql("PRAGMA application_id = 5"), "another program"),
        (make_another_programs, "another program"),
        (write("these are notes\n" * 500), "not a database"),
        (write("x"), "not a database"),
        (write(""), "empty"),
        (put_a_folder_in_its_place, "no file"),
        (take_the_log_of_another, "missing"),
    ],
)
@pytest.mark.parametrize("copied", [True, False])
async def test_what_is_no_whole_ledger_is_set_aside_for_its_copy(
    home: Path, file: Path, spoil: Callable[[Path], None], wrong: str, copied: bool
) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    for number in range(20):
        ledger.settle(entry(str(number), hold=1), answered(5))
    assert not copied or await ledger.snapshot(home / "ledger.snapshot.db")
    await ledger.close()
    spoil(file)
    before = contents(home)

    ledger = await SqliteLedger.open(home, NOW)
    try:
        assert wrong in ledger.wrong
        assert ledger.recovered is not None
        assert ledger.from_snapshot is copied
        await ledger.hold(entry("new", hold=1))
        assert select(file, "SELECT total(cost) FROM usage") == [(100.0 if copied else 0.0,)]
        check_sums(file)
    finally:
        await ledger.close()
    assert before <= contents(home)  # nothing is lost
    again = await SqliteLedger.open(home, NOW)
    assert (again.recovered, again.wrong) == (None, "")
    await again.close()


@pytest.mark.parametrize(
    "spoil",
    [
        "DROP INDEX attempts_started; DROP INDEX attempts_held",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -3",
        "CREATE TABLE theirs (a); ALTER TABLE usage ADD COLUMN more TEXT; CREATE INDEX i ON usage (cost)",
    ],
)
async def test_what_can_be_mended_is_mended(home: Path, file: Path, spoil: str) -> None:
    await filled(home, 20)
    schema = "SELECT name, sql FROM sqlite_schema WHERE name LIKE 'attempts_%' AND sql IS NOT NULL ORDER BY name"
    indexes = select(file, schema)
    sql(spoil)(file)

    ledger = await SqliteLedger.open(home, NOW)
    try:
        assert ledger.recovered is None
        await ledger.hold(entry("new", hold=1))
        ledger.settle(entry("new"), answered(5))
        await ledger.flush()
        assert select(file, "SELECT count(*) FROM attempts") == [(21,)]
        assert select(file, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
        assert select(file, schema) == indexes
        check_sums(file)
    finally:
        await ledger.close()


async def test_an_odd_copy_is_no_copy(home: Path, file: Path) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    assert await ledger.snapshot(home / "ledger.snapshot.db")
    await ledger.close()
    sql("DROP TABLE usage")(home / "ledger.snapshot.db")
    write("notes")(file)

    ledger = await SqliteLedger.open(home, NOW)
    try:
        assert (ledger.recovered is None, ledger.from_snapshot) == (False, False)
        await ledger.hold(entry("new", hold=1))
    finally:
        await ledger.close()
