"""Telling a model's reasoning from its answer where both come as one text, between <think> and </think>.

Some servers leave the opening tag out: it stood in the prompt. Nobody can see then that a text is reasoning before it
has ended, so that what is known of the model decides how the beginning is taken.
"""

from dataclasses import dataclass

_OPEN = "<think>"
_CLOSE = "</think>"
# An answer that is longer and was taken for reasoning to its end is not kept to be given as an answer after all.
_MOST_KEPT = 64 * 1024


@dataclass(slots=True)
class Habit:
    """Whether one model's answers begin in the middle of its reasoning; None as long as nobody knows."""

    unopened: bool | None = None


def _held_back(text: str, tag: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a tag."""
    for length in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:length]):
            return length
    return 0


class ThinkTags:
    """Splits a text that comes in pieces, wherever the pieces end.

    `unopened` says that an end of reasoning came for which there was no beginning: all before it was reasoning.
    """

    __slots__ = ("_after", "_held", "_inside", "_kept", "_size", "_tagged", "unopened")

    def __init__(self, *, inside: bool = False) -> None:
        """Begin with the answer, or, as it seems, `inside` the reasoning."""
        self._inside = inside
        self._after = False
        self._held = ""
        # What is taken for reasoning without a word of the model's to that effect.
        self._kept: list[str] | None = [] if inside else None
        self._size = 0
        self._tagged = False
        self.unopened = False

    def plain(self, text: str) -> bool:
        """Say whether a piece is answer as it stands: the usual case, decided cheaply."""
        return not (self._inside or self._after or self._held or "<" in text)

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """Take a piece; return (is reasoning, text) for all that is certain."""
        text = self._held + text
        self._held = ""
        pieces: list[tuple[bool, str]] = []
        while text:
            tags = self._expected()
            found = [(text.index(tag), tag) for tag in tags if tag in text]
            if not found:
                held = max(_held_back(text, tag) for tag in tags)
                self._held = text[len(text) - held :]
                self._add(pieces, text[: len(text) - held])
                break
            place, tag = min(found)
            before, text = text[:place], text[place + len(tag) :]
            if tag == _CLOSE and (self._kept is not None or not self._inside):
                self.unopened = self._inside = True
            self._add(pieces, before)
            self._kept = None
            self._tagged = True
            self._inside = tag == _OPEN
            self._after = not self._inside
        return pieces

    def apart(self) -> list[tuple[bool, str]]:
        """Note that the reasoning comes apart from the text; return what was taken for it and is none."""
        pieces = self._given_back()
        if not self._tagged:
            self._inside = False
        self._tagged = True
        return pieces

    def end(self, *, whole: bool = True) -> list[tuple[bool, str]]:
        """Return what was held back: it was no tag.

        Where a `whole` answer was taken for reasoning and nothing ever said so, it is the answer.
        """
        pieces: list[tuple[bool, str]] = []
        self._add(pieces, self._held)
        self._held = ""
        return pieces + (self._given_back() if whole else [])

    def _expected(self) -> tuple[str, ...]:
        if self._inside:
            return (_CLOSE,) if self._kept is None else (_CLOSE, _OPEN)
        return (_OPEN,) if self._tagged else (_CLOSE, _OPEN)

    def _given_back(self) -> list[tuple[bool, str]]:
        text = "".join(self._kept or ())
        self._kept = None
        return [(False, text)] if text.strip() else []

    def _add(self, pieces: list[tuple[bool, str]], text: str) -> None:
        if self._after:
            # The empty lines between reasoning and answer belong to neither.
            text = text.lstrip()
            self._after = not text
        if not text:
            return
        pieces.append((self._inside, text))
        if self._kept is not None:
            self._kept.append(text)
            self._size += len(text)
            if self._size > _MOST_KEPT:
                self._kept = None
