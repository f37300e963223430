"""Limits on how often and how much at once: exact sliding windows and slots."""

from collections import deque


class SlidingWindow:
    """At most `limit` takes in any `seconds`: a log of the takes' times, exact at every moment (monotonic clock)."""

    __slots__ = ("_log", "limit", "seconds")

    def __init__(self, limit: int | None, seconds: float) -> None:
        """Begin empty. A limit of None only counts."""
        self.limit = limit
        self.seconds = seconds
        self._log: deque[float] = deque(maxlen=10_000)

    def used(self, now: float) -> int:
        """Return how many takes lie in the window that ends now."""
        edge = now - self.seconds
        log = self._log
        while log and log[0] <= edge:
            log.popleft()
        return len(log)

    def refuses(self, amount: int, now: float) -> bool:
        """Say whether so many more do not fit."""
        return self.limit is not None and self.used(now) + amount > self.limit

    def free_in(self, amount: int, now: float) -> float | None:
        """Return after how many seconds so many fit; None if they never do."""
        if self.limit is None:
            return 0.0
        if amount > self.limit:
            return None
        surplus = self.used(now) + amount - self.limit
        return self._log[surplus - 1] + self.seconds - now if surplus > 0 else 0.0

    def take(self, amount: int, now: float) -> None:
        """Count so many takes now."""
        self._log.extend([now] * amount)

    def give_back(self, amount: int) -> None:
        """Undo the latest takes: nothing was sent."""
        for _ in range(min(amount, len(self._log))):
            self._log.pop()

    def restore(self, times: list[float]) -> None:
        """Set the takes of an earlier run (monotonic times, oldest first)."""
        self._log.clear()
        self._log.extend(times)


class Slots:
    """At most `limit` at once. Counted when taken and when given back, so it cannot drift."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int | None) -> None:
        """Begin with none in use. A limit of None only counts."""
        self.limit = limit
        self.used = 0

    def refuses(self, amount: int) -> bool:
        """Say whether so many more do not fit."""
        return self.limit is not None and self.used + amount > self.limit
