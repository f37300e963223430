"""Calls and what comes back, in few words."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import aclosing
from copy import replace
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.providers.registry import KINDS, ProviderSetup
from custom_components.ai_router.routing.call import (
    Call,
    Event,
    Finish,
    Finished,
    Opened,
    Rethought,
    TextDelta,
    ThinkingDelta,
    Timeouts,
    ToolCallDone,
    Usage,
    UsageTotal,
)
from custom_components.ai_router.routing.failures import AttemptFailed, Failure
from custom_components.ai_router.routing.model import (
    Image,
    Message,
    Model,
    Role,
    Structure,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.ports import Provider

KEY = "sk-canary-5f3a91c7d2"

DOOR = Structure("door", {"type": "object", "properties": {"open": {"type": "boolean"}}, "required": ["open"]})
LIGHT = Tool("light_on", "Switch a light on", {"type": "object", "properties": {"room": {"type": "string"}}})


def user(*parts: Any) -> Message:
    return Message(Role.USER, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def asking(model: str, *messages: Message, **fields: Any) -> Call:
    """Make a call; without messages, a short question."""
    wanted = {"max_output": 300, "timeouts": Timeouts(connect=2.0), **fields}
    return Call(Target("p", model), messages or (user("Is the door open?"),), **wanted)


def whole(call: Call) -> Call:
    """Ask for the answer in one piece."""
    return replace(call, stream=False)


def picture(data: bytes, mime: str = "image/jpeg") -> Image:
    return Image(hashlib.sha256(data).hexdigest(), mime, 64, 48, lambda: data)


def provider(
    session: aiohttp.ClientSession,
    url: str | None,
    kind: str = "openai_compatible",
    *,
    key: str | None = KEY,
    models: tuple[Model, ...] = (),
    **options: Any,
) -> Provider:
    return KINDS[kind].build(ProviderSetup("p", kind, url, key, models, options), session)


class Heard:
    """All events of an attempt, by what they are."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    @property
    def text(self) -> str:
        again = max((place for place, event in enumerate(self.events) if isinstance(event, Rethought)), default=0)
        return "".join(event.text for event in self.events[again:] if isinstance(event, TextDelta))

    @property
    def thoughts(self) -> str:
        said = "".join(event.text for event in self.events if isinstance(event, TextDelta))
        thought = "".join(event.text for event in self.events if isinstance(event, ThinkingDelta))
        return said.removesuffix(self.text) + thought

    @property
    def calls(self) -> list[ToolCall]:
        return [event.call for event in self.events if isinstance(event, ToolCallDone)]

    @property
    def usage(self) -> Usage | None:
        told = [event.usage for event in self.events if isinstance(event, UsageTotal)]
        return told[-1] if told else None

    @property
    def finish(self) -> Finish | None:
        """Why it ended; None where the terminator is not the very last event."""
        last = self.events[-1] if self.events else None
        return last.reason if isinstance(last, Finished) else None

    @property
    def opened(self) -> Opened | None:
        """The opening; None where it is not the very first event."""
        first = self.events[0] if self.events else None
        return first if isinstance(first, Opened) else None


async def hear(of: Provider, call: Call) -> Heard:
    """Run an attempt to its end."""
    async with aclosing(of.attempt(call)) as events:
        return Heard([event async for event in events])


def turn(heard: Heard, target: Target) -> Message:
    """Make a message of what a model said, as the core does."""
    opaque = tuple(event.opaque for event in heard.events if isinstance(event, ThinkingDelta) and event.opaque)
    thought = (Thinking(heard.thoughts, opaque, target),) if heard.thoughts or opaque else ()
    said = (Text(heard.text),) if heard.text else ()
    return Message(Role.ASSISTANT, (*thought, *said, *heard.calls))


def results(heard: Heard) -> list[Message]:
    """Make an answer to each call."""
    return [Message(Role.TOOL, (ToolResult(call.id, call.name, "done"),)) for call in heard.calls]


async def fail(of: Provider, call: Call) -> tuple[Failure, Heard]:
    """Run an attempt that must fail; return why, and what came before."""
    events: list[Event] = []

    async def collect() -> None:
        async with aclosing(of.attempt(call)) as stream:
            async for event in stream:
                events.append(event)  # noqa: PERF401 - what came before the failure is kept

    with pytest.raises(AttemptFailed) as raised:
        await collect()
    return raised.value.failure, Heard(events)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another connection brings about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the server has no event for every one of its counts
            await asyncio.sleep(0.01)


def pieces[T: (str, bytes)](data: T, cuts: list[int]) -> Iterator[T]:
    """Cut data at the given places, each taken modulo its length."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        yield data[start:end]
