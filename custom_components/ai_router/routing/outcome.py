"""How attempts end, and the reply that comes of them."""

from typing import Any, NamedTuple

from .call import Finish, Usage, Vector
from .failures import Failure, FailureClass, FailureScope, Phase
from .model import Part, Target, Text
from .money import Picodollars
from .plans import Plan
from .request import Degraded


class Outcome(NamedTuple):
    """How an attempt ended. `cost` is final; `estimated` says it was not told by the provider."""

    failure: Failure | None
    usage: Usage | None
    cost: Picodollars
    estimated: bool
    latency: float
    first_token: float | None
    finish: Finish | None = None

    @property
    def telling(self) -> bool:
        """Whether it says something of its target: not if it was stopped, or failed for its request's own sake."""
        failure = self.failure
        return failure is None or not (failure.cls is FailureClass.CANCELLED or failure.scope is FailureScope.REQUEST)

    @property
    def never_sent(self) -> bool:
        """Whether it was taken back before anything was sent: then it counts nowhere, as if it had never been."""
        failure = self.failure
        taken_back = failure is not None and failure.cls is FailureClass.CANCELLED and failure.phase is Phase.UNSENT
        return taken_back and not self.cost


class Attempt(NamedTuple):
    """One try on one target, for the reply.

    `pool` is the pool it was tried for, `trimmed` how many of the oldest messages were left out to fit its context,
    `day` the household's date (YYYY-MM-DD) it is booked on: that of its start.
    """

    id: str
    target: Target
    outcome: Outcome
    pool: str | None = None
    trimmed: int = 0
    day: str = ""


class Reply(NamedTuple):
    """What the caller gets.

    A `cached` one took no call of its own: the answer was kept, or an equal request was under way. `saved` is what it
    would have cost. `trimmed` is how many of the oldest messages the model was not shown. Under `cache_key` the cache
    keeps it, if it is kept at all; None where it never is.
    """

    request_id: str
    parts: tuple[Part, ...]
    data: Any
    finish: Finish
    target: Target
    pool: str | None
    usage: Usage
    cost: Picodollars
    estimated: bool
    cached: bool
    latency: float
    first_token: float | None
    attempts: tuple[Attempt, ...]
    plan: Plan
    saved: Picodollars = 0
    degraded: Degraded | None = None
    trimmed: int = 0
    vectors: tuple[Vector, ...] = ()
    cache_key: str | None = None

    @property
    def text(self) -> str:
        """The answer's text, without reasoning."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))
