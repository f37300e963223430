"""What was changed in the entry, for the ledger's audit: settings, budgets, keys. Of a key only that it was changed."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.components.websocket_api.connection import current_connection
from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers.http import current_request

from .const import SUBENTRY_PROVIDER, Conf
from .storage.audit import Changed
from .stored_settings import BUDGET_WINDOWS

ROUTER = ""
_KEYS = frozenset({Conf.CREDENTIAL, Conf.SECRETS})
_SILENT = frozenset({Conf.CREDENTIAL_SINCE})
_BUDGETS = frozenset({*BUDGET_WINDOWS, Conf.BUDGET_ONLY_WARNS, Conf.USER_BUDGETS, Conf.LABEL_BUDGETS})
# Of these only the name is noted: they are long, or may hold what is not to be read by everybody.
_NAMED = frozenset({Conf.URL, Conf.OPTIONS, Conf.MODELS, Conf.MEMBERS, Conf.WHEN})

type Told = tuple[Changed, str, str]
"""Of what kind, about which provider ('' is none), and in words."""


class _Kept(NamedTuple):
    kind: str
    title: str
    data: Mapping[str, Any]


class Trail:
    """Remembers the entry as it was last seen."""

    def __init__(self, entry: ConfigEntry[Any]) -> None:
        """Begin with the entry as it is."""
        self._known = _seen(entry)
        self._silent = False

    def changes(self, entry: ConfigEntry[Any]) -> list[Told]:
        """Tell what has changed since it was last seen."""
        before, now = self._known, _seen(entry)
        self._known = now
        if self._silent or before == now:
            return []
        found: list[Told] = []
        for each in dict.fromkeys((*before, *now)):
            found += _difference(each, before.get(each), now.get(each))
        return found

    @contextmanager
    def noted(self, entry: ConfigEntry[Any]) -> Generator[None]:
        """Change the entry without a word: whoever does it notes it himself."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False
            self._known = _seen(entry)


def _seen(entry: ConfigEntry[Any]) -> dict[str, _Kept]:
    seen = {ROUTER: _Kept("router", "", entry.options)}
    return seen | {
        subentry.subentry_id: _Kept(subentry.subentry_type, subentry.title, subentry.data)
        for subentry in entry.subentries.values()
    }


def _difference(subentry_id: str, before: _Kept | None, now: _Kept | None) -> Iterator[Told]:
    kept = now or before
    if kept is None or before == now:
        return
    about = subentry_id if kept.kind == SUBENTRY_PROVIDER else ""
    name = f"{kept.kind} {kept.title}".rstrip()
    if before is None or now is None:
        yield Changed.SETTINGS, about, f"{name} {'added' if before is None else 'removed'}"
        return
    keys = [key for key in (*before.data, *now.data) if before.data.get(key) != now.data.get(key)]
    changed = dict.fromkeys(key for key in keys if key not in _SILENT)
    if any(key in _KEYS for key in changed):
        yield Changed.CREDENTIAL, about, f"{name}: key or secret changed"
    for kind in (Changed.BUDGET, Changed.SETTINGS):
        told = [
            _in_words(key, now.data.get(key))
            for key in changed
            if key not in _KEYS and (key in _BUDGETS) == (kind is Changed.BUDGET)
        ]
        if kind is Changed.SETTINGS and before.title != now.title:
            told.insert(0, f"was {before.title}")
        if told:
            yield kind, about, f"{name}: {', '.join(told)}"


def _in_words(key: str, value: Any) -> str:
    return key if key in _NAMED else f"{key}: {'none' if value is None else value}"


def acting_user() -> str:
    """Return the id of the user whose page or connection is being served; '' where it is nobody's."""
    connection = current_connection.get()
    if connection is not None:
        return connection.user.id
    request = current_request.get()
    user = None if request is None else request.get(KEY_HASS_USER)
    return "" if user is None else str(user.id)
