"""Carries the router's state to the entities: pushed by what happens, at most once every two seconds."""

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_time_interval
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .const import DOMAIN, SUBENTRY_PROVIDER
from .routing.ports import Clock, CoreEvent
from .routing.router import Router
from .routing.tickets import Window
from .settings import credential_since
from .status import RouterStatus, snapshot
from .tallies import Tallies, booked_on

if TYPE_CHECKING:
    from .hub import RouterConfigEntry

_LOGGER = logging.getLogger(__name__)
_WRITE_SECONDS = 2.0
# What changes by time alone: the minute's requests, open breakers, the day's roll-over.
_TICK = timedelta(seconds=15)


class RouterCoordinator(DataUpdateCoordinator[RouterStatus]):
    """Holds the latest snapshot."""

    config_entry: RouterConfigEntry

    def __init__(self, hass: HomeAssistant, entry: RouterConfigEntry, router: Router, clock: Clock) -> None:
        """Listen to a router once started."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=DOMAIN, always_update=False)
        self._router = router
        self._clock = clock
        self.tallies = Tallies()
        self._pending: CALLBACK_TYPE | None = None
        self._last = float("-inf")
        self._day_ends = float("inf")
        self._untold: set[str] = set()

    @callback
    def start(self, tallies: Tallies) -> None:
        """Begin with what was already counted today, and follow the router until the entry is unloaded."""
        self.tallies = tallies
        entry = self.config_entry
        entry.async_on_unload(self._router.subscribe(self._hear))
        entry.async_on_unload(async_track_time_interval(self.hass, self._tick, _TICK))
        entry.async_on_unload(self._cancel)
        self._flush()

    @callback
    def _hear(self, event: CoreEvent) -> None:
        self.tallies.count(event)
        self._untold.update(booked_on(event))
        self.refresh_soon()

    @callback
    def refresh_soon(self) -> None:
        """Take a new snapshot now, or two seconds after the last one."""
        if self._pending is None:
            wait = max(0.0, self._last + _WRITE_SECONDS - self._clock.monotonic())
            self._pending = async_call_later(self.hass, wait, self._flush)

    @callback
    def refresh_now(self) -> None:
        """Show at once what a person has just changed."""
        self._flush()

    @callback
    def look(self, shown: float | None = None) -> RouterStatus:
        """Take a snapshot of this very moment, for those who do not wait for the next write.

        `shown` is a time in the day whose sums it tells of, else today's (wall clock).
        """
        now = self._clock.now()
        subentries = self.config_entry.get_subentries_of_type(SUBENTRY_PROVIDER)
        since = {subentry.subentry_id: credential_since(subentry.data) for subentry in subentries}
        return snapshot(self._router, self.tallies, since, now, self._clock.monotonic(), shown or now)

    @callback
    def _tick(self, _: datetime) -> None:
        self.refresh_soon()

    @callback
    def _flush(self, _: datetime | None = None) -> None:
        self._cancel()
        self._last = self._clock.monotonic()
        self.async_set_updated_data(self.look(self._shown()))

    def _shown(self) -> float:
        """Return a time in the day whose sums to show.

        A day that is over is shown until all that began on it is settled and was shown: what was never in a state would
        be missing in the statistics for ever.
        """
        now, admission = self._clock.now(), self._router.admission
        if now >= self._day_ends:
            last = self._day_ends - 1.0
            day = admission.calendar.day(last)
            if day in self._untold or any(ticket.day == day for ticket in admission.open_tickets):
                self._untold.discard(day)
                self.refresh_soon()
                return last
        self._untold.clear()
        self._day_ends = admission.calendar.bounds(Window.DAY, now)[1] or now
        return now

    @callback
    def _cancel(self) -> None:
        if self._pending is not None:
            self._pending()
            self._pending = None
