"""The action `estimate`: what so many tokens cost on each target.

It answers with `targets`, the cheapest first and those of unknown price last: `provider`, `model`, `cost` (`amount`
and `currency`, or nothing where the price is unknown), `local`, and of the price its `source` (`user`, `provider` for
the server's own list, `free`, or the publication in the shipped table) and `as_of`, the day on which it was true.
"""

from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv

from ..answers import money
from ..callers import loaded
from ..const import CURRENCY, DOMAIN
from ..hub import Hub
from ..routing.estimates import TargetPrice
from ..routing.model import Capability
from ..stored_models import CAPABILITIES

_ACTION = "estimate"
_INPUT, _OUTPUT, _IMAGES, _NEEDS, _LOCAL_ONLY = "input_tokens", "output_tokens", "images", "needs", "local_only"
_USUAL_OUTPUT = 1_000
_MOST_TOKENS = 100_000_000
_MOST_IMAGES = 1_000
_NEEDED = ("vision", "tools", "structured", "reasoning", "embeddings")


def _whole(most: int) -> vol.All:
    return vol.All(vol.Coerce(int), vol.Range(min=0, max=most))


_SCHEMA = vol.Schema(
    {
        vol.Required(_INPUT): _whole(_MOST_TOKENS),
        vol.Optional(_OUTPUT, default=_USUAL_OUTPUT): _whole(_MOST_TOKENS),
        vol.Optional(_IMAGES, default=0): _whole(_MOST_IMAGES),
        vol.Optional(_NEEDS, default=[]): vol.All(cv.ensure_list, [vol.In(_NEEDED)]),
        vol.Optional(_LOCAL_ONLY, default=False): cv.boolean,
    }
)


@callback
def async_setup_estimate(hass: HomeAssistant) -> None:
    """Register the action."""
    hass.services.async_register(
        DOMAIN, _ACTION, _async_estimate, schema=_SCHEMA, supports_response=SupportsResponse.ONLY
    )


async def _async_estimate(call: ServiceCall) -> ServiceResponse:
    hub, data = loaded(call.hass), call.data
    await hub.in_step()
    embeds = "embeddings" in data[_NEEDS]
    needs = Capability.NONE if embeds else Capability.CHAT
    for name in data[_NEEDS]:
        needs |= CAPABILITIES[name]
    if data[_IMAGES]:
        needs |= Capability.VISION
    prices = hub.router.estimate(
        data[_INPUT],
        0 if embeds else data[_OUTPUT],
        needs=needs,
        pictures=data[_IMAGES],
        local_only=data[_LOCAL_ONLY],
    )
    return {"targets": [_target(hub, price) for price in prices]}


def _target(hub: Hub, price: TargetPrice) -> dict[str, Any]:
    return {
        "provider": hub.provider_name(price.target.provider_id),
        "model": price.target.model_id,
        "cost": None if price.cost is None else {"amount": money(price.cost), "currency": CURRENCY},
        "local": price.local,
        "source": price.source,
        "as_of": price.as_of or None,
    }
