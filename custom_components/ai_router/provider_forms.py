"""The forms of a provider: their fields, what is stored of them, and what is shown of what is stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import voluptuous as vol
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import Conf
from .form_fields import budget_fields, budgets_to_show, budgets_to_store, choice, decimal_text, dollars, number, whole
from .provider_check import API_KEY, NAME, URL, FieldProblem
from .providers.capabilities import guess
from .providers.registry import KINDS, Kind, Need
from .routing.failures import FailureClass
from .routing.model import Capability, Model
from .routing.money import FREE, Picodollars, Prices, to_dollars
from .settings import model_to_stored

LOCAL = Conf.LOCAL.value
MODELS = Conf.MODELS.value
LIMITS = "limits"
PICTURES = "pictures"
INPUT_PRICE = "input_price"
OUTPUT_PRICE = "output_price"
LATENCY = "latency"
SUCCESS_RATE = "success_rate"
ERROR = "error"

AUTO, YES, NO = "auto", "yes", "no"
_PRICES = (INPUT_PRICE, OUTPUT_PRICE)
_OPTIONS = frozenset({LOCAL, LATENCY, SUCCESS_RATE, ERROR, PICTURES, *_PRICES})

_NAMES = {
    "ollama": "Ollama",
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "gemini": "Google Gemini",
    "cloudflare": "Cloudflare",
    "demo": "Demo",
}
_OLLAMA = "ollama"
# Only here can a model be anybody's; elsewhere the list or the family tells who sees pictures.
_ANY_MODEL = "openai_compatible"
_FEW = 3
_PRICE_UNIT = "USD / 1M"
_DEMO_ERRORS = (
    FailureClass.TRANSIENT,
    FailureClass.RATE_LIMIT,
    FailureClass.OVERLOADED,
    FailureClass.CREDENTIAL,
    FailureClass.BILLING,
    FailureClass.MODEL_MISSING,
)
_STORED_BY_FORMS = frozenset(
    {
        Conf.KIND,
        Conf.URL,
        Conf.CREDENTIAL,
        Conf.OPTIONS,
        Conf.MODELS,
        Conf.PRIORITY,
        Conf.REQUESTS_PER_MINUTE,
        Conf.BUDGET_DAY,
        Conf.BUDGET_MONTH,
    }
)

# --- fields ----------------------------------------------------------------------------------------


def kind_form() -> vol.Schema:
    """Ask for the kind."""
    return vol.Schema({vol.Required(Conf.KIND.value): choice(tuple(KINDS), Conf.KIND.value)})


def _name(kind: Kind) -> vol.Required:
    return vol.Required(NAME, default=_NAMES.get(kind.id, vol.UNDEFINED))


def _url(kind: Kind) -> vol.Marker:
    if kind.url is Need.REQUIRED:
        return vol.Required(URL, default=kind.default_url or vol.UNDEFINED)
    return vol.Optional(URL)


def _price_fields() -> dict[vol.Marker, vol.All]:
    return {vol.Optional(INPUT_PRICE): dollars(_PRICE_UNIT), vol.Optional(OUTPUT_PRICE): dollars(_PRICE_UNIT)}


def _limits() -> dict[vol.Marker, section]:
    fields = {
        vol.Optional(Conf.PRIORITY.value, default=0): whole(0, 1_000),
        vol.Optional(Conf.REQUESTS_PER_MINUTE.value): whole(1, 100_000),
        **budget_fields(),
    }
    return {vol.Required(LIMITS): section(vol.Schema(fields), {"collapsed": True})}


def demo_form(kind: Kind) -> vol.Schema:
    """Ask for everything about a simulated provider."""
    return vol.Schema(
        {
            _name(kind): TextSelector(),
            vol.Optional(LATENCY, default=0.5): number(0, 120, "s"),
            vol.Optional(SUCCESS_RATE, default=100): number(0, 100, "%"),
            vol.Optional(ERROR, default=FailureClass.TRANSIENT.value): choice(_DEMO_ERRORS, "demo_error"),
            **_price_fields(),
            **_limits(),
        }
    )


def server_form(kind: Kind) -> vol.Schema:
    """Ask for what is needed to reach a server. The key is never filled in."""
    fields: dict[vol.Marker, Any] = {
        _name(kind): TextSelector(),
        _url(kind): TextSelector(TextSelectorConfig(type=TextSelectorType.URL)),
    }
    for name in kind.asks:
        fields[vol.Required(name)] = TextSelector()
    if kind.key is not Need.NONE:
        fields[vol.Optional(API_KEY)] = TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
        )
    if kind.local_choice:
        fields[vol.Optional(LOCAL, default=False)] = BooleanSelector()
    return vol.Schema(fields)


def models_form(kind: Kind, models: Iterable[Model]) -> vol.Schema:
    """Ask for the models to use, what the list cannot tell about them, and limits."""
    offered = [model.id for model in models if Capability.CHAT in model.caps]
    default = offered if len(offered) <= _FEW else offered[:1]
    fields: dict[vol.Marker, Any] = {
        vol.Required(MODELS, default=default): SelectSelector(
            SelectSelectorConfig(options=offered, multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
        )
    }
    if kind.id == _ANY_MODEL:
        fields[vol.Optional(PICTURES, default=AUTO)] = choice((AUTO, YES, NO), PICTURES)
    if kind.id != _OLLAMA:
        fields |= _price_fields()
    return vol.Schema({**fields, **_limits()})


# --- from a form to what is stored -----------------------------------------------------------------


def chosen_models(form: Mapping[str, Any]) -> list[str]:
    """Return the models of a form, each once. Raises `FieldProblem` where there is none."""
    if chosen := [name for name in dict.fromkeys(map(str.strip, form[MODELS])) if name]:
        return chosen
    raise FieldProblem(MODELS, "no_model_chosen")


def options_to_store(kind: Kind, form: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provider's options: the form's, the household's prices among them, and of those before what it lacks.

    Raises `FieldProblem` where only one of the two prices is given: the other one would count as free.
    """
    options = {name: value for name, value in before.items() if name not in _OPTIONS}
    options |= {name: form[name] for name in (LOCAL, LATENCY, ERROR, PICTURES, *kind.asks) if name in form}
    if SUCCESS_RATE in form:
        options[SUCCESS_RATE] = form[SUCCESS_RATE] / 100
    prices = {name: decimal_text(form[name]) for name in _PRICES if name in form}
    if len(prices) == 1:
        raise FieldProblem(INPUT_PRICE if OUTPUT_PRICE in prices else OUTPUT_PRICE, "price_incomplete")
    return options | prices


