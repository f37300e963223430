"""Headers and fields of the body that a household adds to what is sent: from what a person types to what may be sent.

Their values are secrets like a key: they are nowhere in an error.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum, auto
from typing import Any

import orjson

MAX_TEXT = 16_000
# Shorter ones are counts and switches: hiding them would garble any text.
_LONG_NUMBER = 100_000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# The connection's own, and what says how the body is to be read.
_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# What is asked, of whom and in which form; and what would make an answer dearer than what was set aside for it.
_OWN_FIELDS = frozenset(
    {
        "best_of",
        "functions",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "messages",
        "model",
        "models",
        "n",
        "response_format",
        "stream",
        "stream_options",
        "tools",
    }
)


class ExtraProblem(StrEnum):
    """Why headers or fields are refused; each has a sentence in the translations."""

    HEADERS_MALFORMED = auto()
    HEADER_RESERVED = auto()
    BODY_MALFORMED = auto()
    BODY_RESERVED = auto()


class InvalidExtra(ValueError):
    """Headers or fields that are not sent. `name` is the one that may not be set, where it is that."""

    def __init__(self, code: ExtraProblem, name: str = "") -> None:
        """Carry the code; no value is in the text."""
        super().__init__(code.value)
        self.code = code
        self.name = name


def _objects(text: str, problem: ExtraProblem) -> dict[str, Any]:
    try:
        data = orjson.loads(text) if len(text) <= MAX_TEXT else None
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise InvalidExtra(problem)
    return data


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.strip():
            name, colon, value = line.partition(":")
            if not colon:
                raise InvalidExtra(ExtraProblem.HEADERS_MALFORMED)
            yield name, value


def typed_headers(text: str) -> dict[str, str]:
    """Read headers, one a line (`Name: value`), or as an object of JSON. Raises `InvalidExtra`."""
    text = text.strip()
    malformed = ExtraProblem.HEADERS_MALFORMED
    pairs = _objects(text, malformed).items() if text.startswith("{") else _lines(text)
    headers: dict[str, str] = {}
    for told, content in pairs:
        name = told.strip()
        value = content.strip() if isinstance(content, str) else ""
        if not _NAME.fullmatch(name) or not value or not (value.isprintable() and value.isascii()):
            raise InvalidExtra(malformed)
        if name.lower() in _OWN_HEADERS:
            raise InvalidExtra(ExtraProblem.HEADER_RESERVED, name)
        headers[name] = value
    if len(text) > MAX_TEXT or len({name.lower() for name in headers}) < len(headers):
        raise InvalidExtra(malformed)
    return headers


def typed_body(text: str) -> dict[str, Any]:
    """Read fields for the body from an object of JSON. Raises `InvalidExtra`."""
    body = _objects(text.strip(), ExtraProblem.BODY_MALFORMED)
    if reserved := sorted(_OWN_FIELDS & body.keys()):
        raise InvalidExtra(ExtraProblem.BODY_RESERVED, reserved[0])
    return body


def secrets_in(headers: Mapping[str, str], body: Any) -> Iterator[str]:
    """Yield every value that must not be shown, and of a header such as `Bearer abc` the credential alone."""
    for header in headers.values():
        yield header
        yield header.rpartition(" ")[2]
    if isinstance(body, Mapping):
        for value in body.values():
            yield from secrets_in({}, value)
    elif isinstance(body, list):
        for value in body:
            yield from secrets_in({}, value)
    elif isinstance(body, str):
        yield body
    elif isinstance(body, int) and abs(body) >= _LONG_NUMBER:
        yield str(body)
