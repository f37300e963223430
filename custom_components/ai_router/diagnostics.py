"""What a household can download and attach to a bug report: how it is set up, how it does, what it has spent.

A provider's settings are copied by name, so neither its credential nor what a later version stores gets in by itself.
What a provider said when it failed is left out: it may quote the request. Home Assistant adds the versions of itself,
of Python and of this integration.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from homeassistant.components.diagnostics import REDACTED
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.util import dt as dt_util
from yarl import URL

from .const import SUBENTRY_PROVIDER, Conf
from .hub import Hub, RouterConfigEntry
from .providers.price_spans import span_of
from .routing.benches import Bench
from .routing.model import Target
from .routing.money import to_dollars
from .routing.ports import LedgerUnavailable
from .routing.tickets import Window
from .storage.queries import UsageRow
from .storage.schema import SCHEMA_VERSION

_SETTINGS = (
    Conf.KIND,
    Conf.CREDENTIAL_SINCE,
    Conf.LOCAL,
    Conf.PRIORITY,
    Conf.MODELS,
    Conf.REQUESTS_PER_MINUTE,
    Conf.BUDGET_DAY,
    Conf.BUDGET_MONTH,
)


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
) -> dict[str, Any]:
    """Tell everything about the router."""
    hub = entry.runtime_data
    status = hub.coordinator.data
    data = {
        "versions": _versions() | {"price_table": hub.table.made},
        "options": entry.options,
        "status": {
            "money": _plain(asdict(status.money)),
            "requests_today": status.requests_today,
            "under_way": status.under_way,
        },
        "providers": {
            subentry.subentry_id: _provider(hub, subentry)
            for subentry in entry.get_subentries_of_type(SUBENTRY_PROVIDER)
        },
        "ledger": await _ledger(hub),
    }
    return _redacted(hub, data)


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: RouterConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Tell what concerns one provider; the router's own device tells everything."""
    hub = entry.runtime_data
    for _, identifier in device.identifiers:
        if subentry := entry.subentries.get(identifier):
            data = {
                "versions": _versions(),
                "provider": _provider(hub, subentry),
                "ledger": await _ledger(hub, subentry.subentry_id),
            }
            return _redacted(hub, data)
    return await async_get_config_entry_diagnostics(hass, entry)


def _redacted(hub: Hub, data: Mapping[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = hub.redactor.redact_data(data)
    return cleaned


def _versions() -> dict[str, Any]:
    return {"ledger": SCHEMA_VERSION, "sqlite": sqlite3.sqlite_version}


def _plain(status: Any) -> Any:
    """Return a part of the snapshot as plain data, amounts with all their digits."""
    if isinstance(status, Decimal):
        return f"{status:f}"
    if isinstance(status, Mapping):
        return {str(key): _plain(value) for key, value in status.items()}
    return status


def _provider(hub: Hub, subentry: ConfigSubentry) -> dict[str, Any]:
    stored = subentry.data
    settings = {key.value: stored[key] for key in _SETTINGS if key in stored}
    settings[Conf.URL.value] = _address(stored.get(Conf.URL))
    settings[Conf.OPTIONS.value] = _figures(stored.get(Conf.OPTIONS, {}))
    provider_id = subentry.subentry_id
    status = hub.coordinator.data.providers.get(provider_id)
    return {
        "name": subentry.title,
        "settings": settings,
        "prices": _prices(hub, provider_id),
        "status": None if status is None else _plain(asdict(status)),
        "breakers": _breakers(hub, provider_id),
        "benches": [
            _bench(model_id, bench)
            for model_id, bench in hub.router.benches.of_provider(provider_id, hub.clock.now()).items()
        ],
    }


def _prices(hub: Hub, provider_id: str) -> dict[str, Any]:
    """Tell what each model is taken to cost, and who says so since when; nothing where nobody does."""
    provider = hub.router.config.providers.get(provider_id)
    return {
        model.id: None
        if model.prices is None
        else {
            "source": model.prices.source,
            "as_of": model.prices.as_of,
            "spans": [span_of(span) for span in model.prices.spans],
        }
        for model in (provider.models if provider is not None else ())
    }


def _address(url: str | None) -> str | None:
    """Leave out where people put keys: the user part, the query, the fragment."""
    if not url:
        return None
    try:
        return str(URL(url).with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return REDACTED


def _figures(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep numbers and switches: the text of a kind's own options may be a header with a key in it."""
    return {name: value if isinstance(value, int | float) else REDACTED for name, value in options.items()}


def _breakers(hub: Hub, provider_id: str) -> dict[str, Any]:
    provider = hub.router.config.providers.get(provider_id)
    if provider is None:
        return {}
    breakers = {model.id: hub.router.admission.breakers.of(Target(provider_id, model.id)) for model in provider.models}
    now = hub.clock.monotonic()
    return {
        model_id: {"state": breaker.state(now), "failures": breaker.failures} for model_id, breaker in breakers.items()
    }


def _bench(model_id: str | None, bench: Bench) -> dict[str, Any]:
    return {
        "model": model_id,
        "class": bench.cls,
        "since": dt_util.utc_from_timestamp(bench.since),
        "until": None if bench.until is None else dt_util.utc_from_timestamp(bench.until),
    }


async def _ledger(hub: Hub, provider_id: str | None = None) -> dict[str, Any]:
    """Sum up what the ledger holds of today and this month, for one provider or for each."""
    calendar = hub.router.admission.calendar
    now = hub.clock.now()
    today = calendar.day(now)
    first = f"{calendar.window_id(Window.MONTH, now)}-01"
    try:
        day = await hub.ledger.usage(today, today, ["provider_id"])
        month = await hub.ledger.usage(first, today, ["provider_id"])
    except LedgerUnavailable as err:
        return {"error": str(err)}
    return {
        "today": _sums(day, provider_id),
        "month": _sums(month, provider_id),
        "commits": hub.ledger.commits,
        "dropped": hub.ledger.dropped,
        "begun_anew": hub.ledger.recovered is not None,
    }


def _sums(rows: Sequence[UsageRow], provider_id: str | None) -> dict[str, Any]:
    return {
        row.key[0]: {
            "attempts": row.attempts,
            "failures": row.failures,
            "cost": f"{to_dollars(row.cost):f}",
            "estimated_cost": f"{to_dollars(row.estimated_cost):f}",
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
        }
        for row in rows
        if provider_id in (None, row.key[0])
    }
