"""A call as the body of an Ollama chat, less what a model has refused."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from ..routing.call import Call
from ..routing.model import Image, Message, Role, Text, Thinking, ToolCall, ToolResult
from .conversation import function, joined, picture, schema_in_words, split
from .error_bodies import ErrorBody

_FORMAT = "format"
_JSON_MODE = "json_mode"
_THINK = "think"
# What this refusal is about is the one schema: the next may be taken.
OF_THIS_CALL = frozenset({_FORMAT})
_OFF = frozenset({"off", "none"})
_LEVELS = {"off": "low", "none": "low", "minimal": "low", "low": "low", "medium": "medium"}
_LEVELS |= {"high": "high", "xhigh": "high", "max": "max"}

# How refusals name what can be left out: there is no code for any of it.
_SHAPE = r"invalid format|in format\b|\bgrammar\b|json schema|structured output"
_NAMES = {_FORMAT: _SHAPE, _JSON_MODE: _SHAPE, _THINK: r"\bthink"}


def _turn(message: Message, call: Call) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role.value, "content": joined(message.parts)}
    images = [picture(part) for part in message.parts if isinstance(part, Image)]
    if images:
        turn["images"] = images
    calls = [
        {"id": part.id, "function": {"name": part.name, "arguments": part.arguments}}
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    if calls:
        turn["tool_calls"] = calls
    thoughts = [part.text for part in message.parts if isinstance(part, Thinking) and part.origin == call.target]
    if thoughts:
        turn["thinking"] = "".join(thoughts)
    return turn


def _turns(messages: list[Message], call: Call) -> Iterator[dict[str, Any]]:
    for message in messages:
        if message.role is not Role.TOOL:
            yield _turn(message, call)
            continue
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield {"role": "tool", "content": part.content, "tool_name": part.name, "tool_call_id": part.call_id}
        rest = tuple(part for part in message.parts if isinstance(part, Text | Image))
        if rest:
            yield _turn(Message(Role.USER, rest), call)


def _think(call: Call) -> bool | str:
    """Say how much to think; left out, a model that can would think."""
    wish = call.sampling.reasoning
    if wish is None:
        return False
    # Levels are known to this family alone, which never stops to think; others take only yes or no.
    return _LEVELS.get(wish, True) if "gpt-oss" in call.target.model_id else wish not in _OFF


def _wishes(call: Call, refused: Collection[str], *, thinks: bool) -> dict[str, Any]:
    """Return what may be left out when a model refuses it, by the names under which it is given up."""
    wishes: dict[str, Any] = {}
    if call.structure is not None:
        # The next best to a schema is any JSON: what it should be stands in the words in any case.
        wishes = {_JSON_MODE: "json"} if _FORMAT in refused else {_FORMAT: call.structure.schema}
    if thinks:
        wishes[_THINK] = _think(call)
    return {name: value for name, value in wishes.items() if name not in refused}


def ollama_body(call: Call, refused: Collection[str] = (), *, thinks: bool) -> dict[str, Any]:
    """Return the body for a call; `thinks`: the model can. May block where there are pictures. Raises `AttemptFailed`."""
    system, turns = split(call.messages)
    if call.structure is not None:
        system = f"{system}\n\n{schema_in_words(call.structure)}".strip()
    messages = [{"role": "system", "content": system}] if system else []
    body: dict[str, Any] = {
        "model": call.target.model_id,
        "stream": call.stream,
        "messages": [*messages, *_turns(turns, call)],
    }
    if call.tools:
        body["tools"] = [function(tool) for tool in call.tools]
    for name, value in _wishes(call, refused, thinks=thinks).items():
        body[_FORMAT if name == _JSON_MODE else name] = value
    return body


def objection(error: ErrorBody, call: Call, refused: Collection[str], *, thinks: bool) -> str | None:
    """Return what a refusal objects to and can be left out, if any."""
    words = error.message.lower()
    return next((name for name in _wishes(call, refused, thinks=thinks) if re.search(_NAMES[name], words)), None)
