"""How well providers and models answer: success, latency, errors, and all of it over time."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple

from ..routing.failures import FailureClass
from ..routing.money import Picodollars
from .booking import Row
from .latencies import percentiles
from .queries import RECENT_ROWS, Reader

TIMELINE_INTERVALS = 1_000
"""How many intervals a timeline may have."""

NOT_THE_PROVIDERS = frozenset(
    {
        FailureClass.CANCELLED,
        FailureClass.BAD_REQUEST,
        FailureClass.CONTENT_POLICY,
        FailureClass.CONTEXT_LENGTH,
        FailureClass.CAPABILITY,
        FailureClass.TOO_LARGE,
    }
)
"""Failures for the request's own sake: they say nothing about who was asked."""

_PERCENTS = (50, 90, 99)
_KEYS = ("day", "provider_id", "model_id")


class Quality(NamedTuple):
    """How attempts that agree in `key` ended, `judged` without those that failed for their request's own sake.

    `success_rate` is a share of these (0 to 1). `p50`, `p90` and `p99` are seconds, to within 5 percent, that so many
    of the answers took at the most. None where nothing is known.
    """

    key: tuple[str, ...]
    attempts: int
    judged: int
    answers: int
    p50: float | None
    p90: float | None
    p99: float | None

    @property
    def success_rate(self) -> float | None:
        """The share of the judged attempts that were answered."""
        return self.answers / self.judged if self.judged else None


class ErrorShare(NamedTuple):
    """How many attempts failed with a class, and its share (0 to 1) of all failures."""

    failure: str
    attempts: int
    share: float


class Interval(NamedTuple):
    """The attempts that began in one interval. `start` is wall clock; `latency` the answers' mean seconds, if any."""

    start: float
    attempts: int = 0
    failures: int = 0
    cost: Picodollars = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency: float | None = None


_OUTCOMES = """
FROM outcomes WHERE day BETWEEN ?1 AND ?2
    AND (?3 IS NULL OR provider_id = ?3) AND (?4 IS NULL OR model_id = ?4)
"""
_ERRORS = f"""
SELECT failure, sum(attempts) {_OUTCOMES} AND failure != ''
GROUP BY failure ORDER BY sum(attempts) DESC, failure
"""

# With max(), the other columns are those of its row: https://www.sqlite.org/lang_select.html#bareagg
_LAST_FAILURES = f"""
SELECT provider_id, max(started), failure
FROM (SELECT provider_id, started, state, failure FROM attempts ORDER BY started DESC LIMIT ?)
WHERE state = 1 AND failure NOT IN ({", ".join(f"'{failure}'" for failure in sorted(NOT_THE_PROVIDERS))})
GROUP BY provider_id
"""  # noqa: S608 - constants
_TIMELINE = """
SELECT CAST((started - ?1) / ?3 AS INTEGER) AS place, count(*), sum(failure IS NOT NULL), sum(cost),
    sum(fresh_in + cache_read + cache_write_5m + cache_write_1h + image_in + audio_in),
    sum(text_out + reasoning_out + image_out), avg(iif(failure IS NULL, latency, NULL))
FROM attempts
WHERE started >= ?1 AND started < ?2 AND state = 1
    AND (?4 IS NULL OR provider_id = ?4) AND (?5 IS NULL OR model_id = ?5)
GROUP BY place
"""


async def quality(
    reader: Reader,
    from_day: str,
    to_day: str,
    by: Sequence[str] = ("provider_id",),
    provider_id: str | None = None,
    model_id: str | None = None,
) -> list[Quality]:
    """Tell how the attempts of some days ended, both included, by any of day, provider_id, model_id.

    From the roll-up, so for any period; of one provider or one model alone, if given. Raises `ValueError`.
    """
    if unknown := set(by) - set(_KEYS):
        raise ValueError(f"metrics cannot be summed by {', '.join(sorted(unknown))}")
    keys = (*by, "failure", "step")
    sql = f"SELECT {', '.join(keys)}, sum(attempts) {_OUTCOMES} GROUP BY {', '.join(keys)}"
    return await reader.read(_qualities, sql, from_day, to_day, provider_id, model_id)


def _qualities(rows: Iterable[Row]) -> list[Quality]:
    groups: dict[tuple[str, ...], list[tuple[str, int, int]]] = {}
    for *key, failure, step, attempts in rows:
        groups.setdefault(tuple(key), []).append((failure, step, attempts))
    return [_quality(key, groups[key]) for key in sorted(groups)]


def _quality(key: tuple[str, ...], outcomes: Iterable[tuple[str, int, int]]) -> Quality:
    steps: dict[int, int] = {}
    attempts = judged = 0
    for failure, step, count in outcomes:
        attempts += count
        judged += count if failure not in NOT_THE_PROVIDERS else 0
        if not failure:
            steps[step] = count
    p50, p90, p99 = percentiles(steps, _PERCENTS) or (None, None, None)
    return Quality(key, attempts, judged, sum(steps.values()), p50, p90, p99)


async def last_failures(reader: Reader) -> dict[str, tuple[float, str]]:
    """Return when (wall clock) the last attempt of each provider failed for the provider's sake, and its class.

    As far back as `RECENT_ROWS` attempts of all of them: a bound on its work.
    """
    rows = await reader.ask(_LAST_FAILURES, RECENT_ROWS)
    return {provider_id: (started, failure) for provider_id, started, failure in rows}


def fastest(found: Iterable[Quality], at_least: int = 1) -> list[Quality]:
    """Order by the answers' median latency, the shortest first, those with so many answers only."""
    known = [one for one in found if one.answers >= max(at_least, 1)]
    return sorted(known, key=lambda one: (one.p50 or 0.0, one.key))


def most_reliable(found: Iterable[Quality], at_least: int = 1) -> list[Quality]:
    """Order by success rate, the highest first, then by what it rests on.

    Those with so many judged attempts only, and never those that have not answered once.
    """
    known = [one for one in found if one.judged >= max(at_least, 1) and one.answers]
    return sorted(known, key=lambda one: (-one.answers / one.judged, -one.judged, one.key))


async def errors(
    reader: Reader, from_day: str, to_day: str, provider_id: str | None = None, model_id: str | None = None
) -> list[ErrorShare]:
    """Break the failures of some days down by class, both included, the most frequent first. From the roll-up."""
    rows = await reader.ask(_ERRORS, from_day, to_day, provider_id, model_id)
    total = sum(count for _, count in rows)
    return [ErrorShare(failure, count, count / total) for failure, count in rows]


async def timeline(
    reader: Reader,
    since: float,
    until: float,
    interval: float,
    provider_id: str | None = None,
    model_id: str | None = None,
) -> list[Interval]:
    """Cut the time from `since` up to `until` (wall clock) into intervals (seconds); quiet ones are there too.

    From the attempts themselves, so as far back as they are kept; over many days usage by day is much cheaper.
    Raises `ValueError` for an interval that is not positive and for more than `TIMELINE_INTERVALS`.
    """
    if not (interval > 0 and since <= until <= since + interval * TIMELINE_INTERVALS):
        raise ValueError(f"a timeline has up to {TIMELINE_INTERVALS} intervals of more than 0 seconds")
    intervals = [Interval(since + place * interval) for place in range(ceil((until - since) / interval))]
    for place, *sums in await reader.ask(_TIMELINE, since, until, interval, provider_id, model_id):
        intervals[place] = Interval(intervals[place].start, *sums)
    return intervals
