"""JSON schemas in the narrow form to which servers can hold a model word by word."""

from collections.abc import Collection, Mapping
from typing import Any

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_FORMATS = frozenset({"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"})
_TAKEN = frozenset({"additionalProperties", "anyOf", "const", "description", "enum", "format", "items", "nullable"})
_TAKEN |= {"oneOf", "properties", "required", "type"}
# They say nothing about what is valid.
NOTES = frozenset({"$comment", "$schema", "default", "deprecated", "example", "examples", "readOnly", "title"})
# Constraints that may be said in words: an answer that breaks one still has the shape that was asked for.
_IN_WORDS = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "multipleOf",
        "pattern",
        "uniqueItems",
    }
)


class _TooWide(Exception):
    """A schema says something for which the narrow form has no words."""


def described(schema: Mapping[str, Any], words: Collection[str]) -> str:
    """Return the description of a schema with what is to be said of it beside."""
    description = schema.get("description") or ""
    return f"{description} ({', '.join(words)})".strip() if words else description


def narrowed(
    schema: Mapping[str, Any], constraints: Collection[str] = (), *, all_required: bool
) -> dict[str, Any] | None:
    """Return the schema of an object with every object in it closed; None where it cannot be said so.

    `constraints` are those that the server takes; the others are added to the descriptions. `all_required`: the server
    wants every property to be there, so that those that may be missing may be null instead.
    """
    try:
        narrow = _Narrowing(constraints, all_required=all_required).of(schema)
    except _TooWide:
        return None
    return narrow if narrow.get("type") == "object" else None


class _Narrowing:
    def __init__(self, constraints: Collection[str], *, all_required: bool) -> None:
        self._constraints = constraints
        self._all_required = all_required

    def of(self, schema: Any) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            raise _TooWide
        narrow = self._shape(schema)
        words = []
        for name, value in schema.items():
            if name in self._constraints or (name == "format" and value in _FORMATS):
                narrow[name] = value
            elif name in _IN_WORDS:
                words.append(f"{name}: {value}")
            elif name not in _TAKEN and name not in NOTES:
                raise _TooWide
        if description := described(schema, words):
            narrow["description"] = description
        return _or_null(narrow) if schema.get("nullable") is True else narrow

    def _shape(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return {"anyOf": [self.of(choice) for choice in choices]}
        shape: dict[str, Any] = {name: schema[name] for name in ("const", "enum") if name in schema}
        types = schema.get("type")
        names = [types] if isinstance(types, str) else types
        if isinstance(names, list) and names and _TYPES.issuperset(names):
            shape["type"] = types
        elif not shape:
            raise _TooWide
        if "array" in (names or ()):
            shape["items"] = self.of(schema.get("items"))
        if "object" in (names or ()):
            shape |= self._object(schema)
        return shape

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or schema.get("additionalProperties"):
            raise _TooWide
        required = schema.get("required", ())
        narrow = {name: self.of(inner) for name, inner in properties.items()}
        if self._all_required:
            narrow = {name: inner if name in required else _or_null(inner) for name, inner in narrow.items()}
        return {
            "properties": narrow,
            "required": list(narrow) if self._all_required else [name for name in narrow if name in required],
            "additionalProperties": False,
        }


def _or_null(narrow: dict[str, Any]) -> dict[str, Any]:
    """Return a narrow schema that null matches too."""
    if "anyOf" in narrow:
        choices = narrow["anyOf"]
        return narrow if {"type": "null"} in choices else {**narrow, "anyOf": [*choices, {"type": "null"}]}
    types = narrow.get("type")
    if types is None or "const" in narrow:
        return {"anyOf": [narrow, {"type": "null"}]}
    names = [types] if isinstance(types, str) else types
    if "null" in names:
        return narrow
    wider = {**narrow, "type": [*names, "null"]}
    if "enum" in narrow and None not in narrow["enum"]:
        wider["enum"] = [*narrow["enum"], None]
    return wider
