"""Breakers on the road: a dead target costs little, and one probe finds out when it is back."""

import asyncio
from typing import Any

import pytest

from custom_components.ai_router.routing.breaker import Breaker, BreakerSettings, BreakerState
from custom_components.ai_router.routing.failures import Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Bounds, Finish, Target
from custom_components.ai_router.routing.ports import BreakerMoved
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, provider, run

A, B = Target("a", "m"), Target("b", "m")
DEAD = Failure(FailureClass.NETWORK, Phase.UNSENT, "connection refused")


def test_a_dead_primary_costs_five_tries_then_one_per_minute() -> None:
    async def main(clock: LoopClock) -> None:
        primary = ScriptedProvider([DEAD])
        home = Home(clock, provider("a", primary), provider("b", ScriptedProvider()))
        for _ in range(300):
            reply = await home.router.process(ask())
            assert reply.target == B
            await asyncio.sleep(1)
        # Five to open it, then a probe at the end of each minute: 300 s hold four whole ones.
        assert len(primary.calls) == 5 + 4
        gaps = [later - earlier for earlier, later in zip(primary.times[5:], primary.times[6:], strict=False)]
        assert min(gaps) >= 60
        home.assert_nothing_left()

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
        assert replies[0].plan.candidates[0].reason == "priority 0, probing"
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
    breaker.succeed(probe=False)
    assert not breaker.fail(1, 0.0, probe=False)
    assert breaker.state(0.0) is BreakerState.CLOSED
    breaker.fail(1, 0.0, probe=False)
    assert breaker.fail(1, 0.0, probe=False)
    assert breaker.state(9.9) is BreakerState.OPEN
    assert breaker.state(10.0) is BreakerState.HALF_OPEN


def test_a_straggler_does_not_close_an_open_breaker() -> None:
    breaker = Breaker(BreakerSettings(failures=1, open_seconds=10))
    breaker.fail(1, 0.0, probe=False)
    assert not breaker.succeed(probe=False)
    assert breaker.state(5.0) is BreakerState.OPEN


def test_open_breakers_and_benches_outlive_a_restart() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider([DEAD])))
        await open_all(home)
        opened = home.router.admission.breakers.opened()
        later = Home(clock, provider("a", ScriptedProvider([DEAD])))
        for target, when in opened.items():
            later.router.admission.breakers.restore(target, when)
        assert later.router.admission.breakers.of(A).state(clock.monotonic()) is BreakerState.OPEN
        assert later.router.admission.breakers.of(A).reopens_at == pytest.approx(
            home.router.admission.breakers.of(A).reopens_at
        )

    run(main)
