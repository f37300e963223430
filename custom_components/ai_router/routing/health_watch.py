"""Watches over the providers' health: judges it as things happen, and has those asked that are silent.

A check is free and authenticated (`Provider.probe`). It tells that a provider can be reached and takes the key, not
that a model answers: so a good one ends what said that the key is rejected, and lets an open breaker try again, but
closes none.
"""

from collections.abc import Callable

from .benches import Bench, Benches
from .breaker import BreakerState
from .breakers import Breakers
from .config import ProviderConfig, RouterConfig
from .failures import MEANING, Billed, Failure, FailureClass, FailureScope, Phase
from .health import Checked, HealthReport, Level, Verdict, judge, together
from .metrics import Recent, Sample
from .model import Target
from .ports import AttemptEnded, Benched, BreakerMoved, Bus, Clock, CoreEvent, HealthChanged, Unbenched
from .rounds import Rounds

_WIDE = (FailureScope.PROVIDER, FailureScope.ACCOUNT)


class _Patient:
    """What is known of one provider's health."""

    __slots__ = ("announced", "checked", "client", "report", "since")

    def __init__(self, provider: ProviderConfig, now: float) -> None:
        self.client = provider.client
        self.report = HealthReport(Level.UNKNOWN, None, now)
        self.announced = Level.UNKNOWN
        # What was before somebody mended it, or it was found mended, counts no more.
        self.since = float("-inf")
        self.checked: Checked | None = None

    @property
    def ailing(self) -> bool:
        """Whether the last check failed."""
        return self.checked is not None and self.checked.failure is not None


