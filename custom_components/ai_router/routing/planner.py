"""Which targets may take a request, in which order, and why each stands where it stands or was left out."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .admission import Admission
from .benches import Benches
from .breaker import BreakerState
from .config import PoolConfig
from .fitting import Fitting
from .fleet import Fleet, Lane, pool_money
from .metrics import Recent
from .model import Capability, Target
from .money import Picodollars
from .offers import Ask, Offer
from .plans import Because, Candidate, LeftOut, Plan, Reason, Why
from .pools import Pools, Stop, why_unable
from .ports import Clock
from .pricing import Pricing
from .request import Bounds, Request
from .rules import Rules
from .strategies import Choice, Senses, Strategies
from .strategies.fixed import PriorityStrategy
from .tickets import BucketKey, Scope
from .usual import Usual

_PROBING, _STRATEGY_GONE = Reason(Because.PROBING), Reason(Because.STRATEGY_GONE)


@dataclass(slots=True)
class Draft:
    """A plan with the working parts: offers in order, those left out, and offers kept back only by an open breaker.

    `short` are the budgets that have too little left for a target.
    """

    offers: list[Offer]
    left_out: list[LeftOut]
    broken: list[Offer]
    strategy: str
    rule: str | None = None
    pool: str | None = None
    confidence: float = 0.0
    choices: dict[str | None, Choice] = field(default_factory=dict)
    reasons: dict[Target, tuple[Reason | str, ...]] = field(default_factory=dict)
    tiers: dict[Target, tuple[bool, int]] = field(default_factory=dict)
    short: list[BucketKey] = field(default_factory=list)

    def leave_out(self, left_out: LeftOut) -> None:
        """Leave a target out that may be asked at another time."""
        self.left_out.append(left_out)
        if left_out.why is Why.OVER_BUDGET and left_out.bucket is not None:
            self.short.append(left_out.bucket)

    def plan(self) -> Plan:
        """Return the plan as callers see it. What one pool leaves out and another offers is not left out."""
        left_out = self.left_out
        if len(self.choices) > 1:
            offered = {offer.lane.target for offer in self.offers}
            left_out = [each for each in dict.fromkeys(left_out) if each.target not in offered]
        candidates = []
        for _, estimate, claim, _ in self.offers:
            reasons = self.reasons[claim.target]
            if claim.probe:
                reasons = (*reasons, _PROBING)
            candidates.append(Candidate(claim.target, estimate, claim.hold, reasons))
        return Plan(tuple(candidates), tuple(left_out), self.strategy, self.rule, self.confidence, self.pool)


class Hindsight(NamedTuple):
    """What earlier attempts of the same request taught.

    Targets not to try again, providers that failed as a whole and so come last, a context that was too small, that
    nothing paid may be sent, and what the attempts have cost: no more than the rest may be spent.
    """

    tried: Container[Target] = ()
    down: frozenset[str] = frozenset()
    context_over: int | None = None
    unpaid_only: bool = False
    spent: Picodollars = 0


NO_HINDSIGHT = Hindsight()


class Planner:
    """Plans requests over one fleet. What does not depend on time is worked out once per kind of request."""

    def __init__(
        self,
        fleet: Fleet,
        admission: Admission,
        benches: Benches,
        clock: Clock,
        usual: Usual,
        strategies: Strategies,
        chance: Callable[[], float],
        recent: Callable[[str], Recent],
    ) -> None:
        """Plan for one configuration.

        `usual` knows what tasks need, `chance` gives random numbers from 0 to 1, `recent` is how providers did lately.
        """
        self.fleet = fleet
        self._strategies = strategies
        self._senses = Senses(clock, chance, admission.load, usual)
        self._fitting = Fitting(fleet.config, usual)
        self._pricing = Pricing(fleet.config, admission, clock, usual)
        self._admission = admission
        self._benches = benches
        self._clock = clock
        self._pools = Pools(fleet)
        self._rules = Rules(fleet.config.rules, fleet.config.zone)
        self._recent = recent

    def ask(self, request: Request, *, live: bool = False) -> Ask:
        """Work out what holds for a request now; `live`: somebody listens to the answer as it comes."""
        return Ask.of(request, self.fleet.config, self._rules, self._clock.now(), live=live)

    def draft(self, ask: Ask, hindsight: Hindsight = NO_HINDSIGHT) -> Draft:
        """Filter, price and order the targets: those of the first pool, then those of each that is asked in its stead."""
        first = self._pools.first(ask)
        draft = Draft([], [], [], self._strategy(first.pool, ask)[0], ask.rule, ask.pool)
        stop: Stop | None = first
        while stop is not None and ask.refused is None:
            scope = None if stop.pool is None else stop.pool.id
            strategy, as_set = self._strategy(stop.pool, ask)
            choice = Choice(strategy, scope, ask, self._senses, [], instead=not as_set)
            at_cap = self._arrange(stop, choice, hindsight, draft)
            if not as_set:
                for offer in choice.offers:
                    draft.reasons[offer.lane.target] += (_STRATEGY_GONE,)
            stop = self._pools.after(stop, at_cap=at_cap)
        if len(draft.choices) > 1 and hindsight.down:
            draft.offers.sort(key=lambda offer: offer.lane.provider.id in hindsight.down)
        return draft

    def _strategy(self, pool: PoolConfig | None, ask: Ask) -> tuple[str, bool]:
        """Return how to choose, and whether that is what was set: a setting may name what a plug-in took along.

        That stops no request: then the router's way holds, and at last the household's order. What a request itself
        names is not replaced, so that it hears of a misspelt name.
        """
        asked = ask.request.pins.strategy
        if asked is not None:
            return asked, True
        routers = self.fleet.config.strategy
        as_set = (pool and pool.strategy) or routers
        for name in (as_set, routers):
            if self._strategies.knows(name):
                return name, name == as_set
        return PriorityStrategy.name, False

    def _arrange(self, stop: Stop, choice: Choice, hindsight: Hindsight, draft: Draft) -> bool:
        """Add to a draft those lanes of a stop that may take the request now, in the order of their strategy.

        Before it come the providers that the caller prefers, after it those that failed as a whole. Returns whether the
        pool's budget is used up.
        """
        now = self._clock.now()
        ask = choice.ask
        lanes, bounds = self._pools.lanes(stop, ask), self._pools.bounds(stop, ask)
        draft.left_out += lanes.unable
        offered = {offer.lane.target for offer in draft.offers}
        at_cap = self._is_at_cap(stop.pool)
        for lane in lanes.able:
            if lane.target in hindsight.tried or lane.target in offered:
                continue
            why = self._strategies.bars(choice, lane)
            if why is not None:
                draft.left_out.append(LeftOut(lane.target, why))
                continue
            found = self._consider(lane, ask, bounds(lane.target), hindsight, draft, now, at_cap=stop.at_cap)
            if isinstance(found, Offer):
                choice.offers.append(found)
            else:
                draft.leave_out(found)
                at_cap = at_cap or (found.bucket is not None and found.bucket.scope is Scope.POOL)
        ranked = self._strategies.order(choice)
        prefer, down = choice.ask.request.pins.prefer, hindsight.down
        if prefer or down:
            for offer in choice.offers:
                draft.tiers[offer.lane.target] = _tier(offer.lane.provider.id, prefer, down)
            ranked = sorted(ranked, key=lambda place: draft.tiers[place[0].lane.target])
        for offer, reason in ranked:
            draft.offers.append(offer)
            draft.reasons[offer.lane.target] = (reason,)
        draft.choices[choice.scope] = choice
        return at_cap

    def _is_at_cap(self, pool: PoolConfig | None) -> bool:
        if pool is None or not pool.budgets:
            return False
        room = self._admission.budgets.headroom(pool_money(pool))
        return room is not None and room <= 0

    def plan(self, draft: Draft) -> Plan:
        """Return a draft as callers see it, with how likely its first target answers."""
        if draft.offers:
            draft.confidence = self._recent(draft.offers[0].lane.provider.id).confidence
        return draft.plan()

    def took(self, draft: Draft, place: int) -> None:
        """Hear that an attempt was granted to the offer in this place; those before it were refused."""
        chosen = draft.offers[place].lane
        rivals = draft.offers[place:]
        if len(draft.choices) > 1:
            rivals = [offer for offer in rivals if offer.lane.pool == chosen.pool]
        if draft.tiers:
            tier = draft.tiers[chosen.target]
            rivals = [offer for offer in rivals if draft.tiers[offer.lane.target] == tier]
        self._strategies.took(draft.choices[chosen.pool], rivals)

    def able(self, ask: Ask) -> Iterator[Target]:
        """Name the targets that may ever take a request, whatever the time."""
        return iter(() if ask.refused is not None else self._pools.able(ask))

    def _consider(
        self, lane: Lane, ask: Ask, bounds: Bounds, hindsight: Hindsight, draft: Draft, now: float, *, at_cap: bool
    ) -> Offer | LeftOut:
        target = lane.target
        if hindsight.spent and bounds.max_cost is not None:
            bounds = replace(bounds, max_cost=bounds.max_cost - hindsight.spent)
        context, over = lane.model.context, hindsight.context_over
        fit = None
        if context is None or over is None or context > over:
            fit = self._fitting.fit(lane, ask, bounds)
        if fit is None:
            return LeftOut(target, Why.CONTEXT_TOO_SMALL)
        if self._benches and (aside := self._aside(target, ask.needs, now)) is not None:
            return aside
        if bounds.max_latency is not None:
            usual = self._recent(target.provider_id).latency_of(target.model_id, now)
            if usual is not None and usual > bounds.max_latency:
                return LeftOut(target, Why.TOO_SLOW)
        unpaid = Why.LEDGER_DOWN if hindsight.unpaid_only else None
        offer = self._pricing.price(lane, ask, fit, unpaid=unpaid, at_cap=at_cap)
        if isinstance(offer, LeftOut):
            return offer
        breaker = self._admission.breakers.of(target)
        if breaker.closed:
            return offer
        mono = self._clock.monotonic()
        if breaker.probing or breaker.state(mono) is BreakerState.OPEN:
            draft.broken.append(offer)
            return LeftOut(target, Why.BREAKER_OPEN, now + max(0.0, breaker.reopens_at - mono))
        return self.as_probe(offer)

    def _aside(self, target: Target, needs: Capability, now: float) -> LeftOut | None:
        if self._benches.is_blind(target, now) and Capability.VISION in needs:
            return LeftOut(target, Why.NO_VISION)
        if self._benches.is_unable(target, needs):
            return LeftOut(target, why_unable(needs & ~Capability.CHAT))
        bench = self._benches.of(target, now)
        if bench is None:
            return None
        return LeftOut(target, Why.LIMITED if bench.resting else Why.BENCHED, bench.until, cls=bench.cls)

    def as_probe(self, offer: Offer) -> Offer:
        """Make an offer the one probe of a target whose breaker is not closed."""
        return offer._replace(claim=offer.claim._replace(probe=True))


def _tier(provider_id: str, prefer: Sequence[str], down: Container[str]) -> tuple[bool, int]:
    return provider_id in down, prefer.index(provider_id) if provider_id in prefer else len(prefer)
