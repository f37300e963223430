"""What happens in a household as the bus and the alerts' entities tell it."""

from typing import Any

from homeassistant.components.event import ATTR_EVENT_TYPE
from homeassistant.core import Event, HomeAssistant, State
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.ai_router.events import Kind
from custom_components.ai_router.routing.model import Message, Role, Text
from custom_components.ai_router.routing.request import Caller, Request

PROMPT = "the words of the prompt"


def on_the_bus(hass: HomeAssistant) -> dict[Kind, list[Event[Any]]]:
    """Return everything of ours that will be on the bus, by kind."""
    return {kind: async_capture_events(hass, kind.event_type) for kind in Kind}


def kinds(told: dict[Kind, list[Event[Any]]]) -> dict[str, int]:
    return {kind.value: len(events) for kind, events in told.items() if events}


def shown(hass: HomeAssistant, name: str) -> State:
    state = hass.states.get(f"event.{name}_alert")
    assert state is not None
    return state


def shown_types(states: list[Event[Any]], name: str) -> list[str]:
    """Return the event types that an entity has shown, in order."""
    found = (event.data["new_state"] for event in states if event.data["entity_id"] == f"event.{name}_alert")
    return [state.attributes[ATTR_EVENT_TYPE] for state in found if state is not None and state.state != "unknown"]


async def ask_anybody(entry: MockConfigEntry, context_id: str | None = None, prompt: str = PROMPT) -> Any:
    request = Request(
        id="the-request",
        caller=Caller(context_id=context_id),
        messages=(Message(Role.USER, (Text(prompt),)),),
        label="doorbell",
    )
    return await entry.runtime_data.router.process(request)
