"""What is deleted, and what must not be."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.storage import retention
from custom_components.ai_router.storage.audit import Change, Changed, changes
from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW, TODAY, answered, check_sums, entry, failed, files, row, select, until

DAY = 86_400
SUMS = ("usage", "outcomes", "saved")
HELD = "held for ever"


def day(ago: int) -> str:
    return f"2026-11-{21 - ago:02}"


async def book(ledger: SqliteLedger, per_day: int = 10) -> None:
    """Some attempts on each of the last eight days, and one that has been under way for seven."""
    await ledger.hold(entry(HELD, hold=1, day=day(7), started=NOW - 7 * DAY))
    for ago in range(8):
        ledger.add_saved(day(ago), "cloud", "small", 3)
        for number in range(per_day):
            # Both ends of a household's day may lie on another day in UTC.
            started = NOW - ago * DAY + (-DAY // 2 if number % 2 else DAY // 2)
            outcome = failed(7) if number % 3 else answered(5)
            ledger.settle(entry(f"{ago}-{number}", day=day(ago), started=started), outcome)
    await ledger.flush()


def sums(file: Path) -> list[list[tuple[Any, ...]]]:
    return [select(file, f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in SUMS]  # noqa: S608 - ours


def days(file: Path, table: str) -> list[str]:
    return [found for (found,) in select(file, f"SELECT DISTINCT day FROM {table} ORDER BY day")]  # noqa: S608 - ours


async def test_old_attempts_go_and_all_sums_stay(
    ledger: SqliteLedger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 7)
    await book(ledger)
    before, spent = sums(file), await ledger.spent_since(day(7))
    assert await ledger.retain(TODAY, days=3) == 40
    assert days(file, "attempts") == [day(7), day(3), day(2), day(1), day(0)]
    assert select(file, "SELECT attempt_id FROM attempts WHERE day = ?", day(7)) == [(HELD,)]
    assert select(file, "SELECT count(*) FROM attempts WHERE day >= ?", day(3)) == [(40,)]
    assert sums(file) == before
    assert await ledger.spent_since(day(7)) == spent
    assert await ledger.retain(TODAY, days=3) == 0


async def test_attempts_are_kept_for_a_day_at_least(ledger: SqliteLedger, file: Path) -> None:
    await book(ledger)
    with pytest.raises(ValueError, match="one day"):
        await ledger.retain(TODAY, days=0)
    await ledger.retain(TODAY, days=1)
    assert await ledger.requests_on(TODAY) == await ledger.requests_on(day(1)) == (10, 4)


async def test_holds_get_their_turn_between_the_steps(
    ledger: SqliteLedger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 1)
    await book(ledger, per_day=20)
    deleting = asyncio.create_task(ledger.retain(TODAY, days=1))
    await until(lambda: len(select(file, "SELECT 1 FROM attempts WHERE state = 1")) < 160)
    await ledger.hold(entry("new", hold=1))
    assert not deleting.done()
    assert await deleting == 120


async def test_a_purge_takes_the_sums_along_and_leaves_what_is_held(ledger: SqliteLedger, file: Path) -> None:
    await book(ledger)
    assert await ledger.purge(day(2)) == 50
    assert days(file, "attempts") == [day(7), day(2), day(1), day(0)]
    for table in SUMS:
        assert days(file, table) == [day(2), day(1), day(0)]
    check_sums(file)
    ledger.settle(entry(HELD, hold=1, day=day(7), started=NOW - 7 * DAY), answered(1))
    await ledger.flush()
    check_sums(file)


async def test_a_purge_of_all_leaves_the_audit(ledger: SqliteLedger, file: Path) -> None:
    change = Change(NOW, "anna", Changed.DATA, "", "purged all")
    await ledger.note(change)
    await book(ledger)
    assert await ledger.purge(None) == 80
    assert select(file, "SELECT attempt_id FROM attempts") == [(HELD,)]
    assert sums(file) == [[], [], []]
    assert await changes(ledger.reader, 10) == [change]
    assert await ledger.purge(None) == 0


async def test_a_purge_gives_the_space_back(ledger: SqliteLedger, file: Path, home: Path) -> None:
    await book(ledger, per_day=1_000)
    await ledger.close()
    full = len(files(home)["ledger.db"])
    again = await SqliteLedger.open(home, NOW)
    await again.purge(None)
    await again.close()
    assert len(files(home)["ledger.db"]) < full / 10
    assert select(file, "PRAGMA integrity_check") == [("ok",)]


async def test_a_day_that_is_none_deletes_nothing(ledger: SqliteLedger, file: Path) -> None:
    await book(ledger)
    for wrong in ("", "yesterday", "2026-13-01", "20261121", "2026-W47-6", "2026-11-21T00:00"):
        with pytest.raises(ValueError, match=r".*"):
            await ledger.purge(wrong)
    assert select(file, "SELECT count(*) FROM attempts") == [(81,)]


async def test_a_closed_ledger_deletes_nothing(ledger: SqliteLedger, file: Path) -> None:
    await book(ledger)
    await ledger.close()
    with pytest.raises(LedgerUnavailable):
        await ledger.purge(None)
    assert row(file, "0-0") is not None
