"""Data out of an answer in words, in the shape that was asked for."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .model import JsonObject


def shaped(text: str, schema: JsonObject) -> Any:
    """Return the data in an answer. Raises `ValueError` where there is none.

    Models that could only be asked for it in words put a fence or a sentence around it: then the object inside counts.
    """
    try:
        data = json.loads(text)
    except ValueError:
        begin, end = text.find("{"), text.rfind("}")
        if not 0 <= begin < end:
            raise
        data = json.loads(text[begin : end + 1])
    return without_nulls(data, schema)


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
