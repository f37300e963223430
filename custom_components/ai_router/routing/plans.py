"""The plan of a request: the ordered targets with the reasons for each place, and those left out."""

from enum import StrEnum
from typing import NamedTuple

from .failures import FailureClass
from .model import Target
from .money import Picodollars
from .tickets import BucketKey


class Why(StrEnum):
    """Why a target was left out of a plan; each has a sentence in the translations."""

    DISABLED = "disabled"
    NOT_ALLOWED = "not_allowed"
    NOT_IN_POOL = "not_in_pool"
    RULED_OUT = "ruled_out"
    NOT_ASKED_FOR = "not_asked_for"
    NOT_NAMED = "not_named"
    NO_SHARE = "no_share"
    UNKNOWN_STRATEGY = "unknown_strategy"
    EXCLUDED = "excluded"
    NOT_LOCAL = "not_local"
    NO_CHAT = "no_chat"
    NO_VISION = "no_vision"
    NO_TOOLS = "no_tools"
    NO_STRUCTURE = "no_structure"
    NO_EMBEDDINGS = "no_embeddings"
    NO_STREAMING = "no_streaming"
    LACKS_CAPABILITY = "lacks_capability"
    CONTEXT_TOO_SMALL = "context_too_small"
    PRICE_UNKNOWN = "price_unknown"
    TOO_EXPENSIVE = "too_expensive"
    TOO_SLOW = "too_slow"
    BENCHED = "benched"
    BREAKER_OPEN = "breaker_open"
    LIMITED = "limited"
    OVER_BUDGET = "over_budget"
    LEDGER_DOWN = "ledger_down"
    KIND_UNKNOWN = "kind_unknown"
    UNUSABLE = "unusable"


# The request itself did not mean these targets: nothing about them has to be mended.
NOT_MEANT = frozenset({Why.EXCLUDED, Why.NOT_ASKED_FOR, Why.NOT_IN_POOL})


class Because(StrEnum):
    """Why a target stands where it stands; each has a text in the translations."""

    PRIORITY = "priority"
    HOUSEHOLD_ORDER = "household_order"
    CHANCE = "chance"
    NAMED = "named"
    TURN = "turn"
    NEXT_TURN = "next_turn"
    SHARE = "share"
    LOAD = "load"
    PACE = "pace"
    PACE_UNKNOWN = "pace_unknown"
    PRICE = "price"
    FREE = "free"
    PRICE_UNKNOWN = "price_unknown"
    EXPERIENCE = "experience"
    SUCCESS = "success"
    NO_EXPERIENCE = "no_experience"
    EXPLORED = "explored"
    ARM_DRAWN = "arm_drawn"
    ARM_STANDS_IN = "arm_stands_in"
    ANSWERED_BEFORE = "answered_before"
    PROBING = "probing"
    WAITS_FOR_LIMIT = "waits_for_limit"
    STRATEGY_GONE = "strategy_gone"


class Reason(NamedTuple):
    """One of them with its figures: a `share` of 1, `seconds`, a `price` in picodollars, or a `number`."""

    because: Because
    number: int | None = None
    share: float | None = None
    seconds: float | None = None
    price: Picodollars | None = None


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
    """A target in its place in the plan. `hold` is what is reserved for it.

    The first of the reasons is its strategy's; that of a plug-in may be words, which nobody translates.
    """

    target: Target
    estimate: Estimate
    hold: Picodollars
    reasons: tuple[Reason | str, ...] = ()


class LeftOut(NamedTuple):
    """A target that is not in the plan, and why.

    `free_at` (wall clock) where time alone mends it; `bucket` is the budget or limit that is used up, where one is.
    `cls` is for what failure it is set aside, where it is.
    """

    target: Target
    why: Why
    free_at: float | None = None
    bucket: BucketKey | None = None
    cls: FailureClass | None = None


class Plan(NamedTuple):
    """The ordered targets for a request, and those left out.

    `pool` is the id of the pool that the request goes to first, None is all providers.
    `rule` is the id of the rule that decided where, or else of the first one that tightened. `confidence` (0 to 1) is
    how likely the first target answers.
    """

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    strategy: str
    rule: str | None = None
    confidence: float = 1.0
    pool: str | None = None

    @property
    def causes(self) -> tuple[LeftOut, ...]:
        """Those left out that the request meant: what stands in its way."""
        return tuple(each for each in self.left_out if each.why not in NOT_MEANT)
