"""A bell that wakes everybody who waits for a change."""

from asyncio import Future, get_running_loop, timeout
from collections.abc import Callable
from contextlib import suppress


class Bell:
    """Wakes all waiters at once; a waiter comes back by itself when its time is over."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: set[Future[None]] = set()
        self._listeners: list[Callable[[], None]] = []
        self.rung = False

    def listen(self, listener: Callable[[], None]) -> None:
        """Call a function at every ring."""
        self._listeners.append(listener)

    def ring_for_good(self) -> None:
        """Wake all, and never let anybody wait again."""
        self.rung = True
        self.fire()

    def fire(self) -> None:
        """Wake all."""
        if self._waiting:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiting.clear()
        for listener in self._listeners:
            listener()

    async def wait(self, seconds: float) -> None:
        """Return at the next change, or after so many seconds."""
        if self.rung:
            return
        waiter = get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            with suppress(TimeoutError):
                async with timeout(seconds):
                    await waiter
        finally:
            self._waiting.discard(waiter)
