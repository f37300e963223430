"""One timer for a whole attempt.

`asyncio.timeout` around every event would set and cancel a timer for each streamed word. This one is set once, looks
at the limit of the moment when it rings, and rests again if that has moved on. It interrupts only a task that waits
for the next event, never the consumer between two of them; it follows the cancel and uncancel rules of
`asyncio.timeout`. A consumer who has not come back when all must be over is told of, for nobody else would notice.
"""

from asyncio import AbstractEventLoop, CancelledError, Task, TimerHandle, current_task, get_running_loop
from collections.abc import Awaitable, Callable


class Watch:
    """Bounds each wait of one attempt. Limits are monotonic seconds of the event loop's clock."""

    __slots__ = ("_end", "_handle", "_left_alone", "_limit", "_loop", "_rang", "_task")

    def __init__(self, end: float, left_alone: Callable[[], None] | None = None) -> None:
        """Begin without a timer; the first wait sets it. `left_alone` is called if nobody waits any more at the `end`."""
        self._loop: AbstractEventLoop = get_running_loop()
        self._end = end
        self._left_alone = left_alone
        self._handle: TimerHandle | None = None
        self._limit = 0.0
        self._task: Task[object] | None = None
        self._rang = False

    async def until[T](self, limit: float, work: Awaitable[T]) -> T:
        """Wait for one thing. Raises `TimeoutError` when the limit comes first."""
        task = self._task = current_task()
        if task is None:
            raise RuntimeError("an attempt runs in a task")
        before = task.cancelling()
        self._limit = limit
        handle = self._handle
        if handle is None or handle.when() > limit:
            self._set(limit)
        try:
            return await work
        except CancelledError:
            if self._rang and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            self._task = None
            self._rang = False

    def ring(self) -> None:
        """Let the wait of this moment end at once; without one, this is the end."""
        self._limit = self._end = 0.0
        self._set(0.0)

    def close(self) -> None:
        """Put the timer away."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _set(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        self._handle = None
        now = self._loop.time()
        if self._task is not None:
            if now < self._limit:
                self._set(self._limit)
            else:
                self._rang = True
                self._task.cancel()
        elif self._left_alone is not None:
            if now < self._end:
                self._set(self._end)
            else:
                self._left_alone()
