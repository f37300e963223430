"""JSON as servers write it."""

from typing import Any

import pytest

from custom_components.ai_router.providers.json_text import read_json


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b'{"a": [1, 2.5, null, "\xc3\xa9"]}', {"a": [1, 2.5, None, "é"]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b'{"a": "x\\ud83d"}', {"a": "x\ufffd"}),
        (b'{"a": NaN, "b": "\\ud83d\\ude00"}', {"a": None, "b": "😀"}),
        (b'{"a": "x\xff"}', {"a": "x\ufffd"}),
        (b'{"a": "x\ny"}', {"a": "x\ny"}),
    ],
)
def test_what_can_be_read(data: bytes, read: Any) -> None:
    assert read_json(data) == read


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"oops",
        b'{"a": 1',
        b'{"a": 1}{"a": 1}',
        b'{"a": 1e999}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": NaN, "b": "' + b"x" * 300_000 + b'"}',
    ],
)
def test_what_cannot(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(data)
