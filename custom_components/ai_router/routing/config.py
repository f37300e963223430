"""What the household has set, as the core sees it: plain values, compared to find what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from .breaker import DEFAULT_BREAKER, BreakerSettings
from .budgets import AtCap, Budget
from .cache import DEFAULT_CACHE, CacheSettings
from .model import DEFAULT_TIMEOUTS, Bounds, Model, Timeouts
from .money import Picodollars
from .ports import Provider

DEFAULT_MAX_OUTPUT = 1_000
DEFAULT_REASONING_OUTPUT = 4_000
DEFAULT_BOUNDS = Bounds(timeout=120.0)
DEFAULT_ATTEMPTS = 3
EACH_USER = "*"


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider. `client` speaks its protocol; `credential` changes whenever the credential does.

    `priority`: the larger number goes first. Limits of None do not exist. `burst` is how many of a minute's requests
    may come at once; the others are spread over the minute.
    """

    id: str
    name: str
    kind: str
    client: Provider = field(repr=False, compare=False)
    models: tuple[Model, ...]
    enabled: bool = True
    priority: int = 0
    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    burst: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    budgets: tuple[Budget, ...] = ()
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    credential: str = ""


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """The router's own settings and all providers, in the household's order.

    `unknown_price_hold` is reserved for a call whose price is not known; None refuses such calls. Budgets of users are
    keyed by user id, `EACH_USER` is everybody's own where nothing else is set. `alert_at` is the share of a budget at
    which it warns. Holds far from a limit are what the task usually needs, unless `worst_case` is set. At most `queue_size` requests wait for a limit,
    and only if it frees within `longest_wait` seconds; for a free slot they wait as long as their time allows.
    """

    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    strategy: str = "priority"
    failover: bool = True
    local_only: bool = False
    budgets: tuple[Budget, ...] = ()
    user_budgets: Mapping[str, tuple[Budget, ...]] = field(default_factory=dict)
    label_budgets: Mapping[str, tuple[Budget, ...]] = field(default_factory=dict)
    alert_at: float = 0.8
    at_cap: AtCap = AtCap.FREE
    worst_case: bool = False
    queue_size: int = 100
    longest_wait: float = 5.0
    bounds: Bounds = DEFAULT_BOUNDS
    attempts: int = DEFAULT_ATTEMPTS
    max_output: int = DEFAULT_MAX_OUTPUT
    reasoning_output: int = DEFAULT_REASONING_OUTPUT
    unknown_price_hold: Picodollars | None = 50_000_000_000
    breaker: BreakerSettings = DEFAULT_BREAKER
    cache: CacheSettings = DEFAULT_CACHE
    zone: tzinfo = UTC
    week_start: int = 0
