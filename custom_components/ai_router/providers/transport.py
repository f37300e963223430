"""The road to one server: bytes out, bytes in, and every error of the network as a `Failure`.

No failure carries the text of an aiohttp exception, and none is raised while one is handled: those hold the request's
headers, and with them the key.
"""

import asyncio
import errno
import math
import os
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    ServerDisconnectedError,
)
from multidict import CIMultiDict
from yarl import URL

from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from .error_bodies import kind_of_body
from .json_text import read_json
from .rates import Headers
from .replies import Replies
from .sending import Sending

MAX_BODY = 8 * 1024 * 1024
MAX_ERROR_BODY = 64 * 1024
MAX_STREAM = 64 * 1024 * 1024
LARGE = 256 * 1024
_AT_ONCE = 64 * 1024
_DRAIN = 0.05
# It closes its connections behind every stream, and says so only to those who ask for it.
_HANGS_UP = "llama.cpp"
# How long (seconds) no connection is kept to a server that closed one without a word. What had just gone out on it may
# have been carried out all the same, so that it is not repeated here (RFC 9110, 9.2.2): it must not happen often.
_FRESH = 3_600.0
# So many connections may turn out to be closed before anything is written, before that is the server's way.
_CONNECTIONS = 4
# Enough of an answer to see in which form it comes.
_BEGINNING = 16


@lru_cache(maxsize=64)
def _timeout(connect: float, total: float | None) -> ClientTimeout:
    return ClientTimeout(total=total, sock_connect=connect)


def _why(err: BaseException) -> str:
    """Name an error by its type and its number: both are free of addresses, headers and keys."""
    if isinstance(err, ClientConnectorCertificateError):
        reason = getattr(err.certificate_error, "verify_message", "")
        return f"the certificate is not trusted{f' ({reason})' if reason else ''}"
    if isinstance(err, ClientConnectorSSLError):
        return "no secure connection could be made"
    if isinstance(err, ClientConnectorDNSError):
        return "the name is unknown"
    if isinstance(err, ServerDisconnectedError):
        return "the server closed the connection"
    number = err.errno if isinstance(err, OSError) else None
    if number is not None and number > 0:
        return f"{os.strerror(number)} ({type(err).__name__})"
    return type(err).__name__


def _not_opened(err: BaseException, sending: Sending | None = None) -> Failure:
    """Say why no answer began to what was sent, and whether it may have been read."""
    if isinstance(err, ConnectionTimeoutError):
        return Failure(
            FailureClass.TIMEOUT_CONNECT, Phase.UNSENT, "no connection in time", FailureScope.PROVIDER, billed=Billed.NO
        )
    if isinstance(err, ClientConnectorError):
        return Failure(FailureClass.NETWORK, Phase.UNSENT, _why(err), FailureScope.PROVIDER, billed=Billed.NO)
    phase, billed = Phase.SENT, Billed.UNKNOWN
    if sending is not None and not sending.whole:
        phase, billed = Phase.UNSENT, Billed.NO
    if isinstance(err, TimeoutError):
        return Failure(
            FailureClass.TIMEOUT_FIRST_TOKEN, phase, "no answer in time", FailureScope.PROVIDER, billed=billed
        )
    stale = sending is not None and sending.stale
    detail = "the server closes every connection at once" if stale else _why(err)
    return Failure(FailureClass.NETWORK, phase, detail, FailureScope.PROVIDER, billed=billed)


def _hung_up(err: BaseException) -> bool:
    """Say whether the other side closed the connection instead of answering."""
    return isinstance(err, ServerDisconnectedError) or (
        isinstance(err, OSError) and err.errno in (errno.ECONNRESET, errno.EPIPE)
    )


class Answer:
    """A response whose headers have come. `phase` is streaming once a content was read from it."""

    __slots__ = ("_ahead", "_response", "content_type", "headers", "phase", "status")

    def __init__(self, response: ClientResponse) -> None:
        """Take over a response; `close` must be called."""
        self._response = response
        self._ahead = b""
        self.status = response.status
        self.headers: Headers = response.headers
        self.content_type = response.headers.get("Content-Type", "").lower()
        self.phase = Phase.SENT

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the range of successes

    def close(self) -> None:
        """Give the connection back where the answer was read to its end; else close it, which stops the server."""
        self._response.close()

    async def chunk(self) -> bytes:
        """Return what has arrived, empty at the end. Raises `AttemptFailed` where the answer breaks off.

        Much at once, as what was packed comes, is given piece by piece, and others have their turn between two.
        """
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        content = self._response.content
        try:
            data = await content.read(_AT_ONCE)
            if len(data) == _AT_ONCE:
                await asyncio.sleep(0)
        except (ClientError, OSError, RuntimeError) as err:  # RuntimeError: the connection was closed under the reader
            failure = self._broken(err)
        else:
            if content.total_bytes <= MAX_STREAM:
                return data
            failure = self._endless(MAX_STREAM)
        raise AttemptFailed(failure)

    async def beginning(self) -> bytes:
        """Return what comes first without taking it. Raises `AttemptFailed` where the answer breaks off."""
        first = b""
        while len(first) < _BEGINNING and (data := await self.chunk()):
            first += data
        self._ahead = first
        return first

    async def body(self, limit: int = MAX_BODY) -> bytes:
        """Return the whole answer. Raises `AttemptFailed` where it breaks off or is longer than `limit` bytes."""
        length = self._response.content_length
        if length is not None and length <= limit and not self._ahead and "Content-Encoding" not in self.headers:
            try:
                return await self._response.read()
            except (ClientError, OSError, RuntimeError) as err:  # as above
                failure = self._broken(err)
            raise AttemptFailed(failure)
        return await self._bounded(limit, strict=True)

    async def head(self, limit: int = MAX_ERROR_BODY) -> bytes:
        """Return the beginning of the answer, whatever happens to the rest of it."""
        try:
            return await self._bounded(limit, strict=False)
        except AttemptFailed:
            return b""

    async def drain(self) -> None:
        """Wait a moment for the end behind the last message, so that the connection can be used again."""
        content = self._response.content
        if content.at_eof():
            return
        try:
            async with asyncio.timeout(_DRAIN):
                while await content.readany():
                    pass
        except ClientError, OSError, RuntimeError:  # the answer is whole: only the connection is lost
            return

    async def _bounded(self, limit: int, *, strict: bool) -> bytes:
        parts: list[bytes] = []
        size = 0
        while size <= limit and (data := await self.chunk()):
            parts.append(data)
            size += len(data)
        if strict and size > limit:
            raise AttemptFailed(self._endless(limit))
        return b"".join(parts)[:limit]

    def _broken(self, err: BaseException) -> Failure:
        if isinstance(err, TimeoutError):
            return Failure(FailureClass.TIMEOUT_IDLE, self.phase, "no answer in time", billed=Billed.PARTIAL)
        return Failure(FailureClass.STREAM_CUT, self.phase, f"broke off: {_why(err)}", billed=Billed.PARTIAL)

    def _endless(self, limit: int) -> Failure:
        detail = f"the answer is longer than {limit >> 20} MB"
        return Failure(FailureClass.MALFORMED, self.phase, detail, billed=Billed.PARTIAL)


