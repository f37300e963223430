"""The forms of a provider: their fields, what is stored of them, and what is shown of what is stored."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import voluptuous as vol
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from ..const import Conf
from ..providers.capabilities import guess
from ..providers.kinds import Kinds
from ..providers.presets import PRESETS, Preset
from ..providers.registry import Kind, Need
from ..routing.failures import FailureClass
from ..routing.model import Capability, Model
from ..stored_models import CALL_PRICE, INPUT_PRICE, OUTPUT_PRICE, OWN, OWN_PRICES, model_to_stored, token_prices
from .fields import (
    choice,
    decimal_text,
    dollars,
    number,
)
from .limit_forms import LIMIT_KEYS, limit_fields, limits_to_show
from .loading import LOADING, loading_fields, loading_to_store
from .provider_check import API_KEY, EXTRAS, NAME, URL, FieldProblem, same_server

LOCAL = Conf.LOCAL.value
MODELS = Conf.MODELS.value
PICTURES = "pictures"
LATENCY = "latency"
SUCCESS_RATE = "success_rate"
ERROR = "error"
PRESET = "preset"

AUTO, YES, NO = "auto", "yes", "no"
_PRICES = (INPUT_PRICE, OUTPUT_PRICE)
_OPTIONS = frozenset({LOCAL, PRESET, LATENCY, SUCCESS_RATE, ERROR, PICTURES, *_PRICES, *LOADING})

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
SHARED = "openai_compatible"
_FEW = 3
_PRICE_UNIT = "USD / 1M tokens"
_EACH = "USD"
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
        Conf.SECRETS,
        Conf.OPTIONS,
        Conf.MODELS,
        *LIMIT_KEYS,
    }
)

# --- fields ----------------------------------------------------------------------------------------


def kind_form(kinds: Kinds) -> vol.Schema:
    """Ask for the kind: the brands of server that share a protocol stand before what is left of it."""
    offered = [name for kind in kinds for name in ((*PRESETS, kind) if kind == SHARED else (kind,))]
    names = {kind.id: kind.name for kind in kinds.values() if kind.name}
    return vol.Schema({vol.Required(Conf.KIND.value): choice(offered, Conf.KIND.value, names)})


def preset_to_show(preset: Preset) -> dict[str, Any]:
    """Return what the form of a brand's server is filled in with."""
    shown = {PRESET: preset.id, NAME: preset.name, LOCAL: preset.local}
    return shown | {URL: preset.url} if preset.url is not None else shown


def _name(kind: Kind) -> vol.Required:
    return vol.Required(NAME, default=kind.name or _NAMES.get(kind.id, vol.UNDEFINED))


def _url(kind: Kind) -> vol.Marker:
    if kind.url is Need.REQUIRED:
        return vol.Required(URL, default=kind.default_url or vol.UNDEFINED)
    return vol.Optional(URL)


def _price_fields(kind: Kind) -> dict[vol.Marker, vol.All]:
    if kind.call_price:
        return {vol.Optional(CALL_PRICE): dollars(_EACH)}
    return {vol.Optional(INPUT_PRICE): dollars(_PRICE_UNIT), vol.Optional(OUTPUT_PRICE): dollars(_PRICE_UNIT)}


def demo_form(kind: Kind, people: Mapping[str, str]) -> vol.Schema:
    """Ask for everything about a simulated provider; `people` may be the only ones to use it."""
    return vol.Schema(
        {
            _name(kind): TextSelector(),
            vol.Optional(LATENCY, default=0.5): number(0, 120, "s"),
            vol.Optional(SUCCESS_RATE, default=100): number(0, 100, "%"),
            vol.Optional(ERROR, default=FailureClass.TRANSIENT.value): choice(_DEMO_ERRORS, "demo_error"),
            vol.Optional(LOCAL, default=True): BooleanSelector(),
            **_price_fields(kind),
            **limit_fields(people),
        }
    )


