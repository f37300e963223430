"""`get_status` and `check_health`: how the router stands, and what its providers say when they are asked."""

import asyncio
from typing import Any

import voluptuous as vol
from homeassistant.auth.models import User
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util

from ..answers import money
from ..callers import caller_of, calling_user, loaded, provider_id
from ..const import CURRENCY, DOMAIN
from ..flows.fields import household
from ..hub import Hub
from ..routing.breaker import BreakerState
from ..routing.budgets import MoneyBucket
from ..routing.config import ProviderConfig
from ..routing.fleet import pool_money, provider_money, request_money, router_money, target_of
from ..routing.limits import LimitStatus
from ..routing.model import Message, Model, Role, Target, Text
from ..routing.refusals import RequestFailed
from ..routing.request import Bounds, Caller, Pins, Request
from ..routing.tickets import BucketKey, Scope
from ..stored_models import CAPABILITIES
from .asking import new_id
from .texts import whole_text

GET_STATUS, CHECK_HEALTH = "get_status", "check_health"
PROVIDER, DEEP = "provider", "deep"
_DEEP_PROMPT = "Reply with the word OK."
_DEEP_TOKENS = 16

_STATUS_SCHEMA = vol.Schema({vol.Optional(PROVIDER): vol.All(cv.ensure_list, [whole_text])})
_CHECK_SCHEMA = vol.Schema(
    {vol.Optional(PROVIDER): vol.All(cv.ensure_list, [whole_text]), vol.Optional(DEEP, default=False): cv.boolean}
)


@callback
def async_setup_status(hass: HomeAssistant) -> None:
    """Register the actions."""
    register = hass.services.async_register
    register(DOMAIN, GET_STATUS, _async_get_status, schema=_STATUS_SCHEMA, supports_response=SupportsResponse.ONLY)
    register(DOMAIN, CHECK_HEALTH, _async_check, schema=_CHECK_SCHEMA, supports_response=SupportsResponse.OPTIONAL)


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else dt_util.as_local(dt_util.utc_from_timestamp(seconds)).isoformat()


def _chosen(hub: Hub, call: ServiceCall) -> list[ProviderConfig]:
    providers = hub.router.config.providers
    wanted = [provider_id(hub, each) for each in call.data.get(PROVIDER, ())] or [*providers]
    return [providers[each] for each in wanted]


