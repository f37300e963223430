"""Which targets may take a request, in which order, and why each stands where it stands or was left out."""

from collections.abc import Container
from dataclasses import dataclass

from .admission import Admission
from .benches import Benches
from .breaker import BreakerState
from .fleet import Fleet, Lane
from .model import (
    Candidate,
    Capability,
    Claim,
    Estimate,
    Image,
    LeftOut,
    Pins,
    Plan,
    Request,
    Target,
    Unit,
    Why,
)
from .ports import Clock
from .strategies import STRATEGIES
from .tokens import Size, measure

_MISSING: tuple[tuple[Capability, Why], ...] = (
    (Capability.CHAT, Why.NO_CHAT),
    (Capability.VISION, Why.NO_VISION),
    (Capability.TOOLS, Why.NO_TOOLS),
    (Capability.STRUCTURED, Why.NO_STRUCTURE),
)
_MEMO_SIZE = 64
# An answer cut to less than half of its usual room would rarely be whole: better another target, or a clear refusal.
_LEAST_SHARE = 2


@dataclass(frozen=True, slots=True)
class Ask:
    """A request with what is worked out once for all its attempts."""

    request: Request
    needs: Capability
    size: Size

    @classmethod
    def of(cls, request: Request) -> Ask:
        """Work out what a request needs."""
        needs = request.needs
        if any(isinstance(part, Image) for message in request.messages for part in message.parts):
            needs |= Capability.VISION
        if request.tools:
            needs |= Capability.TOOLS
        if request.structure is not None:
            needs |= Capability.STRUCTURED
        return cls(request, needs, measure(request))


@dataclass(frozen=True, slots=True)
class Offer:
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
    """What earlier attempts of the same request taught: targets not to try again, and a context that was too small."""

    tried: Container[Target] = ()
    context_over: int | None = None
    unpaid_only: bool = False


NO_HINDSIGHT = Hindsight()


class Planner:
    """Plans requests over one fleet. What does not depend on time is worked out once per kind of request."""

    def __init__(self, fleet: Fleet, admission: Admission, benches: Benches, clock: Clock) -> None:
        """Plan for one configuration."""
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
        for lane in strategy.order(able, request):
            if lane.target not in hindsight.tried:
                self._consider(lane, ask, hindsight, draft, now)
        return draft

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
        breaker = self._admission.breaker(lane.target)
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
            self._admission.claim(offer.lane, candidate.hold, probe=True),
            offer.max_output,
        )

    def price(self, lane: Lane, ask: Ask, reason: str, *, unpaid_only: bool = False) -> Offer | LeftOut:
        """Work out what a target would hold: the input bounded by its bytes, the output by the tokens it may make."""
        config = self.fleet.config
        bounds = ask.request.bounds
        model = lane.model
        asked = bounds.max_output
        usual = config.reasoning_output if Capability.REASONING in model.caps else config.max_output
        output = asked or usual
        if model.max_output is not None:
            output = min(output, model.max_output)
        size = ask.size
        now = self._clock.now()
        prices = model.prices
        cost: int | None
        if prices is None:
            cost, hold = None, config.unknown_price_hold
            if hold is None:
                return LeftOut(lane.target, Why.PRICE_UNKNOWN)
        elif prices.free:
            cost = hold = 0
        else:
            hold = prices.worst(size.bound, output, now)
            cost = prices.worst(size.estimate, output, now)
        if hold:
            if unpaid_only:
                return LeftOut(lane.target, Why.LEDGER_DOWN)
            room = self._admission.headroom(lane)
            if bounds.max_cost is not None and (room is None or bounds.max_cost < room):
                room = bounds.max_cost
            if room is not None and hold > room:
                fitting = 0
                if asked is None and prices is not None:
                    rate = prices.at(now, size.bound).dearest_output
                    fitting = (room - prices.worst(size.bound, 0, now)) // rate if rate else 0
                if fitting * _LEAST_SHARE < output:
                    return self._too_dear(lane, hold)
                output = fitting
                hold = prices.worst(size.bound, output, now) if prices is not None else hold
        candidate = Candidate(lane.target, Estimate(size.estimate, output, cost), hold, reason)
        return Offer(lane, candidate, self._admission.claim(lane, hold), output)

    def _too_dear(self, lane: Lane, hold: int) -> LeftOut:
        refused = self._admission.refusal(self._admission.claim(lane, hold))
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
