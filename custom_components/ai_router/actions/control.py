"""Actions that change something: providers' settings, limits and breakers, the cache, the ledger. For admins.

Whatever they change is noted in the ledger's audit: who, when, what.
"""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service

from ..callers import loaded, provider_id
from ..changes import change_provider, note
from ..const import DOMAIN, MOST_DOLLARS, Conf
from ..routing.fleet import target_of
from ..routing.ports import LedgerUnavailable
from ..routing.tickets import BucketKey, Scope, Unit, Window
from ..storage.audit import Changed
from ..stored_settings import BUDGET_WINDOWS
from .texts import whole_text

SET_PROVIDER, RESET, CLEAR_CACHE, PURGE = "set_provider", "reset", "clear_cache", "purge"
PROVIDER, WHAT, BEFORE, EVERYTHING, KEY = "provider", "what", "before", "everything", "key"
LIMITS, BREAKER = "limits", "breaker"
UNIT, WINDOW, MODEL = "unit", "window", "model"
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
    **dict.fromkeys(BUDGET_WINDOWS, vol.All(vol.Coerce(float), vol.Range(min=0, max=MOST_DOLLARS))),
}
# What may be taken away altogether, by giving null.
_REMOVABLE = _CHANGES.keys() - {Conf.ENABLED, Conf.PRIORITY, Conf.WEIGHT, Conf.BUDGET_ONLY_WARNS}

_SET_PROVIDER_SCHEMA = vol.Schema(
    {
        vol.Required(PROVIDER): whole_text,
        **{
            vol.Optional(key.value): vol.Any(None, check) if key in _REMOVABLE else check
            for key, check in _CHANGES.items()
        },
    }
)
_LIMIT_WINDOWS = (Window.MINUTE, Window.HOUR, Window.BURST, Window.NOW, Window.TOLD)
_RESET_SCHEMA = vol.Schema(
    {
        vol.Optional(PROVIDER): whole_text,
        vol.Optional(WHAT, default=[LIMITS, BREAKER]): vol.All(cv.ensure_list, [vol.In([LIMITS, BREAKER])]),
        vol.Optional(UNIT): vol.In([unit.value for unit in Unit if unit is not Unit.MONEY]),
        vol.Optional(WINDOW): vol.In([window.value for window in _LIMIT_WINDOWS]),
        vol.Optional(MODEL): whole_text,
    }
)
_CLEAR_SCHEMA = vol.Schema({vol.Optional(KEY): whole_text})
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
    await hub.in_step()
    about = provider_id(hub, call.data[PROVIDER])
    changes = {key: value for key, value in call.data.items() if key != PROVIDER}
    if not changes:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="nothing_to_change")
    await change_provider(hub, call.context, about, changes)


async def _async_reset(call: ServiceCall) -> None:
    hub = loaded(call.hass)
    await hub.in_step()
    router, data = hub.router, call.data
    about = provider_id(hub, data[PROVIDER]) if PROVIDER in data else ""
    providers = [about] if about else [*router.config.providers]
    one = {name: data[name] for name in (UNIT, WINDOW, MODEL) if name in data}
    limits = [(each, status.key) for each in providers for status in router.limits(each) if _is_meant(status.key, one)]
    if one and not limits:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="limit_not_known")
    # Who names a limit means no breaker.
    what = [LIMITS] if one else data[WHAT]
    text = ", ".join((*what, *(f"{name}: {value}" for name, value in one.items())))
    await note(hub, call.context, Changed.SETTINGS, f"reset of {text}", about)
    if one:
        for each, key in limits:
            router.reset_limits(each, key)
    for each in providers:
        if LIMITS in what and not one:
            router.reset_limits(each)
        if BREAKER in what:
            router.mend(each)
    hub.coordinator.refresh_soon()


def _is_meant(key: BucketKey, one: Mapping[str, str]) -> bool:
    """Say whether a limit is the one that is described as the status describes it."""
    model = target_of(key).model_id if key.scope is Scope.TARGET else None
    described = {UNIT: key.unit.value, WINDOW: key.window.value, MODEL: model}
    return all(described[name] == value for name, value in one.items())


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
