"""The road of a request, from the first plan to the last settlement."""

import asyncio
import contextlib
from typing import Any

import pytest

from custom_components.ai_router.routing.call import Finish, TextDelta, Timeouts, Usage
from custom_components.ai_router.routing.failures import MEANING, Billed, Failure, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import Capability, Message, Model, Role, Target, Text, Tool
from custom_components.ai_router.routing.money import FREE, to_dollars
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.ports import AttemptEnded, Benched, RequestEnded
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, Pins

from .simulation import (
    Home,
    LoopClock,
    ScriptedProvider,
    ask,
    failing,
    picture,
    prices,
    provider,
    run,
)


async def refusal(home: Home, **fields: Any) -> RequestFailed:
    """Process a request that must fail, and return how."""
    with pytest.raises(RequestFailed) as caught:
        await home.router.process(ask(**fields))
    home.assert_nothing_left()
    return caught.value


def test_the_first_provider_answers() -> None:
    async def main(clock: LoopClock) -> None:
        first, second = ScriptedProvider(), ScriptedProvider()
        home = Home(clock, provider("low", second, priority=1), provider("high", first, priority=2))
        reply = await home.router.process(ask())
        assert reply.text == "Hello"
        assert reply.target.provider_id == "high"
        assert [candidate.target.provider_id for candidate in reply.plan.candidates] == ["high", "low"]
        assert reply.usage == Usage(fresh_in=10, text_out=5)
        assert not second.calls
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize("cls", [cls for cls, meaning in MEANING.items() if meaning.next])
def test_every_failure_that_permits_another_target_fails_over(cls: FailureClass) -> None:
    async def main(clock: LoopClock) -> None:
        first, second = ScriptedProvider(failing(cls)), ScriptedProvider()
        home = Home(clock, provider("a", first), provider("b", second))
        reply = await home.router.process(ask())
        assert reply.target.provider_id == "b"
        assert [attempt.outcome.failure and attempt.outcome.failure.cls for attempt in reply.attempts] == [cls, None]
        assert len(first.calls) == 1
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize("cls", [FailureClass.BAD_REQUEST, FailureClass.CONTENT_POLICY])
def test_a_refusal_of_the_content_is_not_taken_elsewhere(cls: FailureClass) -> None:
    async def main(clock: LoopClock) -> None:
        second = ScriptedProvider()
        home = Home(clock, provider("a", ScriptedProvider(failing(cls))), provider("b", second))
        error = await refusal(home)
        assert error.code is RefusalCode.REJECTED
        assert error.failure is not None
        assert error.failure.cls is cls
        assert not second.calls

    run(main)


def test_no_target_is_tried_twice_while_another_is_left() -> None:
    async def main(clock: LoopClock) -> None:
        clients = [ScriptedProvider(failing(FailureClass.TRANSIENT)) for _ in range(5)]
        good = ScriptedProvider()
        home = Home(clock, *(provider(f"p{n}", client) for n, client in enumerate(clients)), provider("z", good))
        reply = await home.router.process(ask())
        assert reply.target.provider_id == "z"
        assert [len(client.calls) for client in clients] == [1] * 5

    run(main)


def test_a_lone_target_is_tried_again_with_backoff_then_given_up() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(failing(FailureClass.TRANSIENT))
        home = Home(clock, provider("a", client))
        error = await refusal(home)
        assert error.code is RefusalCode.ALL_FAILED
        assert len(client.calls) == 3
        assert client.times == [0.0, 0.25, 0.75]

    run(main)


def test_a_told_pause_is_waited_for_when_nothing_else_is_left() -> None:
    async def main(clock: LoopClock) -> None:
        def script(number: int) -> list[Any]:
            return (
                failing(FailureClass.RATE_LIMIT, status=429, retry_at=clock.now() + 7)
                if number == 1
                else ["ok", Finish.STOP]
            )

        client = ScriptedProvider(script)
        home = Home(clock, provider("a", client))
        reply = await home.router.process(ask())
        assert reply.text == "ok"
        assert client.times == [0.0, pytest.approx(7.0)]

    run(main)


