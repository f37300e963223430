"""The actions of AI Router."""

import os
import time
from enum import StrEnum

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import service

from .answers import plan_data, refusal_data, reply_data, to_exception
from .const import DOMAIN
from .hub import Hub, RouterConfigEntry
from .pictures import collect
from .routing.model import Bounds, Caller, Message, Part, Pins, Request, Role, Sampling, Text
from .routing.money import to_picodollars
from .routing.refusals import RequestFailed

_MAX_EDGE = 1_568
_LONGEST_TIMEOUT = 3_600
_MOST_TOKENS = 1_000_000


class Action(StrEnum):
    """Names of the actions."""

    PROCESS = "process"


class Field(StrEnum):
    """Names of the fields of `process`."""

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
    DRY_RUN = "dry_run"
    ON_ERROR = "on_error"


class OnError(StrEnum):
    """What `process` does with a failure: raise it, or return it as data."""

    RAISE = "raise"
    RETURN = "return"


_PROCESS_SCHEMA = vol.Schema(
    {
        vol.Required(Field.PROMPT): cv.string,
        vol.Optional(Field.SYSTEM): cv.string,
        vol.Optional(Field.IMAGES): cv.entity_ids,
        vol.Optional(Field.PROVIDER): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional(Field.MODEL): cv.string,
        vol.Optional(Field.MAX_TOKENS): vol.All(vol.Coerce(int), vol.Range(min=1, max=_MOST_TOKENS)),
        vol.Optional(Field.TEMPERATURE): vol.All(vol.Coerce(float), vol.Range(min=0, max=2)),
        vol.Optional(Field.MAX_COST): vol.All(vol.Coerce(float), vol.Range(min=0)),
        vol.Optional(Field.TIMEOUT): vol.All(vol.Coerce(float), vol.Range(min=1, max=_LONGEST_TIMEOUT)),
        vol.Optional(Field.LOCAL_ONLY, default=False): cv.boolean,
        vol.Optional(Field.LABEL): vol.All(cv.string, vol.Length(max=64)),
        vol.Optional(Field.DRY_RUN, default=False): cv.boolean,
        vol.Optional(Field.ON_ERROR, default=OnError.RAISE): vol.In([each.value for each in OnError]),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN, Action.PROCESS, _async_process, schema=_PROCESS_SCHEMA, supports_response=SupportsResponse.ONLY
    )


async def _async_process(call: ServiceCall) -> ServiceResponse:
    hub = _hub(call.hass)
    data = call.data
    try:
        request = await _request(hub, call)
        images = len(data.get(Field.IMAGES, ()))
        if data[Field.DRY_RUN]:
            return plan_data(hub.router.plan(request), hub.provider_name, request.id)
        reply = await hub.router.process(request)
    except RequestFailed as err:
        exception = to_exception(err, hub.provider_name)
        if data[Field.ON_ERROR] == OnError.RETURN:
            return refusal_data(err, exception, hub.provider_name)
        raise exception from err
    except Unauthorized:
        raise
    except HomeAssistantError as err:
        if data[Field.ON_ERROR] == OnError.RETURN:
            return {
                "error": {"code": err.translation_key, "failure": None, "message": str(err), "free_at": None},
                "attempts": [],
            }
        raise
    return reply_data(reply, hub.provider_name, images)


def _hub(hass: HomeAssistant) -> Hub:
    entry: RouterConfigEntry = service.async_get_config_entry(hass, DOMAIN, None)
    return entry.runtime_data


async def _request(hub: Hub, call: ServiceCall) -> Request:
    """Turn what the caller wrote into a request; raises translated errors for what is wrong with it."""
    data = call.data
    prompt = data[Field.PROMPT]
    if not prompt.strip():
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="empty_prompt")
    caller = await _caller(call)
    providers = tuple(_provider_id(hub, reference) for reference in data.get(Field.PROVIDER, ()))
    pictures = await collect(call.hass, call.context, data.get(Field.IMAGES, []), max_edge=_MAX_EDGE)
    parts: tuple[Part, ...] = (*pictures, Text(prompt))
    messages: tuple[Message, ...] = (Message(Role.USER, parts),)
    if system := data.get(Field.SYSTEM):
        messages = (Message(Role.SYSTEM, (Text(system),)), *messages)
    max_cost = data.get(Field.MAX_COST)
    return Request(
        id=f"{int(time.time() * 1000):011x}{os.urandom(5).hex()}",
        caller=caller,
        messages=messages,
        sampling=Sampling(temperature=data.get(Field.TEMPERATURE)),
        pins=Pins(providers=providers, models=(data[Field.MODEL],) if Field.MODEL in data else ()),
        local_only=data[Field.LOCAL_ONLY],
        bounds=Bounds(
            timeout=data.get(Field.TIMEOUT),
            max_cost=None if max_cost is None else to_picodollars(max_cost),
            max_output=data.get(Field.MAX_TOKENS),
        ),
        label=data.get(Field.LABEL),
    )


async def _caller(call: ServiceCall) -> Caller:
    context = call.context
    if context.user_id is None:
        return Caller(context_id=context.id)
    user = await call.hass.auth.async_get_user(context.user_id)
    if user is None:
        raise UnknownUser(context=context)
    return Caller(user_id=user.id, admin=user.is_admin, context_id=context.id)


def _provider_id(hub: Hub, reference: str) -> str:
    """Find a provider by its name or by its device."""
    names = {provider.name.casefold(): provider.id for provider in hub.router.config.providers.values()}
    found = names.get(reference.strip().casefold())
    if found is None:
        device = dr.async_get(hub.hass).async_get(reference)
        if device is not None and device.config_subentry_id in hub.router.config.providers:
            found = device.config_subentry_id
    if found is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="unknown_provider",
            translation_placeholders={
                "provider": reference,
                "known": ", ".join(provider.name for provider in hub.router.config.providers.values()) or "-",
            },
        )
    return found
