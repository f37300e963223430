"""Answers that were given before: in memory, bounded in bytes and entries; on disk where the household wants it.

By default only what has one answer is kept: structured answers, and those at temperature 0. Two people who ask for a
joke get two jokes, unless they or the household ask for the cache.
"""

import json
from asyncio import timeout
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from sys import getsizeof
from typing import NamedTuple, Protocol

from .call import Finish, Usage
from .model import Op, Target, Text, Thinking
from .money import Picodollars
from .outcome import Reply
from .ports import Clock
from .request import CacheMode, Request

_JITTER = 0.1
# A store that is slower than this is not worth waiting for.
_PATIENCE = 0.5
# What an entry takes beside its text and data: the objects around them, the key, its place in the order.
_ENTRY_BYTES = 1_200


class CacheUse(StrEnum):
    """For which requests the household wants the cache, where they do not say themselves."""

    OFF = "off"
    CAREFUL = "careful"
    ALL = "all"


class CacheSettings(NamedTuple):
    """How answers are kept. `ttl` is how long one is as good as new, `stale` how long it is kept after that (seconds).

    The limits are those of the memory; whichever is reached first, the answers unused for longest go.
    """

    use: CacheUse = CacheUse.CAREFUL
    ttl: float = 3_600.0
    stale: float = 86_400.0
    max_bytes: int = 8 * 1024 * 1024
    max_entries: int = 1_000


DEFAULT_CACHE = CacheSettings()


class Answer(NamedTuple):
    """An answer as it is kept: what was said and what it cost; nothing of what was asked.

    `data` is JSON text, read anew for each reader, so that none can change another's. Times are wall-clock seconds.
    """

    text: str
    data: str | None
    target: Target
    usage: Usage
    cost: Picodollars
    stored: float
    fresh_until: float
    kept_until: float

    def is_fresh(self, now: float) -> bool:
        """Say whether it is as good as new; a clock that was set back makes it old rather than young for ever."""
        return self.stored <= now < self.fresh_until


class StoreStats(NamedTuple):
    """What a store holds."""

    entries: int
    bytes: int


class CacheStore(Protocol):
    """A second layer that outlives the memory. It may forget whatever it likes; it must not raise."""

    async def get(self, key: str) -> Answer | None:
        """Return an answer, also one past its time, or None."""

    async def put(self, key: str, answer: Answer) -> None:
        """Take an answer. Returns once it is taken, not once it is written."""

    async def drop(self, key: str | None = None) -> None:
        """Forget one answer, or all. After this returns they are gone."""

    async def stats(self) -> StoreStats:
        """Count."""


