"""`get_usage` and `export_usage`: what was spent, by whom and on what."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service

from ..answers import money
from ..callers import calling_user, loaded, provider_id, user_names
from ..const import CURRENCY, DOMAIN
from ..hub import Hub
from ..pictures_of_media import is_allowed_path
from ..routing.ports import LedgerUnavailable
from ..storage import usage
from ..storage.export import TooManyRows, export
from ..storage.queries import UsageRow
from .periods import PERIOD_FIELDS, Days, days_of
from .texts import whole_text

GET_USAGE, EXPORT_USAGE = "get_usage", "export_usage"
BY, TOP, PROVIDER, LABEL, FILE = "by", "top", "provider", "label", "file"
# What it is called in an action, and in the ledger.
_DIMENSIONS = {
    "day": "day",
    "provider": "provider_id",
    "model": "model_id",
    "pool": "pool",
    "user": "user_id",
    "label": "label",
    "source": "source",
    "kind": "op",
}
_MOST_ROWS = 1_000
_LONGEST_TEXT = 1_000_000

_USAGE_SCHEMA = vol.Schema(
    {
        **PERIOD_FIELDS,
        vol.Optional(BY, default=list): vol.All(cv.ensure_list, [vol.In(list(_DIMENSIONS))], vol.Unique()),
        vol.Optional(TOP, default=_MOST_ROWS): vol.All(vol.Coerce(int), vol.Range(min=1, max=_MOST_ROWS)),
        vol.Optional(PROVIDER): whole_text,
        vol.Optional(LABEL): whole_text,
    }
)
_EXPORT_SCHEMA = vol.Schema({**PERIOD_FIELDS, vol.Optional(FILE): whole_text})


@callback
def async_setup_usage(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN, GET_USAGE, _async_get_usage, schema=_USAGE_SCHEMA, supports_response=SupportsResponse.ONLY
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        EXPORT_USAGE,
        _async_export_usage,
        schema=_EXPORT_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )


async def _async_get_usage(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    await hub.in_step()
    days = days_of(hub, call.data)
    by: Sequence[str] = call.data[BY]
    only = await _only(hub, call)
    try:
        await hub.ledger.flush()
        total = await hub.ledger.usage(*days, (), only=only)
        keys = [_DIMENSIONS[name] for name in by]
        rows = await hub.ledger.usage(*days, keys, only=only, top=call.data[TOP]) if by else []
        saved = await usage.saved(hub.ledger.reader, *days)
        calendar = hub.router.admission.calendar
        projected = await usage.projection(
            hub.ledger.reader, calendar.day(hub.clock.now()), hub.router.config.week_start
        )
    except LedgerUnavailable as err:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="ledger_unavailable") from err
    names = await _names(hub)
    return {
        "from": days.first,
        "to": days.last,
        "currency": CURRENCY,
        "total": _sums(total[0]) if total else _NOTHING,
        "rows": [{**_key(by, row.key, names), **_sums(row)} for row in rows],
        "saved_by_cache": {
            "amount": money(saved[0].amount) if saved else 0.0,
            "answers": saved[0].hits if saved else 0,
        },
        "projection": {"week": money(projected.week), "month": money(projected.month), "days": projected.days},
    }


async def _only(hub: Hub, call: ServiceCall) -> dict[str, str]:
    """Return what the ledger is asked about: who is no admin sees by user only what is his own."""
    only: dict[str, str] = {}
    if PROVIDER in call.data:
        only["provider_id"] = provider_id(hub, call.data[PROVIDER])
    if LABEL in call.data:
        only["label"] = call.data[LABEL]
    user = await calling_user(call.hass, call.context)
    if user is not None and not user.is_admin and "user" in call.data[BY]:
        only["user_id"] = user.id
    return only


async def _names(hub: Hub) -> dict[str, Mapping[str, str]]:
    names = hub.names.all()
    return {
        "provider": names,
        "pool": names,
        "user": await user_names(hub.hass),
    }


def _key(by: Sequence[str], key: Sequence[str], names: Mapping[str, Mapping[str, str]]) -> dict[str, str | None]:
    return {name: names.get(name, {}).get(value, value) or None for name, value in zip(by, key, strict=True)}


_NOTHING: dict[str, Any] = {
    "cost": 0.0,
    "estimated_cost": 0.0,
    "attempts": 0,
    "failures": 0,
    "input_tokens": 0,
    "cached_input_tokens": 0,
    "output_tokens": 0,
    "average": None,
}


def _sums(row: UsageRow) -> dict[str, Any]:
    averages = row.averages()
    return {
        "cost": money(row.cost),
        "estimated_cost": money(row.estimated_cost),
        "attempts": row.attempts,
        "failures": row.failures,
        "input_tokens": row.input_tokens,
        "cached_input_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
        "average": {
            "cost": money(round(averages.cost)),
            "input_tokens": round(averages.input_tokens, 1),
            "output_tokens": round(averages.output_tokens, 1),
            "latency_ms": round(averages.latency * 1000),
        },
    }


async def _async_export_usage(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    days = days_of(hub, call.data)
    try:
        await hub.ledger.flush()
        if FILE in call.data:
            return await _to_file(hub, days, call.data[FILE])
        return await _to_text(hub, days)
    except TooManyRows as err:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="export_too_long") from err
    except LedgerUnavailable as err:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="ledger_unavailable") from err


async def _export_names(hub: Hub) -> dict[str, str]:
    return {**hub.names.all(), **await user_names(hub.hass)}


async def _to_text(hub: Hub, days: Days) -> ServiceResponse:
    text = ""
    async for piece in export(hub.ledger.reader, *days, await _export_names(hub)):
        text += piece
        if len(text) > _LONGEST_TEXT:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="export_needs_file")
    return {"from": days.first, "to": days.last, "rows": text.count("\r\n") - 1, "csv": text}


def _are_allowed(hass: HomeAssistant, *paths: Path) -> bool:
    return all(is_allowed_path(hass, path) for path in paths)


async def _to_file(hub: Hub, days: Days, name: str) -> ServiceResponse:
    path = Path(hub.hass.config.path(name))
    part = Path(f"{path}.part")
    if not await hub.hass.async_add_executor_job(_are_allowed, hub.hass, path, part):
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="path_not_allowed", translation_placeholders={"path": name}
        )
    rows = -1
    try:
        file = await hub.hass.async_add_executor_job(lambda: part.open("w", encoding="utf-8", newline=""))
        try:
            async for piece in export(hub.ledger.reader, *days, await _export_names(hub)):
                rows += piece.count("\r\n")
                await hub.hass.async_add_executor_job(file.write, piece)
        finally:
            await hub.hass.async_add_executor_job(file.close)
        await hub.hass.async_add_executor_job(part.replace, path)
    except OSError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="file_not_written",
            translation_placeholders={"path": name, "error": err.strerror or type(err).__name__},
        ) from err
    finally:
        await hub.hass.async_add_executor_job(lambda: part.unlink(missing_ok=True))
    return {"from": days.first, "to": days.last, "rows": rows, "file": str(path)}
