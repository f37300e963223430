"""What answer headers tell about limits: how much is left, and when to come again."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from ..routing.call import RateWindow

type Headers = Mapping[str, str]

_UNITS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 0.001, "s": 1.0}
_UNITS |= {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART = re.compile(rf"(\d+(?:\.\d+)?)({'|'.join(_UNITS)})")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_WINDOWS = (
    *(
        (name, *(f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset")))
        for name in ("requests", "tokens", "requests-day", "tokens-minute")
    ),
    *(
        (name, *(f"anthropic-ratelimit-{name}-{what}" for what in ("limit", "remaining", "reset")))
        for name in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
    *(
        ("requests", *(f"{family}-{what}" for what in ("limit", "remaining", "reset")))
        for family in ("x-ratelimit", "ratelimit")
    ),
)
# A header is the provider's word, not a number to calculate with unseen: nothing resets later than this (seconds).
_LONGEST = 400 * 86_400.0
_MAX_TEXT = 64
# Larger numbers are no seconds to wait but a moment since 1970, in seconds or in milliseconds.
_EPOCH = 1e9
_EPOCH_MS = 1e12
_IN_WORDS = re.compile(
    rf"\b(?:try again|retry) (?:in|after) ((?:{_PART.pattern})+|\d+(?:\.\d+)?(?= ?sec))", re.IGNORECASE
)


def _number(text: str | None) -> float | None:
    """Return a finite number that is not negative, else None."""
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if 0 <= number <= _LONGEST * 1_000 else None


def duration(text: str | None) -> float | None:
    """Return the seconds in `1s`, `6m0s`, `12ms`, `1h2m3.5s` or a plain number of seconds; None for anything else."""
    if text is None:
        return None
    text = "".join(text.split()).lower()
    seconds = _number(text)
    if seconds is None and len(text) <= _MAX_TEXT and _WHOLE.fullmatch(text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return seconds if seconds is not None and seconds <= _LONGEST else None


# One answer tells several dates, and its own is asked for with each of them.
@lru_cache(maxsize=16)
def _date(text: str | None) -> datetime | None:
    """Read a date of RFC 3339, one of HTTP, or a number of seconds or milliseconds since 1970."""
    if text is None:
        return None
    if text.replace(".", "", 1).isdecimal() and len(text) <= _MAX_TEXT and (number := float(text)) >= _EPOCH:
        try:
            return datetime.fromtimestamp(number / 1_000 if number >= _EPOCH_MS else number, UTC)
        except ValueError, OverflowError, OSError:
            return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            date = read(text)
        except ValueError, OverflowError:
            continue
        return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return None


def _seconds(text: str | None, headers: Headers) -> float | None:
    """Return the seconds in a duration or until a date; None for anything else."""
    seconds = duration(text)
    if seconds is not None:
        return seconds
    date = _date(text)
    if date is None:
        return None
    # The server's own clock measures its date: ours may be wrong.
    here = _date(headers.get("date")) or datetime.now(UTC)
    return min(max(0.0, (date - here).total_seconds()), _LONGEST)


def _retry_after(headers: Headers) -> float | None:
    """Return the seconds to wait that the headers ask for in so many words."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1_000
    return _seconds(headers.get("retry-after"), headers)


def retry_at(headers: Headers, now: float) -> float | None:
    """Return when (wall clock) the headers say to come again: the explicit wait, else the reset of an empty window."""
    wait = _retry_after(headers)
    if wait is None:
        resets = [
            seconds
            for _, _, remaining, reset in _WINDOWS
            if _number(headers.get(remaining)) == 0 and (seconds := _seconds(headers.get(reset), headers)) is not None
        ]
        wait = max(resets, default=None)
    return None if wait is None else now + wait


def wait_in_words(text: str) -> float | None:
    """Return the seconds to wait that a refusal asks for in its text; None where it names none."""
    found = _IN_WORDS.search(text)
    return None if found is None else duration(found.group(1))


def _count(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def rate_windows(headers: Headers, now: float) -> tuple[RateWindow, ...]:
    """Return the provider's own limits on requests and tokens, where it tells them. `now` is wall-clock seconds."""
    windows = []
    for name, limit_header, remaining_header, reset_header in _WINDOWS:
        limit, remaining = headers.get(limit_header), headers.get(remaining_header)
        if limit is None and remaining is None:
            continue
        reset = _seconds(headers.get(reset_header), headers)
        windows.append(RateWindow(name, _count(limit), _count(remaining), None if reset is None else now + reset))
    return tuple(windows)
