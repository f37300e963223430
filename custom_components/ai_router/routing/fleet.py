"""All targets of the present configuration, each with what an attempt on it needs at hand.

A request keeps the lanes it was planned with, so a change of configuration never disturbs it. What must outlive a
change (breakers, counters) is kept elsewhere under the target's key.
"""

from collections.abc import Iterator

from .budgets import Budget
from .config import EACH_USER, ProviderConfig, RouterConfig
from .model import Caller, Model, Target
from .tickets import BucketKey, Scope, Unit, Window


def requests_key(provider_id: str, window: Window = Window.MINUTE) -> BucketKey:
    """Name the bucket of a provider's requests in a minute, an hour, or at once."""
    return BucketKey(Scope.PROVIDER, provider_id, window, Unit.REQUESTS)


def tokens_key(provider_id: str) -> BucketKey:
    """Name the bucket of a provider's tokens per minute."""
    return BucketKey(Scope.PROVIDER, provider_id, Window.MINUTE, Unit.TOKENS)


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
    """One target with its settings and the names of the buckets it draws from."""

    __slots__ = ("budgeted", "model", "money", "name", "provider", "target", "tokens", "unpaid")

    def __init__(
        self, config: RouterConfig, provider: ProviderConfig, model: Model, money: tuple[BucketKey, ...]
    ) -> None:
        """Name the buckets once, not per request."""
        self.target = Target(provider.id, model.id)
        self.provider = provider
        self.model = model
        self.name = f"{provider.name} / {model.id}"
        self.money = money
        self.budgeted = tuple(
            key
            for key in money
            for budget in (config.budgets if key.scope is Scope.ROUTER else provider.budgets)
            if budget.window is key.window and budget.hard
        )
        self.unpaid = {requests_key(provider.id): 1, slots_key(provider.id): 1}
        if provider.requests_per_hour is not None:
            self.unpaid[requests_key(provider.id, Window.HOUR)] = 1
        if provider.burst is not None and provider.requests_per_minute is not None:
            self.unpaid[requests_key(provider.id, Window.BURST)] = 1
        self.tokens = None if provider.tokens_per_minute is None else tokens_key(provider.id)


class Fleet:
    """The targets of one configuration, highest priority first, then in the household's order."""

    def __init__(self, config: RouterConfig) -> None:
        """Lay out the lanes."""
        self.config = config
        shared = router_money(config)
        self.lanes = tuple(
            Lane(config, provider, model, (*provider_money(provider), *shared))
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
