"""How many tokens a request takes: an estimate for choosing, and a bound that a bill cannot pass for holding money.

A byte-level tokenizer never makes more tokens than bytes, so bytes bound the text. The bound for a picture is the
largest of the published formulas for the size it is sent at.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import ceil

from .model import Image, Op, Part, Text, Thinking, ToolCall, ToolResult
from .request import Request

_BYTES_PER_TOKEN = 3.6
_TOKENS_PER_MESSAGE = 8
_TOKENS_PER_REQUEST = 32
_SMALLEST_PICTURE = 1_120
_PATCH_FACTOR = 2.46


@dataclass(frozen=True, slots=True)
class Size:
    """A request's input tokens: those to expect, and those that cannot be exceeded.

    `longest` are those to expect in a text that is read by itself, None where all is read as one. `pictures` is how
    many are shown, `shown` their widths and heights. `texts` are what the estimate of words was made from, `beside` the tokens of it that no text takes.
    """

    estimate: int
    bound: int
    longest: int | None = None
    pictures: int = 0
    texts: tuple[str, ...] = field(default=(), repr=False, compare=False)
    beside: int = 0
    shown: tuple[tuple[int, int], ...] = field(default=(), repr=False, compare=False)

    def counted(self, tokens: Callable[[int, int], int]) -> Size:
        """Return the size by a provider's own formula for a picture of so many pixels (width, height)."""
        more = sum(tokens(width, height) - _patches(width, height, 28) for width, height in self.shown)
        return replace(self, estimate=self.estimate + more, beside=self.beside + more)

    @property
    def together(self) -> int:
        """How many tokens a model must be able to read at once."""
        return self.estimate if self.longest is None else self.longest

    @classmethod
    def of(
        cls,
        text_bytes: int,
        messages: int,
        pictures: Sequence[tuple[int, int]] = (),
        texts: tuple[str, ...] = (),
    ) -> Size:
        """Count bytes of text, messages, and pictures given as (width, height)."""
        overhead = beside = _TOKENS_PER_MESSAGE * messages
        bound = text_bytes + overhead + _TOKENS_PER_REQUEST
        for width, height in pictures:
            beside += _patches(width, height, 28)
            bound += picture_bound(width, height)
        estimate = ceil(text_bytes / _BYTES_PER_TOKEN) + beside
        return cls(estimate, bound, None, len(pictures), texts, beside, tuple(pictures))


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


def _json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _texts(part: Part) -> tuple[str, ...]:
    match part:
        case Text(text):
            return (text,)
        case Thinking(text, opaque):
            return (text, _json(opaque)) if opaque else (text,)
        case ToolCall(_, name, arguments):
            return (name, _json(arguments))
        case ToolResult(_, name, content):
            return (name, content)
        case _:
            return ()


def _bytes(texts: Iterable[str]) -> int:
    # Plain letters need no copy to be counted.
    return sum([len(text) if text.isascii() else len(text.encode(errors="surrogatepass")) for text in texts])


def is_whole(text: str) -> bool:
    """Say whether a text can be written as UTF-8: half a character (a surrogate by itself) cannot."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def measure(request: Request) -> Size:
    """Measure a request once, for all targets."""
    if request.op is Op.EMBED:
        return _measure_texts(request)
    texts: list[str] = []
    pictures: list[tuple[int, int]] = []
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, Image):
                pictures.append((part.width, part.height))
            else:
                texts += _texts(part)
    for tool in request.tools:
        texts += (tool.name, tool.description, _json(tool.parameters))
    total = _bytes(texts)
    if request.structure is not None:
        # The schema may be sent as a schema and spelled out in the prompt as well.
        schema = _json(request.structure.schema)
        texts.append(schema)
        total += 2 * _bytes((schema,))
    return Size.of(total, len(request.messages), pictures, tuple(texts))


def _measure_texts(request: Request) -> Size:
    read = [[text for part in message.parts for text in _texts(part)] for message in request.messages]
    sizes = [_bytes(texts) for texts in read]
    whole = Size.of(sum(sizes), len(sizes), texts=tuple(chain.from_iterable(read)))
    return replace(whole, longest=Size.of(max(sizes, default=0), 1).estimate)