class HealthWatch:
    """The health of all providers of one router."""

    def __init__(
        self,
        benches: Benches,
        breakers: Breakers,
        recent: Callable[[str], Recent],
        clock: Clock,
        bus: Bus,
        chance: Callable[[], float],
    ) -> None:
        """Begin without providers. `chance` gives jitter, 0 to 1."""
        self._benches = benches
        self._breakers = breakers
        self._recent = recent
        self._clock = clock
        self._bus = bus
        self._rounds = Rounds(self, benches, recent, clock, chance)
        self._config = RouterConfig()
        self._patients: dict[str, _Patient] = {}
        self._overall: HealthReport | None = None
        self._watching = False

    # --- configuration and end -----------------------------------------------------------------------

    def apply(self, config: RouterConfig) -> None:
        """Take a new configuration: a provider that is spoken to in another way begins anew."""
        before, self._config = self._config, config
        self._rounds.apply(config)
        for gone in self._patients.keys() - config.providers.keys():
            del self._patients[gone]
            self._rounds.dismiss(gone)
        for provider_id, provider in config.providers.items():
            patient, old = self._patients.get(provider_id), before.providers.get(provider_id)
            if patient is None or patient.client is not provider.client:
                anew = self._patients[provider_id] = _Patient(provider, self._clock.now())
                if patient is not None:
                    anew.announced = patient.announced
                    anew.since = self._clock.now()
                self._rounds.enrol(provider_id, provider.client)
                self._begin(provider_id)
            elif old is None or (config.health_interval, provider.enabled) != (before.health_interval, old.enabled):
                self._begin(provider_id)
        if self._watching:
            for provider_id in config.providers:
                self.look(provider_id)

    def watch(self) -> None:
        """Begin to announce changes and to check; what is known by now was so before and is not announced."""
        self._watching = True
        self._rounds.walk()
        for provider_id, patient in self._patients.items():
            patient.announced = self.report(provider_id).level
            self._begin(provider_id)

    async def close(self) -> None:
        """Announce nothing and check no more. What is under way is stopped."""
        self._watching = False
        await self._rounds.close()

    def _begin(self, provider_id: str) -> None:
        unknown = self._patients[provider_id].checked is None and self._recent(provider_id).newest is None
        self._rounds.begin(provider_id, unknown=unknown)

    # --- judging -------------------------------------------------------------------------------------

    def hear(self, event: CoreEvent) -> None:
        """Judge whom an event is about."""
        match event:
            case AttemptEnded(_, attempt):
                if attempt.outcome.failure is None:
                    self._benches.believe_checks(attempt.target.provider_id)
                patient = self._patients.get(attempt.target.provider_id)
                well = patient is not None and patient.announced is Level.HEALTHY and not patient.ailing
                # One more good answer changes nothing for who is well, unless it was too slow.
                if not well or attempt.outcome.failure is not None or self._config.health.slow_seconds is not None:
                    self.look(attempt.target.provider_id)
            case BreakerMoved(target, state):
                if state is BreakerState.CLOSED:
                    # The good attempt that closed it is told next.
                    self._mended(target.provider_id)
                else:
                    self.look(target.provider_id)
            case Benched(provider_id):
                self.look(provider_id)
            case Unbenched(provider_id):
                self._mended(provider_id)
                self.look(provider_id)

    def _mended(self, provider_id: str) -> None:
        patient = self._patients.get(provider_id)
        if patient is not None:
            patient.since = self._clock.now()
            if patient.ailing:
                patient.checked = None

    def look(self, provider_id: str) -> None:
        """Judge one provider, and announce what has changed."""
        patient = self._patients.get(provider_id)
        if patient is None or not self._watching:
            return
        report = self.report(provider_id)
        before, patient.announced = patient.announced, report.level
        if before is not report.level:
            if report.level is not Level.HEALTHY and before in (Level.HEALTHY, Level.UNKNOWN):
                self._begin(provider_id)
            self._bus(HealthChanged(provider_id, before, report.level, report.reason))

    def report(self, provider_id: str) -> HealthReport:
        """Return how a provider does. Raises `KeyError` for one that is not there."""
        patient = self._patients[provider_id]
        patient.report = self._since(patient.report, self._judged(self._config.providers[provider_id], patient))
        return patient.report

    def overall(self) -> HealthReport:
        """Return how the router does: as its providers do that are switched on."""
        providers = self._config.providers.values()
        verdict = together([self.report(provider.id) for provider in providers if provider.enabled])
        self._overall = self._since(self._overall, verdict)
        return self._overall

    def _since(self, before: HealthReport | None, verdict: Verdict) -> HealthReport:
        level, reason = verdict
        since = before.since if before is not None and before.level is level else self._clock.now()
        return HealthReport(level, reason, since)

    def _judged(self, provider: ProviderConfig, patient: _Patient) -> Verdict:
        if not provider.enabled:
            return Level.UNKNOWN, None
        now, checked, settings = self._clock.now(), patient.checked, self._config.health
        recent = self._recent(provider.id)
        newest = recent.newest
        samples = recent.last(settings.attempts, max(patient.since, now - settings.recent_seconds))
        if newest is not None and newest.when >= patient.since:
            if checked is not None and newest.ok and newest.when > checked.when:
                # An answer says more than a check.
                checked = None
            if not samples:
                samples = self._long_ago(recent, patient, checked)
        return judge(
            self._benches.of_provider(provider.id, now),
            len(provider.models),
            self._breakers.states(provider.id, self._clock.monotonic()),
            checked,
            samples,
            settings,
        )

    def _long_ago(self, recent: Recent, patient: _Patient, checked: Checked | None) -> list[Sample]:
        """Return the attempts to judge by who has not been asked for long: unless a check tells more, it is as it was.

        That it can be reached, as a good check tells, mends nothing where no attempt at all has gone well, unless what
        stood in their way passes with time.
        """
        settings = self._config.health
        last = recent.last(settings.attempts, patient.since)
        if checked is None:
            return last[:1]
        if checked.failure is not None or len(last) < settings.enough or any(sample.ok for sample in last):
            return []
        passes = recent.last_failure is not None and MEANING[recent.last_failure[1]].pause
        return [] if passes else last

    # --- checking ------------------------------------------------------------------------------------

    async def check(self, provider_id: str) -> Failure | None:
        """Ask a provider how it is; return what is wrong: what the check met, else what it cannot meet (no credit, say).

        One that is switched off, or to which nothing may be sent, is not asked: then it was "cancelled". Raises
        `KeyError` for one that is not there.
        """
        patient = self._patients[provider_id]
        return await self._rounds.check(provider_id) or self._unmet(provider_id, patient)

    def _unmet(self, provider_id: str, patient: _Patient) -> Failure | None:
        """Return why a provider is unhealthy whose check went well."""
        if self._patients.get(provider_id) is not patient or self.report(provider_id).level is not Level.UNHEALTHY:
            return None
        reason = patient.report.reason
        benches = self._benches.of_provider(provider_id, self._clock.now()).values()
        last = self._recent(provider_id).last_failure
        cls, detail = next(
            ((bench.cls, bench.detail) for bench in benches if bench.cls == reason),
            (FailureClass.UNKNOWN, reason or "") if last is None else (last[1], last[2]),
        )
        return Failure(cls, Phase.SENT, detail, FailureScope.PROVIDER, billed=Billed.NO)

    def note(self, provider_id: str, failure: Failure | None, rejected: Bench | None) -> None:
        """Take what a check found, and announce what has changed."""
        patient = self._patients[provider_id]
        now = self._clock.now()
        if failure is None:
            patient.checked = Checked(now, None)
            self._breakers.reachable(provider_id)
            if self._benches.key_taken(provider_id, rejected):
                self._bus(Unbenched(provider_id, None))
        else:
            failed = 1 if patient.checked is None else patient.checked.failed + 1
            patient.checked = Checked(now, failure, failed)
            if MEANING[failure.cls].bench and failure.scope in _WIDE:
                key = self._benches.note(Target(provider_id, ""), failure, now)
                if key is not None:
                    self._bus(Benched(*key, failure))
            if failure.cls is FailureClass.CREDENTIAL:
                self._benches.believe_checks(provider_id)
        self.look(provider_id)
