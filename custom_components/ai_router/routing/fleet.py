"""All targets of the present configuration, each with what an attempt on it needs at hand.

A request keeps the lanes it was planned with, so a change of configuration never disturbs it. What must outlive a
change (breakers, counters) is kept elsewhere under the target's key.
"""

from collections.abc import Iterator

from .config import ProviderConfig, RouterConfig
from .model import BucketKey, Model, Scope, Target, Unit, Window


def requests_key(provider_id: str) -> BucketKey:
    """Name the bucket of a provider's requests per minute."""
    return BucketKey(Scope.PROVIDER, provider_id, Window.MINUTE, Unit.REQUESTS)


def slots_key(provider_id: str) -> BucketKey:
    """Name the bucket of a provider's requests under way."""
    return BucketKey(Scope.PROVIDER, provider_id, Window.NOW, Unit.SLOTS)


def provider_money(provider: ProviderConfig) -> tuple[BucketKey, ...]:
    """Name a provider's money buckets: day and month always, other windows where budgeted."""
    windows = dict.fromkeys((Window.DAY, Window.MONTH, *(budget.window for budget in provider.budgets)))
    return tuple(BucketKey(Scope.PROVIDER, provider.id, window, Unit.MONEY) for window in windows)


def router_money(config: RouterConfig) -> tuple[BucketKey, ...]:
    """Name the router's money buckets: day and month always, other windows where budgeted."""
    windows = dict.fromkeys((Window.DAY, Window.MONTH, *(budget.window for budget in config.budgets)))
    return tuple(BucketKey(Scope.ROUTER, "", window, Unit.MONEY) for window in windows)


class Lane:
    """One target with its settings and the names of the buckets it draws from."""

    __slots__ = ("model", "money", "name", "provider", "target", "unpaid")

    def __init__(self, provider: ProviderConfig, model: Model, money: tuple[BucketKey, ...]) -> None:
        """Name the buckets once, not per request."""
        self.target = Target(provider.id, model.id)
        self.provider = provider
        self.model = model
        self.name = f"{provider.name} / {model.id}"
        self.money = money
        self.unpaid = {requests_key(provider.id): 1, slots_key(provider.id): 1}


class Fleet:
    """The targets of one configuration, highest priority first, then in the household's order."""

    def __init__(self, config: RouterConfig) -> None:
        """Lay out the lanes."""
        self.config = config
        shared = router_money(config)
        self.lanes = tuple(
            Lane(provider, model, (*provider_money(provider), *shared))
            for provider in sorted(config.providers.values(), key=lambda provider: -provider.priority)
            for model in provider.models
        )
        self._by_target = {lane.target: lane for lane in self.lanes}

    def __iter__(self) -> Iterator[Lane]:
        """Iterate over the lanes in order."""
        return iter(self.lanes)

    def get(self, target: Target) -> Lane | None:
        """Return a target's lane, if it still exists."""
        return self._by_target.get(target)
