"""Equal requests at the same time share one call.

The call runs in a task of its own, which belongs to all who wait for it: whoever leaves, be it the one it began for,
disturbs nobody, and when the last one leaves it is cancelled.
"""

from asyncio import Task, create_task, wait
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager

from .bell import Bell
from .call import Event, Finished, TextDelta, ThinkingDelta
from .model import Text, Thinking
from .outcome import Reply


def as_events(reply: Reply) -> list[Event]:
    """Tell a whole reply as a stream would have told it; one that calls tools is never shared."""
    events: list[Event] = []
    for part in reply.parts:
        match part:
            case Text(text):
                events.append(TextDelta(text))
            case Thinking(text, opaque):
                events.append(ThinkingDelta(text))
                events += (ThinkingDelta("", each) for each in opaque)
    return [*events, Finished(reply.finish)]


class Flight:
    """One call under way: what it has said so far, and how it ended (neither reply nor failure: it was stopped)."""

    __slots__ = ("_ended", "_said", "_told", "failure", "over", "reply", "task", "waiting")

    def __init__(self) -> None:
        """Begin with nothing said."""
        self.reply: Reply | None = None
        self.failure: Exception | None = None
        self.over = False
        self.waiting = 0
        self.task: Task[None] | None = None
        self._said: list[Event] = []
        self._told = Bell()
        self._ended = Bell()

    def tell(self, event: Event) -> None:
        """Pass on a piece of the answer."""
        self._said.append(event)
        self._told.fire()

    def land(self) -> None:
        """Say that it is over."""
        self.over = True
        self._told.ring_for_good()
        self._ended.ring_for_good()

    async def follow(self, left: Callable[[], float], *, live: bool) -> AsyncGenerator[Event]:
        """Wait until it is over or no time is `left` (seconds); yield, if `live`, all that was and is being said.

        An answer that is not told in pieces is told whole at the end.
        """
        heard = 0
        while True:
            while live and heard < len(self._said):
                heard += 1
                yield self._said[heard - 1]
            seconds = left()
            if self.over or seconds <= 0:
                break
            await (self._told if live else self._ended).wait(seconds)
        if live and not heard and self.reply is not None:
            for event in as_events(self.reply):
                yield event


class SingleFlight:
    """The calls under way, by the key of what they ask. There are never more than requests that wait for them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._flights: dict[Hashable, Flight] = {}

    def __len__(self) -> int:
        """Count the calls under way."""
        return len(self._flights)

    @asynccontextmanager
    async def join(
        self, key: Hashable, lead: Callable[[Flight], Awaitable[Reply]]
    ) -> AsyncGenerator[tuple[Flight, bool]]:
        """Wait, within the block, with those who ask the same; the first of them begins the call (and is told so).

        When the last one leaves before the end, the call is cancelled, and has ended when the block is left.
        """
        flight = self._flights.get(key)
        first = flight is None
        if flight is None:
            flight = self._flights[key] = Flight()
            flight.task = create_task(self._fly(key, flight, lead))
        flight.waiting += 1
        try:
            yield flight, first
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.over and flight.task is not None:
                self._forget(key, flight)
                flight.task.cancel()
                await wait((flight.task,))

    async def _fly(self, key: Hashable, flight: Flight, lead: Callable[[Flight], Awaitable[Reply]]) -> None:
        try:
            flight.reply = await lead(flight)
        except Exception as err:  # noqa: BLE001 - whatever it is, those who wait are told
            flight.failure = err
        finally:
            self._forget(key, flight)
            flight.land()

    def _forget(self, key: Hashable, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
