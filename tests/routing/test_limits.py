"""Limits of requests, tokens and slots, and what they learn."""

import asyncio
from copy import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.routing.call import Finish, RateWindow, Usage
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.fleet import pause_key, requests_key, slots_key, tokens_key, told_key
from custom_components.ai_router.routing.limits import LimitStatus, SlidingWindow, Slots, TokenBucket
from custom_components.ai_router.routing.model import Model, Target, Text
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, Priority, Request
from custom_components.ai_router.routing.retries import Backoff, RetrySettings
from custom_components.ai_router.routing.tickets import Scope, Unit, Window
from custom_components.ai_router.routing.told import Told

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, provider, run

A = Target("a", "m")


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


# --- what providers tell of themselves -----------------------------------------------------------


def told(clock: LoopClock, remaining: int | None, seconds: float | None, **fields: Any) -> RateWindow:
    """Tell what is left of a limit of 100 requests, and in how many seconds it is full again."""
    reset_at = None if seconds is None else clock.now() + seconds
    return RateWindow(fields.get("name", "requests"), fields.get("limit", 100), remaining, reset_at)


async def waited(home: Home, longest: float, step: float, request: Request | None = None) -> float:
    """Ask at every step until the first provider answers; return how many seconds that took."""
    began = home.clock.monotonic()
    while home.clock.monotonic() - began < longest:
        if (await home.router.process(request or ask())).target.provider_id == "a":
            break
        await asyncio.sleep(step)
    return home.clock.monotonic() - began


@pytest.mark.parametrize(
    ("remaining", "seconds", "limit", "free_after"),
    [
        (0, 60, 100, 60),
        (0, 12.5, 100, 12.5),
        (0, 90_000, 100, 3_600),  # nobody is taken at such a word for ever
        (0, None, 100, 10),
        (0, 30, None, 30),
        (0, 30, 0, 0),  # "0 of 0" is no limit
        (None, 30, 100, 0),
        (1, 30, 100, 0),
        (0, -5, 100, 0),
    ],
)
def test_what_the_provider_says_is_used_up_is_left_alone_until_it_frees(
    remaining: int | None, seconds: float | None, limit: int | None, free_after: float
) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        client.rates = lambda number: (told(clock, remaining, seconds, limit=limit),) if number == 1 else ()
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        await home.router.process(ask())
        assert await waited(home, 4_000, 2.0) == pytest.approx(free_after, abs=2)
        home.assert_nothing_left()

    run(main)


def test_what_is_under_way_is_taken_off_what_is_left() -> None:
    async def main(clock: LoopClock) -> None:
        # All are sent before the first one is told that five more may come: three already have.
        client = ScriptedProvider([1.0, "ok", Finish.STOP], silent_seconds=0.2)
        client.rates = lambda number: (told(clock, 5, 30),) if number == 1 else ()
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        tasks = [asyncio.create_task(home.router.process(ask())) for _ in range(4)]
        await asyncio.sleep(0.5)
        assert len(client.calls) == 4
        # Two more: five are left, less the three that may not be in it.
        targets = [(await home.router.process(ask(bounds=Bounds(max_output=1)))).target.provider_id for _ in range(4)]
        assert targets == ["a", "a", "b", "b"]
        await asyncio.gather(*tasks)
        home.assert_nothing_left()

    run(main)


def test_what_ended_without_an_answer_is_not_under_way_any_more() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(["ok", Finish.STOP], silent_seconds=5.0)
        client.rates = lambda number: (told(clock, 5, 30),) if number == 5 else ()
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        for _ in range(4):
            gone = asyncio.create_task(home.router.process(ask()))
            await asyncio.sleep(1)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        client.silent_seconds = 0.0
        targets = [(await home.router.process(ask())).target.provider_id for _ in range(8)]
        # The one that was told that five are left, those five, and then the other.
        assert targets == ["a"] * 6 + ["b"] * 2

    run(main)


