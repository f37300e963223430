"""Connections that are lost around a request, in every order: what may have been carried out, and what cannot have been.

The other side is a plain socket in a thread, so that what it does happens at once, whatever our event loop does.
"""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from custom_components.ai_router.providers import sending, transport
from custom_components.ai_router.routing.call import Timeouts
from custom_components.ai_router.routing.failures import Billed, FailureClass, Phase
from custom_components.ai_router.routing.ports import Provider
from tests.fakes.openai_compatible import CHAT_MODEL

from .asking import asking, fail, hear, provider, user, whole

SAID = b'{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop"}]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(SAID), SAID)
# More than the buffers of both sides hold.
LONG = asking(CHAT_MODEL, user("Is the door open? " * 600_000), stream=False)
SHORT = whole(asking(CHAT_MODEL))

type Peer = Callable[[Connection], None]


class Connection:
    """One connection as the server sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.close_now = threading.Event()

    def head(self) -> bytes:
        """Read up to the body, of which some may come along."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := self.sock.recv(4_096)):
                raise EOFError
            data += piece
        return data

    def request(self) -> None:
        """Read a whole request."""
        head, _, body = self.head().partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
        while left > 0:
            if not (piece := self.sock.recv(min(left, 1 << 16))):
                raise EOFError
            left -= len(piece)

    def answer(self) -> None:
        self.sock.sendall(ANSWER)

    def fin(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Server:
    """A listener: the connections do what `peers` say, one after the other; the last one says it for all others."""

    def __init__(self, *peers: Peer, tls: ssl.SSLContext | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        self.tls = tls
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.peers = list(peers)
        self.connections: list[Connection] = []
        self.threads: list[threading.Thread] = []
        self.accepting = threading.Thread(target=self._accept)
        self.accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                thread = threading.Thread(target=self._serve, args=(sock, len(self.threads)))
                self.threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError, EOFError):
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            connection = Connection(sock)
            self.connections.append(connection)
            self.peers[min(number, len(self.peers) - 1)](connection)
        sock.close()

    def stop(self) -> None:
        # To close a listener does not wake up who waits for it.
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join()
        for connection in list(self.connections):
            connection.close_now.set()
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()


@pytest.fixture(params=["in pieces", "at once"])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a long body piece by piece, or leave it to the transport, as it is with the last piece."""
    if request.param == "at once":
        monkeypatch.setattr(sending, "_PIECE", 1 << 30)


@pytest.fixture
def serve(sockets: None) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*peers: Peer, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(*peers, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def at(session: aiohttp.ClientSession, server: Server) -> Provider:
    return provider(session, server.url)


def answering(connection: Connection) -> None:
    """Answer whatever comes, as long as something comes."""
    while True:
        connection.request()
        connection.answer()


def once_then(end: Callable[[Connection], None]) -> Peer:
    """Answer one request, and end the connection when it is said."""

    def peer(connection: Connection) -> None:
        connection.request()
        connection.answer()
        connection.close_now.wait()
        end(connection)

    return peer


def close_at_once(server: Server) -> None:
    """Let the first connection be closed, and do not let our event loop see it."""
    server.connections[0].close_now.set()
    server.threads[0].join()


ENDS = {"fin": lambda connection: connection.sock.close(), "reset": Connection.reset}


# --- closed before anything was written --------------------------------------------------------------


@pytest.mark.parametrize("call", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("end", ENDS)
async def test_a_connection_that_was_closed_meanwhile_costs_nothing(
    session: aiohttp.ClientSession, serve: Callable[..., Server], end: str, call: Any
) -> None:
    server = serve(once_then(ENDS[end]), answering)
    of = at(session, server)
    await hear(of, SHORT)

    close_at_once(server)

    assert (await hear(of, call)).text == "Yes"
    # Nor are connections given up for it.
    assert (await hear(of, SHORT)).text == "Yes"
    assert len(server.threads) == 2


async def test_a_server_that_never_keeps_one_is_not_tried_for_ever(
    session: aiohttp.ClientSession, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_CONNECTIONS", 1)
    server = serve(once_then(ENDS["fin"]), answering)
    of = at(session, server)
    await hear(of, SHORT)
    close_at_once(server)

    failure, _ = await fail(of, SHORT)

    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.NETWORK, Phase.UNSENT, Billed.NO)
    assert (await hear(of, SHORT)).text == "Yes"


# --- lost while it was written -----------------------------------------------------------------------


def resets_in_the_body(connection: Connection) -> None:
    connection.head()
    connection.reset()


def closes_in_the_body(connection: Connection) -> None:
    connection.head()
    connection.sock.close()


def says_goodbye_in_the_body(connection: Connection) -> None:
    connection.head()
    connection.fin()
    # Our side has read that, and goes on writing to one that does not read any more.
    connection.close_now.wait(0.1)
    connection.sock.close()


def closes_at_once(connection: Connection) -> None:
    connection.sock.close()


@pytest.mark.parametrize("peer", [resets_in_the_body, closes_in_the_body, says_goodbye_in_the_body, closes_at_once])
async def test_what_was_not_sent_whole_was_not_carried_out(
    session: aiohttp.ClientSession, serve: Callable[..., Server], piece: None, peer: Peer
) -> None:
    server = serve(peer)

    failure, _ = await fail(at(session, server), LONG)

    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.NETWORK, Phase.UNSENT, Billed.NO)


async def test_what_was_not_sent_whole_on_a_kept_connection(
    session: aiohttp.ClientSession, serve: Callable[..., Server]
) -> None:
    def peer(connection: Connection) -> None:
        connection.request()
        connection.answer()
        resets_in_the_body(connection)

    server = serve(peer, answering)
    of = at(session, server)
    await hear(of, SHORT)

    failure, _ = await fail(of, LONG)

    assert (failure.phase, failure.billed) == (Phase.UNSENT, Billed.NO)
    assert (await hear(of, LONG)).text == "Yes"
    assert len(server.threads) == 2


# --- lost behind it ----------------------------------------------------------------------------------


def reads_all_and_closes(connection: Connection) -> None:
    connection.request()
    connection.sock.close()


def reads_all_and_resets(connection: Connection) -> None:
    connection.request()
    connection.reset()


def reads_nothing_of_it(connection: Connection) -> None:
    """Close with the whole request unread: only this side knows that it was not."""
    connection.sock.recv(1, socket.MSG_PEEK)
    connection.sock.close()


@pytest.mark.parametrize("call", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("peer", [reads_all_and_closes, reads_all_and_resets])
async def test_what_was_sent_whole_may_have_been_carried_out(
    session: aiohttp.ClientSession, serve: Callable[..., Server], piece: None, peer: Peer, call: Any
) -> None:
    server = serve(peer)

    failure, _ = await fail(at(session, server), call)

    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.NETWORK, Phase.SENT, Billed.UNKNOWN)
    assert len(server.threads) == 1


async def test_what_may_have_been_read_counts_as_read(
    session: aiohttp.ClientSession, serve: Callable[..., Server]
) -> None:
    server = serve(reads_nothing_of_it)

    failure, _ = await fail(at(session, server), SHORT)

    assert (failure.phase, failure.billed) == (Phase.SENT, Billed.UNKNOWN)


async def test_a_long_body_is_taken_whole_and_the_connection_used_again(
    session: aiohttp.ClientSession, serve: Callable[..., Server], piece: None
) -> None:
    server = serve(answering)
    of = at(session, server)

    for call in (LONG, SHORT, LONG):
        assert (await hear(of, call)).text == "Yes"

    assert len(server.threads) == 1


async def test_a_cancel_in_the_middle_of_a_long_body(
    session: aiohttp.ClientSession, serve: Callable[..., Server]
) -> None:
    def stalls(connection: Connection) -> None:
        connection.head()
        connection.close_now.wait()

    server = serve(stalls, answering)
    of = at(session, server)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await hear(of, LONG)

    assert (await hear(of, LONG)).text == "Yes"


# --- the same behind TLS -----------------------------------------------------------------------------


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server shows, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cafile=str(file))
    client.check_hostname = False
    return server, client


def leaves_politely(connection: Connection) -> None:
    """Say that it is the end before closing, as TLS wants it: something lies unread before the close."""
    with suppress(OSError):
        connection.sock.unwrap()  # type: ignore[attr-defined] # it is one of TLS here
    connection.sock.close()


@pytest.mark.parametrize("end", [*ENDS.values(), leaves_politely])
async def test_a_connection_with_tls_that_was_closed_meanwhile(
    serve: Callable[..., Server], trusted: tuple[ssl.SSLContext, ssl.SSLContext], end: Callable[[Connection], None]
) -> None:
    shown, trusting = trusted
    server = serve(once_then(end), answering, tls=shown)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
        of = at(session, server)
        await hear(of, SHORT)
        server.connections[0].sock.settimeout(0.2)

        close_at_once(server)

        assert (await hear(of, SHORT)).text == "Yes"
        assert (await hear(of, LONG)).text == "Yes"
    assert len(server.threads) == 2


@pytest.mark.parametrize(
    ("peer", "phase"),
    [
        (reads_all_and_closes, Phase.SENT),
        (reads_all_and_resets, Phase.SENT),
        (resets_in_the_body, Phase.UNSENT),
        (closes_in_the_body, Phase.UNSENT),
    ],
)
async def test_a_connection_with_tls_that_is_lost(
    serve: Callable[..., Server], trusted: tuple[ssl.SSLContext, ssl.SSLContext], peer: Peer, phase: Phase
) -> None:
    shown, trusting = trusted
    server = serve(peer, tls=shown)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
        failure, _ = await fail(at(session, server), LONG)

    assert failure.phase is phase


# --- never opened, or not to its end -----------------------------------------------------------------


async def test_a_certificate_that_nobody_trusts(
    serve: Callable[..., Server], trusted: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server = serve(answering, tls=trusted[0])
    async with aiohttp.ClientSession() as session:
        failure, _ = await fail(at(session, server), SHORT)

    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.NETWORK, Phase.UNSENT, Billed.NO)
    assert failure.detail.startswith("the certificate is not trusted (self-signed certificate")


async def test_a_host_that_never_takes_the_connection(session: aiohttp.ClientSession, sockets: None) -> None:
    with ExitStack() as full:
        listener = full.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # nobody accepts them, and the queue holds no more
            caller = full.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        of = provider(session, f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        failure, _ = await fail(of, SHORT._replace(timeouts=Timeouts(connect=0.2)))

    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.TIMEOUT_CONNECT, Phase.UNSENT, Billed.NO)


def refuses_and_is_lost(connection: Connection) -> None:
    connection.request()
    connection.sock.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 500\r\n\r\n{")
    connection.reset()


async def test_a_refusal_that_breaks_off_is_still_one(
    session: aiohttp.ClientSession, serve: Callable[..., Server]
) -> None:
    failure, _ = await fail(at(session, serve(refuses_and_is_lost)), SHORT)

    assert (failure.cls, failure.status) == (FailureClass.CREDENTIAL, 401)
