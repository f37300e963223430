"""Why an attempt failed, and what follows from it.

The class and the phase decide, never the bare status code: one 429 stands for a rate limit, a daily quota, an empty
account or a full server. The taxonomy follows the failure classes that Bifrost, TensorZero and LiteLLM publish,
refined for a house.
"""

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import NamedTuple

from .call import RateWindow


class FailureClass(StrEnum):
    """Our own taxonomy of what goes wrong."""

    TRANSIENT = auto()
    NETWORK = auto()
    MALFORMED = auto()
    OVERLOADED = auto()
    RATE_LIMIT = auto()
    QUOTA = auto()
    BILLING = auto()
    CREDENTIAL = auto()
    MODEL_MISSING = auto()
    REGION = auto()
    CONTEXT_LENGTH = auto()
    CAPABILITY = auto()
    NOT_LOCAL = auto()
    TOO_LARGE = auto()
    CONTENT_POLICY = auto()
    BAD_REQUEST = auto()
    TIMEOUT_CONNECT = auto()
    TIMEOUT_FIRST_TOKEN = auto()
    TIMEOUT_IDLE = auto()
    TIMEOUT_TOTAL = auto()
    STREAM_CUT = auto()
    EMPTY = auto()
    INVALID_ANSWER = auto()
    CANCELLED = auto()
    UNKNOWN = auto()


class Phase(StrEnum):
    """How far an attempt had come."""

    UNSENT = auto()
    SENT = auto()
    STREAMING = auto()


class FailureScope(StrEnum):
    """What is at fault: only this request, the target, the whole provider, or the account behind it."""

    REQUEST = auto()
    TARGET = auto()
    PROVIDER = auto()
    ACCOUNT = auto()


class Billed(StrEnum):
    """Whether a failed attempt costs money."""

    NO = auto()
    PARTIAL = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. `detail` is the provider's own text, bounded and redacted.

    `retry_at` is wall-clock seconds, where the provider told one; `rates` is what it told of its limits.
    """

    cls: FailureClass
    phase: Phase
    detail: str = ""
    scope: FailureScope = FailureScope.TARGET
    retry_at: float | None = None
    billed: Billed = Billed.UNKNOWN
    status: int | None = None
    rates: tuple[RateWindow, ...] = ()


class AttemptFailed(Exception):
    """Raised by a provider's `attempt` when it cannot go on."""

    def __init__(self, failure: Failure) -> None:
        """Carry the failure; its text is safe to show."""
        super().__init__(f"{failure.cls}: {failure.detail}")
        self.failure = failure


class Meaning(NamedTuple):
    """What a failure class means for the road.

    `again`: the same target may be tried once more when no other is ready. `next`: another target may help.
    `breaker`: how much it counts as a failure of the target. `bench`: the target (or the whole provider, where the
    failure's scope says so) is set aside until somebody or time mends it. `pause`: the target rests until `retry_at`.
    `better`: only a target that can read more at once is worth trying.
    """

    again: bool = False
    next: bool = True
    breaker: float = 0.0
    bench: bool = False
    pause: bool = False
    better: bool = False


MEANING: dict[FailureClass, Meaning] = {
    FailureClass.TRANSIENT: Meaning(again=True, breaker=1),
    FailureClass.NETWORK: Meaning(again=True, breaker=1),
    FailureClass.MALFORMED: Meaning(again=True, breaker=1),
    FailureClass.OVERLOADED: Meaning(again=True, breaker=1, pause=True),
    FailureClass.RATE_LIMIT: Meaning(again=True, pause=True),
    FailureClass.QUOTA: Meaning(pause=True),
    FailureClass.BILLING: Meaning(bench=True),
    FailureClass.CREDENTIAL: Meaning(bench=True),
    FailureClass.MODEL_MISSING: Meaning(bench=True),
    FailureClass.REGION: Meaning(bench=True),
    FailureClass.CONTEXT_LENGTH: Meaning(better=True),
    FailureClass.CAPABILITY: Meaning(),
    FailureClass.NOT_LOCAL: Meaning(bench=True),
    FailureClass.TOO_LARGE: Meaning(better=True),
    FailureClass.CONTENT_POLICY: Meaning(next=False),
    FailureClass.BAD_REQUEST: Meaning(next=False),
    FailureClass.TIMEOUT_CONNECT: Meaning(breaker=1),
    FailureClass.TIMEOUT_FIRST_TOKEN: Meaning(breaker=1),
    FailureClass.TIMEOUT_IDLE: Meaning(breaker=1),
    FailureClass.TIMEOUT_TOTAL: Meaning(breaker=1),
    FailureClass.STREAM_CUT: Meaning(breaker=1),
    FailureClass.EMPTY: Meaning(),
    FailureClass.INVALID_ANSWER: Meaning(again=True),
    FailureClass.CANCELLED: Meaning(next=False),
    FailureClass.UNKNOWN: Meaning(breaker=0.5),
}
