"""The strategy that goes by speed."""

from collections.abc import Sequence, Set
from math import exp
from statistics import median
from typing import Any, NamedTuple, override

from ..model import Capability, Op, Target
from ..offers import Ask
from ..outcome import Outcome
from ..plans import Because, Reason
from .choice import Choice, Ranked, Strategy

# Within so many seconds two thirds of a jump are forgotten.
_DECAY = 15.0
_LEARNING = 0.125
# So many of the newest paces are kept over a restart.
_KEPT = 2_000
# How many answers a target stays known without one of its own, for each target of the choice.
_KNOWN_FOR = 50


class Pace:
    """How long a target takes, in seconds: a peak-sensitive moving average (after Finagle's PeakEwma).

    A slower answer counts at once and in full, and fades to what is usual within seconds; a faster one counts little by
    little. What is usual does not fade with time alone: in a house, minutes pass between two requests.
    """

    __slots__ = ("_at", "_peak", "number", "usual")

    def __init__(self, seconds: float, now: float, number: int) -> None:
        """Begin with a first measurement, and its number among all."""
        self.usual = seconds
        self._peak = 0.0
        self._at = now
        self.number = number

    def seconds(self, now: float) -> float:
        """Return what to expect now (monotonic seconds)."""
        return self.usual + self._peak * exp((self._at - now) / _DECAY)

    def note(self, seconds: float, now: float, number: int) -> None:
        """Note a measurement."""
        expected = max(self.seconds(now), seconds)
        # The longer only others answered, the less the old measurements are worth.
        learning = max(_LEARNING, 1 - exp((self.number - number) / _KNOWN_FOR))
        self.usual += (seconds - self.usual) * learning
        self._peak = max(0.0, expected - self.usual)
        self._at = now
        self.number = number


class _Kind(NamedTuple):
    """What is measured: which target at which work, to the first word or to the last, with pictures or without."""

    target: Target
    op: Op
    first: bool
    pictures: bool


class FastestStrategy(Strategy):
    """The shorter expected time of two that are drawn: pace times load.

    The power of two choices (Mitzenmacher 2001) over peak-EWMA times what is under way. Who listens to a stream waits
    for its first word, everybody else for the last. A target that is not known, or not any more, gets the median of the
    others, so that it is tried, and nobody else has to wait for it.
    """

    name = "fastest"

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._paces: dict[_Kind, Pace] = {}
        self._answers = 0

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        offers = choice.offers
        known = self._known(choice)
        usual = median(seconds) if (seconds := [pace for pace in known if pace is not None]) else 1.0
        expected = [
            (usual if pace is None else pace) * (choice.load(offer).target + 1)
            for offer, pace in zip(offers, known, strict=True)
        ]
        places = sorted(range(len(offers)), key=expected.__getitem__)
        if len(places) > 1:
            one, other = choice.draw(len(offers)), choice.draw(len(offers) - 1)
            other += other >= one
            first = one if expected[one] <= expected[other] else other
            places.remove(first)
            places.insert(0, first)
        return [(offers[place], _reason(known[place])) for place in places]

    def _known(self, choice: Choice) -> list[float | None]:
        now = choice.senses.clock.monotonic()
        ask = choice.ask
        pictures = Capability.VISION in ask.needs
        since = self._answers - _KNOWN_FOR * len(choice.offers)
        known: list[float | None] = []
        for offer in choice.offers:
            pace = self._paces.get(_Kind(offer.lane.target, ask.request.op, ask.live, pictures))
            known.append(None if pace is None or pace.number < since else pace.seconds(now))
        return known

    @override
    def learn(self, ask: Ask, target: Target, outcome: Outcome, now: float) -> None:
        self._answers += 1
        op, pictures = ask.request.op, Capability.VISION in ask.needs
        self._note(_Kind(target, op, False, pictures), None if outcome.failure else outcome.latency, outcome, now)
        if ask.request.stream:
            self._note(_Kind(target, op, True, pictures), outcome.first_token, outcome, now)

    def _note(self, kind: _Kind, seconds: float | None, outcome: Outcome, now: float) -> None:
        """Note a time; None where what is waited for did not come.

        Then somebody else has to be waited for on top of it; where the request alone was to blame, it is only known
        that it would have taken longer.
        """
        pace = self._paces.get(kind)
        if pace is None:
            if seconds is not None:
                self._paces[kind] = Pace(seconds, now, self._answers)
            return
        if seconds is None:
            expected = pace.seconds(now)
            seconds = outcome.latency + expected if outcome.telling else max(outcome.latency, expected)
        pace.note(seconds, now, self._answers)

    @override
    def keep(self, targets: Set[Target], scopes: Set[str | None]) -> None:
        self._paces = {kind: pace for kind, pace in self._paces.items() if kind.target in targets}

    @override
    def state(self) -> Any:
        newest = sorted(self._paces.items(), key=lambda item: -item[1].number)[:_KEPT]
        return [
            self._answers,
            [[*kind.target, kind.op, kind.first, kind.pictures, pace.usual, pace.number] for kind, pace in newest],
        ]

    @override
    def restore(self, state: Any) -> None:
        self._answers, paces = state
        for provider_id, model_id, op, first, pictures, usual, number in paces:
            kind = _Kind(Target(provider_id, model_id), Op(op), first, pictures)
            # What was a peak then is over.
            self._paces[kind] = Pace(usual, 0.0, number)


def _reason(seconds: float | None) -> Reason:
    return Reason(Because.PACE_UNKNOWN) if seconds is None else Reason(Because.PACE, seconds=seconds)
