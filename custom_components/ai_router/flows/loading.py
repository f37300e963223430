"""How a server of the house loads its models: the fields that only Ollama has."""

import re
from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.helpers.selector import TextSelector

from .fields import whole
from .provider_check import FieldProblem

NUM_CTX, KEEP_ALIVE = "num_ctx", "keep_alive"
LOADING = frozenset({NUM_CTX, KEEP_ALIVE})
"""The names of the fields, and of what is stored of them among a provider's options."""

_LEAST, _MOST = 256, 10_000_000
# Seconds, or a duration as Ollama writes it: 30m, 1h30m.
_KEEPS = re.compile(r"-?\d{1,9}|(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h))+")


def loading_fields() -> dict[vol.Marker, Any]:
    """Make the fields."""
    return {vol.Optional(NUM_CTX): whole(_LEAST, _MOST), vol.Optional(KEEP_ALIVE): TextSelector()}


def loading_to_store(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form as they are stored; an empty one leaves it to the server. Raises `FieldProblem`."""
    stored: dict[str, Any] = {NUM_CTX: form[NUM_CTX]} if NUM_CTX in form else {}
    keeps = str(form.get(KEEP_ALIVE, "")).strip().lower()
    if not keeps:
        return stored
    if _KEEPS.fullmatch(keeps) is None:
        raise FieldProblem(KEEP_ALIVE, "keep_alive_malformed")
    return stored | {KEEP_ALIVE: keeps}
