"""Embedding goes the same road as everything: planned, held, failed over, settled; and what cannot be used is a failure."""

import asyncio
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, override

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.routing.billing import bill
from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.cache import CacheSettings, CacheUse
from custom_components.ai_router.routing.call import Call, Event, Finish, RateWindow, Usage, Vectors
from custom_components.ai_router.routing.failures import (
    AttemptFailed,
    Billed,
    Failure,
    FailureClass,
    FailureScope,
    Phase,
)
from custom_components.ai_router.routing.model import Capability, Message, Model, Op, Role, Target, Text
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, CacheMode, Pins, Request
from custom_components.ai_router.routing.similarity import Match, find_nearest, nearest
from custom_components.ai_router.routing.tickets import Window
from custom_components.ai_router.routing.tokens import measure

from .simulation import Home, LoopClock, ScriptedProvider, Step, ask, failing, prices, provider, run

TEXTS = ("the door is open", "it rains")
EMBEDS = Capability.EMBEDDINGS


def vectors(*rows: Sequence[float]) -> Vectors:
    return Vectors(tuple(array("f", row) for row in rows))


GOOD: list[Step] = [vectors([1.0, 0.0], [0.0, 1.0]), Usage(fresh_in=9), Finish.STOP]


def embed(*texts: str, **fields: Any) -> Request:
    messages = tuple(Message(Role.USER, (Text(text),)) for text in texts or TEXTS)
    return ask(messages=messages, op=Op.EMBED, **fields)


def home(clock: LoopClock, *scripts: Sequence[Step], **settings: Any) -> tuple[Home, list[ScriptedProvider]]:
    clients = [ScriptedProvider(script) for script in scripts]
    settings = {"caps": EMBEDS, **settings}
    return Home(
        clock, *(provider(name, client, **settings) for name, client in zip("abc", clients, strict=False))
    ), clients


def rows(reply: Reply) -> list[list[float]]:
    return [list(vector) for vector in reply.vectors]


async def fails(home: Home, request: Request) -> RequestFailed:
    with pytest.raises(RequestFailed) as raised:
        await home.router.process(request)
    return raised.value


def test_texts_become_vectors_and_are_paid_for_by_what_was_counted() -> None:
    async def main(clock: LoopClock) -> None:
        house, (client,) = home(clock, GOOD, prices=prices(input_usd=2.0, output_usd=50.0))
        reply = await house.router.process(embed())
        assert rows(reply) == [[1.0, 0.0], [0.0, 1.0]]
        assert (reply.cost, reply.estimated, reply.usage) == (9 * 2_000_000, False, Usage(fresh_in=9))
        assert (reply.target, reply.text) == (Target("a", "m"), "")
        (call,) = client.calls
        assert (call.op, call.max_output) == (Op.EMBED, 0)
        # Nothing is held for words that cannot come.
        (held,) = house.ledger.holds.values()
        assert held == measure(embed()).bound * 2_000_000
        house.assert_nothing_left()

    run(main)


@pytest.mark.parametrize(
    "bad",
    [
        [vectors([1.0])],
        [vectors([1.0], [2.0], [3.0])],
        [vectors([1.0], [1.0, 2.0])],
        [vectors([1.0, 2.0]), vectors([1.0])],
        [vectors([], [])],
        [vectors([float("nan"), 1.0], [1.0, 1.0])],
        [vectors([1.0, 1.0], [float("inf"), float("-inf")])],
        [],
        ["words instead"],
    ],
    ids=["few", "many", "mixed", "mixed later", "empty", "nan", "infinite", "none", "words"],
)
def test_vectors_that_cannot_be_used_go_on_to_the_next_target(bad: list[Step]) -> None:
    async def main(clock: LoopClock) -> None:
        house, _ = home(clock, [*bad, Finish.STOP], GOOD)
        reply = await house.router.process(embed())
        assert reply.target.provider_id == "b"
        assert rows(reply) == [[1.0, 0.0], [0.0, 1.0]]
        failure = reply.attempts[0].outcome.failure
        assert failure is not None
        assert failure.cls is FailureClass.INVALID_ANSWER
        house.assert_nothing_left()

    run(main)


def test_a_reply_without_its_end_is_cut() -> None:
    async def main(clock: LoopClock) -> None:
        house, _ = home(clock, [vectors([1.0], [2.0])])
        error = await fails(house, embed())
        assert error.failure is not None
        assert error.failure.cls is FailureClass.STREAM_CUT

    run(main)


