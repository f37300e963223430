"""What every text that an action takes must be: one that can be sent, shown and written down."""

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
