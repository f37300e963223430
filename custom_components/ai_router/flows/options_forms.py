"""The form of the router's options: its fields, what is stored of them, and what is shown of what is stored.

What is emptied goes back to what holds without it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
)

from ..const import WEEKDAYS, Conf
from ..lasting import entity_now, lasting_id
from ..plug_ins import strategies
from ..routing.breaker import DEFAULT_BREAKER
from ..routing.budgets import AtCap
from ..routing.cache import DEFAULT_CACHE, CacheUse
from ..routing.config import (
    DEFAULT_ATTEMPTS,
    DEFAULT_BOUNDS,
    DEFAULT_MAX_OUTPUT,
    DEFAULT_REASONING_OUTPUT,
    EACH_USER,
)
from ..routing.health import DEFAULT_HEALTH
from ..routing.retries import DEFAULT_BACKOFF
from ..settings import (
    DEFAULT_ALERT_AT,
    DEFAULT_CACHE_DISK,
    DEFAULT_HEALTH_INTERVAL,
    DEFAULT_RETENTION_DAYS,
    DEFAULT_UNKNOWN_PRICE_HOLD,
    MEGABYTE,
)
from ..stored_settings import RETENTION_MOST
from .fields import (
    BUDGET_KEYS,
    budget_fields,
    budgets_to_show,
    budgets_to_store,
    choice,
    decimal_text,
    dollars,
    folded,
    named,
    number,
    whole,
)
from .provider_check import FieldProblem
from .share_forms import SHARE_KEYS, SHARES, share_fields, shares_to_show, shares_to_store

ROUTING, ACCESS, MONEY, CACHE, HEALTH, DATA = "routing", "access", "money", "cache", "health", "data"
UNKNOWN_PRICE = "unknown_price"
CEILING, REFUSE = "ceiling", "refuse"

# What is stored as it is typed, and what holds where nothing is.
_PLAIN: Final[Mapping[str, Mapping[Conf, Any]]] = {
    ROUTING: {
        Conf.STRATEGY: "priority",
        Conf.FAILOVER: True,
        Conf.ATTEMPTS: DEFAULT_ATTEMPTS,
        Conf.RETRY_BASE: DEFAULT_BACKOFF.base,
        Conf.RETRY_LONGEST: DEFAULT_BACKOFF.longest,
        Conf.TIMEOUT: DEFAULT_BOUNDS.timeout,
        Conf.MAX_TOKENS: DEFAULT_MAX_OUTPUT,
        Conf.REASONING_TOKENS: DEFAULT_REASONING_OUTPUT,
    },
    ACCESS: {Conf.LOCAL_ONLY: False},
    MONEY: {
        Conf.AT_CAP: AtCap.FREE.value,
        Conf.ALERT_AT: DEFAULT_ALERT_AT,
        Conf.WORST_CASE: False,
        Conf.WEEK_START: WEEKDAYS[0],
    },
    CACHE: {
        Conf.CACHE: DEFAULT_CACHE.use.value,
        Conf.CACHE_MINUTES: round(DEFAULT_CACHE.ttl / 60),
        Conf.CACHE_MEMORY: DEFAULT_CACHE.max_bytes // MEGABYTE,
        Conf.CACHE_ON_DISK: False,
        Conf.CACHE_DISK: DEFAULT_CACHE_DISK,
    },
    HEALTH: {
        Conf.HEALTH_INTERVAL: DEFAULT_HEALTH_INTERVAL,
        Conf.DEGRADED_ERRORS: round(DEFAULT_HEALTH.degraded_share * 100),
        Conf.UNHEALTHY_ERRORS: round(DEFAULT_HEALTH.unhealthy_share * 100),
        Conf.SLOW_SECONDS: None,
        Conf.BREAKER_FAILURES: DEFAULT_BREAKER.failures,
        Conf.BREAKER_RATIO: round(DEFAULT_BREAKER.ratio * 100),
        Conf.BREAKER_SECONDS: DEFAULT_BREAKER.open_seconds,
        Conf.BREAKER_GROWTH: DEFAULT_BREAKER.growth,
        Conf.BREAKER_LONGEST: DEFAULT_BREAKER.longest_open_seconds,
        Conf.BREAKER_PROBES: DEFAULT_BREAKER.probes,
        Conf.BREAKER_MODELS: DEFAULT_BREAKER.provider_targets,
    },
    DATA: {
        Conf.RETENTION_DAYS: DEFAULT_RETENTION_DAYS,
        Conf.PICTURE_SIZE: None,
        Conf.EXACT_TOKENS: False,
        Conf.COMPLETED_EVENT: False,
        Conf.DELETE_DATA: False,
    },
}
_STORED_BY_FORM: Final = frozenset(
    {
        *(key for keys in _PLAIN.values() for key in keys),
        *BUDGET_KEYS,
        Conf.USERS,
        Conf.AUTOMATIONS,
        Conf.MAX_COST,
        Conf.UNKNOWN_PRICE_HOLD,
        *SHARE_KEYS,
    }
)


def part_of(option: str) -> str:
    """Return the section that shows an option."""
    if option in SHARE_KEYS:
        return SHARES
    if option in (Conf.USERS, Conf.AUTOMATIONS):
        return ACCESS
    return next((part for part, keys in _PLAIN.items() if option in keys), MONEY)


# --- fields ----------------------------------------------------------------------------------------


def options_form(people: Mapping[str, str], stored: Mapping[str, Any]) -> vol.Schema:
    """Ask for all options at once; what is `stored` can be kept, also where it cannot be chosen anew."""
    selectors: dict[Conf, Any] = {
        Conf.STRATEGY: choice(strategies(stored.get(Conf.STRATEGY)), "strategy"),
        Conf.ATTEMPTS: whole(1, 20),
        Conf.RETRY_BASE: number(0, 60, "s"),
        Conf.RETRY_LONGEST: number(0, 600, "s"),
        Conf.TIMEOUT: whole(1, 3_600, "s"),
        Conf.MAX_TOKENS: whole(1, 1_000_000),
        Conf.REASONING_TOKENS: whole(1, 1_000_000),
        Conf.AT_CAP: choice(list(AtCap), "at_cap"),
        Conf.ALERT_AT: whole(1, 100, "%"),
        Conf.WEEK_START: choice(WEEKDAYS, "weekday"),
        Conf.CACHE: choice(list(CacheUse), "cache"),
        Conf.CACHE_MINUTES: whole(1, 527_040, "min"),
        Conf.CACHE_MEMORY: whole(1, 256, "MB"),
        Conf.CACHE_DISK: whole(1, 4_096, "MB"),
        Conf.HEALTH_INTERVAL: whole(0, 86_400, "s"),
        Conf.DEGRADED_ERRORS: whole(1, 100, "%"),
        Conf.UNHEALTHY_ERRORS: whole(1, 100, "%"),
        Conf.SLOW_SECONDS: number(0.1, 3_600, "s"),
        Conf.BREAKER_FAILURES: whole(1, 100),
        Conf.BREAKER_RATIO: whole(1, 100, "%"),
        Conf.BREAKER_GROWTH: number(1, 10),
        Conf.BREAKER_PROBES: whole(1, 20),
        Conf.BREAKER_MODELS: whole(1, 100),
        Conf.BREAKER_SECONDS: whole(1, 3_600, "s"),
        Conf.BREAKER_LONGEST: whole(1, 86_400, "s"),
        Conf.RETENTION_DAYS: whole(1, RETENTION_MOST, "d"),
        Conf.PICTURE_SIZE: whole(256, 4_096, "px"),
    }
    # Emptied, a choice or a switch would say nothing: they have a default, numbers a usual value.
    fields: dict[str, dict[vol.Marker, Any]] = {
        part: {
            (
                vol.Optional(key.value, default=usual) if isinstance(usual, bool | str) else vol.Optional(key.value)
            ): selectors.get(key, BooleanSelector())
            for key, usual in keys.items()
        }
        for part, keys in _PLAIN.items()
    }
    fields[ACCESS][vol.Optional(Conf.USERS.value)] = named(people, several=True)
    automations = EntitySelectorConfig(domain="automation", multiple=True)
    fields[ACCESS][vol.Optional(Conf.AUTOMATIONS.value)] = EntitySelector(automations)
    fields[MONEY] = {
        **budget_fields(),
        vol.Optional(Conf.MAX_COST.value): dollars(),
        vol.Optional(UNKNOWN_PRICE, default=CEILING): choice((CEILING, REFUSE), UNKNOWN_PRICE),
        vol.Optional(Conf.UNKNOWN_PRICE_HOLD.value): dollars(),
        **fields[MONEY],
    }
    fields[SHARES] = share_fields(people)
    order = (ROUTING, ACCESS, MONEY, SHARES, CACHE, HEALTH, DATA)
    return vol.Schema({vol.Required(part): folded(fields[part], shut=part != ROUTING) for part in order})


# --- from the form to what is stored -----------------------------------------------------------------


def options_to_store(
    hass: HomeAssistant, form: Mapping[str, Mapping[str, Any]], before: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options; what no form asks for is kept. Raises `FieldProblem`, which names the section."""
    _check(form)
    money = form[MONEY]
    stored = {key: value for key, value in before.items() if key not in _STORED_BY_FORM}
    stored |= {key.value: form[part][key] for part, keys in _PLAIN.items() for key in keys if key in form[part]}
    stored |= budgets_to_store(money)
    # None as the hold of an unknown price refuses such calls.
    refused = money[UNKNOWN_PRICE] == REFUSE
    stored[Conf.UNKNOWN_PRICE_HOLD.value] = None if refused else decimal_text(money[Conf.UNKNOWN_PRICE_HOLD])
    if Conf.MAX_COST in money:
        stored[Conf.MAX_COST.value] = decimal_text(money[Conf.MAX_COST])
    if users := form[ACCESS].get(Conf.USERS):
        stored[Conf.USERS.value] = users
    if automations := form[ACCESS].get(Conf.AUTOMATIONS):
        stored[Conf.AUTOMATIONS.value] = [lasting_id(hass, entity_id) for entity_id in automations]
    return stored | shares_to_store(form[SHARES])


