"""The tokens of the last minute: what is under way at its claim, what has ended at what the ledger has of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.fleet import tokens_key
from custom_components.ai_router.routing.limits import TokenBucket
from custom_components.ai_router.routing.model import Sampling
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Bounds, CacheMode
from custom_components.ai_router.routing.router import Router
from custom_components.ai_router.routing.token_log import TokenLog

from .simulation import Home, LoopClock, ScriptedProvider, Step, ask, failing, provider, run

# Eight tokens for the message around an empty prompt, and the answer that is asked for.
CLAIM = 8 + 1_000
USAGE = Usage(fresh_in=100, cache_read=20, text_out=30, reasoning_out=7)
USED = 157
GOOD: tuple[Step, ...] = ("Hello", USAGE, Finish.STOP)


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> float:
        return 1_000.0 + self.time


def tokens(home: Home, name: str = "a") -> int:
    return home.router.admission.tokens_last_minute(name)


def question(**fields: Any) -> Any:
    return ask("", bounds=Bounds(max_output=1_000, attempts=1), **fields)


# --- the log itself ------------------------------------------------------------------------------

# Quarters of a second are whole hundredths, and exact in binary: so is the naive count.
quarters = st.integers(0, 260).map(lambda quarter: quarter / 4)
amounts = st.integers(0, 5_000)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("begin"), quarters, amounts),
            st.tuples(st.just("end"), quarters, amounts, st.integers(0, 1_000)),
            st.tuples(st.just("reset"), quarters),
        ),
        max_size=60,
    )
)
def test_it_says_what_a_naive_count_says(steps: list[tuple[Any, ...]]) -> None:
    clock = HandClock()
    log = TokenLog(clock, 60.0)
    began: list[list[Any]] = []  # [when, tokens, place, whether it is under way]
    for kind, wait, *rest in steps:
        clock.time += wait
        running = [each for each in began if each[3]]
        if kind == "begin":
            began.append([clock.time, rest[0], log.take(rest[0]), True])
        elif kind == "end" and running:
            ended = running[rest[1] % len(running)]
            log.settle(ended[2], ended[1], rest[0])
            ended[1], ended[3] = rest[0], False
        elif kind == "reset":
            log.reset()
            for each in began:
                each[0] = float("-inf")
        # What begins within the hundredth of a second of a reset leaves a hundredth later.
        expected = sum(used for when, used, _, _ in began if clock.time - when < 60)
        late = sum(used for when, used, _, _ in began if clock.time - when == 60)
        assert log.used - expected in (0, late)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 100)), max_size=100))
def test_at_any_moment_it_is_right_to_a_hundredth_of_a_second(steps: list[tuple[float, int]]) -> None:
    clock = HandClock()
    log = TokenLog(clock, 60.0)
    began: list[tuple[float, int]] = []
    for wait, amount in steps:
        clock.time += wait
        log.take(amount)
        began.append((clock.time, amount))
        ages = [(clock.time - when, used) for when, used in began]
        assert sum(used for age, used in ages if age < 59.99) <= log.used
        assert log.used <= sum(used for age, used in ages if age < 60.01)


def test_it_stays_small_and_exact_however_much_begins() -> None:
    clock = HandClock()
    log = TokenLog(clock, 60.0)
    for _ in range(40_000):
        clock.time += 0.004
        log.take(3)
    assert log.used == pytest.approx(3 * 60 / 0.004, abs=3 * 3)
    assert len(log._log) <= 6_001
    clock.time += 61
    assert (log.used, len(log._log)) == (0, 0)


def test_what_began_before_a_reset_ends_in_nobodys_place() -> None:
    clock = HandClock()
    log = TokenLog(clock, 60.0)
    places = []
    for _ in range(3):
        places.append(log.take(1_000))
        log.reset()
    last = log.take(1_000)
    for place in places:
        log.settle(place, 1_000, 0)
    assert log.used == 1_000
    log.settle(last, 1_000, 10)
    assert log.used == 10


# --- what requests do to it ----------------------------------------------------------------------


def test_an_attempt_counts_its_claim_until_it_ends_and_then_its_usage_for_the_rest_of_its_minute() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        home = Home(clock, provider("a", ScriptedProvider([gate, *GOOD])))
        asking = asyncio.create_task(home.router.process(question()))
        await asyncio.sleep(20)
        assert tokens(home) == CLAIM
        gate.set()
        await asking
        assert tokens(home) == USED
        await asyncio.sleep(39.9)
        assert tokens(home) == USED
        await asyncio.sleep(0.2)
        assert tokens(home) == 0
        home.assert_nothing_left()

    run(main)


def test_what_takes_longer_than_its_minute_leaves_with_it_and_ends_without_a_trace() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(["Well", 50.0, "then", 40.0, *GOOD])))
        asking = asyncio.create_task(home.router.process(question()))
        await asyncio.sleep(59)
        assert tokens(home) == CLAIM
        await asyncio.sleep(2)
        assert tokens(home) == 0
        await asking
        assert tokens(home) == 0

    run(main)


@pytest.mark.parametrize(
    ("script", "left"),
    [
        (GOOD, USED),
        (["ok", Usage(fresh_in=5_000, text_out=900), Finish.STOP], 5_900),  # a bill above the claim
        (["ok", Finish.STOP], 0),  # nobody told: neither does the ledger know of any
        (failing(FailureClass.OVERLOADED), 0),
        ([USAGE, *failing(FailureClass.OVERLOADED)], USED),
        (["half", USAGE], USED),  # cut off
        ([ValueError("a fault of its own")], 0),
    ],
)
@pytest.mark.parametrize("limit", [None, 100_000])
def test_however_it_ends_it_counts_what_the_ledger_has(script: list[Any], left: int, limit: int | None) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(script), tokens_per_minute=limit))
        await asyncio.gather(home.router.process(question()), return_exceptions=True)
        (outcome,) = home.ledger.settled.values()
        usage = outcome.usage or Usage()
        assert tokens(home) == left == usage.input_tokens + usage.output_tokens
        home.assert_nothing_left()

    run(main)


def test_a_stream_counts_its_claim_and_a_cancelled_one_what_was_told_by_then() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider([USAGE, "Hel", 1.0, "lo", Finish.STOP])))
        async with home.router.open(question()) as stream:
            await anext(aiter(stream))
            assert tokens(home) == CLAIM
        assert tokens(home) == USED

        home.configure(provider("b", ScriptedProvider([5.0, *GOOD])))
        asking = asyncio.create_task(home.router.process(question()))
        await asyncio.sleep(1)
        assert tokens(home, "b") == CLAIM
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert tokens(home, "b") == 0
        home.assert_nothing_left()

    run(main)


def test_each_of_those_that_fail_over_counts_for_its_own_provider() -> None:
    async def main(clock: LoopClock) -> None:
        cut = ["half", USAGE]
        home = Home(
            clock, provider("a", ScriptedProvider(cut), priority=2), provider("b", ScriptedProvider(GOOD), priority=1)
        )
        await home.router.process(ask(""))
        assert (tokens(home, "a"), tokens(home, "b")) == (USED, USED)

    run(main)


def test_kept_answers_and_those_that_join_one_under_way_count_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1.0, *GOOD])
        home = Home(clock, provider("a", client))
        request = {"cache_mode": CacheMode.USE, "sampling": Sampling(temperature=0.0)}
        await asyncio.gather(*(home.router.process(question(**request)) for _ in range(20)))
        reply = await home.router.process(question(**request))
        assert reply.cached
        assert len(client.calls) == 1
        assert tokens(home) == USED

    run(main)


def test_a_wall_clock_that_jumps_moves_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider([10.0, *GOOD])))
        asking = asyncio.create_task(home.router.process(question()))
        await asyncio.sleep(5)
        clock.shift += 86_400
        assert tokens(home) == CLAIM
        clock.shift -= 3 * 86_400
        await asking
        assert tokens(home) == USED
        await asyncio.sleep(51)
        assert tokens(home) == 0

    run(main)


@pytest.mark.parametrize(
    "begin_anew", [lambda router: router.mend("a"), lambda router: router.reset_limits("a", tokens_key("a"))]
)
def test_other_settings_keep_it_and_a_reset_does_not(begin_anew: Callable[[Router], None]) -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        client = ScriptedProvider(lambda number: GOOD if number == 1 else [gate, *GOOD])
        home = Home(clock, provider("a", client))
        await home.router.process(question())
        # By now it is known that the provider counts more tokens than were estimated.
        claim = home.router.plan(question()).candidates[0].estimate.tokens
        asking = asyncio.create_task(home.router.process(question()))
        await asyncio.sleep(1)
        home.configure(provider("a", client, tokens_per_minute=50_000))
        assert tokens(home) == USED + claim
        home.configure(provider("a", client, priority=3))
        assert tokens(home) == USED + claim
        begin_anew(home.router)
        assert tokens(home) == 0
        gate.set()
        await asking
        assert tokens(home) == 0
        home.assert_nothing_left()

    run(main)


def test_it_is_kept_for_a_provider_that_comes_back_before_its_attempts_have_ended() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([5.0, *GOOD])
        home = Home(clock, provider("a", client))
        asking = asyncio.create_task(home.router.process(question()))
        await asyncio.sleep(1)
        home.configure(provider("b", ScriptedProvider()))
        home.configure(provider("a", client))
        assert tokens(home) == CLAIM
        await asking
        assert tokens(home) == USED
        home.configure(provider("b", ScriptedProvider()))
        home.configure(provider("a", client))
        assert tokens(home) == 0

    run(main)


# --- what outlives a restart ---------------------------------------------------------------------


def test_the_ledgers_last_hour_brings_back_the_minute_and_what_the_limit_has_left() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(GOOD), tokens_per_minute=6_000))
        now = clock.now()
        # Each had come back by the time of the next one, but for the last: there only 1,000 have.
        used = [(now - 1_800, 12_000), (now - 90, 5_000), (now - 40, 2_000), (now - 10, 1_500), (now + 500, 70)]
        home.router.admission.limits.restore("a", used)
        assert tokens(home) == 2_000 + 1_500 + 70
        bucket = home.router.admission.limits.tokens("a")
        assert bucket.level == pytest.approx(6_000 - 1_500 + 1_000 - 70)
        await asyncio.sleep(21)
        assert tokens(home) == 1_500 + 70
        await asyncio.sleep(40)
        assert tokens(home) == 0

    run(main)


def test_a_burst_that_was_used_up_still_is_after_a_restart() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(GOOD), requests_per_minute=6, burst=2))
        home.router.admission.limits.restore("a", [(clock.now() - ago, 0) for ago in (30, 5, 4)])
        assert home.router.admission.requests_last_minute("a") == 3
        with pytest.raises(RequestFailed) as refused:
            await home.router.process(question())
        # Two in twenty seconds, of which the older one leaves first.
        assert refused.value.free_at == pytest.approx(clock.now() + 15)

    run(main)


def test_a_limit_that_was_used_up_still_is_after_a_restart() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(GOOD), tokens_per_minute=2_000))
        home.router.admission.limits.restore("a", [(clock.now() - 15, 2_000)])
        with pytest.raises(RequestFailed) as refused:
            await home.router.process(question())
        # 500 have come back, 508 more are needed.
        assert refused.value.free_at == pytest.approx(clock.now() + 508 * 60 / 2_000)

    run(main)


@given(st.lists(st.tuples(st.floats(0.01, 30), st.integers(0, 9_000)), min_size=1, max_size=30))
def test_a_restored_limit_stands_where_it_stood(steps: list[tuple[float, int]]) -> None:
    clock = HandClock()
    before = TokenBucket(clock)
    before.limit = 6_000
    used: list[tuple[float, int]] = []
    for wait, amount in steps:
        clock.time += wait
        before.settle(before.take(1), 1, amount)
        used.append((clock.time, amount))
    after = TokenBucket(clock)
    after.limit = 6_000
    after.restore([(clock.time - when, amount) for when, amount in used])
    assert after.level == pytest.approx(before.level, abs=1e-6)
