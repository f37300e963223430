"""The circuit breaker of one target: stops sending to what is broken, and finds out with one probe when it is mended.

After Nygard, "Release It!": closed counts failures, open lets nothing through for a while, half-open lets exactly one
probe through, which owns the slot until it is settled. A cancelled probe gives the slot back and proves nothing.
The failure ratio over a window is that of Hystrix; the growing open time is exponential backoff with a cap.
"""

from collections import deque
from enum import StrEnum
from typing import NamedTuple

_SLICES = 10


class BreakerState(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerSettings(NamedTuple):
    """When a breaker opens, for how long, and what closes it.

    It opens after so many `failures` in a row, or when of at least `volume` attempts within `window_seconds` the share
    `ratio` failed (above 1: never for that). It stays open for `open_seconds`, `growth` times longer whenever a probe fails or it opens again
    before it was closed for `good_seconds`, but never longer than `longest_open_seconds`. `probes` good answers in a
    row, one at a time, close it. When every target's breaker is open one may be tried early, at most every
    `forced_probe_seconds`. Once `provider_targets` of a provider are down for causes that are the whole provider's, all
    its targets are.
    """

    failures: float = 5
    ratio: float = 0.5
    volume: int = 8
    window_seconds: float = 60.0
    open_seconds: float = 60.0
    growth: float = 2.0
    longest_open_seconds: float = 300.0
    good_seconds: float = 300.0
    probes: int = 1
    forced_probe_seconds: float = 5.0
    provider_targets: int = 2


DEFAULT_BREAKER = BreakerSettings()


class OpenPeriod(NamedTuple):
    """Since when a breaker is open, for the how manieth time in a row, and whether for a cause of the whole provider."""

    since: float
    repeats: int = 1
    wide: bool = False


class Breaker:
    """All times are monotonic seconds."""

    __slots__ = (
        "_closed_since",
        "_failures",
        "_forced",
        "_last_probe",
        "_opened",
        "_slices",
        "_successes",
        "_until",
        "probing",
        "repeats",
        "settings",
        "wide",
    )

    def __init__(self, settings: BreakerSettings) -> None:
        """Begin closed."""
        self.settings = settings
        self._failures = 0.0
        # What came of the last attempts: [number of the slice of time, all, failed by weight].
        self._slices: deque[list[float]] = deque(maxlen=_SLICES)
        self._opened: float | None = None
        self._until = 0.0
        self._closed_since = float("-inf")
        self._last_probe = float("-inf")
        self._forced = False
        self._successes = 0
        self.probing = False
        # How often it has opened without a good spell in between, and whether the cause is the whole provider's.
        self.repeats = 0
        self.wide = False

    def state(self, now: float) -> BreakerState:
        """Return how it stands: an open one becomes half-open by time alone."""
        if self._opened is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._until else BreakerState.HALF_OPEN

    @property
    def closed(self) -> bool:
        """Whether everything may pass."""
        return self._opened is None

    @property
    def opened(self) -> float | None:
        """When its open period began; None while closed."""
        return self._opened

    @property
    def failures(self) -> float:
        """Weighted failures in a row while closed."""
        return self._failures

    @property
    def reopens_at(self) -> float:
        """When an open breaker lets a probe through."""
        return 0.0 if self._opened is None else self._until

    @property
    def open_seconds(self) -> float:
        """How long an open period lasts after so many repeats."""
        settings = self.settings
        seconds = settings.open_seconds
        for _ in range(self.repeats - 1):
            if seconds >= settings.longest_open_seconds:
                break
            seconds *= max(settings.growth, 1.0)
        return max(settings.open_seconds, min(seconds, settings.longest_open_seconds))

    def forced_at(self) -> float:
        """When a probe may be sent although the breaker is open, if nothing else is left."""
        return min(self.reopens_at, self._last_probe + self.settings.forced_probe_seconds)

    def begin_probe(self, now: float) -> None:
        """Give the one probe slot away."""
        self.probing = True
        self._forced = now < self._until
        self._last_probe = now

    def succeed(self, now: float, *, probe: bool) -> bool:
        """Count a success; return whether the state changed. Only probes' successes close an open breaker."""
        if self._opened is None:
            self._failures = 0.0
            self._count(now, 0.0)
            return False
        if not probe:
            return False
        self.probing = False
        self._successes += 1
        if self._successes < self.settings.probes:
            return self.half_open(now)
        self._close(now)
        return True

    def fail(self, weight: float, now: float, *, probe: bool = False, wide: bool = False) -> bool:
        """Count a failure by its weight; return whether the state changed. `wide`: it is the whole provider's."""
        if self._opened is not None:
            if probe:
                self.probing = False
                self.wide = wide
                # One that was sent before its time says nothing new about how long to wait.
                self._open(now, again=not self._forced)
            return probe
        self._failures += weight
        self._count(now, weight)
        if self._failures < self.settings.failures and not self._mostly_failing(now):
            return False
        self.wide = wide
        self._open(now, again=True)
        return True

    def follow(self, other: Breaker, now: float) -> bool:
        """Be open as long as another of the same provider, which is down as a whole; return whether it opened."""
        opens = self._opened is None
        self.wide = True
        self.repeats = other.repeats if opens else max(self.repeats, other.repeats)
        self._last_probe = max(self._last_probe, other._last_probe)
        self._begin(now)
        return opens

    def half_open(self, now: float) -> bool:
        """Let a probe through now: there is a sign of life. Return whether the state changed."""
        if self._opened is None or now >= self._until:
            return False
        self._until = now
        return True

    def release(self) -> None:
        """Take back the probe slot of an attempt that proved nothing."""
        self.probing = False

    def reset(self, now: float) -> None:
        """Close it, as when a person says that the cause is mended."""
        self.probing = False
        self.repeats = 0
        self._close(now)

    def restore(self, period: OpenPeriod) -> None:
        """Be open as before a restart."""
        self.repeats = max(1, period.repeats)
        self.wide = period.wide
        self._begin(period.since)

    def _open(self, now: float, *, again: bool) -> None:
        if self._opened is None and now - self._closed_since >= self.settings.good_seconds:
            self.repeats = 0
        if again or not self.repeats:
            self.repeats += 1
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._successes = 0
        self._opened = now
        self._until = now + self.open_seconds

    def _close(self, now: float) -> None:
        self._opened = None
        self._closed_since = now
        self._failures = 0.0
        self._successes = 0
        self._slices.clear()
        self.wide = False

    def _count(self, now: float, weight: float) -> None:
        number = now * _SLICES // self.settings.window_seconds
        if not self._slices or self._slices[-1][0] != number:
            self._slices.append([number, 0.0, 0.0])
        last = self._slices[-1]
        last[1] += 1
        last[2] += weight

    def _mostly_failing(self, now: float) -> bool:
        first = now * _SLICES // self.settings.window_seconds - _SLICES
        recent = [counts for counts in self._slices if counts[0] > first]
        volume = sum(counts[1] for counts in recent)
        return volume >= self.settings.volume and sum(counts[2] for counts in recent) >= self.settings.ratio * volume
