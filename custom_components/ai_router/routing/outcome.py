"""How attempts end, and the reply that comes of them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from .failures import Failure
from .model import Degraded, Finish, Part, Target, Text, Usage
from .money import Picodollars
from .plans import Plan


class Outcome(NamedTuple):
    """How an attempt ended. `cost` is final; `estimated` says it was not told by the provider."""

    failure: Failure | None
    usage: Usage | None
    cost: Picodollars
    estimated: bool
    latency: float
    first_token: float | None
    finish: Finish | None = None


class Attempt(NamedTuple):
    """One try on one target, for the reply."""

    id: str
    target: Target
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller gets.

    A `cached` one took no call of its own: the answer was kept, or an equal request was under way. `saved` is what it
    would have cost.
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

    @property
    def text(self) -> str:
        """The answer's text, without reasoning."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))
