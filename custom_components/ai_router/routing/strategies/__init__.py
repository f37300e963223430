"""In which order the targets of a plan are tried. One small class for each way to choose."""

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from ..fleet import Lane
from ..model import Target
from ..offers import Ask, Offer
from ..outcome import Outcome
from ..plans import Because, Reason, Why
from .adaptive import AdaptiveStrategy
from .cheapest import CheapestStrategy
from .choice import Choice, Ranked, Senses, Strategy, switched_off
from .experiment import ExperimentStrategy
from .fastest import FastestStrategy
from .fixed import ManualStrategy, PriorityStrategy, RandomStrategy
from .load import LeastLoadedStrategy
from .turns import RoundRobinStrategy, WeightedStrategy

__all__ = ["OWN", "STRATEGIES", "Choice", "Ranked", "Senses", "Strategies", "Strategy"]

_LOGGER = logging.getLogger(__name__)

# What makes each way to choose, once for every router. A plug-in adds its own under a new name.
STRATEGIES: dict[str, Callable[[], Strategy]] = {
    strategy.name: strategy
    for strategy in (
        PriorityStrategy,
        RoundRobinStrategy,
        WeightedStrategy,
        RandomStrategy,
        LeastLoadedStrategy,
        FastestStrategy,
        CheapestStrategy,
        AdaptiveStrategy,
        ManualStrategy,
        ExperimentStrategy,
    )
}
OWN = frozenset(STRATEGIES)
"""The names of those that no plug-in brings."""


class Strategies:
    """The ways to choose of one router, with what they have learned. They outlive changes of configuration.

    All of them learn from the start, so that one that is switched to already knows. One that fails, as a plug-in's may,
    stops nothing: the household's order holds instead.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._made: dict[str, Strategy] = {}
        self._learners: dict[str, Strategy] = {}
        self._targets: Set[Target] = frozenset()
        self._scopes: Set[str | None] = frozenset()
        for name in STRATEGIES:
            self.knows(name)

    def apply(self, targets: Set[Target], scopes: Set[str | None]) -> None:
        """Forget targets and scopes that are gone."""
        self._targets, self._scopes = targets, scopes
        for name, strategy in self._made.items():
            try:
                strategy.keep(targets, scopes)
            except Exception:
                _LOGGER.exception("The strategy %s failed", name)

    def bars(self, choice: Choice, lane: Lane) -> Why | None:
        """Say why a lane is not for a choice at all; None if it may be."""
        if not self.knows(choice.strategy):
            return Why.UNKNOWN_STRATEGY
        why = switched_off(lane) if choice.instead else None
        if why is not None:
            return why
        try:
            return self._made[choice.strategy].bars(choice, lane)
        except Exception:
            _LOGGER.exception("The strategy %s failed", choice.strategy)
            return switched_off(lane)

    def knows(self, name: str) -> bool:
        """Say whether there is such a way to choose: a plug-in may have brought it since, or have taken it along."""
        make = STRATEGIES.get(name)
        if make is None:
            self._made.pop(name, None)
            self._learners.pop(name, None)
        elif name not in self._made:
            try:
                strategy = self._made[name] = make()
            except Exception:
                _LOGGER.exception("The strategy %s could not be made", name)
            else:
                if type(strategy).learn is not Strategy.learn:
                    self._learners[name] = strategy
        return name in self._made

    def order(self, choice: Choice) -> Sequence[Ranked]:
        """Put the offers of a choice in order. Changes nothing."""
        if not choice.offers:
            return ()
        try:
            ranked = self._made[choice.strategy].order(choice)
            if sorted([id(offer) for offer, _ in ranked]) == sorted(map(id, choice.offers)):
                return ranked
        except Exception:
            _LOGGER.exception("The strategy %s failed", choice.strategy)
        else:
            _LOGGER.error("The strategy %s did not put the offers in order that it was given", choice.strategy)
        return [(offer, Reason(Because.HOUSEHOLD_ORDER)) for offer in choice.offers]

    def took(self, choice: Choice, rivals: Sequence[Offer]) -> None:
        """Tell who was granted: the first of `rivals`, all of whom could have been."""
        try:
            self._made[choice.strategy].took(choice, rivals)
        except Exception:
            _LOGGER.exception("The strategy %s failed", choice.strategy)

    def learn(self, ask: Ask, target: Target, outcome: Outcome, now: float) -> None:
        """Tell how an attempt ended. The one place from which the strategies learn."""
        if target not in self._targets:
            return
        for name, strategy in self._learners.items():
            try:
                strategy.learn(ask, target, outcome, now)
            except Exception:
                _LOGGER.exception("The strategy %s failed", name)

    # --- what outlives a restart ---------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what all of them have learned, as plain values."""
        states: dict[str, Any] = {}
        for name, strategy in self._made.items():
            try:
                state = strategy.state()
            except Exception:
                _LOGGER.exception("The strategy %s failed", name)
            else:
                if state is not None:
                    states[name] = state
        return states

    def restore(self, states: Mapping[str, Any]) -> None:
        """Take back what was learned in an earlier run; one that cannot read it begins anew."""
        for name, state in states.items():
            if not self.knows(name):
                continue
            try:
                self._made[name].restore(state)
                self._made[name].keep(self._targets, self._scopes)
            except Exception:
                _LOGGER.exception("What the strategy %s had learned cannot be read", name)
                del self._made[name]
                self.knows(name)
