"""Reading an answer as it comes: bytes in, events out, failures kept until what came before them is passed on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..routing.call import Event, Finish, Finished, TextDelta, ThinkingDelta, ToolCallDone, Usage, UsageTotal
from ..routing.failures import Billed, Failure, FailureClass, Phase
from ..routing.model import ToolCall
from ..routing.money import Picodollars
from .json_text import read_json
from .lines import JsonLines, MessageTooLong
from .replies import Replies

_MALFORMED_ALLOWED = 3


class Reader(ABC):
    """Reads one answer. After each step: `failure` ends the attempt, `done` says that nothing more will come.

    `own_names` are those of the tools that had to be offered under another one.
    """

    __slots__ = (
        "_events",
        "_in_one",
        "_lines",
        "_malformed",
        "_passed_on",
        "_replies",
        "cost",
        "done",
        "failure",
        "own_names",
        "phase",
        "usage",
    )

    def __init__(self, lines: JsonLines, replies: Replies) -> None:
        """Begin before the first byte. `phase` is streaming once there was content."""
        self._lines = lines
        self._replies = replies
        self._events: list[Event] = []
        self._malformed = 0
        self._in_one = False
        self.own_names: Mapping[str, str] = {}
        self.done = False
        self.failure: Failure | None = None
        self.phase = Phase.SENT
        self.usage: Usage | None = None
        self.cost: Picodollars | None = None
        self._passed_on: UsageTotal | None = None

    def counted(self) -> UsageTotal | None:
        """Return what has been counted since this was asked last: an answer that breaks off costs that at least.

        None where nothing was, and in protocols that count at the end.
        """
        return None

    def _news(self) -> UsageTotal | None:
        """Return `usage` and `cost`, once."""
        total = None if self.usage is None else UsageTotal(self.usage, self.cost)
        if total == self._passed_on:
            return None
        self._passed_on = total
        return total

    def streams(self, data: bytes) -> bool:
        """Say whether an answer that begins so is a stream, whatever its headers say."""
        return self._lines.begun_with(data)

    def feed(self, data: bytes) -> list[Event]:
        """Take a chunk of the stream; return the events in it."""
        try:
            messages = self._lines.feed(data)
        except MessageTooLong:
            self.failure = self._replies.malformed("a message of the stream is too long", self.phase)
            return []
        return self._read(messages)

    def end(self) -> list[Event]:
        """Take the end of the stream; return the last events, the terminator among them where the answer is whole."""
        events = [] if self.done else self._read(self._lines.end())
        return events if self.failure is not None else events + self._closed()

    def whole(self, message: Any) -> list[Event]:
        """Take an answer that came in one piece."""
        self._in_one = self.done = True
        if not isinstance(message, dict) or not self._take(message):
            self.failure = self.failure or self._replies.stranger("JSON of another kind")
        events = self._taken()
        return events if self.failure is not None else events + self._closed()

    @abstractmethod
    def _take(self, message: dict[str, Any]) -> bool:
        """Read one message: call `_text`, `_thought` or `_call`, set `failure` or `done`. False where it is no answer."""

    @abstractmethod
    def _close(self) -> Finish | None:
        """Say how the answer ended, None for one that was cut; tool calls are passed on here."""

    def _read(self, messages: list[bytes]) -> list[Event]:
        for data in messages:
            try:
                message = read_json(data)
            except ValueError:
                self._unread(data)
            else:
                if isinstance(message, dict):
                    self._take(message)
                else:
                    self._odd()
            if self.done or self.failure is not None:
                break
        return self._taken()

    def _unread(self, data: bytes) -> None:
        if data.lstrip().startswith(b"{"):
            # It may have held words: the answer would not be whole without them.
            self.failure = self._replies.malformed("a message of the stream cannot be read", self.phase)
        else:
            self._not_json(data)

    def _not_json(self, data: bytes) -> None:  # noqa: ARG002 - protocols with words between messages look at them here
        self._odd()

    def _odd(self) -> None:
        self._malformed += 1
        if self._malformed >= _MALFORMED_ALLOWED:
            self.failure = self._replies.malformed("too many messages of the stream make no sense", self.phase)

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _closed(self) -> list[Event]:
        finish = self._close()
        events = self._taken()
        if self.failure is not None:
            return events
        if (total := self._news()) is not None:
            events.append(total)
        if finish is None:
            self.failure = Failure(
                FailureClass.STREAM_CUT, self.phase, "ended without a terminator", billed=Billed.PARTIAL
            )
        else:
            events.append(Finished(finish))
        return events

    def _text(self, text: str) -> None:
        self.phase = Phase.STREAMING
        self._events.append(TextDelta(text))

    def _thought(self, text: str, opaque: Any = None) -> None:
        self.phase = Phase.STREAMING
        self._events.append(ThinkingDelta(text, opaque))

    def _call(self, call: ToolCall) -> None:
        self.phase = Phase.STREAMING
        if (name := self.own_names.get(call.name)) is not None:
            call = replace(call, name=name)
        self._events.append(ToolCallDone(call))
