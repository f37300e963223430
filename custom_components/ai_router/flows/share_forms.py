"""The section on the budgets of single users and labels: its fields, what is stored of them, and what is shown."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    ObjectSelector,
    ObjectSelectorConfig,
    Selector,
    TextSelector,
)

from ..const import MOST_DOLLARS, Conf
from ..routing.config import EACH_USER
from ..stored_settings import SHARE_WINDOWS
from .fields import decimal_text, dollars, named
from .provider_check import FieldProblem

SHARES = "shares"
SHARE_KEYS = (Conf.USER_BUDGETS, Conf.LABEL_BUDGETS)
"""All that the fields of the section store."""

_EACH = {"each_user_day": "day", "each_user_month": "month"}
_OF_USERS, _OF_LABELS = Conf.USER_BUDGETS.value, Conf.LABEL_BUDGETS.value
_WHOSE = {_OF_USERS: "user", _OF_LABELS: "label"}


def share_fields(people: Mapping[str, str]) -> dict[vol.Marker, Any]:
    """Make the section's fields."""
    return {
        **{vol.Optional(name): dollars() for name in _EACH},
        vol.Optional(_OF_USERS): _amounts("user", named(people)),
        vol.Optional(_OF_LABELS): _amounts("label", TextSelector()),
    }


def _amounts(whose: str, selector: Selector[Any]) -> ObjectSelector:
    """Make a list of budgets, each of somebody or something."""
    amount = NumberSelector(
        NumberSelectorConfig(
            min=0, max=MOST_DOLLARS, step="any", mode=NumberSelectorMode.BOX, unit_of_measurement="USD"
        )
    )
    return ObjectSelector(
        ObjectSelectorConfig(
            fields={
                whose: {"selector": selector, "required": True},
                **{window: {"selector": amount} for window in SHARE_WINDOWS},
            },
            multiple=True,
            label_field=whose,
            translation_key=f"{whose}_budgets",
        )
    )


def shares_to_store(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section's budgets as they are stored. Raises `FieldProblem`."""
    each = {window: decimal_text(form[name]) for name, window in _EACH.items() if name in form}
    of_users = ({EACH_USER: each} if each else {}) | _amounts_to_store(form, _OF_USERS)
    stored = {_OF_USERS: of_users, _OF_LABELS: _amounts_to_store(form, _OF_LABELS)}
    return {key: amounts for key, amounts in stored.items() if amounts}


def _amounts_to_store(form: Mapping[str, Any], key: str) -> dict[str, dict[str, str]]:
    """Return the budgets of users or labels by their ids. Raises `FieldProblem`."""
    amounts: dict[str, dict[str, str]] = {}
    rows = form.get(key, [])
    for row in rows if isinstance(rows, list) else [rows]:
        whose = row[_WHOSE[key]].strip()
        # The selector has looked at the rows and left them as they came: a number may be text, or no number. NaN, which
        # a browser's JSON has not, compares as neither more nor less.
        given = {window: float(row[window]) for window in SHARE_WINDOWS if row.get(window) is not None}
        if not whose or not given or not all(amount >= 0 for amount in given.values()):
            raise FieldProblem(SHARES, "amount_missing")
        if whose in amounts:
            raise FieldProblem(SHARES, "amount_twice")
        amounts[whose] = {window: decimal_text(amount) for window, amount in given.items()}
    return amounts


def shares_to_show(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored budgets as the section shows them."""
    of_users = dict(stored.get(_OF_USERS, {}))
    each = of_users.pop(EACH_USER, {})
    shown: dict[str, Any] = {name: float(each[window]) for name, window in _EACH.items() if window in each}
    for key, amounts in ((_OF_USERS, of_users), (_OF_LABELS, stored.get(_OF_LABELS, {}))):
        if amounts:
            shown[key] = [
                {_WHOSE[key]: whose, **{window: float(amount) for window, amount in given.items()}}
                for whose, given in amounts.items()
            ]
    return shown
