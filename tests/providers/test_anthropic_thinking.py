"""Claude's thoughts: asked for, told apart, and sent back as long as their turn lasts."""

import json

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.model import Message, Role, Sampling, Target, Text, Thinking
from tests.fakes.anthropic import BOUND_MODEL, CHAT_MODEL, OLD_MODEL, FakeAnthropic

from .asking import LIGHT, asking, hear, results, turn, user, whole
from .test_anthropic import ALL, CALLS, at


@pytest.mark.parametrize("wish", ["none", "minimal", "low", "medium", "high", "on"])
@pytest.mark.parametrize("model", ALL)
async def test_every_wish_is_taken_at_once(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, model: str, wish: str
) -> None:
    # Where there is no thinking, newer models refuse a temperature on their own account.
    temperature = 0.2 if wish != "none" or model == OLD_MODEL else None
    call = asking(model, max_output=4_000, sampling=Sampling(reasoning=wish, temperature=temperature))

    await hear(at(session, anthropic), call)

    assert len(anthropic.bodies) == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [CHAT_MODEL, OLD_MODEL])
async def test_thoughts_are_told_apart(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, model: str, stream: bool
) -> None:
    anthropic.thinking = "The door is a door."
    anthropic.usage = {"input_tokens": 50, "output_tokens": 30, "output_tokens_details": {"thinking_tokens": 20}}
    call = asking(model, max_output=4_000, sampling=Sampling(reasoning="low"))

    answer = await hear(at(session, anthropic), call if stream else whole(call))

    assert (answer.thoughts, answer.text) == (anthropic.thinking, anthropic.text)
    if not stream:
        assert answer.usage == Usage(fresh_in=50, text_out=10, reasoning_out=20)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("shown", ["The hall first.", ""])
@pytest.mark.parametrize("model", [CHAT_MODEL, BOUND_MODEL])
async def test_thoughts_go_back_with_the_tools_answers(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, model: str, shown: str, stream: bool
) -> None:
    anthropic.thinking, anthropic.tool_calls = "The hall first.", CALLS
    wish = Sampling(reasoning="low" if shown else None)
    of = at(session, anthropic)
    messages = [user("Light!")]

    for _ in range(2):
        call = asking(model, *messages, tools=(LIGHT,), sampling=wish)
        heard = await hear(of, call if stream else whole(call))
        assert (heard.thoughts, heard.finish) == (shown, Finish.TOOLS)
        messages += [turn(heard, Target("p", model)), *results(heard)]
    anthropic.tool_calls = []
    last = await hear(of, asking(model, *messages, tools=(LIGHT,), sampling=wish))

    # The server has compared every signature with all that stood before it.
    assert len(anthropic.bodies) == 3
    kinds = [[block["type"] for block in message["content"]] for message in anthropic.bodies[-1]["messages"][1:]]
    assert kinds == [["thinking", "tool_use", "tool_use"], ["tool_result", "tool_result"]] * 2
    assert last.text == anthropic.text


async def test_thoughts_end_with_their_turn(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    anthropic.thinking, anthropic.tool_calls = "The hall first.", CALLS
    of = at(session, anthropic)
    heard = await hear(of, asking(BOUND_MODEL, user("Light!"), tools=(LIGHT,)))
    said = turn(heard, Target("p", BOUND_MODEL))

    for later in (
        asking(BOUND_MODEL, user("Light!"), said, *results(heard), user("Thanks!"), tools=(LIGHT,)),
        asking(CHAT_MODEL, user("Light!"), said, *results(heard), tools=(LIGHT,)),
    ):
        await hear(of, later)
        assert "thinking" not in json.dumps(anthropic.bodies[-1])
    assert len(anthropic.bodies) == 3


@pytest.mark.parametrize("maker", [Target("q", OLD_MODEL), Target("p", CHAT_MODEL)])
async def test_a_loop_that_another_model_began_goes_on_without_thinking(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, maker: Target
) -> None:
    anthropic.thinking, anthropic.tool_calls = "The hall first.", CALLS
    of = at(session, anthropic)
    wish = Sampling(reasoning="low")
    heard = await hear(of, asking(OLD_MODEL, user("Light!"), tools=(LIGHT,), sampling=wish, max_output=4_000))
    said = (user("Light!"), turn(heard, maker), *results(heard))

    await hear(of, asking(OLD_MODEL, *said, tools=(LIGHT,), sampling=wish, max_output=4_000))
    await hear(of, asking(OLD_MODEL, *said, user("And now?"), tools=(LIGHT,), sampling=wish, max_output=4_000))
    over = Message(Role.ASSISTANT, (Text("It is on."),))
    await hear(of, asking(OLD_MODEL, *said, over, user("And now?"), tools=(LIGHT,), sampling=wish, max_output=4_000))

    # It was not refused first, and once the loop is over it thinks again.
    assert ["thinking" in body for body in anthropic.bodies] == [True, False, False, True]
    assert anthropic.answers == 4


async def test_a_budget_goes_with_the_thoughts_it_was_for(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    anthropic.thinking, anthropic.tool_calls = "The hall first.", CALLS
    of = at(session, anthropic)
    wish = Sampling(reasoning="low")
    heard = await hear(of, asking(OLD_MODEL, user("Light!"), tools=(LIGHT,), sampling=wish, max_output=4_000))
    said = turn(heard, Target("p", OLD_MODEL))
    (thought,) = (part for part in said.parts if isinstance(part, Thinking))
    thought.opaque[0][0]["signature"] = "of another account"

    again = asking(OLD_MODEL, user("Light!"), said, *results(heard), tools=(LIGHT,), sampling=wish, max_output=4_000)
    await hear(of, again)

    assert ["thinking" in body for body in anthropic.bodies] == [True, True, False]
    assert anthropic.answers == 2


async def test_bound_thoughts_are_given_up_once(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    anthropic.thinking, anthropic.tool_calls = "The hall first.", CALLS
    of = at(session, anthropic)
    heard = await hear(of, asking(BOUND_MODEL, user("Light!"), tools=(LIGHT,)))
    trimmed = asking(
        BOUND_MODEL, user("Another beginning"), turn(heard, Target("p", BOUND_MODEL)), *results(heard), tools=(LIGHT,)
    )

    again = await hear(of, trimmed)
    await hear(
        of, asking(BOUND_MODEL, user("Light!"), turn(heard, Target("p", BOUND_MODEL)), *results(heard), tools=(LIGHT,))
    )

    assert [call.arguments for call in again.calls] == [call.arguments for call in heard.calls]
    sent = ["thinking" in json.dumps(body) for body in anthropic.bodies]
    # Nothing is remembered of it: the next conversation may be whole.
    assert sent == [False, True, False, True]
    assert anthropic.answers == 3
