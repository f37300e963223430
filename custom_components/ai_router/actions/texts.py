"""What every text and every list that an action takes must be: texts that can be sent, shown and written down."""

from typing import Any

import voluptuous as vol
from homeassistant.helpers import config_validation as cv

from ..routing.tokens import is_whole


def whole_text(value: Any) -> str:
    """Check a text. Raises `vol.Invalid`, which names its field."""
    checked = cv.string(value)
    if not is_whole(checked):
        raise vol.Invalid("half a character (a surrogate without the other): no server can be sent this text")
    return checked


def given(value: Any) -> Any:
    """Refuse what a template made of nothing: it would pass for a field that was left out. Raises `vol.Invalid`."""
    if value is None or value == {}:
        raise vol.Invalid("nothing is given: leave the field out, or check the template that fills it")
    return value


def listed(value: Any) -> list[Any]:
    """Return a list; one thing is a list of one. Raises `vol.Invalid` like `given`."""
    things: list[Any] = cv.ensure_list(given(value))
    return things
