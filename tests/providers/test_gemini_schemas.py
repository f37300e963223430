"""Schemas for Gemini: only what it takes is sent, and nothing that they say is lost."""

from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.providers.gemini_schemas import gemini_schema
from custom_components.ai_router.routing.model import Structure, Tool
from tests.fakes.gemini import CHAT_MODEL, FakeGemini

from .asking import KEY, asking, hear, provider


@pytest.mark.parametrize(
    ("inner", "taken"),
    [
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, ("exclusiveMaximum: 9", {"minimum": 1})),
        ({"type": "string", "pattern": "^a", "description": "A word"}, ('A word (pattern: "^a")', {})),
        ({"type": "string", "format": "RGB"}, ('format: "RGB"', {})),
        ({"type": "string", "format": "date-time"}, (None, {"format": "date-time"})),
        ({"type": "string", "format": None}, (None, {})),
        ({"type": "boolean", "enum": [True]}, ("enum: [true]", {})),
        ({"type": "boolean", "const": True}, ("const: true", {})),
        ({"const": "x"}, (None, {"enum": ["x"]})),
        ({"type": "string", "nullable": True}, (None, {"type": ["string", "null"]})),
        (
            {"type": "string", "enum": ["a", None], "nullable": True},
            (None, {"type": ["string", "null"], "enum": ["a"]}),
        ),
        ({"nullable": True}, (None, {})),
        ({"$ref": "#/$defs/x", "description": "An x", "default": 1}, (None, {"$ref": "#/$defs/x"})),
        ({"not": {"type": "null"}}, ('not: {"type":"null"}', {})),
        ({"anyOf": [{"const": 1}, {"type": "string", "maxLength": 3}]}, (None, {"anyOf": [{"enum": [1]}, {}]})),
        ({"type": "array", "prefixItems": [{"const": 1}], "items": False}, ("items: false", {})),
        (True, (None, {})),
    ],
)
async def test_what_is_not_taken_is_said_in_words(
    session: aiohttp.ClientSession, gemini: FakeGemini, inner: Any, taken: tuple[str | None, dict[str, Any]]
) -> None:
    schema = {"type": "object", "properties": {"x": inner}, "$defs": {"x": {"type": "object", "default": {}}}}

    await hear(provider(session, gemini.url, "gemini", key=KEY), asking(CHAT_MODEL, structure=Structure("s", schema)))

    (body,) = gemini.bodies
    sent = body["generationConfig"]["responseJsonSchema"]["properties"]["x"]
    words, fields = taken
    assert words is None or words in sent["description"]
    for name, value in fields.items():
        given = sent[name]
        if name == "anyOf":
            given = [each if "enum" in each else {} for each in given]
        assert given == value


def test_what_is_taken_stays_as_it_is() -> None:
    schema = {
        "type": "object",
        "title": "Doors",
        "properties": {
            "doors": {"type": "array", "items": {"$ref": "#/$defs/door"}, "minItems": 1},
            "more": {"type": "object", "additionalProperties": {"type": "number", "format": "double"}},
        },
        "required": ["doors"],
        "additionalProperties": False,
        "$defs": {"door": {"anyOf": [{"type": ["string", "null"]}, {"type": "integer", "minimum": 0}]}},
    }

    assert gemini_schema(schema) == schema


async def test_a_tool_without_parameters_names_none(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    tool = Tool("ring", "Ring the bell", {"type": "object", "properties": {}})

    await hear(provider(session, gemini.url, "gemini", key=KEY), asking(CHAT_MODEL, tools=(tool,)))

    (body,) = gemini.bodies
    assert body["tools"] == [{"functionDeclarations": [{"name": "ring", "description": "Ring the bell"}]}]
