"""A reader of a stream who neither reads on nor closes it: what he holds is free again when his time is over."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import override

import pytest

from custom_components.ai_router.routing.breaker import BreakerSettings
from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.call import Call, Event, Finish, Finished, TextDelta, Timeouts
from custom_components.ai_router.routing.failures import FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.ports import AttemptEnded, RequestEnded
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, CacheMode, Degrade
from custom_components.ai_router.routing.router import Stream
from custom_components.ai_router.routing.tickets import Window

from .simulation import Home, LoopClock, ScriptedProvider, Step, ask, failing, prices, provider, run

TIMEOUTS = Timeouts(total=100.0)
WORDS: list[Step] = ["one ", "two ", "three", Finish.STOP]


async def first_word(stream: Stream) -> None:
    """Read a word, and then nothing more."""
    assert await anext(stream) == TextDelta("one ")


def ended(home: Home) -> list[tuple[str | None, float]]:
    """Return how requests ended and after which time."""
    return [(event.failure, event.latency) for event in home.events if isinstance(event, RequestEnded)]


async def late(stream: Stream) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        await anext(stream)
    return caught.value


def test_what_he_holds_is_free_when_his_time_is_over_and_late_he_hears_of_it() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(WORDS)
        home = Home(
            clock,
            provider("a", client, prices=prices(1, 2), timeouts=TIMEOUTS, concurrent=1),
            budgets=(Budget(Window.DAY, 10**12),),
        )
        stream = home.router.open(ask("x" * 360, bounds=Bounds(max_output=1000)))
        await first_word(stream)
        await asyncio.sleep(99.9)
        assert client.running == home.router.admission.slots("a").used == home.router.under_way == 1
        assert home.router.admission.open_tickets
        await asyncio.sleep(0.2)

        assert client.running == 0
        home.assert_nothing_left()
        (outcome,) = home.ledger.settled.values()
        # 100 tokens for 360 bytes and 8 for the message; two for a word of four.
        assert (outcome.cost, outcome.estimated) == (108 * 1_000_000 + 2 * 2_000_000, True)
        failure = outcome.failure
        assert failure is not None
        assert (failure.cls, failure.phase, failure.scope) == (
            FailureClass.CANCELLED,
            Phase.STREAMING,
            FailureScope.REQUEST,
        )
        assert ended(home) == [("cancelled", 100.0)]
        error = await late(stream)
        assert error.code is RefusalCode.DEADLINE
        assert [attempt.outcome for attempt in error.attempts] == [outcome]
        assert (await late(stream)).code is RefusalCode.DEADLINE
        await stream.aclose()
        with pytest.raises(RuntimeError):
            _ = stream.reply
        assert len(ended(home)) == 1

    run(main)


def test_the_next_in_line_gets_his_slot() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(WORDS)
        home = Home(clock, provider("a", client, timeouts=TIMEOUTS, concurrent=1))
        stream = home.router.open(ask())
        await first_word(stream)
        reply = await home.router.process(ask("another"))
        assert (reply.text, clock.monotonic()) == ("one two three", 100.0)
        home.assert_nothing_left()

    run(main)


def test_the_requests_own_time_may_be_shorter() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(WORDS), timeouts=TIMEOUTS))
        stream = home.router.open(ask(bounds=Bounds(timeout=7.0)))
        await first_word(stream)
        await asyncio.sleep(8)
        assert ended(home) == [("cancelled", 7.0)]
        assert (await late(stream)).code is RefusalCode.DEADLINE

    run(main)


def test_a_probe_left_alone_proves_nothing_and_is_given_back() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(lambda number: failing(FailureClass.TRANSIENT) if number == 1 else WORDS)
        home = Home(
            clock,
            provider("a", client, timeouts=TIMEOUTS),
            breaker=BreakerSettings(failures=1, open_seconds=10.0),
            attempts=1,
        )
        with pytest.raises(RequestFailed):
            await home.router.process(ask())
        await asyncio.sleep(11)
        stream = home.router.open(ask())
        await first_word(stream)
        breaker = home.router.admission.breakers.of(Target("a", "m"))
        assert breaker.probing
        await asyncio.sleep(101)
        assert not breaker.probing
        assert not breaker.closed
        assert (await home.router.process(ask())).text == "one two three"
        assert breaker.closed
        assert (await late(stream)).code is RefusalCode.DEADLINE

    run(main)


def test_a_slow_reader_who_comes_in_time_hears_all() -> None:
    async def main(clock: LoopClock) -> None:
        timeouts = Timeouts(first_token=5.0, idle=5.0, total=100.0)
        home = Home(clock, provider("a", ScriptedProvider(WORDS), timeouts=timeouts))
        heard = []
        async with home.router.open(ask()) as stream:
            async for event in stream:
                heard.append(event)
                await asyncio.sleep(24)
        assert clock.monotonic() == 96
        assert stream.reply.text == "one two three"
        assert ended(home) == [(None, 96.0)]
        home.assert_nothing_left()

    run(main)


def test_a_server_gone_silent_meanwhile_is_noticed_when_he_reads_on() -> None:
    async def main(clock: LoopClock) -> None:
        timeouts = Timeouts(first_token=5.0, idle=5.0, total=100.0)
        home = Home(clock, provider("a", ScriptedProvider(["one ", 1000.0]), timeouts=timeouts))
        stream = home.router.open(ask())
        await first_word(stream)
        await asyncio.sleep(50)
        error = await late(stream)
        assert clock.monotonic() == 55
        assert error.failure is not None
        assert error.failure.cls is FailureClass.TIMEOUT_IDLE
        home.assert_nothing_left()

    run(main)


def test_a_stream_that_is_dropped_ends_at_once() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(WORDS)
        home = Home(clock, provider("a", client, timeouts=TIMEOUTS))
        gc.disable()
        try:
            async for _ in home.router.open(ask()):
                break
            await asyncio.sleep(0.1)
        finally:
            gc.enable()
        assert client.running == 0
        assert ended(home) == [("cancelled", 0.0)]
        home.assert_nothing_left()

    run(main)


def test_the_end_of_the_router_stops_it_and_late_he_hears_of_that() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(WORDS)
        home = Home(clock, provider("a", client, prices=prices(1, 2), timeouts=TIMEOUTS))
        stream = home.router.open(ask())
        await first_word(stream)
        await home.router.close(5.0)
        assert clock.monotonic() == pytest.approx(5.0, abs=0.1)
        assert client.running == 0
        home.assert_nothing_left()
        assert (await late(stream)).code is RefusalCode.STOPPING

    run(main)


class Slow(ScriptedProvider):
    """Takes its time to close a connection."""

    @override
    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        try:
            yield TextDelta("one ")
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(3)


@pytest.mark.parametrize("does", ["reads", "closes"])
def test_while_it_is_being_stopped_he_waits(does: str) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", Slow(), timeouts=TIMEOUTS))
        stream = home.router.open(ask())
        await first_word(stream)
        await asyncio.sleep(101)
        assert home.router.under_way
        if does == "reads":
            assert (await late(stream)).failure is not None
        else:
            await stream.aclose()
        assert clock.monotonic() == 103
        home.assert_nothing_left()

    run(main)


def test_who_listens_to_anothers_call_holds_nothing() -> None:
    """The call runs for all who ask the same: its answer is kept, and he hears all of it whenever he comes."""

    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(WORDS)
        home = Home(clock, provider("a", client, timeouts=TIMEOUTS))
        stream = home.router.open(ask(cache_mode=CacheMode.USE))
        await first_word(stream)
        await asyncio.sleep(200)
        home.assert_nothing_left()
        assert client.running == 0
        assert [event async for event in stream] == [TextDelta("two "), TextDelta("three"), Finished(Finish.STOP)]
        assert stream.reply.text == "one two three"
        assert [event.attempt.outcome.failure for event in home.events if isinstance(event, AttemptEnded)] == [None]

    run(main)


def test_a_reader_who_takes_something_instead_is_no_exception() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(WORDS)
        home = Home(clock, provider("a", client, timeouts=TIMEOUTS))
        stream = home.router.open(ask(cache_mode=CacheMode.BYPASS, degrade=Degrade(default_text="Nobody knows")))
        await first_word(stream)
        await asyncio.sleep(101)
        assert client.running == 0
        home.assert_nothing_left()
        assert (await late(stream)).code is RefusalCode.DEADLINE

    run(main)


def test_nobody_left_alone_costs_no_timer_of_his_own() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(WORDS), timeouts=TIMEOUTS))
        streams = [home.router.open(ask(str(number))) for number in range(50)]
        for stream in streams:
            await first_word(stream)
        timers = [handle for handle in clock.loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined] # of the event loop itself
        assert len(timers) == 50
        for stream in streams:
            await stream.aclose()
        assert not [handle for handle in clock.loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined] # as above

    run(main)
