"""A body on its way out: what is known of it where the connection is lost before an answer.

What did not leave whole, a server cannot have carried out: of JSON it needs the last byte. What did may have been read,
although not a byte came back; nobody can tell, so that it is not repeated unasked (RFC 9110, 9.2.2).
"""

import select
from typing import Any, override

from aiohttp import ClientConnectionError
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

# One long write would hold up the event loop.
_PIECE = 64 * 1024
# Linux tells of a closed connection even where something lies unread in it, as TLS leaves it; others tell unasked.
_CLOSED = getattr(select, "POLLRDHUP", 0)


class StaleConnection(ClientConnectionError):
    """The server had closed the connection before anything was written to it."""


class Sending(Payload):
    """A body that is sent once. `stale`: not a byte was written. `whole`: all of it may have left."""

    def __init__(self, body: bytes) -> None:
        """Take a body as it goes over the wire."""
        super().__init__(body)
        self._body = body
        self._size = len(body)
        self.stale = False
        self.whole = False

    @override
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._body.decode(encoding, errors)

    @override
    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body; its headers have been kept back to go out with the first piece."""
        # The writer of a request, which has more than the abstract one.
        out: Any = writer
        transport = out.transport
        if transport is not None and _is_closed(transport):
            self.stale = True
            raise StaleConnection
        if len(self._body) <= _PIECE:
            await out.write(self._body, drain=False)
        else:
            body = memoryview(self._body)
            for place in range(0, len(body), _PIECE):
                await out.drain()
                await out.write(body[place : place + _PIECE], drain=False)
        # Nothing else has run since the last piece was handed over: where it is closing, this could not be written.
        transport = out.transport
        if transport is None or transport.is_closing():
            return
        self.whole = not transport.get_write_buffer_size() or await _flushed(transport, out)


def _is_closed(transport: Any) -> bool:
    """Say whether the other side has closed a connection, be it that nobody here has read so yet."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), _CLOSED)
    return bool(poll.poll(0))


async def _flushed(transport: Any, out: Any) -> bool:
    """Wait until all that was written is gone; false where the connection is lost before."""
    # From now on the writer counts as held up as long as anything is left, and stays so if that is thrown away.
    transport.set_write_buffer_limits(high=1, low=0)
    try:
        await out.drain()
        return not out.protocol.writing_paused
    finally:
        transport.set_write_buffer_limits()
