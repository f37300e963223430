"""The log's word on providers: one line when one cannot be used any more, one when it can again."""

import logging

from homeassistant.core import callback

from .routing.health import Level
from .routing.ports import CoreEvent, HealthChanged
from .routing.router import Router

_LOGGER = logging.getLogger(__name__)


class AvailabilityLog:
    """Hears the core, and is silent while a provider that is down is tried in vain."""

    def __init__(self, router: Router) -> None:
        """Begin with all providers up; `hear` is to be subscribed to the router."""
        self._router = router
        self._down: set[str] = set()

    @callback
    def hear(self, event: CoreEvent) -> None:
        """Take an event of the core."""
        providers = self._router.config.providers
        if not isinstance(event, HealthChanged) or (provider := providers.get(event.provider_id)) is None:
            return
        self._down.intersection_update(providers)
        if event.after is Level.UNHEALTHY and provider.id not in self._down:
            self._down.add(provider.id)
            _LOGGER.info("Provider %s is unavailable: %s", provider.name, event.reason)
        elif event.after is Level.HEALTHY and provider.id in self._down:
            self._down.discard(provider.id)
            _LOGGER.info("Provider %s is available again", provider.name)
