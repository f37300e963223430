"""Servers that speak HTTP in ways of their own: what they say is read as far as it can be, and never for more than it is."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from compression import zstd

import aiohttp
import pytest

from custom_components.ai_router.routing.call import Finish, TextDelta
from custom_components.ai_router.routing.failures import MEANING, FailureClass, FailureScope

from .asking import asking, fail, hear, provider

STREAM = b"""data: {"choices": [{"delta": {"content": "It is "}}]}

data: {"choices": [{"delta": {"content": "shut"}, "finish_reason": "stop"}]}

data: [DONE]

"""
WHOLE = b'{"choices": [{"message": {"content": "It is shut"}, "finish_reason": "stop"}]}'
PAGE = b"<html>The plain HTTP request was sent to HTTPS port</html>"

type Serve = Callable[[bytes], Awaitable[str]]


@pytest.fixture
async def serve(socket_enabled: None) -> AsyncGenerator[Serve]:
    """Answer every request with the same bytes, and hang up; returns the address."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1")
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


def written(body: bytes, *headers: str, status: str = "200 OK", kind: str = "", version: str = "1.1") -> bytes:
    kind = kind or ("text/event-stream" if body.startswith((b"data:", b"\xef\xbb\xbfdata:")) else "application/json")
    if not any(header.startswith(("Transfer", "Content-Length")) for header in headers) and version == "1.1":
        headers = (*headers, f"Content-Length: {len(body)}")
    return "\r\n".join([f"HTTP/{version} {status}", f"Content-Type: {kind}", *headers, "", ""]).encode() + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


CHUNKS = "Transfer-Encoding: chunked"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        written(STREAM, version="1.0"),
        written(WHOLE, version="1.0"),
        written(b"\xef\xbb\xbf" + STREAM),
        written(b"\xef\xbb\xbf" + WHOLE),
        written(STREAM.replace(b"\n", b"\r\n")),
        written(STREAM.replace(b"\n", b"\r")),
        written(STREAM.replace(b"data: ", b"data:")),
        written(STREAM + b'data: {"error": "too late"}\n\n\x00\xff'),
        written(chunked(STREAM, 7), CHUNKS, kind="text/event-stream"),
        written(gzip.compress(STREAM), "Content-Encoding: gzip", kind="text/event-stream"),
        written(gzip.compress(WHOLE), "Content-Encoding: gzip"),
        written(zlib.compress(STREAM), "Content-Encoding: deflate", kind="text/event-stream"),
        written(zlib.compress(WHOLE), "Content-Encoding: deflate"),
        written(zlib.compress(WHOLE, wbits=-15), "Content-Encoding: deflate"),
        written(zstd.compress(WHOLE), "Content-Encoding: zstd"),
        # Each stream as what it is not.
        written(STREAM, kind="text/plain; charset=utf-8"),
        written(STREAM, kind="application/octet-stream"),
        written(b": OPENROUTER PROCESSING\n\n" + STREAM, kind="text/plain"),
        written(chunked(STREAM, 1), CHUNKS, kind="text/plain"),
        written(b"event: message\n" + STREAM, kind="text/plain"),
        written(STREAM).replace(b"Content-Type: text/event-stream\r\n", b""),
        written(WHOLE).replace(b"Content-Type: application/json\r\n", b""),
        written(WHOLE, kind="text/plain"),
        written(WHOLE, kind="text/html"),
        HINTS + written(STREAM),
        HINTS * 20 + written(STREAM),
        b"HTTP/1.1 100 Continue\r\n\r\n" + written(WHOLE),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_whole(session: aiohttp.ClientSession, serve: Serve, answer: bytes, stream: bool) -> None:
    heard = await hear(provider(session, await serve(answer)), asking("m", stream=stream))

    assert (heard.text, heard.finish) == ("It is shut", Finish.STOP)


