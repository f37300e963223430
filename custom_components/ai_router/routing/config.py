"""What the household has set, as the core sees it: plain values, compared to find what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, time, tzinfo
from typing import NamedTuple, Self

from .breaker import DEFAULT_BREAKER, BreakerSettings
from .budgets import AtCap, Budget
from .cache import DEFAULT_CACHE, CacheSettings
from .call import DEFAULT_TIMEOUTS, Timeouts
from .health import DEFAULT_HEALTH, HealthSettings
from .model import Capability, Model, Op, Target
from .money import Picodollars
from .plans import Why
from .ports import Provider
from .request import NO_BOUNDS, Bounds
from .retries import DEFAULT_BACKOFF, DEFAULT_RETRIES, Backoff, RetrySettings
from .sight import LeastTokens, PictureTokens

DEFAULT_MAX_OUTPUT = 1_000
DEFAULT_REASONING_OUTPUT = 4_000
DEFAULT_BOUNDS = Bounds(timeout=120.0)
DEFAULT_ATTEMPTS = 3
EACH_USER = "*"


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider. `client` speaks its protocol; `credential` changes whenever the credential does.

    `priority`: the larger number goes first; `weight` is its share where a strategy goes by shares, 0 is none. Limits
    of None do not exist. `burst` is how many of a minute's requests may come at once; the others are spread over the
    minute. Of one request it gets at most so many `attempts`, over all its models (None: as many as the router allows);
    `backoff` is the wait between two on one model (None: the router's). `users` are the ids of those who may use it, None is everybody; the house itself always may.
    """

    id: str
    name: str
    kind: str
    client: Provider = field(repr=False, compare=False)
    models: tuple[Model, ...]
    enabled: bool = True
    priority: int = 0
    weight: float = 1.0
    users: frozenset[str] | None = None
    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    burst: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    budgets: tuple[Budget, ...] = ()
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    attempts: int | None = None
    backoff: Backoff | None = None
    credential: str = ""
    least_picture: LeastTokens | None = field(default=None, repr=False)
    picture_tokens: PictureTokens | None = field(default=None, repr=False)

    def changed_models(self, before: Self) -> frozenset[str]:
        """Return the ids of the models that are not what they were, apart from what they cost, or are gone or new."""
        now, then = ({replace(model, prices=None) for model in each.models} for each in (self, before))
        return frozenset(model.id for model in now ^ then)


class WaitingProvider(NamedTuple):
    """A provider without a client: `why` is what it waits for. The rest is as in `ProviderConfig`."""

    id: str
    name: str
    models: tuple[Model, ...]
    why: Why
    enabled: bool = True
    users: frozenset[str] | None = None


class Member(NamedTuple):
    """One provider of a pool, with one of its models or (`model_id` None) all of them, and its share of the traffic."""

    provider_id: str
    model_id: str | None = None
    weight: float = 1.0


class PoolConfig(NamedTuple):
    """A named set of targets with its own strategy (None is the router's).

    `fallback` is the pool that is asked when this one cannot answer. `bounds` and `local_only` tighten what the
    router allows, in the fallback pool too. `at_cap` is the cheaper pool that takes over when a hard budget of this one
    is used up; where it is None, the fallback pool goes on with what the router's `at_cap` still lets go on.
    """

    id: str
    name: str
    members: tuple[Member, ...]
    strategy: str | None = None
    fallback: str | None = None
    at_cap: str | None = None
    local_only: bool = False
    bounds: Bounds = NO_BOUNDS
    budgets: tuple[Budget, ...] = ()

    def has(self, target: Target) -> bool:
        """Say whether a target is a member, by itself or as one of a provider's."""
        provider_id, model_id = target
        return any(each.provider_id == provider_id and each.model_id in (None, model_id) for each in self.members)


class Conditions(NamedTuple):
    """Which requests a rule is about: every condition that is set must hold; an empty one asks nothing.

    `entities` are the cameras and entities that a request shows, `sources` who carries it (action, ai_task,
    conversation), `tokens_from` and `tokens_to` the estimated size of the prompt, `needs` what it must be able to use.
    `areas` are those of the device that asks and of what the request shows. `tokens_from` and `after` belong to their
    span, `tokens_to` and `before` do not. `after` and `before` are times of day in the household's zone; a span may go
    over midnight.
    """

    ops: frozenset[Op] = frozenset()
    needs: Capability = Capability.NONE
    entities: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    automations: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    tokens_from: int | None = None
    tokens_to: int | None = None
    after: time | None = None
    before: time | None = None


class RuleConfig(NamedTuple):
    """Requests like this go there. A rule points (`pool`, `providers`) and tightens, it never loosens.

    `priority`: of the rules that match, the one with the larger number decides where; all of them tighten. `when` is
    None where what was set cannot be read: such a rule is about every request.
    """

    id: str
    name: str
    when: Conditions | None
    priority: int = 0
    enabled: bool = True
    pool: str | None = None
    providers: tuple[str, ...] = ()
    local_only: bool = False
    bounds: Bounds = NO_BOUNDS


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """The router's own settings and all providers, in the household's order.

    `waiting` are those that cannot be asked at all until something is mended.
    `unknown_price_hold` is reserved for a call whose price is not known; None refuses such calls. Budgets of users are
    keyed by user id, `EACH_USER` is everybody's own where nothing else is set. `alert_at` is the share of a budget at
    which it warns. Holds far from a limit are what the task usually needs, unless `worst_case` is set. At most `queue_size` requests wait for a limit,
    and only if it frees within `longest_wait` seconds; for a free slot they wait as long as their time allows. `users` are
    the ids of those who may ask at all, None is everybody, and `automations` those of which may, None is each; the house
    itself, where neither a user nor an automation asks, always may. A target that failed is tried
    again while a request has had fewer than so many `attempts` in all, after `backoff`, and as far as `retries` allow.
    Providers are checked for free about every `health_interval` seconds; None: only when somebody asks for it.
    """

    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    waiting: Mapping[str, WaitingProvider] = field(default_factory=dict)
    pools: Mapping[str, PoolConfig] = field(default_factory=dict)
    rules: tuple[RuleConfig, ...] = ()
    users: frozenset[str] | None = None
    automations: frozenset[str] | None = None
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
    backoff: Backoff = DEFAULT_BACKOFF
    retries: RetrySettings = DEFAULT_RETRIES
    max_output: int = DEFAULT_MAX_OUTPUT
    reasoning_output: int = DEFAULT_REASONING_OUTPUT
    unknown_price_hold: Picodollars | None = 50_000_000_000
    breaker: BreakerSettings = DEFAULT_BREAKER
    health: HealthSettings = DEFAULT_HEALTH
    health_interval: float | None = None
    cache: CacheSettings = DEFAULT_CACHE
    zone: tzinfo = UTC
    week_start: int = 0