@dataclass(slots=True)
class CacheStats:
    """What the cache did since the start, and what the memory holds. `saved` is picodollars.

    `joined` requests shared the answer to an equal one under way; what they would have cost is in `saved`.
    """

    hits: int = 0
    misses: int = 0
    joined: int = 0
    saved: Picodollars = 0
    entries: int = 0
    bytes: int = 0

    @property
    def hit_rate(self) -> float | None:
        """The share (0 to 1) of look-ups that found an answer; None before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


def may_share(request: Request, use: CacheUse) -> bool:
    """Say whether a request may be given the answer to an equal one, earlier or under way.

    A temperature above 0 asks for variety, tools act on the house: neither is shared, unless the former says so. What
    is kept is words: vectors are not.
    """
    mode = request.cache_mode
    if use is CacheUse.OFF or mode is CacheMode.BYPASS or request.tools or request.op is not Op.CHAT:
        return False
    if mode is not CacheMode.DEFAULT or use is CacheUse.ALL:
        return True
    temperature = request.sampling.temperature
    return temperature == 0 or (temperature is None and request.structure is not None)


class AnswerCache:
    """Keeps answers by their keys. `store` is the durable layer, None by default; it may be changed at any time."""

    def __init__(self, clock: Clock, chance: Callable[[], float]) -> None:
        """Begin empty. `chance` gives jitter, 0 to 1: answers kept together do not grow old together."""
        self.store: CacheStore | None = None
        self.settings = DEFAULT_CACHE
        self._clock = clock
        self._chance = chance
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._counts = CacheStats()
        self._drops = 0

    def apply(self, settings: CacheSettings) -> None:
        """Take new settings. Off forgets what the memory holds."""
        self.settings = settings
        if settings.use is CacheUse.OFF:
            self._forget_all()
        self._shrink()

    async def find(self, key: str, seconds: float) -> Answer | None:
        """Return the answer that is as good as new, if there is one; `seconds` is how long the caller can wait."""
        answer = await self._look(key, seconds)
        if answer is None or not answer.is_fresh(self._clock.now()):
            self._counts.misses += 1
            return None
        self._counts.hits += 1
        self._counts.saved += answer.cost
        return answer

    async def find_stale(self, key: str) -> Answer | None:
        """Return an answer however old, for want of a better one."""
        return await self._look(key, _PATIENCE)

    async def keep(self, key: str, reply: Reply) -> None:
        """Keep a reply, if it is a whole answer in words."""
        if self.settings.use is CacheUse.OFF:
            return
        answer = self._answer(reply)
        if answer is None:
            return
        self._insert(key, answer)
        if self.store is not None:
            await self.store.put(key, answer)

    async def drop(self, key: str | None = None) -> None:
        """Forget one answer, or all of them, in both layers."""
        if key is None:
            self._forget_all()
        else:
            self._remove(key)
        self._drops += 1
        if self.store is not None:
            await self.store.drop(key)

    def note_joined(self, cost: Picodollars) -> None:
        """Count a request that shared another's call."""
        self._counts.joined += 1
        self._counts.saved += cost

    def stats(self) -> CacheStats:
        """Count what happened so far."""
        return replace(self._counts, entries=len(self._answers))

    async def _look(self, key: str, seconds: float) -> Answer | None:
        answer = self._answers.get(key)
        if answer is None and self.store is not None:
            drops = self._drops
            with suppress(TimeoutError):
                async with timeout(min(seconds, _PATIENCE)):
                    answer = await self.store.get(key)
            if key in self._answers:  # an equal request was answered meanwhile
                answer = self._answers[key]
            elif drops != self._drops:
                answer = None
            elif answer is not None:
                self._insert(key, answer)
        if answer is None:
            return None
        if self._clock.now() >= answer.kept_until:
            self._remove(key)
            return None
        if key in self._answers:
            self._answers.move_to_end(key)
        return answer

    def _answer(self, reply: Reply) -> Answer | None:
        if reply.finish is not Finish.STOP or not all(isinstance(part, Text | Thinking) for part in reply.parts):
            return None
        if reply.trimmed:  # an answer to less than was asked
            return None
        try:
            data = None if reply.data is None else json.dumps(reply.data, ensure_ascii=False)
        except TypeError, ValueError:
            return None
        now = self._clock.now()
        jitter = 1 + _JITTER * (2 * self._chance() - 1)
        fresh_until = now + self.settings.ttl * jitter
        kept_until = fresh_until + self.settings.stale
        return Answer(reply.text, data, reply.target, reply.usage, reply.cost, now, fresh_until, kept_until)

    def _insert(self, key: str, answer: Answer) -> None:
        self._remove(key)
        if _size(answer) > self.settings.max_bytes:
            return
        self._answers[key] = answer
        self._counts.bytes += _size(answer)
        self._shrink()

    def _remove(self, key: str) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._counts.bytes -= _size(answer)

    def _shrink(self) -> None:
        settings = self.settings
        while self._counts.bytes > settings.max_bytes or len(self._answers) > settings.max_entries:
            self._remove(next(iter(self._answers)))

    def _forget_all(self) -> None:
        self._answers.clear()
        self._counts.bytes = 0


def _size(answer: Answer) -> int:
    return _ENTRY_BYTES + getsizeof(answer.text) + (0 if answer.data is None else getsizeof(answer.data))
