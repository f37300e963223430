"""The nouns of the road: what is asked, where it may go, what was tried, what comes back.

Everything here is immutable except `Ticket`, whose state moves once from held to settled.
Money is integer picodollars (10**-12 USD), times are seconds, sizes are bytes or tokens.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .money import Picodollars, Prices

type JsonObject = Mapping[str, Any]


class Capability(Flag):
    """What a model can do, and what a request needs."""

    NONE = 0
    CHAT = auto()
    VISION = auto()
    TOOLS = auto()
    STRUCTURED = auto()
    STREAMING = auto()
    EMBEDDINGS = auto()
    REASONING = auto()
    AUDIO_IN = auto()
    IMAGE_OUT = auto()


class Op(StrEnum):
    """The kind of work that is asked for."""

    CHAT = "chat"
    EMBED = "embed"
    IMAGE = "image"
    EVALUATE = "evaluate"


class Finish(StrEnum):
    """Why a model stopped. Only `STOP` and `TOOLS` are complete answers."""

    STOP = "stop"
    TOOLS = "tools"
    LENGTH = "length"
    FILTERED = "filtered"
    OTHER = "other"


class CacheMode(StrEnum):
    """How one request uses the answer cache."""

    DEFAULT = "default"
    USE = "use"
    REFRESH = "refresh"
    BYPASS = "bypass"
    ONLY = "only"


class Priority(StrEnum):
    """Who is served first when there is a queue."""

    VOICE = "voice"
    AUTOMATION = "automation"
    BATCH = "batch"


class Target(NamedTuple):
    """Where an attempt is sent; the key of breakers, limits and learning."""

    provider_id: str
    model_id: str


@dataclass(frozen=True, slots=True)
class Model:
    """One model as one provider offers it. `None` means unknown, never zero.

    `told` are those capabilities of which the provider itself says whether the model has them; others are a guess.
    """

    id: str
    caps: Capability = Capability.CHAT | Capability.STREAMING
    context: int | None = None
    max_output: int | None = None
    prices: Prices | None = None
    local: bool = False
    told: Capability = field(default=Capability.NONE, compare=False)


# --- what is asked -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that is ready to send: upright, scaled, without metadata.

    `digest` is the SHA-256 of the bytes; `load` may block and is called in an executor.
    """

    digest: str
    mime: str
    width: int
    height: int
    load: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Audio:
    """A piece of sound."""

    digest: str
    mime: str
    seconds: float
    load: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool, whole."""

    id: str
    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered."""

    call_id: str
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A model's reasoning. `opaque` is the provider's own form, to be replayed only to `origin`."""

    text: str
    opaque: Any
    origin: Target


type Part = Text | Image | Audio | ToolCall | ToolResult | Thinking


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, slots=True)
class Structure:
    """The shape an answer must have; `schema` is a JSON schema of an object."""

    name: str
    schema: JsonObject


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the caller set, and nothing else: `None` is not sent."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `user_id` None is the house itself (an automation without a user)."""

    user_id: str | None = None
    admin: bool = False
    source: str = "action"
    context_id: str | None = None
    device: str | None = None
    area: str | None = None
    automation: str | None = None


def tighter[N: (int, float)](one: N | None, other: N | None) -> N | None:
    """Return the tighter of two bounds; None is no bound."""
    if one is None:
        return other
    return one if other is None else min(one, other)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a request may use up. `None` is no bound of its own.

    `timeout` and `first_token` are seconds from the request's start; the router turns `timeout`
    into the deadline. `max_output` is in tokens; `attempts` counts all tries on all targets.
    """

    timeout: float | None = None
    first_token: float | None = None
    attempts: int | None = None
    max_cost: Picodollars | None = None
    max_output: int | None = None
    max_latency: float | None = None

    def tighten(self, other: Bounds) -> Bounds:
        """Return the tighter of both, bound by bound."""
        if other == NO_BOUNDS:
            return self
        return Bounds(
            timeout=tighter(self.timeout, other.timeout),
            first_token=tighter(self.first_token, other.first_token),
            attempts=tighter(self.attempts, other.attempts),
            max_cost=tighter(self.max_cost, other.max_cost),
            max_output=tighter(self.max_output, other.max_output),
            max_latency=tighter(self.max_latency, other.max_latency),
        )


@dataclass(frozen=True, slots=True)
class Pins:
    """Where the caller wants it to go: provider ids, targets, an order. Never looser than the rules.

    `pool` None is all providers. `models` are ids or patterns of ids (`*`, `?`), in whatever case.
    """

    pool: str | None = None
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    prefer: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strategy: str | None = None

    def model_place(self, model_id: str) -> int | None:
        """Return which of `models` a model meets first; None if it meets none."""
        name = model_id.casefold()
        for place, pattern in enumerate(self.models):
            if pattern == model_id or fnmatchcase(name, pattern.casefold()):
                return place
        return None


NO_BOUNDS = Bounds()
NO_PINS = Pins()
NO_SAMPLING = Sampling()


@dataclass(frozen=True, slots=True)
class Degrade:
    """What a caller takes instead of a failure: a kept answer that is past its time, else a text of its own."""

    stale_ok: bool = False
    default_text: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the router, whoever asks it.

    `entities` are the cameras and entities it shows, `areas` those these are in. `trim`: where a model's context is too
    small, the oldest turns may be left out; the reply says so. Where the work is to embed, each message is a text of
    its own, and each becomes a vector.
    """

    id: str
    caller: Caller
    messages: tuple[Message, ...]
    op: Op = Op.CHAT
    session_id: str | None = None
    tools: tuple[Tool, ...] = ()
    structure: Structure | None = None
    sampling: Sampling = NO_SAMPLING
    needs: Capability = Capability.CHAT
    pins: Pins = NO_PINS
    local_only: bool = False
    bounds: Bounds = NO_BOUNDS
    cache_mode: CacheMode = CacheMode.DEFAULT
    priority: Priority = Priority.AUTOMATION
    label: str | None = None
    entities: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    trim: bool = False
    stream: bool = True
    degrade: Degrade | None = None


# --- where it may go -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds an attempt may take to connect, to its first content, between contents, and in all."""

    connect: float = 5.0
    first_token: float = 60.0
    idle: float = 60.0
    total: float = 300.0


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True)
class Call:
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


# --- what happens --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
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


@dataclass(frozen=True, slots=True)
class RateWindow:
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
class ToolCallDone:
    """A tool call, whole: half a call is never passed on."""

    call: ToolCall


type Vector = array[float]
"""Where a text lies among others, as one model sees it: 4 bytes a number. Those of two models cannot be compared."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of the next texts, in the order of the texts."""

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


type Event = Opened | Alive | TextDelta | ThinkingDelta | ToolCallDone | Vectors | UsageTotal | Finished


class Degraded(StrEnum):
    """What a reply is that is not an answer to the request: an old one, or the caller's own text."""

    STALE = "stale"
    DEFAULT = "default"