async def test_a_stream_that_was_asked_for_is_one_whatever_it_is_called(
    session: aiohttp.ClientSession, serve: Serve
) -> None:
    heard = await hear(provider(session, await serve(written(STREAM, kind="application/json"))), asking("m"))

    assert (heard.text, heard.finish) == ("It is shut", Finish.STOP)


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json", "text/plain", "text/event-stream"])
async def test_lines_are_read_whatever_they_are_called(session: aiohttp.ClientSession, serve: Serve, kind: str) -> None:
    lines = b"""{"message": {"content": "It is "}, "done": false}
{"message": {"content": "shut"}, "done": false}
{"message": {"content": ""}, "done": true, "done_reason": "stop"}
"""
    url = (await serve(written(lines, kind=kind))).removesuffix("/v1")

    heard = await hear(provider(session, url, "ollama", key=None), asking("m"))

    assert (heard.text, heard.finish) == ("It is shut", Finish.STOP)
    # As they came, not all at once.
    assert sum(isinstance(event, TextDelta) for event in heard.events) == 2


async def test_an_answer_in_one_piece_may_be_written_over_many_lines(
    session: aiohttp.ClientSession, serve: Serve
) -> None:
    answer = b'{\n  "message": {"content": "It is shut"},\n  "done": true\n}\n'
    url = (await serve(written(answer))).removesuffix("/v1")

    assert (await hear(provider(session, url, "ollama", key=None), asking("m"))).text == "It is shut"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000_000,
        HINTS * 1_000 + written(WHOLE)[:-5],
        written(b"", kind="text/plain"),
        written(b"OK", kind="text/plain"),
        written(zlib.compress(STREAM)[:-30], "Content-Encoding: deflate", kind="text/event-stream"),
        written(WHOLE, "Content-Length: 20"),
        written(WHOLE, "Content-Length: 9999"),
        written(WHOLE, "Content-Length: x"),
        written(chunked(STREAM, 7)[:60] + b"zz\r\nx", CHUNKS, kind="text/event-stream"),
        written(chunked(STREAM, 7)[:60], CHUNKS, kind="text/event-stream"),
        written(WHOLE, "Content-Encoding: gzip"),
        written(gzip.compress(STREAM)[:-30], "Content-Encoding: gzip", kind="text/event-stream"),
        written(WHOLE, "Content-Encoding: br"),
        written(b": ping\n\n" * 50, kind="text/event-stream"),
        written(b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        written(WHOLE[:-5]),
    ],
)
async def test_what_is_not_fails_and_may_be_taken_elsewhere(
    session: aiohttp.ClientSession, serve: Serve, answer: bytes
) -> None:
    failure, heard = await fail(provider(session, await serve(answer)), asking("m"))

    assert heard.finish is None
    assert MEANING[failure.cls].next
    assert failure.scope is not FailureScope.REQUEST


@pytest.mark.parametrize(
    ("status", "body", "kind", "cls"),
    [
        ("400 Bad Request", PAGE, "text/html", FailureClass.UNKNOWN),
        ("407 Proxy Authentication Required", b"", "", FailureClass.UNKNOWN),
        ("410 Gone", b"", "", FailureClass.MODEL_MISSING),
        ("418 I'm a teapot", b"short and stout", "text/plain", FailureClass.UNKNOWN),
        ("421 Misdirected Request", b"", "", FailureClass.UNKNOWN),
        ("451 Unavailable For Legal Reasons", b"", "", FailureClass.REGION),
        ("502 Bad Gateway", PAGE, "text/html", FailureClass.TRANSIENT),
        ("599 Whatever", b"", "", FailureClass.TRANSIENT),
    ],
)
async def test_a_refusal_that_says_nothing_of_the_request_may_be_taken_elsewhere(
    session: aiohttp.ClientSession, serve: Serve, status: str, body: bytes, kind: str, cls: FailureClass
) -> None:
    failure, _ = await fail(provider(session, await serve(written(body, status=status, kind=kind))), asking("m"))

    assert (failure.cls, MEANING[failure.cls].next) == (cls, True)


async def test_a_flood_in_a_small_parcel_lets_others_have_their_turn(
    session: aiohttp.ClientSession, serve: Serve
) -> None:
    flood = gzip.compress(b": x\n" * 8_000_000)
    url = await serve(written(flood, "Content-Encoding: gzip", kind="text/event-stream"))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(others())
    failure, _ = await fail(provider(session, url), asking("m"))
    other.cancel()

    assert failure.cls is FailureClass.STREAM_CUT
    # 32 MB in pieces of 64 kB.
    assert turns >= 300
