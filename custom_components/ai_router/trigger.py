"""Triggers for automations: the happenings that a household acts on. They sit on the bus, so a reload ends none."""

from typing import Any, ClassVar, cast, override

import voluptuous as vol
from homeassistant.const import ATTR_DEVICE_ID, ATTR_NAME, CONF_OPTIONS
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.trigger import (
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType

from .automation_devices import DEVICES, ROUTER, check_devices
from .const import SUBENTRY_PROVIDER
from .events import Kind


class _Happens(Trigger):
    """Runs the action with all that is told of a happening."""

    kind: ClassVar[Kind]
    devices: ClassVar[tuple[str, ...]] = (SUBENTRY_PROVIDER,)
    schema = vol.Schema({vol.Optional(CONF_OPTIONS, default=dict): {vol.Optional(ATTR_DEVICE_ID): DEVICES}})

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check the options; it must be able to happen to the devices."""
        config = cast("ConfigType", cls.schema(config))
        check_devices(hass, config[CONF_OPTIONS].get(ATTR_DEVICE_ID, ()), cls.devices)
        return config

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Watch some devices, or all of them."""
        super().__init__(hass, config)
        self._devices = frozenset((config.options or {}).get(ATTR_DEVICE_ID, ()))

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Listen until the returned function is called."""

        @callback
        def hear(event: Event[dict[str, Any]]) -> None:
            if not self._devices or event.data[ATTR_DEVICE_ID] in self._devices:
                description = f"{self.kind.value.replace('_', ' ')}: {event.data[ATTR_NAME]}"
                run_action(dict(event.data), description, event.context)

        return self._hass.bus.async_listen(self.kind.event_type, hear)


class _HappensToRouter(_Happens):
    """Has no device to choose: it is always the router's."""

    schema = vol.Schema({vol.Optional(CONF_OPTIONS, default=dict): {}})


class _Failover(_HappensToRouter):
    kind = Kind.FAILOVER


class _AllFailed(_HappensToRouter):
    kind = Kind.ALL_FAILED


class _HappensToBudget(_Happens):
    """The budgets of pools, people and labels are told of by the router."""

    devices = (ROUTER, SUBENTRY_PROVIDER)


class _BudgetAlert(_HappensToBudget):
    kind = Kind.BUDGET_ALERT


class _BudgetExceeded(_HappensToBudget):
    kind = Kind.BUDGET_EXCEEDED


class _ProviderDegraded(_Happens):
    kind = Kind.PROVIDER_DEGRADED


class _ProviderUnhealthy(_Happens):
    kind = Kind.PROVIDER_UNHEALTHY


class _ProviderRecovered(_Happens):
    kind = Kind.PROVIDER_RECOVERED


TRIGGERS: dict[str, type[Trigger]] = {
    trigger.kind.value: trigger
    for trigger in (
        _Failover,
        _AllFailed,
        _BudgetAlert,
        _BudgetExceeded,
        _ProviderDegraded,
        _ProviderUnhealthy,
        _ProviderRecovered,
    )
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:  # noqa: ARG001  # the platform's signature
    """Return the triggers."""
    return TRIGGERS
