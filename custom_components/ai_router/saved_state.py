"""What is kept over a restart beside the ledger: breakers, benches, used-up budgets, experiments, what was learned."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import UnsupportedStorageVersionError
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .routing.benches import Bench
from .routing.breaker import OpenPeriod
from .routing.failures import FailureClass
from .routing.model import Target
from .routing.ports import Benched, BreakerMoved, BudgetCrossed, CoreEvent, RequestEnded, Unbenched
from .routing.router import Router

_LOGGER = logging.getLogger(__name__)
_VERSION = 1
_SAVE_SECONDS = 5.0
_LEARNED_EVERY = timedelta(minutes=5)


def state_store(hass: HomeAssistant) -> Store[dict[str, Any]]:
    """Return the file of the state."""
    return Store(hass, _VERSION, f"{DOMAIN}.state", private=True)


class SavedState:
    """Saves a router's state some seconds after it has changed, and brings it back at the start."""

    def __init__(self, hass: HomeAssistant, router: Router) -> None:
        """Know of no change."""
        self._hass = hass
        self._router = router
        self._store = state_store(hass)
        self._due = self._learned = False

    async def restore(self) -> None:
        """Bring back what an earlier run has saved, as far as the providers are still the same.

        None of it is worth a start: what cannot be read, as that of a newer version, is found out anew.
        """
        try:
            stored = await self._store.async_load() or {}
        except UnsupportedStorageVersionError:
            _LOGGER.warning("A newer version has saved breakers, experiments and what was learned; they begin anew")
            return
        parts: dict[str, Callable[[Any], None]] = {
            "breakers": self._restore_breakers,
            "benches": self._restore_benches,
            "turned_away": self._router.admission.budgets.restore_turned_away,
            "experiments": self._router.experiments.restore,
            "learned": self._router.memory.restore,
        }
        for part, restore in parts.items():
            try:
                if part in stored:
                    restore(stored[part])
            except AttributeError, LookupError, TypeError, ValueError:
                _LOGGER.warning("What was saved of %s cannot be read; it begins anew", part)

    def _restore_breakers(self, stored: Any) -> None:
        for provider_id, model_id, *opened in stored:
            if provider_id in self._router.config.providers:
                self._router.admission.breakers.restore(Target(provider_id, model_id), OpenPeriod(*opened))

    def _restore_benches(self, stored: Any) -> None:
        for provider_id, model_id, cls, detail, since, until, credential in stored:
            provider = self._router.config.providers.get(provider_id)
            if provider is not None and provider.credential == credential:
                bench = Bench(FailureClass(cls), detail, since, until)
                self._router.benches.restore((provider_id, model_id), bench)

    @callback
    def keep_learned(self) -> CALLBACK_TYPE:
        """Save now and then what was learned; the returned function ends it."""
        return async_track_time_interval(self._hass, self._save_learned, _LEARNED_EVERY)

    @callback
    def hear(self, event: CoreEvent) -> None:
        """Take an event of the core."""
        if isinstance(event, BreakerMoved | Benched | BudgetCrossed | Unbenched):
            self.save_soon()
        elif isinstance(event, RequestEnded):
            self._learned = self._learned or bool(event.attempts)
            if self._router.experiments.is_part(event):
                self.save_soon()

    @callback
    def save_soon(self) -> None:
        """Save a change within seconds."""
        # Put off again with each change, a save would never come in a busy house.
        if not self._due:
            self._due = True
            self._store.async_delay_save(self._state, _SAVE_SECONDS)

    async def save(self) -> None:
        """Save everything now."""
        await self._store.async_save(self._state())

    @callback
    def _save_learned(self, _: datetime) -> None:
        """Save what was learned since the last time: losing some of it in a power cut does little harm."""
        if self._learned:
            self.save_soon()

    def _state(self) -> dict[str, Any]:
        self._due = self._learned = False
        router, providers = self._router, self._router.config.providers
        return {
            "breakers": [[*target, *opened] for target, opened in router.admission.breakers.opened().items()],
            "benches": [
                [*key, bench.cls, bench.detail, bench.since, bench.until, providers[key[0]].credential]
                for key, bench in router.benches.all().items()
                # Whether a key can be read is seen anew at every start.
                if key[0] in providers and not bench.unread
            ],
            "turned_away": router.admission.budgets.turned_away(),
            "experiments": router.experiments.state(),
            "learned": router.memory.state(),
        }
