"""Ollama models that were to run in the house and do not: noticed before anything is sent, and at the latest by the answer."""

import json

import aiohttp
import pytest

from custom_components.ai_router.routing.failures import Billed, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import Model, Op
from tests.fakes.faults import Fault, How
from tests.fakes.ollama import CHAT_MODEL, CLOUD_MODEL, FakeOllama

from .asking import asking, fail, hear, provider, whole

LOCAL = (Model(CHAT_MODEL, local=True),)
CLOUD = {"remote_host": "https://ollama.com:443", "remote_model": "qwen3"}


def answer(*messages: dict[str, object], **head: object) -> Fault:
    lines = [
        {"model": CHAT_MODEL, "message": {"role": "assistant", **message}, "done": False, **head}
        for message in messages
    ]
    lines[-1] |= {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 2}
    pieces = tuple(json.dumps(line) + "\n" for line in lines)
    return Fault(How.SCRIPT, pieces=pieces, content_type="application/x-ndjson")


@pytest.mark.parametrize("op", [Op.CHAT, Op.EMBED])
async def test_a_model_that_moved_away_is_sent_nothing(
    session: aiohttp.ClientSession, ollama: FakeOllama, op: Op
) -> None:
    ollama.models[CHAT_MODEL] |= CLOUD
    of = provider(session, ollama.url, "ollama", key=None, models=LOCAL)

    for _ in range(2):
        failure, heard = await fail(of, asking(CHAT_MODEL, op=op))

        assert (failure.cls, failure.phase, failure.scope, failure.billed) == (
            FailureClass.NOT_LOCAL,
            Phase.UNSENT,
            FailureScope.TARGET,
            Billed.NO,
        )
        assert heard.events == []
    assert {seen.path for seen in ollama.requests} == {"/api/show"}


async def test_the_server_is_asked_once_for_each_model_believed_local(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    of = provider(session, ollama.url, "ollama", key=None, models=(*LOCAL, Model(CLOUD_MODEL)))

    for model in (CHAT_MODEL, CHAT_MODEL, CLOUD_MODEL):
        assert (await hear(of, asking(model))).text == ollama.text

    assert [seen.path for seen in ollama.requests] == ["/api/show", "/api/chat", "/api/chat", "/api/chat"]


async def test_a_server_that_shows_nothing_is_still_asked_what_its_list_said_is_there(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    ollama.broken_show = True

    heard = await hear(provider(session, ollama.url, "ollama", key=None, models=LOCAL), asking(CHAT_MODEL))

    assert heard.text == ollama.text


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("names", [{"remote_host": "https://ollama.com"}, {"remote_model": "qwen3"}])
async def test_an_answer_that_names_a_cloud_is_a_breach(
    session: aiohttp.ClientSession, ollama: FakeOllama, stream: bool, names: dict[str, str]
) -> None:
    call = asking(CHAT_MODEL)
    of = provider(session, ollama.url, "ollama", key=None, models=LOCAL)
    scripted = answer({"content": "It is shut."}, **names)
    ollama.fault = scripted if stream else Fault(How.ERROR_IN_BODY, body=json.loads(scripted.pieces[0]))

    failure, heard = await fail(of, call if stream else whole(call))

    assert (failure.cls, failure.scope) == (FailureClass.NOT_LOCAL, FailureScope.TARGET)
    assert (heard.text, heard.thoughts) == ("", "")
    # Before anything else is sent there, the server has to say that it is no longer so.
    ollama.fault = None
    await hear(of, call)
    assert [seen.path for seen in ollama.requests] == ["/api/show", "/api/chat"] * 2


async def test_a_cloud_that_is_named_only_at_the_end_is_a_breach_too(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    fault = answer({"content": "It is "}, {"content": "shut."})
    last = json.loads(fault.pieces[-1]) | CLOUD
    ollama.fault = Fault(How.SCRIPT, pieces=(fault.pieces[0], json.dumps(last)), content_type="application/x-ndjson")

    failure, heard = await fail(provider(session, ollama.url, "ollama", key=None, models=LOCAL), asking(CHAT_MODEL))

    assert (failure.cls, failure.phase, heard.finish) == (FailureClass.NOT_LOCAL, Phase.STREAMING, None)


async def test_a_model_that_is_known_to_run_in_a_cloud_may_say_so(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    heard = await hear(
        provider(session, ollama.url, "ollama", key=None, models=(Model(CLOUD_MODEL),)), asking(CLOUD_MODEL)
    )

    assert heard.text == ollama.text
