"""`get_metrics`, `get_experiment` and `score`: how well providers and models answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType

from ..answers import milliseconds, money
from ..callers import loaded, pool_id, provider_id
from ..const import DOMAIN
from ..hub import Hub
from ..routing.experiments import ArmReport, Mean
from ..routing.ports import LedgerUnavailable
from ..storage import metrics
from .periods import PERIOD_FIELDS, Days, days_of
from .texts import whole_text

GET_METRICS, GET_EXPERIMENT, SCORE = "get_metrics", "get_experiment", "score"
BY, PROVIDER, MODEL, INTERVAL, POOL = "by", "provider", "model", "interval", "pool"
REQUEST_ID, VALUE = "request_id", "value"
_DIMENSIONS = {"provider": "provider_id", "model": "model_id", "day": "day"}
# Fewer answers say little about who is fast or reliable.
_ENOUGH = 5
_BEST = 5

_METRICS_SCHEMA = vol.Schema(
    {
        **PERIOD_FIELDS,
        vol.Optional(BY, default=["provider"]): vol.All(cv.ensure_list, [vol.In(list(_DIMENSIONS))], vol.Unique()),
        vol.Optional(PROVIDER): whole_text,
        vol.Optional(MODEL): whole_text,
        vol.Optional(INTERVAL): vol.All(vol.Coerce(int), vol.Range(min=1, max=1_440)),
    }
)
_EXPERIMENT_SCHEMA = vol.Schema({vol.Required(POOL): whole_text})
_SCORE_SCHEMA = vol.Schema(
    {vol.Required(REQUEST_ID): whole_text, vol.Required(VALUE): vol.All(vol.Coerce(float), vol.Range(min=0, max=1))}
)


@callback
def async_setup_metrics(hass: HomeAssistant) -> None:
    """Register the actions."""
    register = hass.services.async_register
    register(DOMAIN, GET_METRICS, _async_get_metrics, schema=_METRICS_SCHEMA, supports_response=SupportsResponse.ONLY)
    register(
        DOMAIN,
        GET_EXPERIMENT,
        _async_get_experiment,
        schema=_EXPERIMENT_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    register(DOMAIN, SCORE, _async_score, schema=_SCORE_SCHEMA)


async def _async_get_metrics(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    await hub.in_step()
    data = call.data
    days = days_of(hub, data)
    provider = provider_id(hub, data[PROVIDER]) if PROVIDER in data else None
    model = data.get(MODEL)
    reader = hub.ledger.reader
    try:
        await hub.ledger.flush()
        by = tuple(_DIMENSIONS[name] for name in data[BY])
        found = await metrics.quality(reader, *days, by, provider, model)
        targets = await metrics.quality(reader, *days, ("provider_id", "model_id"), provider, model)
        errors = await metrics.errors(reader, *days, provider, model)
        timeline = await _timeline(hub, days, data[INTERVAL] * 60, provider, model) if INTERVAL in data else None
    except LedgerUnavailable as err:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="ledger_unavailable") from err
    answer: dict[str, Any] = {
        "from": days.first,
        "to": days.last,
        "rows": [_quality(hub, data[BY], row) for row in found],
        "errors": [
            {"failure": error.failure, "attempts": error.attempts, "share": round(error.share, 4)} for error in errors
        ],
        "fastest": _names(hub, metrics.fastest(targets, _ENOUGH)),
        "most_reliable": _names(hub, metrics.most_reliable(targets, _ENOUGH)),
        "timeline": timeline,
    }
    return answer


def _quality(hub: Hub, by: Sequence[str], row: metrics.Quality) -> dict[str, Any]:
    key = dict(zip(by, row.key, strict=True))
    if "provider" in key:
        key["provider"] = hub.provider_name(key["provider"])
    return {
        **key,
        "attempts": row.attempts,
        "answers": row.answers,
        "success_rate": None if row.success_rate is None else round(100 * row.success_rate, 2),
        "p50_ms": milliseconds(row.p50),
        "p90_ms": milliseconds(row.p90),
        "p99_ms": milliseconds(row.p99),
    }


def _names(hub: Hub, rows: Sequence[metrics.Quality]) -> list[dict[str, Any]]:
    return [_quality(hub, ("provider", "model"), row) for row in rows[:_BEST]]


async def _timeline(
    hub: Hub, days: Days, seconds: int, provider: str | None, model: str | None
) -> list[dict[str, Any]]:
    calendar, now = hub.router.admission.calendar, hub.clock.now()
    begin = datetime.fromisoformat(days.first).replace(tzinfo=calendar.zone).timestamp()
    # No day comes after the last that can be written.
    last = min(days.last, calendar.day(now))
    after = datetime.fromisoformat(last).replace(tzinfo=calendar.zone) + timedelta(days=1)
    # The second that is under way is part of it.
    end = max(begin, min(after.timestamp(), now + 1))
    if end - begin > seconds * metrics.TIMELINE_INTERVALS:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="timeline_too_fine",
            translation_placeholders={"limit": str(metrics.TIMELINE_INTERVALS)},
        )
    found = await metrics.timeline(hub.ledger.reader, begin, end, seconds, provider, model)
    return [
        {
            "start": dt_util.as_local(dt_util.utc_from_timestamp(each.start)).isoformat(),
            "attempts": each.attempts,
            "failures": each.failures,
            "cost": money(each.cost),
            "input_tokens": each.input_tokens,
            "output_tokens": each.output_tokens,
            "latency_ms": milliseconds(each.latency),
        }
        for each in found
    ]


async def _async_get_experiment(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    await hub.in_step()
    pool = pool_id(hub, call.data[POOL])
    name = hub.router.config.pools[pool].name
    try:
        reports = hub.router.experiment(pool)
    except KeyError:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_experiment", translation_placeholders={"pool": name}
        ) from None
    arms: list[JsonValueType] = [_arm(hub, arm) for arm in reports]
    return {"pool": name, "arms": arms}


def _arm(hub: Hub, report: ArmReport) -> JsonObjectType:
    low, high = report.error_between
    return {
        "provider": hub.provider_name(report.arm.provider_id),
        "model": report.arm.model_id,
        "weight": report.weight,
        "requests": report.requests,
        "failures": report.failures,
        "error_rate": _percent(report.error_rate),
        "error_rate_between": [_percent(low), _percent(high)],
        "latency_ms": _mean(report.latency, 1000, digits=1),
        "cost": _mean(report.cost, 1e-12),
        "spent": money(report.spent),
        "score": _mean(report.score),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _mean(mean: Mean, unit: float = 1.0, digits: int | None = None) -> JsonObjectType:
    """Describe a mean with its standard error, in multiples of a unit, to so many digits after the point."""

    def told(figure: float | None) -> float | None:
        if figure is None:
            return None
        return figure * unit if digits is None else round(figure * unit, digits)

    return {"values": mean.values, "mean": told(mean.mean), "error": told(mean.error)}


async def _async_score(call: ServiceCall) -> None:
    if not loaded(call.hass).score(call.data[REQUEST_ID], call.data[VALUE]):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="request_not_known",
            translation_placeholders={"request_id": call.data[REQUEST_ID]},
        )
