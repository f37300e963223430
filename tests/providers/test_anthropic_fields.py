"""The shape of an answer, and fields that Claude may refuse."""

import json
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Sampling, Structure
from tests.fakes.anthropic import BOUND_MODEL, CHAT_MODEL, OLD_MODEL, FakeAnthropic
from tests.fakes.anthropic_rules import Traits
from tests.fakes.faults import Fault, How

from .asking import DOOR, LIGHT, asking, fail, hear, whole
from .test_anthropic import ALL, at

FREE_FORM = Structure("anything", {"type": "object", "properties": {"data": {"type": "object"}}})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", ALL)
async def test_a_shape(session: aiohttp.ClientSession, anthropic: FakeAnthropic, model: str, stream: bool) -> None:
    call = asking(model, structure=DOOR)

    answer = await hear(at(session, anthropic), call if stream else whole(call))

    assert json.loads(answer.text) == {"open": True}
    assert (answer.finish, answer.calls) == (Finish.STOP, [])
    assert anthropic.bodies[0]["output_config"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("data", [{"data": {"any": ["thing"]}}, {}])
async def test_a_shape_that_is_too_wide_is_the_argument_of_a_tool(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, data: dict[str, Any], stream: bool
) -> None:
    anthropic.data = data
    call = asking(CHAT_MODEL, structure=FREE_FORM)

    answer = await hear(at(session, anthropic), call if stream else whole(call))

    assert json.loads(answer.text) == data
    assert (answer.finish, answer.calls) == (Finish.STOP, [])
    assert anthropic.bodies[0]["tool_choice"]["name"] == "anything"


async def test_a_shape_is_asked_for_in_words_where_no_tool_can_be_forced(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    of = at(session, anthropic)
    thinking = Sampling(reasoning="low")

    await hear(of, asking(BOUND_MODEL, structure=FREE_FORM))
    await hear(of, asking(CHAT_MODEL, structure=FREE_FORM, sampling=thinking))
    await hear(of, asking(CHAT_MODEL, structure=FREE_FORM, tools=(LIGHT,)))

    assert len(anthropic.bodies) == 3
    for body in anthropic.bodies:
        assert "tool_choice" not in body
        assert "Answer with one JSON object" in body["system"][0]["text"]


async def test_a_refused_schema_is_not_remembered_and_a_refused_tool_is(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    of = at(session, anthropic)
    anthropic.refuses = {CHAT_MODEL: {"format", "tool_choice"}}
    words = {"format": "output_config.format.schema: is too complex", "tool_choice": "tool_choice: not for this model"}

    def refuse(body: dict[str, Any]) -> Fault | None:
        named = "format" if "output_config" in body else "tool_choice" if "tool_choice" in body else None
        if named is None:
            return None
        told = {"type": "error", "error": {"type": "invalid_request_error", "message": words[named]}}
        return Fault(How.REFUSE, 400, body=told)

    anthropic.fault = refuse
    await hear(of, asking(CHAT_MODEL, structure=DOOR))
    await hear(of, asking(CHAT_MODEL, structure=DOOR))

    means = [
        "format" if "output_config" in body else "tool" if "tool_choice" in body else "words"
        for body in anthropic.bodies
    ]
    assert means == ["format", "tool", "words", "format", "words"]


# --- what a model does not take ----------------------------------------------------------------------


async def test_refused_fields_are_left_out_and_remembered(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    sampling = Sampling(temperature=0.2, top_p=0.9, stop=("END", " "), seed=7)
    # Another server's model, of which the name tells nothing.
    anthropic.models["house-1"] = Traits()
    of = at(session, anthropic)

    first = await hear(of, asking("house-1", sampling=sampling))
    second = await hear(of, asking("house-1", sampling=sampling))
    other = await hear(of, asking(OLD_MODEL, sampling=sampling))

    assert (first.text, second.text, other.text) == (anthropic.text,) * 3
    assert len(anthropic.bodies) == 3 + 1 + 2
    least = {"model", "max_tokens", "messages", "stream", "stop_sequences"}
    assert anthropic.bodies[3].keys() == least
    # It takes one of both.
    assert anthropic.bodies[-1].keys() == least | {"temperature"}
    assert anthropic.bodies[-1]["stop_sequences"] == ["END"]


@pytest.mark.parametrize(
    "model",
    [
        CHAT_MODEL,
        "claude-opus-4-7-20260301",
        "claude-haiku-4-8",
        "claude-sonnet-6",
        "claude-opus-10-1",
        "claude-saga-1",
    ],
)
async def test_a_newer_model_is_spared_a_temperature_even_if_nobody_knows_it_yet(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, model: str
) -> None:
    anthropic.models[model] = Traits()

    await hear(at(session, anthropic), asking(model, sampling=Sampling(temperature=0.2, top_p=0.9)))

    assert len(anthropic.bodies) == 1


@pytest.mark.parametrize(
    "model",
    ["claude-3-5-haiku-20241022", "claude-opus-4-20250514", "claude-opus-4-6", "claude-sonnet-4-5-20250929", "qwen3"],
)
async def test_an_older_model_gets_its_temperature(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, model: str
) -> None:
    anthropic.models[model] = Traits(sampling=True)

    await hear(at(session, anthropic), asking(model, sampling=Sampling(temperature=0.2)))

    assert [body["temperature"] for body in anthropic.bodies] == [0.2]


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("thinking", asking(CHAT_MODEL, sampling=Sampling(reasoning="low"))),
        ("effort", asking(CHAT_MODEL, sampling=Sampling(reasoning="low"))),
        ("stop_sequences", asking(CHAT_MODEL, sampling=Sampling(stop=("END",)))),
        ("cache_control", asking(CHAT_MODEL, tools=(LIGHT,))),
    ],
)
async def test_each_field_may_be_refused(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, field: str, call: Any
) -> None:
    anthropic.refuses = {CHAT_MODEL: {field}}

    await hear(at(session, anthropic), call)

    refused, taken = anthropic.bodies
    assert f'"{field}"' in json.dumps(refused)
    assert f'"{field}"' not in json.dumps(taken)


async def test_a_refusal_of_something_else_is_a_failure(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    anthropic.refuses = {CHAT_MODEL: {"max_tokens"}}

    failure, _ = await fail(at(session, anthropic), asking(CHAT_MODEL, sampling=Sampling(stop=("END",))))

    assert failure.cls is FailureClass.BAD_REQUEST
    assert len(anthropic.bodies) == 1
