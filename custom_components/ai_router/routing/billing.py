"""What an attempt costs once it has ended: by what the provider told, else by class and phase of the failure."""

from typing import NamedTuple

from .failures import Billed, Failure, Phase
from .model import Usage
from .money import Picodollars, Prices


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
) -> Bill:
    """Decide what to book for an attempt.

    `seen` is our own count: the input's estimate and the output that arrived. `when` is when the attempt started
    (wall clock): its prices are those of that time.

    Told usage is priced exactly. What was not sent, or was refused with an error body, costs nothing. A cut or a
    timeout after sending costs what was seen. Where nobody can tell, it costs the hold. An unknown price costs the
    hold's ceiling, never nothing.
    """
    if failure is not None and usage is None and (failure.phase is Phase.UNSENT or failure.billed is Billed.NO):
        return Bill(0, estimated=False)
    if prices is None:
        return Bill(hold, estimated=True)
    if prices.free:
        return Bill(0, estimated=False)
    if usage is not None:
        told = prices.cost(usage, when)
        if failure is None:
            return Bill(told, estimated=False)
        # A stream that broke may have told its usage before its last words.
        counted = prices.cost(seen, when)
        return Bill(max(told, counted), estimated=counted > told)
    if failure is not None and failure.billed is Billed.UNKNOWN:
        return Bill(hold, estimated=True)
    return Bill(prices.cost(seen, when), estimated=True)
