"""Breakers on the road: a dead target costs little, and one probe finds out when it is back."""

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest

from custom_components.ai_router.routing.breaker import Breaker, BreakerSettings, BreakerState, OpenPeriod
from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.failures import Failure, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import Capability, Model, Target
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.plans import Because, Reason
from custom_components.ai_router.routing.ports import BreakerMoved
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, Pins

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, provider, run

A, B = Target("a", "m"), Target("b", "m")
DEAD = Failure(FailureClass.NETWORK, Phase.UNSENT, "connection refused")


def test_a_dead_primary_costs_five_tries_then_one_in_each_longer_period() -> None:
    async def main(clock: LoopClock) -> None:
        primary = ScriptedProvider([DEAD])
        home = Home(clock, provider("a", primary), provider("b", ScriptedProvider()))
        for _ in range(1_800):
            before = clock.monotonic()
            reply = await home.router.process(ask())
            assert reply.target == B
            assert clock.monotonic() - before < 0.01
            await asyncio.sleep(1)
        gaps = [later - earlier for earlier, later in zip(primary.times[4:], primary.times[5:], strict=False)]
        # Five to open it, then one at the end of every period.
        assert gaps == [60, 120, 240, 300, 300, 300, 300]
        home.assert_nothing_left()

    run(main)


def test_a_flap_of_a_minute_is_served_and_the_primary_is_back_within_its_period() -> None:
    async def main(clock: LoopClock) -> None:
        primary = ScriptedProvider(lambda _: [DEAD] if 10 <= clock.monotonic() < 70 else ["back", Finish.STOP])
        home = Home(clock, provider("a", primary), provider("b", ScriptedProvider()))
        targets = []
        for _ in range(20):
            await asyncio.sleep(5)
            targets.append((await home.router.process(ask())).target)
        assert targets[:2] == [A, B]
        # Opened at 30 s, tried again at 90 s.
        assert targets[-3:] == [A, A, A]
        assert targets.count(B) == 16
        home.assert_nothing_left()

    run(main)


def test_open_periods_begin_anew_after_a_good_spell() -> None:
    settings = BreakerSettings(failures=1, open_seconds=10, growth=3, longest_open_seconds=50, good_seconds=100)
    breaker = Breaker(settings)
    now, periods = 0.0, []
    for _ in range(4):
        if breaker.closed:
            breaker.fail(1, now)
        periods.append(breaker.reopens_at - now)
        now = breaker.reopens_at
        breaker.begin_probe(now)
        breaker.fail(1, now, probe=True)
    assert periods == [10, 30, 50, 50]
    breaker.begin_probe(now + 50)
    breaker.succeed(now + 50, probe=True)
    breaker.fail(1, now + 149)
    assert breaker.reopens_at == now + 149 + 50
    breaker.begin_probe(now + 199)
    breaker.succeed(now + 199, probe=True)
    breaker.fail(1, now + 299)
    assert breaker.reopens_at == now + 299 + 10


def test_a_probe_before_its_time_makes_no_period_longer() -> None:
    breaker = Breaker(BreakerSettings(failures=1, open_seconds=10))
    breaker.fail(1, 0.0)
    breaker.begin_probe(5.0)
    breaker.fail(1, 6.0, probe=True)
    assert breaker.reopens_at == 16.0


def test_mostly_failing_opens_it_too_and_a_few_failures_do_not() -> None:
    def outcome(breaker: Breaker, now: float, *, good: bool) -> bool:
        return breaker.succeed(now, probe=False) if good else breaker.fail(1, now)

    settings = BreakerSettings(failures=5, ratio=0.5, volume=8, window_seconds=60)
    breaker = Breaker(settings)
    opened = [outcome(breaker, float(n), good=n % 2 == 0) for n in range(8)]
    assert opened == [False] * 7 + [True]
    # The same few, but spread over more than the window.
    breaker = Breaker(settings)
    assert not any(outcome(breaker, 20.0 * n, good=n % 2 == 0) for n in range(100))
    # One in three fails.
    breaker = Breaker(settings)
    assert not any(outcome(breaker, n / 10, good=n % 3 != 0) for n in range(1_000))
    # What went well before the first failure counts.
    breaker = Breaker(settings)
    assert not any(outcome(breaker, n / 10, good=n < 20 or n % 2 == 0) for n in range(30))


def test_as_many_good_probes_as_are_asked_for_close_it() -> None:
    async def main(clock: LoopClock) -> None:
        primary = ScriptedProvider(lambda number: [DEAD] if number <= 5 else ["back", Finish.STOP])
        home = Home(clock, provider("a", primary), provider("b", ScriptedProvider()), breaker=BreakerSettings(probes=3))
        for _ in range(5):
            await home.router.process(ask())
        await asyncio.sleep(60)
        for closed in (False, False, True):
            assert (await home.router.process(ask())).text == "back"
            assert home.router.admission.breakers.of(A).closed is closed

    run(main)


