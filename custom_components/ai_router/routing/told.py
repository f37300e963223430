"""What a provider itself tells of its limits: a limit that was learned, beside those the household has set."""

from typing import override

from .call import RateWindow
from .limits import Limit, LimitStatus
from .ports import Clock
from .tickets import BucketKey

# How long a word holds that names no end, and at the longest (seconds): who is mistaken must be heard again some day.
_NO_END = 10.0
_LONGEST = 3_600.0
# A bucket that refills continuously is full again after that part of one of these times that is missing from it.
_PERIODS = (1.0, 60.0, 3_600.0, 86_400.0)
_ROUNDING = 1.0
_NEARLY = 0.1


class Told(Limit):
    """What is left until a time, less what was sent since; afterwards, and while nothing was told, there is no limit.

    Most providers' buckets refill continuously, and tell when they are full again: where the numbers show that, what is
    left grows until then. Where nothing is left, it stays so until the told time.
    """

    __slots__ = ("_at", "_clock", "_level", "_rate", "_until", "_word", "limit")

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing told."""
        self._clock = clock
        self._level = self._rate = self._at = 0.0
        self._until = float("-inf")
        self._word = 0
        self.limit: int | None = None

    def hear(self, window: RateWindow, ahead: int) -> None:
        """Take the provider's newest word. `ahead` is what is under way and may not be in it yet."""
        self._word += 1
        self._at = self._clock.monotonic()
        wait = _NO_END if window.reset_at is None else window.reset_at - self._clock.now()
        # "0 of 0" is how some say that they have no such limit.
        if window.remaining is None or window.limit == 0:
            wait = 0.0
        self._until = self._at + min(wait, _LONGEST)
        self.limit = window.limit
        self._level = float((window.remaining or 0) - ahead)
        self._rate = _refill(window, wait) if window.remaining else 0.0

    @property
    def level(self) -> float:
        """How much may be taken now."""
        now = self._clock.monotonic()
        if now >= self._until:
            return float("inf")
        level = self._level + (now - self._at) * self._rate
        return level if self.limit is None else min(level, self.limit)

    @override
    def refuses(self, amount: int) -> bool:
        return amount > self.level

    @override
    def free_at(self, amount: int) -> float | None:
        mono = self._clock.monotonic()
        wait = max(0.0, self._until - mono)
        if self._rate:
            wait = min(wait, max(0.0, amount - self.level) / self._rate)
        return self._clock.now() + wait

    @override
    def take(self, amount: int) -> str:
        self._level -= amount
        return str(self._word)

    @override
    def settle(self, window_id: str, taken: int, actual: int) -> int:
        # A newer word has it in it already.
        if window_id == str(self._word):
            self._level += taken - actual
        return 0

    @override
    def status(self, key: BucketKey) -> LimitStatus | None:
        level = self.level
        if level == float("inf"):
            return None
        used = 0 if self.limit is None else round(self.limit - level)
        return LimitStatus(key, self.limit, used, self.free_at(1) if self.refuses(1) else None, learned=True)

    @override
    def reset(self) -> None:
        self._until = float("-inf")


def _refill(window: RateWindow, wait: float) -> float:
    """Return how much comes back in a second, where a bucket refills continuously; else 0."""
    limit, missing = window.limit, (window.limit or 0) - (window.remaining or 0)
    if limit is None or missing <= 0 or wait <= 0:
        return 0.0
    full_after = (period * missing / limit for period in _PERIODS)
    shows = any(abs(wait - seconds) <= _ROUNDING + _NEARLY * seconds for seconds in full_after)
    return missing / wait if shows else 0.0
