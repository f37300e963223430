"""Ollama's model list: what a model can do, and whether it runs in the house."""

from typing import Any

from ..routing.model import Capability, Model
from ..routing.money import FREE

_CAPABILITIES = {
    "completion": Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED,
    "vision": Capability.VISION,
    "tools": Capability.TOOLS,
    "thinking": Capability.REASONING,
    "embedding": Capability.EMBEDDINGS,
    "audio": Capability.AUDIO_IN,
}


def names_a_cloud(told: dict[str, Any]) -> bool:
    """Say whether an entry, or an answer, tells of a server elsewhere that does the work."""
    return bool(told.get("remote_host") or told.get("remote_model"))


def runs_in_a_cloud(name: str, entry: dict[str, Any]) -> bool:
    """Say whether a model is only passed on to a cloud: by what the server says of it, or by its name."""
    tag = name.lower().removesuffix(":latest")
    return names_a_cloud(entry) or tag.endswith(("-cloud", ":cloud"))


def _context(entry: dict[str, Any], num_ctx: int | None) -> int | None:
    """Return the context of a model (tokens): longer prompts are cut without a word, so `num_ctx` bounds it."""
    details, info = entry.get("details"), entry.get("model_info")
    told = [entry.get("context_length")]
    if isinstance(details, dict):
        told.append(details.get("context_length"))
    if isinstance(info, dict):
        told.extend(value for name, value in info.items() if name.endswith(".context_length"))
    largest = next((value for value in told if isinstance(value, int) and value > 0), None)
    return min((size for size in (largest, num_ctx) if size), default=None)


def ollama_model(name: str, entry: dict[str, Any], *, at_home: bool, num_ctx: int | None) -> Model:
    """Return a model from its entry in the list, together with what the server shows of it.

    `at_home`: the server itself is in the house. Only what runs there is local, and free.
    """
    told = entry.get("capabilities")
    caps = Capability.NONE
    for capability in told if isinstance(told, list) else ("completion",):
        caps |= _CAPABILITIES.get(str(capability), Capability.NONE)
    local = at_home and not runs_in_a_cloud(name, entry)
    sure = ~Capability.NONE if isinstance(told, list) else Capability.NONE
    return Model(name, caps, _context(entry, num_ctx), prices=FREE if local else None, local=local, told=sure)
