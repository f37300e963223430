"""What the router has learned of its targets, as plain values that outlive a restart."""

import logging
from collections.abc import Mapping
from typing import Any

from .strategies import Strategies
from .usual import Usual

_LOGGER = logging.getLogger(__name__)


class Memory:
    """What the strategies know, and what is known of the targets' tokens."""

    def __init__(self, strategies: Strategies, usual: Usual) -> None:
        """Look after these."""
        self._strategies = strategies
        self._usual = usual

    def state(self) -> dict[str, Any]:
        """Return all that is known."""
        return {"strategies": self._strategies.state(), "usual": self._usual.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what an earlier run knew, once the configuration is there; what cannot be read is learned anew."""
        self._strategies.restore(state.get("strategies", {}))
        try:
            self._usual.restore(state.get("usual", ((), ())))
        except TypeError, ValueError:
            _LOGGER.warning("What was known of the models' tokens cannot be read; it is learned anew")
