"""The shape of an answer, and fields that OpenAI's models may refuse."""

import json
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Sampling, Structure
from tests.fakes.openai import CHAT_MODEL, PLAIN_MODEL, FakeResponses
from tests.fakes.openai_rules import Traits

from .asking import DOOR, LIGHT, asking, fail, hear, whole
from .test_openai import ALL, at

FREE_FORM = Structure("anything", {"type": "object", "properties": {"data": {"type": "object"}}})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("shape", [DOOR, FREE_FORM])
@pytest.mark.parametrize("model", ALL)
async def test_a_shape(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, shape: Structure, stream: bool
) -> None:
    call = asking(model, structure=shape)

    answer = await hear(at(session, responses), call if stream else whole(call))

    assert json.loads(answer.text) == {"open": True}
    assert answer.finish is Finish.STOP
    assert [body["text"]["format"]["strict"] for body in responses.bodies] == [shape is DOOR]


async def test_a_refused_schema_is_not_remembered_and_a_refused_mode_is(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    of = at(session, responses)
    responses.refuses = {CHAT_MODEL: {"text.format"}}

    for _ in range(2):
        await hear(of, asking(CHAT_MODEL, structure=DOOR))

    means = [body["text"]["format"]["type"] if "text" in body else "words" for body in responses.bodies]
    assert means == ["json_schema", "json_object", "words", "json_schema", "words"]
    assert all('"boolean"' in json.dumps(body["input"]) or "schema" in json.dumps(body) for body in responses.bodies)


# --- what a model does not take ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "field", "call"),
    [
        (CHAT_MODEL, "reasoning.effort", {"sampling": Sampling(reasoning="low")}),
        (CHAT_MODEL, "reasoning.summary", {"sampling": Sampling(reasoning="low")}),
        (CHAT_MODEL, "include", {"tools": (LIGHT,)}),
        (CHAT_MODEL, "prompt_cache_options", {}),
        (PLAIN_MODEL, "temperature", {"sampling": Sampling(temperature=0.2, top_p=0.9)}),
        (PLAIN_MODEL, "top_p", {"sampling": Sampling(temperature=0.2, top_p=0.9)}),
    ],
)
async def test_refused_fields_are_left_out_and_remembered(
    session: aiohttp.ClientSession, responses: FakeResponses, model: str, field: str, call: dict[str, Any]
) -> None:
    responses.refuses = {model: {field}}
    of = at(session, responses)

    for _ in range(2):
        await hear(of, asking(model, **call))

    name = field.rpartition(".")[2]
    assert [f'"{name}"' in json.dumps(body) for body in responses.bodies] == [True, False, False]


async def test_what_is_not_known_of_a_model_is_found_out(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    responses.models["gpt-7"] = Traits(efforts=frozenset({"low"}), cache_options=False)
    of = at(session, responses)
    sampling = Sampling(reasoning=None, temperature=0.2)

    await hear(of, asking("gpt-7", sampling=sampling, tools=(LIGHT,)))
    await hear(of, asking("gpt-7", sampling=sampling, tools=(LIGHT,)))

    assert ["temperature" in body for body in responses.bodies] == [True, False, False]
    assert all("include" in body for body in responses.bodies)


async def test_a_refusal_of_something_else_is_a_failure(
    session: aiohttp.ClientSession, responses: FakeResponses
) -> None:
    failure, _ = await fail(at(session, responses), asking(CHAT_MODEL, max_output=5))

    assert failure.cls is FailureClass.BAD_REQUEST
    assert len(responses.bodies) == 1
