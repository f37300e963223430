"""What every protocol needs of a call before it can be written down."""

import asyncio
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson

from ..routing.call import Call
from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from ..routing.model import Audio, Image, Message, Part, Role, Structure, Text, Thinking, Tool, ToolCall, ToolResult

# A character takes at most four bytes: more of them may make a body of over 256 kB.
_MANY_CHARACTERS = 64 * 1024


def unsent(cls: FailureClass, detail: str) -> AttemptFailed:
    """Say that a request cannot be sent as it is."""
    return AttemptFailed(Failure(cls, Phase.UNSENT, detail, FailureScope.REQUEST, billed=Billed.NO))


def joined(parts: Iterable[Any]) -> str:
    """Return the text among parts; pieces stand on lines of their own."""
    return "\n".join([part.text for part in parts if isinstance(part, Text)])


def split(messages: Iterable[Message]) -> tuple[str, list[Message]]:
    """Return the system text, in one piece, and the turns of the conversation."""
    system: list[str] = []
    turns: list[Message] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            system.append(joined(message.parts))
        else:
            turns.append(message)
    return "\n\n".join(system), turns


def in_hand(turns: Sequence[Message]) -> int:
    """Return where the turn that is not finished begins: behind the last words of the user."""
    place = len(turns)
    while place and turns[place - 1].role is not Role.USER:
        place -= 1
    return place


def with_ids(turns: list[Message], taken: re.Pattern[str]) -> list[Message]:
    """Return the turns with ids of calls that match `taken`, each only once.

    Another provider's model may have given any, and servers that number anew in every answer give the same again.
    """
    if Role.TOOL not in [turn.role for turn in turns]:
        return turns
    times: Counter[str] = Counter()
    given: set[str] = set()
    names: dict[str, str] = {}

    def name(told: str) -> str:
        times[told] += 1
        if taken.fullmatch(told) and told not in given:
            return told
        # Nine letters and digits: the one form of an id that every server takes.
        return sha256(f"{times[told]} {told}".encode()).hexdigest()[:9]

    def of(part: Part) -> Part:
        if isinstance(part, ToolCall):
            names[part.id] = name(part.id)
            given.add(names[part.id])
            return part if names[part.id] == part.id else replace(part, id=names[part.id])
        if isinstance(part, ToolResult) and part.call_id not in names:
            names[part.call_id] = name(part.call_id)
        if isinstance(part, ToolResult) and names[part.call_id] != part.call_id:
            return replace(part, call_id=names[part.call_id])
        return part

    return [replace(turn, parts=tuple(map(of, turn.parts))) for turn in turns]


def as_made(message: Message, call: Call, kind: str, key: str) -> list[dict[str, Any]] | None:
    """Return the pieces of a turn as the call's own model made them; None where another did, or it is not known.

    `kind` is the type of a tool call among the pieces, `key` the field of its id: where the calls are the same, so is
    the turn.
    """
    calls = [part.id for part in message.parts if isinstance(part, ToolCall)]
    for part in message.parts:
        if isinstance(part, Thinking) and part.origin == call.target:
            for pieces in part.opaque or ():
                if [piece[key] for piece in pieces if piece["type"] == kind] == calls:
                    return list(pieces)
    return None


def schema_in_words(structure: Structure) -> str:
    """Ask for an answer of a shape, for models that are not held to it, or are held better when they know it."""
    schema = dumps(structure.schema).decode()
    return f"Answer with one JSON object that matches this JSON schema, and with nothing else:\n{schema}"


def picture(image: Image) -> str:
    """Return a picture as base64. May block. Raises `AttemptFailed` where it cannot be loaded."""
    try:
        return b64encode(image.load()).decode("ascii")
    except OSError, ValueError:
        pass
    raise unsent(FailureClass.BAD_REQUEST, "a picture could not be loaded")


def function(tool: Tool) -> dict[str, Any]:
    """Return a tool in the form that OpenAI's and Ollama's protocols share."""
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }


def dumps(value: Any) -> bytes:
    """Write JSON; mappings of any kind are objects."""
    return orjson.dumps(value, default=dict)


def _written(write: Callable[[Call], Any], call: Call) -> bytes:
    try:
        return dumps(write(call))
    except orjson.JSONEncodeError:
        pass
    raise unsent(FailureClass.BAD_REQUEST, "the request cannot be written as JSON")


async def encoded(write: Callable[[Call], Any], call: Call) -> bytes:
    """Return a call's body as `write` forms it: in an executor where that takes time. Raises `AttemptFailed`."""
    characters = 0
    heavy = False
    for message in call.messages:
        for part in message.parts:
            if isinstance(part, Text):
                characters += len(part.text)
            elif isinstance(part, ToolResult):
                characters += len(part.content)
            elif isinstance(part, Image):
                heavy = True
            elif isinstance(part, Audio):
                raise unsent(FailureClass.CAPABILITY, "sound cannot be sent to this provider")
    if heavy or characters > _MANY_CHARACTERS:
        return await asyncio.get_running_loop().run_in_executor(None, _written, write, call)
    return _written(write, call)
