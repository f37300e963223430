"""What recent attempts say about a provider: success rate and latency over its last attempts."""

from collections import deque
from statistics import median
from typing import NamedTuple

from .failures import FailureClass, FailureScope
from .outcome import Outcome

_KEPT = 100
_LATENCIES = 25


class Sample(NamedTuple):
    """One attempt: when it ended (wall clock), whether the provider did well, seconds in all and to the first content."""

    when: float
    ok: bool
    latency: float
    first_token: float | None


class Recent:
    """The last attempts of one provider; bounded."""

    __slots__ = ("_good", "_samples", "last_failure")

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._samples: deque[Sample] = deque()
        self._good = 0
        self.last_failure: tuple[float, FailureClass, str] | None = None

    def add(self, outcome: Outcome, when: float) -> None:
        """Note how an attempt ended. A cancelled one, and one that failed for its request's own sake, say nothing."""
        failure = outcome.failure
        if failure is not None:
            if failure.cls is FailureClass.CANCELLED or failure.scope is FailureScope.REQUEST:
                return
            self.last_failure = (when, failure.cls, failure.detail)
        self.add_sample(Sample(when, failure is None, outcome.latency, outcome.first_token))

    def add_sample(self, sample: Sample) -> None:
        """Note one attempt, also of an earlier run."""
        self._samples.append(sample)
        self._good += sample.ok
        if len(self._samples) > _KEPT:
            self._good -= self._samples.popleft().ok

    @property
    def attempts(self) -> int:
        """How many attempts are known."""
        return len(self._samples)

    @property
    def success_rate(self) -> float | None:
        """The share (0 to 1) of attempts that went well; None while nothing is known."""
        if not self._samples:
            return None
        return self._good / len(self._samples)

    @property
    def latency(self) -> float | None:
        """The median seconds of the last answers; None while nothing is known."""
        answered = [sample.latency for sample in self._samples if sample.ok][-_LATENCIES:]
        return median(answered) if answered else None

    @property
    def confidence(self) -> float:
        """How likely the next attempt goes well, by Laplace's rule of succession."""
        return (self._good + 1) / (len(self._samples) + 2)