def _listed_prices(prices: Prices | None) -> tuple[str | None, str | None]:
    """Return what the server tells (USD per million tokens), None where two prices cannot say it all."""
    if prices is None or prices is FREE or len(prices.spans) > 1:
        return None, None
    rates = prices.spans[0].rates
    if rates.requests or rates.reasoning_out > rates.text_out:
        return None, None
    return _per_million(rates.fresh_in), _per_million(rates.text_out)


def _per_million(rate: Picodollars) -> str:
    return decimal_text(to_dollars(rate) * 10**6)


def model_to_store(model: Model, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model as it is stored: the household's word on pictures and prices goes before the server's."""
    if options.get(PICTURES) == YES:
        model = replace(model, caps=model.caps | Capability.VISION)
    elif options.get(PICTURES) == NO:
        model = replace(model, caps=model.caps & ~Capability.VISION)
    if INPUT_PRICE in options:
        return model_to_stored(model, options[INPUT_PRICE], options[OUTPUT_PRICE])
    return model_to_stored(model, *_listed_prices(model.prices))


def unlisted_model(name: str, options: Mapping[str, Any], kind: Kind) -> Model:
    """Return what is known about a model that the server does not list.

    An Ollama model of which the server says nothing may run in a cloud: it is not local until it is listed.
    """
    return Model(name, guess(name), local=bool(options.get(LOCAL)) and kind.id != _OLLAMA)


def provider_to_store(
    kind: Kind,
    options: Mapping[str, Any],
    models: Sequence[Model],
    limits: Mapping[str, Any],
    *,
    url: str | None = None,
    credential: str | None = None,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a provider's data; of what was stored before, whatever no form asks for is kept."""
    kept = {key: value for key, value in (before or {}).items() if key not in _STORED_BY_FORMS}
    data: dict[Conf, Any] = {
        Conf.KIND: kind.id,
        Conf.URL: url,
        Conf.CREDENTIAL: credential,
        Conf.OPTIONS: dict(options),
        Conf.MODELS: [model_to_store(model, options) for model in models],
        Conf.PRIORITY: limits.get(Conf.PRIORITY, 0),
        Conf.REQUESTS_PER_MINUTE: limits.get(Conf.REQUESTS_PER_MINUTE),
    }
    present = {key.value: value for key, value in data.items() if value is not None}
    return kept | present | budgets_to_store(limits)


# --- from what is stored to a form -----------------------------------------------------------------


def provider_to_show(name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored provider as the forms show it, without its key."""
    options = stored.get(Conf.OPTIONS, {})
    shown = {
        **options,
        **{price: float(options[price]) for price in _PRICES if price in options},
        NAME: name,
        MODELS: [model["id"] for model in stored[Conf.MODELS]],
        LIMITS: _limits_to_show(stored),
    }
    if SUCCESS_RATE in options:
        shown[SUCCESS_RATE] = float(Decimal(str(options[SUCCESS_RATE])) * 100)
    if Conf.URL in stored:
        shown[URL] = stored[Conf.URL]
    return shown


def _limits_to_show(stored: Mapping[str, Any]) -> dict[str, Any]:
    limits = {key.value: stored[key] for key in (Conf.PRIORITY, Conf.REQUESTS_PER_MINUTE) if key in stored}
    return limits | budgets_to_show(stored)
