"""Schemas in the narrow form: the same shape, closed, or none at all."""

from typing import Any

import pytest

from custom_components.ai_router.providers.schemas import narrowed

INTEGER = {"type": "integer"}


def of(inner: Any, *, required: bool = True) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": inner}, "required": ["x"] if required else []}


def inner_of(schema: dict[str, Any], constraints: tuple[str, ...] = (), *, all_required: bool = False) -> Any:
    narrow = narrowed(schema, constraints, all_required=all_required)
    return None if narrow is None else narrow["properties"]["x"]


def test_every_object_is_closed() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Doors",
        "type": "object",
        "properties": {
            "doors": {
                "type": "array",
                "items": {"type": "object", "properties": {"open": {"type": "boolean"}}, "required": ["open"]},
            },
            "note": {"type": ["string", "null"], "default": None},
        },
        "required": ["doors"],
        "description": "All doors",
    }

    assert narrowed(schema, all_required=False) == {
        "type": "object",
        "properties": {
            "doors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"open": {"type": "boolean"}},
                    "required": ["open"],
                    "additionalProperties": False,
                },
            },
            "note": {"type": ["string", "null"]},
        },
        "required": ["doors"],
        "additionalProperties": False,
        "description": "All doors",
    }


@pytest.mark.parametrize(
    ("inner", "narrow"),
    [
        (INTEGER, INTEGER),
        ({"enum": ["a", 1]}, {"enum": ["a", 1]}),
        ({"const": 3}, {"const": 3}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"oneOf": [INTEGER, {"type": "null"}]}, {"anyOf": [INTEGER, {"type": "null"}]}),
        ({"type": "integer", "nullable": True}, {"type": ["integer", "null"]}),
        ({"type": "integer", "nullable": False}, INTEGER),
        (
            {"type": "integer", "minimum": 0, "maximum": 9, "description": "How many"},
            {"type": "integer", "description": "How many (minimum: 0, maximum: 9)"},
        ),
        ({"type": "string", "format": "color"}, {"type": "string", "description": "(format: color)"}),
    ],
)
def test_what_can_be_said(inner: Any, narrow: Any) -> None:
    assert inner_of(of(inner)) == narrow


@pytest.mark.parametrize(
    "inner",
    [
        True,
        {},
        {"description": "anything"},
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
        {"type": "array"},
        {"type": "colour"},
        {"type": []},
        {"$ref": "#/$defs/x"},
        {"allOf": [INTEGER]},
        {"type": "integer", "not": {"const": 3}},
        {"anyOf": [INTEGER, {}]},
        {"type": "object", "properties": {}, "patternProperties": {}},
    ],
)
def test_what_cannot_be_said(inner: Any) -> None:
    assert narrowed(of(inner), all_required=False) is None


@pytest.mark.parametrize("schema", [{"type": "string"}, {"anyOf": [of(INTEGER)]}, {"type": "object"}])
def test_the_whole_is_an_object(schema: dict[str, Any]) -> None:
    assert narrowed(schema, all_required=False) is None


def test_constraints_that_are_taken_stay() -> None:
    inner = {"type": "array", "items": INTEGER, "minItems": 1, "uniqueItems": True}

    assert inner_of(of(inner), ("minItems",)) == {
        "type": "array",
        "items": INTEGER,
        "minItems": 1,
        "description": "(uniqueItems: True)",
    }


@pytest.mark.parametrize(
    ("inner", "narrow"),
    [
        (INTEGER, {"type": ["integer", "null"]}),
        ({"type": ["integer", "string"]}, {"type": ["integer", "string", "null"]}),
        ({"type": ["integer", "null"]}, {"type": ["integer", "null"]}),
        ({"type": "null"}, {"type": "null"}),
        ({"type": "string", "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"enum": ["a"]}, {"anyOf": [{"enum": ["a"]}, {"type": "null"}]}),
        ({"const": 3}, {"anyOf": [{"const": 3}, {"type": "null"}]}),
        ({"anyOf": [INTEGER]}, {"anyOf": [INTEGER, {"type": "null"}]}),
        ({"anyOf": [INTEGER, {"type": "null"}]}, {"anyOf": [INTEGER, {"type": "null"}]}),
    ],
)
def test_what_may_be_missing_may_be_null_instead(inner: Any, narrow: Any) -> None:
    schema = narrowed(of(inner, required=False), all_required=True)

    assert schema is not None
    assert schema["required"] == ["x"]
    assert schema["properties"]["x"] == narrow
    assert inner_of(of(inner), all_required=True) != narrow or inner == narrow


def test_the_schema_that_was_given_stays_as_it_is() -> None:
    schema = of({"type": "integer", "minimum": 3, "nullable": True}, required=False)
    before = repr(schema)

    narrowed(schema, all_required=True)

    assert repr(schema) == before
