"""From what is stored in the config entry to the core's configuration.

Money is stored as decimal text in USD, so that nothing is lost on the way through JSON.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.util import dt as dt_util

from .const import SUBENTRY_POOL, SUBENTRY_PROVIDER, SUBENTRY_RULE, WEEKDAYS, Conf
from .credentials import from_environment
from .providers.price_table import PriceTable
from .routing.breaker import DEFAULT_BREAKER, BreakerSettings
from .routing.budgets import AtCap, Budget
from .routing.cache import DEFAULT_CACHE, CacheSettings, CacheUse
from .routing.call import DEFAULT_TIMEOUTS, Timeouts
from .routing.config import (
    DEFAULT_ATTEMPTS,
    DEFAULT_BOUNDS,
    DEFAULT_MAX_OUTPUT,
    DEFAULT_REASONING_OUTPUT,
    Member,
    PoolConfig,
    ProviderConfig,
    RouterConfig,
    RuleConfig,
)
from .routing.health import DEFAULT_HEALTH, HealthSettings
from .routing.model import Model
from .routing.money import to_picodollars
from .routing.ports import Provider
from .routing.request import Bounds
from .routing.retries import DEFAULT_BACKOFF, Backoff
from .stored_conditions import conditions_from_stored
from .stored_models import model_from_stored
from .stored_settings import BUDGET_WINDOWS, SHARE_WINDOWS, Settings, read_options, read_subentry

DEFAULT_UNKNOWN_PRICE_HOLD = "0.05"
DEFAULT_HEALTH_INTERVAL = 300.0
DEFAULT_ALERT_AT = 80
DEFAULT_RETENTION_DAYS = 400
DEFAULT_CACHE_DISK = 64
MEGABYTE = 1024 * 1024


class StoredSubentry(NamedTuple):
    """A provider, a pool or a rule, and its settings as they were read."""

    subentry: ConfigSubentry
    settings: Settings


class Stored(NamedTuple):
    """The entry as it was read: the router's options, and providers, pools and rules in the household's order."""

    options: Settings
    subentries: tuple[StoredSubentry, ...]

    @classmethod
    def of(cls, entry: ConfigEntry[Any]) -> Self:
        """Read what is stored now."""
        return cls(
            read_options(entry.options),
            tuple(
                StoredSubentry(each, read_subentry(each.subentry_type, each.data))
                for each in entry.subentries.values()
                if each.subentry_type in (SUBENTRY_PROVIDER, SUBENTRY_POOL, SUBENTRY_RULE)
            ),
        )

    def of_type(self, subentry_type: str) -> Iterator[StoredSubentry]:
        """Return all providers, pools or rules."""
        return (each for each in self.subentries if each.subentry.subentry_type == subentry_type)

    def unreadable(self) -> dict[str, tuple[str, ...]]:
        """Return which settings cannot be read, by the subentry's id; '' are the router's options."""
        found = {"": self.options, **{each.subentry.subentry_id: each.settings for each in self.subentries}}
        return {about: settings.unreadable for about, settings in found.items() if settings.unreadable}


def provider_models(data: Mapping[str, Any], table: PriceTable) -> tuple[Model, ...]:
    """Read a provider's models as they are used."""
    vendor = table.vendor(data[Conf.KIND], data.get(Conf.URL))
    return tuple(model_from_stored(model, table, vendor) for model in data[Conf.MODELS])


def budgets(stored: Mapping[str, Any]) -> tuple[Budget, ...]:
    """Read the budgets of the router, a provider or a pool."""
    hard = not stored.get(Conf.BUDGET_ONLY_WARNS, False)
    return tuple(
        Budget(window, to_picodollars(stored[key]), hard)
        for key, window in BUDGET_WINDOWS.items()
        if stored.get(key) is not None
    )


def _shares(stored: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[Budget, ...]]:
    """Read the budgets of users or labels; they are always hard."""
    return {
        whose: tuple(Budget(SHARE_WINDOWS[window], to_picodollars(amount)) for window, amount in amounts.items())
        for whose, amounts in stored.items()
    }


def _bounds(stored: Mapping[str, Any]) -> Bounds:
    """Read what a request may take at most, as a pool or a rule says it."""
    max_cost = stored.get(Conf.MAX_COST)
    return Bounds(
        timeout=stored.get(Conf.TIMEOUT),
        max_cost=None if max_cost is None else to_picodollars(max_cost),
        max_output=stored.get(Conf.MAX_TOKENS),
    )


def credential_since(stored: Mapping[str, Any]) -> datetime | None:
    """Return when a provider's key was entered; None where there is none, or it is not known."""
    since = stored.get(Conf.CREDENTIAL_SINCE)
    if not stored.get(Conf.CREDENTIAL) or not isinstance(since, str):
        return None
    try:
        when = dt_util.parse_datetime(since)
        return None if when is None else dt_util.as_utc(when)
    except OverflowError, ValueError:
        return None


