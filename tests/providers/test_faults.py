"""Everything a server can do wrong, as class and phase. Nothing wrong ever passes for a whole answer."""

import asyncio
from contextlib import aclosing

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.failures import Billed, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.ports import Provider
from tests.fakes.anthropic import CHAT_MODEL as ANTHROPIC_MODEL
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.cloudflare import ACCOUNT, FakeCloudflare
from tests.fakes.cloudflare import CHAT_MODEL as CLOUDFLARE_MODEL
from tests.fakes.faults import Fault, How
from tests.fakes.gemini import CHAT_MODEL as GEMINI_MODEL
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import CHAT_MODEL as OLLAMA_MODEL
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import CHAT_MODEL as RESPONSES_MODEL
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import CHAT_MODEL as OPENAI_MODEL
from tests.fakes.openai_compatible import FakeOpenAI
from tests.fakes.server import FakeServer

from .asking import asking, fail, hear, provider, until, whole

TRANSIENT, NETWORK, MALFORMED = FailureClass.TRANSIENT, FailureClass.NETWORK, FailureClass.MALFORMED
CUT = FailureClass.STREAM_CUT
SENT, STREAMING = Phase.SENT, Phase.STREAMING
NO, PARTIAL, UNKNOWN = Billed.NO, Billed.PARTIAL, Billed.UNKNOWN


ASKED: dict[type[FakeServer], tuple[str, str]] = {
    FakeOpenAI: ("openai_compatible", OPENAI_MODEL),
    FakeOllama: ("ollama", OLLAMA_MODEL),
    FakeGemini: ("gemini", GEMINI_MODEL),
    FakeAnthropic: ("anthropic", ANTHROPIC_MODEL),
    FakeResponses: ("openai", RESPONSES_MODEL),
    FakeCloudflare: ("cloudflare", CLOUDFLARE_MODEL),
}


@pytest.fixture(params=["openai", "ollama", "gemini", "anthropic", "cloudflare", "responses"])
def server(request: pytest.FixtureRequest) -> FakeServer:
    """All servers in turn."""
    found: FakeServer = request.getfixturevalue(request.param)
    return found


def of(session: aiohttp.ClientSession, server: FakeServer) -> tuple[Provider, str]:
    kind, model = ASKED[type(server)]
    options = {"account_id": ACCOUNT} if kind == "cloudflare" else {}
    return provider(session, server.url, kind, key=server.key, **options), model


@pytest.mark.parametrize(
    ("fault", "cls", "phase", "billed"),
    [
        (Fault(How.CLOSE_BEFORE), NETWORK, SENT, UNKNOWN),
        (Fault(How.NOT_HTTP), NETWORK, SENT, UNKNOWN),
        (Fault(How.CUT, after=0), CUT, SENT, PARTIAL),
        (Fault(How.CUT, after=3), CUT, STREAMING, PARTIAL),
        (Fault(How.ERROR_IN_STREAM, after=0), TRANSIENT, SENT, NO),
        (Fault(How.ERROR_IN_STREAM, after=3), TRANSIENT, STREAMING, PARTIAL),
        (Fault(How.PAGE, 200), MALFORMED, SENT, UNKNOWN),
        (Fault(How.PAGE, 502), TRANSIENT, SENT, UNKNOWN),
        (Fault(How.PAGE, 503), FailureClass.OVERLOADED, SENT, UNKNOWN),
        (Fault(How.REDIRECT), MALFORMED, SENT, NO),
        (Fault(How.EMPTY_BODY), CUT, SENT, PARTIAL),
        (Fault(How.HUGE_LINE), MALFORMED, None, None),
        (Fault(How.GARBAGE, count=3), MALFORMED, None, None),
        (Fault(How.TORN, after=0), MALFORMED, SENT, UNKNOWN),
        (Fault(How.TORN, after=3), MALFORMED, STREAMING, PARTIAL),
        (Fault(How.NO_FINISH), CUT, STREAMING, PARTIAL),
        (Fault(How.ERROR_IN_BODY, body={"error": "crashed"}), TRANSIENT, SENT, NO),
        (Fault(How.ERROR_IN_BODY, body={"hello": 1}), MALFORMED, SENT, UNKNOWN),
        (Fault(How.ERROR_IN_BODY, body=[1]), MALFORMED, SENT, UNKNOWN),
    ],
)
async def test_faults_of_a_stream(
    session: aiohttp.ClientSession,
    server: FakeServer,
    fault: Fault,
    cls: FailureClass,
    phase: Phase | None,
    billed: Billed | None,
) -> None:
    server.fault = fault
    asked, model = of(session, server)

    failure, heard = await fail(asked, asking(model))

    assert failure.cls is cls
    assert heard.finish is None
    if phase is not None:
        assert (failure.phase, failure.billed) == (phase, billed)
    assert (failure.phase is STREAMING) == bool(heard.text)