def server_form(kind: Kind, people: Mapping[str, str]) -> vol.Schema:
    """Ask for what is needed to reach a server; for all else too where no models are chosen. The key is never filled in."""
    fields: dict[vol.Marker, Any] = {_name(kind): TextSelector()}
    address = {} if kind.url is Need.NONE else {_url(kind): TextSelector(TextSelectorConfig(type=TextSelectorType.URL))}
    if kind.url is Need.REQUIRED:
        fields |= address
    for name in kind.asks:
        fields[vol.Required(name)] = TextSelector()
    for option in kind.options():
        marker = vol.Required if option.required else vol.Optional
        fields[marker(option.label, default=vol.UNDEFINED if option.default is None else option.default)] = (
            option.selector
        )
    if kind.key is not Need.NONE:
        fields[vol.Optional(API_KEY)] = TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
        )
    # Hardly anybody needs it where there is a usual one.
    if kind.url is Need.OPTIONAL:
        fields |= address
    if kind.local_choice:
        fields[vol.Optional(LOCAL, default=False)] = BooleanSelector()
    if kind.id == _OLLAMA:
        fields |= loading_fields()
    if kind.extras:
        # Like the key, they are never filled in.
        fields |= {vol.Optional(name): TextSelector(TextSelectorConfig(multiline=True)) for name in EXTRAS}
    if not kind.chosen:
        fields |= {**_price_fields(kind), **limit_fields(people)}
    return vol.Schema(fields)


