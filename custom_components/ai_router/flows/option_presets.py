"""What the form of the router's options can be filled in with at once; nothing of it is hidden."""

from collections.abc import Mapping
from typing import Any, Final

from ..const import Conf
from ..routing.budgets import AtCap
from ..routing.cache import CacheUse
from .fields import BUDGET_KEYS
from .options_forms import CACHE, CEILING, MONEY, REFUSE, ROUTING, UNKNOWN_PRICE

_NO_BUDGETS: Final = {key.value: None for key in BUDGET_KEYS}
PRESETS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "balanced": {
        ROUTING: {Conf.STRATEGY.value: "priority", Conf.FAILOVER.value: True, Conf.ATTEMPTS.value: 3},
        MONEY: {
            **_NO_BUDGETS,
            Conf.BUDGET_MONTH.value: 20.0,
            Conf.BUDGET_ONLY_WARNS.value: False,
            Conf.AT_CAP.value: AtCap.FREE.value,
            Conf.ALERT_AT.value: 80,
            Conf.MAX_COST.value: 0.5,
            UNKNOWN_PRICE: CEILING,
            Conf.WORST_CASE.value: False,
        },
        CACHE: {Conf.CACHE.value: CacheUse.CAREFUL.value},
    },
    "careful": {
        ROUTING: {Conf.STRATEGY.value: "cheapest", Conf.FAILOVER.value: True, Conf.ATTEMPTS.value: 2},
        MONEY: {
            **_NO_BUDGETS,
            Conf.BUDGET_DAY.value: 0.5,
            Conf.BUDGET_MONTH.value: 5.0,
            Conf.BUDGET_ONLY_WARNS.value: False,
            Conf.AT_CAP.value: AtCap.FREE.value,
            Conf.ALERT_AT.value: 50,
            Conf.MAX_COST.value: 0.05,
            UNKNOWN_PRICE: REFUSE,
            Conf.WORST_CASE.value: True,
        },
        CACHE: {Conf.CACHE.value: CacheUse.CAREFUL.value},
    },
}


def with_preset(shown: Mapping[str, Mapping[str, Any]], preset: str) -> dict[str, dict[str, Any]]:
    """Return what the form shows with a preset's values in their places."""
    merged = {part: {**fields, **PRESETS[preset].get(part, {})} for part, fields in shown.items()}
    return {
        part: {name: value for name, value in fields.items() if value is not None} for part, fields in merged.items()
    }
