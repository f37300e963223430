"""Gemini's model list, and what its generations do differently."""

import re
from typing import Any

from ..routing.model import Capability, Model
from .capabilities import guess
from .chat_usage import count

type Generation = tuple[int, int]

# From these on: a budget for thinking; levels of it, signatures and pictures in tools' answers; no sampling any more.
BUDGETS: Generation = (2, 5)
LEVELS: Generation = (3, 0)
FIXED_SAMPLING: Generation = (3, 5)
_ALL_LEVELS_UNTIL: Generation = (3, 6)
_GEMMA: Generation = (0, 0)
_NEWEST: Generation = (99, 0)

_VERSION = re.compile(r"gemini-(?:[a-z-]+-)?(\d+)(?:\.(\d+))?")
# They answer with pictures or sound, or only to tools of their own: nothing of that is asked for here.
_DRAWS = ("-image", "nano-banana")
_NO_CHAT = ("-tts", "computer-use", "native-audio", "-live")


def generation(model_id: str) -> Generation:
    """Read a model's generation from its name. Gemma takes the least; a name without a number means the newest."""
    if "gemma" in model_id:
        return _GEMMA
    found = _VERSION.search(model_id)
    return (int(found[1]), int(found[2] or 0)) if found else _NEWEST


def thinks_minimally(model_id: str) -> bool:
    """Say whether a model takes the lowest level of thinking; most refuse it."""
    return generation(model_id) < _ALL_LEVELS_UNTIL and "flash" in model_id


def _capabilities(name: str, entry: dict[str, Any]) -> Capability:
    methods = entry.get("supportedGenerationMethods")
    if not isinstance(methods, list):
        return Capability.NONE
    if "generateContent" not in methods:
        return Capability.EMBEDDINGS if "embedContent" in methods else Capability.NONE
    if any(piece in name for piece in _DRAWS):
        return Capability.IMAGE_OUT
    if any(piece in name for piece in _NO_CHAT):
        return Capability.NONE
    caps = guess(name)
    if generation(name) > _GEMMA:
        caps |= Capability.AUDIO_IN
        if entry.get("thinking") is True:
            caps |= Capability.REASONING
    return caps


def gemini_model(entry: dict[str, Any]) -> Model | None:
    """Return a model from its entry in the list, None where it has no name. The list tells neither prices nor senses."""
    told = entry.get("name")
    if not isinstance(told, str) or not (name := told.removeprefix("models/")):
        return None
    return Model(
        name,
        _capabilities(name, entry),
        count(entry, "inputTokenLimit") or None,
        count(entry, "outputTokenLimit") or None,
        told=Capability.REASONING if isinstance(entry.get("thinking"), bool) else Capability.NONE,
    )
