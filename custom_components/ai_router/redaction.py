"""Redaction by value: whatever text goes out, no live secret is in it, wherever it came from."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, override

from homeassistant.helpers.redact import REDACTED

from .providers.fragments import Fragments
from .providers.spellings import forms_of

# Shorter values are ordinary words, ports and numbers: masking them would make logs unreadable and protect nothing.
MIN_LENGTH: Final = 6
MAX_PER_OWNER: Final = 200


class Redactor:
    """Knows the live secrets and takes them out of text and data.

    An owner (a provider's id) keeps its newest 200 values. Adding does not replace: after a change of key, requests
    under way still fail with the old one. Safe to read from any thread; add and remove from one.
    """

    def __init__(self) -> None:
        """Start with nothing to hide."""
        # A value is spelled out once. The mapping is replaced, never changed: another thread may be reading it.
        self._values: dict[str, dict[str, frozenset[str]]] = {}
        self._built: tuple[Mapping[str, Any], tuple[str, ...], Fragments] = (self._values, (), Fragments(()))

    def add(self, owner: str, values: Iterable[str]) -> None:
        """Hide these values from now on; those shorter than 6 characters are ignored."""
        new = dict.fromkeys(part for value in values for part in _parts(value) if len(part) >= MIN_LENGTH)
        if not new:
            return
        known = self._values.get(owner, {})
        newest = [*(value for value in known if value not in new), *new][-MAX_PER_OWNER:]
        spelled = {value: known.get(value) or frozenset(forms_of(value)) for value in newest}
        self._values = {**self._values, owner: spelled}

    def remove(self, owner: str) -> None:
        """Forget an owner's values."""
        self._values = {known: spelled for known, spelled in self._values.items() if known != owner}

    def redact(self, text: str) -> str:
        """Return the text without secrets, be they plain, URL-encoded, JSON-escaped or within base64.

        Pieces of them go too, see `Fragments`: what a server quotes may be cut.
        """
        forms, fragments = self._known()
        for form in forms:
            if form in text:
                text = text.replace(form, REDACTED)
        return fragments.mask(text, REDACTED)

    def redact_data(self, data: Any) -> Any:
        """Return a copy of nested data without secrets, in keys too. An object whose text holds one becomes text."""
        if isinstance(data, Mapping):
            return {self.redact(key) if isinstance(key, str) else key: self.redact_data(data[key]) for key in data}
        if isinstance(data, list | tuple | set | frozenset):
            return [self.redact_data(item) for item in data]
        text = str(data)
        masked = self.redact(text)
        return data if masked == text else masked

    def _known(self) -> tuple[tuple[str, ...], Fragments]:
        """Return every spelling: with many providers at set-up they are put in order once, when a text comes."""
        values, forms, fragments = self._built
        if values is not self._values:
            values = self._values
            found = {form for spelled in values.values() for spellings in spelled.values() for form in spellings}
            # The longest first: a secret that holds another one goes as a whole.
            forms = tuple(sorted(found, key=len, reverse=True))
            fragments = Fragments(forms)
            self._built = values, forms, fragments
        return forms, fragments


def guard_logs(redactor: Redactor) -> Callable[[], None]:
    """Redact every record of this package's loggers, children included; returns how to stop it.

    A filter on the package's logger would not do: filters are asked only by the logger a record was made with, so each
    module would have to fetch its logger in our own way, and one that forgets leaks. Handlers of a parent, however,
    are called for the records of its children, and before those of the root. So one handler that puts nothing out
    cleans the record that all further handlers get. Where a level is off there is no record and no work.
    """
    handler = _Cleaner(redactor)
    logger = logging.getLogger(__package__)
    logger.addHandler(handler)
    return lambda: logger.removeHandler(handler)


class _Cleaner(logging.Handler):
    """Takes secrets out of records on their way to the handlers of Home Assistant."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor
        self._formatter = logging.Formatter()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        redact = self._redactor.redact
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - any argument's own text may fail; logging would print all of them to stderr
            message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
            record.msg, record.args = message, None
        if (clean := redact(message)) != message:
            record.msg, record.args = clean, None
        if record.exc_info:
            trace = record.exc_text or self._formatter.formatException(record.exc_info)
            if (clean := redact(trace)) != trace:
                # The exception itself goes: handlers that format it on their own would bring the secret back.
                record.exc_info, record.exc_text = None, clean
        if record.stack_info:
            record.stack_info = redact(record.stack_info)


def _parts(value: str) -> Iterator[str]:
    """Yield a value and, of a header such as `Bearer abc`, the credential alone."""
    value = value.strip()
    yield value
    match value.split():
        case [_, credential]:
            yield credential