def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(failing(FailureClass.RATE_LIMIT, status=429, retry_at=clock.now() + 60))
        home = Home(clock, provider("a", client))
        error = await refusal(home, bounds=Bounds(timeout=10))
        assert error.code is RefusalCode.ALL_FAILED
        assert clock.monotonic() < 1
        after = await refusal(home)
        assert after.code is RefusalCode.LIMITED
        assert after.free_at == pytest.approx(clock.now() + 60)

    run(main)


def test_failover_can_be_switched_off() -> None:
    async def main(clock: LoopClock) -> None:
        second = ScriptedProvider()
        client = ScriptedProvider(failing(FailureClass.TRANSIENT))
        home = Home(clock, provider("a", client), provider("b", second), failover=False)
        await refusal(home)
        assert len(client.calls) == 3
        assert not second.calls

    run(main)


def test_a_bound_on_attempts_holds() -> None:
    async def main(clock: LoopClock) -> None:
        second = ScriptedProvider()
        home = Home(clock, provider("a", ScriptedProvider(failing(FailureClass.TRANSIENT))), provider("b", second))
        error = await refusal(home, bounds=Bounds(attempts=1))
        assert error.code is RefusalCode.ALL_FAILED
        assert not second.calls

    run(main)


def test_a_silent_target_leaves_time_for_the_next() -> None:
    async def main(clock: LoopClock) -> None:
        second = ScriptedProvider()
        home = Home(clock, provider("a", ScriptedProvider([1000.0])), provider("b", second))
        reply = await home.router.process(ask(bounds=Bounds(timeout=8)))
        assert reply.target.provider_id == "b"
        assert second.times == [4.0]
        failure = reply.attempts[0].outcome.failure
        assert failure is not None
        assert failure.cls is FailureClass.TIMEOUT_FIRST_TOKEN
        # The caller's hurry is not the provider's fault.
        assert failure.scope is FailureScope.REQUEST

    run(main)


@pytest.mark.parametrize(
    ("script", "cls"),
    [
        ([100.0, "late", Finish.STOP], FailureClass.TIMEOUT_FIRST_TOKEN),
        (["Hel", 100.0, "lo", Finish.STOP], FailureClass.TIMEOUT_IDLE),
        (["Hel"], FailureClass.STREAM_CUT),
        ([Finish.STOP], FailureClass.EMPTY),
        ([Finish.LENGTH], FailureClass.EMPTY),
        ([" \n", Finish.STOP], FailureClass.EMPTY),
        (["Hel", ValueError("bug")], FailureClass.UNKNOWN),
    ],
)
def test_what_is_no_answer_fails_over_when_nobody_has_heard_it(script: list[Any], cls: FailureClass) -> None:
    async def main(clock: LoopClock) -> None:
        timeouts = Timeouts(first_token=20, idle=20)
        home = Home(
            clock, provider("a", ScriptedProvider(script), timeouts=timeouts), provider("b", ScriptedProvider())
        )
        reply = await home.router.process(ask())
        assert reply.text == "Hello"
        failure = reply.attempts[0].outcome.failure
        assert failure is not None
        assert failure.cls is cls
        home.assert_nothing_left()

    run(main)


def test_every_request_ends_by_its_deadline() -> None:
    async def main(clock: LoopClock) -> None:
        script = [word for n in range(1000) for word in (1.0, f"word{n} ")]
        home = Home(clock, provider("a", ScriptedProvider(script)))
        error = await refusal(home, bounds=Bounds(timeout=30))
        assert error.code is RefusalCode.DEADLINE
        assert clock.monotonic() == pytest.approx(30)

    run(main)


