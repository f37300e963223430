"""Reasoning: asked for, told apart, and sent back as long as its turn lasts."""

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.model import Message, Sampling, Target, Thinking
from tests.fakes.openai import ALWAYS_MODEL, CHAT_MODEL, PLAIN_MODEL, RESTING_MODEL, FakeResponses

from .asking import LIGHT, asking, hear, results, turn, user, whole
from .test_openai import ALL, CALLS, at


@pytest.mark.parametrize("wish", [None, "none", "minimal", "low", "medium", "high", "xhigh", "max", "on"])
@pytest.mark.parametrize("model", ALL)
async def test_every_wish_is_taken_at_once(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, wish: str | None
) -> None:
    sampling = Sampling(reasoning=wish, temperature=0.2, top_p=0.9)

    await hear(at(session, responses), asking(model, tools=(LIGHT,), sampling=sampling))

    (body,) = responses.bodies
    rests = model == PLAIN_MODEL or (model == RESTING_MODEL and wish is None)
    assert ("temperature" in body) == (rests or (wish == "none" and model != ALWAYS_MODEL))


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_are_told_apart(session: aiohttp.ClientSession, responses: FakeResponses, stream: bool) -> None:
    responses.thinking = "The door is a door."
    call = asking(CHAT_MODEL, sampling=Sampling(reasoning="low"))

    answer = await hear(at(session, responses), call if stream else whole(call))

    assert (answer.thoughts, answer.text) == (responses.thinking, responses.text)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("wish", ["low", None])
@pytest.mark.parametrize("model", [CHAT_MODEL, ALWAYS_MODEL])
async def test_reasoning_goes_back_with_the_tools_answers(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, wish: str | None, stream: bool
) -> None:
    responses.thinking, responses.tool_calls = "The hall first.", CALLS
    of = at(session, responses)
    messages = [user("Light!")]

    for _ in range(2):
        call = asking(model, *messages, tools=(LIGHT,), sampling=Sampling(reasoning=wish))
        heard = await hear(of, call if stream else whole(call))
        assert (heard.thoughts, heard.text) == ("The hall first." if wish else "", "On it.")
        assert heard.finish is Finish.TOOLS
        messages += [turn(heard, Target("p", model)), *results(heard)]
    responses.tool_calls = []
    last = await hear(of, asking(model, *messages, tools=(LIGHT,), sampling=Sampling(reasoning=wish)))

    # The server has looked at every piece of reasoning: only whole ones of this very model pass.
    assert len(responses.bodies) == 3
    kinds = [item.get("type", item.get("role")) for item in responses.bodies[-1]["input"]]
    loop = ["reasoning", "message", "function_call", "function_call", "function_call_output", "function_call_output"]
    assert kinds == ["user", *loop, *loop]
    assert [item["phase"] for item in responses.bodies[-1]["input"] if "phase" in item] == ["commentary"] * 2
    assert last.text == responses.text


async def test_reasoning_ends_with_its_turn(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    responses.thinking, responses.tool_calls = "The hall first.", CALLS
    of = at(session, responses)
    heard = await hear(of, asking(CHAT_MODEL, user("Light!"), tools=(LIGHT,)))
    said = turn(heard, Target("p", CHAT_MODEL))

    for later in (
        asking(CHAT_MODEL, user("Light!"), said, *results(heard), user("Thanks!"), tools=(LIGHT,)),
        asking(ALWAYS_MODEL, user("Light!"), said, *results(heard), tools=(LIGHT,)),
    ):
        await hear(of, later)
        assert not any(item.get("type") == "reasoning" for item in responses.bodies[-1]["input"])
    assert len(responses.bodies) == 3


async def test_reasoning_that_is_refused_is_given_up_once(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    responses.thinking, responses.tool_calls = "The hall first.", CALLS
    of = at(session, responses)
    heard = await hear(of, asking(CHAT_MODEL, user("Light!"), tools=(LIGHT,)))
    good = turn(heard, Target("p", CHAT_MODEL))
    (thought, *rest) = good.parts
    assert isinstance(thought, Thinking)
    spoiled = [{**item, "encrypted_content": "x"} if "summary" in item else item for item in thought.opaque[0]]
    bad = Message(good.role, (Thinking("", (spoiled,), thought.origin), *rest))

    await hear(of, asking(CHAT_MODEL, user("Light!"), bad, *results(heard), tools=(LIGHT,)))
    await hear(of, asking(CHAT_MODEL, user("Light!"), good, *results(heard), tools=(LIGHT,)))

    sent = [any(item.get("type") == "reasoning" for item in body["input"]) for body in responses.bodies]
    # Nothing is remembered of it: the next conversation may be whole.
    assert sent == [False, True, False, True]
    assert responses.answers == 3
