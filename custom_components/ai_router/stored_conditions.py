"""A rule's conditions as they are stored, read as the core wants them."""

from datetime import time
from typing import Any

from .routing.config import Conditions
from .routing.model import Capability, Op
from .stored_models import CAPABILITIES
from .stored_values import UNREADABLE, words

ALWAYS = "always"
TIMES = ("after", "before")
SIZES = ("tokens_from", "tokens_to")
_SETS = ("entities", "areas", "labels", "users", "automations", "sources")
_KNOWN = {"ops", "needs", *_SETS, *TIMES, *SIZES, ALWAYS}


def conditions_from_stored(stored: Any) -> Conditions | None:
    """Return the conditions; None where they, or one of them, cannot be read: such a rule is about everything."""
    try:
        if not stored or not _KNOWN.issuperset(stored):
            return None
        needs = Capability.NONE
        for name in stored.get("needs", ()):
            needs |= CAPABILITIES[name]
        read: dict[str, Any] = {name: _words(stored[name]) for name in _SETS if name in stored}
        read |= {name: time.fromisoformat(stored[name]) for name in TIMES if name in stored}
        read |= {name: int(stored[name]) for name in SIZES if name in stored}
        return Conditions(ops=frozenset(map(Op, _words(stored.get("ops", [])))), needs=needs, **read)
    except UNREADABLE:
        return None


def _words(stored: Any) -> frozenset[str]:
    # A text would fall into its letters, and meet nothing; so would a list of numbers.
    return frozenset(words(stored))
