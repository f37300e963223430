"""Data out of an answer in words, in the shape that was asked for."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .model import JsonObject

_HALVES = re.compile("[\ud800-\udfff]")
_BIT_64 = 2**64


def shaped(text: str, schema: JsonObject) -> Any:
    """Return the data in an answer. Raises `ValueError` where there is none, or none of this shape.

    Models that could only be asked for it in words put a fence or a sentence around it: then the object inside counts.
    """
    try:
        data = _read(text)
    except ValueError:
        begin, end = text.find("{"), text.rfind("}")
        if not 0 <= begin < end:
            raise
        data = _read(text[begin : end + 1])
    data = without_nulls(data, schema)
    if not _fits(data, schema):
        raise ValueError("the data has another shape")
    return data


def _read(text: str) -> Any:
    try:
        data = json.loads(text, parse_constant=_no_number, parse_int=_integer)
        # Halves of a character, which only escapes can write, could not be passed on.
        return json.loads(_HALVES.sub("\ufffd", json.dumps(data, ensure_ascii=False))) if "\\u" in text else data
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int:
    """Read a whole number of 64 bits: whoever is given the data writes it as JSON again, and no larger one."""
    number = int(digits)
    if not -_BIT_64 // 2 <= number < _BIT_64:
        raise ValueError("a whole number that is too large")
    return number


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda data: isinstance(data, dict),
    "array": lambda data: isinstance(data, list),
    "string": lambda data: isinstance(data, str),
    "boolean": lambda data: isinstance(data, bool),
    "null": lambda data: data is None,
    # What is too large to be a number has become infinite.
    "number": lambda data: isinstance(data, int | float) and not isinstance(data, bool) and data * 0 == 0,
    "integer": lambda data: not isinstance(data, bool) and (isinstance(data, int) or _is_whole(data)),
}


def _is_whole(data: Any) -> bool:
    return isinstance(data, float) and data.is_integer()


def _fits(data: Any, schema: Any) -> bool:
    """Say whether data has the types, the required fields and the words that a schema names. What it adds is let be.

    Of JSON Schema no more than that is looked at: bounds and patterns are the caller's to check.
    """
    if not isinstance(schema, Mapping) or (data is None and _may_be_null(schema)):
        return True
    words = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(words, list) and data not in words:
        return False
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(choices, Iterable) and not any(_fits(data, choice) for choice in choices):
        return False
    types = schema.get("type")
    known = [_TYPES[each] for each in (types if isinstance(types, list) else [types]) if each in _TYPES]
    if known and not any(is_it(data) for is_it in known):
        return False
    if isinstance(data, list):
        return all(_fits(item, schema.get("items")) for item in data)
    if not isinstance(data, dict):
        return True
    fields = schema.get("properties")
    return all(name in data for name in schema.get("required") or ()) and (
        not isinstance(fields, Mapping) or all(_fits(value, fields.get(name)) for name, value in data.items())
    )


def without_nulls(data: Any, schema: Any) -> Any:
    """Leave out fields that are null although the schema does not let them be: they were optional, and are not there.

    Servers that hold a model to a schema word by word want every field to be named, so that what may be missing comes
    as null. What the schema requires stays as it came.
    """
    if not isinstance(schema, Mapping):
        return data
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(choices, Iterable):
        return without_nulls(data, next((choice for choice in choices if _is_about(choice, data)), None))
    if isinstance(data, list):
        return [without_nulls(item, schema.get("items")) for item in data]
    fields = schema.get("properties")
    if not isinstance(data, dict) or not isinstance(fields, Mapping):
        return data
    required = schema.get("required") or ()
    return {
        name: without_nulls(value, fields.get(name))
        for name, value in data.items()
        if value is not None or name in required or name not in fields or _may_be_null(fields[name])
    }


def _may_be_null(schema: Any) -> bool:
    """Say whether null is among what a schema takes; where it says nothing that is known here, it is."""
    if not isinstance(schema, Mapping) or schema.get("nullable") is True:
        return True
    for name in ("enum", "const"):
        if name in schema:
            values = schema[name] if name == "enum" else [schema[name]]
            return None in values
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(choices, Iterable):
        return any(map(_may_be_null, choices))
    types = schema.get("type")
    return types is None or types == "null" or (isinstance(types, list) and "null" in types)


def _is_about(choice: Any, data: Any) -> bool:
    """Say whether one of several schemas is about such data, by its kind and by the names of its fields."""
    if not isinstance(choice, Mapping):
        return False
    if isinstance(data, dict):
        fields = choice.get("properties")
        return isinstance(fields, Mapping) and data.keys() <= fields.keys()
    return isinstance(data, list) and "items" in choice
