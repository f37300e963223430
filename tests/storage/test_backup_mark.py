"""A mark lies beside the ledger while it is backed up: whatever becomes of it, the ledger opens."""

from collections.abc import Callable
from pathlib import Path

import pytest

from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW

HOUR = 3_600.0


def marks(home: Path) -> list[Path]:
    return [*home.glob("*.in_backup")]


def mark_of(home: Path) -> Path:
    (mark,) = marks(home)
    return mark


async def opened(home: Path) -> float | None:
    """Open the ledger and close it; return when the backup was made that it says it comes from."""
    ledger = await SqliteLedger.open(home, NOW)
    await ledger.close()
    return ledger.backup


async def restored(home: Path, later: float) -> float:
    """Make the mark of a backup that was unpacked so many seconds later; return when it was made."""
    ledger = await SqliteLedger.open(home, NOW)
    await ledger.mark_backup(True)
    await ledger.close()
    mark = mark_of(home)
    made = mark.stat().st_ctime - later
    mark.write_text(repr(made), encoding="ascii")
    return made


@pytest.mark.parametrize("later", [HOUR, -HOUR], ids=["later", "by a clock that was behind"])
async def test_a_restored_ledger_tells_once_when_its_backup_was_made(home: Path, later: float) -> None:
    made = await restored(home, later)

    assert await opened(home) == pytest.approx(made, abs=0.001)
    assert await opened(home) is None


@pytest.mark.parametrize("backups", [1, 2])
async def test_who_is_killed_in_a_backup_was_not_restored(home: Path, backups: int) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    for _ in range(backups):
        await ledger.mark_backup(True)
    await ledger.close()

    assert await opened(home) is None
    assert not marks(home)


async def test_after_a_backup_nothing_lies_there(home: Path) -> None:
    ledger = await SqliteLedger.open(home, NOW)
    await ledger.mark_backup(True)
    await ledger.mark_backup(False)
    await ledger.mark_backup(False)
    await ledger.close()

    assert not marks(home)
    assert await opened(home) is None


def put_a_folder_there(mark: Path) -> None:
    mark.unlink()
    mark.mkdir()


def lead_in_a_circle(mark: Path) -> None:
    mark.unlink()
    mark.symlink_to(mark)


def write(content: bytes) -> Callable[[Path], object]:
    return lambda mark: mark.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        put_a_folder_there,
        lead_in_a_circle,
        *map(write, (b"", b"nan", b"inf", b"-inf", b"1e300", b"yesterday", b"\xff")),
    ],
)
async def test_a_mark_that_cannot_be_read_keeps_no_ledger_from_opening(
    home: Path, spoil: Callable[[Path], object]
) -> None:
    await restored(home, HOUR)
    spoil(mark_of(home))

    assert await opened(home) is None
