"""Connections: opened in time, used again, really closed; and no key anywhere but in the header."""

import asyncio
import logging
import socket
import time
import traceback
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from types import SimpleNamespace

import aiohttp
import pytest

from custom_components.ai_router.providers import transport
from custom_components.ai_router.providers.registry import ProviderSetup
from custom_components.ai_router.routing.call import TextDelta, Timeouts
from custom_components.ai_router.routing.failures import AttemptFailed, Billed, FailureClass, Phase
from tests.fakes.faults import Fault, How
from tests.fakes.ollama import CHAT_MODEL as OLLAMA_MODEL
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI

from .asking import KEY, asking, fail, hear, provider, until, whole


async def gone(server: FakeOpenAI | FakeOllama) -> None:
    """Wait until the server notices that a caller went away."""
    async with asyncio.timeout(10):
        await server.someone_left.wait()


# --- close -------------------------------------------------------------------------------------------


async def test_closing_an_attempt_closes_the_connection(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.fault = Fault(How.HANG_AFTER, after=3)
    async with aclosing(provider(session, openai.url).attempt(asking(CHAT_MODEL))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
        assert not openai.someone_left.is_set()

    await gone(openai)


@pytest.mark.parametrize("how", [How.HANG_BEFORE, How.HANG_AFTER])
async def test_cancelling_an_attempt_closes_the_connection(
    session: aiohttp.ClientSession, openai: FakeOpenAI, how: How
) -> None:
    openai.fault = Fault(how, after=3)
    task = asyncio.create_task(hear(provider(session, openai.url), asking(CHAT_MODEL)))
    await until(lambda: bool(openai.requests))
    await asyncio.sleep(0.05)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(openai)


async def test_a_stream_without_end_is_given_up(
    session: aiohttp.ClientSession, openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_STREAM", 2_000)
    openai.fault = Fault(How.SCRIPT, pieces=(": still there\n\n",) * 1_000)

    failure, _ = await fail(provider(session, openai.url), asking(CHAT_MODEL))

    assert failure.cls is FailureClass.MALFORMED


async def test_closing_an_attempt_stops_ollama(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    ollama.fault = Fault(How.HANG_AFTER, after=3)
    async with aclosing(provider(session, ollama.url, "ollama", key=None).attempt(asking(OLLAMA_MODEL))) as events:
        await anext(events)
        await anext(events)

    await gone(ollama)


async def test_a_failure_in_the_middle_closes_the_connection(
    session: aiohttp.ClientSession, openai: FakeOpenAI
) -> None:
    openai.fault = Fault(
        How.SCRIPT, pieces=("data: {oops\n\n", "data: {oops\n\n", "data: {oops\n\n", ": on\n\n"), gap=0.2
    )

    failure, _ = await fail(provider(session, openai.url), asking(CHAT_MODEL))

    assert failure.cls is FailureClass.MALFORMED
    await gone(openai)


# --- use again ---------------------------------------------------------------------------------------


@pytest.fixture
async def opened() -> AsyncGenerator[tuple[aiohttp.ClientSession, list[str]]]:
    """A session that counts the connections it opens."""
    trace = aiohttp.TraceConfig()
    made: list[str] = []

    async def count(*_: object) -> None:
        made.append("one")

    trace.on_connection_create_end.append(count)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        yield session, made


@pytest.mark.parametrize("stream", [True, False])
async def test_a_connection_is_used_again(
    opened: tuple[aiohttp.ClientSession, list[str]], openai: FakeOpenAI, stream: bool
) -> None:
    session, made = opened
    of = provider(session, openai.url)
    call = asking(CHAT_MODEL) if stream else whole(asking(CHAT_MODEL))

    for _ in range(5):
        await hear(of, call)

    assert len(made) == 1


async def test_a_connection_whose_end_comes_late_is_used_again(
    opened: tuple[aiohttp.ClientSession, list[str]], openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_DRAIN", 30)
    session, made = opened
    of = provider(session, openai.url)
    answer = 'data: {"choices":[{"delta":{"content":"Yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    openai.fault = Fault(How.SCRIPT, pieces=(answer,), gap=0.05)

    for _ in range(3):
        await hear(of, asking(CHAT_MODEL))

    assert len(made) == 1


async def test_a_connection_is_used_again_after_a_refusal(
    opened: tuple[aiohttp.ClientSession, list[str]], openai: FakeOpenAI
) -> None:
    session, made = opened
    of = provider(session, openai.url)
    openai.fault = Fault(How.REFUSE, 429, body={"error": {"message": "slow down"}})

    for _ in range(5):
        await fail(of, asking(CHAT_MODEL))

    assert len(made) == 1


async def test_a_server_that_says_nothing_after_done_does_not_hold_us_up(
    session: aiohttp.ClientSession, openai: FakeOpenAI
) -> None:
    finish = 'data: {"choices":[{"delta":{"content":"Yes"},"finish_reason":"stop"}]}\n\n'
    openai.fault = Fault(How.SCRIPT, pieces=(f"{finish}data: [DONE]\n\n", ": never\n\n"), gap=30)
    async with asyncio.timeout(10):
        answer = await hear(provider(session, openai.url), asking(CHAT_MODEL))

    assert answer.text == "Yes"
    await gone(openai)


@pytest.fixture(params=["llama.cpp", "uvicorn"])
async def hanging_up(request: pytest.FixtureRequest, sockets: None) -> AsyncGenerator[tuple[str, str]]:
    """Name and address of a server that closes the connection behind each stream as llama.cpp does: unasked, and unsaid.

    Others do so when a connection has rested for as long as they like.
    """
    answer = b'data: {"choices":[{"delta":{"content":"Yes"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\nServer: %b\r\n" % request.param.encode()
    listed = head + b'Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{"data":[]}'
    chunk = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(answer), answer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (asked := (await reader.readuntil(b"\r\n\r\n")).lower()).startswith(b"get"):
            writer.write(listed)
        await reader.readexactly(int(asked.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        said = b"Connection: close\r\n" if b"connection: close" in asked else b"Keep-Alive: timeout=5, max=100\r\n"
        writer.write(head + b"Content-Type: text/event-stream\r\n" + said + chunk)
        # A little behind the end of the answer: whoever is quick has asked again by then.
        for _ in range(8):
            await asyncio.sleep(0)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield request.param, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def test_a_server_that_hangs_up_behind_a_stream_is_asked_again_at_once(
    session: aiohttp.ClientSession, hanging_up: tuple[str, str]
) -> None:
    name, url = hanging_up
    of = provider(session, url)

    # Every provider is probed before it is used.
    await of.probe()
    if name != "llama.cpp":
        # Nobody can know it before: this once it is not known what the server did, and so it is not asked twice.
        assert (await hear(of, asking(CHAT_MODEL))).text == "Yes"
        failure, _ = await fail(of, asking(CHAT_MODEL))
        assert (failure.cls, failure.phase, failure.billed) == (FailureClass.NETWORK, Phase.SENT, Billed.UNKNOWN)
    for _ in range(20):
        assert (await hear(of, asking(CHAT_MODEL))).text == "Yes"


async def test_after_a_while_connections_are_kept_again(
    opened: tuple[aiohttp.ClientSession, list[str]], openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, made = opened
    of = provider(session, openai.url)
    await hear(of, asking(CHAT_MODEL))
    openai.fault = [Fault(How.CLOSE_BEFORE)]
    await fail(of, asking(CHAT_MODEL))
    for _ in range(2):
        await hear(of, asking(CHAT_MODEL))
    # The first, which broke, and one for each of the two behind it.
    assert len(made) == 3

    later = time.monotonic() + transport._FRESH
    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: later))
    for _ in range(2):
        await hear(of, asking(CHAT_MODEL))
    assert len(made) == 4


# --- no connection -----------------------------------------------------------------------------------


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a listener whose queue is full: it answers no connection."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_connection_that_takes_too_long(sockets: None, session: aiohttp.ClientSession, full: int) -> None:
    of = provider(session, f"http://127.0.0.1:{full}")

    failure, _ = await fail(of, asking(CHAT_MODEL, timeouts=Timeouts(connect=0.2)))

    assert (failure.cls, failure.phase, failure.billed) == (
        FailureClass.TIMEOUT_CONNECT,
        Phase.UNSENT,
        Billed.NO,
    )


async def test_a_server_without_tls(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    failure, _ = await fail(provider(session, openai.url.replace("http:", "https:")), asking(CHAT_MODEL))

    assert (failure.cls, failure.phase) == (FailureClass.NETWORK, Phase.UNSENT)
    assert "secure connection" in failure.detail


async def test_after_the_session_is_closed(openai: FakeOpenAI) -> None:
    session = aiohttp.ClientSession()
    of = provider(session, openai.url)
    await session.close()

    failure, _ = await fail(of, asking(CHAT_MODEL))

    assert (failure.cls, failure.phase) == (FailureClass.NETWORK, Phase.UNSENT)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nothing_follows_a_redirect(session: aiohttp.ClientSession, openai: FakeOpenAI, status: int) -> None:
    elsewhere = FakeOpenAI()
    await elsewhere.start()
    openai.everywhere = True
    openai.fault = Fault(How.REFUSE, status, body="", headers={"Location": f"{elsewhere.url}/chat/completions"})
    of = provider(session, openai.url)

    failure, _ = await fail(of, asking(CHAT_MODEL))
    with pytest.raises(AttemptFailed):
        await of.probe()
    with pytest.raises(AttemptFailed):
        await of.models()

    assert (failure.cls, failure.billed) == (FailureClass.MALFORMED, Billed.NO)
    assert len(openai.requests) == 3
    assert elsewhere.requests == []
    await elsewhere.stop()


# --- the canary --------------------------------------------------------------------------------------


def everything_of(error: BaseException | None) -> str:
    """Show an exception and all that hangs on it, as deep as a debugger would."""
    seen: list[str] = []
    while error is not None:
        seen += [repr(error), str(error), repr(vars(error)), repr(error.args), *traceback.format_exception(error)]
        seen += [repr(value) for value in vars(error).values()]
        error = error.__cause__ or error.__context__
    return "\n".join(seen)


ECHO = f"your header was Bearer {KEY}"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(How.ECHO_KEY),
        Fault(How.REFUSE, 401, body={"error": {"message": ECHO, "code": KEY}}),
        Fault(How.REFUSE, 500, body=ECHO, headers={"Content-Type": "text/plain", "X-Echo": KEY}),
        Fault(How.REFUSE, 400, body={"error": "x" * 290 + KEY}),
        Fault(How.REFUSE, 422, body={"detail": [{"loc": ["body", KEY], "msg": ECHO, "input": KEY}]}),
        Fault(How.REFUSE, 502, body=f"<html>{ECHO}</html>", headers={"Content-Type": "text/html"}),
        Fault(How.REFUSE, 307, body=ECHO, headers={"Location": f"https://elsewhere.example/{KEY}"}),
        Fault(How.ERROR_IN_BODY, body={"error": {"message": ECHO}}),
        Fault(How.ERROR_IN_BODY, body={KEY: ECHO}),
        Fault(How.SCRIPT, pieces=(f"data: {{{ECHO}\n\n",) * 3),
        Fault(How.SCRIPT, pieces=(f'data: {{"error":{{"message":"{ECHO}"}}}}\n\n',)),
        Fault(How.CLOSE_BEFORE),
        Fault(How.NOT_HTTP),
        Fault(How.CUT, after=3),
    ],
)
async def test_the_key_is_nowhere(
    session: aiohttp.ClientSession, openai: FakeOpenAI, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    openai.fault = fault
    of = provider(session, openai.url)

    with pytest.raises(AttemptFailed) as raised:
        await hear(of, asking(CHAT_MODEL))

    assert openai.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in everything_of(raised.value)
    assert KEY not in caplog.text
    assert len(raised.value.failure.detail) <= 300


@pytest.mark.parametrize("where", ["nobody there", "no tls"])
async def test_the_key_is_nowhere_when_there_is_no_connection(
    session: aiohttp.ClientSession, openai: FakeOpenAI, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    caplog.set_level(logging.DEBUG)
    url = openai.url.replace("http:", "https:") if where == "no tls" else openai.url
    if where == "nobody there":
        await openai.stop()
    of = provider(session, url)

    with pytest.raises(AttemptFailed) as raised:
        await of.models()

    assert KEY not in everything_of(raised.value)
    assert KEY not in caplog.text
    assert KEY not in repr(of)


def test_the_key_is_not_in_a_repr() -> None:
    assert KEY not in repr(ProviderSetup("p", "openai_compatible", "http://server", KEY))
