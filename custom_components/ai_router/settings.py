"""From what is stored in the config entry to the core's configuration, and back for models.

Money is stored as decimal text in USD, so that nothing is lost on the way through JSON.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.config_entries import ConfigEntry, ConfigSubentry

from .const import SUBENTRY_PROVIDER, Conf
from .routing.budgets import Budget
from .routing.config import DEFAULT_BOUNDS, DEFAULT_MAX_OUTPUT, ProviderConfig, RouterConfig
from .routing.model import Bounds, Capability, Model
from .routing.money import FREE, Prices, Rates, per_million, to_picodollars
from .routing.ports import Provider
from .routing.tickets import Window

DEFAULT_UNKNOWN_PRICE_HOLD = "0.05"

_CAPABILITIES = {
    "chat": Capability.CHAT,
    "streaming": Capability.STREAMING,
    "vision": Capability.VISION,
    "tools": Capability.TOOLS,
    "structured": Capability.STRUCTURED,
    "embeddings": Capability.EMBEDDINGS,
    "reasoning": Capability.REASONING,
}


def model_to_stored(model: Model, input_price: str | None = None, output_price: str | None = None) -> dict[str, Any]:
    """Turn a model into what is stored; prices are USD per million tokens as decimal text, None where unknown."""
    return {
        "id": model.id,
        "capabilities": [name for name, capability in _CAPABILITIES.items() if capability in model.caps],
        "context": model.context,
        "max_output": model.max_output,
        "local": model.local,
        "input_price": input_price,
        "output_price": output_price,
    }


def model_from_stored(stored: Mapping[str, Any]) -> Model:
    """Read a stored model. A local one is free unless a price is set; any other without a price is unknown."""
    caps = Capability.NONE
    for name in stored["capabilities"]:
        caps |= _CAPABILITIES.get(name, Capability.NONE)
    price_in, price_out = stored.get("input_price"), stored.get("output_price")
    prices: Prices | None
    if price_in is None and price_out is None:
        prices = FREE if stored["local"] else None
    else:
        prices = Prices.flat(Rates.of(per_million(price_in or "0"), per_million(price_out or "0")))
    return Model(
        id=stored["id"],
        caps=caps,
        context=stored.get("context"),
        max_output=stored.get("max_output"),
        prices=prices,
        local=stored["local"],
    )


def _budgets(stored: Mapping[str, Any]) -> tuple[Budget, ...]:
    return tuple(
        Budget(window, to_picodollars(stored[key]))
        for key, window in ((Conf.BUDGET_DAY, Window.DAY), (Conf.BUDGET_MONTH, Window.MONTH))
        if stored.get(key) is not None
    )


def fingerprint(subentry: ConfigSubentry) -> str:
    """Return a mark that changes whenever the provider must be spoken to in another way."""
    data = subentry.data
    parts = [data.get(key) for key in (Conf.KIND, Conf.URL, Conf.CREDENTIAL, Conf.OPTIONS, Conf.MODELS)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def provider_config(subentry: ConfigSubentry, client: Provider) -> ProviderConfig:
    """Read a provider subentry."""
    data = subentry.data
    return ProviderConfig(
        id=subentry.subentry_id,
        name=subentry.title,
        kind=data[Conf.KIND],
        client=client,
        models=tuple(model_from_stored(model) for model in data[Conf.MODELS]),
        priority=data.get(Conf.PRIORITY, 0),
        requests_per_minute=data.get(Conf.REQUESTS_PER_MINUTE),
        budgets=_budgets(data),
        credential=fingerprint(subentry),
    )


def router_config(entry: ConfigEntry[Any], clients: Mapping[str, Provider], time_zone: str) -> RouterConfig:
    """Read the entry; a provider without a client (its kind is not known) waits outside."""
    options = entry.options
    hold = options.get(Conf.UNKNOWN_PRICE_HOLD, DEFAULT_UNKNOWN_PRICE_HOLD)
    return RouterConfig(
        providers={
            subentry.subentry_id: provider_config(subentry, clients[subentry.subentry_id])
            for subentry in entry.get_subentries_of_type(SUBENTRY_PROVIDER)
            if subentry.subentry_id in clients
        },
        failover=options.get(Conf.FAILOVER, True),
        local_only=options.get(Conf.LOCAL_ONLY, False),
        budgets=_budgets(options),
        bounds=Bounds(timeout=options.get(Conf.TIMEOUT, DEFAULT_BOUNDS.timeout)),
        max_output=options.get(Conf.MAX_TOKENS, DEFAULT_MAX_OUTPUT),
        unknown_price_hold=None if hold is None else to_picodollars(hold),
        zone=ZoneInfo(time_zone),
    )
