"""The rounds: ask each provider how it is, for free, where it was silent for long, and more often while it is ill."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from .benches import Bench, Benches
from .config import ProviderConfig, RouterConfig
from .failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from .health import HealthReport, Level
from .metrics import Recent
from .ports import Clock, Provider

_LOGGER = logging.getLogger(__name__)
_AT_ONCE = 4
_CHECK_SECONDS = 15.0
# The first check comes soon, and who is ill is asked more often (shares of the interval, and seconds at the least).
_SOON, _FIRST_SECONDS = 0.25, 30.0
_SHORTEST = 5.0
# Every good check makes the next one rarer, up to so many intervals.
_SLOWER, _RAREST = 1.5, 4.0
_JITTER = 0.2


class Ward(Protocol):
    """Whose providers are asked, and who hears what they said."""

    def report(self, provider_id: str) -> HealthReport:
        """Return how a provider does."""

    def look(self, provider_id: str) -> None:
        """Judge a provider anew: time has passed."""

    def note(self, provider_id: str, failure: Failure | None, rejected: Bench | None) -> None:
        """Take what a check found; `rejected` is what the provider was benched for when it was asked."""


def _not_asked(detail: str) -> Failure:
    return Failure(FailureClass.CANCELLED, Phase.UNSENT, detail, FailureScope.REQUEST, billed=Billed.NO)


class _Visits:
    """The checks of one provider."""

    __slots__ = ("check", "client", "interval", "timer")

    def __init__(self, client: Provider) -> None:
        self.client = client
        self.check: asyncio.Task[Failure | None] | None = None
        self.interval: float | None = None
        self.timer: asyncio.TimerHandle | None = None

    def rest(self) -> None:
        """Plan no check."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Rounds:
    """The free checks of all providers of one router."""

    def __init__(
        self,
        ward: Ward,
        benches: Benches,
        recent: Callable[[str], Recent],
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        """Begin without providers. `chance` gives jitter, 0 to 1."""
        self._ward = ward
        self._benches = benches
        self._recent = recent
        self._clock = clock
        self._chance = chance
        self._config = RouterConfig()
        self._visits: dict[str, _Visits] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._checks: set[asyncio.Task[Failure | None]] = set()
        self._walking = self._closed = False

    def apply(self, config: RouterConfig) -> None:
        """Take a new configuration; who is new in it is enrolled apart."""
        self._config = config

    def walk(self) -> None:
        """Plan checks from now on."""
        self._walking = True

    def enrol(self, provider_id: str, client: Provider) -> None:
        """Take a provider, or the new way to speak to one; a check of the old way is stopped."""
        self.dismiss(provider_id)
        self._visits[provider_id] = _Visits(client)

    def dismiss(self, provider_id: str) -> None:
        """Ask a provider no more."""
        visits = self._visits.pop(provider_id, None)
        if visits is not None:
            self._stop(visits)

    @staticmethod
    def _stop(visits: _Visits) -> None:
        visits.rest()
        if visits.check is not None:
            visits.check.cancel()

    async def close(self) -> None:
        """Check no more. What is under way is stopped."""
        self._walking, self._closed = False, True
        for visits in self._visits.values():
            self._stop(visits)
        await asyncio.gather(*self._checks, return_exceptions=True)

    async def check(self, provider_id: str) -> Failure | None:
        """Ask a provider how it is; return what is wrong. Who comes while it is being asked hears the same answer.

        One that is switched off, or to which nothing may be sent, is not asked. Raises `KeyError` for one that is not
        there.
        """
        visits = self._visits[provider_id]
        why_not = self._why_not(self._config.providers[provider_id])
        if why_not is not None:
            return _not_asked(why_not)
        check = self._start(provider_id, visits)
        try:
            return await asyncio.shield(check)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if check.cancelled() and not (task is not None and task.cancelling()):
                return _not_asked("stopped")
            raise

    def begin(self, provider_id: str, *, unknown: bool) -> None:
        """Plan the first check, or the first after a change; who is still `unknown` is asked sooner."""
        visits = self._visits[provider_id]
        visits.interval = self._config.health_interval
        if visits.interval is None:
            visits.rest()
            return
        soon = max(visits.interval * _SOON, _SHORTEST)
        self._plan(provider_id, visits, min(soon, _FIRST_SECONDS) if unknown else soon)

    def _start(self, provider_id: str, visits: _Visits) -> asyncio.Task[Failure | None]:
        if visits.check is None:
            visits.check = asyncio.create_task(self._ask(provider_id, visits))
            self._checks.add(visits.check)
            visits.check.add_done_callback(self._checks.discard)
        return visits.check

    def _why_not(self, provider: ProviderConfig) -> str | None:
        if self._closed:
            return "stopping"
        if not provider.enabled:
            return "switched off"
        if self._config.local_only and not any(model.local for model in provider.models):
            return "local only: nothing is sent to other hosts"
        return None

    def _plan(self, provider_id: str, visits: _Visits, seconds: float) -> None:
        visits.rest()
        if self._walking:
            jittered = seconds * (1 - _JITTER + 2 * _JITTER * self._chance())
            visits.timer = asyncio.get_running_loop().call_later(jittered, self._due, provider_id, visits)

    def _due(self, provider_id: str, visits: _Visits) -> None:
        visits.timer = None
        if visits.check is None and self._why_not(self._config.providers[provider_id]) is None:
            newest = self._recent(provider_id).newest
            silent = newest is None or not newest.ok or newest.when < self._clock.now() - (visits.interval or 0.0)
            if silent or self._ward.report(provider_id).level is not Level.HEALTHY:
                self._start(provider_id, visits)
                return
        self._ward.look(provider_id)
        self._next(provider_id, visits)

    def _next(self, provider_id: str, visits: _Visits) -> None:
        interval = self._config.health_interval
        if interval is None:
            return
        if self._ward.report(provider_id).level is Level.HEALTHY:
            visits.interval = min((visits.interval or interval) * _SLOWER, interval * _RAREST)
        else:
            visits.interval = max(interval * _SOON, min(_SHORTEST, interval))
        self._plan(provider_id, visits, visits.interval)

    async def _ask(self, provider_id: str, visits: _Visits) -> Failure | None:
        try:
            async with self._turn:
                # The household may have changed its mind while others were asked.
                why_not = self._why_not(self._config.providers[provider_id])
                rejected = self._benches.rejected(provider_id)
                failure = await self._probed(visits) if why_not is None else _not_asked(why_not)
        finally:
            visits.check = None
        if self._visits.get(provider_id) is not visits:
            # Whoever has gone meanwhile, or is spoken to in another way, has nothing to do with it.
            return failure
        if why_not is None:
            self._ward.note(provider_id, failure, rejected)
        self._next(provider_id, visits)
        return failure

    async def _probed(self, visits: _Visits) -> Failure | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await visits.client.probe()
        except AttemptFailed as err:
            return err.failure
        except TimeoutError:
            return Failure(FailureClass.TIMEOUT_CONNECT, Phase.SENT, "no answer in time", FailureScope.PROVIDER)
        except Exception as err:  # a provider's own fault, ours or a plug-in's, must not end the watch
            _LOGGER.exception("A provider could not be checked, for an unforeseen reason")
            return Failure(FailureClass.UNKNOWN, Phase.SENT, type(err).__name__)
        return None
