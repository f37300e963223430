"""Which targets may take a request, in which order, and why each stands where it stands or was left out."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from .admission import Admission
from .benches import Benches
from .breaker import BreakerState
from .budgets import AtCap
from .config import RouterConfig
from .fleet import Fleet, Lane, request_money
from .model import Bounds, Capability, Image, Pins, Request, Target, tighter
from .money import Picodollars, Prices
from .plans import Candidate, Estimate, LeftOut, Plan, Why
from .ports import Clock
from .strategies import STRATEGIES
from .tickets import BucketKey, Claim, Unit
from .tokens import Size, measure
from .usual import Usual

_MISSING: tuple[tuple[Capability, Why], ...] = (
    (Capability.CHAT, Why.NO_CHAT),
    (Capability.VISION, Why.NO_VISION),
    (Capability.TOOLS, Why.NO_TOOLS),
    (Capability.STRUCTURED, Why.NO_STRUCTURE),
)
_MEMO_SIZE = 64
# An answer cut to less than half of its usual room would rarely be whole: better another target, or a clear refusal.
_LEAST_SHARE = 2
_MARGIN = 1.2


@dataclass(frozen=True, slots=True)
class Ask:
    """A request with what is worked out once for all its attempts."""

    request: Request
    needs: Capability
    size: Size
    bounds: Bounds
    money: tuple[BucketKey, ...]

    @classmethod
    def of(cls, request: Request, config: RouterConfig) -> Ask:
        """Work out what a request needs, which bounds hold (the tighter ones), and whose budgets it draws from."""
        needs = request.needs
        if any(isinstance(part, Image) for message in request.messages for part in message.parts):
            needs |= Capability.VISION
        if request.tools:
            needs |= Capability.TOOLS
        if request.structure is not None:
            needs |= Capability.STRUCTURED
        bounds = request.bounds.tighten(config.bounds)
        return cls(request, needs, measure(request), bounds, request_money(config, request.caller, request.label))


class Offer(NamedTuple):
    """A lane that may take the request now: its place in the plan and what it would claim."""

    lane: Lane
    candidate: Candidate
    claim: Claim
    max_output: int


@dataclass(slots=True)
class Draft:
    """A plan with the working parts: offers in order, those left out, and lanes kept back only by an open breaker."""

    offers: list[Offer]
    left_out: list[LeftOut]
    broken: list[Lane]
    strategy: str
    confidence: float = 1.0

    def plan(self) -> Plan:
        """Return the plan as callers see it."""
        return Plan(
            tuple(offer.candidate for offer in self.offers),
            tuple(self.left_out),
            self.strategy,
            confidence=self.confidence,
        )


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What earlier attempts of the same request taught.

    Targets not to try again, providers that failed as a whole and so come last, a context that was too small, and that
    nothing paid may be sent.
    """

    tried: Container[Target] = ()
    down: frozenset[str] = frozenset()
    context_over: int | None = None
    unpaid_only: bool = False


NO_HINDSIGHT = Hindsight()