def fingerprint(data: Mapping[str, Any], *also: Conf) -> str:
    """Return a mark that changes whenever a provider must be spoken to in another way, or `also` one of these changes.

    A key in the environment is another one when its variable holds another one, after a restart.
    """
    parts = [data.get(key) for key in (Conf.KIND, Conf.URL, Conf.CREDENTIAL, Conf.SECRETS, Conf.OPTIONS, *also)]
    parts.append(from_environment(data.get(Conf.CREDENTIAL)))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def provider_config(
    subentry: ConfigSubentry, data: Mapping[str, Any], client: Provider, table: PriceTable, backoff: Backoff
) -> ProviderConfig:
    """Turn a provider's settings into its configuration; `backoff` is the router's, where it says nothing itself."""
    return ProviderConfig(
        id=subentry.subentry_id,
        name=subentry.title,
        kind=data[Conf.KIND],
        client=client,
        models=provider_models(data, table),
        enabled=data.get(Conf.ENABLED, True),
        priority=data.get(Conf.PRIORITY, 0),
        weight=data.get(Conf.WEIGHT, 1.0),
        users=None if (users := data.get(Conf.USERS)) is None else frozenset(users),
        requests_per_minute=data.get(Conf.REQUESTS_PER_MINUTE),
        requests_per_hour=data.get(Conf.REQUESTS_PER_HOUR),
        burst=data.get(Conf.BURST),
        tokens_per_minute=data.get(Conf.TOKENS_PER_MINUTE),
        concurrent=data.get(Conf.CONCURRENT),
        budgets=budgets(data),
        timeouts=Timeouts(
            connect=data.get(Conf.CONNECT_TIMEOUT, DEFAULT_TIMEOUTS.connect),
            first_token=data.get(Conf.FIRST_TOKEN_TIMEOUT, DEFAULT_TIMEOUTS.first_token),
            idle=data.get(Conf.IDLE_TIMEOUT, DEFAULT_TIMEOUTS.idle),
            total=data.get(Conf.TOTAL_TIMEOUT, DEFAULT_TIMEOUTS.total),
        ),
        attempts=data.get(Conf.ATTEMPTS),
        backoff=_backoff(data, backoff) if Conf.RETRY_BASE in data or Conf.RETRY_LONGEST in data else None,
        credential=fingerprint(data),
        least_picture=getattr(client, "least_picture", None),
        picture_tokens=getattr(client, "picture_tokens", None),
    )


def pool_config(subentry: ConfigSubentry, data: Mapping[str, Any]) -> PoolConfig:
    """Turn a pool's settings into its configuration. The core leaves out what it names and is not there any more."""
    return PoolConfig(
        id=subentry.subentry_id,
        name=subentry.title,
        members=tuple(
            Member(member["provider"], member.get("model"), member.get("weight", 1.0))
            for member in data.get(Conf.MEMBERS, ())
        ),
        strategy=data.get(Conf.STRATEGY),
        fallback=data.get(Conf.FALLBACK),
        at_cap=data.get(Conf.AT_CAP),
        local_only=data.get(Conf.LOCAL_ONLY, False),
        bounds=_bounds(data),
        budgets=budgets(data),
    )


def rule_config(subentry: ConfigSubentry, data: Mapping[str, Any]) -> RuleConfig:
    """Turn a rule's settings into its configuration. What it points to may be gone: then nothing goes through it."""
    return RuleConfig(
        id=subentry.subentry_id,
        name=subentry.title,
        when=conditions_from_stored(data.get(Conf.WHEN)),
        priority=data.get(Conf.PRIORITY, 0),
        enabled=data.get(Conf.ENABLED, True),
        pool=data.get(Conf.POOL),
        providers=tuple(data.get(Conf.PROVIDERS, ())),
        local_only=data.get(Conf.LOCAL_ONLY, False),
        bounds=_bounds(data),
    )


def _cache(options: Mapping[str, Any]) -> CacheSettings:
    minutes, megabytes = options.get(Conf.CACHE_MINUTES), options.get(Conf.CACHE_MEMORY)
    return CacheSettings(
        use=CacheUse(options.get(Conf.CACHE, DEFAULT_CACHE.use)),
        ttl=DEFAULT_CACHE.ttl if minutes is None else minutes * 60.0,
        max_bytes=DEFAULT_CACHE.max_bytes if megabytes is None else megabytes * MEGABYTE,
    )


def _breaker(options: Mapping[str, Any]) -> BreakerSettings:
    return BreakerSettings(
        failures=options.get(Conf.BREAKER_FAILURES, DEFAULT_BREAKER.failures),
        ratio=_share(options, Conf.BREAKER_RATIO, DEFAULT_BREAKER.ratio),
        open_seconds=options.get(Conf.BREAKER_SECONDS, DEFAULT_BREAKER.open_seconds),
        growth=options.get(Conf.BREAKER_GROWTH, DEFAULT_BREAKER.growth),
        longest_open_seconds=options.get(Conf.BREAKER_LONGEST, DEFAULT_BREAKER.longest_open_seconds),
        probes=options.get(Conf.BREAKER_PROBES, DEFAULT_BREAKER.probes),
        provider_targets=options.get(Conf.BREAKER_MODELS, DEFAULT_BREAKER.provider_targets),
    )


