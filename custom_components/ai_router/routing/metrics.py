"""What recent attempts say about a provider: success rate and latency over its last attempts."""

from collections import deque
from itertools import islice, takewhile
from statistics import median
from typing import NamedTuple

from .failures import FailureClass
from .outcome import Outcome

_KEPT = 100
_LATENCIES = 25
_RECENT = 600.0


class Sample(NamedTuple):
    """One attempt: when it ended (wall clock), whether the provider did well, seconds in all and to the first content."""

    when: float
    ok: bool
    latency: float
    first_token: float | None
    model_id: str = ""


class Recent:
    """The last attempts of one provider; bounded."""

    __slots__ = ("_good", "_samples", "last_failure")

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._samples: deque[Sample] = deque()
        self._good = 0
        self.last_failure: tuple[float, FailureClass, str] | None = None

    def add(self, outcome: Outcome, when: float, model_id: str = "") -> None:
        """Note how an attempt ended. A cancelled one, and one that failed for its request's own sake, say nothing."""
        failure = outcome.failure
        if not outcome.telling:
            return
        if failure is not None:
            self.last_failure = (when, failure.cls, failure.detail)
        self.add_sample(Sample(when, failure is None, outcome.latency, outcome.first_token, model_id))

    def add_sample(self, sample: Sample) -> None:
        """Note one attempt, also of an earlier run."""
        self._samples.append(sample)
        self._good += sample.ok
        if len(self._samples) > _KEPT:
            self._good -= self._samples.popleft().ok

    def last(self, count: int, since: float) -> list[Sample]:
        """Return at most so many of the last attempts, none that ended before a time (wall clock), the newest first."""
        newest = islice(reversed(self._samples), count)
        return list(takewhile(lambda sample: sample.when >= since, newest))

    @property
    def newest(self) -> Sample | None:
        """The last attempt; None while nothing is known."""
        return self._samples[-1] if self._samples else None

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

    def latency_of(self, model_id: str, now: float) -> float | None:
        """Return the median seconds of one model's last answers; None where none of them is recent.

        What was slow a while ago may be tried again: otherwise nobody would learn that it is not any more.
        """
        answered = [
            sample.latency
            for sample in self._samples
            if sample.ok and sample.model_id == model_id and now - sample.when < _RECENT
        ]
        return median(answered[-_LATENCIES:]) if answered else None

    @property
    def confidence(self) -> float:
        """How likely the next attempt goes well, by Laplace's rule of succession."""
        return (self._good + 1) / (len(self._samples) + 2)
