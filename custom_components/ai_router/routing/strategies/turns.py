"""Strategies that share by turns. Only who was really sent to has had a turn; a dry run moves nobody.

Whose turn it is outlives a restart: in a house that restarts each night and asks little, the first in order would get
all there is.
"""

from collections.abc import Callable, Sequence, Set
from typing import Any, override

from ..fleet import Lane
from ..model import Target
from ..offers import Offer
from ..plans import Because, Reason, Why
from .choice import Choice, Ranked, Strategy, switched_off

_TURN, _NEXT_TURN = Reason(Because.TURN), Reason(Because.NEXT_TURN)


class RoundRobinStrategy(Strategy):
    """Each in turn: first goes who has waited longest since its last turn.

    Who comes back after an absence gets one turn, not all those it missed, and the turn of one that is out goes to each
    of the others alike.
    """

    name = "round_robin"

    def __init__(self) -> None:
        """Begin with nobody having had a turn."""
        self._turns: dict[str | None, dict[Target, int]] = {}
        self._last = 0

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        turns = self._turns.get(choice.scope, {})
        offers = sorted(choice.offers, key=lambda offer: turns.get(offer.lane.target, 0))
        return [(offer, _NEXT_TURN if place else _TURN) for place, offer in enumerate(offers)]

    @override
    def took(self, choice: Choice, rivals: Sequence[Offer]) -> None:
        self._last += 1
        self._turns.setdefault(choice.scope, {})[rivals[0].lane.target] = self._last

    @override
    def keep(self, targets: Set[Target], scopes: Set[str | None]) -> None:
        self._turns = _kept(self._turns, targets, scopes)

    @override
    def state(self) -> Any:
        return _plain(self._turns)

    @override
    def restore(self, state: Any) -> None:
        self._turns = _read(state, int)
        self._last = max((turn for turns in self._turns.values() for turn in turns.values()), default=0)


class WeightedStrategy(Strategy):
    """Each as often as its weight says, evenly spread; a weight of 0 is off.

    Smooth weighted round robin (Sysoev, nginx 1.3.1), on shares instead of weights, so that changed weights and changing
    company leave no debts behind: with each request everybody who could have had it gains its share of one turn, and
    who gets it pays a whole one.
    """

    name = "weighted"

    def __init__(self) -> None:
        """Begin with nobody owing or owed."""
        self._owed: dict[str | None, dict[Target, float]] = {}

    @override
    def bars(self, choice: Choice, lane: Lane) -> Why | None:
        return switched_off(lane)

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        owed = self._owed.get(choice.scope, {})
        shares = _shares(choice.offers)
        offers = sorted(
            choice.offers, key=lambda offer: -(owed.get(offer.lane.target, 0.0) + shares[offer.lane.target])
        )
        return [(offer, Reason(Because.SHARE, share=shares[offer.lane.target])) for offer in offers]

    @override
    def took(self, choice: Choice, rivals: Sequence[Offer]) -> None:
        owed = self._owed.setdefault(choice.scope, {})
        for target, share in _shares(rivals).items():
            owed[target] = owed.get(target, 0.0) + share
        owed[rivals[0].lane.target] -= 1.0

    @override
    def keep(self, targets: Set[Target], scopes: Set[str | None]) -> None:
        self._owed = _kept(self._owed, targets, scopes)

    @override
    def state(self) -> Any:
        return _plain(self._owed)

    @override
    def restore(self, state: Any) -> None:
        self._owed = _read(state, float)


def _shares(offers: Sequence[Offer]) -> dict[Target, float]:
    weights = {offer.lane.target: offer.lane.weight for offer in offers}
    total = sum(weights.values())
    return {target: weight / total for target, weight in weights.items()}


def _kept[N](
    known: dict[str | None, dict[Target, N]], targets: Set[Target], scopes: Set[str | None]
) -> dict[str | None, dict[Target, N]]:
    return {
        scope: {target: value for target, value in values.items() if target in targets}
        for scope, values in known.items()
        if scope in scopes
    }


def _plain[N](known: dict[str | None, dict[Target, N]]) -> list[list[Any]]:
    return [[scope, *target, value] for scope, values in known.items() for target, value in values.items()]


def _read[N](state: Any, number: Callable[[Any], N]) -> dict[str | None, dict[Target, N]]:
    known: dict[str | None, dict[Target, N]] = {}
    for scope, provider_id, model_id, value in state:
        known.setdefault(scope, {})[Target(provider_id, model_id)] = number(value)
    return known
