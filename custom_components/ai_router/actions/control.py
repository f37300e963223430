"""Actions that change something: providers' settings, limits and breakers, the cache, the ledger. For admins.

Whatever they change is noted in the ledger's audit: who, when, what.
"""

from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service

from ..callers import loaded, provider_id
from ..changes import change_provider, note
from ..const import DOMAIN, Conf
from ..routing.ports import LedgerUnavailable
from ..settings import BUDGET_WINDOWS
from ..storage.audit import Changed

SET_PROVIDER, RESET, CLEAR_CACHE, PURGE = "set_provider", "reset", "clear_cache", "purge"
PROVIDER, WHAT, BEFORE, EVERYTHING, KEY = "provider", "what", "before", "everything", "key"
LIMITS, BREAKER = "limits", "breaker"
_MOST_DOLLARS = 1_000_000
_MOST = 10_000_000

_WHOLE = vol.All(vol.Coerce(int), vol.Range(min=1, max=_MOST))
_CHANGES: dict[Conf, Any] = {
    Conf.ENABLED: cv.boolean,
    Conf.PRIORITY: vol.All(vol.Coerce(int), vol.Range(min=0, max=1_000)),
    Conf.WEIGHT: vol.All(vol.Coerce(float), vol.Range(min=0, max=1_000)),
    Conf.REQUESTS_PER_MINUTE: _WHOLE,
    Conf.REQUESTS_PER_HOUR: _WHOLE,
    Conf.BURST: _WHOLE,
    Conf.TOKENS_PER_MINUTE: _WHOLE,
    Conf.CONCURRENT: _WHOLE,
    Conf.BUDGET_ONLY_WARNS: cv.boolean,
    **dict.fromkeys(BUDGET_WINDOWS, vol.All(vol.Coerce(float), vol.Range(min=0, max=_MOST_DOLLARS))),
}
# What may be taken away altogether, by giving null.
_REMOVABLE = _CHANGES.keys() - {Conf.ENABLED, Conf.PRIORITY, Conf.WEIGHT, Conf.BUDGET_ONLY_WARNS}

_SET_PROVIDER_SCHEMA = vol.Schema(
    {
        vol.Required(PROVIDER): cv.string,
        **{
            vol.Optional(key.value): vol.Any(None, check) if key in _REMOVABLE else check
            for key, check in _CHANGES.items()
        },
    }
)
_RESET_SCHEMA = vol.Schema(
    {
        vol.Optional(PROVIDER): cv.string,
        vol.Optional(WHAT, default=[LIMITS, BREAKER]): vol.All(cv.ensure_list, [vol.In([LIMITS, BREAKER])]),
    }
)
_CLEAR_SCHEMA = vol.Schema({vol.Optional(KEY): cv.string})
_PURGE_SCHEMA = vol.Schema(
    {vol.Exclusive(BEFORE, "days"): cv.date, vol.Exclusive(EVERYTHING, "days"): vol.All(cv.boolean, True)}
)


@callback
def async_setup_control(hass: HomeAssistant) -> None:
    """Register the actions."""
    register = async_register_admin_service
    register(hass, DOMAIN, SET_PROVIDER, _async_set_provider, schema=_SET_PROVIDER_SCHEMA)
    register(hass, DOMAIN, RESET, _async_reset, schema=_RESET_SCHEMA)
    register(hass, DOMAIN, CLEAR_CACHE, _async_clear_cache, schema=_CLEAR_SCHEMA)
    register(hass, DOMAIN, PURGE, _async_purge, schema=_PURGE_SCHEMA, supports_response=SupportsResponse.OPTIONAL)


async def _async_set_provider(call: ServiceCall) -> None:
    hub = loaded(call.hass)
    about = provider_id(hub, call.data[PROVIDER])
    changes = {key: value for key, value in call.data.items() if key != PROVIDER}
    if not changes:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="nothing_to_change")
    await change_provider(hub, call.context, about, changes)


async def _async_reset(call: ServiceCall) -> None:
    hub = loaded(call.hass)
    router = hub.router
    providers = [provider_id(hub, call.data[PROVIDER])] if PROVIDER in call.data else [*router.config.providers]
    await note(
        hub, call.context, Changed.SETTINGS, f"reset of {', '.join(call.data[WHAT])}", call.data.get(PROVIDER, "")
    )
    for each in providers:
        if LIMITS in call.data[WHAT]:
            router.reset_limits(each)
        if BREAKER in call.data[WHAT]:
            router.mend(each)
    hub.coordinator.refresh_soon()


async def _async_clear_cache(call: ServiceCall) -> None:
    hub = loaded(call.hass)
    await note(hub, call.context, Changed.DATA, "one cached answer dropped" if KEY in call.data else "cache cleared")
    await hub.router.answers.drop(call.data.get(KEY))
    hub.coordinator.refresh_soon()


async def _async_purge(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    if not call.data:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="purge_of_what")
    before = call.data[BEFORE].isoformat() if BEFORE in call.data else None
    await note(hub, call.context, Changed.DATA, f"ledger purged {'whole' if before is None else f'before {before}'}")
    try:
        attempts = await hub.ledger.purge(before)
    except LedgerUnavailable as err:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="ledger_unavailable") from err
    return {"attempts": attempts}
