"""Equal requests: answered from the cache, joined while under way, and never more than anybody could have asked."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any, override

import pytest

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.cache import CacheSettings, CacheUse
from custom_components.ai_router.routing.call import (
    Call,
    Event,
    Finish,
    Finished,
    Opened,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import (
    Capability,
    Message,
    Role,
    Sampling,
    Structure,
    Target,
    Text,
    Thinking,
)
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.ports import RequestEnded
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, CacheMode, Caller, Degrade, Degraded, Priority, Request
from custom_components.ai_router.routing.tickets import Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, picture, prices, provider, run
from .test_cache import MemoryStore

COLD = Sampling(temperature=0.0)
SLOW: Sequence[Any] = (1.0, "Yes", 1.0, ".", Usage(fresh_in=10, text_out=5), Finish.STOP)
PRICE = prices(1, 2)
COST = 10 * 1_000_000 + 5 * 2_000_000
STRUCTURED = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED


def cold(text: str = "Is the door open?", **fields: Any) -> Request:
    """A request that has one answer."""
    return ask(text, sampling=COLD, **fields)


def house(clock: LoopClock, script: Any = SLOW, **config: Any) -> tuple[Home, ScriptedProvider]:
    client = ScriptedProvider(script)
    return Home(clock, provider("a", client, prices=PRICE), **config), client


def ended(home: Home) -> list[RequestEnded]:
    return [event for event in home.events if isinstance(event, RequestEnded)]


def nothing_left(home: Home) -> None:
    home.assert_nothing_left()
    assert not len(home.router._shared._flights)


async def code(home: Home, request: Request) -> RefusalCode:
    with pytest.raises(RequestFailed) as caught:
        await home.router.process(request)
    assert caught.value.request_id == request.id
    return caught.value.code


async def stream(home: Home, request: Request) -> tuple[list[Event], Reply]:
    async with home.router.open(request) as answer:
        events = [event async for event in answer]
        return events, answer.reply


# --- the cache ---------------------------------------------------------------------------------------


def test_a_second_asking_costs_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        first = await home.router.process(cold(id="1"))
        second = await home.router.process(cold(id="2", label="other", bounds=Bounds(timeout=5)))
        assert len(client.calls) == 1
        assert (first.cached, first.cost, first.saved) == (False, COST, 0)
        assert (second.cached, second.cost, second.saved) == (True, 0, COST)
        assert (second.request_id, second.attempts, second.latency) == ("2", (), 0.0)
        assert (second.text, second.usage, second.target) == (first.text, first.usage, first.target)
        assert second.degraded is None
        assert [(event.request.id, event.failure, event.reply) for event in ended(home)] == [
            ("1", None, first),
            ("2", None, second),
        ]
        assert home.router.answers.stats().saved == COST
        nothing_left(home)

    run(main)


def test_a_kept_answer_is_told_as_a_stream() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        await home.router.process(cold())
        events, reply = await stream(home, cold())
        assert events == [TextDelta("Yes."), Finished(Finish.STOP)]
        assert reply.cached
        assert len(client.calls) == 1

    run(main)


def test_data_is_everybodys_own() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1.0, '{"rooms": ["hall"]}', Finish.STOP])
        home = Home(clock, provider("a", client, caps=STRUCTURED))
        request = ask(structure=Structure("s", {}))

        async def one() -> None:
            reply = await home.router.process(request)
            assert reply.data == {"rooms": ["hall"]}
            reply.data["rooms"].append("attic")

        await asyncio.gather(*(one() for _ in range(3)))
        await one()
        await one()
        assert len(client.calls) == 1

    run(main)


def test_free_text_is_asked_anew_each_time_also_at_once() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        await asyncio.gather(*(home.router.process(ask("Tell me a joke")) for _ in range(3)))
        await home.router.process(ask("Tell me a joke"))
        assert len(client.calls) == 4
        assert home.router.answers.stats().entries == 0

    run(main)


def test_free_text_is_kept_for_those_who_ask_for_it() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        await home.router.process(ask(cache_mode=CacheMode.USE))
        assert (await home.router.process(ask(cache_mode=CacheMode.USE))).cached
        assert not (await home.router.process(ask())).cached
        assert len(client.calls) == 2

    run(main)


def test_the_household_turns_the_cache_up_and_off() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, cache=CacheSettings(use=CacheUse.ALL))
        await home.router.process(ask())
        assert (await home.router.process(ask())).cached
        home.configure(*home.router.config.providers.values(), cache=CacheSettings(use=CacheUse.OFF))
        for mode in (CacheMode.DEFAULT, CacheMode.USE, CacheMode.REFRESH):
            assert not (await home.router.process(cold(cache_mode=mode))).cached
        await asyncio.gather(*(home.router.process(cold()) for _ in range(3)))
        assert len(client.calls) == 7
        assert await code(home, cold(cache_mode=CacheMode.ONLY)) is RefusalCode.NOT_CACHED

    run(main)


def test_what_ends_after_the_cache_was_turned_off_is_not_kept() -> None:
    async def main(clock: LoopClock) -> None:
        home, _ = house(clock)
        asking = asyncio.ensure_future(home.router.process(cold()))
        await asyncio.sleep(0.5)
        home.configure(*home.router.config.providers.values(), cache=CacheSettings(use=CacheUse.OFF))
        await asking
        assert home.router.answers.stats().entries == 0

    run(main)


def test_refresh_asks_anew_and_bypass_leaves_no_trace() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, lambda number: [f"answer {number}", Finish.STOP])
        modes = (
            CacheMode.BYPASS,
            CacheMode.DEFAULT,
            CacheMode.REFRESH,
            CacheMode.BYPASS,
            CacheMode.DEFAULT,
            CacheMode.ONLY,
        )
        texts = [(await home.router.process(cold(cache_mode=mode))).text for mode in modes]
        assert texts == [f"answer {number}" for number in (1, 2, 3, 4, 3, 3)]
        assert len(client.calls) == 4

    run(main)


def test_only_never_asks() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        assert await code(home, cold(id="x", cache_mode=CacheMode.ONLY)) is RefusalCode.NOT_CACHED
        asking = asyncio.ensure_future(home.router.process(cold()))
        await asyncio.sleep(0.5)
        assert await code(home, cold(cache_mode=CacheMode.ONLY)) is RefusalCode.NOT_CACHED
        await asking
        assert (await home.router.process(cold(cache_mode=CacheMode.ONLY))).cached
        assert len(client.calls) == 1
        assert [event.failure for event in ended(home)] == ["not_cached", "not_cached", None, None]

    run(main)


def test_a_truncated_answer_is_not_kept() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, ["Once upon", Finish.LENGTH])
        for _ in range(2):
            reply = await home.router.process(cold())
            assert (reply.finish, reply.cached) == (Finish.LENGTH, False)
        assert len(client.calls) == 2

    run(main)


def test_a_request_without_a_key_takes_the_plain_road() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        said = Message(Role.ASSISTANT, (Thinking("", object(), Target("a", "m")), Text("Hm.")))
        request = cold(messages=(said, Message(Role.USER, (Text("So?"),))))
        await asyncio.gather(home.router.process(request), home.router.process(request))
        assert len(client.calls) == 2
        nothing_left(home)

    run(main)


def test_another_set_of_targets_is_another_question() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        cloud = ScriptedProvider(["from the cloud", Finish.STOP])
        await home.router.process(cold())
        home.configure(
            provider("a", client, prices=PRICE), provider("b", cloud, priority=1, local=False), cache=CacheSettings()
        )
        assert (await home.router.process(cold())).text == "from the cloud"
        assert not (await home.router.process(cold(local_only=True))).cached
        assert len(client.calls) == 2

    run(main)


@pytest.mark.parametrize(
    ("messages", "calls"),
    [
        ((Message(Role.USER, (Text("Who is at the door?"), picture())),), 3),
        (
            (Message(Role.USER, (Text("a"),)), Message(Role.ASSISTANT, (Text("b"),)), Message(Role.USER, (Text("c"),))),
            3,
        ),
        ((Message(Role.SYSTEM, (Text("Be short."),)), Message(Role.USER, (Text("a"),))), 1),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_one_user_cannot_read_anothers_answer(messages: tuple[Message, ...], calls: int, at_once: bool) -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, lambda number: [1.0, f"answer {number}", Finish.STOP])
        requests = [cold(messages=messages, caller=Caller(user_id=user)) for user in ("ann", "bob", None) * 2]
        if at_once:
            replies = await asyncio.gather(*map(home.router.process, requests))
        else:
            replies = [await home.router.process(request) for request in requests]
        assert len(client.calls) == calls
        assert len({reply.text for reply in replies[:3]}) == calls
        assert [reply.text for reply in replies[:3]] == [reply.text for reply in replies[3:]]

    run(main)


def test_a_router_that_stops_answers_nothing_from_the_cache() -> None:
    async def main(clock: LoopClock) -> None:
        home, _ = house(clock)
        await home.router.process(cold())
        await home.router.close(1)
        assert await code(home, cold()) is RefusalCode.STOPPING

    run(main)


# --- what a caller takes instead of an answer ---------------------------------------------------------


def grown_old(clock: LoopClock, **fields: Any) -> tuple[Home, ScriptedProvider]:
    """A house whose provider answers once and then never again."""
    end = [Failure(FailureClass.BILLING, Phase.SENT, "no credit", **fields)]
    return house(clock, lambda number: SLOW if number == 1 else end, cache=CacheSettings(ttl=100, stale=1_000))


def test_an_old_answer_is_better_than_none_for_those_who_say_so() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = grown_old(clock, billed=Billed.PARTIAL)
        await home.router.process(cold())
        await asyncio.sleep(200)
        assert await code(home, cold(id="2")) is RefusalCode.ALL_FAILED
        home.router.mend("a")
        reply = await home.router.process(cold(id="3", degrade=Degrade(stale_ok=True, default_text="never mind")))
        assert (reply.text, reply.degraded, reply.cached, reply.saved) == ("Yes.", Degraded.STALE, True, 0)
        assert reply.attempts == ended(home)[-1].attempts
        assert reply.cost == sum(attempt.outcome.cost for attempt in reply.attempts) > 0
        assert [event.failure for event in ended(home)] == [None, "all_failed", "all_failed"]
        home.router.mend("a")
        reply = await home.router.process(cold(degrade=Degrade(default_text="never mind")))
        assert (reply.text, reply.degraded) == ("never mind", Degraded.DEFAULT)
        assert len(client.calls) == 4
        await asyncio.sleep(2_000)
        home.router.mend("a")
        assert await code(home, cold(degrade=Degrade(stale_ok=True))) is RefusalCode.ALL_FAILED
        nothing_left(home)

    run(main)


def test_a_text_of_the_callers_own_stands_in() -> None:
    async def main(clock: LoopClock) -> None:
        home, _ = house(clock, failing(FailureClass.CREDENTIAL))
        degrade = Degrade(stale_ok=True, default_text="I do not know.")
        for request in (ask(degrade=degrade), cold(degrade=degrade), cold(cache_mode=CacheMode.ONLY, degrade=degrade)):
            events, reply = await stream(home, request)
            assert events == [TextDelta("I do not know."), Finished(Finish.STOP)]
            assert (reply.text, reply.degraded, reply.cached) == ("I do not know.", Degraded.DEFAULT, False)
            assert (reply.target, reply.usage, reply.cost) == (Target("", ""), Usage(requests=0), 0)
        assert [event.failure for event in ended(home)] == ["all_failed", "all_down", "not_cached"]
        assert home.router.answers.stats().entries == 0
        nothing_left(home)

    run(main)


@pytest.mark.parametrize(("text", "data"), [('{"open": null}', {"open": None}), ("unknown", None)])
def test_a_default_has_the_shape_that_was_asked_for(text: str, data: Any) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(failing(FailureClass.CREDENTIAL))
        home = Home(clock, provider("a", client, caps=STRUCTURED))
        request = ask(structure=Structure("s", {}), degrade=Degrade(default_text=text))
        if data is None:
            assert await code(home, request) is RefusalCode.ALL_FAILED
        else:
            assert (await home.router.process(request)).data == data

    run(main)


def test_what_was_heard_is_not_taken_back() -> None:
    async def main(clock: LoopClock) -> None:
        home, _ = house(clock, ["Once upon"])
        with pytest.raises(RequestFailed, match="stream_broken"):
            await stream(home, cold(degrade=Degrade(default_text="never")))
        nothing_left(home)

    run(main)


# --- single flight -----------------------------------------------------------------------------------


def test_100_equal_requests_at_once_are_one_call() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        replies = await asyncio.gather(*(home.router.process(cold(id=str(number))) for number in range(100)))
        assert len(client.calls) == 1
        assert [reply.request_id for reply in replies] == [str(number) for number in range(100)]
        assert {reply.text for reply in replies} == {"Yes."}
        assert (
            sorted(reply.cost for reply in replies)
            == [0] * 99 + [COST]
            == sorted(event.reply.cost for event in ended(home) if event.reply is not None)
        )
        assert sum(reply.saved for reply in replies) == 99 * COST == home.router.answers.stats().saved
        assert [len(reply.attempts) for reply in replies] == [1] + [0] * 99
        assert home.router.answers.stats().joined == 99
        assert home.ledger.spent == COST
        nothing_left(home)

    run(main)


@pytest.mark.parametrize("after", [0.0, 0.5, 1.5])
def test_a_leader_that_leaves_hands_over(after: float) -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        tasks = [asyncio.ensure_future(home.router.process(cold(id=str(number)))) for number in range(100)]
        await asyncio.sleep(after)
        tasks[0].cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(replies[0], asyncio.CancelledError)
        assert {reply.text for reply in replies[1:] if isinstance(reply, Reply)} == {"Yes."}
        assert len(client.calls) == 1
        assert clock.monotonic() == 2.0
        assert sorted(event.request.id for event in ended(home)) == sorted(map(str, range(100)))
        nothing_left(home)

    run(main)


@pytest.mark.parametrize("live", [True, False])
def test_the_last_to_leave_stops_the_call(live: bool) -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        work = [stream(home, cold()) if live else home.router.process(cold()) for _ in range(10)]
        tasks = [asyncio.ensure_future(each) for each in work]
        for task in tasks:
            await asyncio.sleep(0.1)
            assert client.running == 1
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Settled before the last one's own end, not some time after it.
        assert client.running == 0
        nothing_left(home)
        assert [event.failure for event in ended(home)] == ["cancelled"] * 10
        assert not (await home.router.process(cold())).cached
        assert len(client.calls) == 2

    run(main)


def test_a_cancel_before_the_first_step_is_told_too() -> None:
    async def main(clock: LoopClock) -> None:
        home, _ = house(clock)
        asking = home.router.open(cold())
        first = asyncio.ensure_future(anext(aiter(asking)))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert [event.failure for event in ended(home)] == ["cancelled"]
        nothing_left(home)

    run(main)


def test_a_followers_own_deadline_holds() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        leader = asyncio.ensure_future(home.router.process(cold()))
        await asyncio.sleep(0.5)
        assert await code(home, cold(id="2", bounds=Bounds(timeout=0.7))) is RefusalCode.DEADLINE
        assert clock.monotonic() == pytest.approx(1.2)
        assert (await leader).text == "Yes."
        assert len(client.calls) == 1
        nothing_left(home)

    run(main)


def test_a_leaders_short_deadline_is_its_own() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        replies = await asyncio.gather(
            home.router.process(cold(id="0", bounds=Bounds(timeout=1.5))),
            *(home.router.process(cold(id=str(number))) for number in range(1, 10)),
            return_exceptions=True,
        )
        assert isinstance(replies[0], RequestFailed)
        assert replies[0].code is RefusalCode.DEADLINE
        assert replies[0].failure is not None
        assert replies[0].failure.cls is FailureClass.TIMEOUT_TOTAL
        assert [reply.text for reply in replies[1:] if isinstance(reply, Reply)] == ["Yes."] * 9
        assert len(client.calls) == 2
        assert len(ended(home)) == 10
        nothing_left(home)

    run(main)


def test_a_leader_over_its_budget_stands_in_nobodys_way() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, user_budgets={"ann": (Budget(Window.DAY, 1),)})
        replies = await asyncio.gather(
            *(home.router.process(cold(caller=Caller(user_id=user))) for user in ("ann", "bob", "eve")),
            return_exceptions=True,
        )
        assert [getattr(reply, "code", None) for reply in replies] == [RefusalCode.OVER_BUDGET, None, None]
        assert len(client.calls) == 1

    run(main)


def test_who_comes_first_in_line_does_not_wait_for_who_comes_last() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(SLOW)
        home = Home(clock, provider("a", client, concurrent=1))
        done: list[str] = []

        async def one(text: str, priority: Priority) -> None:
            await home.router.process(cold(text, priority=priority))
            done.append(priority)

        tasks = [asyncio.ensure_future(one("first", Priority.AUTOMATION))]
        for priority in (Priority.BATCH, Priority.BATCH, Priority.VOICE, Priority.VOICE):
            await asyncio.sleep(0.1)
            tasks.append(asyncio.ensure_future(one("equal", priority)))
        await asyncio.gather(*tasks)
        assert done == ["automation", "voice", "voice", "batch", "batch"]
        assert clock.monotonic() == pytest.approx(6)
        nothing_left(home)

    run(main)


class SlowToClose(ScriptedProvider):
    """A provider whose connection takes a second to close."""

    @override
    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        try:
            async for event in super().attempt(call):
                yield event
        finally:
            await asyncio.sleep(1)


def test_a_call_that_is_being_stopped_is_waited_for_by_its_last_and_joined_by_nobody() -> None:
    async def main(clock: LoopClock) -> None:
        client = SlowToClose(SLOW)
        home = Home(clock, provider("a", client, prices=PRICE))
        leaving = asyncio.ensure_future(home.router.process(cold()))
        await asyncio.sleep(0.5)
        leaving.cancel()
        await asyncio.sleep(0.5)
        assert not leaving.done()
        coming = asyncio.ensure_future(home.router.process(cold()))
        await asyncio.wait((leaving,))
        assert clock.monotonic() == pytest.approx(1.5)
        assert len(home.ledger.settled) == 1
        assert (await coming).text == "Yes."
        nothing_left(home)

    run(main)


def test_a_failure_is_shared_once_more_tried_and_not_kept() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, [0.1, *failing(FailureClass.CAPABILITY)])
        errors = await asyncio.gather(
            *(home.router.process(cold(id=str(number))) for number in range(10)), return_exceptions=True
        )
        assert [error.code for error in errors if isinstance(error, RequestFailed)] == [RefusalCode.ALL_FAILED] * 10
        assert [error.request_id for error in errors if isinstance(error, RequestFailed)] == [*map(str, range(10))]
        assert len(client.calls) == 2
        assert sum(len(event.attempts) for event in ended(home)) == 2
        client.script = SLOW
        assert (await home.router.process(cold())).text == "Yes."
        nothing_left(home)

    run(main)


def test_a_shared_failure_tells_why_and_costs_only_its_leader() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(
            clock, [1.0, Failure(FailureClass.CONTENT_POLICY, Phase.SENT, "no", billed=Billed.PARTIAL)]
        )
        errors = await asyncio.gather(*(home.router.process(cold()) for _ in range(5)), return_exceptions=True)
        assert len(client.calls) == 1
        costs = []
        for error in errors:
            assert isinstance(error, RequestFailed)
            assert error.code is RefusalCode.REJECTED
            assert error.failure is not None
            assert error.failure.detail == "no"
            costs.append(sum(attempt.outcome.cost for attempt in error.attempts))
        assert costs == [home.ledger.spent, 0, 0, 0, 0]
        assert home.ledger.spent > 0

    run(main)


def test_a_fault_of_our_own_reaches_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(clock: LoopClock) -> None:
        home, _ = house(clock)
        tasks = [asyncio.ensure_future(home.router.process(cold())) for _ in range(3)]
        await asyncio.sleep(0.5)
        monkeypatch.setattr(home.router.answers, "keep", None)
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in errors] == [TypeError] * 3
        nothing_left(home)

    run(main)


def test_streams_follow_the_stream_from_its_first_word() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, ["Once", 1.0, " upon", 1.0, " a time", Finish.STOP])
        heard: list[tuple[float, str]] = []

        async def listen(after: float) -> list[Event]:
            await asyncio.sleep(after)
            events = []
            async with home.router.open(cold()) as answer:
                async for event in answer:
                    events.append(event)
                    if after and isinstance(event, TextDelta):
                        heard.append((clock.monotonic(), event.text))
                assert answer.reply.text == "Once upon a time"
            return events

        first, second = await asyncio.gather(listen(0), listen(0.5))
        assert first == second
        assert heard == [(0.5, "Once"), (1.0, " upon"), (2.0, " a time")]
        assert len(client.calls) == 1
        nothing_left(home)

    run(main)


def test_streams_and_whole_answers_join_each_other() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock)
        whole, (events, reply), *_ = await asyncio.gather(home.router.process(cold()), stream(home, cold()))
        assert events == [TextDelta("Yes."), Finished(Finish.STOP)]
        assert (whole.text, reply.text, reply.cached) == ("Yes.", "Yes.", True)
        await home.router.answers.drop()
        (events, _), whole = await asyncio.gather(stream(home, cold()), home.router.process(cold()))
        assert events == [TextDelta("Yes"), TextDelta("."), Finished(Finish.STOP)]
        assert (whole.text, whole.cached) == ("Yes.", True)
        assert len(client.calls) == 2

    run(main)


def test_a_broken_stream_is_asked_anew_by_those_who_heard_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, lambda number: ["Once", 1.0] if number == 1 else SLOW)
        answers = await asyncio.gather(
            stream(home, cold()),
            stream(home, cold()),
            home.router.process(cold()),
            home.router.process(cold()),
            return_exceptions=True,
        )
        assert [getattr(answer, "code", None) for answer in answers[:2]] == [RefusalCode.STREAM_BROKEN] * 2
        assert [answer.text for answer in answers[2:] if isinstance(answer, Reply)] == ["Yes."] * 2
        assert len(client.calls) == 2
        nothing_left(home)

    run(main)


def test_an_answer_that_came_while_the_store_was_asked_is_taken() -> None:
    async def main(clock: LoopClock) -> None:
        home, client = house(clock, ["Yes.", Finish.STOP])
        store = home.router.answers.store = MemoryStore(delay=0.2)
        first = asyncio.ensure_future(home.router.process(cold()))
        await asyncio.sleep(0.1)
        second = asyncio.ensure_future(home.router.process(cold()))
        assert not (await first).cached
        assert (await second).cached
        assert len(client.calls) == 1
        assert len(store.answers) == 1

    run(main)


def test_stopping_the_router_ends_all_who_wait() -> None:
    async def main(clock: LoopClock) -> None:
        home, _ = house(clock, [1_000.0])
        tasks = [asyncio.ensure_future(home.router.process(cold())) for _ in range(5)]
        await asyncio.sleep(1)
        await home.router.close(1)
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [error.code for error in errors if isinstance(error, RequestFailed)] == [RefusalCode.STOPPING] * 5
        assert clock.monotonic() < 5
        nothing_left(home)

    run(main)


def test_10_000_random_cancels_over_equal_requests_leave_nothing_behind() -> None:
    async def main(clock: LoopClock) -> None:
        chance = random.Random(7)
        endings: list[Sequence[Any]] = [
            SLOW,
            ["word", Finish.STOP],
            ["cut"],
            [0.01, Failure(FailureClass.TRANSIENT, Phase.SENT, status=500, billed=Billed.NO)],
            [40.0],
            [RuntimeError("bug")],
        ]
        home, client = house(clock, lambda _: chance.choice(endings))
        home.ledger.delay = 0.01
        home.router.answers.store = MemoryStore(delay=0.003)
        asked = 0

        async def one(number: int) -> None:
            request = cold(
                chance.choice("abc"),
                id=str(number),
                cache_mode=chance.choice([*CacheMode]),
                bounds=Bounds(timeout=chance.choice([0.5, 30.0])),
                degrade=chance.choice([None, Degrade(stale_ok=True)]),
            )
            work = stream(home, request) if chance.random() < 0.5 else home.router.process(request)
            task = asyncio.ensure_future(work)
            await asyncio.sleep(chance.choice([0, 0, 0.002, 0.005, 0.01, 0.02, 1, 3]))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        for batch in range(100):
            asked += 100
            await asyncio.gather(*(one(100 * batch + number) for number in range(100)))
            await home.router.answers.drop()
        nothing_left(home)
        assert client.running == 0
        told = [event.request.id for event in ended(home)]
        assert len(told) == len(set(told))
        assert 0 < len(client.calls) < asked / 2
        with contextlib.suppress(RequestFailed):
            await home.router.process(cold("d"))
        nothing_left(home)

    run(main)


class Thinker(ScriptedProvider):
    """Thinks before it speaks."""

    @override
    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        self.calls.append(call)
        yield Opened()
        yield ThinkingDelta("Hm.")
        yield ThinkingDelta("", "signed")
        yield TextDelta("Yes")
        yield Finished(Finish.STOP)


def test_whoever_listens_to_one_who_did_not_hears_the_thoughts_too() -> None:
    async def main(clock: LoopClock) -> None:
        client = Thinker()
        home = Home(clock, provider("a", client, prices=PRICE))
        _, (heard, _) = await asyncio.gather(home.router.process(cold()), stream(home, cold()))
        said = [ThinkingDelta("Hm."), ThinkingDelta("", "signed"), TextDelta("Yes")]
        assert [event for event in heard if event in said] == said
        assert len(client.calls) == 1

    run(main)
