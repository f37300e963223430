"""Limits of requests, tokens and slots, and what they learn."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.limits import SlidingWindow, Slots, TokenBucket
from custom_components.ai_router.routing.model import Bounds, Finish, Priority, Text, Usage
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.tickets import Unit, Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, provider, run


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> float:
        return 1_000.0 + self.time


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 3)), max_size=100),
)
def test_no_window_ever_holds_more_than_its_limit(limit: int, steps: list[tuple[float, int]]) -> None:
    clock = HandClock()
    window = SlidingWindow(clock, 60.0)
    window.limit = limit
    taken: list[float] = []
    for wait, amount in steps:
        clock.time += wait
        if not window.refuses(amount):
            window.take(amount)
            taken += [clock.time] * amount
        else:
            free_at = window.free_at(amount)
            if amount <= limit:
                assert free_at is not None
                assert free_at >= clock.now()
        for start in taken:
            assert sum(start <= time < start + 60 for time in taken) <= limit


def test_100_at_once_on_20k_tokens_a_minute_with_claims_of_2k_send_10() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        client = ScriptedProvider([gate, Usage(fresh_in=1_000, text_out=1_000), "ok", Finish.STOP])
        home = Home(clock, provider("a", client, tokens_per_minute=20_000))
        # 3,571 bytes are taken for 992 tokens, 8 more for the message: a claim of 2,000 with the answer's 1,000.
        request = ask("x" * 3_571, bounds=Bounds(max_output=1_000, timeout=5))
        assert home.router.plan(request).candidates[0].estimate.tokens == 2_000
        tasks = [asyncio.create_task(home.router.process(request)) for _ in range(100)]
        await asyncio.sleep(1)
        assert len(client.calls) == 10
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, RequestFailed) for result in results) == 90
        home.assert_nothing_left()

    run(main)


def test_a_long_answer_leaves_a_debt_that_delays_the_next_claim() -> None:
    clock = HandClock()
    bucket = TokenBucket(clock)
    bucket.limit = 6_000
    window_id = bucket.take(1_000)
    bucket.settle(window_id, 1_000, 9_000)
    assert bucket.level == -3_000
    assert bucket.refuses(1)
    assert bucket.free_at(1_000) == pytest.approx(clock.now() + 40)
    clock.time += 40
    assert not bucket.refuses(1_000)


def test_a_changed_token_limit_forgets_no_debt() -> None:
    clock = HandClock()
    bucket = TokenBucket(clock)
    bucket.limit = 6_000
    bucket.take(6_000)
    bucket.limit = 12_000
    assert bucket.level == 6_000


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ([Usage(fresh_in=100, text_out=50), "ok", Finish.STOP], 10_000 - 150),
        (failing(FailureClass.BAD_REQUEST, status=400), 10_000),
        (["ok", Finish.STOP], 10_000 - 1_008),
    ],
)
def test_tokens_are_settled_by_what_was_used(script: list[Any], left: int) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(script), tokens_per_minute=10_000))
        try:
            await home.router.process(ask("", bounds=Bounds(attempts=1)))
        except RequestFailed:
            assert script[0] != "ok"
        bucket = next(bucket for key, bucket in home.router.admission._buckets.items() if key.unit is Unit.TOKENS)
        assert isinstance(bucket, TokenBucket)
        assert bucket.level == pytest.approx(left)

    run(main)


def test_an_hours_limit_and_a_burst_hold_beside_the_minutes() -> None:
    async def main(clock: LoopClock) -> None:
        client, other = ScriptedProvider(), ScriptedProvider()
        home = Home(
            clock,
            provider("a", client, requests_per_minute=60, burst=5, requests_per_hour=100),
            provider("b", other),
        )
        for _ in range(30):
            await home.router.process(ask())
        assert len(client.calls) == 5
        for _ in range(1_000):
            await asyncio.sleep(1)
            await home.router.process(ask())
        for start in client.times:
            assert sum(start <= time < start + 5 for time in client.times) <= 5
        assert len(client.calls) == 100

    run(main)


def test_slots_are_waited_for_and_given_back() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1.0, "ok", Finish.STOP])
        home = Home(clock, provider("a", client, concurrent=3))
        tasks = [asyncio.create_task(home.router.process(ask())) for _ in range(9)]
        await asyncio.sleep(0.5)
        assert client.running == 3
        await asyncio.gather(*tasks)
        assert client.times == [0.0] * 3 + [1.0] * 3 + [2.0] * 3
        home.assert_nothing_left()

    run(main)


def test_overload_halves_what_runs_at_once_and_good_answers_bring_it_back() -> None:
    slots = Slots(HandClock())
    slots.limit = 8
    for _ in range(7):
        slots.take(1)
    slots.overloaded()
    assert slots.effective == 4
    slots.overloaded()
    assert slots.effective == 2
    for _ in range(20 * 6):
        slots.answered()
    assert slots.effective == 8


def test_a_refusal_names_the_limit_and_when_it_frees() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(), requests_per_hour=1))
        await home.router.process(ask())
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        error = caught.value
        assert error.code is RefusalCode.LIMITED
        assert error.bucket is not None
        assert (error.bucket.unit, error.bucket.window) == (Unit.REQUESTS, Window.HOUR)
        assert error.free_at == pytest.approx(clock.now() + 3_600)
        assert error.plan is not None
        assert [left_out.why for left_out in error.plan.left_out] == [Why.LIMITED]

    run(main)


def test_voice_goes_before_automations_before_batches_and_each_in_order() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1.0, "ok", Finish.STOP])
        home = Home(clock, provider("a", client, concurrent=1))
        tasks = [asyncio.create_task(home.router.process(ask("first")))]
        await asyncio.sleep(0.1)
        for number in range(2):
            for priority in (Priority.BATCH, Priority.AUTOMATION, Priority.VOICE):
                request = ask(f"{priority} {number}", priority=priority)
                tasks.append(asyncio.create_task(home.router.process(request)))
                await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)
        said = [part.text for call in client.calls for part in call.messages[0].parts if isinstance(part, Text)]
        assert said == ["first", "voice 0", "voice 1", "automation 0", "automation 1", "batch 0", "batch 1"]
        home.assert_nothing_left()

    run(main)


def test_a_newcomer_does_not_overtake_who_waits() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1.0, "ok", Finish.STOP])
        home = Home(clock, provider("a", client, concurrent=1))

        async def come(at: float, text: str) -> None:
            await asyncio.sleep(at)
            await home.router.process(ask(text))

        # The last one comes at the very moment the slot frees.
        await asyncio.gather(come(0, "one"), come(0.5, "two"), come(0.6, "three"), come(1.0, "four"))
        said = [part.text for call in client.calls for part in call.messages[0].parts if isinstance(part, Text)]
        assert said == ["one", "two", "three", "four"]

    run(main)


def test_waiting_is_bounded_in_number_and_time() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([10.0, "ok", Finish.STOP])
        home = Home(clock, provider("a", client, concurrent=1), queue_size=2)
        tasks = [asyncio.create_task(home.router.process(ask(bounds=Bounds(timeout=15)))) for _ in range(5)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        codes = [result.code if isinstance(result, RequestFailed) else "ok" for result in results]
        assert codes == ["ok", RefusalCode.DEADLINE, RefusalCode.DEADLINE, RefusalCode.LIMITED, RefusalCode.LIMITED]
        assert len(client.calls) == 2
        home.assert_nothing_left()

    run(main)


def test_a_limit_that_frees_soon_is_waited_for_and_one_that_frees_late_is_not() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("a", client, requests_per_minute=1))
        await home.router.process(ask())
        await asyncio.sleep(54)
        with pytest.raises(RequestFailed):
            await home.router.process(ask())
        await asyncio.sleep(2)
        await home.router.process(ask())
        assert client.times == [0.0, pytest.approx(60.0)]

    run(main)


def test_who_leaves_the_line_lets_the_next_one_look() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1.0, "ok", Finish.STOP])
        home = Home(clock, provider("a", client, concurrent=1))
        tasks = [asyncio.create_task(home.router.process(ask(str(n)))) for n in range(4)]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[1], asyncio.CancelledError)
        assert client.times == [0.0, 1.0, 2.0]
        home.assert_nothing_left()

    run(main)
