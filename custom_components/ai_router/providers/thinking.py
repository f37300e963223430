"""Telling a model's reasoning from its answer where both come as one text, between <think> and </think>."""

_OPEN = "<think>"
_CLOSE = "</think>"


def _held_back(text: str, tag: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a tag."""
    for length in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:length]):
            return length
    return 0


class ThinkTags:
    """Splits a text that comes in pieces, wherever the pieces end."""

    __slots__ = ("_after", "_held", "_inside")

    def __init__(self) -> None:
        """Begin outside."""
        self._inside = False
        self._after = False
        self._held = ""

    def plain(self, text: str) -> bool:
        """Say whether a piece is answer as it stands: the usual case, decided cheaply."""
        return not (self._inside or self._after or self._held or "<" in text)

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """Take a piece; return (is reasoning, text) for all that is certain."""
        text = self._held + text
        self._held = ""
        pieces: list[tuple[bool, str]] = []
        while text:
            tag = _CLOSE if self._inside else _OPEN
            before, found, rest = text.partition(tag)
            if not found:
                held = _held_back(text, tag)
                self._held = text[len(text) - held :]
                before = text[: len(text) - held]
            self._add(pieces, before)
            if found:
                self._inside = not self._inside
                self._after = not self._inside
            text = rest
        return pieces

    def end(self) -> list[tuple[bool, str]]:
        """Return what was held back: it was no tag."""
        pieces: list[tuple[bool, str]] = []
        self._add(pieces, self._held)
        self._held = ""
        return pieces

    def _add(self, pieces: list[tuple[bool, str]], text: str) -> None:
        if self._after:
            # The empty lines between reasoning and answer belong to neither.
            text = text.lstrip()
            self._after = not text
        if text:
            pieces.append((self._inside, text))
