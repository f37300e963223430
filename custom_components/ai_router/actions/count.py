"""The action `count_tokens`: how long a prompt is, without asking it."""

from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback

from ..const import DOMAIN
from ..hub import Hub
from .asking import PROMPT_FIELDS, Field, answered, chat_request, on_error

_ACTION = "count_tokens"
_NOT_ASKED = (
    *(Field.MAX_TOKENS, Field.TEMPERATURE, Field.TOP_P, Field.REASONING, Field.MAX_COST, Field.MAX_LATENCY),
    *(Field.ATTEMPTS, Field.LABEL, Field.CACHE, Field.STALE_OK, Field.DEFAULT_TEXT, Field.CONVERSATION),
)
_SCHEMA = vol.Schema(
    {**{field: check for field, check in PROMPT_FIELDS.items() if field not in _NOT_ASKED}, **on_error()}
)


@callback
def async_setup_counting(hass: HomeAssistant) -> None:
    """Register the action."""
    hass.services.async_register(
        DOMAIN, _ACTION, _async_count_tokens, schema=_SCHEMA, supports_response=SupportsResponse.ONLY
    )


async def _async_count_tokens(call: ServiceCall) -> ServiceResponse:
    return await answered(call, _count)


async def _count(hub: Hub, call: ServiceCall) -> dict[str, Any]:
    counted = await hub.router.count(await chat_request(hub, call, call.data))
    return {
        "tokens": counted.tokens,
        "exact": counted.exact,
        "provider": hub.provider_name(counted.target.provider_id),
        "model": counted.target.model_id,
    }
