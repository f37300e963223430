"""Claims and tickets: what an attempt would take from every limit and budget, and the proof that it was granted."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from math import inf
from typing import NamedTuple

from .model import Target
from .money import Picodollars


class Unit(StrEnum):
    """What a bucket counts."""

    MONEY = "money"
    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    SLOTS = "slots"


class Window(StrEnum):
    """Over which time a bucket counts.

    `NOW` counts what is under way, `BURST` what comes at once. `TOLD` is a window of the provider's own.
    """

    NOW = "now"
    TOLD = "told"
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
    """The name of one limit or budget; `id` is empty for the router, that of a target is made by `target_id`."""

    scope: Scope
    id: str
    window: Window
    unit: Unit


class Claim(NamedTuple):
    """What an attempt on a target would take from every bucket.

    `hold` is its money, `lease` the longest it may take (seconds), `tokens` the most it is expected to use, in and out.
    """

    target: Target
    takes: Mapping[BucketKey, int]
    hold: Picodollars
    probe: bool = False
    lease: float = inf
    tokens: int = 0


class Load(NamedTuple):
    """How many attempts are under way: on a target, and on all of its provider. The less loaded sorts first."""

    target: int
    provider: int


class TicketState(Enum):
    """Where a ticket is in its life."""

    HELD = auto()
    SENT = auto()
    SETTLED = auto()


@dataclass(slots=True, eq=False)
class Ticket:
    """The proof that a claim was granted. Settled exactly once, in the windows it was granted in.

    `day` is the household's date (YYYY-MM-DD) at the start; `started` is wall-clock seconds. After a `lease` of so many
    seconds the attempt is over and what it holds is free again, whoever was to read on. `heard`: the provider has begun
    to answer, so what it tells of its limits has this attempt in it. `outdated`: what it was sent to is gone or set up
    anew meanwhile, so its end says nothing about what is there now. `tokens` are those of its claim, `place` where the
    provider's log of tokens has them.
    """

    attempt_id: str
    target: Target
    takes: Mapping[BucketKey, int]
    hold: Picodollars
    window_ids: Mapping[BucketKey, str]
    day: str
    started: float
    lease: float
    probe: bool = False
    tokens: int = 0
    place: int = 0
    state: TicketState = TicketState.HELD
    heard: bool = False
    outdated: bool = False


class Granted(NamedTuple):
    """The claim at this place in the list fits everywhere."""

    place: int
    ticket: Ticket


class Refused(NamedTuple):
    """No claim fits; `bucket` is the one that frees first, at `free_at` (wall clock; None: never by itself)."""

    bucket: BucketKey | None
    free_at: float | None
