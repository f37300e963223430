"""What so many tokens would cost on each target, without a request."""

from typing import NamedTuple

from .call import Usage
from .fleet import Fleet, Lane
from .model import Capability, Target
from .money import Picodollars


class TargetPrice(NamedTuple):
    """The price of so many tokens on a target; `cost` None is unknown. `source` and `as_of` as prices have them."""

    target: Target
    cost: Picodollars | None
    local: bool
    source: str | None
    as_of: str


def estimate(
    fleet: Fleet,
    now: float,
    input_tokens: int,
    output_tokens: int,
    *,
    needs: Capability,
    pictures: int,
    local_only: bool,
) -> tuple[TargetPrice, ...]:
    """Order the targets that can do what is needed by their price at a time (wall clock), unknown ones last.

    Those that are switched off, cannot read so much at once, cannot write so much, or are not in the house where all
    must stay in it are not among them. Equals stay in the order of the providers.
    """
    usage = Usage(fresh_in=input_tokens, text_out=output_tokens)
    prices = [
        _price(lane, usage, now, pictures)
        for lane in fleet
        if _can(lane, usage, needs, local_only=local_only or fleet.config.local_only)
    ]
    return tuple(sorted(prices, key=lambda price: (price.cost is None, price.cost or 0)))


def _can(lane: Lane, usage: Usage, needs: Capability, *, local_only: bool) -> bool:
    model = lane.model
    return (
        lane.provider.enabled
        and needs in model.caps
        and (model.local or not local_only)
        and (model.context is None or usage.input_tokens + usage.output_tokens <= model.context)
        and (model.max_output is None or usage.output_tokens <= model.max_output)
    )


def _price(lane: Lane, usage: Usage, now: float, pictures: int) -> TargetPrice:
    prices = lane.model.prices
    if prices is None:
        return TargetPrice(lane.target, None, lane.model.local, None, "")
    return TargetPrice(lane.target, prices.cost(usage, now, pictures), lane.model.local, prices.source, prices.as_of)