def models_form(kind: Kind, models: Iterable[Model], people: Mapping[str, str]) -> vol.Schema:
    """Ask for the models to use, what the list cannot tell about them, limits, and who of `people` may use it."""
    models = tuple(models)
    chats = [model.id for model in models if Capability.CHAT in model.caps]
    # They answer nothing, so they are used only where somebody wants them.
    embedders = [model.id for model in models if Capability.EMBEDDINGS in model.caps and model.id not in chats]
    offered = chats + embedders
    # What a server of the house passes on to a cloud is not used unasked.
    suggested = [model.id for model in models if Capability.CHAT in model.caps and model.local] or chats
    default = suggested if 0 < len(suggested) <= _FEW else [*suggested, *embedders][:1]
    fields: dict[vol.Marker, Any] = {
        vol.Required(MODELS, default=default): SelectSelector(
            SelectSelectorConfig(options=offered, multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
        )
    }
    if kind.id == SHARED:
        fields[vol.Optional(PICTURES, default=AUTO)] = choice((AUTO, YES, NO), PICTURES)
    if kind.id != _OLLAMA:
        fields |= _price_fields(kind)
    return vol.Schema({**fields, **limit_fields(people)})


# --- from a form to what is stored -----------------------------------------------------------------


def chosen_models(form: Mapping[str, Any], known: Container[str]) -> list[str]:
    """Return the models of a form, each once; what is not `known` was typed. Raises `FieldProblem` where there is none."""
    names = (name if name in known else name.strip() for name in form[MODELS])
    if chosen := [name for name in dict.fromkeys(names) if name]:
        return chosen
    raise FieldProblem(MODELS, "no_model_chosen")


def options_to_store(kind: Kind, form: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provider's options: the form's, the household's prices among them, and of those before what it lacks.

    Raises `FieldProblem`.
    """
    theirs = {option.name: option.label for option in kind.options()}
    options = {name: value for name, value in before.items() if name not in _OPTIONS and name not in theirs}
    options |= {name: form[label] for name, label in theirs.items() if form.get(label) is not None}
    options |= {name: form[name] for name in (LOCAL, PRESET, LATENCY, ERROR, PICTURES, *kind.asks) if name in form}
    options |= loading_to_store(form)
    if SUCCESS_RATE in form:
        options[SUCCESS_RATE] = form[SUCCESS_RATE] / 100
    return options | {name: decimal_text(form[name]) for name in _PRICES if name in form}


def _check_prices(options: Mapping[str, Any], models: Iterable[Model]) -> None:
    """Raise `FieldProblem` where one of the prices is given and another is lacking: it would count as free."""
    given = {name for name in _PRICES if name in options}
    needed = {name for model in models for name in token_prices(model.caps)}
    if given and (lacking := needed - given):
        raise FieldProblem(min(lacking), "price_incomplete")


def model_to_store(model: Model, options: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a model as it is stored: the household's word on pictures and prices goes before the server's.

    `own` is what the household says of this one model.
    """
    if options.get(PICTURES) == YES:
        model = replace(model, caps=model.caps | Capability.VISION, told=model.told | Capability.VISION)
    elif options.get(PICTURES) == NO:
        model = replace(model, caps=model.caps & ~Capability.VISION, told=model.told | Capability.VISION)
    today = datetime.now(UTC).date().isoformat()
    return model_to_stored(model, options.get(INPUT_PRICE), options.get(OUTPUT_PRICE), today=today, own=own)


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
    since: str | None = None,
    secrets: Mapping[str, str] | None = None,
    call_price: float | None = None,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a provider's data; of what was stored before, whatever no form asks for is kept. Raises `FieldProblem`.

    `limits` are those of `limits_to_store`; `since` is when the key was typed, None where it is the one that was stored
    before; `secrets` are what the household adds to what is sent, as it is stored.
    """
    _check_prices(options, models)
    kept = {key: value for key, value in (before or {}).items() if key not in _STORED_BY_FORMS}
    # Of another server, a model of the same name is another model.
    same = before is not None and same_server(before.get(Conf.URL), url)
    own = {model["id"]: model.get(OWN) for model in before[Conf.MODELS]} if before and same else {}
    if kind.call_price:
        own = {model.id: _at_call_price(own.get(model.id) or {}, call_price) for model in models}
    data: dict[Conf, Any] = {
        Conf.KIND: kind.id,
        Conf.URL: url,
        Conf.CREDENTIAL: credential,
        Conf.CREDENTIAL_SINCE: since,
        Conf.SECRETS: dict(secrets) if secrets else None,
        Conf.OPTIONS: dict(options),
        Conf.MODELS: [model_to_store(model, options, own.get(model.id)) for model in models],
        Conf.PRIORITY: 0,
    }
    present = {key.value: value for key, value in data.items() if value is not None}
    return kept | present | dict(limits)


def _at_call_price(own: Mapping[str, Any], call_price: float | None) -> dict[str, Any]:
    """Put the form's flat price of a call among what the household says of a model; it goes before all other prices."""
    if call_price is None:
        return {name: value for name, value in own.items() if name != CALL_PRICE}
    rest = {name: value for name, value in own.items() if name not in OWN_PRICES}
    return rest | {CALL_PRICE: decimal_text(call_price)}


# --- from what is stored to a form -----------------------------------------------------------------


def provider_to_show(kind: Kind, name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored provider as the forms show it, without its key."""
    options = stored.get(Conf.OPTIONS, {})
    shown = {
        **options,
        **{price: float(options[price]) for price in _PRICES if options.get(price) is not None},
        NAME: name,
        MODELS: [model["id"] for model in stored[Conf.MODELS]],
        **limits_to_show(stored),
        **{option.label: options[option.name] for option in kind.options() if option.name in options},
    }
    paid = next((own for model in stored[Conf.MODELS] if CALL_PRICE in (own := model.get(OWN, {}))), None)
    if kind.call_price and paid is not None:
        shown[CALL_PRICE] = float(paid[CALL_PRICE])
    if isinstance(options.get(SUCCESS_RATE), int | float):
        shown[SUCCESS_RATE] = float(Decimal(str(options[SUCCESS_RATE])) * 100)
    if Conf.URL in stored:
        shown[URL] = stored[Conf.URL]
    return shown
