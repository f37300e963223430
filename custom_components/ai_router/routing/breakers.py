"""The breakers of all targets: what an attempt's outcome means for them, and which let an attempt through."""

from .breaker import DEFAULT_BREAKER, Breaker, BreakerSettings, BreakerState, OpenPeriod
from .failures import MEANING, Failure, FailureClass, FailureScope
from .model import Target
from .outcome import Outcome
from .ports import BreakerMoved, Bus, Clock
from .tickets import Claim, Ticket

# Nobody could be spoken to: that is never about one model.
_UNREACHABLE = frozenset({FailureClass.NETWORK, FailureClass.TIMEOUT_CONNECT})


class Breakers:
    """Keyed by target, so that a change of configuration loses nothing."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        """Begin with all closed."""
        self._clock = clock
        self._bus = bus
        self._settings = DEFAULT_BREAKER
        self._of_provider: dict[str, list[Target]] = {}
        self._breakers: dict[Target, Breaker] = {}

    def apply(self, settings: BreakerSettings, targets: frozenset[Target]) -> None:
        """Take new settings and forget targets that are gone."""
        self._settings = settings
        self._of_provider = {}
        for target in targets:
            self._of_provider.setdefault(target.provider_id, []).append(target)
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
        breaker = self.of(target)
        mono = self._clock.monotonic()
        weight = 0.0
        if failure is not None and failure.scope is not FailureScope.REQUEST:
            weight = MEANING[failure.cls].breaker
        if failure is not None and weight:
            wide = failure.scope is FailureScope.PROVIDER or failure.cls in _UNREACHABLE
            moved = breaker.fail(weight, mono, probe=ticket.probe, wide=wide)
            if wide:
                self._roll_up(target, failure, mono, moved=moved)
        elif failure is None or failure.status is not None:
            # A refusal with a status is an answer: the target lives, whatever it thinks of this request.
            moved = breaker.succeed(mono, probe=ticket.probe)
            if ticket.probe:
                self.reachable(target.provider_id)
        else:
            if ticket.probe:
                breaker.release()
            moved = False
        if moved:
            self._bus(BreakerMoved(target, breaker.state(mono)))

    def _roll_up(self, target: Target, failure: Failure, mono: float, *, moved: bool) -> None:
        """Let a provider's other models know what is wrong with the whole of it: they need not find out one by one."""
        breaker = self.of(target)
        others = {each: self.of(each) for each in self._of_provider.get(target.provider_id, ()) if each != target}
        down = breaker.wide + sum(other.wide for other in others.values())
        for each, other in others.items():
            if moved and (other.wide or down >= self._settings.provider_targets):
                opened = other.follow(breaker, mono)
            else:
                # What a provider says of itself counts for all its models.
                opened = (
                    failure.scope is FailureScope.PROVIDER
                    and other.closed
                    and other.fail(MEANING[failure.cls].breaker, mono, wide=True)
                )
            if opened:
                self._bus(BreakerMoved(each, other.state(mono)))

    def reachable(self, provider_id: str) -> None:
        """Let probes through to the targets of a provider that was down as a whole: it has answered somebody."""
        mono = self._clock.monotonic()
        for target in self._of_provider.get(provider_id, ()):
            breaker = self.of(target)
            if breaker.wide and breaker.half_open(mono):
                self._bus(BreakerMoved(target, BreakerState.HALF_OPEN))

    def states(self, provider_id: str, mono: float) -> list[BreakerState]:
        """Return how the breakers of a provider's targets stand."""
        return [self.of(target).state(mono) for target in self._of_provider.get(provider_id, ())]

    def reset(self, provider_id: str) -> None:
        """Close a provider's breakers."""
        mono = self._clock.monotonic()
        for target, breaker in self._breakers.items():
            if target.provider_id == provider_id and not breaker.closed:
                breaker.reset(mono)
                self._bus(BreakerMoved(target, BreakerState.CLOSED))

    def opened(self) -> dict[Target, OpenPeriod]:
        """Return the open periods of all breakers that are not closed (wall clock), to be kept over a restart."""
        shift = self._clock.now() - self._clock.monotonic()
        return {
            target: OpenPeriod(breaker.opened + shift, breaker.repeats, breaker.wide)
            for target, breaker in self._breakers.items()
            if breaker.opened is not None
        }

    def restore(self, target: Target, period: OpenPeriod) -> None:
        """Open a breaker as it was before a restart; the period is in wall-clock seconds."""
        now = self._clock.now()
        since = min(period.since, now) - now + self._clock.monotonic()
        self.of(target).restore(period._replace(since=since))
