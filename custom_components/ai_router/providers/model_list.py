"""The model lists of OpenAI-compatible servers: what they tell of context, capabilities and prices."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from ..routing.model import Capability, Model
from ..routing.money import FREE, Prices, PriceSpan, Rates, to_picodollars
from .capabilities import CHAT, guess
from .retirement import day_told

_MAX_MODELS = 5_000
_CONTEXT = ("max_model_len", "context_length", "context_window", "max_context_length", "max_input_tokens")
_OUTPUT = ("max_completion_tokens", "max_output_tokens")
# OpenRouter's price fields and our buckets. Prices per picture have no bucket: pictures are billed by their tokens.
_PRICES = {
    "prompt": ("fresh_in", "cache_read", "cache_write_5m", "cache_write_1h", "image_in", "audio_in"),
    "completion": ("text_out", "reasoning_out", "image_out"),
    "input_cache_read": ("cache_read",),
    "input_cache_write": ("cache_write_5m", "cache_write_1h"),
    "internal_reasoning": ("reasoning_out",),
    "audio": ("audio_in",),
    "web_search": ("searches",),
    "request": ("requests",),
}
# OpenRouter writes -1 for a price that varies; a price that is no string is in a unit we do not know.
_VARIES = Decimal(-1)
_DEAREST = Decimal(1_000_000)
# OpenRouter's, Mistral's and OpenAI's word for the day on which a model goes.
_RETIRES = ("expiration_date", "deprecation", "shutdown_date")
_EMBEDS = ("embedding", "embeddings")
_INPUTS = {"image": Capability.VISION, "audio": Capability.AUDIO_IN}
_PARAMETERS = {
    "tools": Capability.TOOLS,
    "structured_outputs": Capability.STRUCTURED,
    "response_format": Capability.STRUCTURED,
    "reasoning": Capability.REASONING,
}
_FLAGS = {
    "vision": Capability.VISION,
    "function_calling": Capability.TOOLS,
    "reasoning": Capability.REASONING,
    "audio": Capability.AUDIO_IN,
}


def _positive(holder: Any, *names: str) -> int | None:
    if isinstance(holder, dict):
        for name in names:
            value = holder.get(name)
            if isinstance(value, int) and value > 0:
                return value
    return None


def _all_of(table: dict[str, Capability], names: Iterable[Any]) -> Capability:
    caps = Capability.NONE
    for name in names:
        caps |= table.get(str(name), Capability.NONE)
    return caps


def _capabilities(entry: dict[str, Any]) -> tuple[Capability, Capability]:
    """Return what the list tells and a guess from the name for what it does not; and of what the list tells."""
    if entry.get("type") in _EMBEDS:
        return Capability.EMBEDDINGS, CHAT | Capability.EMBEDDINGS
    caps, told = guess(entry["id"]), Capability.NONE
    if Capability.CHAT not in caps:
        return caps, told
    architecture, parameters, flags = (
        entry.get(name) for name in ("architecture", "supported_parameters", "capabilities")
    )
    if isinstance(architecture, dict) and isinstance(architecture.get("input_modalities"), list):
        caps = caps & ~(Capability.VISION | Capability.AUDIO_IN) | _all_of(_INPUTS, architecture["input_modalities"])
        told |= Capability.VISION | Capability.AUDIO_IN
        outputs = architecture.get("output_modalities")
        if isinstance(outputs, list) and "image" in outputs:
            caps |= Capability.IMAGE_OUT
    if isinstance(parameters, list):
        caps = caps & ~(Capability.TOOLS | Capability.STRUCTURED) | _all_of(_PARAMETERS, parameters)
        told |= _all_of(_PARAMETERS, _PARAMETERS)
    if isinstance(flags, dict):
        known = [name for name in _FLAGS if isinstance(flags.get(name), bool)]
        caps = caps & ~_all_of(_FLAGS, known) | _all_of(_FLAGS, (name for name in known if flags[name]))
        told |= _all_of(_FLAGS, known)
        if flags.get("completion_chat") is False:
            caps &= ~(CHAT | Capability.VISION)
            told |= CHAT | Capability.VISION
    return caps, told


def _rates(pricing: dict[str, Any]) -> Rates | None:
    """Turn dollars per token, written as strings, into rates; None where a price is missing, odd or variable."""
    rates: dict[str, int] = {}
    for name, buckets in _PRICES.items():
        text = pricing.get(name)
        if text is None and name not in {"prompt", "completion"}:
            continue
        try:
            price = Decimal(text) if isinstance(text, str) else _VARIES
            told = 0 <= price < _DEAREST
        except InvalidOperation:
            return None
        if not told:
            return None
        rates.update(dict.fromkeys(buckets, to_picodollars(price)))
    return Rates(**rates)


def _prices(pricing: Any) -> Prices | None:
    if not isinstance(pricing, dict):
        return None
    rates = _rates(pricing)
    if rates is None:
        return None
    spans = [PriceSpan(rates)]
    overrides = pricing.get("overrides") or []
    for override in overrides if isinstance(overrides, list) else [overrides]:
        above = _positive(override, "min_prompt_tokens")
        dearer = _rates({**pricing, **override}) if above else None
        if above is None or dearer is None or any(name.startswith("utc_") for name in override):
            # A price by hours, or in a form we do not know: unknown is better than wrong.
            return None
        spans.append(PriceSpan(dearer, above_input=above))
    return Prices(sorted(spans, key=lambda span: span.above_input), "provider")


def _model(entry: dict[str, Any], *, local: bool) -> Model:
    top = entry.get("top_provider")
    prices = _prices(entry.get("pricing"))
    caps, told = _capabilities(entry)
    return Model(
        entry["id"],
        caps,
        _positive(entry, *_CONTEXT) or _positive(entry.get("meta"), "n_ctx_train"),
        _positive(top, "max_completion_tokens") or _positive(entry, *_OUTPUT),
        FREE if prices is None and local else prices,
        local,
        told,
        day_told(*map(entry.get, _RETIRES)),
    )


def entries_of(data: Any) -> list[Any] | None:
    """Return what a list of models lists, None where it is none."""
    entries = data.get("data") if isinstance(data, dict) else data
    return entries if isinstance(entries, list) else None


def model_list(data: Any, *, local: bool) -> list[Model] | None:
    """Return the models in a list, None where it is none. `local`: an admin says that this server is in the house."""
    entries = entries_of(data)
    if entries is None:
        return None
    return [
        _model(entry, local=local)
        for entry in entries[:_MAX_MODELS]
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"]
    ]
