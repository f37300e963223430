"""Claude's models: what the list tells, and what is known of them by name because no list tells it."""

import re
from typing import Any

from ..routing.model import Capability, Model
from .capabilities import CHAT, guess
from .retirement import day_told

_MAX_MODELS = 1_000
_TOLD = CHAT | Capability.VISION | Capability.REASONING
# The line of 4.5 is smaller than all that came after it, and wants to be told how many tokens to think.
_BUDGET = ("claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5")
_LATER = (
    "claude-fable-5",
    "claude-haiku-5",
    "claude-mythos-5",
    "claude-opus-4-6",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-sonnet-4-6",
    "claude-sonnet-5",
)
# The number of a name, before or behind that of its line: `claude-3-5-haiku-20241022`, `claude-opus-4-7`.
_NUMBER = re.compile(r"claude-(?:(?P<line>[a-z]+)-)?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)")
_OLD_LINES = frozenset({None, "haiku", "instant", "opus", "sonnet"})
_OPUS_4_7 = (4, 7)

_OFF = frozenset({"off", "none"})
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
# The part of the output that may be thought, for models that want a number.
_SHARES = {"low": 0.25, "medium": 0.5}
_LARGE_SHARE = 0.75
_LEAST_BUDGET = 1_024

_NEVER_STOPS = ("claude-fable-", "claude-mythos-", "claude-opus-5-5")
_STOPS_BETWEEN_TOOLS = ("claude-sonnet-5-5",)
_NEVER_FORCED = (
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-5-1",
    "claude-mythos-5-2",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
)


def _since_4_7(model_id: str) -> bool:
    """Say whether a model is one of Claude's since Opus 4.7, be it known here or newer; by its name.

    Lines that there were not before are newer, and so are names that tell no number.
    """
    if "claude" not in model_id:
        return False
    found = _NUMBER.search(model_id)
    if found is None or found["line"] not in _OLD_LINES:
        return True
    return (int(found["major"]), int(found["minor"] or 0)) >= _OPUS_4_7


def sees_finely(model_id: str) -> bool:
    """Say whether a model sees pictures larger than those before it did: all since Opus 4.7 do."""
    return _since_4_7(model_id)


def takes_sampling(model_id: str) -> bool:
    """Say whether a model takes a temperature: none of Claude's since Opus 4.7 does, even where it does not think."""
    return not _since_4_7(model_id)


def may_be_forced(model_id: str) -> bool:
    """Say whether a model can be made to call a tool."""
    return not model_id.startswith(_NEVER_FORCED)


def thinking(model_id: str, wish: str | None, max_output: int, *, goes_on: bool = True) -> dict[str, Any]:
    """Return the fields `thinking` and `effort` that carry out a wish; none where the model's own way is the nearest.

    `goes_on`: no tools have just answered, or what was thought before them is sent along. With a budget, nothing is
    thought otherwise.
    """
    if wish is None:
        return {}
    if wish in _OFF:
        if model_id.startswith(_NEVER_STOPS):
            return {"effort": "low"}
        return {"thinking": {"type": "between_tools" if model_id.startswith(_STOPS_BETWEEN_TOOLS) else "disabled"}}
    if model_id.startswith(_BUDGET):
        budget = max(_LEAST_BUDGET, int(max_output * _SHARES.get(_EFFORTS.get(wish, ""), _LARGE_SHARE)))
        return {"thinking": {"type": "enabled", "budget_tokens": budget}} if goes_on and budget < max_output else {}
    # Newer models send no thoughts unless asked, and nobody could tell their long silence from a dead connection.
    fields: dict[str, Any] = {"thinking": {"type": "adaptive", "display": "summarized"}}
    return fields | {"effort": _EFFORTS[wish]} if wish in _EFFORTS else fields


def known_size(model_id: str) -> tuple[int | None, int | None]:
    """Return the context and the longest answer (tokens) that go with a name, for servers that only list names."""
    if model_id.startswith(_BUDGET):
        return 200_000, 64_000
    return (1_000_000, 128_000) if model_id.startswith(_LATER) else (None, None)


def _size(entry: dict[str, Any], name: str) -> int | None:
    told = entry.get(name)
    return told if isinstance(told, int) and told > 0 else None


def _capabilities(model_id: str, told: Any, *, known: bool) -> Capability:
    if not isinstance(told, dict):
        return guess(model_id) | (Capability.REASONING if known else Capability.NONE)

    def can(name: str) -> bool:
        support = told.get(name)
        return isinstance(support, dict) and support.get("supported") is True

    caps = CHAT if can("structured_outputs") else CHAT & ~Capability.STRUCTURED
    for name, capability in (("image_input", Capability.VISION), ("thinking", Capability.REASONING)):
        if can(name):
            caps |= capability
    return caps


def _model(entry: dict[str, Any]) -> Model:
    model_id, told = entry["id"], entry.get("capabilities")
    context, max_output = known_size(model_id)
    return Model(
        model_id,
        _capabilities(model_id, told, known=context is not None),
        _size(entry, "max_input_tokens") or context,
        _size(entry, "max_tokens") or max_output,
        told=_TOLD if isinstance(told, dict) else Capability.NONE,
        retires=day_told(entry.get("retires_at")),
    )


def anthropic_models(data: Any) -> list[Model] | None:
    """Return the models in a list that still answer, None where it is none."""
    entries = data.get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return None
    return [
        _model(entry)
        for entry in entries[:_MAX_MODELS]
        if isinstance(entry, dict)
        and isinstance(entry.get("id"), str)
        and entry["id"]
        and entry.get("lifecycle") != "retired"
    ]
