"""In which order the targets of a plan are tried. One small class for each way to choose."""

from collections.abc import Sequence
from typing import Protocol, override

from .fleet import Lane
from .model import Request


class Strategy(Protocol):
    """A way to order lanes. The lanes come by priority, then in the household's order."""

    name: str

    def order(self, lanes: Sequence[Lane], request: Request) -> Sequence[Lane]:
        """Return the lanes in the order in which they are to be tried."""

    def reason(self, lane: Lane) -> str:
        """Say in a few words why a lane stands where it stands."""


class PriorityStrategy(Strategy):
    """The household's own order: the larger priority goes first."""

    name = "priority"

    @override
    def order(self, lanes: Sequence[Lane], request: Request) -> Sequence[Lane]:
        return lanes

    @override
    def reason(self, lane: Lane) -> str:
        return f"priority {lane.provider.priority}"


STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in (PriorityStrategy(),)}
