"""All targets of the present configuration, each with what an attempt on it needs at hand.

A request keeps the lanes it was planned with, so a change of configuration never disturbs it. What must outlive a
change (breakers, counters) is kept elsewhere under the target's key.
"""

from collections.abc import Iterator, Mapping

from .budgets import Budget
from .config import EACH_USER, Member, PoolConfig, ProviderConfig, RouterConfig, WaitingProvider
from .model import Capability, Model, Target
from .request import Caller
from .tickets import BucketKey, Scope, Unit, Window

# Stands for the models of a provider that waits because they cannot be read.
_UNREAD = Model("")


def requests_key(provider_id: str, window: Window = Window.MINUTE) -> BucketKey:
    """Name the bucket of a provider's requests in a minute, an hour, or at once."""
    return BucketKey(Scope.PROVIDER, provider_id, window, Unit.REQUESTS)


def tokens_key(provider_id: str) -> BucketKey:
    """Name the bucket of a provider's tokens per minute."""
    return BucketKey(Scope.PROVIDER, provider_id, Window.MINUTE, Unit.TOKENS)


def slots_key(provider_id: str) -> BucketKey:
    """Name the bucket of a provider's requests under way."""
    return BucketKey(Scope.PROVIDER, provider_id, Window.NOW, Unit.SLOTS)


def _money(scope: Scope, owner: str, budgets: tuple[Budget, ...]) -> tuple[BucketKey, ...]:
    windows = dict.fromkeys((Window.DAY, Window.MONTH, Window.TOTAL, *(budget.window for budget in budgets)))
    return tuple(BucketKey(scope, owner, window, Unit.MONEY) for window in windows)


def target_id(target: Target) -> str:
    """Name a target in the keys of its buckets."""
    return f"{target.provider_id}/{target.model_id}"


def target_of(key: BucketKey) -> Target:
    """Return the target in the key of one of its buckets."""
    return Target(*key.id.split("/", 1))


def told_key(target: Target, unit: Unit) -> BucketKey:
    """Name what a provider itself tells of one of its limits; such limits are those of a model."""
    return BucketKey(Scope.TARGET, target_id(target), Window.TOLD, unit)


def pause_key(provider_id: str, model_id: str | None) -> BucketKey:
    """Name the pause that a provider asked for, for all its models or for one."""
    if model_id is None:
        return BucketKey(Scope.PROVIDER, provider_id, Window.NOW, Unit.REQUESTS)
    return BucketKey(Scope.TARGET, target_id(Target(provider_id, model_id)), Window.NOW, Unit.REQUESTS)


def provider_money(provider: ProviderConfig) -> tuple[BucketKey, ...]:
    """Name a provider's money buckets: day, month and total always, the week where it is budgeted."""
    return _money(Scope.PROVIDER, provider.id, provider.budgets)


def pool_money(pool: PoolConfig) -> tuple[BucketKey, ...]:
    """Name a pool's money buckets: day, month and total always, the week where it is budgeted."""
    return _money(Scope.POOL, pool.id, pool.budgets)


def router_money(config: RouterConfig) -> tuple[BucketKey, ...]:
    """Name the router's money buckets: day, month and total always, the week where it is budgeted."""
    return _money(Scope.ROUTER, "", config.budgets)


def request_money(config: RouterConfig, caller: Caller, label: str | None) -> tuple[BucketKey, ...]:
    """Name the money buckets of who asks and of what it is asked for, where there are budgets on them."""
    keys: list[BucketKey] = []
    if config.user_budgets and caller.user_id is not None:
        budgets = user_budgets(config, caller.user_id)
        keys += (BucketKey(Scope.USER, caller.user_id, budget.window, Unit.MONEY) for budget in budgets)
    if config.label_budgets and label is not None:
        budgets = config.label_budgets.get(label, ())
        keys += (BucketKey(Scope.LABEL, label, budget.window, Unit.MONEY) for budget in budgets)
    return tuple(keys)


def user_budgets(config: RouterConfig, user_id: str) -> tuple[Budget, ...]:
    """Return a user's own budgets, or those of everybody."""
    return config.user_budgets.get(user_id, config.user_budgets.get(EACH_USER, ()))


