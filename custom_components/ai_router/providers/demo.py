"""A provider that needs nothing: it answers from the question itself, and fails as it is told to."""

import asyncio
import random
import re
from array import array
from collections.abc import AsyncGenerator, Iterator, Sequence
from io import BytesIO
from math import ceil
from typing import Any, NamedTuple
from zlib import crc32

from aiohttp import ClientSession

from ..routing.call import (
    Call,
    Event,
    Finish,
    Finished,
    Opened,
    TextDelta,
    ToolCallDone,
    Usage,
    UsageTotal,
    Vector,
    Vectors,
)
from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from ..routing.model import Capability, Image, Message, Model, Op, Role, Text, Tool, ToolCall, ToolResult
from ..routing.money import Prices, Rates, per_million
from .conversation import dumps, in_hand, joined, unsent
from .embeddings import texts_of
from .provider import ProviderSetup

CHAT_MODEL = "demo-chat"
VISION_MODEL = "demo-vision"
EMBEDDING_MODEL = "demo-embed"
_CAPABILITIES = {
    CHAT_MODEL: Capability.CHAT | Capability.STREAMING,
    VISION_MODEL: Capability.CHAT | Capability.STREAMING | Capability.VISION | Capability.TOOLS | Capability.STRUCTURED,
    EMBEDDING_MODEL: Capability.EMBEDDINGS,
}
_CONTEXT = 8_192
_QUOTED = 60
_PATCH = 28
_NUMBERS = 64
_UNSENT = frozenset({FailureClass.NETWORK, FailureClass.TIMEOUT_CONNECT})
_IN_THE_MIDDLE = frozenset({FailureClass.STREAM_CUT, FailureClass.TIMEOUT_IDLE})


class _Seen(NamedTuple):
    """What a picture is, by its bytes: format and size in pixels."""

    format: str
    width: int
    height: int


def _look(image: Image) -> _Seen:
    """Decode a picture. May block. Raises `AttemptFailed` for bytes that are none."""
    from PIL import Image as Pillow  # noqa: PLC0415 - takes long to import, and few households have a demo

    try:
        with Pillow.open(BytesIO(image.load())) as opened:
            opened.load()
            return _Seen(opened.format or "unknown", opened.width, opened.height)
    except OSError, ValueError, Pillow.DecompressionBombError:
        pass
    raise unsent(FailureClass.BAD_REQUEST, "a picture could not be read")


def _shaped(schema: Any, text: str) -> Any:
    """Make a value that matches a JSON schema as far as its types go; `text` stands where words are asked for."""
    if not isinstance(schema, dict):
        return text
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "object":
            return {name: _shaped(field, text) for name, field in schema.get("properties", {}).items()}
        case "array":
            return [_shaped(schema.get("items"), text)]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "null":
            return None
        case _:
            return text


def _prompt(messages: Sequence[Message]) -> str:
    return next((joined(message.parts) for message in reversed(messages) if message.role is Role.USER), "")


