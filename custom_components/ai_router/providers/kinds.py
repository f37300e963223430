"""The kinds of provider that one house knows: ours, and those of other integrations that come and go beside them."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from typing import override

from .presets import PRESETS
from .registry import KINDS, Kind

_ID = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


class KindRefused(ValueError):
    """A kind that is not taken; the text says why."""


class Kinds(Mapping[str, Kind]):
    """All kinds by their ids."""

    def __init__(self) -> None:
        """Begin with ours."""
        self._added: dict[str, tuple[Kind, int]] = {}
        self._numbers = count(1)
        self._listeners: list[Callable[[str], None]] = []

    @override
    def __getitem__(self, kind_id: str) -> Kind:
        return KINDS[kind_id] if kind_id in KINDS else self._added[kind_id][0]

    @override
    def __iter__(self) -> Iterator[str]:
        return chain(KINDS, self._added)

    @override
    def __len__(self) -> int:
        return len(KINDS) + len(self._added)

    def number(self, kind_id: str) -> int:
        """Return a number that is another one whenever a kind has come anew; 0 for one of ours, or none."""
        return self._added[kind_id][1] if kind_id in self._added else 0

    def check(self, kind: Kind) -> None:
        """Raise `KindRefused` where a kind has no id that could be its own."""
        if not _ID.fullmatch(kind.id):
            raise KindRefused(f"the id {kind.id!r} is not made of small letters, digits and single underscores")
        if kind.id in self or kind.id in PRESETS:
            raise KindRefused(f"the id {kind.id} is taken")

    def add(self, kind: Kind) -> Callable[[], None]:
        """Take a kind in, and return what takes it out again. Raises `KindRefused`."""
        self.check(kind)
        added = self._added[kind.id] = (kind, next(self._numbers))
        self._tell(kind.id)

        def remove() -> None:
            # Twice does nothing, nor does it harm whoever has the id by now.
            if self._added.get(kind.id) is added:
                del self._added[kind.id]
                self._tell(kind.id)

        return remove

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Tell of each kind that comes or goes, by its id; return what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, kind_id: str) -> None:
        for listener in list(self._listeners):
            listener(kind_id)
