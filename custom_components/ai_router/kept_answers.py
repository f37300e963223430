"""The cache's layer on disk, in step with the options, and what the cache has saved, for the ledger."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant, callback

from .clock import SystemClock
from .const import DOMAIN
from .routing.ports import CoreEvent, RequestEnded
from .routing.router import Router
from .settings import disk_cache_bytes
from .storage.answer_file import AnswerFile
from .storage.answers import SqliteAnswers
from .storage.ledger import SqliteLedger


class KeptAnswers:
    """Opens and closes the file of answers. Where nobody wants it any more, it is deleted."""

    def __init__(self, hass: HomeAssistant, router: Router, ledger: SqliteLedger, clock: SystemClock) -> None:
        """Begin without a file; `follow` brings it."""
        self._hass = hass
        self._router = router
        self._ledger = ledger
        self._clock = clock
        self._directory = Path(hass.config.path(".storage", DOMAIN))
        self._store: SqliteAnswers | None = None
        # Before the first look it is not known what an earlier run has left.
        self._bytes: int | None = -1

    async def follow(self, options: Mapping[str, Any]) -> None:
        """Bring the file in step with the options."""
        wanted = disk_cache_bytes(options)
        if wanted == self._bytes:
            return
        await self.close()
        self._bytes = wanted
        if wanted is None:
            await self._hass.async_add_executor_job(AnswerFile(self._directory, 0).delete)
            return
        self._store = self._router.answers.store = await SqliteAnswers.open(self._directory, self._clock, wanted)

    async def close(self) -> None:
        """Write what is queued and let go of the file. May be called again."""
        store, self._store, self._router.answers.store = self._store, None, None
        if store is not None:
            await store.close()

    @callback
    def hear(self, event: CoreEvent) -> None:
        """Note in the ledger what an answer that took no call of its own would have cost."""
        reply = event.reply if isinstance(event, RequestEnded) else None
        if reply is None or not reply.cached or reply.degraded is not None:
            return
        day = self._router.admission.calendar.day(self._clock.now())
        self._ledger.add_saved(day, *reply.target, reply.saved)