def test_a_truncated_answer_says_so() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(["The door is", Finish.LENGTH])))
        reply = await home.router.process(ask())
        assert reply.finish is Finish.LENGTH

    run(main)


def test_a_stream_yields_as_it_comes_and_never_restarts() -> None:
    async def main(clock: LoopClock) -> None:
        second = ScriptedProvider()
        first = ScriptedProvider(["The ", 1.0, "door", Failure(FailureClass.NETWORK, Phase.STREAMING, "gone")])
        home = Home(clock, provider("a", first), provider("b", second))
        heard: list[Any] = []

        async def listen() -> None:
            async for event in home.router.open(ask()):
                heard.append((clock.monotonic(), event))  # noqa: PERF401  # what was heard before the break counts

        with pytest.raises(RequestFailed) as caught:
            await listen()
        assert heard == [(0.0, TextDelta("The ")), (1.0, TextDelta("door"))]
        assert caught.value.code is RefusalCode.STREAM_BROKEN
        assert not second.calls
        home.assert_nothing_left()

    run(main)


def test_a_stream_fails_over_before_its_first_content() -> None:
    async def main(clock: LoopClock) -> None:
        first = ScriptedProvider([1.0, Failure(FailureClass.OVERLOADED, Phase.SENT, "full", status=529)])
        home = Home(clock, provider("a", first), provider("b", ScriptedProvider()))
        async with home.router.open(ask()) as stream:
            heard = [event async for event in stream]
            assert heard[0] == TextDelta("Hello")
            assert stream.reply.target.provider_id == "b"
        home.assert_nothing_left()

    run(main)


def test_leaving_a_stream_early_closes_and_settles_it() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(["one ", 1.0, "two ", 1000.0, "three", Finish.STOP])
        home = Home(clock, provider("a", client, prices=prices(1, 2)))
        async with home.router.open(ask("x" * 360)) as stream:
            async for event in stream:
                if event == TextDelta("two "):
                    break
        assert client.running == 0
        home.assert_nothing_left()
        (outcome,) = home.ledger.settled.values()
        assert outcome.failure is not None
        assert outcome.failure.cls is FailureClass.CANCELLED
        assert outcome.estimated
        # 360 bytes are taken for 100 tokens, plus 8 for the message; two words arrived, of 8 bytes.
        assert outcome.cost == 108 * 1_000_000 + 3 * 2_000_000

    run(main)


