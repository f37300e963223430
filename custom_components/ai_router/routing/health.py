"""How a provider does, and why: judged from its traffic, its breakers and benches, and free checks."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from .benches import Bench
from .breaker import BreakerState
from .failures import MEANING, Failure
from .metrics import Sample

BREAKER_OPEN = "breaker_open"
PROBING = "probing"
FAILING = "failing"
SLOW = "slow"
REASONS = (BREAKER_OPEN, PROBING, FAILING, SLOW)


class Level(StrEnum):
    """How a provider does."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class HealthReport(NamedTuple):
    """A level, why it is not healthy (a failure class, or one of this module's words), and since when (wall clock)."""

    level: Level
    reason: str | None
    since: float


class HealthSettings(NamedTuple):
    """From when on a provider is not well.

    Of its last `attempts` within `recent_seconds`, at least `enough`: the shares that failed (0 to 1), and the median
    seconds an answer takes (None: however slow). A check that fails `failed_checks` times in a row makes it unhealthy.
    """

    attempts: int = 20
    recent_seconds: float = 3_600.0
    enough: int = 5
    degraded_share: float = 0.2
    unhealthy_share: float = 0.8
    slow_seconds: float | None = None
    failed_checks: int = 2


DEFAULT_HEALTH = HealthSettings()


class Checked(NamedTuple):
    """What the last free check of a provider found, and how many failed in a row until then."""

    when: float
    failure: Failure | None
    failed: int = 0


type Verdict = tuple[Level, str | None]


def judge(
    benches: Mapping[str | None, Bench],
    models: int,
    breakers: Collection[BreakerState],
    checked: Checked | None,
    samples: Sequence[Sample],
    settings: HealthSettings,
) -> Verdict:
    """Return a provider's level and its reason, the gravest first.

    `benches` are by model id (None: the whole provider), of so many `models`; `samples` are its recent attempts.
    """
    lasting = [bench for bench in benches.values() if not bench.resting]
    whole = benches.get(None)
    if (whole is not None and not whole.resting) or (lasting and len(lasting) >= models):
        return Level.UNHEALTHY, lasting[0].cls
    # A provider stands as well as its best model.
    if breakers and all(state is BreakerState.OPEN for state in breakers):
        return Level.UNHEALTHY, BREAKER_OPEN
    failure = None if checked is None else checked.failure
    told = None if failure is None else str(failure.cls)
    fails = failure is not None and not MEANING[failure.cls].pause
    if fails and checked is not None and checked.failed >= settings.failed_checks:
        return Level.UNHEALTHY, told
    if benches:
        return Level.DEGRADED, next(iter(benches.values())).cls
    if breakers and BreakerState.CLOSED not in breakers:
        return Level.DEGRADED, PROBING
    traffic = _by_traffic(samples, settings) if samples else None
    # One check in vain makes nobody better who does not answer anyway.
    if told is not None and (traffic is None or traffic[0] is not Level.UNHEALTHY):
        return Level.DEGRADED, told
    return traffic or ((Level.UNKNOWN if checked is None else Level.HEALTHY), None)


def _by_traffic(samples: Sequence[Sample], settings: HealthSettings) -> Verdict:
    failed = sum(not sample.ok for sample in samples) / len(samples)
    enough = len(samples) >= settings.enough
    if enough and failed >= settings.unhealthy_share:
        return Level.UNHEALTHY, FAILING
    if failed == 1 or (enough and failed > settings.degraded_share):
        return Level.DEGRADED, FAILING
    answered = [sample.latency for sample in samples if sample.ok]
    slow = enough and settings.slow_seconds is not None and median(answered) > settings.slow_seconds
    return (Level.DEGRADED, SLOW) if slow else (Level.HEALTHY, None)


_GRAVEST = (Level.UNHEALTHY, Level.DEGRADED, Level.HEALTHY)


def together(reports: Collection[HealthReport]) -> Verdict:
    """Judge the whole router by its providers: unhealthy when no provider is better, degraded when one is ill."""
    known = [report for report in reports if report.level is not Level.UNKNOWN]
    if not known:
        return Level.UNKNOWN, None
    worst = min(known, key=lambda report: _GRAVEST.index(report.level))
    if worst.level is Level.UNHEALTHY and any(report.level is not Level.UNHEALTHY for report in reports):
        return Level.DEGRADED, worst.reason
    return worst.level, worst.reason
