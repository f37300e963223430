"""A provider's models: what is stored of them, and what is made of it.

Stored is what the server told and what the household says, never what the shipped table knows: a newer table then holds
at once for providers that have been there for long. Here, and only here, it is decided whose word goes first:

- prices: the household's for this model, for all of the provider's, the server's own list, the table; a model in the
  house is free where nobody says otherwise, the price of any other is unknown;
- what a model can do and its sizes: the household's word, the server's, the table's, a guess from its name.

Money is stored as decimal text in USD, so that nothing is lost on the way through JSON.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from .providers.price_spans import PRICE_NAMES, prices_of, rates_of, span_of
from .providers.price_table import PriceTable
from .routing.model import Capability, Model
from .routing.money import FREE, Prices, Rates, to_picodollars
from .stored_values import Read, amount, fields, list_of, mapping_of, maybe, switch, text, whole, words

LISTED = "provider"
OWN = "own"

INPUT_PRICE = "input_price"
OUTPUT_PRICE = "output_price"
CALL_PRICE = "call_price"
# The household's prices of one model, and the table's names for them.
OWN_PRICES = {
    INPUT_PRICE: "in",
    OUTPUT_PRICE: "out",
    "cached_price": "read",
    "cache_write_price": "write",
    "reasoning_price": "reasoning",
    "picture_price": "picture",
    "request_price": "request",
}

CAPABILITIES = {
    "chat": Capability.CHAT,
    "streaming": Capability.STREAMING,
    "vision": Capability.VISION,
    "tools": Capability.TOOLS,
    "structured": Capability.STRUCTURED,
    "embeddings": Capability.EMBEDDINGS,
    "reasoning": Capability.REASONING,
    "audio": Capability.AUDIO_IN,
}
# What the table may correct where the server does not tell. Whether a model chats at all, it does not.
_ABILITIES = Capability.VISION | Capability.TOOLS | Capability.STRUCTURED | Capability.REASONING | Capability.AUDIO_IN
_NOTHING_KNOWN = PriceTable()

_MOST_TOKENS = 10**9
_tokens = maybe(whole(0, _MOST_TOKENS))
_own: Read[dict[str, Any]] = fields(
    {
        "local": switch,
        "capabilities": mapping_of(switch),
        "context": _tokens,
        "max_output": _tokens,
        **dict.fromkeys((*OWN_PRICES, CALL_PRICE), amount),
    }
)
_span: Read[dict[str, Any]] = fields(dict.fromkeys(PRICE_NAMES, maybe(amount)))


def _listed(stored: Any) -> dict[str, Any]:
    """Read the prices of a server's list."""
    listed = fields({"prices": list_of(_span), "as_of": text}, required=("prices", "as_of"))(stored)
    prices_of(listed["prices"], LISTED, listed["as_of"])
    return listed


def _day(stored: Any) -> str:
    return date.fromisoformat(text(stored)).isoformat()


def _named(stored: Any) -> str:
    if not (name := text(stored)):
        raise ValueError("no name")
    return name


readable_model: Read[dict[str, Any]] = fields(
    {
        "id": _named,
        "capabilities": words,
        "told": words,
        "context": _tokens,
        "max_output": _tokens,
        "local": switch,
        **dict.fromkeys((INPUT_PRICE, OUTPUT_PRICE), maybe(amount)),
        "listed": maybe(_listed),
        "retires": maybe(_day),
        OWN: _own,
    },
    required=("id", "capabilities", "local"),
)
"""Read a stored model as `model_from_stored` takes it. Raises one of `UNREADABLE`."""


def token_prices(caps: Capability) -> frozenset[str]:
    """Return the prices without which those of a model are not whole: what only makes vectors writes nothing."""
    return frozenset({INPUT_PRICE, OUTPUT_PRICE} if Capability.CHAT in caps else {INPUT_PRICE})


def _names(caps: Capability) -> list[str]:
    return [name for name, capability in CAPABILITIES.items() if capability in caps]


def _caps(names: Any) -> Capability:
    caps = Capability.NONE
    for name in names:
        caps |= CAPABILITIES.get(name, Capability.NONE)
    return caps


def model_to_stored(
    model: Model,
    input_price: str | None = None,
    output_price: str | None = None,
    *,
    today: str = "",
    own: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Turn a model as its server lists it into what is stored.

    The two prices are the household's for all models of the provider (USD per million tokens as decimal text), `own` is
    what it says of this one. `today` is the day of a list that was just read.
    """
    stored: dict[str, Any] = {
        "id": model.id,
        "capabilities": _names(model.caps),
        "told": _names(model.told),
        "context": model.context,
        "max_output": model.max_output,
        "local": model.local,
        INPUT_PRICE: input_price,
        OUTPUT_PRICE: output_price,
    }
    if model.prices is not None and model.prices.source == LISTED:
        spans = [span_of(span) for span in model.prices.spans]
        stored["listed"] = {"as_of": model.prices.as_of or today, "prices": spans}
    if model.retires is not None:
        stored["retires"] = model.retires.isoformat()[:10]
    return stored | ({OWN: dict(own)} if own else {})


def model_as_listed(stored: Mapping[str, Any]) -> Model:
    """Read what the server told of a model, without anybody else's word."""
    listed = stored.get("listed")
    return Model(
        id=stored["id"],
        caps=_caps(stored["capabilities"]),
        context=stored.get("context"),
        max_output=stored.get("max_output"),
        prices=None if listed is None else prices_of(listed["prices"], LISTED, listed["as_of"]),
        local=stored["local"],
        # What was stored before this was kept apart is taken as told.
        told=_caps(stored.get("told", CAPABILITIES)),
        retires=None if (retires := stored.get("retires")) is None else date.fromisoformat(retires),
    )


def _household_prices(stored: Mapping[str, Any], own: Mapping[str, Any]) -> Prices | None:
    if CALL_PRICE in own:
        return Prices.flat(Rates(requests=to_picodollars(own[CALL_PRICE])))
    if INPUT_PRICE in own:
        return Prices.flat(rates_of({name: own[key] for key, name in OWN_PRICES.items() if key in own}))
    price_in, price_out = stored.get(INPUT_PRICE), stored.get(OUTPUT_PRICE)
    if price_in is None and price_out is None:
        return None
    return Prices.flat(rates_of({"in": price_in or "0", "out": price_out or "0"}))


def model_from_stored(
    stored: Mapping[str, Any], table: PriceTable = _NOTHING_KNOWN, vendor: str | None = None
) -> Model:
    """Read a stored model as it is used. `vendor` is whose models the provider serves, None where nobody knows."""
    listed = model_as_listed(stored)
    own: Mapping[str, Any] = stored.get(OWN, {})
    local = own.get("local", listed.local)
    known = None if local else table.find(vendor, listed.id)
    caps, context, max_output, prices = listed.caps, listed.context, listed.max_output, listed.prices
    if known is not None:
        if Capability.CHAT in caps & known.caps:
            untold = _ABILITIES & ~listed.told
            caps = caps & ~(known.not_caps & untold) | known.caps & untold
        context, max_output, prices = context or known.context, max_output or known.max_output, prices or known.prices
    for name, can in own.get("capabilities", {}).items():
        # A newer version may know more of them.
        capability = CAPABILITIES.get(name, Capability.NONE)
        caps = caps | capability if can else caps & ~capability
    return replace(
        listed,
        caps=caps,
        context=own.get("context", context),
        max_output=own.get("max_output", max_output),
        prices=_household_prices(stored, own) or prices or (FREE if local else None),
        local=local,
    )
