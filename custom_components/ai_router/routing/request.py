"""What is asked, by whom, within which bounds and where it may go: immutable.

Times are seconds, money is integer picodollars (10**-12 USD), sizes are tokens.
"""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from .model import NO_SAMPLING, Capability, Message, Op, Sampling, Structure, Target, Tool
from .money import Picodollars


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
            tighter(self.timeout, other.timeout),
            tighter(self.first_token, other.first_token),
            tighter(self.attempts, other.attempts),
            tighter(self.max_cost, other.max_cost),
            tighter(self.max_output, other.max_output),
            tighter(self.max_latency, other.max_latency),
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


class Degraded(StrEnum):
    """What a reply is that is not an answer to the request: an old one, or the caller's own text."""

    STALE = "stale"
    DEFAULT = "default"
