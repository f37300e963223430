"""From an action's data to a request: what all actions that ask have in common."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import voluptuous as vol
from homeassistant.core import ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import config_validation as cv

from ..answers import refusal_data
from ..callers import caller_of, loaded, pool_or_all, provider_id, user_names
from ..const import CURRENCY, DOMAIN, MOST_DOLLARS
from ..hub import Hub
from ..lasting import area_of, lasting_id
from ..pictures import collect, useful_edge
from ..pictures_of_media import CONTENT_ID, entity_of, file_source, media_source
from ..plug_ins import kinds
from ..routing.model import Image, Message, Op, Role, Sampling, Text
from ..routing.money import to_picodollars
from ..routing.refusals import RequestFailed
from ..routing.request import Bounds, CacheMode, Degrade, Pins, Priority, Request
from ..routing.tickets import Scope
from ..sentences import to_exception
from ..settings import picture_size
from ..stored_models import CAPABILITIES
from .structure import structure
from .texts import given, listed, whole_text

_MOST_TOKENS = 1_000_000
_LONGEST_TIMEOUT = 3_600


class Field(StrEnum):
    """Names of the fields that several actions take."""

    PROMPT = "prompt"
    SYSTEM = "system"
    IMAGES = "images"
    MEDIA = "media"
    FILES = "files"
    STRUCTURE = "structure"
    HISTORY = "history"
    TRIM = "trim"
    CONVERSATION = "conversation"
    POOL = "pool"
    PROVIDER = "provider"
    MODEL = "model"
    PREFER = "prefer"
    EXCLUDE = "exclude"
    STRATEGY = "strategy"
    NEEDS = "needs"
    MAX_TOKENS = "max_tokens"
    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    REASONING = "reasoning"
    MAX_COST = "max_cost"
    MAX_LATENCY = "max_latency"
    ATTEMPTS = "attempts"
    TIMEOUT = "timeout"
    LOCAL_ONLY = "local_only"
    CACHE = "cache"
    STALE_OK = "stale_ok"
    DEFAULT_TEXT = "default_text"
    PRIORITY = "priority"
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


_NEEDS = ("vision", "tools", "structured", "reasoning")
_MOST_TURNS = 500
_PROVIDERS = vol.All(listed, [whole_text])
_TURN = vol.Schema(
    {vol.Required("role"): vol.In([Role.USER.value, Role.ASSISTANT.value]), vol.Required("text"): whole_text}
)
_MEDIUM = vol.Schema({vol.Required(CONTENT_ID): whole_text}, extra=vol.REMOVE_EXTRA)

# Of whom it is asked, and within which bounds.
ROUTE_FIELDS: dict[vol.Marker, Any] = {
    vol.Optional(Field.POOL): whole_text,
    vol.Optional(Field.PROVIDER): _PROVIDERS,
    vol.Optional(Field.MODEL): whole_text,
    vol.Optional(Field.PREFER): _PROVIDERS,
    vol.Optional(Field.EXCLUDE): _PROVIDERS,
    vol.Optional(Field.STRATEGY): whole_text,
    vol.Optional(Field.MAX_COST): vol.All(vol.Coerce(float), vol.Range(min=0, max=MOST_DOLLARS)),
    vol.Optional(Field.MAX_LATENCY): vol.All(vol.Coerce(float), vol.Range(min=0.1, max=_LONGEST_TIMEOUT)),
    vol.Optional(Field.ATTEMPTS): vol.All(vol.Coerce(int), vol.Range(min=1, max=20)),
    vol.Optional(Field.TIMEOUT): seconds(_LONGEST_TIMEOUT),
    vol.Optional(Field.LOCAL_ONLY): cv.boolean,
    vol.Optional(Field.LABEL): vol.All(whole_text, vol.Length(max=64)),
}
# What is asked besides the prompt.
CHAT_FIELDS: dict[vol.Marker, Any] = {
    vol.Optional(Field.SYSTEM): whole_text,
    vol.Optional(Field.IMAGES): vol.All(given, cv.entity_ids),
    vol.Optional(Field.MEDIA): vol.All(listed, [_MEDIUM]),
    vol.Optional(Field.FILES): vol.All(listed, [vol.All(whole_text, vol.Length(min=1, max=2_000))]),
    vol.Optional(Field.STRUCTURE): structure,
    vol.Optional(Field.HISTORY): vol.All([_TURN], vol.Length(max=_MOST_TURNS)),
    vol.Optional(Field.TRIM): cv.boolean,
    vol.Optional(Field.CONVERSATION): vol.All(whole_text, vol.Length(min=1, max=128)),
    vol.Optional(Field.NEEDS): vol.All(listed, [vol.In(_NEEDS)]),
    vol.Optional(Field.MAX_TOKENS): vol.All(vol.Coerce(int), vol.Range(min=1, max=_MOST_TOKENS)),
    vol.Optional(Field.TEMPERATURE): vol.All(vol.Coerce(float), vol.Range(min=0, max=2)),
    vol.Optional(Field.TOP_P): vol.All(vol.Coerce(float), vol.Range(min=0, max=1)),
    vol.Optional(Field.REASONING): vol.In(["low", "medium", "high"]),
    vol.Optional(Field.CACHE): vol.In([mode.value for mode in CacheMode]),
    vol.Optional(Field.STALE_OK): cv.boolean,
    vol.Optional(Field.DEFAULT_TEXT): whole_text,
}
PROMPT_FIELDS: dict[vol.Marker, Any] = {vol.Required(Field.PROMPT): whole_text, **CHAT_FIELDS, **ROUTE_FIELDS}


async def returned(hub: Hub, wish: str, answer: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Wait for an action's answer: its failures are translated, and raised, or returned as data where that is wished."""
    try:
        return await answer
    except RequestFailed as err:
        exception = to_exception(err, hub.name_of, hub.wording)
        if wish == OnError.RETURN:
            return refusal_data(err, exception, hub.name_of, hub.wording, await _person(hub, err))
        raise exception from err
    except Unauthorized:
        raise
    except HomeAssistantError as err:
        if wish == OnError.RETURN:
            return _unsent(err)
        raise


