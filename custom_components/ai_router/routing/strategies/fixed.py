"""Strategies that look at nothing that changes: the household's order, the caller's, and none."""

from collections.abc import Sequence
from typing import override

from ..fleet import Lane
from ..plans import Because, Reason, Why
from ..request import Pins
from .choice import Choice, Ranked, Strategy

_BY_CHANCE, _NAMED = Reason(Because.CHANCE), Reason(Because.NAMED)


class PriorityStrategy(Strategy):
    """The household's own order: the larger priority goes first."""

    name = "priority"

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        return [(offer, Reason(Because.PRIORITY, offer.lane.provider.priority)) for offer in choice.offers]


class RandomStrategy(Strategy):
    """A new order by chance each time; every target is as likely to be first."""

    name = "random"

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        offers = choice.offers.copy()
        # After Fisher and Yates; Durstenfeld 1964.
        for last in range(len(offers) - 1, 0, -1):
            drawn = choice.draw(last + 1)
            offers[last], offers[drawn] = offers[drawn], offers[last]
        return [(offer, _BY_CHANCE) for offer in offers]


class ManualStrategy(Strategy):
    """Exactly what the caller named, in the order of naming; nothing else, whatever fails."""

    name = "manual"

    @override
    def bars(self, choice: Choice, lane: Lane) -> Why | None:
        pins = choice.ask.request.pins
        named = pins.targets or pins.providers or pins.models
        return None if named else Why.NOT_NAMED

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        pins = choice.ask.request.pins
        offers = choice.offers
        if len(offers) > 1:
            offers = sorted(offers, key=lambda offer: _named_at(offer.lane, pins))
        return [(offer, _NAMED) for offer in offers]


def _named_at(lane: Lane, pins: Pins) -> tuple[int, int]:
    return (
        pins.targets.index(lane.target) if lane.target in pins.targets else len(pins.targets),
        pins.providers.index(lane.provider.id) if lane.provider.id in pins.providers else len(pins.providers),
    )
