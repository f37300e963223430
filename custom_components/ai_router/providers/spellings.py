"""In which spellings a secret may turn up in a text that somebody else wrote."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def forms_of(value: str) -> Iterator[str]:
    """Yield a value as it is, URL-encoded, JSON-escaped and within base64."""
    yield value
    for percent in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield percent
        yield re.sub("%..", lambda escape: escape[0].lower(), percent)
    for escaped in (json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)):
        yield escaped[1:-1]
    yield from _within_base64(value.encode())


def _within_base64(raw: bytes) -> Iterator[str]:
    """Yield the characters that do not depend on the neighbours, for each of the three places in a group of bytes.

    So a credential is found in `Basic` headers and encoded bodies too, with whatever stands before and after it.
    """
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + raw)[first:end].decode()
