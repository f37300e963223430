"""Cloudflare's model list: what its properties tell, and which models want to be asked in Cloudflare's own form."""

from typing import Any

from ..routing.model import Capability, Model
from ..routing.money import Prices
from .capabilities import guess
from .price_spans import prices_of
from .retirement import day_told

# Their JSON mode takes a bare schema, and only in the own form; nothing tells this but Cloudflare's page on it.
JSON_MODE = frozenset(
    {
        "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b",
        "@cf/meta/llama-3-8b-instruct",
        "@cf/meta/llama-3.1-8b-instruct",
        "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
        "@hf/nousresearch/hermes-2-pro-mistral-7b",
        "@hf/thebloke/deepseek-coder-6.7b-instruct-awq",
    }
)
# It takes one picture, beside the messages.
PICTURE_APART = frozenset({"@cf/meta/llama-3.2-11b-vision-instruct"})

_TASKS = {
    "Text Generation": Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED,
    "Text Embeddings": Capability.EMBEDDINGS,
    "Text-to-Image": Capability.IMAGE_OUT,
}
_PROPERTIES = {
    "function_calling": Capability.TOOLS,
    "reasoning": Capability.REASONING,
    "vision": Capability.VISION,
}
# How the list calls the prices that are asked for tokens. Neurons, in which the bill is written, are made from these.
_UNITS = {"per m input tokens": "in", "per m output tokens": "out", "per m cached input tokens": "read"}
_DEAREST = 1_000_000
# What a model has no property of, it cannot do; schemas are kept to in more ways than its properties tell.
_TOLD = Capability.TOOLS | Capability.REASONING | Capability.STRUCTURED


def _properties(entry: dict[str, Any]) -> dict[str, Any]:
    told = entry.get("properties")
    return {
        str(one.get("property_id")): one.get("value")
        for one in (told if isinstance(told, list) else ())
        if isinstance(one, dict)
    }


def cloudflare_model(entry: dict[str, Any]) -> Model | None:
    """Return a model from its entry in the list, None where it has no name."""
    name, task = entry.get("name"), entry.get("task")
    if not isinstance(name, str) or not name:
        return None
    properties = _properties(entry)
    caps = _TASKS.get(str(task.get("name")) if isinstance(task, dict) else "", Capability.NONE)
    if "guard" in name:
        # It judges what others say.
        caps = Capability.NONE
    if Capability.CHAT in caps:
        # Of older models the list does not say that they see.
        caps |= guess(name) & Capability.VISION
        for told, capability in _PROPERTIES.items():
            if str(properties.get(told)).lower() == "true":
                caps |= capability
    window = str(properties.get("context_window", ""))
    size = int(window) if window.isascii() and window.isdigit() and int(window) else None
    sure = _TOLD | (Capability.VISION if "vision" in properties else Capability.NONE) if properties else Capability.NONE
    prices, retires = _prices(properties.get("price"), caps), day_told(properties.get("planned_deprecation_date"))
    return Model(name, caps, size, prices=prices, told=sure, retires=retires)


def _prices(told: Any, caps: Capability) -> Prices | None:
    """Read the prices of a million tokens; None where one is missing, odd, or of a unit that is not known."""
    span: dict[str, str] = {}
    for one in told if isinstance(told, list) else ():
        name = _UNITS.get(str(one.get("unit")).lower()) if isinstance(one, dict) else None
        price: Any = one.get("price") if name else None
        # What is not a number is in no order.
        if name is None or type(price) not in {int, float} or not 0 <= price < _DEAREST or one.get("currency") != "USD":
            return None
        span[name] = str(price)
    if "in" not in span or ("out" not in span and Capability.EMBEDDINGS not in caps):
        return None
    return prices_of([span], "provider")
