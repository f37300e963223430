"""Limits on how often and how much: every kind of bucket an attempt draws from, behind one interface.

Requests are counted in exact sliding windows. Tokens are claimed before an attempt from a bucket that refills
continuously, and corrected after it: a longer answer leaves a debt that delays the next claim instead of being
forgotten (token bucket as in RFC 2697, with debt). So more than its limit may go through in one minute, twice as much
after an idle one, but never in the long run. What is under way is counted in slots.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol, override

from .ports import Clock
from .tickets import BucketKey

_LONGEST_LOG = 10_000
_MINUTE = 60.0


class Bucket(Protocol):
    """A limit or budget. Amounts are picodollars, requests, tokens or slots; times returned are wall-clock seconds."""

    def refuses(self, amount: int) -> bool:
        """Say whether so much more does not fit now."""

    def free_at(self, amount: int) -> float | None:
        """Return when a refused amount fits by time alone; None if never."""

    def take(self, amount: int) -> str:
        """Take an amount; return the id of the window it was taken in."""

    def settle(self, window_id: str, taken: int, actual: int) -> int:
        """Replace what was taken by what was really used; return by how much a limit is passed because of it."""


class LimitStatus(NamedTuple):
    """How a limit stands: how much of it is used, and when it has room again (wall clock; None: it has room).

    A `learned` one is the provider's own word, or what its overload taught. `limit` None: it told only what is left.
    """

    key: BucketKey
    limit: int | None
    used: int
    free_at: float | None
    learned: bool


class Limit(Bucket, Protocol):
    """A limit of a provider, as its status shows it."""

    def status(self, key: BucketKey) -> LimitStatus | None:
        """Return how it stands; None where nothing is limited."""

    def reset(self) -> None:
        """Begin anew, as if nothing had been used. What is under way is still counted at its end."""


class SlidingWindow(Limit):
    """At most `limit` takes in any `seconds`: a log of the takes' times, exact at every moment."""

    __slots__ = ("_clock", "_log", "limit", "seconds")

    def __init__(self, clock: Clock, seconds: float) -> None:
        """Begin empty and without limit: then it only counts."""
        self._clock = clock
        self._log: deque[float] = deque(maxlen=_LONGEST_LOG)
        self.limit: int | None = None
        self.seconds = seconds

    @property
    def used(self) -> int:
        """How many takes lie in the window that ends now."""
        now = self._clock.monotonic()
        log = self._log
        # The same sum as in `free_at`, so that both agree to the last bit.
        while log and log[0] + self.seconds <= now:
            log.popleft()
        return len(log)

    @override
    def refuses(self, amount: int) -> bool:
        return self.limit is not None and self.used + amount > self.limit

    @override
    def free_at(self, amount: int) -> float | None:
        if self.limit is None or amount > self.limit:
            return None
        surplus = self.used + amount - self.limit
        wait = self._log[surplus - 1] + self.seconds - self._clock.monotonic() if surplus > 0 else 0.0
        return self._clock.now() + wait

    @override
    def take(self, amount: int) -> str:
        self._log.extend([self._clock.monotonic()] * amount)
        return ""

    @override
    def settle(self, window_id: str, taken: int, actual: int) -> int:
        for _ in range(min(taken - actual, len(self._log))):
            self._log.pop()
        return 0

    @override
    def status(self, key: BucketKey) -> LimitStatus | None:
        if self.limit is None:
            return None
        return LimitStatus(key, self.limit, self.used, self.free_at(1) if self.refuses(1) else None, learned=False)

    @override
    def reset(self) -> None:
        self._log.clear()

    def restore(self, ages: Sequence[float]) -> None:
        """Set the takes of an earlier run: how many seconds ago each was."""
        now = self._clock.monotonic()
        self._log.clear()
        self._log.extend(now - age for age in sorted(ages, reverse=True))


