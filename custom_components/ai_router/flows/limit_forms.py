"""The two sections on a provider's limits: how much may be asked of it and by whom, and how long it is waited for."""

from collections.abc import Mapping
from math import inf
from typing import Any

import voluptuous as vol
from homeassistant.helpers.selector import BooleanSelector

from ..const import Conf
from .fields import BUDGET_KEYS, budget_fields, budgets_to_show, budgets_to_store, folded, named, number, whole
from .provider_check import FieldProblem

LIMITS = "limits"
PATIENCE = "patience"

_MOST = 10_000_000
_CAPS = (Conf.REQUESTS_PER_MINUTE, Conf.BURST, Conf.REQUESTS_PER_HOUR, Conf.TOKENS_PER_MINUTE, Conf.CONCURRENT)
_TIMEOUTS = (Conf.CONNECT_TIMEOUT, Conf.FIRST_TOKEN_TIMEOUT, Conf.IDLE_TIMEOUT, Conf.TOTAL_TIMEOUT)
_RETRIES = (Conf.RETRY_BASE, Conf.RETRY_LONGEST)
_PATIENCE = (*_TIMEOUTS, Conf.ATTEMPTS, *_RETRIES)
_KEYS = (Conf.ENABLED, Conf.PRIORITY, Conf.WEIGHT, Conf.USERS, *_CAPS, *_PATIENCE)
LIMIT_KEYS = frozenset({*_KEYS, *BUDGET_KEYS})
"""All that the fields of limits store."""


def limit_fields(people: Mapping[str, str]) -> dict[vol.Marker, Any]:
    """Make the two sections; `people` may be the only ones to use the provider."""
    # What most households set stands first.
    fields: dict[vol.Marker, Any] = {
        vol.Optional(Conf.PRIORITY.value, default=0): whole(0, 1_000),
        **budget_fields(),
        **{vol.Optional(key.value): whole(1, _MOST) for key in _CAPS},
        vol.Optional(Conf.WEIGHT.value, default=1.0): number(0, 1_000),
        vol.Optional(Conf.USERS.value): named(people, several=True),
        vol.Optional(Conf.ENABLED.value, default=True): BooleanSelector(),
    }
    patience: dict[vol.Marker, Any] = {
        **{vol.Optional(key.value): number(0.1, 3_600, "s") for key in _TIMEOUTS},
        vol.Optional(Conf.ATTEMPTS.value): whole(1, 10),
        vol.Optional(Conf.RETRY_BASE.value): number(0, 60, "s"),
        vol.Optional(Conf.RETRY_LONGEST.value): number(0, 600, "s"),
    }
    return {vol.Required(LIMITS): folded(fields), vol.Required(PATIENCE): folded(patience)}


def limits_to_store(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits of a form as they are stored. Raises `FieldProblem`."""
    limits, patience = form[LIMITS], form[PATIENCE]
    if Conf.BURST in limits and Conf.REQUESTS_PER_MINUTE not in limits:
        raise FieldProblem(LIMITS, "burst_alone")
    if patience.get(Conf.RETRY_BASE, 0) > patience.get(Conf.RETRY_LONGEST, inf):
        raise FieldProblem(PATIENCE, "retry_backwards")
    stored = {key.value: each[key] for each in (limits, patience) for key in _KEYS if key in each}
    if not stored.get(Conf.USERS):
        stored.pop(Conf.USERS.value, None)
    return stored | budgets_to_store(limits)


def limits_to_show(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored limits as the forms show them."""
    there = {key: stored[key] for key in _KEYS if stored.get(key) is not None}
    limits = {key.value: value for key, value in there.items() if key not in _PATIENCE}
    patience = {key.value: value for key, value in there.items() if key in _PATIENCE}
    return {LIMITS: limits | budgets_to_show(stored), PATIENCE: patience}
