"""The memory of answers: what may be shared, for how long, and that it stays within its bounds."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.ai_router.routing.cache import (
    Answer,
    AnswerCache,
    CacheSettings,
    CacheStats,
    CacheUse,
    StoreStats,
    may_share,
)
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.model import Sampling, Structure, Target, Text, Thinking, Tool, ToolCall
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.plans import Plan
from custom_components.ai_router.routing.request import CacheMode

from .simulation import LoopClock, ask, picture, run

TARGET = Target("attic", "small")
COLD = Sampling(temperature=0.0)


def reply(text: str = "Yes.", **fields: Any) -> Reply:
    whole: dict[str, Any] = {
        "request_id": "r",
        "parts": (Text(text),),
        "data": None,
        "finish": Finish.STOP,
        "target": TARGET,
        "pool": None,
        "usage": Usage(fresh_in=10, text_out=5),
        "cost": 700,
        "estimated": False,
        "cached": False,
        "latency": 1.0,
        "first_token": 0.5,
        "attempts": (),
        "plan": Plan((), (), "priority"),
        **fields,
    }
    return Reply(**whole)


@dataclass
class MemoryStore:
    """The store port in memory; `delay` is seconds for each look-up."""

    answers: dict[str, Answer] = field(default_factory=dict)
    delay: float = 0.0
    looked: int = 0

    async def get(self, key: str) -> Answer | None:
        self.looked += 1
        found = self.answers.get(key)
        if self.delay:
            await asyncio.sleep(self.delay)
        return found

    async def put(self, key: str, answer: Answer) -> None:
        self.answers[key] = answer

    async def drop(self, key: str | None = None) -> None:
        if key is None:
            self.answers.clear()
        else:
            self.answers.pop(key, None)

    async def stats(self) -> StoreStats:
        return StoreStats(len(self.answers), 0)


def memory(clock: LoopClock, store: MemoryStore | None = None, chance: float = 0.5, **settings: Any) -> AnswerCache:
    cache = AnswerCache(clock, lambda: chance)
    cache.apply(CacheSettings(**settings))
    cache.store = store
    return cache


@pytest.mark.parametrize(
    ("fields", "off", "careful", "everything"),
    [
        ({}, False, False, True),
        ({"sampling": Sampling(temperature=0.7)}, False, False, True),
        ({"sampling": COLD}, False, True, True),
        ({"structure": Structure("s", {})}, False, True, True),
        ({"structure": Structure("s", {}), "sampling": Sampling(temperature=0.7)}, False, False, True),
        ({"cache_mode": CacheMode.USE}, False, True, True),
        ({"cache_mode": CacheMode.REFRESH}, False, True, True),
        ({"cache_mode": CacheMode.ONLY}, False, True, True),
        ({"cache_mode": CacheMode.BYPASS, "sampling": COLD}, False, False, False),
        ({"cache_mode": CacheMode.USE, "tools": (Tool("t", "", {}),)}, False, False, False),
    ],
)
def test_only_what_has_one_answer_is_shared_unless_asked_for(
    fields: dict[str, Any], off: bool, careful: bool, everything: bool
) -> None:
    request = ask(**fields)
    assert may_share(request, CacheUse.OFF) is off
    assert may_share(request, CacheUse.CAREFUL) is careful
    assert may_share(request, CacheUse.ALL) is everything


@pytest.mark.parametrize(
    "fields",
    [
        {"finish": Finish.LENGTH},
        {"finish": Finish.FILTERED},
        {"finish": Finish.OTHER},
        {"finish": Finish.TOOLS},
        {"parts": (Text("a"), ToolCall("1", "light", {}))},
        {"parts": (picture(),)},
        {"data": {"value": object()}},
    ],
)
def test_what_is_not_a_whole_answer_in_words_is_not_kept(fields: dict[str, Any]) -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock)
        await cache.keep("k", reply(**fields))
        assert await cache.find("k", 1) is None
        assert cache.stats() == CacheStats(misses=1)

    run(main)


def test_an_answer_is_kept_without_its_reasoning_and_with_its_data() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock)
        thought = Thinking("secret thoughts", object(), TARGET)
        await cache.keep("k", reply("Yes.", parts=(thought, Text("Yes.")), data={"open": "jä"}, estimated=True))
        found = await cache.find("k", 1)
        assert found is not None
        assert (found.text, found.data) == ("Yes.", '{"open": "jä"}')
        assert (found.target, found.usage, found.cost) == (TARGET, Usage(fresh_in=10, text_out=5), 700)

    run(main)


@pytest.mark.parametrize(("chance", "fresh_for"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
def test_an_answer_grows_old_at_its_own_time_and_is_kept_a_while_longer(chance: float, fresh_for: float) -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock, chance=chance, ttl=100.0, stale=50.0)
        await cache.keep("k", reply())
        await asyncio.sleep(fresh_for - 0.001)
        assert await cache.find("k", 1) is not None
        await asyncio.sleep(0.002)
        assert await cache.find("k", 1) is None
        assert await cache.find_stale("k") is not None
        await asyncio.sleep(50)
        assert await cache.find_stale("k") is None
        assert cache.stats() == CacheStats(hits=1, misses=1, saved=700)

    run(main)


def test_a_clock_that_was_set_back_keeps_nothing_young() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock)
        await cache.keep("k", reply())
        clock.shift -= 10
        assert await cache.find("k", 1) is None
        assert await cache.find_stale("k") is not None

    run(main)


def test_the_answer_unused_for_longest_goes_first() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock, max_entries=2)
        await cache.keep("a", reply())
        await cache.keep("b", reply())
        assert await cache.find("a", 1) is not None
        await cache.keep("c", reply())
        assert [await cache.find(key, 1) is not None for key in "abc"] == [True, False, True]

    run(main)


def test_an_answer_too_large_to_keep_drives_no_other_out() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock, max_bytes=20_000)
        await cache.keep("a", reply())
        await cache.keep("b", reply("x" * 20_000))
        assert await cache.find("a", 1) is not None
        await cache.keep("a", reply("x" * 20_000))
        assert await cache.find("a", 1) is None

    run(main)


def test_statistics_count_what_happened() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock)
        assert cache.stats().hit_rate is None
        await cache.find("k", 1)
        await cache.keep("k", reply(cost=700))
        for _ in range(3):
            await cache.find("k", 1)
        cache.note_joined(50)
        stats = cache.stats()
        assert (stats.hits, stats.misses, stats.joined, stats.saved, stats.entries) == (3, 1, 1, 2_150, 1)
        assert stats.hit_rate == 0.75
        assert stats.bytes > len("Yes.")
        await cache.drop("k")
        assert cache.stats() == replace(stats, entries=0, bytes=0)

    run(main)


def test_off_forgets_and_keeps_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock)
        await cache.keep("k", reply())
        cache.apply(CacheSettings(use=CacheUse.OFF))
        await cache.keep("l", reply())
        assert cache.stats() == CacheStats()
        cache.apply(CacheSettings())
        assert await cache.find("k", 1) is None

    run(main)


def test_smaller_limits_hold_at_once() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock)
        for number in range(10):
            await cache.keep(str(number), reply())
        cache.apply(CacheSettings(max_entries=3))
        assert cache.stats().entries == 3
        cache.apply(CacheSettings(max_bytes=0))
        assert (cache.stats().entries, cache.stats().bytes) == (0, 0)

    run(main)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 20),
    st.integers(0, 40_000),
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 20_000), st.sampled_from(["keep", "find", "drop"]))),
)
def test_memory_stays_within_its_bounds(entries: int, size: int, steps: list[tuple[str, int, str]]) -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock, max_entries=entries, max_bytes=size)
        for key, length, step in steps:
            if step == "keep":
                await cache.keep(key, reply("x" * length, data={"value": "ä" * (length // 2)}))
            elif step == "find":
                await cache.find(key, 1)
            else:
                await cache.drop(key)
            stats = cache.stats()
            assert 0 <= stats.entries <= entries
            assert 0 <= stats.bytes <= size
            assert sum(len(answer.text) for answer in cache._answers.values()) <= stats.bytes
        await cache.drop()
        assert (cache.stats().entries, cache.stats().bytes) == (0, 0)

    run(main)


def test_the_store_is_asked_once_and_then_remembered() -> None:
    async def main(clock: LoopClock) -> None:
        store = MemoryStore()
        await memory(clock, store).keep("k", reply())
        after_restart = memory(clock, store)
        assert await after_restart.find("k", 1) is not None
        assert await after_restart.find("k", 1) is not None
        assert store.looked == 1
        assert after_restart.stats().entries == 1

    run(main)


def test_an_old_answer_of_the_store_is_a_stale_one() -> None:
    async def main(clock: LoopClock) -> None:
        store = MemoryStore()
        await memory(clock, store, ttl=10.0, stale=10.0).keep("k", reply())
        await asyncio.sleep(15)
        cache = memory(clock, store)
        assert await cache.find("k", 1) is None
        assert await cache.find_stale("k") is not None
        await asyncio.sleep(10)
        assert await memory(clock, store).find_stale("k") is None

    run(main)


@pytest.mark.parametrize(("seconds", "waited"), [(10.0, 0.5), (0.1, 0.1)])
def test_a_slow_store_is_not_waited_for(seconds: float, waited: float) -> None:
    async def main(clock: LoopClock) -> None:
        store = MemoryStore(delay=5.0)
        await memory(clock, store).keep("k", reply())
        assert await memory(clock, store).find("k", seconds) is None
        assert clock.monotonic() == pytest.approx(waited)

    run(main)


def test_what_was_dropped_during_a_look_up_stays_dropped() -> None:
    async def main(clock: LoopClock) -> None:
        store = MemoryStore(delay=0.2)
        await memory(clock, store).keep("k", reply())
        cache = memory(clock, store)
        looking = asyncio.ensure_future(cache.find("k", 1))
        await asyncio.sleep(0.1)
        await cache.drop()
        assert await looking is None
        assert await cache.find("k", 1) is None
        assert not store.answers

    run(main)


def test_an_answer_that_came_during_a_look_up_is_found() -> None:
    async def main(clock: LoopClock) -> None:
        cache = memory(clock, MemoryStore(delay=0.2))
        looking = asyncio.ensure_future(cache.find("k", 1))
        await asyncio.sleep(0.1)
        await cache.keep("k", reply())
        assert await looking is not None

    run(main)