async def _async_get_status(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    await hub.in_step()
    router, config = hub.router, hub.router.config
    overall = router.overall_health()
    user = await calling_user(call.hass, call.context)
    cache = router.answers.stats()
    found: dict[str, Any] = {
        "health": overall.level.value,
        "reason": overall.reason,
        "under_way": router.under_way,
        "queued": router.queued,
        "budgets": _budgets(hub, router_money(config)),
        "providers": [_provider(hub, provider) for provider in _chosen(hub, call)],
        "pools": [
            {
                "name": pool.name,
                "strategy": pool.strategy or config.strategy,
                "budgets": _budgets(hub, pool_money(pool)),
            }
            for pool in config.pools.values()
        ],
        **await _shares(hub, user),
        "cache": {
            "use": config.cache.use.value,
            "hits": cache.hits,
            "misses": cache.misses,
            "joined": cache.joined,
            "hit_rate": None if cache.hit_rate is None else round(100 * cache.hit_rate, 1),
            "entries": cache.entries,
            "bytes": cache.bytes,
            "saved": {"amount": money(cache.saved), "currency": CURRENCY},
        },
        "configuration": _configuration(hub) if user is None or user.is_admin else None,
    }
    return found


def _configuration(hub: Hub) -> dict[str, Any]:
    config = hub.router.config
    return {
        "strategy": config.strategy,
        "failover": config.failover,
        "local_only": config.local_only,
        "timeout": config.bounds.timeout,
        "max_tokens": config.max_output,
        "rules": [{"name": rule.name, "enabled": rule.enabled} for rule in config.rules],
    }


async def _shares(hub: Hub, user: User | None) -> dict[str, Any]:
    """Tell of the budgets of labels, and of those of people: who is no admin sees the own ones."""
    config = hub.router.config
    names = await household(hub.hass) if user is None or user.is_admin else {user.id: user.name}
    people = {names[each]: request_money(config, Caller(each), None) for each in names}
    labels = {label: request_money(config, Caller(), label) for label in config.label_budgets}
    return {
        "people": [{"name": name, "budgets": _budgets(hub, keys)} for name, keys in people.items() if keys],
        "labels": [{"label": label, "budgets": _budgets(hub, keys)} for label, keys in labels.items() if keys],
    }


def _budgets(hub: Hub, keys: tuple[BucketKey, ...]) -> list[dict[str, Any]]:
    admission, now = hub.router.admission, hub.clock.now()
    found: list[dict[str, Any]] = []
    for key in keys:
        bucket: MoneyBucket = admission.money(key)
        entry: dict[str, Any] = {
            "window": key.window.value,
            "spent": money(bucket.account.settled),
            "held": money(bucket.account.held),
            "limit": None if bucket.limit is None else money(bucket.limit),
            "hard": bucket.hard if bucket.limit is not None else None,
            "ends": _time(admission.calendar.bounds(key.window, now)[1]),
        }
        found.append(entry)
    return found


def _provider(hub: Hub, provider: ProviderConfig) -> dict[str, Any]:
    router = hub.router
    health = router.health(provider.id)
    recent = router.recent(provider.id)
    return {
        "provider": provider.name,
        "kind": provider.kind,
        "enabled": provider.enabled,
        "priority": provider.priority,
        "weight": provider.weight,
        "health": health.level.value,
        "reason": health.reason,
        "since": _time(health.since),
        "success_rate": None if recent.success_rate is None else round(100 * recent.success_rate, 1),
        "latency_ms": None if recent.latency is None else round(1000 * recent.latency),
        "budgets": _budgets(hub, provider_money(provider)),
        "requests_last_minute": router.admission.requests_last_minute(provider.id),
        "tokens_last_minute": router.admission.tokens_last_minute(provider.id),
        "limits": [_limit(status) for status in router.limits(provider.id)],
        "own_limits": [
            {
                "name": window.name,
                "limit": window.limit,
                "remaining": window.remaining,
                "reset": _time(window.reset_at),
            }
            for window in router.rates(provider.id)
        ],
        "models": [_model(hub, provider, model) for model in provider.models],
    }


def _limit(status: LimitStatus) -> dict[str, Any]:
    return {
        "model": target_of(status.key).model_id if status.key.scope is Scope.TARGET else None,
        "unit": status.key.unit.value,
        "window": status.key.window.value,
        "limit": status.limit,
        "used": status.used,
        "free": _time(status.free_at),
        "learned": status.learned,
    }


def _model(hub: Hub, provider: ProviderConfig, model: Model) -> dict[str, Any]:
    router = hub.router
    breaker = router.admission.breakers.of(Target(provider.id, model.id)).state(hub.clock.monotonic())
    bench = router.benches.of(Target(provider.id, model.id), hub.clock.now())
    prices = model.prices
    rates = None if prices is None else prices.at(hub.clock.now(), 0)
    return {
        "model": model.id,
        "capabilities": [name for name, capability in CAPABILITIES.items() if capability in model.caps],
        "context": model.context,
        "max_output": model.max_output,
        "local": model.local,
        "retires": None if model.retires is None else model.retires.isoformat(),
        "price": None
        if rates is None
        else {
            "input": money(rates.fresh_in * 1_000_000),
            "output": money(rates.text_out * 1_000_000),
            "request": money(rates.requests),
            "source": prices.source if prices is not None else None,
            "as_of": prices.as_of if prices is not None else None,
        },
        "breaker": BreakerState(breaker).value,
        "set_aside": None if bench is None else {"reason": bench.cls.value, "until": _time(bench.until)},
    }


async def _async_check(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    await hub.in_step()
    deep = call.data[DEEP]
    user = await calling_user(call.hass, call.context)
    if deep and user is not None and not user.is_admin:
        raise Unauthorized(context=call.context)
    providers = _chosen(hub, call)
    checks = [_deep(hub, call, provider) if deep else _free(hub, provider) for provider in providers]
    return {"deep": deep, "providers": list(await asyncio.gather(*checks))}


async def _free(hub: Hub, provider: ProviderConfig) -> dict[str, Any]:
    failure = await hub.router.check(provider.id)
    return {
        "provider": provider.name,
        "ok": failure is None,
        "failure": None if failure is None else failure.cls.value,
        "detail": None if failure is None else failure.detail or None,
        "health": hub.router.health(provider.id).level.value,
    }


async def _deep(hub: Hub, call: ServiceCall, provider: ProviderConfig) -> dict[str, Any]:
    """Ask for one word, within all budgets; the plan beforehand says what it may cost."""
    request = Request(
        id=new_id(),
        caller=await caller_of(call.hass, call.context),
        messages=(Message(Role.USER, (Text(_DEEP_PROMPT),)),),
        pins=Pins(providers=(provider.id,)),
        bounds=Bounds(max_output=_DEEP_TOKENS, attempts=1),
        label="health check",
    )
    plan = hub.router.plan(request)
    priced = plan.candidates[0].estimate.cost if plan.candidates else None
    told = {"provider": provider.name, "at_most": None if priced is None else money(priced)}
    try:
        reply = await hub.router.process(request)
    except RequestFailed as err:
        failure = err.failure
        return told | {
            "ok": False,
            "failure": err.code.value if failure is None else failure.cls.value,
            "detail": None if failure is None else failure.detail or None,
            "cost": money(sum(attempt.outcome.cost for attempt in err.attempts)),
        }
    return told | {"ok": True, "failure": None, "detail": None, "cost": money(reply.cost)}
