"""How long to wait before the same target is tried again, and how many such retries the whole router may send.

Full jitter after Brooker ("Exponential Backoff and Jitter", AWS, 2015); the budget is the token bucket of Finagle and
gRPC: requests earn a share of a retry each, so that an outage cannot multiply the traffic.
"""

from typing import NamedTuple

from .ports import Clock

_MINUTE = 60.0


class Backoff(NamedTuple):
    """The longest wait before a first retry, doubled for each further one up to `longest` (seconds)."""

    base: float = 0.5
    longest: float = 4.0

    def delay(self, retry: int, chance: float) -> float:
        """Return how long to wait (seconds) before a retry, counted from 1; `chance` is a random number from 0 to 1."""
        seconds = self.base
        for _ in range(retry - 1):
            if seconds >= self.longest:
                break
            seconds *= 2
        return chance * min(seconds, self.longest)


class RetrySettings(NamedTuple):
    """Every request earns `share` of a retry for the router, and every minute `floor`; at most `floor` are saved up, or one."""

    share: float = 0.2
    floor: int = 10


DEFAULT_BACKOFF = Backoff()
DEFAULT_RETRIES = RetrySettings()


class RetryBudget:
    """The retries that may still be sent. Another target, not tried yet, is no retry: that is never refused."""

    __slots__ = ("_at", "_clock", "_level", "_settings")

    def __init__(self, clock: Clock) -> None:
        """Begin full."""
        self._clock = clock
        self._settings = DEFAULT_RETRIES
        self._level = float(DEFAULT_RETRIES.floor)
        self._at = clock.monotonic()

    def apply(self, settings: RetrySettings) -> None:
        """Take new settings; what they add can be spent at once."""
        self._level += settings.floor - self._settings.floor
        self._settings = settings

    @property
    def level(self) -> float:
        """How many retries may be sent now."""
        now = self._clock.monotonic()
        floor = self._settings.floor
        self._level = min(max(floor, 1.0), self._level + (now - self._at) * floor / _MINUTE)
        self._at = now
        return self._level

    def earn(self) -> None:
        """Count a request."""
        self._level += self._settings.share

    def spend(self) -> bool:
        """Take a retry out; say whether there was one."""
        if self.level < 1:
            return False
        self._level -= 1
        return True

    def refund(self) -> None:
        """Put a retry back that was not sent."""
        self._level += 1
