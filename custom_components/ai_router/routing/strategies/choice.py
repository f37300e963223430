"""What a way to choose is: the interface of all strategies, and what one of them gets to choose from."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..fleet import Lane
from ..model import Target
from ..offers import Ask, Offer
from ..outcome import Outcome
from ..plans import Reason, Why
from ..ports import Clock
from ..tickets import Load
from ..usual import Usual

# An offer in its place, and why it stands there; a plug-in has no translations here, and says it in a few words.
type Ranked = tuple[Offer, Reason | str]


class Senses(NamedTuple):
    """What strategies may look at. `chance` gives random numbers, 0 to 1; `load` counts at the moment of the call."""

    clock: Clock
    chance: Callable[[], float]
    load: Callable[[Target], Load]
    usual: Usual


@dataclass(slots=True)
class Choice:
    """One choice for one request: between the offers that may take it now.

    `scope` is the pool that chooses, None for the router: positions are kept for each. `offers` come by priority, then
    in the household's order; their lanes have the weights that hold here. `instead`: this is not the way that is set,
    which is gone.
    """

    strategy: str
    scope: str | None
    ask: Ask
    senses: Senses
    offers: list[Offer]
    instead: bool = False

    def load(self, offer: Offer) -> Load:
        """Return what is under way on an offer's target now."""
        return self.senses.load(offer.lane.target)

    def draw(self, count: int) -> int:
        """Draw a number below `count`."""
        return min(int(self.senses.chance() * count), count - 1)


def switched_off(lane: Lane) -> Why | None:
    """Say that a lane without a share is off; also where a way to choose that goes by shares is gone, or has failed."""
    return None if lane.weight > 0 else Why.NO_SHARE


class Strategy(Protocol):
    """A way to choose. One instance lives as long as its router, through all changes of configuration.

    Only `order` must be written. It changes nothing, for it is asked for dry runs and again while a request waits; what
    was really chosen is told by `took`.
    """

    name: str

    def bars(self, choice: Choice, lane: Lane) -> Why | None:  # noqa: ARG002  # for those that bar nothing
        """Say why a lane is not for this choice at all, not even when all others fail; None if it may be."""
        return None

    def order(self, choice: Choice) -> Sequence[Ranked]:
        """Return every offer, in the order in which they are to be tried."""

    def took(self, choice: Choice, rivals: Sequence[Offer]) -> None:
        """Hear that an attempt was granted to the first of `rivals`; the others could have had it as well."""

    def learn(self, ask: Ask, target: Target, outcome: Outcome, now: float) -> None:
        """Hear how an attempt ended, whoever chose its target. `now` is monotonic seconds."""

    def keep(self, targets: Set[Target], scopes: Set[str | None]) -> None:
        """Forget what is known of all other targets and scopes: they are gone."""

    def state(self) -> Any:
        """Return what is learned as plain values that JSON can carry, to be kept over a restart; None is nothing."""
        return None

    def restore(self, state: Any) -> None:
        """Take back what `state` gave in an earlier run; `keep` is called afterwards."""
