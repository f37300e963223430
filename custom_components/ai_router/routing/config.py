"""What the household has set, as the core sees it: plain values, compared to find what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from .breaker import DEFAULT_BREAKER, BreakerSettings
from .budgets import Budget
from .model import DEFAULT_TIMEOUTS, Bounds, Model, Timeouts
from .money import Picodollars
from .ports import Provider

DEFAULT_MAX_OUTPUT = 1_000
DEFAULT_REASONING_OUTPUT = 4_000
DEFAULT_BOUNDS = Bounds(timeout=120.0)
DEFAULT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider. `client` speaks its protocol; `credential` changes whenever the credential does.

    `priority`: the larger number goes first. Limits of None do not exist.
    """

    id: str
    name: str
    kind: str
    client: Provider = field(repr=False, compare=False)
    models: tuple[Model, ...]
    enabled: bool = True
    priority: int = 0
    requests_per_minute: int | None = None
    concurrent: int | None = None
    budgets: tuple[Budget, ...] = ()
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    credential: str = ""


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """The router's own settings and all providers, in the household's order.

    `unknown_price_hold` is reserved for a call whose price is not known; None refuses such calls.
    """

    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    strategy: str = "priority"
    failover: bool = True
    local_only: bool = False
    budgets: tuple[Budget, ...] = ()
    bounds: Bounds = DEFAULT_BOUNDS
    attempts: int = DEFAULT_ATTEMPTS
    max_output: int = DEFAULT_MAX_OUTPUT
    reasoning_output: int = DEFAULT_REASONING_OUTPUT
    unknown_price_hold: Picodollars | None = 50_000_000_000
    breaker: BreakerSettings = DEFAULT_BREAKER
    zone: tzinfo = UTC
    week_start: int = 0
