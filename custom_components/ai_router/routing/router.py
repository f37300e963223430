"""The router: plan, admit, hold, attempt, settle, reply. One road for every caller."""

import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing

from .admission import Admission
from .bell import Bell
from .benches import Benches
from .cache import AnswerCache
from .call import Event, RateWindow
from .config import RouterConfig
from .counting import Counted, count_tokens
from .dispatch import Dispatcher
from .estimates import TargetPrice, estimate
from .execution import Executor
from .experiments import ArmReport, Experiments
from .failures import Failure, FailureClass
from .fleet import Fleet, pause_key
from .health import HealthReport
from .health_watch import HealthWatch
from .limits import LimitStatus
from .memory import Memory
from .metrics import Recent
from .model import Capability, Target
from .offers import Ask
from .outcome import Reply
from .planner import Planner
from .plans import Plan
from .ports import Clock, CoreEvent, Ledger, RequestEnded, Spending, TokenCounter, Unbenched
from .refusals import RequestFailed
from .request import Request
from .retries import RetryBudget
from .shared_road import SharedRoad
from .strategies import Strategies
from .stream import Stream
from .tickets import BucketKey
from .trip import Trip
from .usual import Usual
from .waiting_room import WaitingRoom

_LOGGER = logging.getLogger(__name__)
_ABORT_SECONDS = 2.0
_DRAIN_STEP = 0.05

type Listener = Callable[[CoreEvent], None]