async def _person(hub: Hub, error: RequestFailed) -> str | None:
    """Return the name of whose own budget stood in the way, if one did and he is known."""
    if error.bucket is None or error.bucket.scope is not Scope.USER:
        return None
    return (await user_names(hub.hass)).get(error.bucket.id)


async def answered(
    call: ServiceCall, action: Callable[[Hub, ServiceCall], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Run an action as `on_error` says: a router that is not set up, or just being reloaded, is a failure as well."""
    wish = call.data[Field.ON_ERROR]
    try:
        hub = loaded(call.hass)
    except ServiceValidationError as err:
        if wish == OnError.RETURN:
            return _unsent(err)
        raise
    return await returned(hub, wish, action(hub, call))


def _unsent(error: HomeAssistantError) -> dict[str, Any]:
    """Describe what failed before there was a request, with the names that every failure has."""
    return {
        "error": {"code": error.translation_key, "message": str(error)}
        | dict.fromkeys(("failure", "bucket", "free_at")),
        "request_id": None,
        "cost": {"amount": 0.0, "currency": CURRENCY, "estimated": False},
        "route": None,
        "attempts": [],
    }


async def chat_request(hub: Hub, call: ServiceCall, data: Mapping[str, Any]) -> Request:
    """Turn a prompt with its fields into a request; raises translated errors for what is wrong with it."""
    prompt = data[Field.PROMPT]
    if not prompt.strip():
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="empty_prompt")
    request = await _request(hub, call, data)
    shown = _shown(data)
    pictures = await _pictures(hub, call, data, request, shown)
    messages = [Message(Role(turn["role"]), (Text(turn["text"]),)) for turn in data.get(Field.HISTORY, ())]
    messages.append(Message(Role.USER, (*pictures, Text(prompt))))
    if system := data.get(Field.SYSTEM):
        messages.insert(0, Message(Role.SYSTEM, (Text(system),)))
    needs = request.needs
    for name in data.get(Field.NEEDS, ()):
        needs |= CAPABILITIES[name]
    degrade = Degrade(data.get(Field.STALE_OK, False), data.get(Field.DEFAULT_TEXT))
    return replace(
        request,
        messages=tuple(messages),
        session_id=data.get(Field.CONVERSATION),
        structure=data.get(Field.STRUCTURE),
        sampling=Sampling(
            temperature=data.get(Field.TEMPERATURE),
            top_p=data.get(Field.TOP_P),
            reasoning=data.get(Field.REASONING),
        ),
        needs=needs,
        cache_mode=CacheMode(data.get(Field.CACHE, CacheMode.DEFAULT)),
        priority=Priority(data.get(Field.PRIORITY, Priority.AUTOMATION)),
        # Under whichever name a rule knows them.
        entities=tuple(dict.fromkeys(name for each in shown for name in (each, lasting_id(hub.hass, each)))),
        areas=tuple(dict.fromkeys(area for each in shown if (area := area_of(hub.hass, each)) is not None)),
        trim=data.get(Field.TRIM, False),
        degrade=None if degrade == Degrade() else degrade,
    )


def pictures_in(request: Request) -> int:
    """Count a request's pictures."""
    return sum(isinstance(part, Image) for message in request.messages for part in message.parts)


def _shown(data: Mapping[str, Any]) -> list[str]:
    """Return the entities whose pictures are sent along."""
    picked = (entity_of(media) for media in data.get(Field.MEDIA, ()))
    return [*data.get(Field.IMAGES, ()), *(entity_id for entity_id in picked if entity_id is not None)]


async def _pictures(
    hub: Hub, call: ServiceCall, data: Mapping[str, Any], request: Request, entity_ids: Sequence[str]
) -> tuple[Image, ...]:
    local_only = request.local_only or hub.router.config.local_only
    sources = [media_source(hub.hass, media) for media in data.get(Field.MEDIA, ()) if entity_of(media) is None]
    sources += (file_source(hub.hass, place, local_only=local_only) for place in data.get(Field.FILES, ()))
    useful = useful_edge(hub.router.config, request, kinds(hub.hass))
    edge = min(picture_size(hub.options) or useful, useful)
    return await collect(hub.hass, call.context, entity_ids, sources, max_edge=edge)


async def embedding_request(hub: Hub, call: ServiceCall, texts: list[str], data: Mapping[str, Any]) -> Request:
    """Turn texts with an action's fields into a request; raises translated errors for what is wrong with it."""
    messages = tuple(Message(Role.USER, (Text(text),)) for text in texts)
    return replace(await _request(hub, call, data), messages=messages, op=Op.EMBED)


async def _request(hub: Hub, call: ServiceCall, data: Mapping[str, Any]) -> Request:
    """Return a request without what is asked: who asks, of whom, within which bounds."""
    await hub.in_step()
    max_cost = data.get(Field.MAX_COST)

    def providers(field: Field) -> tuple[str, ...]:
        return tuple(provider_id(hub, reference, waiting=True) for reference in data.get(field, ()))

    return Request(
        id=new_id(),
        caller=await caller_of(call.hass, call.context),
        messages=(),
        pins=Pins(
            pool=pool_or_all(hub, data[Field.POOL]) if Field.POOL in data else None,
            providers=providers(Field.PROVIDER),
            models=(data[Field.MODEL],) if Field.MODEL in data else (),
            prefer=providers(Field.PREFER),
            exclude=providers(Field.EXCLUDE),
            strategy=data.get(Field.STRATEGY),
        ),
        local_only=data.get(Field.LOCAL_ONLY, False),
        bounds=Bounds(
            timeout=data.get(Field.TIMEOUT),
            attempts=data.get(Field.ATTEMPTS),
            max_cost=None if max_cost is None else to_picodollars(max_cost),
            max_output=data.get(Field.MAX_TOKENS),
            max_latency=data.get(Field.MAX_LATENCY),
        ),
        label=data.get(Field.LABEL),
    )


def new_id() -> str:
    """Return a new request's id; later ones sort behind earlier ones."""
    return f"{int(time.time() * 1000):011x}{os.urandom(5).hex()}"
