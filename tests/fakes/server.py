"""What all fake servers share: a real socket, a record of what came, faults, and a tally of what was given."""

import argparse
import asyncio
import json
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from aiohttp import web

from tests.fakes.faults import Fault, How

PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>It works!</body></html>"
TEXT = "The door is shut: no package, 21 °C ☃"

type Faults = Fault | deque[Fault | None] | list[Fault | None] | Callable[[dict[str, Any]], Fault | None] | None


class Refused(Exception):
    """A request the server does not take."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(slots=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Prepared:
    """An answer in both forms: the messages of a stream, and one piece."""

    pieces: list[bytes]
    whole: bytes
    stream: bool
    stream_type: str
    error: bytes
    tokens: tuple[int, int]


class FakeServer:
    """Start it, point a provider at `url`, set `fault`, read `requests`.

    `fault` is one fault for all requests, a list that is used up, or a callable that is given the parsed body.
    `left` counts callers who went away before their answer was over; `waiting` those held back. A `lenient` one does
    not look at what it is asked.
    """

    lenient = False

    default_path = ""
    key_header, key_prefix = "Authorization", "Bearer "

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0, chat_path: str) -> None:
        self.key = key
        self.price_in, self.price_out = price_in, price_out  # picodollars a token
        self.requests: list[Seen] = []
        self.pictures: list[bytes] = []
        self.fault: Faults = None
        self.everywhere = False
        self.text = TEXT
        # What is done to vectors before they are given.
        self.change: Callable[[list[Any]], list[Any]] = list
        self.answers = self.tokens_in = self.tokens_out = self.waiting = self.left = 0
        self.someone_left = asyncio.Event()
        self._released = asyncio.Event()
        self._released.set()
        self._chat_path = chat_path
        self._runner: web.AppRunner | None = None
        self._address = ("127.0.0.1", 0)

    @property
    def url(self) -> str:
        """The address to give to a provider."""
        return f"http://{self._address[0]}:{self._address[1]}{self.default_path}"

    @property
    def bodies(self) -> list[Any]:
        """The bodies of the chats that were asked for."""
        return [seen.body for seen in self.requests if seen.path == self._chat_path]

    async def start(self, port: int = 0) -> None:
        """Listen; a server that was stopped comes back on its old port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/_tally", self._tally)
        app.router.add_post("/_control", self._control)
        app.router.add_get("/_picture", self._picture)
        app.router.add_post(self._chat_path, self._chat)
        self.routes(app)
        # Handlers are cancelled when their caller goes away: that is how it is noticed.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port or self._address[1]).start()
        host, port = self._runner.addresses[0][:2]
        self._address = (host, port)

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def hold(self) -> None:
        """Keep all answers back until `release`."""
        self._released.clear()

    def release(self) -> None:
        """Give the answers that were kept back."""
        self._released.set()

    # --- for the protocols -----------------------------------------------------------------------

    def routes(self, app: web.Application) -> None:
        """Add what the protocol has beside chats."""
        raise NotImplementedError

    def check(self, body: dict[str, Any]) -> None:
        """Refuse what the real server would refuse. Raises `Refused`."""
        raise NotImplementedError

    def prepare(self, body: dict[str, Any], how: str | None) -> Prepared:
        """Write the answer to a body; `how` is a fault that shapes it."""
        raise NotImplementedError

    def refusal(self, refused: Refused) -> web.Response:
        """Write a refusal."""
        return web.json_response(refused.body, status=refused.status)

    def unauthorized(self) -> Refused:
        """Say how a wrong key is refused."""
        raise NotImplementedError

    def authorize(self, request: web.Request) -> None:
        """Check the key. Raises `Refused`."""
        if self.key is not None and request.headers.get(self.key_header) != self.key_prefix + self.key:
            raise self.unauthorized()

    async def note(self, request: web.Request) -> Any:
        """Keep a request."""
        raw = await request.read()
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        self.requests.append(Seen(request.method, request.path, dict(request.headers), body))
        return body

    def listing(
        self, give: Callable[[Any], Any], *, public: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Make a handler for a document; faults hit it only while `everywhere` is set. `public`: it needs no key."""

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await self.note(request)
            fault = self._next_fault(body) if self.everywhere else None
            await self._pause(fault)
            try:
                if fault is not None and fault.how == How.REFUSE:
                    return _plain(fault)
                if not public:
                    self.authorize(request)
                ready = Prepared([], json.dumps(give(body)).encode(), False, "application/json", b"", (0, 0))
            except Refused as refused:
                return self.refusal(refused)
            simple = self._simple(request, ready, fault) if fault else None
            return simple or web.Response(body=ready.whole, content_type="application/json")

        return handle

    # --- chats -----------------------------------------------------------------------------------

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self.note(request)
        fault = self._next_fault(body)
        how = fault.how if fault else None
        try:
            await self._pause(fault)
            self.waiting += 1
            try:
                await self._released.wait()
            finally:
                self.waiting -= 1
            if fault is not None and how == How.REFUSE:
                return _plain(fault)
            self.authorize(request)
            if request.content_type != "application/json" or not isinstance(body, dict):
                return self.refusal(Refused(400, {"error": "not JSON"}))
            if how == How.ECHO_KEY:
                return self.refusal(_echo(request.headers.get(self.key_header, "")))
            if not self.lenient:
                self.check(body)
            return await self._answer(request, self.prepare(body, how), fault)
        except Refused as refused:
            return self.refusal(refused)
        except asyncio.CancelledError, ConnectionError:
            self.left += 1
            self.someone_left.set()
            raise

    def _next_fault(self, body: Any) -> Fault | None:
        if self.fault is None or isinstance(self.fault, Fault):
            return self.fault
        if callable(self.fault):
            return self.fault(body)
        return (self.fault.popleft() if isinstance(self.fault, deque) else self.fault.pop(0)) if self.fault else None

    async def _pause(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault.how == How.SLOW:
            await asyncio.sleep(fault.seconds)
        elif fault.how == How.HANG_BEFORE:
            await _for_ever()

    async def _answer(self, request: web.Request, ready: Prepared, fault: Fault | None) -> web.StreamResponse:
        how = fault.how if fault else None
        response = self._simple(request, ready, fault) if fault else None
        if response is not None:
            return response
        stream = (ready.stream or how == How.STREAM_UNASKED) and how != How.IGNORE_STREAM
        if fault is not None and how == How.SCRIPT:
            pieces = [piece.encode() for piece in fault.pieces]
            response = await self._stream(request, pieces, fault.content_type, fault)
        elif stream:
            response = await self._stream(request, _pieces(ready, fault), ready.stream_type, fault)
        elif how == How.CUT:
            response = await self._half(request, ready.whole)
        else:
            headers = fault.headers if fault else {}
            response = web.Response(body=ready.whole, content_type="application/json", headers=headers)
        if request.transport is not None and not request.transport.is_closing():
            self.answers += 1
            self.tokens_in += ready.tokens[0]
            self.tokens_out += ready.tokens[1]
        return response

    def _simple(self, request: web.Request, ready: Prepared, fault: Fault) -> web.StreamResponse | None:
        """Write the faults that need no stream."""
        match fault.how:
            case How.REDIRECT:
                return web.Response(status=307, headers={"Location": f"{request.path}?again"})
            case How.PAGE:
                return web.Response(body=PAGE, content_type="text/html", status=fault.status)
            case How.EMPTY_BODY:
                return web.Response(body=b"", content_type=ready.stream_type if ready.stream else "application/json")
            case How.ERROR_IN_BODY:
                return web.json_response(fault.body)
            case How.HUGE_BODY:
                return web.Response(body=ready.whole + b" " * 9_000_000, content_type="application/json")
            case How.NOT_HTTP:
                assert request.transport is not None
                request.transport.write(b"HTTP/1.1 \x00nonsense\r\n\r\n")
                request.transport.close()
                return web.Response()
            case How.CLOSE_BEFORE:
                _break(request)
                return web.Response()
        return None

    async def _half(self, request: web.Request, whole: bytes) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(whole))}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(whole[: len(whole) // 2])
        # The half is on its way before the connection breaks.
        await asyncio.sleep(0.05)
        _break(request)
        return response

    async def _stream(
        self, request: web.Request, pieces: list[bytes], kind: str, fault: Fault | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind, **(fault.headers if fault else {})})
        await response.prepare(request)
        for number, piece in enumerate(pieces):
            if fault is not None and number == fault.after:
                if fault.how == How.CUT:
                    await asyncio.sleep(0.05)  # as above
                    _break(request)
                    return response
                if fault.how == How.HANG_AFTER:
                    await _for_ever()
            await response.write(piece)
            if fault is not None and (fault.gap or fault.how == How.DRIBBLE):
                await asyncio.sleep(fault.gap)
        await response.write_eof()
        return response

    # --- control ---------------------------------------------------------------------------------

    async def _tally(self, _: web.Request) -> web.Response:
        return web.json_response(self.tally())

    async def _picture(self, _: web.Request) -> web.Response:
        """Give back the last picture that came."""
        return web.Response(body=self.pictures[-1])

    def tally(self) -> dict[str, Any]:
        """What was asked for and given; money in picodollars."""
        return {
            "requests": len(self.bodies),
            "answers": self.answers,
            "waiting": self.waiting,
            "left": self.left,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "money": self.tokens_in * self.price_in + self.tokens_out * self.price_out,
            "pictures": len(self.pictures),
        }

    async def _control(self, request: web.Request) -> web.Response:
        """Take `fault` (one, a list, or null), `hold` (true, false), `text`, `key`, `reset` (true: forget the tally)."""
        order = await request.json()
        if "fault" in order:
            fault = order["fault"]
            self.fault = [one and _fault(one) for one in fault] if isinstance(fault, list) else fault and _fault(fault)
        if "hold" in order:
            (self.hold if order["hold"] else self.release)()
        self.text = order.get("text", self.text)
        self.key = order.get("key", self.key)
        if order.get("reset"):
            self.requests.clear()
            self.pictures.clear()
            self.answers = self.tokens_in = self.tokens_out = self.left = 0
        return web.json_response(self.tally())


def _fault(data: dict[str, Any]) -> Fault:
    return Fault(**{**data, "pieces": tuple(data.get("pieces", ()))})


def _plain(fault: Fault) -> web.Response:
    raw = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    headers = {"Content-Type": "application/json", **fault.headers}
    return web.Response(body=raw.encode(), status=fault.status, headers=headers)


def _echo(key: str) -> Refused:
    return Refused(500, {"error": {"message": f"the header was {key}", "code": key, "type": key.upper()}})


def _pieces(ready: Prepared, fault: Fault | None) -> list[bytes]:
    pieces = ready.pieces
    if fault is None:
        return pieces
    match fault.how:
        case How.ERROR_IN_STREAM:
            return [*pieces[: fault.after], ready.error]
        case How.GARBAGE:
            nonsense = b"data: nonsense\n\n" if "event-stream" in ready.stream_type else b"nonsense\n"
            return [pieces[0], *[nonsense] * fault.count, *pieces[1:]]
        case How.TORN:
            torn = pieces[fault.after].rstrip(b"\n")
            return [*pieces[: fault.after], torn[:-2] + pieces[fault.after][len(torn) :], *pieces[fault.after + 1 :]]
        case How.HUGE_LINE:
            return [pieces[0], b"data: " + b"x" * 1_500_000]
        case How.DRIBBLE:
            return _slices(b"".join(pieces))
    return pieces


def _slices(data: bytes) -> list[bytes]:
    """Cut every character that takes several bytes, and everything else into pieces of seven bytes."""
    slices, start = [], 0
    for index, byte in enumerate(data):
        if byte >= 0x80 or index - start >= 7:
            slices.append(data[start:index])
            start = index
    return [*filter(None, slices), data[start:]]


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _for_ever() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


def run(make: Callable[[argparse.Namespace], FakeServer]) -> None:
    """Run a fake as a process of its own: prints one JSON line with its address, ends on SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key")
    parser.add_argument("--price-in", type=int, default=0, help="picodollars a token")
    parser.add_argument("--price-out", type=int, default=0, help="picodollars a token")
    parser.add_argument("--lenient", action="store_true", help="take what clients other than ours send, too")

    async def main() -> None:
        server = make(parser.parse_args())
        server.lenient = parser.parse_args().lenient
        ended = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, ended.set)
        await server.start(server_port)
        sys.stdout.write(json.dumps({"url": server.url}) + "\n")
        sys.stdout.flush()
        await ended.wait()
        await server.stop()

    server_port = parser.parse_args().port
    asyncio.run(main())
