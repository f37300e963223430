"""What the logbook says of each happening, in the household's language."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.const import ATTR_NAME
from homeassistant.core import Event, HomeAssistant, callback

from .const import DOMAIN
from .events import Kind
from .wording import Wording

type _Data = dict[str, Any]

_OWN_BUDGETS = ("router", "provider")


def sentence(words: Wording, kind: Kind, data: _Data) -> str:
    """Say what happened, from what was told of it."""
    key = f"logbook_{kind}"
    values = {**data, "budget": _budget(words, data)} if "window" in data else dict(data)
    values |= {name: f"{data[name]:.2f}" for name in ("spent", "limit") if name in data}
    if "amount" in data:
        values["amount"] = f"{data['amount']:.4f}"
    if kind is Kind.ALL_FAILED:
        return words.text(f"logbook_{data['reason'] or kind}")
    if failed := data.get("failed"):
        values |= {"failed": failed[0]["provider"], "reason": words.failure(failed[0]["outcome"])}
        return words.text(f"{key}_after", **values)
    text = words.text(f"{key}_model" if data.get("model") and kind in _OF_MODEL else key, **values)
    if reason := data.get("reason"):
        return words.text("logbook_why", text=text, reason=words.failure(reason))
    return text


# May be about one of a provider's models or about all of them.
_OF_MODEL = {Kind.BREAKER_OPENED, Kind.BREAKER_CLOSED, Kind.BENCHED, Kind.UNBENCHED, Kind.RATE_LIMITED}


def _budget(words: Wording, data: _Data) -> str:
    text = words.text(f"budget_{data['window']}")
    if data["scope"] in _OWN_BUDGETS:
        return text
    return words.text(f"budget_of_{data['scope']}", budget=text, owner=data["owner"])


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event[_Data]], dict[str, str]]], None],
) -> None:
    """Describe what is on the bus."""
    for kind in Kind:

        @callback
        def describe(event: Event[_Data], kind: Kind = kind) -> dict[str, str]:
            return {
                LOGBOOK_ENTRY_NAME: str(event.data[ATTR_NAME]),
                LOGBOOK_ENTRY_MESSAGE: sentence(Wording(hass), kind, event.data),
            }

        async_describe_event(DOMAIN, kind.event_type, describe)
