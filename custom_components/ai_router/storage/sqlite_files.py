"""The file of a SQLite database, and those that SQLite keeps beside it."""

from pathlib import Path


def beside(path: Path) -> list[Path]:
    """Return where SQLite keeps the log and the shared memory of a file."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]


def make_private(path: Path) -> None:
    """Make the file where it is not there yet; only its owner may read it and what is beside it."""
    path.touch(mode=0o600)
    for file in (path, *beside(path)):
        if file.exists():
            file.chmod(0o600)
