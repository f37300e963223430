"""The token counts of chat completions, sorted into buckets that do not overlap."""

from decimal import Decimal
from typing import Any

from ..routing.call import Usage
from ..routing.money import Picodollars, to_picodollars

# More than any answer has: a count above it is nonsense, and its price would not fit into 64 bits.
MANY = 10**9
_NUMBER = (int, float)
# No answer costs as many dollars.
_DEAREST = 1_000_000


def count(holder: Any, *names: str) -> int:
    """Return the first count above zero that goes by one of the names; 0 where there is none."""
    if isinstance(holder, dict):
        for name in names:
            value = holder.get(name)
            if value and isinstance(value, _NUMBER) and value is not True and 0 < value < MANY:
                return int(value)
    return 0


def chat_usage(told: Any) -> Usage | None:
    """Sort the counts of one answer; None where nothing was counted.

    Cached, written, picture and sound tokens lie inside the prompt's. Reasoning lies inside the completion's, except
    for what the total shows to have been added to it.
    """
    prompt = count(told, "prompt_tokens")
    completion = count(told, "completion_tokens")
    if not prompt and not completion:
        # Some servers send zeros for "not counted".
        return None
    total = count(told, "total_tokens")
    inside, made = told.get("prompt_tokens_details"), told.get("completion_tokens_details")
    reasoning = count(made, "reasoning_tokens")
    added = max(0, total - prompt - completion) if total else 0
    if not total and reasoning > completion:
        added = reasoning
    within = min(max(0, reasoning - added), completion)
    left = prompt
    taken: list[int] = []
    for tokens in (
        count(inside, "cached_tokens") or count(told, "prompt_cache_hit_tokens"),
        count(inside, "cache_write_tokens"),
        count(inside, "image_tokens"),
        count(inside, "audio_tokens"),
    ):
        taken.append(min(tokens, left))
        left -= taken[-1]
    cached, written, pictures, sound = taken
    return Usage(
        fresh_in=left,
        cache_read=cached,
        cache_write_5m=written,
        image_in=pictures,
        audio_in=sound,
        text_out=completion - within,
        reasoning_out=within + added,
    )


def told_cost(told: Any) -> Picodollars | None:
    """Return what OpenRouter says that an answer costs, None where it does not say all.

    Whoever brings a key of their own pays the provider behind it too.
    """
    if not isinstance(told, dict):
        return None
    amounts = [told.get("cost")]
    if told.get("is_byok") is True:
        details = told.get("cost_details")
        amounts.append(details.get("upstream_inference_cost") if isinstance(details, dict) else None)
    total = 0
    for amount in amounts:
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < _DEAREST:
            return None
        total += to_picodollars(Decimal(str(amount)))
    return total
