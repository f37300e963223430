"""The strategy that goes by the price of the very request."""

from collections.abc import Sequence
from statistics import median
from typing import override

from ..money import Picodollars
from ..plans import Because, Reason
from .choice import Choice, Ranked, Strategy


class CheapestStrategy(Strategy):
    """The lowest expected price; of equal ones the less loaded. An unknown price is never the lower one."""

    name = "cheapest"

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        offers = choice.offers
        prices = expected_prices(choice)
        places = sorted(
            range(len(offers)),
            key=lambda place: (prices[place] is None, prices[place] or 0, choice.load(offers[place])),
        )
        return [(offers[place], _reason(prices[place])) for place in places]


def expected_prices(choice: Choice) -> list[Picodollars | None]:
    """Return what each offer's answer is expected to cost; None where its price is not known.

    The input is the request's own, the output what such answers of this target usually have; a target that has given
    none is expected to answer as the others do, and where none has, each to use its room.
    """
    usual, label = choice.senses.usual, choice.ask.request.label
    outputs = [usual.mean_output(offer.lane.target, label) for offer in choice.offers]
    seen = [output for output in outputs if output is not None]
    elsewhere = median(seen) if seen else None
    now = choice.senses.clock.now()
    expected: list[Picodollars | None] = []
    for offer, known in zip(choice.offers, outputs, strict=True):
        prices = offer.lane.model.prices
        if prices is None or prices.free:
            expected.append(None if prices is None else 0)
            continue
        output = elsewhere if known is None else known
        input_tokens, room, _ = offer.estimate
        tokens = room if output is None else min(round(output), room)
        expected.append(prices.expected(input_tokens, tokens, now, offer.fit.size.pictures))
    return expected


def _reason(price: Picodollars | None) -> Reason:
    if price is None:
        return Reason(Because.PRICE_UNKNOWN)
    return Reason(Because.PRICE, price=price) if price else Reason(Because.FREE)
