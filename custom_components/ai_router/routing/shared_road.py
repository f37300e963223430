"""The road of a request whose answer may be another's: kept answers, then equal requests under way, then the road.

What may be joined is what may be cached: who would get the kept answer a second later gets the same one now. Free
text, for which the cache is off by default, is asked anew each time, however many ask at once.

Joining costs nothing and reserves nothing; the budgets of the one who began the call pay. Who listens to a stream
hears the stream of the one who began it from its first word; where that one did not stream, all of it at the end.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from copy import deepcopy
from functools import partial
from math import inf
from typing import Protocol

from .cache import Answer, AnswerCache, may_share
from .cache_key import NoKey, cache_key
from .call import Event
from .failures import FailureClass
from .model import Target
from .offers import Ask
from .outcome import Reply
from .ports import Bus, Clock, RequestEnded
from .refusals import RefusalCode, RequestFailed
from .request import CacheMode, Request
from .second_hand import from_default, from_kept, from_stale, joined, joined_refusal
from .single_flight import Flight, SingleFlight, as_events
from .trip import Trip

# What stood in one request's way stands in all others' too; anything else may have come of its own bounds or budgets.
_FOR_ALL = (
    RefusalCode.NO_PROVIDER,
    RefusalCode.EMPTY_POOL,
    RefusalCode.NO_CAPABLE_TARGET,
    RefusalCode.TOO_EXPENSIVE,
    RefusalCode.REJECTED,
    RefusalCode.STOPPING,
)


class Road(Protocol):
    """The road itself: sets the trip's reply, and says on the bus how it ended."""

    def __call__(self, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        """Go it; yields events where somebody listens (`live`). Raises `RequestFailed`."""


class SharedRoad:
    """Leads requests past the cache and past each other to the road."""

    def __init__(
        self, road: Road, cache: AnswerCache, allowed: Callable[[Ask], Iterable[Target]], clock: Clock, bus: Bus
    ) -> None:
        """Take the road; `allowed` names the targets that may ever take a request."""
        self._road = road
        self._cache = cache
        self._allowed = allowed
        self._clock = clock
        self._bus = bus
        self._flights = SingleFlight()

    def takes(self, request: Request) -> bool:
        """Say whether a request goes this way; any other needs no more than the road itself."""
        return (
            may_share(request, self._cache.settings.use)
            or request.degrade is not None
            or request.cache_mode is CacheMode.ONLY
        )

    async def events(self, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        """Answer a request, or give what its caller takes instead. Sets the trip's reply; raises `RequestFailed`.

        The bus hears of the failure also where the caller gets something instead.
        """
        key = trip.cache_key = self._key(trip)
        sharing = key is not None or (trip.request.cache_mode is CacheMode.ONLY and trip.ask.refused is None)
        heard = False
        try:
            way = self._shared(key, trip, live=live) if sharing else self._road(trip, live=live)
            async with aclosing(way) as events:
                async for event in events:
                    heard = True
                    yield event
        except RequestFailed:
            trip.reply = None if heard else await self._instead(key, trip)
            if trip.reply is None:
                raise
            for event in as_events(trip.reply):
                yield event

    def _key(self, trip: Trip) -> str | None:
        request = trip.request
        if trip.ask.refused is not None or not may_share(request, self._cache.settings.use):
            return None
        ask = trip.ask
        try:
            return cache_key(request, self._allowed(ask), local_only=ask.local_only, bounds=ask.bounds)
        except NoKey:
            return None

    async def _shared(self, key: str | None, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        failed: str | None = FailureClass.CANCELLED
        try:
            answer = await self._find(key, trip)
            if answer is not None:
                trip.reply = from_kept(answer, trip, self._clock.monotonic())
                for event in as_events(trip.reply):
                    yield event
            elif key is None or trip.request.cache_mode is CacheMode.ONLY:
                raise trip.refuse(RefusalCode.NOT_CACHED)
            else:
                async with aclosing(self._together(key, trip, live=live)) as events:
                    async for event in events:
                        yield event
            failed = None
        except RequestFailed as err:
            failed = err.code
            raise
        finally:
            if not trip.leads:
                latency = self._clock.monotonic() - trip.started
                self._bus(RequestEnded(trip.request, (), failed, latency, trip.reply))

    async def _find(self, key: str | None, trip: Trip) -> Answer | None:
        if key is None or trip.request.cache_mode is CacheMode.REFRESH:
            return None
        return await self._cache.find(key, self._left(trip))

    async def _together(self, key: str, trip: Trip, *, live: bool) -> AsyncGenerator[Event]:
        """Wait with those who ask the same; after a failure that need not be one's own, begin anew once.

        Each priority has its own flight: nobody waits in a line behind those who come after him.
        """
        for last in (False, True):
            heard = False
            async with self._flights.join((key, trip.request.priority), partial(self._lead, key, trip, live)) as (
                flight,
                first,
            ):
                # The road keeps its own deadline, and tells more about it.
                left = partial(float, inf) if first else partial(self._left, trip)
                async with aclosing(flight.follow(left, live=live)) as events:
                    async for event in events:
                        heard = True
                        yield event
            if first or last or heard or not self._may_ask_again(flight, trip):
                trip.reply = self._outcome(flight, trip, first=first)
                return

    async def _lead(self, key: str, trip: Trip, live: bool, flight: Flight) -> Reply:
        trip.leads = True
        async with aclosing(self._road(trip, live=live)) as events:
            async for event in events:
                flight.tell(event)
        if trip.reply is None:
            raise RuntimeError("the road ended without a reply")
        await self._cache.keep(key, trip.reply)
        return trip.reply

    def _may_ask_again(self, flight: Flight, trip: Trip) -> bool:
        failure = flight.failure
        return isinstance(failure, RequestFailed) and failure.code not in _FOR_ALL and self._left(trip) > 0

    def _outcome(self, flight: Flight, trip: Trip, *, first: bool) -> Reply:
        reply, failure = flight.reply, flight.failure
        if reply is not None:
            if first:
                return reply if reply.data is None else reply._replace(data=deepcopy(reply.data))
            self._cache.note_joined(reply.cost)
            return joined(reply, trip, self._clock.monotonic())
        if not flight.over:
            raise trip.refuse(RefusalCode.DEADLINE)
        if failure is None:
            raise trip.refuse(RefusalCode.STOPPING)
        raise joined_refusal(failure, trip) if isinstance(failure, RequestFailed) and not first else failure

    async def _instead(self, key: str | None, trip: Trip) -> Reply | None:
        """Return what the caller takes instead of a failure, if there is such a thing."""
        degrade = trip.request.degrade
        if degrade is None:
            return None
        now = self._clock.monotonic()
        if degrade.stale_ok and key is not None:
            answer = await self._cache.find_stale(key)
            if answer is not None:
                return from_stale(answer, trip, now)
        return None if degrade.default_text is None else from_default(degrade.default_text, trip, now)

    def _left(self, trip: Trip) -> float:
        return trip.deadline - self._clock.monotonic()
