"""A call in the words of an AI Task: what a JSON schema becomes, tried with values that it must take and refuse."""

from typing import Any

import pytest
import voluptuous as vol

from custom_components.ai_router.ai_task_words import instructions, structure
from custom_components.ai_router.routing.model import Message, Role, Text, ToolCall, ToolResult

_COLOUR = {"$defs": {"colour": {"enum": ["red", "green", None]}}}
_ROUND: dict[str, Any] = {"$defs": {"a": {"$ref": "#/$defs/a"}}}


def object_of(field: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"it": field}, "required": ["it"], **more}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (object_of({"type": "boolean"}), True, "yes"),
        (object_of({"type": "string"}), "a", 1),
        (object_of({"type": "string", "format": "date"}), "2026-11-21", "soon"),
        (object_of({"type": "string", "format": "date-time"}), "2026-11-21 20:00:00", "soon"),
        (object_of({"type": "integer", "minimum": 1, "maximum": 3}), 2, 4),
        (object_of({"type": "number", "minimum": 0.5}), 0.75, 0.25),
        (object_of({"type": "array", "items": {"type": "integer"}}), [1, 2], ["a"]),
        (object_of({"const": "on"}), "on", "off"),
        (object_of({"enum": ["on", "off", None]}), "off", "perhaps"),
        (object_of({"type": "null"}), None, 1),
        (object_of({"type": ["string", "null"]}), None, 1),
        (object_of({"type": "string", "nullable": True}), None, 1),
        (object_of({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}), True, "a"),
        (object_of({"oneOf": [{"type": "integer"}, {"type": "null"}]}), None, "a"),
        (object_of({"type": "object"}), {"any": "thing"}, "thing"),
        (object_of(object_of({"type": "integer"})), {"it": 1}, {"it": "a"}),
        (object_of({"$ref": "#/$defs/colour"}, **_COLOUR), "red", "blue"),
    ],
)
def test_a_value_is_held_to_the_schema(schema: dict[str, Any], good: Any, bad: Any) -> None:
    check = structure(schema)

    assert check({"it": good}) == {"it": good}
    for wrong in ({"it": bad}, {}, {"it": good, "other": 1}):
        with pytest.raises(vol.Invalid):
            check(wrong)


@pytest.mark.parametrize(
    "field",
    [
        {},
        True,
        "text",
        {"type": "secret"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.com"},
        {"$ref": "#/$defs/a"},
    ],
)
def test_where_a_schema_says_nothing_that_is_known_anything_goes(field: Any) -> None:
    check = structure(object_of(field, **_ROUND))

    for value in (1, "a", [True]):
        assert check({"it": value}) == {"it": value}


def test_a_schema_without_an_end_ends() -> None:
    endless: dict[str, Any] = {"type": "object", "properties": {}}
    endless["properties"]["it"] = {"$ref": "#"}
    value: dict[str, Any] = {}
    for _ in range(3):
        value = {"it": value}

    assert structure(endless)(value) == value


def test_a_conversation_with_tools_is_one_text() -> None:
    said = instructions(
        [
            Message(Role.SYSTEM, (Text("Be short."),)),
            Message(Role.USER, (Text("Is it warm?"),)),
            Message(Role.ASSISTANT, (ToolCall("1", "read", {"of": "attic"}),)),
            Message(Role.TOOL, (ToolResult("1", "read", "21"),)),
            Message(Role.ASSISTANT, ()),
        ]
    )

    assert said == (
        'System: Be short.\n\nUser: Is it warm?\n\nAssistant: [calls read: {"of":"attic"}]\n\nTool: [read answers: 21]'
    )