class Planner:
    """Plans requests over one fleet. What does not depend on time is worked out once per kind of request."""

    def __init__(self, fleet: Fleet, admission: Admission, benches: Benches, clock: Clock, usual: Usual) -> None:
        """Plan for one configuration; `usual` knows what tasks need."""
        self._usual = usual
        self.fleet = fleet
        self._admission = admission
        self._benches = benches
        self._clock = clock
        self._memo: dict[tuple[Capability, bool, Pins], tuple[tuple[Lane, ...], tuple[LeftOut, ...]]] = {}

    def draft(self, ask: Ask, hindsight: Hindsight = NO_HINDSIGHT) -> Draft:
        """Filter, order and price the targets."""
        request = ask.request
        name = request.pins.strategy or self.fleet.config.strategy
        strategy = STRATEGIES[name]
        able, unable = self._able(ask)
        draft = Draft([], list(unable), [], name)
        now = self._clock.now()
        lanes = strategy.order(able, request)
        if hindsight.down:
            lanes = sorted(lanes, key=lambda lane: lane.provider.id in hindsight.down)
        for lane in lanes:
            if lane.target not in hindsight.tried:
                self._consider(lane, ask, hindsight, draft, now)
        return draft

    def able(self, ask: Ask) -> Iterator[Target]:
        """Name the targets that may ever take a request, whatever the time."""
        return (lane.target for lane in self._able(ask)[0])

    def _able(self, ask: Ask) -> tuple[tuple[Lane, ...], tuple[LeftOut, ...]]:
        request = ask.request
        local_only = request.local_only or self.fleet.config.local_only
        key = (ask.needs, local_only, request.pins)
        found = self._memo.get(key)
        if found is None:
            able: list[Lane] = []
            unable: list[LeftOut] = []
            for lane in self.fleet:
                why = _why_not(lane, ask.needs, request.pins, local_only=local_only)
                if why is None:
                    able.append(lane)
                else:
                    unable.append(LeftOut(lane.target, why))
            prefer = request.pins.prefer
            if prefer:
                able.sort(
                    key=lambda lane: prefer.index(lane.provider.id) if lane.provider.id in prefer else len(prefer)
                )
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            found = self._memo[key] = (tuple(able), tuple(unable))
        return found

    def _consider(self, lane: Lane, ask: Ask, hindsight: Hindsight, draft: Draft, now: float) -> None:
        left_out = draft.left_out
        context = lane.model.context
        if context is not None and (
            ask.size.estimate >= context or (hindsight.context_over is not None and context <= hindsight.context_over)
        ):
            left_out.append(LeftOut(lane.target, Why.CONTEXT_TOO_SMALL))
            return
        bench = self._benches.of(lane.target, now)
        if bench is not None:
            why = Why.LIMITED if bench.resting else Why.BENCHED
            left_out.append(LeftOut(lane.target, why, bench.until))
            return
        reason = STRATEGIES[draft.strategy].reason(lane)
        offer = self.price(lane, ask, reason, unpaid_only=hindsight.unpaid_only)
        if isinstance(offer, LeftOut):
            left_out.append(offer)
            return
        breaker = self._admission.breakers.of(lane.target)
        if not breaker.closed:
            mono = self._clock.monotonic()
            if breaker.probing or breaker.state(mono) is BreakerState.OPEN:
                draft.broken.append(lane)
                left_out.append(LeftOut(lane.target, Why.BREAKER_OPEN, now + max(0.0, breaker.reopens_at - mono)))
                return
            offer = self.as_probe(offer)
        draft.offers.append(offer)

    def as_probe(self, offer: Offer) -> Offer:
        """Make an offer the one probe of a target whose breaker is not closed."""
        candidate = offer.candidate
        return Offer(
            offer.lane,
            Candidate(candidate.target, candidate.estimate, candidate.hold, f"{candidate.reason}, probing"),
            offer.claim._replace(probe=True),
            offer.max_output,
        )

    def price(self, lane: Lane, ask: Ask, reason: str, *, unpaid_only: bool = False) -> Offer | LeftOut:
        """Work out what a target would hold: the input bounded by its bytes, the output by the tokens it may make."""
        prices = lane.model.prices
        output = self._room(lane, ask)
        size = ask.size
        input_tokens = ceil(size.estimate * self._usual.ratio(lane.target))
        if prices is not None and prices.free:
            return self._unpaid(lane, ask, reason, Estimate(input_tokens, output, 0))
        if unpaid_only:
            return LeftOut(lane.target, Why.LEDGER_DOWN)
        if prices is None:
            return self._unknown(lane, ask, reason, Estimate(input_tokens, output, None))
        now = self._clock.now()
        budgets = (*lane.budgeted, *ask.money)
        room = tighter(self._admission.headroom(budgets), ask.bounds.max_cost)
        hold = prices.worst(size.bound, output, now)
        take = hold
        if room is not None:
            take = self._take(lane, ask, prices, hold, output, budgets, now)
            if take > room:
                output = self._affordable(ask, prices, room, output, now)
                if not output:
                    return self._too_dear(lane, ask, hold)
                take = hold = prices.worst(size.bound, output, now)
        estimate = Estimate(input_tokens, output, prices.worst(input_tokens, output, now))
        claim = self._admission.claim(lane, hold, estimate.tokens, extra=ask.money, take=take)
        return Offer(lane, Candidate(lane.target, estimate, hold, reason), claim, output)

    def _room(self, lane: Lane, ask: Ask) -> int:
        """Return how many tokens the answer may have."""
        config = self.fleet.config
        usual = config.reasoning_output if Capability.REASONING in lane.model.caps else config.max_output
        output = ask.bounds.max_output or usual
        return output if lane.model.max_output is None else min(output, lane.model.max_output)

    def _take(
        self,
        lane: Lane,
        ask: Ask,
        prices: Prices,
        hold: Picodollars,
        output: int,
        budgets: tuple[BucketKey, ...],
        now: float,
    ) -> Picodollars:
        """Return what budgets set aside: far from every limit what the task usually needs, near one the worst case."""
        if self.fleet.config.worst_case or ask.bounds.max_cost is not None:
            return hold
        usual = self._usual.output(lane.target, ask.request.label)
        if usual is None or not self._admission.is_far(budgets, hold):
            return hold
        size = ask.size
        input_tokens = min(size.bound, ceil(size.estimate * self._usual.ratio(lane.target) * _MARGIN))
        return min(hold, prices.worst(input_tokens, min(output, usual), now))

    def _affordable(self, ask: Ask, prices: Prices, room: Picodollars, output: int, now: float) -> int:
        """Return to how many output tokens the answer can be cut to fit; 0 if that would be too short to be whole."""
        rate = prices.at(now, ask.size.bound).dearest_output
        if ask.bounds.max_output is not None or not rate:
            return 0
        fitting = (room - prices.worst(ask.size.bound, 0, now)) // rate
        return fitting if fitting * _LEAST_SHARE >= output else 0

    def _unpaid(self, lane: Lane, ask: Ask, reason: str, estimate: Estimate) -> Offer | LeftOut:
        at_cap = self.fleet.config.at_cap
        if at_cap is not AtCap.FREE and (at_cap is AtCap.REFUSE or not lane.model.local):
            room = self._admission.headroom((*lane.budgeted, *ask.money))
            if room is not None and room <= 0:
                return self._too_dear(lane, ask, 1)
        claim = self._admission.claim(lane, 0, estimate.tokens)
        return Offer(lane, Candidate(lane.target, estimate, 0, reason), claim, estimate.output_tokens)

    def _unknown(self, lane: Lane, ask: Ask, reason: str, estimate: Estimate) -> Offer | LeftOut:
        """Offer a target of unknown price at the household's ceiling for such calls."""
        hold = self.fleet.config.unknown_price_hold
        if hold is None:
            return LeftOut(lane.target, Why.PRICE_UNKNOWN)
        room = tighter(self._admission.headroom((*lane.budgeted, *ask.money)), ask.bounds.max_cost)
        if room is not None and hold > room:
            return self._too_dear(lane, ask, hold)
        claim = self._admission.claim(lane, hold, estimate.tokens, extra=ask.money)
        return Offer(lane, Candidate(lane.target, estimate, hold, reason), claim, estimate.output_tokens)

    def _too_dear(self, lane: Lane, ask: Ask, hold: Picodollars) -> LeftOut:
        refused = self._admission.refusal(self._admission.claim(lane, hold, 0, extra=ask.money))
        if refused is not None and refused.bucket is not None and refused.bucket.unit is Unit.MONEY:
            return LeftOut(lane.target, Why.OVER_BUDGET, refused.free_at)
        return LeftOut(lane.target, Why.TOO_EXPENSIVE)


def _why_not(lane: Lane, needs: Capability, pins: Pins, *, local_only: bool) -> Why | None:
    """Say why a target can never take such a request, whatever the time."""
    provider, model = lane.provider, lane.model
    if not provider.enabled:
        return Why.DISABLED
    if provider.id in pins.exclude:
        return Why.EXCLUDED
    if (
        (pins.providers and provider.id not in pins.providers)
        or (pins.models and model.id not in pins.models)
        or (pins.targets and lane.target not in pins.targets)
    ):
        return Why.NOT_ASKED_FOR
    if local_only and not model.local:
        return Why.NOT_LOCAL
    missing = needs & ~model.caps
    if not missing:
        return None
    return next((why for capability, why in _MISSING if capability in missing), Why.LACKS_CAPABILITY)
