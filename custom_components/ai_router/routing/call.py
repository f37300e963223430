"""What a provider is given to send, and what it yields while it answers: immutable.

Times are seconds, money is integer picodollars (10**-12 USD).
"""

from array import array
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from .model import NO_SAMPLING, Message, Op, Sampling, Structure, Target, Tool, ToolCall
from .money import Picodollars


class Finish(StrEnum):
    """Why a model stopped. Only `STOP` and `TOOLS` are complete answers."""

    STOP = "stop"
    TOOLS = "tools"
    LENGTH = "length"
    FILTERED = "filtered"
    OTHER = "other"


class Timeouts(NamedTuple):
    """Seconds an attempt may take to connect, to its first content, between contents, and in all."""

    connect: float = 5.0
    first_token: float = 60.0
    idle: float = 60.0
    total: float = 300.0


DEFAULT_TIMEOUTS = Timeouts()


class Call(NamedTuple):
    """What a provider is given to send: no caller, no label, nothing of the household."""

    target: Target
    messages: tuple[Message, ...]
    max_output: int
    timeouts: Timeouts
    tools: tuple[Tool, ...] = ()
    structure: Structure | None = None
    sampling: Sampling = NO_SAMPLING
    stream: bool = True
    op: Op = Op.CHAT


class Usage(NamedTuple):
    """Tokens in disjoint buckets: their sum is the provider's total, nothing is counted twice."""

    fresh_in: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    image_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    reasoning_out: int = 0
    image_out: int = 0
    searches: int = 0
    requests: int = 1

    @property
    def input_tokens(self) -> int:
        """All tokens that went in, cached ones included."""
        return (
            self.fresh_in + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.image_in + self.audio_in
        )

    @property
    def output_tokens(self) -> int:
        """All tokens that came out, reasoning included."""
        return self.text_out + self.reasoning_out + self.image_out


class RateWindow(NamedTuple):
    """One of a provider's own limits as its headers tell it; `reset_at` in wall-clock seconds."""

    name: str
    limit: int | None
    remaining: int | None
    reset_at: float | None


@dataclass(frozen=True, slots=True)
class Opened:
    """The provider has accepted the request and answers."""

    rates: tuple[RateWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of the model's reasoning."""

    text: str
    opaque: Any = None


@dataclass(frozen=True, slots=True)
class Rethought:
    """All text so far was the model's reasoning: nothing said so before its end.

    With the first answer of a model that leaves the beginning of its reasoning unmarked, who shows an answer while it
    comes has to take back what it has shown; from then on, until the next start, that is known, and no such text comes.
    It is not held back until then: nobody knows for how long, and every model's first answer would wait. The reply is
    right in any case.
    """


@dataclass(frozen=True, slots=True)
class ToolCallDone:
    """A tool call, whole: half a call is never passed on."""

    call: ToolCall


type Vector = array[float]


"""Where a text lies among others, as one model sees it: 4 bytes a number. Those of two models cannot be compared."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of the next texts, in the order of the texts: all that one request to the server gave.

    Where texts are left, the next request goes out only when more is asked for: the limits may hold it back until then.
    """

    vectors: tuple[Vector, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """A sign that the server is at work, without content: it keeps a long silence from passing for a dead one."""


ALIVE = Alive()


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What the attempt used so far, and what it costs where the provider tells money; the last one counts."""

    usage: Usage
    cost: Picodollars | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The terminator: an answer without it is cut, never complete."""

    reason: Finish


type Event = Opened | Alive | TextDelta | ThinkingDelta | Rethought | ToolCallDone | Vectors | UsageTotal | Finished