def test_half_of_the_vectors_are_never_mixed_with_another_model_s() -> None:
    async def main(clock: LoopClock) -> None:
        house, _ = home(clock, [vectors([9.0]), *failing(FailureClass.TRANSIENT)], GOOD)
        reply = await house.router.process(embed())
        assert rows(reply) == [[1.0, 0.0], [0.0, 1.0]]

    run(main)


def test_what_was_told_before_a_failure_is_paid_and_no_more() -> None:
    async def main(clock: LoopClock) -> None:
        script = [vectors([9.0]), Usage(fresh_in=4), *failing(FailureClass.BAD_REQUEST)]
        house, _ = home(clock, script, prices=prices(input_usd=1.0))
        error = await fails(house, embed())
        assert error.code is RefusalCode.REJECTED
        assert house.ledger.spent == 4 * 1_000_000
        house.assert_nothing_left()

    run(main)


def test_a_named_model_is_never_left_for_another() -> None:
    async def main(clock: LoopClock) -> None:
        named, other = Model("m", EMBEDS, prices=FREE), Model("other", EMBEDS, prices=FREE)
        broken = ScriptedProvider(failing(FailureClass.BILLING))
        second, third = ScriptedProvider(GOOD), ScriptedProvider(GOOD)
        house = Home(
            clock,
            provider("a", broken, models=(named,)),
            provider("b", second, models=(other,)),
            provider("c", third, models=(named, other)),
        )
        reply = await house.router.process(embed(pins=Pins(models=("m",))))
        assert reply.target == Target("c", "m")
        assert not second.calls
        house.configure(provider("a", broken, models=(named,)), provider("b", second, models=(other,)))
        await fails(house, embed(pins=Pins(models=("m",))))
        assert not second.calls
        # Who names none takes what answers, and is told which it was.
        assert (await house.router.process(embed())).target == Target("b", "other")

    run(main)


@pytest.mark.parametrize(
    ("request_of", "caps", "why"),
    [
        (embed, Capability.CHAT | Capability.STREAMING, Why.NO_EMBEDDINGS),
        (ask, EMBEDS, Why.NO_CHAT),
    ],
)
def test_who_cannot_do_it_is_left_out(request_of: Any, caps: Capability, why: Why) -> None:
    async def main(clock: LoopClock) -> None:
        house, (client,) = home(clock, GOOD, caps=caps)
        error = await fails(house, request_of())
        assert error.code is RefusalCode.NO_CAPABLE_TARGET
        assert error.plan is not None
        assert [each.why for each in error.plan.left_out] == [why]
        assert not client.calls

    run(main)


def test_each_text_must_fit_by_itself_not_all_together() -> None:
    async def main(clock: LoopClock) -> None:
        house, (client,) = home(clock, [vectors(*[[1.0]] * 200), Finish.STOP], context=512)
        await house.router.process(embed(*["a text of some length"] * 200))
        assert len(client.calls) == 1
        error = await fails(house, embed("short", "word " * 1_000))
        assert error.plan is not None
        assert [each.why for each in error.plan.left_out] == [Why.CONTEXT_TOO_SMALL]

    run(main)


def test_local_only_holds_for_texts_too() -> None:
    async def main(clock: LoopClock) -> None:
        house, (client,) = home(clock, GOOD, local=False)
        error = await fails(house, embed(local_only=True))
        assert error.plan is not None
        assert [each.why for each in error.plan.left_out] == [Why.NOT_LOCAL]
        assert not client.calls

    run(main)


def test_a_hard_budget_holds_for_texts_too() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(GOOD)
        budget = Budget(Window.DAY, 1_000)
        house = Home(clock, provider("a", client, caps=EMBEDS, prices=prices(input_usd=5.0), budgets=(budget,)))
        error = await fails(house, embed())
        assert error.code is RefusalCode.OVER_BUDGET
        assert not client.calls

    run(main)


@pytest.mark.parametrize("mode", [CacheMode.DEFAULT, CacheMode.USE])
def test_vectors_are_not_kept(mode: CacheMode) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(GOOD)
        house = Home(clock, provider("a", client, caps=EMBEDS), cache=CacheSettings(use=CacheUse.ALL))
        for _ in range(2):
            reply = await house.router.process(embed(cache_mode=mode))
            assert rows(reply) == [[1.0, 0.0], [0.0, 1.0]]
        assert len(client.calls) == 2

    run(main)


def test_a_task_that_only_embeds_says_nothing_of_how_long_answers_are() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(GOOD)
        both = EMBEDS | Capability.CHAT | Capability.STREAMING
        house = Home(clock, provider("a", client, caps=both, prices=prices(input_usd=1.0, output_usd=1.0)))
        for _ in range(10):
            await house.router.process(embed())
        plan = house.router.plan(ask())
        assert plan.candidates[0].estimate.output_tokens == 1_000
        assert house.router._usual.output(Target("a", "m"), None) is None

    run(main)


