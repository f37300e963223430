"""An answer on its way to its reader, who may come late or never."""

from asyncio import Task, get_running_loop, wait
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from functools import partial
from types import AsyncGeneratorType
from typing import Self, cast
from weakref import ref

from .call import Event
from .outcome import Reply
from .refusals import RefusalCode, RequestFailed
from .trip import Trip


class Stream:
    """An answer as it comes: iterate it for events, then read `reply`. Close it when you stop early.

    Whoever neither reads on nor closes it has its answer stopped and settled when its time is over, and hears of that
    when he reads on after all.
    """

    def __init__(self, events: AsyncGenerator[Event], trip: Trip) -> None:
        """Wrap the road's events."""
        self._events = events
        self._trip = trip
        self._leaving: Task[None] | None = None
        # Weak: who drops a stream unread, or half read, has left it.
        trip.left_alone = partial(_leave, ref(self))

    def __aiter__(self) -> Self:
        """Iterate over the events. Raises `RequestFailed`."""
        return self

    def __anext__(self) -> Awaitable[Event]:
        """Return the next event."""
        return self._events.__anext__() if self._leaving is None else self._late(self._leaving)

    @property
    def reply(self) -> Reply:
        """The whole reply; there once the iteration has ended."""
        if self._trip.reply is None:
            raise RuntimeError("the stream has not ended")
        return self._trip.reply

    async def aclose(self) -> None:
        """Stop: the connection is closed and the attempt settled."""
        if self._leaving is None:
            await self._events.aclose()
        else:
            await wait((self._leaving,))

    def leave(self) -> None:
        """Stop for a reader who does not come back: the time for the answer is over."""
        running = cast("AsyncGeneratorType[Event, None]", self._events).ag_running
        # Where a call is made for all who ask the same, it is not this reader's; where somebody waits, he ends it himself.
        if self._leaving is None and not self._trip.leads and not running:
            self._leaving = get_running_loop().create_task(self._leave())

    async def _leave(self) -> None:
        # The road tells the bus how it ended; the reader, should he come, hears it from `_late`.
        with suppress(RequestFailed):
            await self._events.aclose()

    async def _late(self, leaving: Task[None]) -> Event:
        await wait((leaving,))
        trial = self._trip.trial
        raise self._trip.refuse(RefusalCode.STOPPING if trial is not None and trial.aborted else RefusalCode.DEADLINE)

    async def __aenter__(self) -> Self:
        """Use with `async with`, so that leaving the block stops the request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.aclose()


def _leave(stream: ref[Stream]) -> None:
    left = stream()
    if left is not None:
        left.leave()