class Router:
    """Answers requests from the providers of its configuration."""

    def __init__(self, clock: Clock, ledger: Ledger, chance: Callable[[], float] = random.random) -> None:
        """Begin without providers; `apply` brings them. `chance` gives jitter, 0 to 1."""
        self._clock = clock
        self._chance = chance
        self._listeners: list[Listener] = []
        self._recent: dict[str, Recent] = {}
        self._trips: set[Trip] = set()
        self._stop = Bell()
        self.admission = Admission(clock, self._publish)
        self._room = WaitingRoom()
        self.admission.changed.listen(self._room.wake)
        self.benches = Benches()
        self._usual = Usual()
        self._strategies = Strategies()
        self._retries = RetryBudget(clock)
        self._health = HealthWatch(self.benches, self.admission.breakers, self.recent, clock, self._publish, chance)
        self._executor = Executor(
            self.admission,
            self.benches,
            ledger,
            clock,
            self._publish,
            self.recent,
            self._usual,
            self._strategies,
            lambda: self.config,
        )
        self._dispatcher = self._dispatch(Fleet(RouterConfig()))
        self.experiments = Experiments()
        self.subscribe(self.experiments.hear)
        self.memory = Memory(self._strategies, self._usual)
        self.answers = AnswerCache(clock, chance)
        self._shared = SharedRoad(self._road, self.answers, self._allowed, clock, self._publish)

    # --- configuration and listeners -----------------------------------------------------------------

    @property
    def config(self) -> RouterConfig:
        """The present configuration."""
        return self._dispatcher.planner.fleet.config

    def apply(self, config: RouterConfig, history: Sequence[Spending] | None = ()) -> None:
        """Take a new configuration. What was sent keeps its target, what waits follows; counters of what stays are kept.

        `history` is what the ledger says was spent: new budgets begin with it. None is that it cannot be read now: new
        hard budgets then let nothing through until it is given.
        """
        before = self.config.providers
        self.answers.apply(config.cache)
        fleet = Fleet(config)
        self.admission.apply(fleet, history, [trip.entry for trip in self._trips if trip.entry is not None])
        self._retries.apply(config.retries)
        self._strategies.apply(frozenset(lane.target for lane in fleet), {None, *config.pools})
        self.experiments.apply(fleet)
        retired, self._dispatcher = self._dispatcher, self._dispatch(fleet)
        retired.retire()
        for provider_id, provider in config.providers.items():
            old = before.get(provider_id)
            if old is not None and old.credential != provider.credential:
                self.admission.disown(provider_id)
                self.mend(provider_id)
            elif old is not None:
                self._mend_models({Target(provider_id, model_id) for model_id in provider.changed_models(old)})
        for gone in before.keys() - config.providers.keys():
            self.admission.disown(gone)
            self.benches.mend(gone)
            self._recent.pop(gone, None)
        self._health.apply(config)

    def _dispatch(self, fleet: Fleet) -> Dispatcher:
        planner = Planner(
            fleet,
            self.admission,
            self.benches,
            self._clock,
            self._usual,
            self._strategies,
            self._chance,
            self.recent,
        )
        return Dispatcher(
            planner,
            self.admission,
            self.benches,
            self._clock,
            self._stop,
            self._room,
            self._chance,
            self._retries,
        )

    def mend(self, provider_id: str) -> None:
        """End a provider's benches and close its breakers: somebody says that the cause is gone."""
        for owner, model_id in self.benches.mend(provider_id):
            self._publish(Unbenched(owner, model_id))
        self.admission.reset(provider_id)
        self._health.look(provider_id)

    def _mend_models(self, changed: Iterable[Target]) -> None:
        """End what is known of models alone that somebody has changed; what is wrong with their provider stands."""
        for target in changed:
            if self.benches.mend_model(target):
                self._publish(Unbenched(*target))
                self._health.look(target.provider_id)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear every core event; the returned function ends it. A listener must not raise or block."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _publish(self, event: CoreEvent) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:  # what is being settled must be settled, whoever listens
                _LOGGER.exception("A listener failed at %s", type(event).__name__)
        self._health.hear(event)

    def recent(self, provider_id: str) -> Recent:
        """Return what a provider's last attempts say."""
        recent = self._recent.get(provider_id)
        if recent is None:
            recent = self._recent[provider_id] = Recent()
        return recent

    # --- health and limits ---------------------------------------------------------------------------

    def watch_health(self) -> None:
        """Begin to announce changes of health, and to check providers as often as the configuration says.

        Called once what an earlier run knew has been restored; until then nothing is announced and nobody checked.
        """
        self._health.watch()

    def health(self, provider_id: str) -> HealthReport:
        """Return how a provider does. Raises `KeyError` for one that is not there."""
        return self._health.report(provider_id)

    def overall_health(self) -> HealthReport:
        """Return how the router does: as its providers do that are switched on."""
        return self._health.overall()

    async def check(self, provider_id: str) -> Failure | None:
        """Ask a provider how it is, for free; return what is wrong, None if nothing is.

        One that is switched off, or to which nothing may be sent, is not asked: then it was "cancelled". Raises
        `KeyError` for one that is not there.
        """
        return await self._health.check(provider_id)

    def rates(self, provider_id: str) -> tuple[RateWindow, ...]:
        """Return what a provider's last answer told of its own limits; empty where it tells nothing."""
        return self.admission.limits.rates(provider_id)

    def limits(self, provider_id: str) -> tuple[LimitStatus, ...]:
        """Return how a provider's limits stand: the household's, the learned ones, and pauses it asked for.

        Raises `KeyError` for a provider that is not there.
        """
        pauses = (
            LimitStatus(pause_key(provider_id, model_id), 0, 0, bench.until, learned=True)
            for model_id, bench in self.benches.of_provider(provider_id, self._clock.now()).items()
            if bench.resting
        )
        return (*self.admission.limits.status(provider_id), *pauses)

    def reset_limits(self, provider_id: str, key: BucketKey | None = None) -> None:
        """Let one of a provider's limits begin anew, or all of them; what is under way still counts at its end.

        Raises `KeyError` for a provider or a limit that is not there.
        """
        found = self.admission.reset_limits(provider_id, key)
        for model_id, bench in self.benches.of_provider(provider_id, self._clock.now()).items():
            if bench.resting and key in (None, pause_key(provider_id, model_id)):
                self.benches.end((provider_id, model_id))
                self._publish(Unbenched(provider_id, model_id))
                found = True
        if key is not None and not found:
            raise KeyError(key)

    def experiment(self, pool_id: str) -> tuple[ArmReport, ...]:
        """Return what came of each arm of a pool's experiment. Raises `KeyError` for a pool that is none."""
        return self.experiments.report(pool_id)

    def score(self, request_id: str, value: float) -> bool:
        """Note what a caller thinks of an answer of an experiment; say whether it was one, and recent enough.

        Raises `ValueError` for what is not a finite number.
        """
        return self.experiments.score(request_id, value)

    @property
    def under_way(self) -> int:
        """How many requests are on the road."""
        return len(self._trips)

    @property
    def queued(self) -> int:
        """How many of them wait for a limit."""
        return len(self._room)

    # --- asking --------------------------------------------------------------------------------------

    def plan(self, request: Request) -> Plan:
        """Say where a request would go, and at what price, without sending anything. Raises `RequestFailed`."""
        return self._dispatcher.foresee(self._ask(request))

    def estimate(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        needs: Capability = Capability.CHAT,
        pictures: int = 0,
        local_only: bool = False,
    ) -> tuple[TargetPrice, ...]:
        """Return what so many tokens, with so many pictures among the input, cost now on each target that can do it.

        The cheapest comes first, unknown prices last.
        """
        return estimate(
            self._dispatcher.planner.fleet,
            self._clock.now(),
            input_tokens,
            output_tokens,
            needs=needs,
            pictures=pictures,
            local_only=local_only,
        )

    def count_words_with(self, counter: TokenCounter | None) -> None:
        """Count the words of prompts with this instead of estimating them; None estimates again."""
        self._usual.count = counter

    async def count(self, request: Request) -> Counted:
        """Say how many tokens a request's input takes where it would go, without asking it. Raises `RequestFailed`."""
        return await count_tokens(self._dispatcher.planner, self._usual, self._ask(request))

    def open(self, request: Request) -> Stream:
        """Ask, and get the answer as it comes. After its first content nothing fails over any more."""
        trip = self._set_out(request, live=True)
        return Stream(self._way(trip, live=True), trip)

    async def process(self, request: Request) -> Reply:
        """Ask, and get the whole answer. A stream that breaks half-way still fails over: nobody has heard it yet.

        Raises `RequestFailed`.
        """
        trip = self._set_out(request, live=False)
        async with aclosing(self._way(trip, live=False)) as events:
            async for _ in events:
                pass
        if trip.reply is None:
            raise RuntimeError("the road ended without a reply")
        return trip.reply

    def _ask(self, request: Request) -> Ask:
        ask = self._dispatcher.planner.ask(request)
        if ask.refused is not None:
            raise RequestFailed(ask.refused, request.id)
        return ask

    def _set_out(self, request: Request, *, live: bool) -> Trip:
        return Trip(self._dispatcher.planner.ask(request, live=live), self.config, self._clock.monotonic())

    def _allowed(self, ask: Ask) -> Iterator[Target]:
        return self._dispatcher.planner.able(ask)

    def _way(self, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        if self._stop.rung or not self._shared.takes(trip.request):
            return self._road(trip, live=live)
        return self._shared.events(trip, live=live)

    async def _road(self, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        self._trips.add(trip)
        self._retries.earn()
        failed: str | None = FailureClass.CANCELLED
        try:
            while trip.reply is None:
                # Asked anew each time: a change of configuration holds for the next attempt.
                if trip.config is not self.config:
                    trip.follow(self._dispatcher.planner.ask(trip.request, live=trip.ask.live), self.config)
                found = await self._dispatcher.next(trip)
                if found is None:
                    continue
                async with aclosing(self._executor.run(trip, *found, live=live)) as events:
                    async for event in events:
                        yield event
            failed = None
        except RequestFailed as err:
            failed = err.code
            raise
        finally:
            self._trips.discard(trip)
            latency = self._clock.monotonic() - trip.started
            self._publish(RequestEnded(trip.request, tuple(trip.attempts), failed, latency, trip.reply))

    async def close(self, grace: float) -> None:
        """Take no more requests; let those under way end for so many seconds, then stop and settle them."""
        await self._health.close()
        self._stop.ring_for_good()
        self._dispatcher.retire()
        self.admission.changed.fire()
        await self._drained(grace)
        for trip in tuple(self._trips):
            trip.abort()
        await self._drained(_ABORT_SECONDS)

    async def _drained(self, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        while self._trips and (left := end - self._clock.monotonic()) > 0:
            await self.admission.changed.wait(min(left, _DRAIN_STEP))
