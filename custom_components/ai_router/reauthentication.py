"""Asks again for keys that are rejected: one provider after another, while all the others go on.

Home Assistant runs one re-authentication for each entry. Whose turn it is follows from the benches, which are kept over
restarts; nothing else is stored. Whoever sends one away is not asked again for that provider before its key is rejected
once more, or a restart: that is how Home Assistant's own are.
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
        self._sent_away: set[str] = set()

    @callback
    def follow(self) -> None:
        """End what is not needed any more, and begin the next one if none is under way."""
        if self._entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
            return
        rejected = self._rejected()
        self._sent_away.intersection_update(rejected)
        under_way = False
        for flow in list(self._flows()):
            if flow["context"].get("unique_id") in rejected:
                under_way = True
            else:
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        turn = next((provider_id for provider_id in rejected if provider_id not in self._sent_away), None)
        if turn is not None and not under_way:
            subentry = self._entry.subentries[turn]
            self._entry.async_start_reauth(
                self._hass,
                ConfigFlowContext(unique_id=subentry.subentry_id, title_placeholders={"name": subentry.title}),
                {"subentry_id": subentry.subentry_id},
            )

    @callback
    def ended(self, provider_id: str) -> None:
        """Give the turn to the next provider; one whose key is still rejected then was sent away."""
        if provider_id in self._rejected():
            self._sent_away.add(provider_id)
        self.follow()

    @callback
    def rejected_again(self, provider_id: str) -> None:
        """Ask once more for a key, also where nobody wanted to give one before."""
        self._sent_away.discard(provider_id)

    def _flows(self) -> Iterator[ConfigFlowResult]:
        return self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH})

    @callback
    def stop(self) -> None:
        """Ask for nothing while the router does not run."""
        for flow in list(self._flows()):
            self._hass.config_entries.flow.async_abort(flow["flow_id"])
