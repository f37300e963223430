"""What is written in one transaction, and who waits for it."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from ..routing.ports import LedgerUnavailable
from .booking import Row


@dataclass(slots=True)
class Batch:
    """Rows for one transaction; `waiters` belong to the holds, one each."""

    holds: list[Row] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    settles: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.holds) + len(self.settles)

    def halves(self) -> tuple[Batch, Batch]:
        """Split it in two, holds before settles."""
        if self.holds and self.settles:
            return Batch(self.holds, self.waiters), Batch(settles=self.settles)
        middle = len(self) // 2
        return (
            Batch(self.holds[:middle], self.waiters[:middle], self.settles[:middle]),
            Batch(self.holds[middle:], self.waiters[middle:], self.settles[middle:]),
        )

    def tell(self, reason: str | None) -> None:
        """Release those who wait, from any thread: with None it is on disk, else they get `LedgerUnavailable`.

        That takes one call for each event loop, and there is one, unless it was replaced meanwhile.
        """
        loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for waiter in self.waiters:
            loops.setdefault(waiter.get_loop(), []).append(waiter)
        for loop, theirs in loops.items():
            with suppress(RuntimeError):  # a closed loop: nobody waits on it any more
                loop.call_soon_threadsafe(_release, theirs, reason)


def _release(waiters: Iterable[asyncio.Future[None]], reason: str | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if reason is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(LedgerUnavailable(reason))