def test_a_failure_that_is_not_billed_adds_nothing_to_what_was_told() -> None:
    failure = Failure(FailureClass.RATE_LIMIT, Phase.SENT, billed=Billed.NO)
    seen = Usage(fresh_in=1_000)
    assert bill(prices(input_usd=1.0), 10**12, failure, Usage(fresh_in=7), seen, 0.0)[:2] == (7_000_000, False)


# --- similarity --------------------------------------------------------------------------------------


def vector(*numbers: float) -> array[float]:
    return array("f", numbers)


def cosine(one: array[float], other: array[float]) -> float:
    return nearest(one, [other], 1)[0].similarity


def test_the_cosine_of_known_angles() -> None:
    assert cosine(vector(3, 4), vector(3, 4)) == 1.0
    assert cosine(vector(1, 0), vector(0, 5)) == 0.0
    assert cosine(vector(1, 1), vector(-2, -2)) == pytest.approx(-1.0)
    assert cosine(vector(1, 0), vector(1, 1)) == pytest.approx(0.70710678)
    assert cosine(vector(0, 0), vector(1, 1)) == 0.0


def test_vectors_of_two_sizes_are_not_compared() -> None:
    with pytest.raises(ValueError, match="length"):
        cosine(vector(1, 2), vector(1, 2, 3))


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=20))
def test_the_nearest_come_first_and_lie_within_bounds(numbers: list[list[float]]) -> None:
    query, *others = [vector(*row) for row in numbers]
    found = nearest(query, others, len(others))
    assert [match.similarity for match in found] == sorted((match.similarity for match in found), reverse=True)
    assert sorted(match.place for match in found) == list(range(len(others)))
    assert all(-1 <= match.similarity <= 1 for match in found)


def test_the_search_keeps_to_its_limits() -> None:
    others = [vector(1, 0), vector(0, 1), vector(1, 1), vector(2, 0)]
    assert nearest(vector(1, 0), others, 2) == [Match(0, 1.0), Match(3, 1.0)]
    assert [match.place for match in nearest(vector(1, 0), others, 9, 0.5)] == [0, 3, 2]
    assert nearest(vector(1, 0), [], 3) == []


async def test_large_and_small_searches_find_the_same() -> None:
    others = [vector(*(float((place * number) % 7) for number in range(500))) for place in range(1, 201)]
    query = vector(*(float(number % 5) for number in range(500)))
    assert await find_nearest(query, others, 10) == nearest(query, others, 10)


# --- counting ----------------------------------------------------------------------------------------


@dataclass
class CountingProvider(ScriptedProvider):
    """Counts beforehand: `answer` tokens, or fails with it, or hangs."""

    answer: int | Failure | None = 42
    hangs: bool = False
    counted: int = 0

    async def count(self, call: Call) -> int | None:
        assert call.messages
        self.counted += 1
        if self.hangs:
            await asyncio.sleep(3_600)
        if isinstance(self.answer, Failure):
            raise AttemptFailed(self.answer)
        return self.answer

    @override
    async def probe(self) -> None:
        raise AssertionError("counting probes nothing")


def test_an_exact_count_comes_from_the_target_it_would_go_to() -> None:
    async def main(clock: LoopClock) -> None:
        first, second = CountingProvider(answer=42), CountingProvider(answer=7)
        house = Home(clock, provider("a", first), provider("b", second))
        assert await house.router.count(ask()) == (Target("a", "m"), 42, True)
        assert (first.counted, second.counted) == (1, 0)
        assert not first.calls
        assert not house.ledger.settled
        house.assert_nothing_left()

    run(main)


@pytest.mark.parametrize(
    "fields",
    [{"answer": Failure(FailureClass.RATE_LIMIT, Phase.SENT)}, {"answer": None}, {"hangs": True}],
    ids=["fails", "cannot say", "hangs"],
)
def test_where_nobody_counts_it_is_estimated(fields: dict[str, Any]) -> None:
    async def main(clock: LoopClock) -> None:
        house = Home(clock, provider("a", CountingProvider(**fields)))
        assert await house.router.count(ask("x" * 360)) == (Target("a", "m"), 108, False)

    run(main)


def test_an_estimate_has_learned_what_the_target_counts() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(["ok", Usage(fresh_in=2 * measure(ask("x" * 360)).estimate, text_out=1), Finish.STOP])
        house = Home(clock, provider("a", client))
        await house.router.process(ask("x" * 360))
        assert (await house.router.count(ask("x" * 360))).tokens == 216

    run(main)