def test_what_was_not_used_is_given_back_unless_a_newer_word_has_it() -> None:
    clock = HandClock()
    bucket = Told(clock)
    window = RateWindow("requests", None, 10, clock.now() + 60)
    bucket.hear(window, 0)
    first, second = bucket.take(1), bucket.take(1)
    bucket.settle(first, 1, 0)
    assert bucket.level == 9
    bucket.hear(replace(window, remaining=5), 0)
    bucket.settle(second, 1, 0)
    assert bucket.level == 5


def test_a_newer_word_takes_the_place_of_an_older_one() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        client.rates = lambda number: (told(clock, 1 if number == 1 else 50, 600),)
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        for _ in range(10):
            assert (await home.router.process(ask())).target.provider_id == "a"
        assert home.router.rates("a") == (told(clock, 50, 600),)
        assert home.router.rates("b") == ()

    run(main)


def test_a_limit_that_refills_lets_through_what_has_come_back() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        # Of 10,000 tokens a minute 1,000 are left; full again in 54 s: 166.7 come back in a second.
        window = RateWindow("tokens", 10_000, 1_000, clock.now() + 54)
        client.rates = lambda number: (window,) if number == 1 else ()
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        request = ask("", bounds=Bounds(max_output=1_992))
        need = home.router.plan(request).candidates[0].estimate.tokens
        await home.router.process(request)
        assert await waited(home, 60, 0.1, request) == pytest.approx((need - 1_000) * 54 / 9_000, abs=0.11)

    run(main)


def test_another_model_of_the_provider_goes_on() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        client.rates = lambda number: (told(clock, 0, 30),) if number == 1 else ()
        models = tuple(Model(name, prices=FREE, local=True) for name in ("x", "y"))
        home = Home(clock, provider("a", client, models=models))
        targets = [(await home.router.process(ask())).target.model_id for _ in range(2)]
        assert targets == ["x", "y"]

    run(main)


def test_a_refusal_teaches_too_and_names_what_it_waits_for() -> None:
    async def main(clock: LoopClock) -> None:
        failure = Failure(
            FailureClass.RATE_LIMIT,
            Phase.SENT,
            billed=Billed.NO,
            status=429,
            retry_at=clock.now() + 1,
            rates=(told(clock, 0, 40),),
        )
        home = Home(clock, provider("a", ScriptedProvider([failure])))
        with pytest.raises(RequestFailed):
            await home.router.process(ask(bounds=Bounds(attempts=1)))
        assert home.router.rates("a") == failure.rates
        await asyncio.sleep(2)  # the pause is over
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert (caught.value.code, caught.value.bucket) == (RefusalCode.LIMITED, told_key(A, Unit.REQUESTS))
        assert caught.value.free_at == pytest.approx(clock.now() + 38)

    run(main)


def test_a_pause_is_named_by_a_refusal_shown_as_a_limit_and_can_be_ended() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(
            lambda number: (
                failing(FailureClass.RATE_LIMIT, status=429, retry_at=clock.now() + 500)
                if number == 1
                else ["ok", Finish.STOP]
            )
        )
        home = Home(clock, provider("a", client))
        with pytest.raises(RequestFailed):
            await home.router.process(ask())
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        key = pause_key("a", "m")
        assert (caught.value.code, caught.value.bucket) == (RefusalCode.LIMITED, key)
        assert caught.value.free_at == clock.now() + 500
        assert home.router.limits("a") == (LimitStatus(key, 0, 0, clock.now() + 500, learned=True),)
        home.router.reset_limits("a", key)
        assert home.router.limits("a") == ()
        await home.router.process(ask())

    run(main)


# --- status and reset ----------------------------------------------------------------------------


