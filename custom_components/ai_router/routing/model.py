"""The nouns of the road: models, targets, and what a conversation is made of. All immutable.

Sizes are bytes or tokens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Flag, StrEnum, auto
from typing import Any, NamedTuple

from .money import Prices

type JsonObject = Mapping[str, Any]


class Capability(Flag):
    """What a model can do, and what a request needs."""

    NONE = 0
    CHAT = auto()
    VISION = auto()
    TOOLS = auto()
    STRUCTURED = auto()
    STREAMING = auto()
    EMBEDDINGS = auto()
    REASONING = auto()
    AUDIO_IN = auto()
    IMAGE_OUT = auto()


class Op(StrEnum):
    """The kind of work that is asked for."""

    CHAT = "chat"
    EMBED = "embed"
    IMAGE = "image"
    EVALUATE = "evaluate"


class Target(NamedTuple):
    """Where an attempt is sent; the key of breakers, limits and learning."""

    provider_id: str
    model_id: str


@dataclass(frozen=True, slots=True)
class Model:
    """One model as one provider offers it. `None` means unknown, never zero.

    `told` are those capabilities of which the provider itself says whether the model has them; others are a guess.
    `retires` is the day from which on the provider means to have it no more.
    """

    id: str
    caps: Capability = Capability.CHAT | Capability.STREAMING
    context: int | None = None
    max_output: int | None = None
    prices: Prices | None = None
    local: bool = False
    told: Capability = field(default=Capability.NONE, compare=False)
    retires: date | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that is ready to send: upright, scaled, without metadata.

    `digest` is the SHA-256 of the bytes; `load` may block and is called in an executor.
    """

    digest: str
    mime: str
    width: int
    height: int
    load: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Audio:
    """A piece of sound."""

    digest: str
    mime: str
    seconds: float
    load: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool, whole."""

    id: str
    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered."""

    call_id: str
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A model's reasoning. `opaque` is the provider's own form, to be replayed only to `origin`."""

    text: str
    opaque: Any
    origin: Target


type Part = Text | Image | Audio | ToolCall | ToolResult | Thinking


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, slots=True)
class Structure:
    """The shape an answer must have; `schema` is a JSON schema of an object."""

    name: str
    schema: JsonObject


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the caller set, and nothing else: `None` is not sent."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning: str | None = None


NO_SAMPLING = Sampling()
