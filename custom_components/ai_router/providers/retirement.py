"""When a provider means to take a model away, as its list of models tells."""

from contextlib import suppress
from datetime import date
from typing import Any


def day_told(*told: Any) -> date | None:
    """Return the first day among what a list tells: a date, or the beginning of a time, as ISO 8601 writes them."""
    for each in told:
        if isinstance(each, str):
            with suppress(ValueError):
                return date.fromisoformat(each[:10])
    return None
