"""OpenAI's models: the list tells names and little else, so what they can do stands here (November 2026)."""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from ..routing.model import Capability, Model
from .capabilities import CHAT, guess
from .retirement import day_told

_MAX_MODELS = 5_000

type Efforts = tuple[str, ...]

_ORDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_ALWAYS = ("low", "medium", "high", "xhigh", "max")
_ALL = ("none", *_ALWAYS)
_UP_TO_XHIGH = ("none", "low", "medium", "high", "xhigh")
_PRO = ("medium", "high", "xhigh")


class Family(NamedTuple):
    """What a family of models takes. `name` is the beginning of its names, sizes are tokens.

    `rests`: it does not reason unless it is asked to. `writes_cost`: what goes into the prompt cache costs extra.
    """

    name: str
    context: int | None = None
    max_output: int | None = None
    efforts: Efforts = ()
    rests: bool = False
    writes_cost: bool = False
    structured: bool = True


_LARGE, _MIDDLE, _LONGEST = 1_050_000, 400_000, 128_000
# The narrower names first.
_FAMILIES = (
    Family("gpt-6.2", None, None, _ALWAYS, writes_cost=True),
    Family("gpt-6.1-sol", _LARGE, _LONGEST, _ALWAYS, writes_cost=True),
    Family("gpt-6.1-terra", _LARGE, _LONGEST, _ALL, writes_cost=True),
    Family("gpt-6-astra", _LARGE, _LONGEST, _ALWAYS, writes_cost=True),
    Family("gpt-6-sol", _LARGE, _LONGEST, _ALL, writes_cost=True),
    Family("gpt-6-luna", _LARGE, _LONGEST, _ALL, writes_cost=True),
    Family("gpt-5.6", _LARGE, _LONGEST, _ALL, writes_cost=True),
    Family("gpt-5.5-pro", None, None, _PRO, structured=False),
    Family("gpt-5.5", _LARGE, _LONGEST, _UP_TO_XHIGH),
    Family("gpt-5.4-pro", None, None, _PRO, structured=False),
    Family("gpt-5.4-mini", _MIDDLE, _LONGEST, _UP_TO_XHIGH, rests=True),
    Family("gpt-5.4-nano", _MIDDLE, _LONGEST, _UP_TO_XHIGH, rests=True),
    Family("gpt-5.4", _LARGE, _LONGEST, _UP_TO_XHIGH, rests=True),
    Family("gpt-5.3-chat-latest", None, None, ("medium",)),
    Family("gpt-5.3", None, None, _UP_TO_XHIGH, rests=True),
    Family("gpt-5.2-pro", None, None, _PRO),
    Family("gpt-5.2-chat-latest", None, None, ("medium",)),
    Family("gpt-5.2", _MIDDLE, _LONGEST, _UP_TO_XHIGH, rests=True),
    Family("gpt-5.1-chat-latest", None, None, ("medium",)),
    Family("gpt-5.1", None, None, ("none", "low", "medium", "high"), rests=True),
    Family("gpt-5", _MIDDLE, _LONGEST, ("minimal", "low", "medium", "high")),
    Family("o3", None, None, ("low", "medium", "high")),
    Family("o4-mini", None, None, ("low", "medium", "high")),
    Family("gpt-4.1", 1_000_000, 32_000),
    Family("gpt-4o", 128_000, 16_000),
)
# They work with sound or pictures out, or only with tools or addresses that are not used here.
_NOT_HERE = ("audio", "babbage", "computer-use", "davinci", "deep-research", "instruct", "live", "search", "sora")


def family(model_id: str) -> Family | None:
    """Return the family a model belongs to, None for one that is not known. A fine-tuned model is of its base's."""
    name = model_id.lower().removeprefix("ft:").partition(":")[0]
    return next((known for known in _FAMILIES if f"{name}-".startswith(f"{known.name}-")), None)


def effort(known: Family | None, wish: str | None) -> str | None:
    """Return the effort that comes nearest to a wish, None where nothing is said of it.

    Nearest is the highest that the family takes and that is not above the wish, else its lowest. Only who wants no
    reasoning gets none.
    """
    if wish is None:
        return None
    wish = "none" if wish == "off" else wish
    if wish not in _ORDER:
        # Just to reason: most do without being asked.
        return "medium" if known is not None and known.rests else None
    if known is None:
        return wish
    taken = [one for one in known.efforts if one != "none" or wish == "none"]
    allowed = [one for one in taken if _ORDER.index(one) <= _ORDER.index(wish)]
    return allowed[-1] if allowed else next(iter(taken), None)


def reasons(known: Family | None, asked: str | None) -> bool | None:
    """Say whether a model reasons with this effort asked of it (None: nothing asked); None where that is not known."""
    if asked is not None:
        return asked != "none"
    return None if known is None else bool(known.efforts) and not known.rests


def _capabilities(model_id: str, known: Family | None) -> Capability:
    name = model_id.lower()
    if any(piece in name for piece in _NOT_HERE):
        return Capability.NONE
    caps = guess(name)
    if Capability.CHAT not in caps or known is None:
        return caps
    caps = CHAT | Capability.VISION
    if known.efforts:
        caps |= Capability.REASONING
    return caps if known.structured else caps & ~Capability.STRUCTURED


def _models(entries: Iterable[Any], today: date) -> Iterable[Model]:
    for entry in entries:
        model_id = entry.get("id") if isinstance(entry, dict) else None
        retires = day_told(entry.get("shutdown_date")) if isinstance(entry, dict) else None
        if isinstance(model_id, str) and model_id and (retires is None or today < retires):
            known = family(model_id)
            caps = _capabilities(model_id, known)
            if known is None or Capability.CHAT not in caps:
                yield Model(model_id, caps, retires=retires)
            else:
                yield Model(model_id, caps, known.context, known.max_output, retires=retires)


def openai_models(data: Any, today: date) -> list[Model] | None:
    """Return the models in a list that have not been shut down, None where it is none."""
    entries = data.get("data") if isinstance(data, dict) else None
    return list(_models(entries[:_MAX_MODELS], today)) if isinstance(entries, list) else None
