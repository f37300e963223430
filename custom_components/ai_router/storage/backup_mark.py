"""A mark that lies beside the ledger while it is backed up, and so is in every backup: a ledger with it was put back.

Home Assistant restores into an emptied folder and tells nobody, so only what comes out of the backup can tell of it.
Everything here blocks; `lay` and `lift` may raise `OSError`.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .sqlite_files import make_private

_NAME = "ledger.in_backup"
# Who is killed in the middle of a backup leaves a mark too, but one that has not changed since it was written (seconds).
_WRITTEN_WITHIN = 1.0


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

    The mark is taken away: it is told of once. One that cannot be read tells nothing, and never raises.
    """
    mark = directory / _NAME
    try:
        changed = mark.stat().st_ctime
        laid = datetime.fromtimestamp(float(mark.read_text(encoding="ascii")), UTC).timestamp()
    except OSError, OverflowError, ValueError:
        return None
    finally:
        with suppress(OSError):
            lift(directory)
    # The clock of another machine may have been behind.
    return laid if abs(changed - laid) > _WRITTEN_WITHIN else None
