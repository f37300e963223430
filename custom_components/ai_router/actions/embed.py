"""The actions `embed` and `find_similar`: texts as vectors, and the texts that are nearest to one."""

from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv

from ..answers import reply_data
from ..const import DOMAIN
from ..hub import Hub
from ..routing.call import Vector
from ..routing.outcome import Reply
from ..routing.similarity import find_nearest
from .asking import ROUTE_FIELDS, answered, embedding_request, on_error
from .texts import whole_text

_EMBED, _FIND = "embed", "find_similar"
_TEXTS, _QUERY, _LIMIT, _LEAST = "texts", "query", "limit", "min_similarity"
# Vectors are returned as numbers in full: more of them would be a response of many megabytes.
_MOST_EMBEDDED = 250
_MOST_SEARCHED = 2_000
_USUAL_MATCHES = 5
# What of a reply in words is true of one in vectors too.
_TOLD = ("provider", "model", "pool", "request_id", "usage", "cost", "latency_ms", "route", "attempts")


def _texts(most: int) -> dict[vol.Marker, Any]:
    return {vol.Required(_TEXTS): vol.All(cv.ensure_list, vol.Length(min=1, max=most), [whole_text])}


_EMBED_SCHEMA = vol.Schema({**_texts(_MOST_EMBEDDED), **ROUTE_FIELDS, **on_error()})
_FIND_SCHEMA = vol.Schema(
    {
        vol.Required(_QUERY): whole_text,
        **_texts(_MOST_SEARCHED),
        vol.Optional(_LIMIT, default=_USUAL_MATCHES): vol.All(vol.Coerce(int), vol.Range(min=1, max=_MOST_SEARCHED)),
        vol.Optional(_LEAST, default=-1): vol.All(vol.Coerce(float), vol.Range(min=-1, max=1)),
        **ROUTE_FIELDS,
        **on_error(),
    }
)


@callback
def async_setup_embedding(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, action, schema in ((_EMBED, _embed, _EMBED_SCHEMA), (_FIND, _find_similar, _FIND_SCHEMA)):

        async def run(call: ServiceCall, action: Any = action) -> ServiceResponse:
            return await answered(call, action)

        hass.services.async_register(DOMAIN, name, run, schema=schema, supports_response=SupportsResponse.ONLY)


def _check(texts: list[str]) -> None:
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="empty_text",
                translation_placeholders={"number": str(number)},
            )


async def _embed(hub: Hub, call: ServiceCall) -> dict[str, Any]:
    _check(call.data[_TEXTS])
    reply = await hub.router.process(await embedding_request(hub, call, call.data[_TEXTS], call.data))
    vectors = await hub.hass.async_add_executor_job(_as_lists, reply.vectors)
    return {"vectors": vectors, "dimensions": len(reply.vectors[0]), **_told(hub, reply)}


async def _find_similar(hub: Hub, call: ServiceCall) -> dict[str, Any]:
    data = call.data
    texts = data[_TEXTS]
    if not data[_QUERY].strip():
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="empty_query")
    _check(texts)
    # All in one request: vectors of two models cannot be compared.
    reply = await hub.router.process(await embedding_request(hub, call, [data[_QUERY], *texts], data))
    matches = await find_nearest(reply.vectors[0], reply.vectors[1:], data[_LIMIT], data[_LEAST])
    return {
        "matches": [
            {"index": match.place, "text": texts[match.place], "similarity": round(match.similarity, 6)}
            for match in matches
        ],
        **_told(hub, reply),
    }


def _as_lists(vectors: tuple[Vector, ...]) -> list[list[float]]:
    return [vector.tolist() for vector in vectors]


def _told(hub: Hub, reply: Reply) -> dict[str, Any]:
    told = reply_data(reply, hub.name_of, hub.wording, 0)
    return {name: told[name] for name in _TOLD}
