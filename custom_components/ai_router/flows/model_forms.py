"""The form of one model: what the household says of its prices, its abilities and its sizes.

What is filled in goes before what the server and the price table say; what is left empty follows them.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import voluptuous as vol
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig, SelectSelectorMode

from ..const import Conf
from ..providers.registry import Kind
from ..routing.model import Capability, Model
from ..routing.money import to_dollars
from ..stored_models import CALL_PRICE, LISTED, OWN, OWN_PRICES, token_prices
from ..wording import Wording
from .fields import choice, decimal_text, dollars, whole
from .provider_check import BASE, FieldProblem
from .provider_forms import AUTO, NO, YES

MODEL = "model"
PRICES = "prices"
ABILITIES = "abilities"
SIZES = "sizes"

_PER_TOKENS = "USD / 1M tokens"
_EACH = "USD"
_PRICED_EACH = frozenset({"picture_price", "request_price"})
# Who can be asked anything at all is the server's to say; these are where lists and names are often wrong.
_ASKED = ("vision", "tools", "structured", "reasoning", "embeddings")
_CONTEXT, _MAX_OUTPUT = "context", "max_output"
_MOST_TOKENS = 100_000_000
# A server that may run models of a cloud too knows better than anybody which of them stay in the house.
_KNOWS_ITS_OWN = "ollama"


def choose_form(models: list[str]) -> vol.Schema:
    """Ask which of a provider's models is meant."""
    options = SelectSelectorConfig(options=models, mode=SelectSelectorMode.DROPDOWN)
    return vol.Schema({vol.Required(MODEL, default=models[0]): SelectSelector(options)})


def model_form(kind: Kind | None) -> vol.Schema:
    """Ask for everything about one model; nothing needs to be filled in."""
    prices = {
        vol.Optional(name): dollars(_EACH if name in _PRICED_EACH else _PER_TOKENS) for name in (*OWN_PRICES,)
    } | {vol.Optional(CALL_PRICE): dollars(_EACH)}
    abilities = {vol.Optional(name, default=AUTO): choice((AUTO, YES, NO), "ability") for name in _ASKED}
    if kind is not None and kind.local_choice and kind.id != _KNOWS_ITS_OWN:
        abilities[vol.Optional(Conf.LOCAL.value, default=AUTO)] = choice((AUTO, YES, NO), "ability")
    sizes = {vol.Optional(name): whole(1, _MOST_TOKENS) for name in (_CONTEXT, _MAX_OUTPUT)}
    return vol.Schema(
        {
            vol.Required(PRICES): section(vol.Schema(prices), {"collapsed": False}),
            vol.Required(ABILITIES): section(vol.Schema(abilities), {"collapsed": True}),
            vol.Required(SIZES): section(vol.Schema(sizes), {"collapsed": True}),
        }
    )


def own_to_store(form: Mapping[str, Any], caps: Capability) -> dict[str, Any]:
    """Return what the household says of a model that can do all this. Raises `FieldProblem`.

    Nothing is returned of what it left to others. Prices are whole or not at all: what is left out would count as free.
    """
    prices = {name: decimal_text(amount) for name, amount in form[PRICES].items()}
    if CALL_PRICE in prices and len(prices) > 1:
        raise FieldProblem(BASE, "price_twice")
    if prices and CALL_PRICE not in prices and not token_prices(caps) <= prices.keys():
        raise FieldProblem(BASE, "prices_incomplete")
    said = {name: word == YES for name, word in form[ABILITIES].items() if word != AUTO}
    local = {Conf.LOCAL.value: said.pop(Conf.LOCAL)} if Conf.LOCAL in said else {}
    return {**prices, **form[SIZES], **local, **({"capabilities": said} if said else {})}


def own_to_show(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of the household's words on a model as the form shows it."""
    own: Mapping[str, Any] = stored.get(OWN, {})
    said = own.get("capabilities", {}) | {name: own[name] for name in (Conf.LOCAL.value,) if name in own}
    return {
        PRICES: {name: float(own[name]) for name in (*OWN_PRICES, CALL_PRICE) if name in own},
        ABILITIES: {name: YES if can else NO for name, can in said.items()},
        SIZES: {name: own[name] for name in (_CONTEXT, _MAX_OUTPUT) if name in own},
    }


def price_in_words(model: Model, now: float, wording: Wording) -> str:
    """Say what a model costs now (wall clock), and by whose word."""
    if model.prices is None:
        return wording.text("price_unknown")
    rates = model.prices.at(now, 0)
    parts = [
        wording.text(f"price_of_{what}", amount=_figure(amount))
        for what, amount in (("request", rates.requests), ("picture", rates.pictures))
        if amount
    ]
    if rates.fresh_in or rates.text_out:
        read, written = _figure(rates.fresh_in * 10**6), _figure(rates.text_out * 10**6)
        parts.insert(0, wording.text("price_of_tokens", input=read, output=written))
    if not parts:
        return wording.text("price_free")
    price = reduce(lambda first, second: wording.text("price_and", first=first, second=second), parts)
    source = model.prices.source
    by = source if source in ("user", LISTED) else "table"
    return wording.text(f"price_from_{by}", price=price, publication=source, day=model.prices.as_of)


def _figure(amount: int) -> str:
    return decimal_text(to_dollars(amount))
