"""Pushes what the dashboard cards show to whoever looks at them: all of it first, then what has changed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..hub import Hub
from ..routing.ports import CoreEvent, RequestEnded
from .overview import NOT_SET_UP, overview
from .recent_requests import RecentRequests

# Half of what a card may be behind: a request that ends just after a push has its way to the page still before it.
_PUSH_SECONDS = 1.0
_MOST_VIEWERS = 500


@dataclass(slots=True, eq=False)
class Viewer:
    """Who looks, and what he has seen."""

    connection: ActiveConnection
    message_id: int
    seen: dict[str, Any] = field(default_factory=dict)


class Feed:
    """One for the whole Home Assistant: its viewers stay while the entry is reloaded, and are told of it.

    Every user sees spending and health, as on the entities; an admin sees the whole house's last requests, any other
    user only his own.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin without entry and viewers."""
        self._hass = hass
        self._hub: Hub | None = None
        self._entry_id: str | None = None
        self._requests = RecentRequests()
        self._viewers: set[Viewer] = set()
        self._pending: CALLBACK_TYPE | None = None
        self._due = 0.0
        self._last = float("-inf")

    # --- the entry -----------------------------------------------------------------------------------

    @callback
    def follow(self, hub: Hub) -> None:
        """Tell of an entry until it is unloaded."""
        if hub.entry.entry_id != self._entry_id:
            self._entry_id, self._requests = hub.entry.entry_id, RecentRequests()
        self._hub = hub
        hub.entry.async_on_unload(self._leave)
        hub.entry.async_on_unload(hub.router.subscribe(self._hear))
        hub.entry.async_on_unload(hub.coordinator.async_add_listener(self._changed))
        self._push()

    @callback
    def _leave(self) -> None:
        self._hub = None
        self._push()

    @callback
    def _hear(self, event: CoreEvent) -> None:
        if isinstance(event, RequestEnded) and self._hub is not None:
            self._requests.add(event, self._hub.clock.now(), self._hub.name_of)
            self.push_soon()

    @callback
    def _changed(self) -> None:
        # Most of it is about a request under way, whose end is worth more than its beginning.
        self._push_in(_PUSH_SECONDS)

    # --- viewers -------------------------------------------------------------------------------------

    @callback
    def add(self, viewer: Viewer) -> bool:
        """Take one more viewer, unless there are too many already."""
        if len(self._viewers) >= _MOST_VIEWERS:
            return False
        self._viewers.add(viewer)
        return True

    @callback
    def remove(self, viewer: Viewer) -> None:
        """Let a viewer go."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self._cancel()

    @callback
    def greet(self, viewer: Viewer) -> None:
        """Show a new viewer everything."""
        self._show(viewer, self._overview())

    # --- pushing -------------------------------------------------------------------------------------

    @callback
    def push_soon(self) -> None:
        """Push what has changed now, or a second after the last push."""
        self._push_in(0.0)

    def _push_in(self, wait: float) -> None:
        if not self._viewers:
            return
        now = self._hass.loop.time()
        due = max(now + wait, self._last + _PUSH_SECONDS)
        if self._pending is not None:
            if self._due <= due:
                return
            self._pending()
        self._due = due
        self._pending = async_call_later(self._hass, due - now, self._push)

    @callback
    def _push(self, _: datetime | None = None) -> None:
        self._cancel()
        if not self._viewers:
            return
        self._last = self._hass.loop.time()
        shared = self._overview()
        for viewer in tuple(self._viewers):
            self._show(viewer, shared)

    def _cancel(self) -> None:
        if self._pending is not None:
            self._pending()
            self._pending = None

    def _overview(self) -> dict[str, Any]:
        return NOT_SET_UP if self._hub is None else overview(self._hub)

    def _show(self, viewer: Viewer, shared: dict[str, Any]) -> None:
        """Send what a viewer has not seen yet; rights are looked at each time, they may have changed."""
        view, seen = shared, viewer.seen
        if self._hub is not None:
            user, recent = viewer.connection.user, self._requests
            view = {**shared, "requests": recent.all() if user.is_admin else recent.of_user(user.id)}
        changed = {key: value for key, value in view.items() if key not in seen or seen[key] != value}
        if changed:
            viewer.seen = view
            viewer.connection.send_event(viewer.message_id, changed)


FEED: HassKey[Feed] = HassKey(f"{DOMAIN}.feed")
