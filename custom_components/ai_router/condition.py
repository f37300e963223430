"""Conditions for automations: is there budget left, is a provider well? While that is not known they do not hold."""

from abc import abstractmethod
from typing import Any, ClassVar, Unpack, cast, override

import voluptuous as vol
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID, CONF_OPTIONS
from homeassistant.core import HomeAssistant
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType

from .automation_devices import DEVICES, ROUTER, check_devices, subject
from .const import DOMAIN, MOST_DOLLARS, SUBENTRY_POOL, SUBENTRY_PROVIDER
from .hub import Hub
from .routing.budgets import MoneyBucket
from .routing.fleet import pool_money, provider_money, router_money
from .routing.health import Level
from .routing.money import Picodollars, to_picodollars

AT_LEAST = "at_least"


class _OfDevices(Condition):
    """Asks the running router about devices; all of them must agree."""

    schema: ClassVar[vol.Schema]
    devices: ClassVar[tuple[str, ...]] = (SUBENTRY_PROVIDER,)

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check the options; it must be something that can be asked about the devices."""
        config = cast("ConfigType", cls.schema(config))
        check_devices(hass, config[CONF_OPTIONS].get(ATTR_DEVICE_ID, ()), cls.devices)
        return config

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Take the options."""
        super().__init__(hass, config)
        self.options: dict[str, Any] = config.options or {}

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        """Ask for each device; without the router nothing is known."""
        entries = self._hass.config_entries.async_entries(DOMAIN)
        hub = next((entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED), None)
        if hub is None:
            return False
        devices = self.options.get(ATTR_DEVICE_ID)
        if not devices:
            return self.holds(hub, hub.entry.entry_id)
        subjects = [subject(self._hass, device_id, self.devices) for device_id in devices]
        return all(found is not None and self.holds(hub, found) for found in subjects)

    @abstractmethod
    def holds(self, hub: Hub, about: str) -> bool:
        """Say whether it holds for a provider or a pool (its id) or for the router (the entry's)."""


class _BudgetLeft(_OfDevices):
    """Holds while every budget of the router, or of the chosen devices, has something left; no budget always has.

    What is left of a budget that has turned a request away counts for nothing.
    """

    devices = (ROUTER, SUBENTRY_PROVIDER, SUBENTRY_POOL)
    schema = vol.Schema(
        {
            vol.Optional(CONF_OPTIONS, default=dict): {
                vol.Optional(ATTR_DEVICE_ID): DEVICES,
                vol.Optional(AT_LEAST, default=0): vol.All(vol.Coerce(float), vol.Range(min=0, max=MOST_DOLLARS)),
            }
        }
    )

    @override
    def holds(self, hub: Hub, about: str) -> bool:
        config = hub.router.config
        if about == hub.entry.entry_id:
            keys = router_money(config)
        elif about in config.providers:
            keys = provider_money(config.providers[about])
        elif about in config.pools:
            keys = pool_money(config.pools[about])
        else:
            return False
        least = max(1, to_picodollars(self.options.get(AT_LEAST, 0)))
        buckets = [hub.router.admission.money(key) for key in keys]
        return all(_left(bucket) >= least for bucket in buckets if bucket.limit is not None)


def _left(bucket: MoneyBucket) -> Picodollars:
    return 0 if bucket.used_up else (bucket.limit or 0) - bucket.account.settled - bucket.account.held


class _ProviderHealthy(_OfDevices):
    """Holds while the chosen providers are healthy."""

    schema = vol.Schema({vol.Required(CONF_OPTIONS): {vol.Required(ATTR_DEVICE_ID): DEVICES}})

    @override
    def holds(self, hub: Hub, about: str) -> bool:
        router = hub.router
        return about in router.config.providers and router.health(about).level is Level.HEALTHY


CONDITIONS: dict[str, type[Condition]] = {"budget_left": _BudgetLeft, "provider_healthy": _ProviderHealthy}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:  # noqa: ARG001  # the platform's signature
    """Return the conditions."""
    return CONDITIONS
