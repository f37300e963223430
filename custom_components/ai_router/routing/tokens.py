"""How many tokens a request takes: an estimate for choosing, and a bound that a bill cannot pass for holding money.

A byte-level tokenizer never makes more tokens than bytes, so bytes bound the text. The bound for a picture is the
largest of the published formulas for the size it is sent at.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from .model import Image, Message, Request, Text, Thinking, ToolCall, ToolResult

_BYTES_PER_TOKEN = 3.6
_TOKENS_PER_MESSAGE = 8
_TOKENS_PER_REQUEST = 32
_SMALLEST_PICTURE = 1_120
_PATCH_FACTOR = 2.46


@dataclass(frozen=True, slots=True)
class Size:
    """A request's input tokens: those to expect, and those that cannot be exceeded."""

    estimate: int
    bound: int

    @classmethod
    def of(cls, text_bytes: int, messages: int, pictures: Sequence[tuple[int, int]] = ()) -> Size:
        """Count bytes of text, messages, and pictures given as (width, height)."""
        overhead = _TOKENS_PER_MESSAGE * messages
        estimate = ceil(text_bytes / _BYTES_PER_TOKEN) + overhead
        bound = text_bytes + overhead + _TOKENS_PER_REQUEST
        for width, height in pictures:
            estimate += _patches(width, height, 28)
            bound += picture_bound(width, height)
        return cls(estimate, bound)


def _patches(width: int, height: int, edge: int) -> int:
    return ceil(width / edge) * ceil(height / edge)


def picture_bound(width: int, height: int) -> int:
    """Bound a picture's tokens by the largest of the published formulas (November 2026).

    Anthropic: patches of 28 pixels. OpenAI: patches of 32 pixels times its dearest factor. Gemini: 1,120 flat.
    """
    return max(_SMALLEST_PICTURE, _patches(width, height, 28), ceil(_patches(width, height, 32) * _PATCH_FACTOR))


def output_estimate(text_bytes: int, deltas: int) -> int:
    """Count the output seen so far: never less than one token a delta."""
    return max(ceil(text_bytes / _BYTES_PER_TOKEN), deltas)


def _json_bytes(value: object) -> int:
    return len(json.dumps(value, default=str, ensure_ascii=False).encode())


def _message_bytes(message: Message) -> int:
    total = 0
    for part in message.parts:
        match part:
            case Text(text):
                total += len(text.encode())
            case Thinking(text, opaque):
                total += len(text.encode()) + (_json_bytes(opaque) if opaque else 0)
            case ToolCall(_, name, arguments):
                total += len(name) + _json_bytes(arguments)
            case ToolResult(_, name, content):
                total += len(name) + len(content.encode())
            case _:
                pass
    return total


def measure(request: Request) -> Size:
    """Measure a request once, for all targets."""
    total = 0
    pictures: list[tuple[int, int]] = []
    for message in request.messages:
        total += _message_bytes(message)
        pictures.extend((part.width, part.height) for part in message.parts if isinstance(part, Image))
    for tool in request.tools:
        total += len(tool.name) + len(tool.description.encode()) + _json_bytes(tool.parameters)
    if request.structure is not None:
        # The schema may be sent as a schema and spelled out in the prompt as well.
        total += 2 * _json_bytes(request.structure.schema)
    return Size.of(total, len(request.messages), pictures)
