"""Tools and their calls as every kind's server takes them: names, parameters, and no call without its result.

The servers check all that they are sent, as the real ones do: what they would refuse does not reach them.
"""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.tools import GEMINI_NAMES, NAMES, object_schema, paired, taken
from custom_components.ai_router.routing.failures import Billed, FailureClass, Phase
from custom_components.ai_router.routing.model import Image, Message, Role, Target, Text, Tool, ToolCall, ToolResult
from custom_components.ai_router.routing.ports import Counter, Provider
from tests.fakes.server import FakeServer

from .asking import KEY, LIGHT, asking, fail, hear, provider, results, turn, user, whole
from .test_changing_provider import SIDES

ROOM = {"type": "object", "properties": {"room": {"type": "string"}}}
ODD_NAMES = ("light.turn_on", "licht an", "灯", "", "0", "on!" * 60, "a" * 65, "light/turn_on")


@dataclass
class At:
    """One kind's server, and a provider at it."""

    kind: str
    server: Any
    of: Provider
    model: str

    def calls(self, name: str, **arguments: Any) -> None:
        """Let the model call a tool by the name under which it was offered to it."""
        written = json.dumps(arguments)
        match self.kind:
            case "openai":
                one: dict[str, Any] = {"call_id": "call_1", "name": name, "arguments": written}
            case "anthropic":
                one = {"id": "toolu_1", "name": name, "input": arguments}
            case "gemini":
                one = {"id": "1", "name": name, "args": arguments}
            case "ollama":
                one = {"function": {"name": name, "arguments": arguments}}
            case _:
                one = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": written}}
        self.server.tool_calls = [one]

    def offered(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the tools of the last body by name, with their parameters."""
        tools = self.server.bodies[-1]["tools"]
        match self.kind:
            case "openai":
                return [(tool["name"], tool["parameters"]) for tool in tools]
            case "anthropic":
                return [(tool["name"], tool["input_schema"]) for tool in tools]
            case "gemini":
                declared = tools[0]["functionDeclarations"]
                return [(tool["name"], tool.get("parametersJsonSchema", {})) for tool in declared]
        return [(tool["function"]["name"], tool["function"]["parameters"]) for tool in tools]


KINDS = ("openai", "anthropic", "gemini", "ollama", "cloudflare", "custom", "mistral")


@pytest.fixture(params=KINDS)
async def at(request: pytest.FixtureRequest, session: aiohttp.ClientSession, sockets: None) -> AsyncGenerator[At]:
    side = SIDES[request.param]
    server: FakeServer = side.server(key=None if side.kind == "ollama" else KEY)
    await server.start()
    key = None if side.kind == "ollama" else KEY
    yield At(side.kind, server, provider(session, server.url, side.kind, key=key, **side.options), side.model)
    await server.stop()


# --- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_tool_of_any_name_is_offered_called_and_answered(at: At, name: str, stream: bool) -> None:
    tools = (Tool(name, "Switch a light on", ROOM), LIGHT)
    question = asking(at.model, user("Light!"), tools=tools)
    question = question if stream else whole(question)
    await hear(at.of, question)
    wire = at.offered()[0][0]
    at.calls(wire, room="hall")

    heard = await hear(at.of, question)
    assert [(call.name, call.arguments) for call in heard.calls] == [(name, {"room": "hall"})]
    said = turn(heard, Target("p", at.model))
    at.server.tool_calls = []
    answer = await hear(at.of, question._replace(messages=(user("Light!"), said, *results(heard))))

    assert answer.text == at.server.text
    assert [offered for offered, _ in at.offered()] == [wire, LIGHT.name]
    assert wire == name or name not in json.dumps(at.server.bodies[-1], ensure_ascii=False) or len(name) < 2
    # Nothing was refused first and then left out.
    assert at.server.answers == len(at.server.bodies)


async def test_tokens_are_counted_of_tools_of_any_name(at: At) -> None:
    if not isinstance(at.of, Counter) or at.kind == "openai_compatible":
        return
    assert await at.of.count(asking(at.model, user("Light!"), tools=(Tool("light.on", "", {}),)))


@given(st.lists(st.text(st.characters(codec=None), max_size=150), unique=True, min_size=1, max_size=6))
def test_names_are_taken_differ_and_lead_back(names: list[str]) -> None:
    for rule in (NAMES, GEMINI_NAMES):
        call, own = taken(asking("m", tools=tuple(Tool(name, "", ROOM) for name in names)), rule)
        wire = [tool.name for tool in call.tools]

        assert all(rule.fullmatch(name) for name in wire)
        assert len(set(wire)) == len(names)
        assert [own.get(name, name) for name in wire] == names


def test_a_tool_that_has_the_name_of_another_ones_stand_in() -> None:
    (stand_in,) = taken(asking("m", tools=(Tool("light.on", "", ROOM),)), NAMES)[0].tools

    call, own = taken(asking("m", tools=(Tool("light.on", "", ROOM), of_the_same_name(stand_in))), NAMES)

    first, second = (tool.name for tool in call.tools)
    assert first != second == stand_in.name
    assert own == {first: "light.on"}


def of_the_same_name(tool: Tool) -> Tool:
    return Tool(tool.name, "Another one", ROOM)


def test_what_is_taken_as_it_is_stays_the_same_object() -> None:
    call = asking("m", user("Light!"))

    assert taken(call, NAMES)[0] is call


# --- parameters --------------------------------------------------------------------------------------

A, B = {"type": "string"}, {"type": "integer"}
PARAMETERS: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "nothing": ({}, {}, []),
    "no properties": ({"type": "object"}, {}, []),
    "no type": ({"properties": {"a": A}, "required": ["a"]}, {"a": A}, ["a"]),
    "may be null": ({"type": ["object", "null"], "properties": {"a": A}}, {"a": A}, []),
    "one of two objects": (
        {"oneOf": [{"type": "object", "properties": {"a": A}, "required": ["a"]}, {"properties": {"b": B}}]},
        {"a": A, "b": B},
        [],
    ),
    "at least one field": (
        {"type": "object", "properties": {"a": A, "b": B}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": A, "b": B},
        [],
    ),
    "what all of them require": (
        {
            "anyOf": [
                {"type": "object", "properties": {"a": A, "b": B}, "required": ["a", "b"]},
                {"type": "object", "properties": {"a": B}, "required": ["a"], "additionalProperties": False},
                {"type": "null"},
            ]
        },
        {"a": {"anyOf": [A, B]}, "b": B},
        ["a"],
    ),
    "all together": (
        {
            "allOf": [{"properties": {"a": A}, "required": ["a"]}, {"$ref": "#/$defs/b"}],
            "$defs": {"b": {"properties": {"b": B}}},
        },
        {"a": A, "b": B},
        ["a"],
    ),
    "a reference": ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "properties": {"a": A}}}}, {"a": A}, []),
    "a circle": ({"$ref": "#"}, {}, []),
    "nested choices": (
        {"anyOf": [{"oneOf": [{"properties": {"a": A}}, {"properties": {"b": B}}]}, {"type": "string"}]},
        {"a": A, "b": B},
        [],
    ),
    "not": ({"type": "object", "properties": {"a": A}, "not": {"required": ["b"]}}, {"a": A}, []),
}


@pytest.mark.parametrize("name", PARAMETERS)
async def test_parameters_of_any_form_are_taken(at: At, name: str) -> None:
    schema, fields, required = PARAMETERS[name]

    await hear(at.of, asking(at.model, tools=(Tool("act", "Act", schema),)))

    ((_, offered),) = at.offered()
    assert set(offered.get("properties", {})) == set(fields)
    assert offered.get("required", []) == required
    assert at.server.answers == len(at.server.bodies) == 1


@pytest.mark.parametrize("name", PARAMETERS)
def test_all_fields_stand_at_the_top(name: str) -> None:
    schema, fields, required = PARAMETERS[name]

    found = object_schema(schema)

    assert found is not None
    assert (found["type"], found["properties"], found.get("required", [])) == ("object", fields, required)
    assert not found.keys() & {"anyOf", "oneOf", "allOf", "not", "$ref"}


def test_what_cannot_stand_at_the_top_is_said_in_words() -> None:
    found = object_schema(PARAMETERS["at least one field"][0] | {"description": "Lights"})

    assert found is not None
    assert found["description"] == 'Lights (anyOf: [{"required":["a"]},{"required":["b"]}])'


@pytest.mark.parametrize(
    "schema", [{"type": "string"}, {"anyOf": [{"type": "string"}]}, {"allOf": [{"type": "array"}]}]
)
async def test_a_tool_without_named_fields_is_refused_before_anything_is_sent(at: At, schema: dict[str, Any]) -> None:
    failure, _ = await fail(at.of, asking(at.model, tools=(Tool("say", "Say it", schema),)))

    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.BAD_REQUEST, Phase.UNSENT, Billed.NO)
    assert "say" in failure.detail
    assert at.server.requests == []


# --- calls and their results -------------------------------------------------------------------------


def called(*ids: str, name: str = "light_on") -> Message:
    return Message(Role.ASSISTANT, tuple(ToolCall(each, name, {"room": each}) for each in ids))


def told(*ids: str, name: str = "light_on") -> Message:
    return Message(Role.TOOL, tuple(ToolResult(each, name, f"{each} is lit") for each in ids))


ASK, SAID = user("Light!"), Message(Role.ASSISTANT, (Text("Done."),))
HISTORIES: dict[str, tuple[Message, ...]] = {
    "no result at all": (ASK, called("a")),
    "one of two results": (ASK, called("a", "b"), told("b")),
    "no result, and on it goes": (ASK, called("a"), user("And?")),
    "the result after other words": (ASK, called("a"), user("And?"), told("a")),
    "a result without its call": (told("a"), ASK),
    "a result without its call in the middle": (ASK, SAID, told("a"), ASK),
    "one result too many": (ASK, called("a"), told("a", "b")),
    "the same result twice": (ASK, called("a"), told("a"), told("a")),
    "two turns, then both results": (ASK, called("a"), called("b"), told("a"), told("b")),
    "a result before its call": (ASK, told("a"), called("a"), user("And?")),
    "an id that comes again": (ASK, called("a"), user("And?"), called("a"), told("a")),
    "one id twice in a turn": (ASK, called("a", "a"), told("a", "a")),
    "a result of another name": (ASK, called("a"), told("a", name="")),
    "only results": (told("a", "b"),),
    "an unknown name": (ASK, called("a", name="light.on"), told("a", name="light.on")),
}


@pytest.mark.parametrize("tools", [(LIGHT,), ()], ids=["tools", "no tools"])
@pytest.mark.parametrize("name", HISTORIES)
async def test_any_history_is_taken(at: At, name: str, tools: tuple[Tool, ...]) -> None:
    answer = await hear(at.of, asking(at.model, *HISTORIES[name], tools=tools))

    assert answer.text == at.server.text
    assert at.server.answers == len(at.server.bodies) == 1
    # All that was there is still there.
    sent = json.dumps(at.server.bodies[-1])
    for part in (part for message in HISTORIES[name] for part in message.parts):
        assert not isinstance(part, ToolResult) or part.content in sent
        assert not isinstance(part, Text) or part.text in sent


async def test_a_picture_goes_with_its_result(at: At, jpeg: bytes) -> None:
    if at.kind in {"ollama", "openai_compatible"}:
        # The models of these fakes that call tools do not see.
        return
    shown = Image("d", "image/jpeg", 64, 48, lambda: jpeg)
    late = Message(Role.TOOL, (*told("b").parts, shown))

    await hear(at.of, asking(at.model, ASK, called("a"), user("And?"), late, told("a"), tools=(LIGHT,)))

    assert len(at.server.pictures) == 1
    assert "b is lit" in json.dumps(at.server.bodies[-1])


def well_formed(messages: tuple[Message, ...]) -> bool:
    """Say whether every call has its result directly behind its turn, in the order of the calls."""
    open_calls: list[str] = []
    for message in messages:
        if message.role is Role.TOOL:
            for part in message.parts:
                if isinstance(part, ToolResult):
                    if part.call_id not in open_calls:
                        return False
                    open_calls.remove(part.call_id)
        elif open_calls:
            return False
        elif message.role is Role.ASSISTANT:
            open_calls = [part.id for part in message.parts if isinstance(part, ToolCall)]
            if len(set(open_calls)) < len(open_calls):
                return False
    return not open_calls


IDS = st.lists(st.sampled_from("abc"), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["ask", "call", "tell"]), IDS), max_size=8))
def test_any_order_is_mended_and_nothing_is_lost(order: list[tuple[str, list[str]]]) -> None:
    numbers = count()

    def made(what: str, ids: list[str]) -> Message:
        if what == "ask":
            return user(f"word {next(numbers):03}")
        if what == "call":
            return called(*ids) if ids else SAID
        return Message(Role.TOOL, tuple(ToolResult(each, "light_on", f"result {next(numbers):03}") for each in ids))

    before = tuple(made(*each) for each in order)
    after = paired(before)

    def words(messages: tuple[Message, ...]) -> str:
        parts = (part for message in messages for part in message.parts)
        return "\n".join(part.content if isinstance(part, ToolResult) else getattr(part, "text", "") for part in parts)

    assert well_formed(after)
    assert paired(after) is after
    for number in range(next(numbers)):
        assert sum(line.endswith(f" {number:03}") for line in words(after).splitlines()) == 1
    assert sum(isinstance(part, ToolCall) for message in after for part in message.parts) == sum(
        isinstance(part, ToolCall) for message in before for part in message.parts
    )
