"""What a fake server can do wrong, one request at a time."""

from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any


class How(StrEnum):
    """The ways to go wrong. `after` counts messages of the stream."""

    REFUSE = auto()  # status, headers and body as given
    SCRIPT = auto()  # the pieces as given, with `content_type`; `gap` seconds between them
    HANG_BEFORE = auto()  # never any headers
    HANG_AFTER = auto()  # silence behind `after` messages
    CUT = auto()  # the connection breaks behind `after` messages, or in the middle of a whole answer
    NOT_HTTP = auto()  # nonsense instead of headers
    CLOSE_BEFORE = auto()  # the connection breaks before any headers
    ERROR_IN_STREAM = auto()  # an error behind `after` messages
    ERROR_IN_BODY = auto()  # `body` with status 200
    SLOW = auto()  # `seconds` before the first byte
    REDIRECT = auto()
    PAGE = auto()  # a web page with `status`
    EMPTY_BODY = auto()
    HUGE_BODY = auto()
    HUGE_LINE = auto()
    GARBAGE = auto()  # `count` messages of nonsense behind the first
    TORN = auto()  # the message behind `after` others loses its last bytes
    DRIBBLE = auto()  # a few bytes at a time, characters split
    NO_DONE = auto()
    NO_FINISH = auto()
    NO_USAGE = auto()
    EMPTY_LENGTH = auto()  # no words, all output used up
    IGNORE_STREAM = auto()  # whole although a stream was asked for
    STREAM_UNASKED = auto()
    ECHO_KEY = auto()  # an error that repeats the header with the key


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Made from JSON by the control address: `Fault(**data)`."""

    how: How | str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    pieces: tuple[str, ...] = ()
    content_type: str = "text/event-stream"
    after: int = 1
    count: int = 1
    seconds: float = 0.0
    gap: float = 0.0
