"""What an attempt costs once it has ended: by what the provider told, else by class and phase of the failure."""

from typing import NamedTuple

from .call import Usage
from .failures import Billed, Failure, Phase
from .money import Picodollars, Prices

# How prices are marked that the household set itself.
_OWN = "user"


class Bill(NamedTuple):
    """The money to book, and whether it was estimated rather than told."""

    cost: Picodollars
    estimated: bool


def bill(
    prices: Prices | None,
    hold: Picodollars,
    failure: Failure | None,
    usage: Usage | None,
    seen: Usage,
    when: float,
    told: Picodollars | None = None,
    pictures: int = 0,
) -> Bill:
    """Decide what to book for an attempt.

    `seen` is our own count: the input's estimate and the output that arrived. `when` is when the attempt started
    (wall clock): its prices are those of that time. `pictures` is how many were sent.

    `told` is what the provider says that it costs: it goes before every price but the household's own. Else told usage
    is priced exactly; a failure that is not billed itself adds nothing to it. What was not sent, or was refused with an
    error body, costs nothing. A cut or a timeout after sending costs what was seen. Where nobody can tell, it costs the
    hold. An unknown price costs the hold's ceiling, never nothing.
    """
    if failure is not None and usage is None and (failure.phase is Phase.UNSENT or failure.billed is Billed.NO):
        return Bill(0, estimated=False)
    if prices is not None and prices.free:
        return Bill(0, estimated=False)
    if told is None or (prices is not None and prices.source == _OWN):
        told = None if prices is None or usage is None else prices.cost(usage, when, pictures)
    if told is not None and (failure is None or failure.billed is Billed.NO):
        return Bill(told, estimated=False)
    if prices is None:
        return Bill(max(hold, told or 0), estimated=True)
    if told is not None:
        # A stream that broke may have told its usage before its last words.
        counted = prices.cost(seen, when, pictures)
        return Bill(max(told, counted), estimated=counted > told)
    if failure is not None and failure.billed is Billed.UNKNOWN:
        return Bill(hold, estimated=True)
    return Bill(prices.cost(seen, when, pictures), estimated=True)
