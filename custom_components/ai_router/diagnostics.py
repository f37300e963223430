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

from .const import SUBENTRY_POOL, SUBENTRY_PROVIDER, SUBENTRY_RULE, Conf
from .hub import Hub, RouterConfigEntry
from .providers.price_spans import span_of
from .routing.benches import Bench
from .routing.model import Target
from .routing.money import to_dollars
from .routing.ports import LedgerUnavailable
from .routing.tickets import Window
from .storage.queries import UsageRow
from .storage.schema import SCHEMA_VERSION

_BUDGETS = (Conf.BUDGET_DAY, Conf.BUDGET_WEEK, Conf.BUDGET_MONTH, Conf.BUDGET_TOTAL, Conf.BUDGET_ONLY_WARNS)
_SETTINGS = (
    *(Conf.KIND, Conf.CREDENTIAL_SINCE, Conf.LOCAL, Conf.MODELS, Conf.ENABLED, Conf.PRIORITY, Conf.WEIGHT, Conf.USERS),
    *(Conf.REQUESTS_PER_MINUTE, Conf.REQUESTS_PER_HOUR, Conf.BURST, Conf.TOKENS_PER_MINUTE, Conf.CONCURRENT),
    *(Conf.CONNECT_TIMEOUT, Conf.FIRST_TOKEN_TIMEOUT, Conf.IDLE_TIMEOUT, Conf.TOTAL_TIMEOUT),
    *(Conf.ATTEMPTS, Conf.RETRY_BASE, Conf.RETRY_LONGEST, *_BUDGETS),
)
_BOUNDS = (Conf.LOCAL_ONLY, Conf.MAX_COST, Conf.ATTEMPTS)
_OF_POOL = (Conf.MEMBERS, Conf.STRATEGY, Conf.FALLBACK, Conf.AT_CAP, *_BOUNDS, *_BUDGETS)
_OF_RULE = (Conf.ENABLED, Conf.PRIORITY, Conf.POOL, Conf.PROVIDERS, *_BOUNDS)


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
        "unreadable": dict(hub.unreadable),
        "status": {
            "money": _plain(asdict(status.money)),
            "requests_today": status.requests_today,
            "under_way": status.under_way,
            "queued": status.queued,
            "health": status.health,
            "reason": status.reason,
            "cache": _plain(asdict(status.cache)),
        },
        "providers": {
            subentry.subentry_id: _provider(hub, subentry)
            for subentry in entry.get_subentries_of_type(SUBENTRY_PROVIDER)
        },
        "pools": {each.subentry_id: _pool(hub, each) for each in entry.get_subentries_of_type(SUBENTRY_POOL)},
        "rules": {each.subentry_id: _rule(each) for each in entry.get_subentries_of_type(SUBENTRY_RULE)},
        "ledger": await _ledger(hub),
    }
    return _redacted(hub, data)


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: RouterConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Tell what concerns one provider or pool; the router's own device tells everything."""
    hub = entry.runtime_data
    for _, identifier in device.identifiers:
        if subentry := entry.subentries.get(identifier):
            if subentry.subentry_type == SUBENTRY_POOL:
                about, by = {"pool": _pool(hub, subentry)}, "pool"
            else:
                about, by = {"provider": _provider(hub, subentry)}, "provider_id"
            ledger = await _ledger(hub, by, subentry.subentry_id)
            return _redacted(hub, {"versions": _versions(), **about, "ledger": ledger})
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
    settings = _stored(subentry, _SETTINGS)
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


def _stored(subentry: ConfigSubentry, keys: Sequence[Conf]) -> dict[str, Any]:
    return {key.value: subentry.data[key] for key in keys if key in subentry.data}


def _pool(hub: Hub, subentry: ConfigSubentry) -> dict[str, Any]:
    status = hub.coordinator.data.pools.get(subentry.subentry_id)
    return {
        "name": subentry.title,
        "settings": _stored(subentry, _OF_POOL),
        "status": None if status is None else _plain(asdict(status)),
    }


def _rule(subentry: ConfigSubentry) -> dict[str, Any]:
    """Tell of a rule, of its conditions only which there are: they may hold words of what people ask."""
    stored = subentry.data.get(Conf.WHEN)
    when = stored if isinstance(stored, Mapping) else {}
    return {"name": subentry.title, "settings": _stored(subentry, _OF_RULE), "conditions": sorted(map(str, when))}


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
    except TypeError, ValueError:
        return REDACTED


def _figures(options: Any) -> Any:
    """Keep numbers and switches: the text of a kind's own options may be a header with a key in it."""
    if not isinstance(options, Mapping):
        return REDACTED
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


async def _ledger(hub: Hub, by: str = "provider_id", only: str | None = None) -> dict[str, Any]:
    """Sum up what the ledger holds of today and this month, for one provider or pool, or for each provider."""
    calendar = hub.router.admission.calendar
    now = hub.clock.now()
    today = calendar.day(now)
    first = f"{calendar.window_id(Window.MONTH, now)}-01"
    try:
        day = await hub.ledger.usage(today, today, [by])
        month = await hub.ledger.usage(first, today, [by])
    except LedgerUnavailable as err:
        return {"error": str(err)}
    return {
        "today": _sums(day, only),
        "month": _sums(month, only),
        "commits": hub.ledger.commits,
        "dropped": hub.ledger.dropped,
        "begun_anew": hub.ledger.recovered is not None,
    }


def _sums(rows: Sequence[UsageRow], only: str | None) -> dict[str, Any]:
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
        if only in (None, row.key[0])
    }