def test_a_cancelled_request_is_settled() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1000.0])
        home = Home(clock, provider("a", client, prices=prices(1, 2)))
        task = asyncio.create_task(home.router.process(ask()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client.running == 0
        home.assert_nothing_left()
        assert home.ledger.spent > 0
        assert [event.failure for event in home.events if isinstance(event, RequestEnded)] == ["cancelled"]

    run(main)


def test_a_rejected_key_benches_the_provider_until_it_is_changed() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(
            lambda number: (
                failing(FailureClass.CREDENTIAL, status=401, scope=FailureScope.ACCOUNT)
                if number == 1
                else ["ok", Finish.STOP]
            )
        )
        other = provider("b", ScriptedProvider())
        home = Home(clock, provider("a", client, credential="old"), other)
        await home.router.process(ask())
        await asyncio.sleep(100_000)
        reply = await home.router.process(ask())
        assert reply.target.provider_id == "b"
        assert (reply.plan.left_out[0].target.provider_id, reply.plan.left_out[0].why) == ("a", Why.BENCHED)
        assert len(client.calls) == 1
        assert [event.provider_id for event in home.events if isinstance(event, Benched)] == ["a"]
        home.configure(provider("a", client, credential="new"), other)
        assert (await home.router.process(ask())).text == "ok"

    run(main)


@pytest.mark.parametrize(
    ("caps", "fields", "why"),
    [
        (Capability.CHAT, {"messages": (Message(Role.USER, (Text("what?"), picture())),)}, Why.NO_VISION),
        (Capability.CHAT, {"tools": (Tool("t", "", {}),)}, Why.NO_TOOLS),
        (Capability.EMBEDDINGS, {}, Why.NO_CHAT),
        (Capability.CHAT, {"pins": Pins(providers=("other",))}, Why.NOT_ASKED_FOR),
        (Capability.CHAT, {"pins": Pins(exclude=("a",))}, Why.EXCLUDED),
        (Capability.CHAT, {"local_only": True}, Why.NOT_LOCAL),
        (Capability.CHAT, {"text": "x" * 100_000}, Why.CONTEXT_TOO_SMALL),
    ],
)
def test_a_target_that_cannot_serve_is_left_out_and_named(caps: Capability, fields: dict[str, Any], why: Why) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("a", client, caps=caps, local=False, context=8_000))
        error = await refusal(home, **fields)
        assert error.code is RefusalCode.NO_CAPABLE_TARGET
        assert error.plan is not None
        assert [left_out.why for left_out in error.plan.left_out] == [why]
        assert not client.calls

    run(main)


def test_a_context_overflow_goes_only_to_a_larger_context() -> None:
    async def main(clock: LoopClock) -> None:
        small, large = ScriptedProvider(), ScriptedProvider()
        first = ScriptedProvider(failing(FailureClass.CONTEXT_LENGTH, status=400))
        home = Home(
            clock,
            provider("a", first, context=8_000),
            provider("b", small, context=4_000),
            provider("c", large, context=128_000),
        )
        assert (await home.router.process(ask())).target.provider_id == "c"
        assert not small.calls

    run(main)


def test_a_house_without_providers_is_told_so() -> None:
    async def main(clock: LoopClock) -> None:
        error = await refusal(Home(clock))
        assert error.code is RefusalCode.NO_PROVIDER

    run(main)


def test_an_unknown_price_is_never_zero() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(), prices=None), unknown_price_hold=50_000_000_000)
        reply = await home.router.process(ask())
        assert str(to_dollars(reply.cost)) == "0.05"
        assert reply.estimated
        home.configure(provider("a", ScriptedProvider(), prices=None), unknown_price_hold=None)
        error = await refusal(home)
        assert error.plan is not None
        assert error.plan.left_out[0].why is Why.PRICE_UNKNOWN

    run(main)


def test_a_ledger_that_cannot_write_stops_paid_attempts_only() -> None:
    async def main(clock: LoopClock) -> None:
        paid = ScriptedProvider()
        home = Home(
            clock, provider("paid", paid, prices=prices(1, 1), priority=1), provider("free", ScriptedProvider())
        )
        home.ledger.broken = True
        reply = await home.router.process(ask())
        assert reply.target.provider_id == "free"
        assert not paid.calls
        home.configure(provider("paid", paid, prices=prices(1, 1)))
        error = await refusal(home)
        assert error.code is RefusalCode.LEDGER_UNAVAILABLE
        assert not paid.calls

    run(main)


def test_a_change_of_configuration_leaves_requests_under_way_alone() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        client = ScriptedProvider(["begun ", gate, "done", Finish.STOP])
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        task = asyncio.create_task(home.router.process(ask()))
        await asyncio.sleep(1)
        home.configure(provider("b", ScriptedProvider(), requests_per_minute=3))
        gate.set()
        assert (await task).text == "begun done"
        assert (await home.router.process(ask())).target.provider_id == "b"

    run(main)


def test_closing_lets_requests_end_then_stops_them() -> None:
    async def main(clock: LoopClock) -> None:
        quick, slow = ScriptedProvider([2.0, "ok", Finish.STOP]), ScriptedProvider([1000.0])
        home = Home(clock, provider("quick", quick), provider("slow", slow))
        first = asyncio.create_task(home.router.process(ask(pins=Pins(providers=("quick",)))))
        second = asyncio.create_task(home.router.process(ask(pins=Pins(providers=("slow",)))))
        await asyncio.sleep(0.5)
        await home.router.close(5)
        assert (await first).text == "ok"
        with pytest.raises(RequestFailed) as caught:
            await second
        assert caught.value.code is RefusalCode.STOPPING
        assert clock.monotonic() < 7
        home.assert_nothing_left()
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.STOPPING

    run(main)