def test_every_limit_shows_how_it_stands_and_begins_anew_when_told() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(["ok", Usage(fresh_in=600, text_out=400), Finish.STOP])
        client.rates = lambda _: (told(clock, 0, 50),)
        limits = {
            "requests_per_minute": 60,
            "requests_per_hour": 100,
            "burst": 1,
            "tokens_per_minute": 2_000,
            "concurrent": 3,
        }
        home = Home(clock, provider("a", client, **limits))
        keys = [requests_key("a", window) for window in (Window.MINUTE, Window.HOUR, Window.BURST)]
        keys += [tokens_key("a"), slots_key("a")]
        assert home.router.limits("a") == tuple(
            LimitStatus(key, limit, 0, None, learned=False)
            for key, limit in zip(keys, (60, 100, 1, 2_000, 3), strict=True)
        )
        await home.router.process(ask("", bounds=Bounds(max_output=1_000)))
        now = clock.now()
        used = {
            keys[0]: (60, 1, None, False),
            keys[1]: (100, 1, None, False),
            keys[2]: (1, 1, now + 1, False),
            keys[3]: (2_000, 1_000, None, False),
            keys[4]: (3, 0, None, False),
            told_key(A, Unit.REQUESTS): (100, 100, now + 50, True),
        }
        assert {status.key: status[1:] for status in home.router.limits("a")} == used
        home.router.reset_limits("a", keys[2])
        assert {status.key: status.used for status in home.router.limits("a")}[keys[2]] == 0
        assert {status.key: status.used for status in home.router.limits("a")}[keys[1]] == 1
        home.router.reset_limits("a")
        assert all(status.used == 0 and status.free_at is None for status in home.router.limits("a"))
        await home.router.process(ask("", bounds=Bounds(max_output=1_000)))
        for wrong in (lambda: home.router.reset_limits("a", slots_key("b")), lambda: home.router.limits("b")):
            with pytest.raises(KeyError):
                wrong()

    run(main)


def test_a_new_account_is_not_held_to_what_the_old_one_was_told() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        client.rates = lambda number: (told(clock, 0, 500),) if number == 1 else ()
        home = Home(clock, provider("a", client, credential="old"))
        await home.router.process(ask())
        with pytest.raises(RequestFailed):
            await home.router.process(ask())
        home.configure(provider("a", client, credential="new"))
        await home.router.process(ask())
        home.configure()
        assert not [key for key in home.router.admission._buckets if key.scope is Scope.TARGET]

    run(main)


# --- retries -------------------------------------------------------------------------------------


def test_in_a_total_outage_few_tries_are_retries() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(failing(FailureClass.INVALID_ANSWER))
        home = Home(clock, provider("a", client), retries=RetrySettings(share=0.2, floor=10))
        for _ in range(1_000):
            with pytest.raises(RequestFailed) as caught:
                await home.router.process(ask())
            assert caught.value.code is RefusalCode.ALL_FAILED
        retries = len(client.calls) - 1_000
        minutes = clock.monotonic() / 60
        assert 0.9 * 200 <= retries <= 200 + 10 + 10 * minutes
        home.assert_nothing_left()

    run(main)


def test_a_few_retries_need_no_traffic_and_another_target_is_no_retry() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(lambda number: failing(FailureClass.TRANSIENT) if number % 2 else ["ok", Finish.STOP])
        home = Home(clock, provider("a", client), retries=RetrySettings(share=0, floor=5))
        for _ in range(5):
            await home.router.process(ask())
        with pytest.raises(RequestFailed):
            await home.router.process(ask())
        home.configure(
            *(provider(str(n), ScriptedProvider(failing(FailureClass.TRANSIENT))) for n in range(20)),
            provider("good", ScriptedProvider()),
            retries=RetrySettings(share=0, floor=0),
        )
        assert (await home.router.process(ask())).target.provider_id == "good"

    run(main)


def test_each_provider_has_its_own_number_of_attempts_and_its_own_wait() -> None:
    async def main(clock: LoopClock) -> None:
        a, b = (ScriptedProvider(failing(FailureClass.INVALID_ANSWER)) for _ in range(2))
        home = Home(
            clock,
            provider("a", a, attempts=1, models=tuple(Model(name, prices=FREE, local=True) for name in "xy")),
            provider("b", b, backoff=Backoff(base=8, longest=30)),
            attempts=4,
        )
        with pytest.raises(RequestFailed):
            await home.router.process(ask())
        # The chance is a half: waits of 4, 8 seconds.
        assert (a.times, b.times) == ([0.0], [0.0, 4.0, 12.0])

    run(main)


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(base=1, longest=5)
    assert [backoff.delay(retry, 1.0) for retry in (1, 2, 3, 4, 10_000)] == [1, 2, 4, 5, 5]
    assert backoff.delay(3, 0.25) == 1
