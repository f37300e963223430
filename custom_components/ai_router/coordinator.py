"""Carries the router's state to the entities: pushed by what happens, at most once every two seconds."""

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_time_interval
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .const import DOMAIN
from .routing.ports import Clock, CoreEvent, RequestEnded
from .routing.router import Router
from .status import RouterStatus, snapshot

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
        self._day = ""
        self._requests = 0
        self._pending: CALLBACK_TYPE | None = None
        self._last = float("-inf")

    @callback
    def start(self, day: str, requests: int) -> None:
        """Begin with the requests already counted today, and follow the router until the entry is unloaded."""
        self._day, self._requests = day, requests
        entry = self.config_entry
        entry.async_on_unload(self._router.subscribe(self._hear))
        entry.async_on_unload(async_track_time_interval(self.hass, self._tick, _TICK))
        entry.async_on_unload(self._cancel)
        self._flush()

    @callback
    def _hear(self, event: CoreEvent) -> None:
        # What was never sent is not in the ledger either, so the count is the same after a restart.
        if isinstance(event, RequestEnded) and event.attempts:
            self._roll_over()
            self._requests += 1
        self.refresh_soon()

    def _roll_over(self) -> None:
        day = self._router.admission.calendar.day(self._clock.now())
        if day != self._day:
            self._day, self._requests = day, 0

    @callback
    def refresh_soon(self) -> None:
        """Take a new snapshot now, or two seconds after the last one."""
        if self._pending is None:
            wait = max(0.0, self._last + _WRITE_SECONDS - self._clock.monotonic())
            self._pending = async_call_later(self.hass, wait, self._flush)

    @callback
    def _tick(self, _: datetime) -> None:
        self.refresh_soon()

    @callback
    def _flush(self, _: datetime | None = None) -> None:
        self._cancel()
        self._last = self._clock.monotonic()
        self._roll_over()
        self.async_set_updated_data(snapshot(self._router, self._clock.now(), self._last, self._requests))

    @callback
    def _cancel(self) -> None:
        if self._pending is not None:
            self._pending()
            self._pending = None
