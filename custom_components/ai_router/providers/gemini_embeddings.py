"""Gemini's own form of embedding: one request a text, many of them in a batch."""

from collections.abc import Sequence
from typing import Any

from ..routing.call import Usage
from .embeddings import DIGITS_AT_ONCE, Embedding
from .gemini_usage import gemini_usage


def _body(model: str, texts: Sequence[str]) -> dict[str, Any]:
    name = f"models/{model.removeprefix('models/')}"
    return {"requests": [{"model": name, "content": {"parts": [{"text": text}]}} for text in texts]}


def _vectors(data: dict[str, Any]) -> list[Any] | None:
    entries = data.get("embeddings")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    return [entry.get("values") for entry in entries]


def _usage(data: dict[str, Any]) -> Usage | None:
    return gemini_usage(data.get("usageMetadata"))


GEMINI = Embedding(DIGITS_AT_ONCE, _body, _vectors, _usage)
