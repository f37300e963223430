"""How many tokens a provider was sent and has sent back of late."""

from collections import OrderedDict
from collections.abc import Iterable
from math import floor

from .ports import Clock

# A longer log than one entry for each hundredth of a second cannot come about, however many attempts there are.
_STEPS = 100


class TokenLog:
    """The tokens of the attempts that began in the last `seconds`, in and out: a sum, and a log of when they began.

    One that is under way counts what it claims until it is settled, and then, in the same place, what it really used.
    The sum is exact; when an attempt leaves it is exact to a hundredth of a second.
    """

    __slots__ = ("_clock", "_log", "_newest", "_sum", "_width")

    def __init__(self, clock: Clock, seconds: float) -> None:
        """Begin empty."""
        self._clock = clock
        self._width = round(seconds * _STEPS)
        # In the order of time: tokens by the hundredth of a second in which their attempts began.
        self._log: OrderedDict[int, int] = OrderedDict()
        self._newest = self._step(0.0) - 1
        self._sum = 0

    def _step(self, age: float) -> int:
        return floor((self._clock.monotonic() - age) * _STEPS)

    @property
    def used(self) -> int:
        """How many tokens the attempts took that began in the time that ends now."""
        self._forget(self._step(0.0))
        return self._sum

    def take(self, tokens: int) -> int:
        """Count an attempt that begins now, at what it claims; return its place, to settle it by."""
        step = floor(self._clock.monotonic() * _STEPS)
        if step > self._newest:
            self._begin(step)
        newest = self._newest
        self._log[newest] += tokens
        self._sum += tokens
        return newest

    def settle(self, place: int, taken: int, actual: int) -> None:
        """Replace what an attempt has claimed by what it used; one that began too long ago is in the log no more."""
        if place in self._log:
            self._log[place] += actual - taken
            self._sum += actual - taken

    def reset(self) -> None:
        """Forget everything. What began before is not counted at its end either."""
        self._log.clear()
        self._sum = 0
        self._begin(max(self._step(0.0), self._newest) + 1)

    def restore(self, used: Iterable[tuple[float, int]]) -> None:
        """Take the attempts of an earlier run, the oldest first: how many seconds ago each began, and its tokens."""
        self._log.clear()
        self._sum = 0
        for age, tokens in used:
            self._begin(self._step(age))
            self._log[self._newest] += tokens
            self._sum += tokens

    def _begin(self, step: int) -> None:
        """Begin a new hundredth of a second, which lets go of an old one."""
        self._newest = step
        self._log.setdefault(step, 0)
        self._forget(step)

    def _forget(self, step: int) -> None:
        """Let go of what began too long before a step."""
        log = self._log
        while log and (first := next(iter(log))) + self._width <= step:
            self._sum -= log.pop(first)
