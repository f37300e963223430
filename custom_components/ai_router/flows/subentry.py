"""What the flows of pools and rules have in common, and the one rule for names."""

from collections.abc import Mapping
from typing import Any, ClassVar
from unicodedata import category

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.data_entry_flow import AbortFlow

from ..hub import RouterConfigEntry
from ..stored_settings import read_subentry
from .key_renewal import running
from .provider_check import NAME, FieldProblem

LONGEST_NAME = 100
"""Characters: what a person reads in one go, and a device, a sentence of the logbook or a table can show."""

# Of what is not seen, these belong to letters and pictures: the joiners, and the tags that make flags.
_JOINS = frozenset("\u200c\u200d")
_TAGS = range(0xE0020, 0xE0080)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _is_unseen(char: str) -> bool:
    return category(char) in _UNSEEN


def _is_disturbing(char: str) -> bool:
    """Say whether a character breaks the line, turns the direction of writing, or is nothing at all."""
    return _is_unseen(char) and char not in _JOINS and ord(char) not in _TAGS


def free_name(entry: RouterConfigEntry, subentry_type: str, typed: str, own_id: str | None) -> str:
    """Return a name as it is stored. Raises `FieldProblem`: people refer to providers and pools by name."""
    name = typed.strip()
    if any(map(_is_disturbing, name)):
        raise FieldProblem(NAME, "name_unreadable")
    if all(_is_unseen(char) or char.isspace() for char in name):
        raise FieldProblem(NAME, "name_missing")
    if len(name) > LONGEST_NAME:
        raise FieldProblem(NAME, "name_too_long")
    for subentry in entry.get_subentries_of_type(subentry_type):
        if subentry.subentry_id != own_id and subentry.title.casefold() == name.casefold():
            raise FieldProblem(NAME, "name_taken")
    return name


class NamedFlow(ConfigSubentryFlow):
    """Adds or changes something that has a name; nothing here reloads the entry, the update listener follows."""

    subentry_type: ClassVar[str]

    def __init__(self) -> None:
        """Begin with nothing stored and nothing typed."""
        self.stored: Mapping[str, Any] = {}
        self.shown: Mapping[str, Any] | None = None

    @property
    def own_id(self) -> str | None:
        """The id of what is changed; None where something is added."""
        return self._reconfigure_subentry_id if self.source == SOURCE_RECONFIGURE else None

    def loaded(self) -> RouterConfigEntry:
        """Return the entry, and look at what is stored now and can be read. Aborts where it, or what is changed, is gone."""
        entry = running(self.hass.config_entries.async_get_entry(self._entry_id))
        if self.own_id is not None:
            if self.own_id not in entry.subentries:
                raise AbortFlow(f"{self.subentry_type}_removed")
            self.stored = read_subentry(self.subentry_type, self._get_reconfigure_subentry().data).shown
        return entry

    def name(self, entry: RouterConfigEntry, form: Mapping[str, Any]) -> str:
        """Return the name that was typed. Raises `FieldProblem`."""
        return free_name(entry, self.subentry_type, form[NAME], self.own_id)

    def finish(self, entry: RouterConfigEntry, name: str, data: Mapping[str, Any]) -> SubentryFlowResult:
        """Store it."""
        if self.own_id is None:
            return self.async_create_entry(title=name, data=data)
        return self.async_update_and_abort(entry, self._get_reconfigure_subentry(), title=name, data=data)
