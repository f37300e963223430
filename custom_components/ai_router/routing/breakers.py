"""The breakers of all targets: what an attempt's outcome means for them, and which let an attempt through."""

from .breaker import DEFAULT_BREAKER, Breaker, BreakerSettings, BreakerState
from .failures import MEANING, FailureScope
from .model import Target
from .outcome import Outcome
from .ports import BreakerMoved, Bus, Clock
from .tickets import Claim, Ticket


class Breakers:
    """Keyed by target, so that a change of configuration loses nothing."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        """Begin with all closed."""
        self._clock = clock
        self._bus = bus
        self._settings = DEFAULT_BREAKER
        self._targets: frozenset[Target] = frozenset()
        self._breakers: dict[Target, Breaker] = {}

    def apply(self, settings: BreakerSettings, targets: frozenset[Target]) -> None:
        """Take new settings and forget targets that are gone."""
        self._settings = settings
        self._targets = targets
        self._breakers = {target: breaker for target, breaker in self._breakers.items() if target in targets}
        for breaker in self._breakers.values():
            breaker.settings = settings

    def of(self, target: Target) -> Breaker:
        """Return a target's breaker."""
        breaker = self._breakers.get(target)
        if breaker is None:
            breaker = self._breakers[target] = Breaker(self._settings)
        return breaker

    def passes(self, claim: Claim) -> bool:
        """Say whether a claim may go: through a closed breaker, or as the one probe."""
        breaker = self._breakers.get(claim.target)
        if breaker is None or breaker.closed:
            return True
        return claim.probe and not breaker.probing

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """Move a target's breaker by how an attempt ended."""
        target = ticket.target
        failure = outcome.failure
        breaker = self._breakers.get(target)
        if breaker is None:
            if failure is None:
                return
            breaker = self.of(target)
        mono = self._clock.monotonic()
        weight = 0.0
        if failure is not None and failure.scope is not FailureScope.REQUEST:
            weight = MEANING[failure.cls].breaker
        if weight and failure is not None and failure.scope is FailureScope.PROVIDER:
            self._fail_others(target, weight, mono)
        if weight:
            moved = breaker.fail(weight, mono, probe=ticket.probe)
        elif failure is None or failure.status is not None:
            # A refusal with a status is an answer: the target lives, whatever it thinks of this request.
            moved = breaker.succeed(probe=ticket.probe)
        else:
            if ticket.probe:
                breaker.release()
            moved = False
        if moved:
            self._bus(BreakerMoved(target, breaker.state(mono)))

    def _fail_others(self, target: Target, weight: float, mono: float) -> None:
        """Count what is wrong with the whole provider for its other models too: they need not find out one by one."""
        for other in self._targets:
            if other.provider_id == target.provider_id and other != target:
                breaker = self.of(other)
                if breaker.closed and breaker.fail(weight, mono, probe=False):
                    self._bus(BreakerMoved(other, breaker.state(mono)))

    def reset(self, provider_id: str) -> None:
        """Close a provider's breakers."""
        for target, breaker in self._breakers.items():
            if target.provider_id == provider_id and not breaker.closed:
                breaker.reset()
                self._bus(BreakerMoved(target, BreakerState.CLOSED))

    def opened(self) -> dict[Target, float]:
        """Return when each open breaker opened (wall clock), to be kept over a restart."""
        shift = self._clock.now() - self._clock.monotonic()
        return {
            target: breaker.opened + shift for target, breaker in self._breakers.items() if breaker.opened is not None
        }

    def restore(self, target: Target, opened: float) -> None:
        """Open a breaker as it was before a restart; `opened` is wall-clock seconds."""
        now = self._clock.now()
        self.of(target).restore(min(opened, now) - now + self._clock.monotonic())
