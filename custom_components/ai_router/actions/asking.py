"""From an action's data to a request: what all actions that ask have in common."""

import os
import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

import voluptuous as vol
from homeassistant.core import ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import config_validation as cv

from ..answers import refusal_data, to_exception
from ..callers import caller_of, provider_id
from ..const import DOMAIN
from ..hub import Hub
from ..pictures import collect, useful_edge
from ..routing.model import Bounds, Message, Op, Part, Pins, Request, Role, Sampling, Text
from ..routing.money import to_picodollars
from ..routing.refusals import RequestFailed

_MOST_TOKENS = 1_000_000
_LONGEST_TIMEOUT = 3_600


class Field(StrEnum):
    """Names of the fields that several actions take."""

    PROMPT = "prompt"
    SYSTEM = "system"
    IMAGES = "images"
    PROVIDER = "provider"
    MODEL = "model"
    MAX_TOKENS = "max_tokens"
    TEMPERATURE = "temperature"
    MAX_COST = "max_cost"
    TIMEOUT = "timeout"
    LOCAL_ONLY = "local_only"
    LABEL = "label"
    ON_ERROR = "on_error"


class OnError(StrEnum):
    """What an action does with a failure: raise it, or return it as data."""

    RAISE = "raise"
    RETURN = "return"


def seconds(longest: int) -> vol.All:
    """Check a time limit."""
    return vol.All(vol.Coerce(float), vol.Range(min=1, max=longest))


def on_error(default: OnError = OnError.RAISE) -> dict[vol.Marker, Any]:
    """Return the field that says what is done with a failure."""
    return {vol.Optional(Field.ON_ERROR, default=default): vol.In([each.value for each in OnError])}


# Of whom it is asked, and within which bounds.
ROUTE_FIELDS: dict[vol.Marker, Any] = {
    vol.Optional(Field.PROVIDER): vol.All(cv.ensure_list, [cv.string]),
    vol.Optional(Field.MODEL): cv.string,
    vol.Optional(Field.MAX_COST): vol.All(vol.Coerce(float), vol.Range(min=0)),
    vol.Optional(Field.TIMEOUT): seconds(_LONGEST_TIMEOUT),
    vol.Optional(Field.LOCAL_ONLY): cv.boolean,
    vol.Optional(Field.LABEL): vol.All(cv.string, vol.Length(max=64)),
}
# What is asked besides the prompt.
CHAT_FIELDS: dict[vol.Marker, Any] = {
    vol.Optional(Field.SYSTEM): cv.string,
    vol.Optional(Field.IMAGES): cv.entity_ids,
    vol.Optional(Field.MAX_TOKENS): vol.All(vol.Coerce(int), vol.Range(min=1, max=_MOST_TOKENS)),
    vol.Optional(Field.TEMPERATURE): vol.All(vol.Coerce(float), vol.Range(min=0, max=2)),
}
PROMPT_FIELDS: dict[vol.Marker, Any] = {vol.Required(Field.PROMPT): cv.string, **CHAT_FIELDS, **ROUTE_FIELDS}


async def returned(hub: Hub, wish: str, answer: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Wait for an action's answer: its failures are translated, and raised, or returned as data where that is wished."""
    try:
        return await answer
    except RequestFailed as err:
        exception = to_exception(err, hub.provider_name)
        if wish == OnError.RETURN:
            return refusal_data(err, exception, hub.provider_name)
        raise exception from err
    except Unauthorized:
        raise
    except HomeAssistantError as err:
        if wish == OnError.RETURN:
            return {
                "error": {"code": err.translation_key, "failure": None, "message": str(err), "free_at": None},
                "attempts": [],
            }
        raise


async def chat_request(hub: Hub, call: ServiceCall, data: Mapping[str, Any]) -> Request:
    """Turn a prompt with its fields into a request; raises translated errors for what is wrong with it."""
    prompt = data[Field.PROMPT]
    if not prompt.strip():
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="empty_prompt")
    request = await _request(hub, call, data)
    pictures = await collect(
        hub.hass, call.context, data.get(Field.IMAGES, []), max_edge=useful_edge(hub.router.config, request)
    )
    parts: tuple[Part, ...] = (*pictures, Text(prompt))
    messages: tuple[Message, ...] = (Message(Role.USER, parts),)
    if system := data.get(Field.SYSTEM):
        messages = (Message(Role.SYSTEM, (Text(system),)), *messages)
    return replace(request, messages=messages, sampling=Sampling(temperature=data.get(Field.TEMPERATURE)))


async def embedding_request(hub: Hub, call: ServiceCall, texts: list[str], data: Mapping[str, Any]) -> Request:
    """Turn texts with an action's fields into a request; raises translated errors for what is wrong with it."""
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="empty_text",
                translation_placeholders={"number": str(number)},
            )
    messages = tuple(Message(Role.USER, (Text(text),)) for text in texts)
    return replace(await _request(hub, call, data), messages=messages, op=Op.EMBED)


async def _request(hub: Hub, call: ServiceCall, data: Mapping[str, Any]) -> Request:
    """Return a request without what is asked: who asks, of whom, within which bounds."""
    providers = tuple(provider_id(hub, reference) for reference in data.get(Field.PROVIDER, ()))
    max_cost = data.get(Field.MAX_COST)
    return Request(
        id=new_id(),
        caller=await caller_of(call.hass, call.context),
        messages=(),
        pins=Pins(providers=providers, models=(data[Field.MODEL],) if Field.MODEL in data else ()),
        local_only=data.get(Field.LOCAL_ONLY, False),
        bounds=Bounds(
            timeout=data.get(Field.TIMEOUT),
            max_cost=None if max_cost is None else to_picodollars(max_cost),
            max_output=data.get(Field.MAX_TOKENS),
        ),
        label=data.get(Field.LABEL),
    )


def new_id() -> str:
    """Return a new request's id; later ones sort behind earlier ones."""
    return f"{int(time.time() * 1000):011x}{os.urandom(5).hex()}"
