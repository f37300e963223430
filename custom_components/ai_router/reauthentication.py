"""Asks again for keys that are rejected: one provider after another, while all the others go on.

Home Assistant runs one re-authentication for each entry. Whose turn it is follows from the benches, which are kept over
restarts; nothing else is stored.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState, ConfigFlowContext, ConfigFlowResult
from homeassistant.core import HomeAssistant, callback

if TYPE_CHECKING:
    from .hub import RouterConfigEntry


class Reauthentication:
    """The turns of one entry's providers."""

    def __init__(self, hass: HomeAssistant, entry: RouterConfigEntry, rejected: Callable[[], Sequence[str]]) -> None:
        """Take turns among those whose key is rejected: their ids, in turn."""
        self._hass = hass
        self._entry = entry
        self._rejected = rejected

    @callback
    def follow(self) -> None:
        """End what is not needed any more, and begin the next one if none is under way."""
        if self._entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
            return
        rejected = self._rejected()
        under_way = False
        for flow in list(self._flows()):
            if flow["context"].get("unique_id") in rejected:
                under_way = True
            else:
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        if rejected and not under_way:
            subentry = self._entry.subentries[rejected[0]]
            self._entry.async_start_reauth(
                self._hass,
                ConfigFlowContext(unique_id=subentry.subentry_id, title_placeholders={"name": subentry.title}),
                {"subentry_id": subentry.subentry_id},
            )

    def _flows(self) -> Iterator[ConfigFlowResult]:
        return self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})

    @callback
    def stop(self) -> None:
        """Ask for nothing while the router does not run."""
        for flow in list(self._flows()):
            self._hass.config_entries.flow.async_abort(flow["flow_id"])
