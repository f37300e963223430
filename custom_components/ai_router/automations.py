"""Which automation a call comes from: Home Assistant tells when one is triggered, and its calls bear that context."""

from collections import OrderedDict
from typing import Any

from homeassistant.core import CALLBACK_TYPE, Context, Event, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .lasting import lasting_id

AUTOMATIONS: HassKey[Automations] = HassKey(f"{DOMAIN}_automations")
_TRIGGERED = "automation_triggered"
_REMEMBERED = 500


class Automations:
    """Remembers the contexts of the last runs."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with none."""
        self._hass = hass
        self._runs: OrderedDict[str, str] = OrderedDict()

    @callback
    def hear(self, event: Event[dict[str, Any]]) -> None:
        """Remember a run."""
        self._runs[event.context.id] = event.data["entity_id"]
        if len(self._runs) > _REMEMBERED:
            self._runs.popitem(last=False)

    def of(self, context: Context) -> str | None:
        """Return what stands for the automation that calls; None where none does, or it is long ago."""
        entity_id = self._runs.get(context.id) or self._runs.get(context.parent_id or "")
        return None if entity_id is None else lasting_id(self._hass, entity_id)


@callback
def async_watch_automations(hass: HomeAssistant) -> CALLBACK_TYPE:
    """Begin to listen; the returned function ends it."""
    automations = hass.data[AUTOMATIONS] = Automations(hass)
    stop = hass.bus.async_listen(_TRIGGERED, automations.hear)

    @callback
    def end() -> None:
        stop()
        hass.data.pop(AUTOMATIONS, None)

    return end
