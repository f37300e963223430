"""The nouns of the road: what is asked, where it may go, what was tried, what comes back.

Everything here is immutable except `Ticket`, whose state moves once from held to settled.
Money is integer picodollars (10**-12 USD), times are seconds, sizes are bytes or tokens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, StrEnum, auto
from typing import Any, NamedTuple

from .failures import Failure
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
    """One model as one provider offers it. `None` means unknown, never zero."""

    id: str
    caps: Capability = Capability.CHAT | Capability.STREAMING
    context: int | None = None
    max_output: int | None = None
    prices: Prices | None = None
    local: bool = False


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
    """Where the caller wants it to go: provider ids, targets, an order. Never looser than the rules."""

    pool: str | None = None
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    prefer: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strategy: str | None = None


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
    """One question to the router, whoever asks it."""

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
    stream: bool = True
    degrade: Degrade | None = None


# --- where it may go -----------------------------------------------------------------------------


class Why(StrEnum):
    """Why a target was left out of a plan; each has a sentence in the translations."""

    DISABLED = "disabled"
    NOT_ASKED_FOR = "not_asked_for"
    EXCLUDED = "excluded"
    NOT_LOCAL = "not_local"
    NO_CHAT = "no_chat"
    NO_VISION = "no_vision"
    NO_TOOLS = "no_tools"
    NO_STRUCTURE = "no_structure"
    LACKS_CAPABILITY = "lacks_capability"
    CONTEXT_TOO_SMALL = "context_too_small"
    PRICE_UNKNOWN = "price_unknown"
    TOO_EXPENSIVE = "too_expensive"
    BENCHED = "benched"
    BREAKER_OPEN = "breaker_open"
    LIMITED = "limited"
    OVER_BUDGET = "over_budget"
    LEDGER_DOWN = "ledger_down"


class Estimate(NamedTuple):
    """What an attempt is expected to take: tokens in, tokens out at the most, and the price of both."""

    input_tokens: int
    output_tokens: int
    cost: Picodollars | None

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens


class Candidate(NamedTuple):
    """A target in its place in the plan. `hold` is what is reserved for it."""

    target: Target
    estimate: Estimate
    hold: Picodollars
    reason: str


class LeftOut(NamedTuple):
    """A target that is not in the plan, and why; `free_at` (wall clock) where time alone mends it."""

    target: Target
    why: Why
    free_at: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered targets for a request, and those left out."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    strategy: str
    rule: str | None = None
    confidence: float = 1.0


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


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What the attempt used so far; the last one counts."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The terminator: an answer without it is cut, never complete."""

    reason: Finish


type Event = Opened | TextDelta | ThinkingDelta | ToolCallDone | UsageTotal | Finished


# --- limits, budgets, tickets --------------------------------------------------------------------


class Unit(StrEnum):
    """What a bucket counts."""

    MONEY = "money"
    REQUESTS = "requests"
    TOKENS = "tokens"
    SLOTS = "slots"


class Window(StrEnum):
    """Over which time a bucket counts. `NOW` counts what is under way, `BURST` what comes at once."""

    NOW = "now"
    BURST = "burst"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class Scope(StrEnum):
    """Whose limit or budget it is."""

    ROUTER = "router"
    PROVIDER = "provider"
    TARGET = "target"
    POOL = "pool"
    USER = "user"
    LABEL = "label"


class BucketKey(NamedTuple):
    """The name of one limit or budget; `id` is empty for the router."""

    scope: Scope
    id: str
    window: Window
    unit: Unit


class Claim(NamedTuple):
    """What an attempt on a target would take from every bucket. `hold` is its money."""

    target: Target
    takes: Mapping[BucketKey, int]
    hold: Picodollars
    probe: bool = False


class TicketState(Enum):
    """Where a ticket is in its life."""

    HELD = auto()
    SENT = auto()
    SETTLED = auto()


@dataclass(slots=True, eq=False)
class Ticket:
    """The proof that a claim was granted. Settled exactly once, in the windows it was granted in.

    `day` is the household's date (YYYY-MM-DD) at the start; `started` and `expires` are wall-clock seconds.
    """

    attempt_id: str
    target: Target
    takes: Mapping[BucketKey, int]
    hold: Picodollars
    window_ids: Mapping[BucketKey, str]
    day: str
    started: float
    expires: float
    probe: bool = False
    state: TicketState = TicketState.HELD


class Granted(NamedTuple):
    """The claim at this place in the list fits everywhere."""

    place: int
    ticket: Ticket


class Refused(NamedTuple):
    """No claim fits; `bucket` is the one that frees first, at `free_at` (wall clock; None: never by itself)."""

    bucket: BucketKey | None
    free_at: float | None


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


class Degraded(StrEnum):
    """What a reply is that is not an answer to the request: an old one, or the caller's own text."""

    STALE = "stale"
    DEFAULT = "default"


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
