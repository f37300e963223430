"""Fields that several forms share, and how their numbers are stored.

Browsers send every number as a float: amounts of money are stored as decimal text, whole numbers as integers.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import voluptuous as vol
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from .const import Conf

_MOST_DOLLARS = 1_000_000
_BUDGETS = (Conf.BUDGET_DAY, Conf.BUDGET_MONTH)


def number(minimum: float, maximum: float, unit: str) -> vol.All:
    """Make a field for any number within bounds."""
    selector = NumberSelector(
        NumberSelectorConfig(
            min=minimum, max=maximum, step="any", unit_of_measurement=unit, mode=NumberSelectorMode.BOX
        )
    )
    # The selector's own comparison lets NaN pass.
    return vol.All(selector, vol.Range(min=minimum))


def whole(minimum: int, maximum: int, unit: str | None = None) -> vol.All:
    """Make a field for a whole number within bounds; it comes out as an int."""
    config = NumberSelectorConfig(min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


def dollars(unit: str = "USD") -> vol.All:
    """Make a field for an amount of money."""
    return number(0, _MOST_DOLLARS, unit)


def choice(options: Sequence[str], translation_key: str) -> SelectSelector:
    """Make a field for one of several words, shown in the household's language."""
    return SelectSelector(
        SelectSelectorConfig(options=list(options), translation_key=translation_key, mode=SelectSelectorMode.DROPDOWN)
    )


def budget_fields() -> dict[vol.Marker, vol.All]:
    """Make the fields of the budgets."""
    return {vol.Optional(key.value): dollars() for key in _BUDGETS}


def decimal_text(amount: float | Decimal) -> str:
    """Write an amount as what is stored: plain digits that lose nothing."""
    return format(Decimal(str(amount)).normalize(), "f")


def budgets_to_store(form: Mapping[str, Any]) -> dict[str, str]:
    """Return the budgets of a form as they are stored; an empty field is no budget."""
    return {key.value: decimal_text(form[key]) for key in _BUDGETS if key in form}


def budgets_to_show(stored: Mapping[str, Any]) -> dict[str, float]:
    """Return stored budgets as a form shows them."""
    return {key.value: float(stored[key]) for key in _BUDGETS if stored.get(key) is not None}
