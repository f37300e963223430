"""The strategy that goes by what is under way."""

from collections.abc import Sequence
from typing import override

from ..plans import Because, Reason
from .choice import Choice, Ranked, Strategy


class LeastLoadedStrategy(Strategy):
    """Fewest attempts under way on the target, then on its whole provider, then chance."""

    name = "least_loaded"

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        chance = choice.senses.chance
        places = [(choice.load(offer), chance(), place) for place, offer in enumerate(choice.offers)]
        places.sort()
        return [(choice.offers[place], Reason(Because.LOAD, load.target)) for load, _, place in places]
