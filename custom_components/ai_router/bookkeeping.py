"""What a change of the settings has to do with the ledger: it is noted there, and new budgets hear what was spent.

A ledger that cannot be used keeps no change from coming into force, for it may be one that stops something: this is
caught up with later.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .routing.calendar import Calendar
from .routing.config import RouterConfig
from .routing.ports import AttemptEnded, Clock, CoreEvent, LedgerUnavailable, Spending
from .storage.audit import Change
from .storage.ledger import SqliteLedger
from .storage.spending import spending
from .trail import Told

_LOGGER = logging.getLogger(__name__)
_CATCH_UP_SECONDS = 15.0
_MOST_UNNOTED = 1_000
_MOST_READS = 10


class Bookkeeping:
    """Notes changes and reads what was spent; `again` is called where that failed, some time later."""

    def __init__(
        self, hass: HomeAssistant, ledger: SqliteLedger, clock: Clock, again: Callable[[], Awaitable[None]]
    ) -> None:
        """Begin with nothing to note."""
        self._hass = hass
        self._ledger = ledger
        self._clock = clock
        self._again = again
        self._unnoted: deque[Change] = deque(maxlen=_MOST_UNNOTED)
        self._behind: CALLBACK_TYPE | None = None
        self._booked = 0
        self._stopped = False

    @callback
    def hear(self, event: CoreEvent) -> None:
        """Notice that something was spent."""
        if isinstance(event, AttemptEnded):
            self._booked += event.attempt.outcome.cost > 0

    @callback
    def remember(self, changes: Iterable[Told], user_id: str) -> None:
        """Take what somebody has changed just now, to be noted."""
        now = self._clock.now()
        self._unnoted.extend(Change(now, user_id, kind, about, text) for kind, about, text in changes)

    async def note(self) -> None:
        """Put on disk what has changed."""
        try:
            while self._unnoted:
                await self._ledger.note(self._unnoted[0])
                self._unnoted.popleft()
        except LedgerUnavailable:
            self._catch_up_later()

    async def history(self, config: RouterConfig) -> list[Spending] | None:
        """Return what was spent so far; None where it cannot be known now."""
        calendar = Calendar(config.zone, config.week_start)
        history: list[Spending] = []
        try:
            for _ in range(_MOST_READS):
                booked = self._booked
                history = await spending(self._ledger, calendar, self._clock.now())
                # What ended meanwhile is in it or not, and in no bucket that is not there yet: read it again.
                if booked == self._booked:
                    break
        except LedgerUnavailable:
            self._catch_up_later()
            return None
        return history

    @callback
    def stop(self) -> None:
        """Catch up with nothing more; the next start will."""
        self._stopped = True
        if self._behind is not None:
            self._behind()

    @callback
    def _catch_up_later(self) -> None:
        if self._behind is None and not self._stopped:
            _LOGGER.warning("Changes are in force, but cannot be noted; new budgets let nothing through until they can")
            self._behind = async_call_later(self._hass, _CATCH_UP_SECONDS, self._catch_up)

    async def _catch_up(self, _: datetime) -> None:
        self._behind = None
        await self._again()