def models(*names: str) -> tuple[Model, ...]:
    return tuple(Model(name, caps=Capability.CHAT, prices=FREE, local=True) for name in names)


async def ask_model(home: Home, name: str) -> None:
    with contextlib.suppress(RequestFailed):
        await home.router.process(ask(pins=Pins(models=(name,)), bounds=Bounds(attempts=1)))


@pytest.mark.parametrize("scope", [FailureScope.TARGET, FailureScope.PROVIDER])
def test_a_provider_that_is_down_is_tried_once_a_period_not_once_for_each_model(scope: FailureScope) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([replace(DEAD, scope=scope)])
        home = Home(clock, provider("a", client, models=models(*"wxyz")), provider("b", ScriptedProvider()))
        breakers = home.router.admission.breakers
        for name in "wwwww" if scope is FailureScope.PROVIDER else "wwwwwxxxxx":
            await ask_model(home, name)
        assert breakers.states("a", clock.monotonic()) == [BreakerState.OPEN] * 4
        client.times.clear()
        for _ in range(600):
            assert (await home.router.process(ask())).target == B
            await asyncio.sleep(1)
        assert client.times == [60, 180, 420]

    run(main)


def test_a_provider_that_answers_one_model_is_asked_for_the_others_again() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(
            lambda number: [replace(DEAD, scope=FailureScope.PROVIDER)] if number <= 5 else ["ok", Finish.STOP]
        )
        home = Home(clock, provider("a", client, models=models("x", "y")), provider("b", ScriptedProvider()))
        breakers = home.router.admission.breakers
        for _ in range(5):
            await ask_model(home, "x")
        await asyncio.sleep(30)
        await ask_model(home, "x")  # nothing else is left: a forced probe
        assert breakers.of(Target("a", "x")).closed
        assert breakers.of(Target("a", "y")).state(clock.monotonic()) is BreakerState.HALF_OPEN
        await ask_model(home, "y")
        assert breakers.of(Target("a", "y")).closed

    run(main)


@pytest.mark.parametrize("cls", [FailureClass.TRANSIENT, FailureClass.TIMEOUT_FIRST_TOKEN])
def test_models_that_fail_for_themselves_do_not_take_the_provider_down(cls: FailureClass) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(failing(cls)), models=models(*"xyz")))
        for name in "xxxxxyyyyy":
            await ask_model(home, name)
        states = {name: home.router.admission.breakers.of(Target("a", name)).closed for name in "xyz"}
        assert states == {"x": False, "y": False, "z": True}

    run(main)


def test_it_is_used_again_within_one_open_period() -> None:
    async def main(clock: LoopClock) -> None:
        primary = ScriptedProvider(lambda number: [DEAD] if number <= 5 else ["back", Finish.STOP])
        home = Home(clock, provider("a", primary), provider("b", ScriptedProvider()))
        for _ in range(5):
            await home.router.process(ask())
        await asyncio.sleep(60)
        replies = [await home.router.process(ask()) for _ in range(3)]
        assert [reply.text for reply in replies] == ["back"] * 3
        assert replies[0].plan.candidates[0].reasons == (Reason(Because.PRIORITY, 0), Reason(Because.PROBING))
        moves = [event.state for event in home.events if isinstance(event, BreakerMoved)]
        assert moves == [BreakerState.OPEN, BreakerState.CLOSED]

    run(main)


def test_only_one_request_probes_at_a_time() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        primary = ScriptedProvider(lambda number: [DEAD] if number <= 5 else [gate, "back", Finish.STOP])
        home = Home(clock, provider("a", primary), provider("b", ScriptedProvider()))
        for _ in range(5):
            await home.router.process(ask())
        await asyncio.sleep(60)
        tasks = [asyncio.create_task(home.router.process(ask())) for _ in range(20)]
        await asyncio.sleep(1)
        assert len(primary.calls) == 6
        assert sum(task.done() for task in tasks) == 19
        gate.set()
        replies = await asyncio.gather(*tasks)
        assert sorted(reply.text for reply in replies) == ["Hello"] * 19 + ["back"]
        home.assert_nothing_left()

    run(main)


def test_a_cancelled_probe_gives_its_slot_back() -> None:
    async def main(clock: LoopClock) -> None:
        primary = ScriptedProvider(
            lambda number: [DEAD] if number <= 5 else [1000.0] if number == 6 else ["back", Finish.STOP]
        )
        home = Home(clock, provider("a", primary), provider("b", ScriptedProvider()))
        for _ in range(5):
            await home.router.process(ask())
        await asyncio.sleep(60)
        probe = asyncio.create_task(home.router.process(ask()))
        await asyncio.sleep(1)
        assert home.router.admission.breakers.of(A).probing
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert (await home.router.process(ask())).text == "back"
        home.assert_nothing_left()

    run(main)


async def open_all(home: Home, failures: int = 5) -> None:
    """Let every breaker open: single attempts, each failing."""
    for _ in range(failures):
        with pytest.raises(RequestFailed):
            await home.router.process(ask(bounds=Bounds(attempts=1)))


