"""The strategy that splits traffic between the arms of an experiment."""

from collections.abc import Sequence
from typing import override

from ..experiments import EXPERIMENT, Arm, arm_of, draw, unit_of
from ..fleet import Lane
from ..plans import Because, Reason, Why
from .choice import Choice, Ranked, Strategy, switched_off

_DRAWN, _STANDS_IN = Reason(Because.ARM_DRAWN), Reason(Because.ARM_STANDS_IN)


class ExperimentStrategy(Strategy):
    """Each conversation to the arm that a hash gives it, by the arms' weights; the other arms stand in for it."""

    name = EXPERIMENT

    @override
    def bars(self, choice: Choice, lane: Lane) -> Why | None:
        return switched_off(lane)

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        unit = unit_of(choice.ask.request)
        lots: dict[Arm, float] = {}
        for offer in choice.offers:
            lane = offer.lane
            arm = arm_of(lane)
            if arm not in lots:
                lots[arm] = draw(choice.scope, unit, arm, lane.weight)
        first = max(lots, key=lots.__getitem__, default=None)
        offers = sorted(choice.offers, key=lambda offer: -lots[arm_of(offer.lane)])
        return [(offer, _DRAWN if arm_of(offer.lane) == first else _STANDS_IN) for offer in offers]
