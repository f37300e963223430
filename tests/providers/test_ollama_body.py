"""What Ollama's models refuse is left out: shapes by the next best means, thinking altogether."""

import aiohttp
import pytest

from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Capability, Model, Sampling
from tests.fakes.faults import Fault, How
from tests.fakes.ollama import CHAT_MODEL, FakeOllama

from .asking import DOOR, asking, fail, hear, provider

NO_SCHEMA = Fault(How.REFUSE, 500, body={"error": "failed to parse grammar"})
NO_FORMAT = Fault(How.REFUSE, 400, body={"error": "structured outputs are not supported by this model"})


async def test_a_shape_is_asked_for_by_the_next_best_means(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    ollama.fault = [NO_SCHEMA, NO_FORMAT, None, NO_SCHEMA, None]
    of = provider(session, ollama.url, "ollama", key=None)

    for _ in range(2):
        assert (await hear(of, asking(CHAT_MODEL, structure=DOOR))).text == ollama.text

    first, second, third, fourth, fifth = ollama.bodies
    assert (first["format"], second["format"]) == (DOOR.schema, "json")
    assert "format" not in third
    # Another schema may be taken; that the model has no such mode is remembered.
    assert fourth["format"] == DOOR.schema
    assert "format" not in fifth
    assert all("JSON schema" in body["messages"][0]["content"] for body in ollama.bodies)


async def test_a_model_that_does_not_think_after_all_is_not_asked_to(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    ollama.models[CHAT_MODEL]["capabilities"] = ["completion"]
    thinker = Model(CHAT_MODEL, Capability.CHAT | Capability.REASONING)
    of = provider(session, ollama.url, "ollama", key=None, models=(thinker,))
    call = asking(CHAT_MODEL, sampling=Sampling(reasoning="high"))

    for _ in range(2):
        assert (await hear(of, call)).text == ollama.text

    assert ["think" in body for body in ollama.bodies] == [True, False, False]


@pytest.mark.parametrize("words", ["CUDA out of memory", "failed to decode image: image: unknown format"])
async def test_other_faults_are_what_they_are(session: aiohttp.ClientSession, ollama: FakeOllama, words: str) -> None:
    ollama.fault = Fault(How.REFUSE, 500, body={"error": words})

    failure, _ = await fail(provider(session, ollama.url, "ollama", key=None), asking(CHAT_MODEL, structure=DOOR))

    assert failure.cls is FailureClass.TRANSIENT
    assert len(ollama.bodies) == 1
