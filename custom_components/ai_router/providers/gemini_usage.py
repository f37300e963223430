"""Gemini's token counts, sorted into buckets that do not overlap."""

from typing import Any

from ..routing.call import Usage
from .chat_usage import count


def _of(told: Any, details: str, modality: str) -> int:
    """Return the tokens of one modality: pictures or sound among the others."""
    entries = told.get(details)
    if not isinstance(entries, list):
        return 0
    return sum(
        count(entry, "tokenCount") for entry in entries if isinstance(entry, dict) and entry.get("modality") == modality
    )


def gemini_usage(told: Any) -> Usage | None:
    """Sort the counts of one answer; None where nothing was counted.

    Cached, picture and sound tokens lie inside the prompt's. Thoughts lie beside the answer's, and what the provider's
    own tools gave the model to read lies beside the prompt's.
    """
    prompt, read = count(told, "promptTokenCount"), count(told, "toolUsePromptTokenCount")
    made, thoughts = count(told, "candidatesTokenCount"), count(told, "thoughtsTokenCount")
    total = count(told, "totalTokenCount")
    if not (prompt or read or made or thoughts or total):
        return None
    # While it streams, what was made so far may be told in the total alone.
    thoughts += max(0, total - prompt - read - made - thoughts)
    cached = min(count(told, "cachedContentTokenCount"), prompt)
    left = prompt - cached
    inside = []
    for modality in ("IMAGE", "AUDIO"):
        fresh = _of(told, "promptTokensDetails", modality) - _of(told, "cacheTokensDetails", modality)
        inside.append(min(max(0, fresh), left))
        left -= inside[-1]
    pictures, sound = inside
    drawn = min(_of(told, "candidatesTokensDetails", "IMAGE"), made)
    return Usage(
        fresh_in=left + read,
        cache_read=cached,
        image_in=pictures,
        audio_in=sound,
        text_out=made - drawn,
        reasoning_out=thoughts,
        image_out=drawn,
    )