def test_nothing_is_sent_to_be_counted_where_it_may_not_go() -> None:
    async def main(clock: LoopClock) -> None:
        away, house_own = CountingProvider(answer=1), ScriptedProvider()
        house = Home(clock, provider("a", away, local=False), provider("b", house_own))
        counted = await house.router.count(ask(local_only=True))
        assert (counted.target.provider_id, counted.exact, away.counted) == ("b", False, 0)
        with pytest.raises(RequestFailed) as raised:
            await house.router.count(ask(local_only=True, pins=Pins(providers=("a",))))
        assert raised.value.code is RefusalCode.NO_CAPABLE_TARGET
        assert away.counted == 0

    run(main)


def test_a_target_that_is_set_aside_is_not_asked() -> None:
    async def main(clock: LoopClock) -> None:
        client = CountingProvider(failing(FailureClass.CREDENTIAL))
        house = Home(clock, provider("a", client))
        with pytest.raises(RequestFailed):
            await house.router.process(ask())
        counted = await house.router.count(ask())
        assert (counted.exact, client.counted) == (False, 0)

    run(main)


def test_without_a_provider_nothing_can_be_counted() -> None:
    async def main(clock: LoopClock) -> None:
        with pytest.raises(RequestFailed) as raised:
            await Home(clock).router.count(ask())
        assert raised.value.code is RefusalCode.NO_PROVIDER

    run(main)


PORTIONS: list[Step] = [vectors([1.0]), vectors([2.0]), vectors([3.0]), Usage(fresh_in=9, requests=3), Finish.STOP]


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ({"requests_per_minute": 2}, [0.0, 0.0, 60.0]),
        ({"requests_per_minute": 3}, [0.0, 0.0, 0.0]),
        ({"requests_per_minute": 60, "burst": 1}, [0.0, 1.0, 2.0]),
        ({}, [0.0, 0.0, 0.0]),
    ],
)
def test_each_portion_of_a_batch_is_a_request_of_its_own(limit: dict[str, Any], seconds: list[float]) -> None:
    async def main(clock: LoopClock) -> None:
        asked: list[float] = []

        class Portions(ScriptedProvider):
            @override
            async def attempt(self, call: Call) -> AsyncGenerator[Event]:
                asked.append(clock.monotonic())
                async with aclosing(super().attempt(call)) as events:
                    async for event in events:
                        yield event
                        if isinstance(event, Vectors) and len(asked) < 3:
                            asked.append(clock.monotonic())

        house = Home(clock, provider("a", Portions(PORTIONS), caps=EMBEDS, **limit))
        reply = await house.router.process(embed("one", "two", "three"))
        assert rows(reply) == [[1.0], [2.0], [3.0]]
        assert asked == pytest.approx(seconds, abs=0.01)
        # All of them count towards what comes next.
        in_the_last_minute = sum(clock.monotonic() - when < 60 for when in asked)
        assert house.router.admission.requests_last_minute("a") == in_the_last_minute
        house.assert_nothing_left()

    run(main)


def test_a_batch_that_its_limits_leave_no_time_for_goes_elsewhere_at_once() -> None:
    async def main(clock: LoopClock) -> None:
        house = Home(
            clock,
            provider("a", ScriptedProvider(PORTIONS), caps=EMBEDS, requests_per_minute=1),
            provider("b", ScriptedProvider(PORTIONS), caps=EMBEDS),
        )
        reply = await house.router.process(embed("one", "two", "three", bounds=Bounds(timeout=30)))
        assert (reply.target.provider_id, clock.monotonic()) == ("b", 0.0)
        failure = reply.attempts[0].outcome.failure
        assert failure is not None
        assert (failure.cls, failure.scope) == (FailureClass.TIMEOUT_TOTAL, FailureScope.REQUEST)
        house.assert_nothing_left()

    run(main)


def test_what_the_server_tells_holds_the_next_portion_back() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(PORTIONS, rates=lambda _: (RateWindow("requests", 10, 0, clock.now() + 20),))
        house = Home(clock, provider("a", client, caps=EMBEDS))
        await house.router.process(embed("one", "two", "three"))
        assert clock.monotonic() == pytest.approx(20, abs=0.1)

    run(main)


def test_a_batch_that_waits_for_its_limits_can_be_stopped() -> None:
    async def main(clock: LoopClock) -> None:
        house = Home(clock, provider("a", ScriptedProvider(PORTIONS), caps=EMBEDS, requests_per_minute=1))
        task = asyncio.create_task(house.router.process(embed("one", "two", "three")))
        await asyncio.sleep(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clock.monotonic() == 5
        house.assert_nothing_left()

    run(main)
