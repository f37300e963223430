"""The strategy that learns by itself which target does a kind of request best."""

from collections import OrderedDict
from collections.abc import Sequence, Set
from functools import lru_cache
from math import cos, exp, log, pi, sin, sqrt
from statistics import median
from typing import Any, NamedTuple, override

from ..model import Capability, Op, Target
from ..offers import Ask
from ..outcome import Outcome
from ..plans import Because, Reason
from .cheapest import expected_prices
from .choice import Choice, Ranked, Strategy

# What one attempt is still worth after the next of its kind: about the last two hundred count.
_DISCOUNT = 0.995
# How often any target is tried, whatever is known.
_EXPLORED = 0.02
_KINDS = 64
_LONG = 4_000
# So many targets of the kinds that were seen last are kept over a restart.
_KEPT = 2_000
_KIND_NEEDS = Capability.VISION | Capability.TOOLS | Capability.STRUCTURED
# What is believed of a target of which nothing is known, as if from so many attempts: mostly good, at the others' pace,
# give or take a factor of two.
_GOOD, _BAD = 1.0, 0.25
_SPREAD = 0.5


class Kind(NamedTuple):
    """Requests that are alike: what they ask for, how long they are, and whether somebody listens."""

    op: Op
    needs: Capability
    long: bool
    live: bool

    @classmethod
    def of(cls, ask: Ask) -> Kind:
        """Say of which kind a request is."""
        return cls(ask.request.op, _kind_needs(ask.needs), ask.size.estimate > _LONG, ask.live)


@lru_cache(maxsize=64)
def _kind_needs(needs: Capability) -> Capability:
    return needs & _KIND_NEEDS


class Arm:
    """What is known of one target for one kind of request: discounted counts and the logarithms of its seconds."""

    __slots__ = ("bad", "good", "logs", "squares", "timed")

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.good = self.bad = self.timed = self.logs = self.squares = 0.0

    def fade(self) -> None:
        """Discount what is known, for one more attempt of the kind, on whichever target."""
        self.good *= _DISCOUNT
        self.bad *= _DISCOUNT
        self.timed *= _DISCOUNT
        self.logs *= _DISCOUNT
        self.squares *= _DISCOUNT

    def note(self, good: bool, seconds: float) -> None:
        """Note how an attempt ended; only an answer has a time."""
        if not good:
            self.bad += 1
            return
        self.good += 1
        logarithm = log(max(seconds, 1e-3))
        self.timed += 1
        self.logs += logarithm
        self.squares += logarithm * logarithm

    @property
    def likely(self) -> float:
        """How likely the next answer is good."""
        return (self.good + _GOOD) / (self.good + self.bad + _GOOD + _BAD)

    def pace(self, usual: float) -> float:
        """Return the logarithm of the seconds to expect, believing in the usual as in one answer more."""
        return (self.logs + usual) / (self.timed + 1)

    def draw_likely(self, chance: float) -> float:
        """Draw from what may be the share of good answers. `chance` is normal."""
        likely = self.likely
        spread = sqrt(likely * (1 - likely) / (self.good + self.bad + _GOOD + _BAD + 1))
        return min(1.0, max(0.0, likely + chance * spread))

    def draw_seconds(self, usual: float, chance: float) -> float:
        """Draw from what may be the typical seconds of an answer. `chance` is normal."""
        pace = self.pace(usual)
        scatter = self.squares - 2 * pace * self.logs + self.timed * pace * pace + (usual - pace) ** 2 + _SPREAD
        return exp(pace + chance * sqrt(scatter) / (self.timed + 1))


class AdaptiveStrategy(Strategy):
    """The best of what may be: success times speed times cheapness, each drawn from what is known of a target.

    Thompson sampling with discounted experience (Raj and Kalyani 2017), so that what changes is found out; the
    posteriors are drawn as normal ones with the same mean and spread. Any target is tried now and then.
    """

    name = "adaptive"

    def __init__(self) -> None:
        """Begin with nothing known. The kind that was not seen for longest is forgotten."""
        self._kinds: OrderedDict[Kind, dict[Target, Arm]] = OrderedDict()

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        offers = choice.offers
        known = self._kinds.get(Kind.of(choice.ask), {})
        arms = [known.get(offer.lane.target) or Arm() for offer in offers]
        timed = [arm.logs / arm.timed for arm in arms if arm.timed]
        usual = median(timed) if timed else 0.0
        seconds = exp(usual)
        drawn = [
            arm.draw_likely(one) * seconds / (seconds + arm.draw_seconds(usual, other)) * cheap
            for arm, (one, other), cheap in zip(arms, (_normal(choice) for _ in arms), _cheapness(choice), strict=True)
        ]
        places = sorted(range(len(offers)), key=lambda place: -drawn[place])
        ranked = [(offers[place], _reason(arms[place])) for place in places]
        if len(offers) > 1 and choice.senses.chance() < _EXPLORED:
            offer, _ = ranked.pop(choice.draw(len(ranked)))
            ranked.insert(0, (offer, Reason(Because.EXPLORED)))
        return ranked

    @override
    def learn(self, ask: Ask, target: Target, outcome: Outcome, now: float) -> None:
        if not outcome.telling:
            return
        kind = Kind.of(ask)
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= _KINDS:
                self._kinds.popitem(last=False)
            known = self._kinds[kind] = {}
        self._kinds.move_to_end(kind)
        for arm in known.values():
            arm.fade()
        arm = known.setdefault(target, Arm())
        first = outcome.first_token if kind.live else None
        arm.note(outcome.failure is None, outcome.latency if first is None else first)

    @override
    def keep(self, targets: Set[Target], scopes: Set[str | None]) -> None:
        for kind, known in self._kinds.items():
            self._kinds[kind] = {target: arm for target, arm in known.items() if target in targets}

    @override
    def state(self) -> Any:
        state: list[list[Any]] = []
        left = _KEPT
        for kind, known in reversed(self._kinds.items()):
            left -= len(known)
            if left < 0:
                break
            arms = [[*target, arm.good, arm.bad, arm.timed, arm.logs, arm.squares] for target, arm in known.items()]
            state.append([kind.op, kind.needs.value, kind.long, kind.live, arms])
        return state

    @override
    def restore(self, state: Any) -> None:
        for op, needs, long, live, arms in reversed(state):
            known = self._kinds[Kind(Op(op), Capability(needs), long, live)] = {}
            for provider_id, model_id, *figures in arms:
                arm = known[Target(provider_id, model_id)] = Arm()
                arm.good, arm.bad, arm.timed, arm.logs, arm.squares = map(float, figures)


def _cheapness(choice: Choice) -> list[float]:
    """Rate the expected prices from 0 to 1 against the usual one; an unknown price is taken for a dear one."""
    prices = expected_prices(choice)
    paid = [price for price in prices if price]
    usual = median(paid) if paid else 1.0
    dear = 2 * max(paid, default=1)
    return [usual / (usual + (dear if price is None else price)) for price in prices]


def _normal(choice: Choice) -> tuple[float, float]:
    """Draw two normal numbers (Box and Muller 1958)."""
    chance = choice.senses.chance
    length = sqrt(-2 * log(max(1 - chance(), 1e-12)))
    angle = 2 * pi * chance()
    return length * cos(angle), length * sin(angle)


def _reason(arm: Arm) -> Reason:
    if arm.timed:
        return Reason(Because.EXPERIENCE, share=arm.likely, seconds=exp(arm.logs / arm.timed))
    return Reason(Because.SUCCESS, share=arm.likely) if arm.bad else Reason(Because.NO_EXPERIENCE)
