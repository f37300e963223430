"""The circuit breaker of one target: stops sending to what is broken, and finds out with one probe when it is mended.

After Nygard, "Release It!": closed counts failures, open lets nothing through for a while, half-open lets exactly one
probe through, which owns the slot until it is settled. A cancelled probe gives the slot back and proves nothing.
"""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """How many `failures` in a row open a breaker, and for how many seconds.

    When every target's breaker is open one may be tried early, at most every `forced_probe_seconds`.
    """

    failures: float = 5
    open_seconds: float = 60.0
    forced_probe_seconds: float = 5.0


DEFAULT_BREAKER = BreakerSettings()


class Breaker:
    """All times are monotonic seconds."""

    __slots__ = ("_failures", "_last_probe", "_opened", "probing", "settings")

    def __init__(self, settings: BreakerSettings) -> None:
        """Begin closed."""
        self.settings = settings
        self._failures = 0.0
        self._opened: float | None = None
        self._last_probe = float("-inf")
        self.probing = False

    def state(self, now: float) -> BreakerState:
        """Return how it stands: an open one becomes half-open by time alone."""
        if self._opened is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.reopens_at else BreakerState.HALF_OPEN

    @property
    def closed(self) -> bool:
        """Whether everything may pass."""
        return self._opened is None

    @property
    def failures(self) -> float:
        """Weighted failures in a row while closed."""
        return self._failures

    @property
    def reopens_at(self) -> float:
        """When an open breaker lets a probe through."""
        return 0.0 if self._opened is None else self._opened + self.settings.open_seconds

    def forced_at(self) -> float:
        """When a probe may be sent although the breaker is open, if nothing else is left."""
        return min(self.reopens_at, self._last_probe + self.settings.forced_probe_seconds)

    def begin_probe(self, now: float) -> None:
        """Give the one probe slot away."""
        self.probing = True
        self._last_probe = now

    def succeed(self, *, probe: bool) -> bool:
        """Count a success; return whether the state changed. Only a probe's success closes an open breaker."""
        if self._opened is None:
            self._failures = 0.0
            return False
        if not probe:
            return False
        self.probing = False
        self._opened = None
        self._failures = 0.0
        return True

    def fail(self, weight: float, now: float, *, probe: bool) -> bool:
        """Count a failure by its weight; return whether the state changed."""
        if self._opened is not None:
            if probe:
                self.probing = False
                self._opened = now
            return probe
        self._failures += weight
        if self._failures < self.settings.failures:
            return False
        self._opened = now
        return True

    def release(self) -> None:
        """Take back the probe slot of an attempt that proved nothing."""
        self.probing = False

    def reset(self) -> None:
        """Close it, as when a person says that the cause is mended."""
        self._opened = None
        self._failures = 0.0
        self.probing = False

    def restore(self, opened: float) -> None:
        """Be open since a time, as before a restart."""
        self._opened = opened

    @property
    def opened(self) -> float | None:
        """When it opened; None while closed."""
        return self._opened