def _words(text: str) -> set[str]:
    """Return the words of a text; those of a name may be joined by underscores or capitals."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+|\d+", text)}


def _named(tools: Sequence[Tool], prompt: str) -> list[Tool]:
    """Return the tools whose names a question has all words of."""
    asked = _words(prompt)
    return [tool for tool in tools if prompt and _words(tool.name) <= asked]


def _vector(text: str) -> Vector:
    """Place a text by its words: those that share words lie near each other, in every run."""
    vector = array("f", bytes(4 * _NUMBERS))
    for word in re.findall(r"\w+", text.lower()):
        vector[crc32(word.encode()) % _NUMBERS] += 1.0
    return vector


class Demo:
    """Simulated: no network.

    It calls the tools that a question names, and says what they answered.

    Options: `latency` (seconds before the answer), `success_rate` (0 to 1), `error` (the failure class it fails with),
    `input_price` and `output_price` (dollars per million tokens), `local` (False plays a provider outside the house).
    `requests` counts what was asked.
    """

    def __init__(self, setup: ProviderSetup, session: ClientSession | None = None) -> None:  # noqa: ARG002 - as all kinds
        """Take the options; equal providers behave equally in every run."""
        options = setup.options
        self._latency = max(0.0, float(options.get("latency") or 0.0))
        self._success_rate = float(options.get("success_rate", 1.0))
        self._error = FailureClass(options.get("error") or FailureClass.TRANSIENT)
        prices = [options.get(name) or 0 for name in ("input_price", "output_price")]
        self._prices = Prices.flat(Rates.of(*map(per_million, prices)), "provider")
        self._local = bool(options.get("local", True))
        self._chance = random.Random(setup.id)  # noqa: S311 - a simulation
        self.requests = 0

    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        """Answer a call, or fail. Raises `AttemptFailed`."""
        self.requests += 1
        fails = self._chance.random() >= self._success_rate
        await asyncio.sleep(self._latency)
        if fails and self._error not in _IN_THE_MIDDLE:
            raise AttemptFailed(self._failure())
        if call.op is Op.EMBED:
            for event in self._embedded(call, fails=fails):
                yield event
            return
        images = [part for message in call.messages for part in message.parts if isinstance(part, Image)]
        if images and call.target.model_id != VISION_MODEL:
            raise unsent(FailureClass.CAPABILITY, "this model takes no pictures")
        loop = asyncio.get_running_loop()
        seen = [await loop.run_in_executor(None, _look, image) for image in images]
        yield Opened()
        words = self._answer(call, seen).split(" ")
        said = words[: call.max_output]
        deltas = [f"{word} " for word in said[:-1]] + said[-1:] if call.stream else [" ".join(said)]
        calls = self._calls(call)
        for event in map(ToolCallDone, calls) if calls else map(TextDelta, deltas):
            yield event
            if fails:
                raise AttemptFailed(self._failure())
        written = sum(1 + len(one.arguments) for one in calls) or len(said)
        yield UsageTotal(self._usage(call, seen, written))
        if calls:
            yield Finished(Finish.TOOLS)
        else:
            yield Finished(Finish.STOP if len(said) == len(words) else Finish.LENGTH)

    def _calls(self, call: Call) -> list[ToolCall]:
        """Call the tools that the question names, all at once; none where one has answered already."""
        if any(message.role is Role.TOOL for message in call.messages[in_hand(call.messages) :]):
            return []
        prompt = _prompt(call.messages)
        return [
            ToolCall(
                f"demo_{self.requests}_{number}", tool.name, _shaped({"type": "object", **tool.parameters}, prompt)
            )
            for number, tool in enumerate(_named(call.tools, prompt), 1)
        ]

    @staticmethod
    def _usage(call: Call, seen: Sequence[_Seen], written: int) -> Usage:
        read = [part for message in call.messages for part in message.parts]
        return Usage(
            fresh_in=sum(len(part.text.split()) for part in read if isinstance(part, Text))
            + sum(len(part.content.split()) for part in read if isinstance(part, ToolResult)),
            image_in=sum(ceil(one.width / _PATCH) * ceil(one.height / _PATCH) for one in seen),
            text_out=written,
        )

    def _embedded(self, call: Call, *, fails: bool) -> Iterator[Event]:
        if call.target.model_id != EMBEDDING_MODEL:
            raise unsent(FailureClass.CAPABILITY, "this model embeds no texts")
        texts = texts_of(call)
        yield Opened()
        yield Vectors(tuple(map(_vector, texts)))
        if fails:
            raise AttemptFailed(self._failure())
        yield UsageTotal(Usage(fresh_in=sum(len(text.split()) for text in texts)))
        yield Finished(Finish.STOP)

    async def models(self) -> Sequence[Model]:
        """List the simulated models."""
        return [
            Model(name, caps, _CONTEXT, prices=self._prices, local=self._local) for name, caps in _CAPABILITIES.items()
        ]

    async def probe(self) -> None:
        """Be well unless nothing ever succeeds. Raises `AttemptFailed`."""
        if self._success_rate <= 0:
            raise AttemptFailed(self._failure())

    @staticmethod
    def _answer(call: Call, seen: list[_Seen]) -> str:
        results = [
            f'{part.name} answered "{part.content[:_QUOTED]}".'
            for message in call.messages[in_hand(call.messages) :]
            for part in message.parts
            if isinstance(part, ToolResult)
        ]
        if results:
            text = " ".join(results)
        elif seen:
            text = " ".join(f"I see a {one.format} picture of {one.width} x {one.height} pixels." for one in seen)
        else:
            text = f'Demo answer to "{_prompt(call.messages)[:_QUOTED]}"'
        return dumps(_shaped(call.structure.schema, text)).decode() if call.structure is not None else text

    def _failure(self) -> Failure:
        cls = self._error
        wide = cls in {FailureClass.CREDENTIAL, FailureClass.BILLING}
        middle = cls in _IN_THE_MIDDLE
        return Failure(
            cls,
            Phase.STREAMING if middle else Phase.UNSENT if cls in _UNSENT else Phase.SENT,
            "simulated failure",
            FailureScope.ACCOUNT if wide else FailureScope.TARGET,
            billed=Billed.PARTIAL if middle else Billed.NO,
        )