def _check(form: Mapping[str, Mapping[str, Any]]) -> None:
    money, routing, health = form[MONEY], form[ROUTING], form[HEALTH]
    if money[UNKNOWN_PRICE] == CEILING and not money.get(Conf.UNKNOWN_PRICE_HOLD):
        raise FieldProblem(MONEY, "hold_missing")
    if _backwards(routing, ROUTING, Conf.RETRY_BASE, Conf.RETRY_LONGEST):
        raise FieldProblem(ROUTING, "retry_backwards")
    if _backwards(health, HEALTH, Conf.BREAKER_SECONDS, Conf.BREAKER_LONGEST):
        raise FieldProblem(HEALTH, "breaker_backwards")
    if _backwards(health, HEALTH, Conf.DEGRADED_ERRORS, Conf.UNHEALTHY_ERRORS):
        raise FieldProblem(HEALTH, "errors_backwards")
    if form[DATA][Conf.EXACT_TOKENS] and form[ACCESS][Conf.LOCAL_ONLY]:
        raise FieldProblem(DATA, "exact_tokens_local")


def _backwards(form: Mapping[str, Any], part: str, least: Conf, most: Conf) -> bool:
    usual = _PLAIN[part]
    return bool(form.get(least, usual[least]) > form.get(most, usual[most]))