def _health(options: Mapping[str, Any]) -> HealthSettings:
    return HealthSettings(
        degraded_share=_share(options, Conf.DEGRADED_ERRORS, DEFAULT_HEALTH.degraded_share),
        unhealthy_share=_share(options, Conf.UNHEALTHY_ERRORS, DEFAULT_HEALTH.unhealthy_share),
        slow_seconds=options.get(Conf.SLOW_SECONDS),
    )


def _share(stored: Mapping[str, Any], key: Conf, usual: float) -> float:
    percent: float | None = stored.get(key)
    return usual if percent is None else percent / 100


def _backoff(stored: Mapping[str, Any], usual: Backoff) -> Backoff:
    return Backoff(stored.get(Conf.RETRY_BASE, usual.base), stored.get(Conf.RETRY_LONGEST, usual.longest))


def retention_days(options: Mapping[str, Any]) -> int:
    """Return how many days single attempts are kept; the sums by day stay."""
    return int(options.get(Conf.RETENTION_DAYS, DEFAULT_RETENTION_DAYS))


def picture_size(options: Mapping[str, Any]) -> int | None:
    """Return the longest edge (pixels) that a picture is sent with; None where the models alone decide."""
    return options.get(Conf.PICTURE_SIZE)


def disk_cache_bytes(options: Mapping[str, Any]) -> int | None:
    """Return how much of the disk kept answers may take; None where none are to be kept there."""
    if not options.get(Conf.CACHE_ON_DISK, False) or options.get(Conf.CACHE) == CacheUse.OFF:
        return None
    return int(options.get(Conf.CACHE_DISK, DEFAULT_CACHE_DISK)) * MEGABYTE


def router_config(stored: Stored, clients: Mapping[str, Provider], time_zone: str, table: PriceTable) -> RouterConfig:
    """Turn what is stored into the core's configuration.

    A provider without a client waits outside, as does a pool of which something cannot be read.
    """
    options = stored.options.safe
    hold = options.get(Conf.UNKNOWN_PRICE_HOLD, DEFAULT_UNKNOWN_PRICE_HOLD)
    backoff = _backoff(options, DEFAULT_BACKOFF)
    return RouterConfig(
        providers={
            each.subentry_id: provider_config(each, settings.safe, clients[each.subentry_id], table, backoff)
            for each, settings in stored.of_type(SUBENTRY_PROVIDER)
            if each.subentry_id in clients
        },
        pools={
            each.subentry_id: pool_config(each, settings.safe)
            for each, settings in stored.of_type(SUBENTRY_POOL)
            if not settings.unreadable
        },
        rules=tuple(rule_config(each, settings.safe) for each, settings in stored.of_type(SUBENTRY_RULE)),
        users=None if (users := options.get(Conf.USERS)) is None else frozenset(users),
        automations=None if (chosen := options.get(Conf.AUTOMATIONS)) is None else frozenset(chosen),
        strategy=options.get(Conf.STRATEGY, "priority"),
        failover=options.get(Conf.FAILOVER, True),
        local_only=options.get(Conf.LOCAL_ONLY, False),
        budgets=budgets(options),
        user_budgets=_shares(options.get(Conf.USER_BUDGETS, {})),
        label_budgets=_shares(options.get(Conf.LABEL_BUDGETS, {})),
        alert_at=options.get(Conf.ALERT_AT, DEFAULT_ALERT_AT) / 100,
        at_cap=AtCap(options.get(Conf.AT_CAP, AtCap.FREE)),
        worst_case=options.get(Conf.WORST_CASE, False),
        bounds=Bounds(
            timeout=options.get(Conf.TIMEOUT, DEFAULT_BOUNDS.timeout),
            max_cost=None if (cost := options.get(Conf.MAX_COST)) is None else to_picodollars(cost),
        ),
        attempts=options.get(Conf.ATTEMPTS, DEFAULT_ATTEMPTS),
        backoff=backoff,
        max_output=options.get(Conf.MAX_TOKENS, DEFAULT_MAX_OUTPUT),
        reasoning_output=options.get(Conf.REASONING_TOKENS, DEFAULT_REASONING_OUTPUT),
        unknown_price_hold=None if hold is None else to_picodollars(hold),
        breaker=_breaker(options),
        health=_health(options),
        health_interval=options.get(Conf.HEALTH_INTERVAL, DEFAULT_HEALTH_INTERVAL) or None,
        cache=_cache(options),
        zone=ZoneInfo(time_zone),
        week_start=WEEKDAYS.index(options.get(Conf.WEEK_START, WEEKDAYS[0])),
    )
