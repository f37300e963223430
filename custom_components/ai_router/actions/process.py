"""`process`: one prompt, answered by the best target that may answer."""

from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv

from ..answers import plan_data, reply_data
from ..const import DOMAIN
from ..hub import Hub
from ..routing.request import Priority
from .asking import PROMPT_FIELDS, Field, answered, chat_request, on_error, pictures_in

PROCESS = "process"
_DRY_RUN = "dry_run"
_SCHEMA = vol.Schema(
    {
        **PROMPT_FIELDS,
        vol.Optional(Field.PRIORITY): vol.In([priority.value for priority in Priority]),
        vol.Optional(_DRY_RUN, default=False): cv.boolean,
        **on_error(),
    }
)


@callback
def async_setup_process(hass: HomeAssistant) -> None:
    """Register the action."""
    hass.services.async_register(
        DOMAIN, PROCESS, _async_process, schema=_SCHEMA, supports_response=SupportsResponse.ONLY
    )


async def _async_process(call: ServiceCall) -> ServiceResponse:
    return await answered(call, _process)


async def _process(hub: Hub, call: ServiceCall) -> dict[str, Any]:
    data = call.data
    request = await chat_request(hub, call, data)
    if data[_DRY_RUN]:
        return plan_data(hub.router.plan(request), hub.name_of, hub.wording, request.id)
    reply = await hub.router.process(request)
    return reply_data(reply, hub.name_of, hub.wording, pictures_in(request))