# --- from what is stored to the form -----------------------------------------------------------------


def options_to_show(hass: HomeAssistant, stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the stored options as the form shows them."""
    shown = {
        part: {key.value: value for key, usual in keys.items() if (value := stored.get(key, usual)) is not None}
        for part, keys in _PLAIN.items()
    }
    hold = stored.get(Conf.UNKNOWN_PRICE_HOLD, DEFAULT_UNKNOWN_PRICE_HOLD)
    shown[MONEY] |= {
        **budgets_to_show(stored),
        UNKNOWN_PRICE: REFUSE if hold is None else CEILING,
        Conf.UNKNOWN_PRICE_HOLD.value: float(DEFAULT_UNKNOWN_PRICE_HOLD if hold is None else hold),
    }
    if stored.get(Conf.MAX_COST) is not None:
        shown[MONEY][Conf.MAX_COST.value] = float(stored[Conf.MAX_COST])
    if stored.get(Conf.USERS) is not None:
        shown[ACCESS][Conf.USERS.value] = stored[Conf.USERS]
    if stored.get(Conf.AUTOMATIONS) is not None:
        shown[ACCESS][Conf.AUTOMATIONS.value] = [entity_now(hass, lasting) for lasting in stored[Conf.AUTOMATIONS]]
    return shown | {SHARES: shares_to_show(stored)}


def named_users(stored: Mapping[str, Any]) -> Iterable[str]:
    """Return the ids of the users that stored options are about."""
    return [*(stored.get(Conf.USERS) or ()), *(each for each in stored.get(Conf.USER_BUDGETS, ()) if each != EACH_USER)]