def test_what_failed_is_billed_by_class_and_phase() -> None:
    usage = Usage(fresh_in=40, text_out=7)
    cases: list[tuple[list[Any], int, bool]] = [
        ([usage, "answer", Finish.STOP], 40 * 1_000_000 + 7 * 2_000_000, False),
        (["answer", Finish.STOP], 18 * 1_000_000 + 2 * 2_000_000, True),
        (failing(FailureClass.BAD_REQUEST, status=400), 0, False),
        ([Failure(FailureClass.NETWORK, Phase.UNSENT, "refused")], 0, False),
        ([Failure(FailureClass.TIMEOUT_IDLE, Phase.STREAMING, billed=Billed.PARTIAL)], 18 * 1_000_000, True),
        ([Failure(FailureClass.UNKNOWN, Phase.SENT, billed=Billed.UNKNOWN)], -1, True),
    ]

    async def main(clock: LoopClock) -> None:
        for script, cost, estimated in cases:
            home = Home(clock, provider("a", ScriptedProvider(script), prices=prices(1, 2)))
            with contextlib.suppress(RequestFailed):
                await home.router.process(ask("x" * 36, bounds=Bounds(attempts=1)))
            ((attempt_id, outcome),) = home.ledger.settled.items()
            assert outcome.cost == (home.ledger.holds[attempt_id] if cost < 0 else cost), script
            assert outcome.estimated is estimated

    run(main)


def test_one_record_per_request_and_per_attempt() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock, provider("a", ScriptedProvider(failing(FailureClass.TRANSIENT))), provider("b", ScriptedProvider())
        )
        await home.router.process(ask())
        assert sum(isinstance(event, AttemptEnded) for event in home.events) == 2
        (ended,) = [event for event in home.events if isinstance(event, RequestEnded)]
        assert ended.failure is None
        assert len(ended.attempts) == 2

    run(main)


def test_a_provider_that_is_down_as_a_whole_is_not_tried_model_by_model() -> None:
    async def main(clock: LoopClock) -> None:
        down = Failure(FailureClass.NETWORK, Phase.UNSENT, "refused", FailureScope.PROVIDER)
        first, second = ScriptedProvider([down]), ScriptedProvider(failing(FailureClass.TRANSIENT))
        models = tuple(Model(name, prices=FREE) for name in ("one", "two", "three"))
        home = Home(clock, provider("a", first, models=models, priority=1), provider("b", second))
        await refusal(home, bounds=Bounds(attempts=3))
        assert [call.target.model_id for call in first.calls] == ["one", "two"]
        assert len(second.calls) == 1
        assert first.times[0] <= second.times[0] <= first.times[1]
        # Its models' breakers have heard of each other's failures.
        assert [home.router.admission.breakers.of(Target("a", model.id)).failures for model in models] == [2, 2, 2]

    run(main)


def test_the_households_bounds_only_tighten_a_requests_own() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([40.0, "late", Finish.STOP])
        dear = provider("dear", ScriptedProvider(), prices=prices(per_request=100), priority=1)
        home = Home(clock, dear, provider("a", client), bounds=Bounds(timeout=20, max_cost=50, attempts=1))
        error = await refusal(home, bounds=Bounds(timeout=300, max_cost=1_000, attempts=9))
        assert error.code is RefusalCode.DEADLINE
        assert clock.monotonic() == pytest.approx(20)
        assert error.plan is not None
        assert [left_out.why for left_out in error.plan.left_out] == [Why.TOO_EXPENSIVE]

    run(main)
