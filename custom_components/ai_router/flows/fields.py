"""Fields that several forms share, and how their numbers are stored.

Browsers send every number as a float: amounts of money are stored as decimal text, whole numbers as integers.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import MOST_DOLLARS, Conf
from ..stored_settings import NOBODY
from ..wording import Wording

_BUDGETS = (Conf.BUDGET_DAY, Conf.BUDGET_WEEK, Conf.BUDGET_MONTH, Conf.BUDGET_TOTAL)
BUDGET_KEYS = frozenset({*_BUDGETS, Conf.BUDGET_ONLY_WARNS})
"""All that the fields of budgets store."""


def number(minimum: float, maximum: float, unit: str | None = None) -> vol.All:
    """Make a field for any number within bounds."""
    # The selector's own comparison lets NaN pass.
    return vol.All(NumberSelector(_box(minimum, maximum, "any", unit)), vol.Range(min=minimum))


def whole(minimum: int, maximum: int, unit: str | None = None) -> vol.All:
    """Make a field for a whole number within bounds; it comes out as an int."""
    return vol.All(NumberSelector(_box(minimum, maximum, 1, unit)), vol.Coerce(int))


def _box(minimum: float, maximum: float, step: float | Literal["any"], unit: str | None) -> NumberSelectorConfig:
    config = NumberSelectorConfig(min=minimum, max=maximum, step=step, mode=NumberSelectorMode.BOX)
    return config if unit is None else {**config, "unit_of_measurement": unit}


def dollars(unit: str = "USD") -> vol.All:
    """Make a field for an amount of money."""
    return number(0, MOST_DOLLARS, unit)


def choice(options: Sequence[str], translation_key: str, names: Mapping[str, str] | None = None) -> SelectSelector:
    """Make a field for one of several words, shown in the household's language; `names` are of those without one."""
    labels = [SelectOptionDict(value=each, label=names.get(each, each)) for each in options] if names else [*options]
    return SelectSelector(
        SelectSelectorConfig(options=labels, translation_key=translation_key, mode=SelectSelectorMode.DROPDOWN)
    )


def choices(options: Sequence[str], translation_key: str) -> SelectSelector:
    """Make a field for any number of several words, shown in the household's language."""
    return SelectSelector(
        SelectSelectorConfig(
            options=list(options),
            translation_key=translation_key,
            multiple=True,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )


def named(names: Mapping[str, str], *, several: bool = False) -> SelectSelector:
    """Make a field for one or several of the household's own things: names by ids."""
    options = [SelectOptionDict(value=each, label=name) for each, name in names.items()]
    return SelectSelector(SelectSelectorConfig(options=options, multiple=several, mode=SelectSelectorMode.DROPDOWN))


async def household(hass: HomeAssistant, *also: str) -> dict[str, str]:
    """Return the names of the people of the household by their ids.

    `also` are stored ids: whoever is gone stays in the list, so that what was kept to him is not everybody's unasked.
    """
    users = await hass.auth.async_get_users()
    people = {user.id: user.name or user.id for user in users if user.is_active and not user.system_generated}
    wording = Wording(hass)
    gone = {each: wording.text("person_gone", id=each[:6]) for each in also}
    return {**gone, **nobody(wording, also), **people}


def nobody(wording: Wording, stored: Iterable[str]) -> dict[str, str]:
    """Return the name of what stands in a list that could not be read, if it does: who keeps it keeps the list shut."""
    return {NOBODY: wording.text("nobody")} if NOBODY in stored else {}


def folded(fields: Mapping[vol.Marker, Any], *, shut: bool = True) -> section:
    """Put fields into a section."""
    return section(vol.Schema(dict(fields)), {"collapsed": shut})


def budget_fields() -> dict[vol.Marker, Any]:
    """Make the fields of the budgets."""
    return {
        **{vol.Optional(key.value): dollars() for key in _BUDGETS},
        vol.Optional(Conf.BUDGET_ONLY_WARNS.value, default=False): BooleanSelector(),
    }


def decimal_text(amount: float | Decimal) -> str:
    """Write an amount as what is stored: plain digits that lose nothing."""
    return format(Decimal(str(amount)).normalize(), "f")


def budgets_to_store(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the budgets of a form as they are stored; an empty field is no budget."""
    amounts: dict[str, Any] = {key.value: decimal_text(form[key]) for key in _BUDGETS if key in form}
    return amounts | ({Conf.BUDGET_ONLY_WARNS.value: True} if form.get(Conf.BUDGET_ONLY_WARNS) else {})


def budgets_to_show(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored budgets as a form shows them."""
    amounts: dict[str, Any] = {key.value: float(stored[key]) for key in _BUDGETS if stored.get(key) is not None}
    return amounts | {Conf.BUDGET_ONLY_WARNS.value: stored.get(Conf.BUDGET_ONLY_WARNS, False)}