def test_when_every_breaker_is_open_one_probes_and_the_others_wait() -> None:
    async def main(clock: LoopClock) -> None:
        only = ScriptedProvider(lambda number: [DEAD] if number <= 5 else [2.0, "back", Finish.STOP])
        home = Home(clock, provider("a", only))
        await open_all(home)
        replies = await asyncio.gather(*(home.router.process(ask()) for _ in range(50)))
        assert {reply.text for reply in replies} == {"back"}
        # The probe answered after two seconds, then all others were sent.
        assert only.times[5:] == [0.0, *[2.0] * 49]
        home.assert_nothing_left()

    run(main)


def test_when_the_probe_fails_too_the_others_hear_it_at_once() -> None:
    async def main(clock: LoopClock) -> None:
        only = ScriptedProvider(lambda number: [DEAD] if number <= 5 else [2.0, DEAD])
        home = Home(clock, provider("a", only))
        await open_all(home)
        results = await asyncio.gather(
            *(home.router.process(ask(bounds=Bounds(attempts=1))) for _ in range(50)), return_exceptions=True
        )
        assert len(only.calls) == 6
        assert all(isinstance(result, RequestFailed) for result in results)
        codes = sorted(result.code for result in results if isinstance(result, RequestFailed))
        assert codes == [RefusalCode.ALL_DOWN] * 49 + [RefusalCode.ALL_FAILED]
        assert clock.monotonic() == pytest.approx(2.0)
        home.assert_nothing_left()

    run(main)


def test_waiting_for_a_probe_ends_at_the_deadline() -> None:
    async def main(clock: LoopClock) -> None:
        only = ScriptedProvider(lambda number: [DEAD] if number <= 5 else [50.0, "late", Finish.STOP])
        home = Home(clock, provider("a", only))
        await open_all(home)
        probe = asyncio.create_task(home.router.process(ask()))
        await asyncio.sleep(0)
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask(bounds=Bounds(timeout=3)))
        assert caught.value.code is RefusalCode.DEADLINE
        assert clock.monotonic() == pytest.approx(3.0)
        await probe
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize(
    "cls", [FailureClass.RATE_LIMIT, FailureClass.BAD_REQUEST, FailureClass.CONTEXT_LENGTH, FailureClass.EMPTY]
)
def test_what_is_not_the_targets_fault_does_not_open_its_breaker(cls: FailureClass) -> None:
    async def main(clock: LoopClock) -> None:
        script: list[Any] = failing(cls, status=429, retry_at=clock.now())
        home = Home(clock, provider("a", ScriptedProvider(script)))
        await open_all(home, 20)
        assert home.router.admission.breakers.of(A).closed

    run(main)


def test_a_hurried_caller_does_not_open_the_breaker_of_a_slow_target() -> None:
    async def main(clock: LoopClock) -> None:
        slow = ScriptedProvider([30.0, "late", Finish.STOP])
        home = Home(clock, provider("a", slow), provider("b", ScriptedProvider()))
        for _ in range(10):
            reply = await home.router.process(ask(bounds=Bounds(timeout=8)))
            assert reply.target == B
        assert home.router.admission.breakers.of(A).closed

    run(main)


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker(BreakerSettings(failures=3, open_seconds=10))
    for _ in range(2):
        breaker.fail(1, 0.0, probe=False)
    breaker.succeed(0.0, probe=False)
    assert not breaker.fail(1, 0.0, probe=False)
    assert breaker.state(0.0) is BreakerState.CLOSED
    breaker.fail(1, 0.0, probe=False)
    assert breaker.fail(1, 0.0, probe=False)
    assert breaker.state(9.9) is BreakerState.OPEN
    assert breaker.state(10.0) is BreakerState.HALF_OPEN


def test_a_straggler_does_not_close_an_open_breaker() -> None:
    breaker = Breaker(BreakerSettings(failures=1, open_seconds=10))
    breaker.fail(1, 0.0, probe=False)
    assert not breaker.succeed(1.0, probe=False)
    assert breaker.state(5.0) is BreakerState.OPEN


def test_open_breakers_outlive_a_restart_with_the_length_of_their_periods() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider([DEAD])), provider("b", ScriptedProvider()))
        for _ in range(70):
            await home.router.process(ask())
            await asyncio.sleep(1)
        before = home.router.admission.breakers.of(A)
        assert before.reopens_at == 4 + 60 + 120
        kept = json.loads(json.dumps(list(home.router.admission.breakers.opened().items())))
        later = Home(clock, provider("a", ScriptedProvider([DEAD])), provider("b", ScriptedProvider()))
        for target, period in kept:
            later.router.admission.breakers.restore(Target(*target), OpenPeriod(*period))
        after = later.router.admission.breakers.of(A)
        assert after.state(clock.monotonic()) is BreakerState.OPEN
        assert (after.reopens_at, after.repeats, after.wide) == (pytest.approx(before.reopens_at), 2, True)

    run(main)
