"""What a target would hold for a request, and what it would take from every budget."""

from math import ceil

from .admission import Admission
from .budgets import AtCap
from .config import RouterConfig
from .fleet import Lane
from .money import Picodollars, Prices
from .offers import LEAST_SHARE, Ask, Fit, Offer
from .plans import Estimate, LeftOut, Why
from .ports import Clock
from .request import tighter
from .tickets import BucketKey, Unit
from .usual import Usual

_MARGIN = 1.2


class Pricing:
    """Prices requests under one configuration."""

    def __init__(self, config: RouterConfig, admission: Admission, clock: Clock, usual: Usual) -> None:
        """Ask `admission` what the budgets have left; `usual` knows what tasks need."""
        self._config = config
        self._admission = admission
        self._clock = clock
        self._usual = usual

    def price(
        self, lane: Lane, ask: Ask, fit: Fit, *, unpaid: Why | None = None, at_cap: bool = False
    ) -> Offer | LeftOut:
        """Work out what a target would hold: the input bounded by its bytes, the output by the tokens it may make.

        `unpaid` is why nothing that costs may be sent, `at_cap` says that the pool asked first has used up its budget.
        """
        prices = lane.model.prices
        input_tokens = self._usual.expected(lane.target, fit.size)
        if prices is not None and prices.free:
            return self._unpaid(lane, ask, fit, Estimate(input_tokens, fit.output, 0), at_cap=at_cap)
        if at_cap or unpaid is not None:
            return LeftOut(lane.target, unpaid or Why.OVER_BUDGET)
        if prices is None:
            return self._unknown(lane, ask, fit, Estimate(input_tokens, fit.output, None))
        now = self._clock.now()
        bound, output, pictures = fit.size.bound, fit.output, fit.size.pictures
        budgets = (*lane.budgeted, *ask.money)
        room = tighter(self._admission.budgets.headroom(budgets), fit.bounds.max_cost)
        hold = prices.worst(bound, output, now, pictures)
        take = hold
        if room is not None:
            take = self._take(lane, ask, fit, prices, hold, budgets, now)
            if take > room:
                output = _affordable(fit, prices, room, now)
                if not output:
                    least = prices.worst(bound, _least(fit), now, pictures)
                    return self._too_dear(lane, ask, least)
                take = hold = prices.worst(bound, output, now, pictures)
                if hold > room:  # a shorter request may stay on a tier that is dearer
                    return self._too_dear(lane, ask, hold)
        estimate = Estimate(input_tokens, output, prices.worst(input_tokens, output, now, pictures))
        claim = self._admission.claim(lane, hold, estimate.tokens, extra=ask.money, take=take)
        return Offer(lane, estimate, claim, fit)

    def _take(
        self,
        lane: Lane,
        ask: Ask,
        fit: Fit,
        prices: Prices,
        hold: Picodollars,
        budgets: tuple[BucketKey, ...],
        now: float,
    ) -> Picodollars:
        """Return what budgets set aside: far from every limit what the task usually needs, near one the worst case."""
        if self._config.worst_case or fit.bounds.max_cost is not None:
            return hold
        usual = self._usual.output(lane.target, ask.request.label)
        if usual is None or not self._admission.budgets.is_far(budgets, hold):
            return hold
        size = fit.size
        input_tokens = min(size.bound, ceil(self._usual.expected(lane.target, size) * _MARGIN))
        return min(hold, prices.worst(input_tokens, min(fit.output, usual), now, size.pictures))

    def _unpaid(self, lane: Lane, ask: Ask, fit: Fit, estimate: Estimate, *, at_cap: bool) -> Offer | LeftOut:
        goes_on = self._config.at_cap
        if goes_on is not AtCap.FREE and (goes_on is AtCap.REFUSE or not lane.model.local):
            if at_cap:
                return LeftOut(lane.target, Why.OVER_BUDGET)
            room = self._admission.budgets.headroom((*lane.budgeted, *ask.money))
            if room is not None and room <= 0:
                return self._too_dear(lane, ask, 1)
        claim = self._admission.claim(lane, 0, estimate.tokens)
        return Offer(lane, estimate, claim, fit)

    def _unknown(self, lane: Lane, ask: Ask, fit: Fit, estimate: Estimate) -> Offer | LeftOut:
        """Offer a target of unknown price at the household's ceiling for such calls."""
        hold = self._config.unknown_price_hold
        if hold is None:
            return LeftOut(lane.target, Why.PRICE_UNKNOWN)
        room = tighter(self._admission.budgets.headroom((*lane.budgeted, *ask.money)), fit.bounds.max_cost)
        if room is not None and hold > room:
            return self._too_dear(lane, ask, hold)
        claim = self._admission.claim(lane, hold, estimate.tokens, extra=ask.money)
        return Offer(lane, estimate, claim, fit)

    def _too_dear(self, lane: Lane, ask: Ask, hold: Picodollars) -> LeftOut:
        refused = self._admission.refusal(self._admission.claim(lane, hold, 0, extra=ask.money))
        if refused is not None and refused.bucket is not None and refused.bucket.unit is Unit.MONEY:
            return LeftOut(lane.target, Why.OVER_BUDGET, refused.free_at, refused.bucket)
        return LeftOut(lane.target, Why.TOO_EXPENSIVE)


def _least(fit: Fit) -> int:
    """Return to how many output tokens the answer may be cut."""
    return fit.output if fit.bounds.max_output is not None else ceil(fit.output / LEAST_SHARE)


def _affordable(fit: Fit, prices: Prices, room: Picodollars, now: float) -> int:
    """Return to how many output tokens the answer can be cut to fit; 0 if that would be too short to be whole."""
    rate = prices.at(now, fit.size.bound).dearest_output
    if fit.bounds.max_output is not None or not rate:
        return 0
    fitting = (room - prices.worst(fit.size.bound, 0, now, fit.size.pictures)) // rate
    return fitting if fitting >= _least(fit) else 0
