"""Cutting a stream of bytes into messages: lines of JSON, and server-sent events.

Bytes are cut at line ends only, so a character that is split over two chunks is whole again before it is decoded.
"""

from typing import override

_BOM = b"\xef\xbb\xbf"
MAX_MESSAGE = 1_000_000


class MessageTooLong(Exception):
    """A line, or the lines of one event, exceed the limit."""


class JsonLines:
    """Newline-delimited messages. `limit` is bytes a message may take."""

    __slots__ = ("_begun", "_held", "_limit", "_parts")

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        """Begin with nothing held back."""
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0
        self._begun = False

    @staticmethod
    def begun_with(data: bytes) -> bool:
        """Say whether an answer that does not say its form begins as such a stream does."""
        line, end, _ = data.removeprefix(_BOM).partition(b"\n")
        return bool(end) and line.startswith(b"{") and line.rstrip().endswith(b"}")

    def feed(self, data: bytes) -> list[bytes]:
        """Take a chunk; return the messages that are whole. Raises `MessageTooLong`."""
        return [line for line in self._lines(data) if line and not line.isspace()]

    def end(self) -> list[bytes]:
        """Return what is left when the stream has ended: a last line without its line end."""
        return self.feed(b"\n")

    def _lines(self, data: bytes) -> list[bytes]:
        # Chunks are collected and joined once: adding each to what is there would copy a long line again and again.
        if b"\n" not in data:
            self._parts.append(data)
            self._held += len(data)
            if self._held > self._limit:
                raise MessageTooLong
            return []
        if self._held:
            self._parts.append(data)
            data = b"".join(self._parts)
        if not self._begun:
            self._begun = True
            data = data.removeprefix(_BOM)
        lines = data.split(b"\n")
        rest = lines.pop()
        self._parts = [rest] if rest else []
        self._held = len(rest)
        if len(data) > self._limit and max(self._held, *map(len, lines)) > self._limit:
            raise MessageTooLong
        return lines


class ServerSentEvents(JsonLines):
    """The data of server-sent events. Comments, names, ids and retry times are passed over.

    A line ends with CR, LF or both, as the standard of such events says.
    """

    __slots__ = ("_after_cr", "_data", "_size")

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        """Begin before the first event."""
        super().__init__(limit)
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False

    @override
    @staticmethod
    def begun_with(data: bytes) -> bool:
        return data.removeprefix(_BOM).lstrip().startswith((b"data:", b"event:", b"id:", b"retry:", b":"))

    @override
    def feed(self, data: bytes) -> list[bytes]:
        """Take a chunk; return the data of the events that are whole. Raises `MessageTooLong`."""
        if self._after_cr or b"\r" in data:
            data = self._with_one_end(data)
        events: list[bytes] = []
        for line in self._lines(data):
            if line.startswith(b"data:"):
                value = line[6:] if line.startswith(b" ", 5) else line[5:]
                self._data.append(value)
                self._size += len(value)
                if self._size > self._limit:
                    raise MessageTooLong
            elif not line:
                self._dispatch(events)
        return events

    @override
    def end(self) -> list[bytes]:
        """Return the last event of a stream that ended without the empty line behind it."""
        events = self.feed(b"\n")
        self._dispatch(events)
        return events

    def _with_one_end(self, data: bytes) -> bytes:
        """Let every line end with LF alone, also where CR and LF came apart."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _dispatch(self, events: list[bytes]) -> None:
        if not self._data:
            return
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._size = 0
        if data:
            events.append(data)