@pytest.mark.parametrize(
    ("fault", "cls", "phase"),
    [
        (Fault(How.CLOSE_BEFORE), NETWORK, SENT),
        (Fault(How.CUT), CUT, SENT),
        (Fault(How.PAGE, 200), MALFORMED, SENT),
        (Fault(How.EMPTY_BODY), MALFORMED, SENT),
        (Fault(How.HUGE_BODY), MALFORMED, SENT),
        (Fault(How.ERROR_IN_BODY, body={"error": {"message": "crashed"}}), TRANSIENT, SENT),
        (Fault(How.REFUSE, 500, body=""), TRANSIENT, SENT),
    ],
)
async def test_faults_of_a_whole_answer(
    session: aiohttp.ClientSession, server: FakeServer, fault: Fault, cls: FailureClass, phase: Phase
) -> None:
    server.fault = fault
    asked, model = of(session, server)

    failure, heard = await fail(asked, whole(asking(model)))

    assert (failure.cls, failure.phase) == (cls, phase)
    assert heard.text == ""


@pytest.mark.parametrize(
    "fault",
    [Fault(How.GARBAGE, count=2), Fault(How.DRIBBLE), Fault(How.SLOW, seconds=0.05), Fault(How.IGNORE_STREAM)],
)
async def test_what_is_no_fault(session: aiohttp.ClientSession, server: FakeServer, fault: Fault) -> None:
    server.fault = fault
    asked, model = of(session, server)

    heard = await hear(asked, asking(model))

    assert (heard.text, heard.finish) == (server.text, Finish.STOP)


async def test_a_missing_done_is_no_fault(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.fault = Fault(How.NO_DONE)

    heard = await hear(provider(session, openai.url), asking(OPENAI_MODEL))

    assert (heard.text, heard.finish) == (openai.text, Finish.STOP)


async def test_a_missing_usage_is_not_zero(session: aiohttp.ClientSession, server: FakeServer) -> None:
    server.fault = Fault(How.NO_USAGE)
    asked, model = of(session, server)

    heard = await hear(asked, asking(model))

    assert heard.text == server.text
    assert heard.usage is None


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_without_words_says_so(
    session: aiohttp.ClientSession, server: FakeServer, stream: bool
) -> None:
    server.fault = Fault(How.EMPTY_LENGTH)
    asked, model = of(session, server)

    heard = await hear(asked, asking(model) if stream else whole(asking(model)))

    assert (heard.text, heard.finish) == ("", Finish.LENGTH)
    assert heard.usage is not None


async def test_nobody_is_there(session: aiohttp.ClientSession, server: FakeServer) -> None:
    asked, model = of(session, server)
    await server.stop()

    failure, _ = await fail(asked, asking(model))

    assert (failure.cls, failure.phase, failure.billed) == (NETWORK, Phase.UNSENT, NO)
    assert failure.scope is FailureScope.PROVIDER
    assert "Connection refused" in failure.detail


async def test_it_comes_back_without_ado(session: aiohttp.ClientSession, server: FakeServer) -> None:
    asked, model = of(session, server)
    await hear(asked, asking(model))
    await server.stop()
    await fail(asked, asking(model))
    await server.start()

    assert (await hear(asked, asking(model))).text == server.text


async def test_faults_come_in_turn(session: aiohttp.ClientSession, server: FakeServer) -> None:
    server.fault = [Fault(How.PAGE, 500), None, Fault(How.PAGE, 500)]
    asked, model = of(session, server)

    await fail(asked, asking(model))
    await hear(asked, asking(model))
    await fail(asked, asking(model))
    assert (await hear(asked, asking(model))).finish is Finish.STOP


async def test_answers_are_held_until_released(session: aiohttp.ClientSession, server: FakeServer) -> None:
    server.hold()
    asked, model = of(session, server)
    waiting = [asyncio.create_task(hear(asked, asking(model))) for _ in range(5)]
    await until(lambda: server.waiting == 5)
    assert not any(task.done() for task in waiting)

    server.release()

    assert [answer.text for answer in await asyncio.gather(*waiting)] == [server.text] * 5
    assert server.tally()["answers"] == 5


async def test_leaving_early_closes_the_connection(session: aiohttp.ClientSession, server: FakeServer) -> None:
    server.fault = Fault(How.HANG_AFTER, after=2)
    asked, model = of(session, server)

    async with aclosing(asked.attempt(asking(model))) as events:
        await anext(events)
        assert not server.someone_left.is_set()

    async with asyncio.timeout(10):
        await server.someone_left.wait()
