"""The router: plan, admit, hold, attempt, settle, reply. One road for every caller."""

import random
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Self

from .admission import Admission
from .bell import Bell
from .benches import Benches
from .cache import AnswerCache
from .config import RouterConfig
from .dispatch import Dispatcher
from .execution import Executor
from .failures import FailureClass
from .fleet import Fleet
from .metrics import Recent
from .model import Event, Request, Target
from .outcome import Reply
from .planner import Ask, Planner
from .plans import Plan
from .ports import Clock, CoreEvent, Ledger, RequestEnded, Spending, Unbenched
from .refusals import RequestFailed
from .shared_road import SharedRoad
from .trip import Trip
from .usual import Usual
from .waiting_room import WaitingRoom

_ABORT_SECONDS = 2.0
_DRAIN_STEP = 0.05

type Listener = Callable[[CoreEvent], None]


class Stream:
    """An answer as it comes: iterate it for events, then read `reply`. Close it when you stop early."""

    def __init__(self, events: AsyncGenerator[Event], trip: Trip) -> None:
        """Wrap the road's events."""
        self._events = events
        self._trip = trip

    def __aiter__(self) -> AsyncGenerator[Event]:
        """Iterate over the events. Raises `RequestFailed`."""
        return self._events

    @property
    def reply(self) -> Reply:
        """The whole reply; there once the iteration has ended."""
        if self._trip.reply is None:
            raise RuntimeError("the stream has not ended")
        return self._trip.reply

    async def aclose(self) -> None:
        """Stop: the connection is closed and the attempt settled."""
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        """Use with `async with`, so that leaving the block stops the request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.aclose()


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
        self._executor = Executor(self.admission, self.benches, ledger, clock, self._publish, self.recent, self._usual)
        self._dispatcher = self._dispatch(Fleet(RouterConfig()))
        self.answers = AnswerCache(clock, chance)
        self._shared = SharedRoad(self._road, self.answers, self._allowed, clock, self._publish)

    # --- configuration and listeners -----------------------------------------------------------------

    @property
    def config(self) -> RouterConfig:
        """The present configuration."""
        return self._dispatcher.planner.fleet.config

    def apply(self, config: RouterConfig, history: Sequence[Spending] = ()) -> None:
        """Take a new configuration. Requests under way keep their targets; counters of what stays are kept.

        `history` is what the ledger says was spent: new budgets begin with it.
        """
        before = self.config.providers
        self.answers.apply(config.cache)
        fleet = Fleet(config)
        self.admission.apply(fleet, history)
        self._dispatcher = self._dispatch(fleet)
        for provider_id, provider in config.providers.items():
            old = before.get(provider_id)
            if old is not None and (old.credential, old.models) != (provider.credential, provider.models):
                self.mend(provider_id)
        for gone in before.keys() - config.providers.keys():
            self.benches.mend(gone)
            self._recent.pop(gone, None)

    def _dispatch(self, fleet: Fleet) -> Dispatcher:
        planner = Planner(fleet, self.admission, self.benches, self._clock, self._usual)
        return Dispatcher(
            planner, self.admission, self.benches, self._clock, self._stop, self._room, self._chance, self.recent
        )

    def mend(self, provider_id: str) -> None:
        """End a provider's benches and close its breakers: somebody says that the cause is gone."""
        for owner, model_id in self.benches.mend(provider_id):
            self._publish(Unbenched(owner, model_id))
        self.admission.reset(provider_id)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear every core event; the returned function ends it. A listener must not raise or block."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _publish(self, event: CoreEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def recent(self, provider_id: str) -> Recent:
        """Return what a provider's last attempts say."""
        recent = self._recent.get(provider_id)
        if recent is None:
            recent = self._recent[provider_id] = Recent()
        return recent

    @property
    def under_way(self) -> int:
        """How many requests are on the road."""
        return len(self._trips)

    # --- asking --------------------------------------------------------------------------------------

    def plan(self, request: Request) -> Plan:
        """Say where a request would go, and at what price, without sending anything."""
        return self._dispatcher.planner.draft(Ask.of(request, self.config)).plan()

    def open(self, request: Request) -> Stream:
        """Ask, and get the answer as it comes. After its first content nothing fails over any more."""
        trip = Trip(request, self.config, self._clock.monotonic())
        return Stream(self._way(trip, live=True), trip)

    async def process(self, request: Request) -> Reply:
        """Ask, and get the whole answer. A stream that breaks half-way still fails over: nobody has heard it yet.

        Raises `RequestFailed`.
        """
        trip = Trip(request, self.config, self._clock.monotonic())
        async with aclosing(self._way(trip, live=False)) as events:
            async for _ in events:
                pass
        if trip.reply is None:
            raise RuntimeError("the road ended without a reply")
        return trip.reply

    def _allowed(self, ask: Ask) -> Iterator[Target]:
        return self._dispatcher.planner.able(ask)

    def _way(self, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        if self._stop.rung or not self._shared.takes(trip.request):
            return self._road(trip, live=live)
        return self._shared.events(trip, live=live)

    async def _road(self, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        self._trips.add(trip)
        failed: str | None = FailureClass.CANCELLED
        try:
            while trip.reply is None:
                # Asked anew each time: a change of configuration holds for the next attempt.
                offer, ticket = await self._dispatcher.next(trip)
                async with aclosing(self._executor.run(trip, offer, ticket, live=live)) as events:
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
        self._stop.ring_for_good()
        self.admission.changed.fire()
        await self._drained(grace)
        for trip in tuple(self._trips):
            trip.abort()
        await self._drained(_ABORT_SECONDS)

    async def _drained(self, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        while self._trips and (left := end - self._clock.monotonic()) > 0:
            await self.admission.changed.wait(min(left, _DRAIN_STEP))
