"""Latencies as steps that can be counted per day: percentiles of any period from sums, to within 5 percent."""

from collections.abc import Mapping, Sequence
from math import ceil, log, sqrt

_SHORTEST_SECONDS = 0.001
_RATIO = 1.1
_LAST_STEP = 160
"""About an hour; whatever takes longer counts as that."""

_LOG_RATIO = log(_RATIO)


def latency_step(seconds: float) -> int:
    """Return the step of a latency: each is a tenth longer than the one before, the first is up to a millisecond."""
    if seconds <= _SHORTEST_SECONDS:
        return 1
    return min(1 + ceil(log(seconds / _SHORTEST_SECONDS) / _LOG_RATIO), _LAST_STEP)


def step_seconds(step: int) -> float:
    """Return the seconds that stand for a step: at most 5 percent from any latency in it."""
    if step <= 1:
        return _SHORTEST_SECONDS
    return float(_SHORTEST_SECONDS * _RATIO ** (step - 1) / sqrt(_RATIO))


def percentiles(counts: Mapping[int, int], percents: Sequence[int]) -> list[float]:
    """Return, for each of the ascending percents, the seconds that so many of the answers took at the most.

    `counts` tells how many answers took each step; without any there is nothing to return.
    """
    total = sum(counts.values())
    found: list[float] = []
    seen = 0
    for step in sorted(counts):
        seen += counts[step]
        while len(found) < len(percents) and seen * 100 >= percents[len(found)] * total:
            found.append(step_seconds(step))
    return found
