"""A mark that lies beside the ledger while it is backed up, and so is in every backup: a ledger with it was put back.

Home Assistant restores into an emptied folder and tells nobody, so only what comes out of the backup can tell of it.
Everything here blocks and may raise `OSError`.
"""

from pathlib import Path

from .sqlite_files import make_private

_NAME = "ledger.in_backup"
# Who is killed in the middle of a backup leaves a mark too, but one that has not changed since it was written.
_WRITTEN_WITHIN = 5.0


def lay(directory: Path) -> None:
    """Lay the mark: it says when, by the clock of the file's own times."""
    mark = directory / _NAME
    mark.unlink(missing_ok=True)
    make_private(mark)
    mark.write_text(repr(mark.stat().st_ctime), encoding="ascii")


def lift(directory: Path) -> None:
    """Take the mark away."""
    (directory / _NAME).unlink(missing_ok=True)


def made_at(directory: Path) -> float | None:
    """Return when the backup was made that the folder comes from (wall clock); None if it comes from none.

    The mark is taken away: it is told of once.
    """
    mark = directory / _NAME
    if not mark.is_file():
        return None
    changed = mark.stat().st_ctime
    try:
        laid = float(mark.read_text(encoding="ascii"))
    except ValueError:
        return None
    finally:
        lift(directory)
    return laid if changed - laid > _WRITTEN_WITHIN else None
