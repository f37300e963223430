"""What the entry's providers, pools and rules are called, and what those were called that are gone."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from homeassistant.config_entries import ConfigEntry

from .routing.ports import Clock, LedgerUnavailable
from .storage.ledger import SqliteLedger
from .storage.names import NAMES_KEPT, known_names


class Names:
    """The names by subentry id. The entry's own goes first; the last one of what was removed is in the ledger."""

    def __init__(self, entry: ConfigEntry[Any], ledger: SqliteLedger, clock: Clock) -> None:
        """Know nobody who is gone; `restore` reads them."""
        self._entry = entry
        self._ledger = ledger
        self._clock = clock
        self._present: dict[str, str] = {}
        self._past: dict[str, str] = {}
        self._unwritten: dict[str, str] = {}

    async def restore(self) -> None:
        """Read what an earlier run wrote. Raises `LedgerUnavailable`."""
        self._past = await known_names(self._ledger.reader)

    async def follow(self) -> None:
        """Note what is new, renamed or gone; what cannot be written now is with the next change."""
        before, self._present = self._present, self._now()
        noted = {each: name for each, name in self._present.items() if self._past.get(each) != name}
        # Written once more: what has just gone is what is to be kept longest.
        noted |= {each: name for each, name in before.items() if each not in self._present}
        for each, name in noted.items():
            self._past.pop(each, None)
            self._past[each] = name
        _shorten(self._past)
        self._unwritten |= noted
        _shorten(self._unwritten)
        if self._unwritten:
            with suppress(LedgerUnavailable):
                await self._ledger.name(self._unwritten, self._clock.now())
                self._unwritten = {}

    def _now(self) -> dict[str, str]:
        return {subentry.subentry_id: subentry.title for subentry in self._entry.subentries.values()}

    def of(self, subentry_id: str) -> str:
        """Return a name, also of what is gone; the id of what was never known."""
        subentry = self._entry.subentries.get(subentry_id)
        return self._past.get(subentry_id, subentry_id) if subentry is None else subentry.title

    def all(self) -> Mapping[str, str]:
        """Return all names by id."""
        return {**self._past, **self._now()}


def _shorten(names: dict[str, str]) -> None:
    while len(names) > NAMES_KEPT:
        del names[next(iter(names))]
