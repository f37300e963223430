"""Runs what another integration does in a task of its own, so that it holds up nobody who waits for it.

A cancel ends the wait, whatever the other side makes of it. It has a moment to end too; a task that does not is let go,
and named in the log. A cancel that nobody asked for is an error of the other side, `CancelledByItself`.
"""

import logging
from asyncio import Queue, QueueShutDown, Task, create_task, wait
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Any

from ..routing.call import Event, Finished

_LOGGER = logging.getLogger(__name__)
# Seconds to end in: closing a connection takes a moment.
_GRACE = 2.0
# Those that did not end, until they do: somebody must hold on to them.
_left: set[Task[Any]] = set()


class CancelledByItself(RuntimeError):
    """The other side raised a cancel."""


async def asked[T](who: str, ask: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Return what a function returns, and raise what it raises. `who` is named in the log."""

    async def run() -> T:
        return await ask(*args)

    task = create_task(run())
    try:
        await wait({task})
    finally:
        await _end(task, who)
    return _result(task)


async def heard(who: str, attempt: Callable[..., AsyncIterable[Event]], *args: Any) -> AsyncGenerator[Event]:
    """Yield the events of an attempt up to its terminator, and raise what it raises before. It is ahead by one at most.

    What goes wrong behind the terminator is logged, and changes nothing.
    """
    queue: Queue[Event] = Queue(1)
    task = create_task(_tell(queue, attempt, *args))
    # Who waits for the next one gets all that is there, and then the end.
    task.add_done_callback(lambda _: queue.shutdown())
    over = False
    try:
        while True:
            try:
                event = await queue.get()
            except QueueShutDown:
                break
            over = isinstance(event, Finished)
            yield event
            if over:
                return
    finally:
        # Whoever is deaf to a cancel has nobody to talk to any more.
        queue.shutdown(immediate=True)
        await _end(task, who, over=over)
    _result(task)


async def _tell(queue: Queue[Event], attempt: Callable[..., AsyncIterable[Event]], *args: Any) -> None:
    events = attempt(*args)
    try:
        async for event in events:
            await queue.put(event)
            if isinstance(event, Finished):
                return
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


def _result[T](task: Task[T]) -> T:
    if task.cancelled():
        raise CancelledByItself
    return task.result()


async def _end(task: Task[Any], who: str, *, over: bool = False) -> None:
    """See to it that a task ends; where it is `over`, it may do so by itself."""
    if not task.done() and over:
        await wait({task}, timeout=_GRACE)
    if not task.done():
        task.cancel()
        await wait({task}, timeout=_GRACE)
    if not task.done():
        _LOGGER.error("%s does not end although it was cancelled", who)
        _left.add(task)
        task.add_done_callback(_left.discard)
        task.add_done_callback(_seen)
    elif (err := _seen(task)) is not None and over:
        _LOGGER.error("%s could not be closed", who, exc_info=err)


def _seen(task: Task[Any]) -> BaseException | None:
    """Return what a task has raised, so that nobody else complains of it."""
    return None if task.cancelled() else task.exception()
