"""Reading JSON as servers write it, which is not always as it should be."""

import json
import re
from typing import Any

import orjson

_BOM = b"\xef\xbb\xbf"
# Longer than any message but a flood: what is read by hand here holds up the event loop.
_LONGEST = 256 * 1024
_HALVES = re.compile("[\ud800-\udfff]")


def read_json(data: bytes) -> Any:
    """Read JSON. Raises `ValueError` for what is none.

    A byte order mark is passed over. Numbers that are none become null, halves of characters and bytes that are none
    U+FFFD: better a mark in a word than a word that is missing.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        if len(data) > _LONGEST:
            raise
    return _loosely(data.removeprefix(_BOM))


def _loosely(data: bytes) -> Any:
    try:
        found = json.loads(data.decode(errors="replace"), parse_constant=lambda _: None, strict=False)
        # Halves of a character cannot be written again, whoever is told of them.
        return orjson.loads(_HALVES.sub("\ufffd", json.dumps(found, ensure_ascii=False, allow_nan=False)))
    except RecursionError:
        raise ValueError("nested too deeply") from None
