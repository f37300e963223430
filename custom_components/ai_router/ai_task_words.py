"""A call in the words of an AI Task: one text of instructions, the pictures, and a structure of Home Assistant's own."""

from collections.abc import Iterable, Mapping
from typing import Any

import voluptuous as vol
from homeassistant.helpers.selector import DateSelector, DateTimeSelector, TimeSelector

from .providers.conversation import dumps
from .routing.model import Image, JsonObject, Message, Role, Text, ToolCall, ToolResult

_DEEPEST = 16
_TIMES = {"date": DateSelector, "time": TimeSelector, "date-time": DateTimeSelector}
_SPEAKERS = {Role.SYSTEM: "System", Role.USER: "User", Role.ASSISTANT: "Assistant", Role.TOOL: "Tool"}


def instructions(messages: Iterable[Message]) -> str:
    """Return a conversation as one text; where more is said than one prompt, each turn begins with who speaks."""
    turns = [(message.role, text) for message, text in _texts(messages) if text]
    if [role for role, _ in turns] in ([], [Role.USER]):
        return "".join(text for _, text in turns)
    return "\n\n".join(f"{_SPEAKERS[role]}: {text}" for role, text in turns)


def _texts(messages: Iterable[Message]) -> Iterable[tuple[Message, str]]:
    messages = tuple(messages)
    # They are all handed over beside the text: of which turn they are part is said where there are several.
    mark = sum(any(isinstance(part, Image) for part in message.parts) for message in messages) > 1
    pictures = 0
    for message in messages:
        pieces = []
        for part in message.parts:
            match part:
                case Text(text):
                    pieces.append(text)
                case Image():
                    pictures += 1
                    pieces += [f"[picture {pictures}]"] if mark else []
                case ToolCall(_, name, arguments):
                    pieces.append(f"[calls {name}: {dumps(arguments).decode()}]")
                case ToolResult(_, name, content):
                    pieces.append(f"[{name} answers: {content}]")
        yield message, "\n".join(pieces)


def pictures(messages: Iterable[Message]) -> list[Image]:
    """Return the pictures of a conversation in their order."""
    return [part for message in messages for part in message.parts if isinstance(part, Image)]


def structure(schema: JsonObject) -> vol.Schema:
    """Return a JSON schema of an object as entities take it: names, types, choices and what is required stay."""
    return vol.Schema(_fields(schema, schema, 0), extra=vol.PREVENT_EXTRA)


def _fields(schema: JsonObject, root: JsonObject, depth: int) -> dict[vol.Marker, Any]:
    required = schema.get("required") or ()
    fields: dict[vol.Marker, Any] = {}
    for name, field in (schema.get("properties") or {}).items():
        marker = vol.Required if name in required else vol.Optional
        said = field.get("description") if isinstance(field, Mapping) else None
        fields[marker(name, description=said)] = _value(field, root, depth + 1)
    return fields


def _value(schema: Any, root: JsonObject, depth: int) -> Any:
    """Return what checks, and describes, one value; anything goes where the schema says nothing that is known here."""
    schema = _followed(schema, root)
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return object
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return vol.Any(*(_value(choice, root, depth + 1) for choice in choices))
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return vol.Any(*(_value({**schema, "type": kind}, root, depth + 1) for kind in kinds))
    if kinds == "null":
        return None
    value = _typed(kinds, schema, root, depth)
    return vol.Any(value, None) if schema.get("nullable") is True else value


def _typed(kind: Any, schema: JsonObject, root: JsonObject, depth: int) -> Any:
    chosen = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(chosen, list) and chosen:
        return vol.In([each for each in chosen if each is not None])
    match kind:
        case "boolean":
            return bool
        case "string":
            return _TIMES[schema["format"]]() if schema.get("format") in _TIMES else str
        case "integer":
            return _bounded(int, schema)
        case "number":
            return _bounded(vol.Coerce(float), schema)
        case "array":
            return [_value(schema.get("items"), root, depth + 1)]
        case "object" if schema.get("properties"):
            return vol.Schema(_fields(schema, root, depth), extra=vol.PREVENT_EXTRA)
        case "object":
            return dict
        case _:
            return object


def _bounded(kind: Any, schema: JsonObject) -> Any:
    least, most = schema.get("minimum"), schema.get("maximum")
    return kind if least is None and most is None else vol.All(kind, vol.Range(min=least, max=most))


def _followed(schema: Any, root: JsonObject) -> Any:
    """Follow a reference to another part of the same schema."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        schema = root
        for step in reference[2:].split("/"):
            schema = schema.get(step) if isinstance(schema, Mapping) else None
    return None
