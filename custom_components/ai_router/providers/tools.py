"""Tools as every server takes them: names and parameters that none refuses, and each call with its result behind it.

A history that was cut, another provider's model or another integration may leave any other form. What is changed for
the server is changed in the same way each time, and a model's calls come back under the tools' own names.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import Any

from ..routing.call import Call
from ..routing.failures import FailureClass
from ..routing.model import JsonObject, Message, Part, Role, Text, Tool, ToolCall, ToolResult
from .conversation import dumps, unsent
from .schemas import described

# OpenAI's rule, which the servers of its protocol keep too; Anthropic's newer models take longer names.
NAMES = re.compile(r"[A-Za-z0-9_-]{1,64}")
GEMINI_NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
ANY_NAMES = re.compile(r".+", re.DOTALL)
_LONGEST, _MARK = 64, 8
_NO_RESULT = "There is no result: the call was not carried out, or its result has been lost."

# What may not stand beside the fields of a tool, but can be said in words.
_CHOICES = ("anyOf", "oneOf")
_NOT_AT_THE_TOP = frozenset({*_CHOICES, "allOf", "not", "enum", "const", "if", "then", "else", "$ref"})
_SAID = ("anyOf", "oneOf", "not", "enum", "const", "if", "then", "else")
_DEEPEST = 8


def taken(call: Call, names: re.Pattern[str]) -> tuple[Call, Mapping[str, str]]:
    """Return a call as a server takes it whose tools' names match `names`; and the own name of each that was changed.

    Raises `AttemptFailed` for a tool that takes no fields at all but something else.
    """
    messages = paired(call.messages)
    if not call.tools and not any(message.role is Role.TOOL for message in messages):
        return call if messages is call.messages else call._replace(messages=messages), {}
    tools = tuple(map(_flattened, call.tools))
    given = _spellings(messages, tools, names)
    if given:
        tools = tuple(replace(tool, name=given.get(tool.name, tool.name)) for tool in tools)
        messages = tuple(_renamed(message, given) for message in messages)
    return call._replace(messages=messages, tools=tools), {wire: own for own, wire in given.items()}


# --- names -----------------------------------------------------------------------------------------


def _spellings(messages: Iterable[Message], tools: Iterable[Tool], names: re.Pattern[str]) -> dict[str, str]:
    """Return the new name of each tool whose own is not taken: always the same, and no other tool's."""
    parts = (part for message in messages for part in message.parts if isinstance(part, ToolCall | ToolResult))
    own = dict.fromkeys([*(tool.name for tool in tools), *(part.name for part in parts)])
    kept = {name for name in own if names.fullmatch(name)}
    return {name: _spelled(name, kept) for name in own if name not in kept}


def _spelled(name: str, others: set[str]) -> str:
    clean = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if not clean[:1].isalpha():
        clean = f"_{clean}"
    for again in count():
        # Without it, `light.on` and `light:on` would be one tool.
        mark = sha256(f"{again} {name}".encode(errors="surrogatepass")).hexdigest()[:_MARK]
        spelled = f"{clean[: _LONGEST - _MARK - 1]}_{mark}"
        if spelled not in others:
            break
    return spelled


def _renamed(message: Message, given: Mapping[str, str]) -> Message:
    def of(part: Part) -> Part:
        if isinstance(part, ToolCall | ToolResult) and part.name in given:
            return replace(part, name=given[part.name])
        return part

    return replace(message, parts=tuple(map(of, message.parts)))


# --- calls and their results -----------------------------------------------------------------------