class TokenBucket(Limit):
    """At most `limit` tokens a minute, refilled continuously; full at the start, below zero after an overdraft."""

    __slots__ = ("_at", "_clock", "_level", "_limit")

    def __init__(self, clock: Clock) -> None:
        """Begin without limit: then it takes nothing."""
        self._clock = clock
        self._limit: int | None = None
        self._level = 0.0
        self._at = clock.monotonic()

    @property
    def limit(self) -> int | None:
        """Tokens a minute; None is without limit."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        if limit == self._limit:
            return
        # What is missing from a full bucket stays missing under the new limit.
        missing = self._limit - self.level if self._limit is not None else 0.0
        self._limit = limit
        self._level = (limit or 0) - missing
        self._at = self._clock.monotonic()

    @property
    def level(self) -> float:
        """The tokens that may be claimed now; negative while a debt is paid off."""
        if self._limit is None:
            return float("inf")
        return self._refill(self._limit, self._clock.monotonic())

    def _refill(self, limit: int, when: float) -> float:
        self._level = min(limit, self._level + (when - self._at) * limit / _MINUTE)
        self._at = when
        return self._level

    @override
    def refuses(self, amount: int) -> bool:
        return self._limit is not None and amount > self.level

    @override
    def free_at(self, amount: int) -> float | None:
        if self._limit is None or amount > self._limit:
            return None
        return self._clock.now() + max(0.0, amount - self.level) * _MINUTE / self._limit

    @override
    def take(self, amount: int) -> str:
        if self._limit is not None:
            self._level = self.level - amount
        return ""

    @override
    def settle(self, window_id: str, taken: int, actual: int) -> int:
        if self._limit is not None:
            self._level = min(self._limit, self.level + taken - actual)
        return 0

    @override
    def status(self, key: BucketKey) -> LimitStatus | None:
        if self._limit is None:
            return None
        free_at = self.free_at(1) if self.refuses(1) else None
        return LimitStatus(key, self._limit, round(self._limit - self.level), free_at, learned=False)

    @override
    def reset(self) -> None:
        self._level = float(self._limit or 0)
        self._at = self._clock.monotonic()

    def restore(self, used: Sequence[tuple[float, int]]) -> None:
        """Take the attempts of an earlier run, the oldest first: how many seconds ago each began, and its tokens."""
        self.reset()
        if self._limit is None or not used:
            return
        now = self._clock.monotonic()
        self._at = now - used[0][0]
        for age, tokens in used:
            self._level = self._refill(self._limit, now - age) - tokens


class Slots(Limit):
    """At most `limit` at once, less while the provider says that it is overloaded.

    Adapted as TCP adapts its window (additive increase, multiplicative decrease; Jacobson 1988): halved on overload,
    one more after twenty good answers, up to the household's own limit.
    """

    __slots__ = ("_clock", "_good", "_lowered", "limit", "used")

    _GOOD_ANSWERS = 20
    _FORGOTTEN_AT = 64

    def __init__(self, clock: Clock) -> None:
        """Begin with none in use and no limit."""
        self._clock = clock
        self.limit: int | None = None
        self.used = 0
        self._lowered: int | None = None
        self._good = 0

    @property
    def effective(self) -> int | None:
        """The limit of this moment."""
        if self._lowered is None:
            return self.limit
        return self._lowered if self.limit is None else min(self._lowered, self.limit)

    def overloaded(self) -> None:
        """Halve what may run at once: the provider said that it was too much."""
        running = self.used + 1
        self._lowered = max(1, min(running, self._lowered or running) // 2)
        self._good = 0

    def answered(self) -> None:
        """Count a good answer towards one more slot."""
        if self._lowered is None:
            return
        self._good += 1
        if self._good >= self._GOOD_ANSWERS:
            self._good = 0
            self._lowered += 1
            if self._lowered >= (self.limit or self._FORGOTTEN_AT):
                self._lowered = None

    @override
    def refuses(self, amount: int) -> bool:
        limit = self.effective
        return limit is not None and self.used + amount > limit

    @override
    def free_at(self, amount: int) -> float | None:
        # Whoever runs now may end at any moment.
        return self._clock.now()

    @override
    def take(self, amount: int) -> str:
        self.used += amount
        return ""

    @override
    def settle(self, window_id: str, taken: int, actual: int) -> int:
        self.used -= taken
        return 0

    @override
    def status(self, key: BucketKey) -> LimitStatus | None:
        limit = self.effective
        if limit is None:
            return None
        free_at = self.free_at(1) if self.refuses(1) else None
        return LimitStatus(key, limit, self.used, free_at, learned=limit != self.limit)

    @override
    def reset(self) -> None:
        self._lowered = None
        self._good = 0
