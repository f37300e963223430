"""JSON schemas as Gemini takes them: what it has no keyword for is said in the descriptions."""

from collections.abc import Mapping
from typing import Any

from .conversation import dumps
from .schemas import NOTES, described

_AS_THEY_ARE = frozenset({"$anchor", "$id", "maxItems", "maximum", "minItems", "minimum", "propertyOrdering", "title"})
_AS_THEY_ARE |= {"required", "type"}
_OF_ONE, _OF_SEVERAL, _OF_NAMED = (
    ("additionalProperties", "items"),
    ("anyOf", "oneOf", "prefixItems"),
    ("$defs", "properties"),
)
_FORMATS = {
    "string": frozenset({"date", "date-time", "time"}),
    "number": frozenset({"double", "float"}),
    "integer": frozenset({"int32", "int64"}),
}
_SILENT = NOTES | {"description", "nullable"}


def gemini_schema(schema: Any) -> dict[str, Any]:
    """Return a schema with nothing in it but what Gemini takes; what else it says is for the model to read."""
    if not isinstance(schema, Mapping):
        # True: anything goes.
        return {}
    if isinstance(schema.get("$ref"), str):
        # Nothing may stand beside it.
        return {name: _inner(name, value) for name, value in schema.items() if name in {"$ref", "$defs"}}
    taken: dict[str, Any] = {}
    words: list[str] = []
    for name, value in schema.items():
        if name in _AS_THEY_ARE or (name == "additionalProperties" and isinstance(value, bool)):
            taken[name] = value
        elif _has_schemas(name, value):
            taken[name] = _inner(name, value)
        elif name in {"const", "enum"} and (choices := _choices([value] if name == "const" else value)):
            taken["enum"] = choices
        elif name == "format" and value in _formats(schema.get("type")):
            taken[name] = value
        elif value is not None and name not in _SILENT:
            words.append(f"{name}: {dumps(value).decode()}")
    if description := described(schema, words):
        taken["description"] = description
    return _or_null(taken) if schema.get("nullable") is True else taken


def _has_schemas(name: str, value: Any) -> bool:
    kind = Mapping if name in {*_OF_ONE, *_OF_NAMED} else list if name in _OF_SEVERAL else ()
    return isinstance(value, kind)


def _inner(name: str, value: Any) -> Any:
    if name in _OF_NAMED:
        return {key: gemini_schema(each) for key, each in value.items()}
    if name in _OF_SEVERAL:
        return [gemini_schema(each) for each in value]
    return gemini_schema(value) if name in _OF_ONE else value


def _choices(values: Any) -> list[Any]:
    """Return words or numbers to choose from, none where there is anything else among them but null."""
    choices = [value for value in values if value is not None] if isinstance(values, list) else []
    return choices if all(type(value) in {str, int, float} for value in choices) else []


def _formats(types: Any) -> frozenset[str]:
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else ()
    return frozenset().union(*(_FORMATS.get(name, frozenset()) for name in names))


def _or_null(taken: dict[str, Any]) -> dict[str, Any]:
    types = taken.get("type")
    if isinstance(types, str):
        return {**taken, "type": [types, "null"]}
    choices = taken.get("anyOf")
    return {**taken, "anyOf": [*choices, {"type": "null"}]} if choices else taken
