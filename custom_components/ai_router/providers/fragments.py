"""Finds pieces of secrets in a text: a server, or a limit on the way, may have cut off what stands around them.

Every common substring of at least `SHORTEST` characters is found. Of each secret the grams at every seventh place are
kept, and every gram of a text is looked up: a piece that long has seven in a row, so one of them is kept, wherever the
secret was cut. From there the piece is extended to both sides as far as text and secret agree. (The anchors of the
rsync algorithm, Tridgell and Mackerras 1996, with the grams themselves for checksums.) Small and capital letters are
the same.
"""

from collections.abc import Iterable
from typing import Final

SHORTEST: Final = 12
"""Characters: shorter pieces are ordinary words, and give nothing of a key away."""

_GRAM = 6
# All grams of a secret, in all its spellings, would take a thousand times its memory.
_STEP = SHORTEST - _GRAM + 1
# The same gram in other spellings, or in a secret that repeats itself.
_PLACES = 4


class Fragments:
    """Knows some secrets, each in all its spellings. Never changes, so any thread may use it."""

    def __init__(self, forms: Iterable[str]) -> None:
        """Take the secrets as they may be spelled."""
        self._places: dict[str, tuple[tuple[str, int], ...]] = {}
        for form in {form.lower() for form in forms}:
            for place in range(0, len(form) - _GRAM + 1, _STEP) if len(form) >= SHORTEST else ():
                gram = form[place : place + _GRAM]
                known = self._places.get(gram, ())
                if len(known) < _PLACES:
                    self._places[gram] = (*known, (form, place))

    def mask(self, text: str, mark: str) -> str:
        """Return the text with `mark` in the place of every piece."""
        places = self._places
        if not places:
            return text
        lower = text.lower()
        if len(lower) != len(text):  # one letter of Turkish becomes two
            lower = text
        kept: list[str] = []
        done = 0
        for at in range(len(text) - _GRAM + 1):
            found = places.get(lower[at : at + _GRAM])
            if found is None or at < done:
                continue
            first, last = max((_piece(lower, at, done, *each) for each in found), key=lambda piece: piece[1] - piece[0])
            if last - first >= SHORTEST:
                kept += (text[done:first], mark)
                done = last
        return "".join((*kept, text[done:])) if kept else text


def _piece(text: str, at: int, done: int, form: str, place: int) -> tuple[int, int]:
    """Return where the piece around a gram begins and ends in the text; what is `done` is not looked at again."""
    first, last = at, at + _GRAM
    while first > done and place - (at - first) > 0 and text[first - 1] == form[place - (at - first) - 1]:
        first -= 1
    shift = place - at
    while last < len(text) and last + shift < len(form) and text[last] == form[last + shift]:
        last += 1
    return first, last
