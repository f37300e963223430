"""What answer headers tell about limits: how much is left, and when to come again."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

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
# Structured headers: `"burst";r=3;t=5, "day";r=900`, or in older drafts `limit=100, remaining=3, reset=5`.
_WORD = r"[\w!#$%&'*+.^`|~:/-]+"
_VALUE = rf'"[^"\\]*"|{_WORD}'
_MEMBER = re.compile(rf"({_VALUE})(?:=({_VALUE}))?((?:\s*;\s*{_WORD}(?:=(?:{_VALUE}))?)*)\s*(?:,\s*|$)", re.ASCII)
_PARAMETER = re.compile(rf";\s*({_WORD})=({_VALUE})", re.ASCII)
_MAX_STRUCTURED = 1_000
_COUNTED_UNITS = frozenset({"requests", "tokens"})
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
        resets += [
            seconds for _, _, remaining, seconds in _structured(headers) if remaining == 0 and seconds is not None
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
    for unit, most, left, seconds in () if windows else _structured(headers):
        windows.append(RateWindow(unit, most, left, None if seconds is None else now + seconds))
    return tuple(windows)


class _Item(NamedTuple):
    """A member of a structured header: its name and its parameters, as they are written."""

    name: str
    parameters: dict[str, str]


def _items(text: str | None) -> list[_Item]:
    """Read a list of items (RFC 9651, 3.1), or, as older drafts have it, a dictionary as the parameters of one item.

    Nothing where any of it cannot be read.
    """
    items: list[_Item] = []
    dictionary: dict[str, str] = {}
    text = text.strip() if text is not None and len(text) <= _MAX_STRUCTURED else ""
    place = 0
    while place < len(text):
        found = _MEMBER.match(text, place)
        if found is None:
            return []
        if found[2]:
            dictionary[found[1]] = found[2]
        else:
            parameters = {name: value.strip('"') for name, value in _PARAMETER.findall(found[3])}
            items.append(_Item(found[1].strip('"'), parameters))
        place = found.end()
    return [*items, _Item("", dictionary)] if dictionary else items


def _structured(headers: Headers) -> list[tuple[str, int | None, int | None, float | None]]:
    """Return name, limit, what remains and seconds to the reset from the header `RateLimit` of the IETF's drafts.

    Of several policies for one unit it is the tightest that counts; units that are not counted here are passed over.
    Draft draft-ietf-httpapi-ratelimit-headers-10, and draft 07 where all stands in a dictionary.
    """
    told = headers.get("ratelimit")
    if told is None:
        return []
    policies = {item.name: item.parameters for item in _items(headers.get("ratelimit-policy"))}
    tightest: dict[str, tuple[str, int | None, int | None, float | None]] = {}
    for name, own in _items(told):
        policy = policies.get(name, {})
        unit = policy.get("qu", "requests")
        remaining = _count(own.get("r", own.get("remaining")))
        if unit not in _COUNTED_UNITS or remaining is None:
            continue
        window = unit, _count(policy.get("q", own.get("limit"))), remaining, duration(own.get("t", own.get("reset")))
        if unit not in tightest or remaining < (tightest[unit][2] or 0):
            tightest[unit] = window
    return list(tightest.values())
