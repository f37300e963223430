"""What the dashboard cards show of the router, as plain data: money as decimal text in USD, times in seconds."""

from typing import Any

from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.config_entries import ConfigSubentry
from homeassistant.helpers import entity_registry as er

from ..const import CURRENCY, DOMAIN, SUBENTRY_PROVIDER, Conf
from ..hub import Hub
from ..routing.config import ProviderConfig
from ..routing.fleet import provider_money, router_money
from ..routing.money import Picodollars, to_dollars
from ..routing.tickets import BucketKey
from ..status import ProviderStatus, RouterStatus

NOT_SET_UP: dict[str, Any] = {"set_up": False, "spend": None, "activity": None, "providers": [], "requests": []}


def overview(hub: Hub) -> dict[str, Any]:
    """Tell what every user may see: spending, and how the providers do."""
    status = hub.coordinator.look()
    return {
        "set_up": True,
        "spend": _spend(hub, status),
        "activity": {"requests_today": status.requests_today, "under_way": status.under_way},
        "providers": [
            _provider(hub, subentry, status.providers.get(subentry.subentry_id))
            for subentry in hub.entry.get_subentries_of_type(SUBENTRY_PROVIDER)
        ],
    }


def _money(amount: Picodollars) -> str:
    return f"{to_dollars(amount):f}"


def _spend(hub: Hub, status: RouterStatus) -> dict[str, Any]:
    return {
        "currency": CURRENCY,
        "today": f"{status.money.today:f}",
        "month": f"{status.money.month:f}",
        "projected": f"{status.projected:f}",
        "budgets": _budgets(hub, router_money(hub.router.config)),
    }


def _budgets(hub: Hub, keys: tuple[BucketKey, ...]) -> list[dict[str, Any]]:
    """Tell of each budget what is spent of it; `free_at` is when its window ends (wall clock), None for never."""
    admission, now = hub.router.admission, hub.clock.now()
    found = []
    for key in keys:
        bucket = admission.money(key)
        if bucket.limit is not None:
            settled = bucket.account.settled
            found.append(
                {
                    "window": key.window.value,
                    "limit": _money(bucket.limit),
                    "spent": _money(settled),
                    "over": settled >= bucket.limit,
                    "hard": bucket.hard,
                    "free_at": admission.calendar.bounds(key.window, now)[1],
                }
            )
    return found


def _provider(hub: Hub, subentry: ConfigSubentry, status: ProviderStatus | None) -> dict[str, Any]:
    """Tell of one provider; without a status it is not in use yet, and `waiting`."""
    provider_id = subentry.subentry_id
    config = hub.router.config.providers.get(provider_id)
    told = {
        "id": provider_id,
        "name": subentry.title,
        "kind": str(subentry.data.get(Conf.KIND, "")),
        # Whatever the entity is called by now: a click on the provider shows it.
        "entity": er.async_get(hub.hass).async_get_entity_id(SENSOR, DOMAIN, f"{provider_id}_health"),
        "waiting": status is None or config is None,
    }
    if status is None or config is None:
        return told
    return {**told, **_status(hub, config, status)}


def _status(hub: Hub, config: ProviderConfig, status: ProviderStatus) -> dict[str, Any]:
    return {
        "enabled": config.enabled,
        "local": bool(config.models) and all(model.local for model in config.models),
        "health": status.health.value,
        "reason": status.reason,
        "breaker": status.breaker.value,
        "requests_per_minute": status.requests_per_minute,
        "requests_limit": status.requests_limit,
        "tokens_per_minute": status.tokens_per_minute,
        "tokens_limit": status.tokens_limit,
        "under_way": status.under_way,
        "latency": status.latency,
        "success_rate": status.success_rate,
        "today": f"{status.money.today:f}",
        "month": f"{status.money.month:f}",
        "budgets": _budgets(hub, provider_money(config)),
    }
