"""Requests that wait for a limit: voice before automations before batches, and in the order they came.

Bounded. Only whoever is first in line is woken, so a limit that frees is not rushed at by everybody.
"""

import asyncio
from bisect import insort
from collections.abc import Iterable
from itertools import count
from typing import override

from .model import Target
from .request import Priority

_RANK = {Priority.VOICE: 0, Priority.AUTOMATION: 1, Priority.BATCH: 2}


class Place:
    """One request's place in line, and the targets it waits for."""

    __slots__ = ("rank", "targets", "waiter")

    def __init__(self, rank: tuple[int, int], targets: frozenset[Target]) -> None:
        """Stand where rank and time of arrival say."""
        self.rank = rank
        self.targets = targets
        self.waiter: asyncio.Future[None] | None = None

    def __lt__(self, other: Place) -> bool:
        """Order the line."""
        return self.rank < other.rank

    @override
    def __repr__(self) -> str:
        return f"Place{self.rank}"


class WaitingRoom:
    """The line of one router."""

    def __init__(self) -> None:
        """Begin empty."""
        self._line: list[Place] = []
        self._arrivals = count()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._line)

    def enter(self, priority: Priority, targets: Iterable[Target]) -> Place:
        """Take a place in line. Leave it when done."""
        place = Place((_RANK[priority], next(self._arrivals)), frozenset(targets))
        insort(self._line, place)
        return place

    def leave(self, place: Place) -> None:
        """Give the place up and let the next one look."""
        self._line.remove(place)
        self.wake()

    def goes_first(self, priority: Priority, target: Target, own: Place | None) -> bool:
        """Say whether somebody else who waits for this target must be served before such a request."""
        if not self._line:
            return False
        rank = (_RANK[priority], float("inf")) if own is None else own.rank
        return any(place.rank < rank and target in place.targets for place in self._line if place is not own)

    def wake(self) -> None:
        """Something has become free: let whoever is first for each target look."""
        if not self._line:
            return
        seen: set[Target] = set()
        for place in self._line:
            if not place.targets <= seen and place.waiter is not None and not place.waiter.done():
                place.waiter.set_result(None)
            seen |= place.targets

    def disband(self) -> None:
        """Let all look at once: what they wait for may not be there any more."""
        for place in self._line:
            if place.waiter is not None and not place.waiter.done():
                place.waiter.set_result(None)

    async def turn(self, place: Place, seconds: float) -> None:
        """Wait to be woken, or for so many seconds."""
        place.waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await place.waiter
        except TimeoutError:
            pass
        finally:
            place.waiter = None