class Lane:
    """One target with its settings and the names of the buckets it draws from.

    A lane of a pool is charged to the pool and has the member's `weight`; any other has the provider's.
    """

    __slots__ = (
        "budgeted",
        "member",
        "model",
        "money",
        "name",
        "pool",
        "provider",
        "reasons",
        "target",
        "tokens",
        "unpaid",
        "weight",
    )

    def __init__(
        self,
        config: RouterConfig,
        provider: ProviderConfig,
        model: Model,
        pool: PoolConfig | None = None,
        member: Member | None = None,
    ) -> None:
        """Name the buckets once, not per request."""
        self.target = Target(provider.id, model.id)
        self.provider = provider
        self.model = model
        self.name = f"{provider.name} / {model.id}"
        self.pool = None if pool is None else pool.id
        self.member = member
        self.reasons = Capability.REASONING in model.caps
        self.weight = provider.weight if member is None else member.weight
        budgets = {Scope.PROVIDER: provider.budgets, Scope.ROUTER: config.budgets}
        self.money = (*provider_money(provider), *router_money(config))
        if pool is not None:
            # First, so that a pool that is used up is known as such, whatever else is.
            self.money = (*pool_money(pool), *self.money)
            budgets[Scope.POOL] = pool.budgets
        self.budgeted = tuple(
            key for key in self.money for budget in budgets[key.scope] if budget.window is key.window and budget.hard
        )
        self.unpaid = {requests_key(provider.id): 1, slots_key(provider.id): 1}
        if provider.requests_per_hour is not None:
            self.unpaid[requests_key(provider.id, Window.HOUR)] = 1
        if provider.burst is not None and provider.requests_per_minute is not None:
            self.unpaid[requests_key(provider.id, Window.BURST)] = 1
        self.tokens = None if provider.tokens_per_minute is None else tokens_key(provider.id)


class Fleet:
    """The targets of one configuration, highest priority first, then in the household's order.

    Those of a `pool` come in the same way, its members in the order of the pool. `named_users` are all to whom a
    provider is kept, `waiting` the targets of providers that wait.
    """

    def __init__(self, config: RouterConfig) -> None:
        """Lay out the lanes."""
        self.config = config
        self.lanes = tuple(
            Lane(config, provider, model)
            for provider in sorted(config.providers.values(), key=lambda provider: -provider.priority)
            for model in provider.models
        )
        self._by_target = {lane.target: lane for lane in self.lanes}
        self.pools: Mapping[str, tuple[Lane, ...]] = {
            pool.id: tuple(_pool_lanes(config, pool)) for pool in config.pools.values()
        }
        known: list[ProviderConfig | WaitingProvider] = [*config.providers.values(), *config.waiting.values()]
        self.named_users = frozenset(user for provider in known for user in provider.users or ())
        self.waiting = tuple(
            (provider, model, Target(provider.id, model.id))
            for provider in config.waiting.values()
            for model in provider.models or (_UNREAD,)
        )

    def __iter__(self) -> Iterator[Lane]:
        """Iterate over the lanes in order."""
        return iter(self.lanes)

    @property
    def bare(self) -> bool:
        """Whether the household has no provider at all."""
        return not self.config.providers and not self.config.waiting

    def get(self, target: Target) -> Lane | None:
        """Return a target's lane, if it still exists."""
        return self._by_target.get(target)


def _pool_lanes(config: RouterConfig, pool: PoolConfig) -> list[Lane]:
    """Lay out a pool. A target is there once; a member that names its model goes before one that means them all."""
    named = {Target(member.provider_id, member.model_id): member for member in pool.members if member.model_id}
    lanes: dict[Target, Lane] = {}
    for member in pool.members:
        provider = config.providers.get(member.provider_id)
        if provider is None:
            continue
        for model in provider.models:
            target = Target(provider.id, model.id)
            if member.model_id in (None, model.id) and named.get(target, member) is member and target not in lanes:
                lanes[target] = Lane(config, provider, model, pool, member)
    return sorted(lanes.values(), key=lambda lane: -lane.provider.priority)
