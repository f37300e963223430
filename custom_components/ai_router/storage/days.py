"""The household's days (YYYY-MM-DD) and the wall clock. Attempts are indexed by time, so days are looked for there."""

from datetime import UTC, date, datetime, timedelta

_DAY_SECONDS = 86_400
_FURTHEST_ZONE_SECONDS = 14 * 3_600

AFTER_ALL_DAYS = "9999-12-31"
"""Later than any day in the ledger."""


def later(day: str, days: int) -> str:
    """Return the day so many days after another, or before it."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def seconds_around(from_day: str, to_day: str) -> tuple[float, float]:
    """Return seconds since 1970 between which the days lie, both included, in whatever zone. Raises `ValueError`."""
    return _midnight(from_day) - _FURTHEST_ZONE_SECONDS, _midnight(to_day) + _DAY_SECONDS + _FURTHEST_ZONE_SECONDS


def _midnight(day: str) -> float:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    # Days are compared as text, and the standard knows other ways to write one.
    if midnight.date().isoformat() != day:
        raise ValueError(f"{day} is not a day as YYYY-MM-DD")
    return midnight.timestamp()
