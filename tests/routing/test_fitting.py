"""What fits a model's context: whole, with a shorter answer, or without the oldest turns."""

from typing import Any

import pytest

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.model import Message, Role, Text, ToolCall, ToolResult
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Bounds, CacheMode, Request

from .simulation import Home, LoopClock, ScriptedProvider, ask, prices, provider, run

# 3.6 bytes are taken for a token, and 8 tokens for a message.
WORDS = "x" * 360  # 100 tokens


def said(role: Role, text: str = WORDS) -> Message:
    return Message(role, (Text(text),))


def conversation(turns: int, **fields: Any) -> Request:
    messages = [said(Role.SYSTEM)]
    for number in range(turns - 1):
        messages += [said(Role.USER, f"{number:03}" + WORDS[3:]), said(Role.ASSISTANT)]
    messages.append(said(Role.USER, "last" + WORDS[4:]))
    return ask(messages=tuple(messages), **fields)


async def sent(clock: LoopClock, request: Request, **settings: Any) -> tuple[Any, Any]:
    client = ScriptedProvider()
    home = Home(clock, provider("a", client, **settings))
    reply = await home.router.process(request)
    return client.calls[0], reply


@pytest.mark.parametrize(
    ("context", "output"), [(None, 200), (1_000, 200), (308, 200), (300, 192), (208, 100), (207, None), (50, None)]
)
def test_an_answer_is_cut_to_half_its_room_and_no_further(context: int | None, output: int | None) -> None:
    async def main(clock: LoopClock) -> None:
        request = ask(WORDS, bounds=Bounds(max_output=200))
        if output is not None:
            call, reply = await sent(clock, request, context=context)
            assert call.max_output == output
            assert reply.trimmed == 0
            return
        with pytest.raises(RequestFailed) as caught:
            await sent(clock, request, context=context)
        assert caught.value.plan is not None
        assert [each.why for each in caught.value.plan.left_out] == [Why.CONTEXT_TOO_SMALL]

    run(main)


def test_where_answers_are_short_less_room_is_enough() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([Usage(fresh_in=108, text_out=10), "short", Finish.STOP])
        home = Home(clock, provider("a", client, context=150))
        tight = ask(WORDS, bounds=Bounds(max_output=200))
        with pytest.raises(RequestFailed):
            await home.router.process(tight)
        for _ in range(10):
            await home.router.process(ask(WORDS, bounds=Bounds(max_output=40)))
        await home.router.process(tight)
        assert client.calls[-1].max_output == 42

    run(main)


@pytest.mark.parametrize("context", [400, 500, 900, 1_500])
def test_the_oldest_turns_go_and_it_is_said(context: int) -> None:
    async def main(clock: LoopClock) -> None:
        request = conversation(10, trim=True, bounds=Bounds(max_output=100))
        call, reply = await sent(clock, request, context=context)
        kept = len(call.messages)
        assert call.messages[0].role is Role.SYSTEM
        assert call.messages[1:] == request.messages[-kept + 1 :]
        assert call.messages[1].role is Role.USER
        assert call.max_output == 100
        assert reply.trimmed == reply.attempts[0].trimmed == len(request.messages) - kept > 0
        # As few as it takes: one turn more would not fit.
        assert kept * 108 + 100 <= context < (kept + 2) * 108 + 100

    run(main)


def test_only_who_allows_it_is_trimmed_and_the_larger_context_gets_all() -> None:
    async def main(clock: LoopClock) -> None:
        with pytest.raises(RequestFailed):
            await sent(clock, conversation(10), context=500)
        with pytest.raises(RequestFailed):  # even the last turn alone is too long
            await sent(clock, conversation(10, trim=True), context=110)
        call, reply = await sent(clock, conversation(10, trim=True), context=10_000)
        assert (len(call.messages), reply.trimmed) == (20, 0)

    run(main)


def test_a_tools_result_never_stands_without_its_call() -> None:
    async def main(clock: LoopClock) -> None:
        messages = [said(Role.USER), said(Role.ASSISTANT)]
        for number in range(5):
            messages += [
                said(Role.USER),
                Message(Role.ASSISTANT, (ToolCall(str(number), "light", {"on": True}),)),
                Message(Role.TOOL, (ToolResult(str(number), "light", WORDS),)),
                said(Role.ASSISTANT),
            ]
        for context in range(450, 2_000, 50):
            request = ask(messages=tuple(messages), trim=True, bounds=Bounds(max_output=50))
            call, _ = await sent(clock, request, context=context)
            parts = [part for message in call.messages for part in message.parts]
            called = {part.id for part in parts if isinstance(part, ToolCall)}
            assert {part.call_id for part in parts if isinstance(part, ToolResult)} <= called
            assert call.messages[0].role is Role.USER

    run(main)


def test_what_is_trimmed_is_neither_held_nor_billed() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(["word"])  # cut: our own count is booked
        paid = provider("a", client, context=500, prices=prices(1, 1))
        home = Home(clock, paid)
        with pytest.raises(RequestFailed):
            await home.router.process(conversation(10, trim=True, bounds=Bounds(max_output=100, attempts=1)))
        (hold,) = home.ledger.holds.values()
        assert hold < 2_000 * 1_000_000
        assert home.ledger.spent < 500 * 1_000_000

    run(main)


def test_a_trimmed_answer_is_not_kept_for_others() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("small", client, context=500, prices=FREE))
        short = Bounds(max_output=100)
        for _ in range(2):
            reply = await home.router.process(conversation(10, trim=True, cache_mode=CacheMode.USE, bounds=short))
            assert not reply.cached
            assert reply.trimmed
        assert len(client.calls) == 2

    run(main)