class Transport:
    """One server with one credential. The key is in the request headers and nowhere else."""

    __slots__ = ("_answered", "_fresh_until", "_headers", "_json_headers", "_last_headers", "_session", "replies")

    def __init__(
        self,
        session: ClientSession,
        protocol: str,
        key: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        replies: type[Replies] = Replies,
    ) -> None:
        """Use a session that is closed by its owner. `headers` carry the key where it is no bearer token.

        `secrets` are what must not come out in a detail, beside the key.
        """
        if headers is None:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session = session
        self._headers = CIMultiDict(headers)
        self._json_headers = CIMultiDict({"Content-Type": "application/json", **headers})
        self._last_headers = CIMultiDict({**self._json_headers, "Connection": "close"})
        self._answered = False
        self._fresh_until = 0.0
        self.replies = replies(protocol, tuple(filter(None, (key, *secrets))))

    async def post(self, url: URL, body: bytes, connect: float, total: float | None = None) -> Answer:
        """Send a JSON body; return the answer when its headers are there.

        `connect` are seconds for the connection, `total` for everything. Raises `AttemptFailed`.
        """
        last = self._fresh_until > 0.0 and time.monotonic() < self._fresh_until
        headers = self._last_headers if last else self._json_headers
        return await self._open("POST", url, body, headers, _timeout(connect, total))

    async def json(self, url: URL, *, seconds: float, body: bytes | None = None) -> Any:
        """Ask for a JSON document, for what costs nothing: GET, or POST with a body. Raises `AttemptFailed`."""
        if body is None:
            answer = await self._open("GET", url, None, self._headers, _timeout(seconds, seconds))
        else:
            answer = await self.post(url, body, seconds, seconds)
        try:
            if not answer.ok:
                raise AttemptFailed(await self.refusal(answer))
            return await self.parse(answer, await answer.body())
        finally:
            answer.close()

    async def refusal(self, answer: Answer, model: str = "") -> Failure:
        """Read why an answer is no success."""
        return self.replies.refusal(answer.status, answer.headers, await answer.head(), model)

    async def parse(self, answer: Answer, body: bytes) -> Any:
        """Parse a whole answer. Raises `AttemptFailed` for what is not JSON."""
        try:
            if len(body) <= LARGE:
                return read_json(body)
            return await asyncio.get_running_loop().run_in_executor(None, read_json, body)
        except ValueError:
            failure = self.replies.stranger(kind_of_body(answer.content_type, body))
        raise AttemptFailed(failure)

    async def _open(
        self, method: str, url: URL, body: bytes | None, headers: CIMultiDict[str], limits: ClientTimeout
    ) -> Answer:
        for left in reversed(range(_CONNECTIONS)):
            sending = None if body is None else Sending(body)
            try:
                answer = Answer(
                    await self._session.request(
                        method,
                        url,
                        data=sending,
                        headers=headers,
                        timeout=limits,
                        allow_redirects=False,
                        raise_for_status=False,
                    )
                )
            except (ClientError, OSError) as err:
                if sending is not None and sending.stale and left:
                    continue
                failure = _not_opened(err, sending)
                if self._answered and failure.phase is Phase.SENT and _hung_up(err):
                    self._fresh_until = max(self._fresh_until, time.monotonic() + _FRESH)
            except RuntimeError:  # the session was closed: everything is being shut down
                failure = Failure(
                    FailureClass.NETWORK, Phase.UNSENT, "shut down", FailureScope.PROVIDER, billed=Billed.NO
                )
            else:
                self._answered = True
                if answer.headers.get("Server") == _HANGS_UP:
                    # Else the next request might go out on a connection that is just being closed.
                    self._fresh_until = math.inf
                return answer
            break
        raise AttemptFailed(failure)
