"""What the logbook says of each happening. Home Assistant does not translate these texts; reasons have the sensors' words."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.const import ATTR_NAME
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN
from .events import Kind

type _Data = dict[str, Any]


def _of_model(data: _Data) -> str:
    return f"{data['model']} " if data["model"] else ""


def _why(data: _Data, name: str = "reason") -> str:
    return f" ({data[name]})" if data[name] else ""


def _after(failed: list[_Data]) -> str:
    return f" after {failed[0]['provider']} failed{_why(failed[0], 'outcome')}" if failed else ""


def _budget(data: _Data) -> str:
    owner = "" if data["scope"] in ("router", "provider") else f" of {data['scope']} {data['owner']}"
    return f"the budget per {data['window']}{owner}" if data["window"] != "total" else f"the whole budget{owner}"


_TEXTS: dict[Kind, Callable[[_Data], str]] = {
    Kind.FAILOVER: lambda data: f"went on to {data['provider']}{_after(data['failed'])}",
    Kind.ALL_FAILED: lambda data: f"could not get an answer from any provider{_why(data)}",
    Kind.COMPLETED: lambda data: f"got an answer from {data['provider']} in {data['latency']} s",
    Kind.PROVIDER_UNHEALTHY: lambda data: f"became unhealthy{_why(data)}",
    Kind.PROVIDER_RECOVERED: lambda _: "recovered",
    Kind.BREAKER_OPENED: lambda data: f"{_of_model(data)}failed too often and rests",
    Kind.BREAKER_CLOSED: lambda data: f"{_of_model(data)}is asked again",
    Kind.BENCHED: lambda data: f"{_of_model(data)}was set aside until mended{_why(data)}",
    Kind.UNBENCHED: lambda data: f"{_of_model(data)}was mended",
    Kind.RATE_LIMITED: lambda data: f"{_of_model(data)}takes no more requests for now{_why(data)}",
    Kind.BUDGET_ALERT: lambda data: f"has used {data['spent']:.2f} of {data['limit']:.2f} USD of {_budget(data)}",
    Kind.BUDGET_EXCEEDED: lambda data: f"has used up {_budget(data)} ({data['limit']:.2f} USD)",
    Kind.OVERRUN: lambda data: f"took {_budget(data)} {data['amount']:.4f} USD over its limit",
}


def _in_words(hass: HomeAssistant, data: _Data) -> _Data:
    """Say why as the sensor of health does."""
    words = async_get_cached_translations(hass, hass.config.language, "entity", DOMAIN)

    def word(reason: str | None) -> str:
        key = f"component.{DOMAIN}.entity.sensor.health.state_attributes.reason.state.{reason}"
        return words.get(key, (reason or "").replace("_", " "))

    failed = [{**each, "outcome": word(each["outcome"])} for each in data.get("failed", ())]
    return {**data, "reason": word(data.get("reason")), "failed": failed}


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event[_Data]], dict[str, str]]], None],
) -> None:
    """Describe what is on the bus."""
    for kind, text in _TEXTS.items():

        @callback
        def describe(event: Event[_Data], text: Callable[[_Data], str] = text) -> dict[str, str]:
            return {
                LOGBOOK_ENTRY_NAME: str(event.data[ATTR_NAME]),
                LOGBOOK_ENTRY_MESSAGE: text(_in_words(hass, event.data)),
            }

        async_describe_event(DOMAIN, kind.event_type, describe)
