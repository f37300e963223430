"""Which automation a call comes from: Home Assistant tells when one is triggered, and its calls bear that context."""

from collections import OrderedDict, deque
from typing import Any

from homeassistant.core import CALLBACK_TYPE, Context, Event, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .lasting import lasting_id

AUTOMATIONS: HassKey[Automations] = HassKey(f"{DOMAIN}_automations")
_TRIGGERED = "automation_triggered"
# Of each automation, so that one that runs all the time makes nobody forget one that has waited since yesterday.
_RUNS = 100
_MOST = 1_000


class Automations:
    """Remembers the contexts of each automation's last runs."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with those that run now: their later steps may ask, too."""
        self._hass = hass
        self._runs: dict[str, str] = {}
        self._of: OrderedDict[str, deque[str]] = OrderedDict()
        for state in hass.states.async_all("automation"):
            # Who switches an automation on or off leaves his own context with it.
            if state.attributes.get("current") and state.context.user_id is None:
                self._remember(state.entity_id, state.context.id)

    @callback
    def hear(self, event: Event[dict[str, Any]]) -> None:
        """Remember a run."""
        self._remember(event.data["entity_id"], event.context.id)

    def _remember(self, entity_id: str, context_id: str) -> None:
        runs = self._of.setdefault(entity_id, deque())
        self._of.move_to_end(entity_id)
        runs.append(context_id)
        self._runs[context_id] = entity_id
        if len(runs) > _RUNS:
            self._runs.pop(runs.popleft(), None)
        if len(self._of) > _MOST:
            _, forgotten = self._of.popitem(last=False)
            for each in forgotten:
                self._runs.pop(each, None)

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