def paired(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a conversation in which the results of a turn's calls stand directly behind it: all, and no others.

    A call without a result gets one that says so; a result without its call becomes words of the user's turn.
    """
    return messages if _are_paired(messages) else tuple(_mended(messages))


def _are_paired(messages: Iterable[Message]) -> bool:
    calls: dict[str, str] = {}
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        if message.role is Role.TOOL:
            for part in message.parts:
                if isinstance(part, ToolResult) and calls.pop(part.call_id, None) != part.name:
                    return False
        elif calls:
            return False
        elif message.role is Role.ASSISTANT:
            for part in message.parts:
                if isinstance(part, ToolCall):
                    if part.id in calls:
                        return False
                    calls[part.id] = part.name
    return not calls


type _Found = tuple[ToolResult, list[Part]]


def _mended(messages: Sequence[Message]) -> Iterator[Message]:
    matched, strays = _matched(messages)
    for place, message in enumerate(messages):
        if message.role is Role.TOOL:
            if stray := strays.get(place):
                yield Message(Role.USER, tuple(stray))
            continue
        ids: set[str] = set()
        parts: list[Part] = []
        behind: list[Message] = []
        for number, part in enumerate(message.parts):
            if message.role is Role.ASSISTANT and isinstance(part, ToolCall):
                # Two calls of one id in a turn could not be told apart.
                call = part if part.id not in ids else replace(part, id=f"{part.id[:50]}_{number}")
                ids.add(call.id)
                result, shown = matched.get((place, number), (ToolResult(call.id, call.name, _NO_RESULT), []))
                behind.append(Message(Role.TOOL, (replace(result, call_id=call.id, name=call.name), *shown)))
                parts.append(call)
            else:
                parts.append(part)
        yield replace(message, parts=tuple(parts))
        yield from behind


def _matched(messages: Sequence[Message]) -> tuple[dict[tuple[int, int], _Found], dict[int, list[Part]]]:
    """Return the result of each call, by the places of its turn and in it, and what is left of the tools' turns.

    Ids may come again in later turns: a result belongs to the last turn before it that has its id.
    """
    matched: dict[tuple[int, int], _Found] = {}
    strays: dict[int, list[Part]] = {}
    waiting: dict[str, deque[tuple[int, int]]] = {}
    for place, message in enumerate(messages):
        if message.role is Role.ASSISTANT:
            anew: dict[str, deque[tuple[int, int]]] = {}
            for number, part in enumerate(message.parts):
                if isinstance(part, ToolCall):
                    anew.setdefault(part.id, deque()).append((place, number))
            waiting |= anew
        elif message.role is Role.TOOL:
            into = strays[place] = []
            for part in message.parts:
                if not isinstance(part, ToolResult):
                    into.append(part)
                elif calls := waiting.get(part.call_id):
                    # What follows a result, as a picture does, belongs to it.
                    into = []
                    matched[calls.popleft()] = part, into
                else:
                    into = strays[place]
                    into.append(Text(f"{part.name}: {part.content}"))
    return matched, strays


# --- parameters ------------------------------------------------------------------------------------


def _flattened(tool: Tool) -> Tool:
    found = object_schema(tool.parameters)
    if found is None:
        raise unsent(FailureClass.BAD_REQUEST, f"the tool {tool.name} takes something else than named fields")
    return tool if found is tool.parameters else replace(tool, parameters=found)


def object_schema(schema: JsonObject) -> JsonObject | None:
    """Return the schema of an object with all its fields at the top; None for one of something else than an object.

    Servers refuse choices between whole objects there, or drop them without a word: all fields that any of them has
    are offered, those are required that all require, and the description tells the rest.
    """
    if schema.get("type") == "object" and "properties" in schema and _NOT_AT_THE_TOP.isdisjoint(schema):
        return schema
    flat = _flat(schema, schema, 0)
    if flat is None:
        return None
    kept = {name: value for name, value in schema.items() if name not in _NOT_AT_THE_TOP}
    words = [f"{name}: {dumps(schema[name]).decode()}" for name in _SAID if name in schema]
    if description := described(schema, words):
        kept["description"] = description
    if any(name in schema for name in (*_CHOICES, "allOf", "$ref")):
        # Said of one of several, it would forbid the fields of the others.
        kept.pop("additionalProperties", None)
    required = {"required": flat[1]} if flat[1] else {}
    return {**kept, "type": "object", "properties": flat[0], **required}


type _Flat = tuple[dict[str, Any], list[str]]


def _flat(schema: Any, root: JsonObject, depth: int) -> _Flat | None:
    """Return the fields and the required ones of an object's schema; None where it is none."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None if schema is False else ({}, [])
    types = schema.get("type", "object")
    if types != "object" and not (isinstance(types, list) and "object" in types):
        return None
    own, required = schema.get("properties"), schema.get("required")
    found: _Flat = (
        dict(own) if isinstance(own, Mapping) else {},
        list(required) if isinstance(required, list | tuple) else [],
    )
    together = [*_listed(schema, "allOf"), *([_referred(schema["$ref"], root)] if "$ref" in schema else [])]
    for each in together:
        inner = _flat(each, root, depth + 1)
        if inner is None:
            return None
        found = (_joined([found[0], inner[0]], "allOf"), list(dict.fromkeys(found[1] + inner[1])))
    for name in _CHOICES:
        choices = [_flat(each, root, depth + 1) for each in _listed(schema, name)]
        objects = [each for each in choices if each is not None]
        if choices and not objects:
            return None
        if objects:
            common = [field for field in objects[0][1] if all(field in each[1] for each in objects)]
            offered = _joined([each[0] for each in objects], "anyOf")
            found = (_joined([found[0], offered], "allOf"), list(dict.fromkeys(found[1] + common)))
    return found


def _listed(schema: JsonObject, name: str) -> list[Any]:
    told = schema.get(name)
    return list(told) if isinstance(told, list | tuple) else []


def _joined(several: Iterable[Mapping[str, Any]], by: str) -> dict[str, Any]:
    """Join fields; where several have one of the same name, theirs are joined `by` a word of JSON Schema."""
    fields: dict[str, list[Any]] = {}
    for each in several:
        for name, schema in each.items():
            known = fields.setdefault(name, [])
            if schema not in known:
                known.append(schema)
    return {name: known[0] if len(known) == 1 else {by: known} for name, known in fields.items()}


def _referred(reference: Any, root: JsonObject) -> Any:
    """Return what a reference within a schema points to; anything goes where that is not there."""
    found: Any = root
    for step in str(reference).removeprefix("#").strip("/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
