"""What is in the key of an answer: everything that is asked, or a decision that it does not matter."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeAliasType, get_args, get_type_hints

import pytest

from custom_components.ai_router.routing.cache_key import NOT_IN_KEY, NoKey, cache_key, is_personal
from custom_components.ai_router.routing.model import (
    Audio,
    Capability,
    Image,
    Message,
    Op,
    Role,
    Sampling,
    Structure,
    Target,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.request import Bounds, CacheMode, Caller, Degrade, Pins, Priority, Request

from .simulation import ask, picture

ALLOWED = (Target("a", "m"), Target("b", "m"))

# One of each, and another value for each of its fields. A new field belongs here, and in `NOT_IN_KEY` if it does not
# change what is asked.
OTHERS: dict[type, tuple[Any, dict[str, Any]]] = {
    Request: (
        ask(),
        {
            "id": "another",
            "caller": Caller(),  # its own fields are looked at one by one
            "messages": (),
            "op": Op.EVALUATE,
            "session_id": "s",
            "tools": (Tool("t", "", {}),),
            "structure": Structure("s", {}),
            "sampling": Sampling(seed=1),
            "needs": Capability.CHAT | Capability.REASONING,
            "pins": Pins(pool="p"),
            "local_only": True,
            "bounds": Bounds(max_output=7),
            "cache_mode": CacheMode.USE,
            "priority": Priority.VOICE,
            "label": "l",
            "entities": ("camera.door",),
            "areas": ("hall",),
            "trim": True,
            "stream": False,
            "degrade": Degrade(default_text="none"),
        },
    ),
    Caller: (
        Caller(),
        {
            "user_id": "u",
            "admin": True,
            "source": "voice",
            "context_id": "c",
            "device": "d",
            "area": "a",
            "automation": "automation.a",
        },
    ),
    Message: (Message(Role.USER, (Text("a"),)), {"role": Role.SYSTEM, "parts": (Text("b"),)}),
    Text: (Text("a"), {"text": "b"}),
    Image: (
        picture(),
        {"digest": "1" * 64, "mime": "image/png", "width": 641, "height": 481, "load": lambda: b"other"},
    ),
    Audio: (
        Audio("0" * 64, "audio/wav", 1.0, lambda: b"x"),
        {"digest": "1" * 64, "mime": "audio/mpeg", "seconds": 2.0, "load": lambda: b"other"},
    ),
    ToolCall: (ToolCall("1", "light", {"on": True}), {"id": "2", "name": "lamp", "arguments": {"on": False}}),
    ToolResult: (ToolResult("1", "light", "on"), {"call_id": "2", "name": "lamp", "content": "off"}),
    Thinking: (
        Thinking("hm", ({"signature": "x"},), ALLOWED[0]),
        {"text": "ah", "opaque": ({"signature": "y"},), "origin": ALLOWED[1]},
    ),
    Tool: (Tool("t", "does", {}), {"name": "u", "description": "did", "parameters": {"type": "object"}}),
    Structure: (Structure("s", {}), {"name": "t", "schema": {"type": "object"}}),
    Sampling: (
        Sampling(),
        {"temperature": 0.0, "top_p": 0.5, "seed": 1, "stop": ("end",), "reasoning": "high"},
    ),
    Bounds: (
        Bounds(),
        {"timeout": 1.0, "first_token": 1.0, "attempts": 1, "max_cost": 1, "max_output": 1, "max_latency": 1.0},
    ),
    Pins: (
        Pins(),
        {
            "pool": "p",
            "providers": ("a",),
            "models": ("m",),
            "targets": (ALLOWED[0],),
            "prefer": ("a",),
            "exclude": ("a",),
            "strategy": "cheapest",
        },
    ),
}

# What an answer does not depend on. Said a second time, so that nothing falls out of the key by one careless line.
LEFT_OUT = {
    Request: {"id", "session_id", "cache_mode", "priority", "label", "entities", "areas", "stream", "degrade"},
    Caller: {"user_id", "admin", "source", "context_id", "device", "area", "automation"},
    Bounds: {"timeout", "first_token", "attempts"},
    Image: {"load"},
    Audio: {"load"},
}


def key(request: Request, allowed: tuple[Target, ...] = ALLOWED, *, local_only: bool = False) -> str:
    return cache_key(request, allowed, local_only=local_only)


def asking(what: Any) -> Request:
    """A request that holds this."""
    match what:
        case Request():
            return what
        case Caller():
            return ask(caller=what)
        case Message():
            return ask(messages=(what,))
        case Tool():
            return ask(tools=(what,))
        case Structure():
            return ask(structure=what)
        case Sampling():
            return ask(sampling=what)
        case Bounds():
            return ask(bounds=what)
        case Pins():
            return ask(pins=what)
    return ask(messages=(Message(Role.USER, (what,)),))


def kinds_in(hint: Any) -> Iterator[type]:
    """The dataclasses that a value of this type may hold, apart from those in fields that are not in the key."""
    if isinstance(hint, TypeAliasType):
        yield from kinds_in(hint.__value__)
    elif isinstance(hint, type) and is_dataclass(hint):
        yield hint
        for name, inner in get_type_hints(hint).items():
            if name not in NOT_IN_KEY.get(hint, {}):
                yield from kinds_in(inner)
    else:
        for inner in get_args(hint):
            yield from kinds_in(inner)


def test_every_kind_of_thing_in_a_request_is_looked_at_here() -> None:
    assert set(kinds_in(Request)) == set(OTHERS)


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.__name__)
def test_every_field_is_in_the_key_or_left_out_for_a_reason(kind: type) -> None:
    one, others = OTHERS[kind]
    assert [field.name for field in fields(kind)] == list(others), "decide whether the new field belongs in the key"
    left_out = LEFT_OUT.get(kind, set())
    assert set(NOT_IN_KEY.get(kind, {})) == left_out
    assert all(NOT_IN_KEY.get(kind, {"none": "left out"}).values()), "say why"
    before = key(asking(one))
    for name, value in others.items():
        if name != "caller":
            changed = key(asking(replace(one, **{name: value}))) != before
            assert changed == (name not in left_out), name


def test_the_key_knows_who_may_answer() -> None:
    before = key(ask())
    assert key(ask(), tuple(reversed(ALLOWED))) == before
    assert key(ask(), ALLOWED[:1]) != before
    assert key(ask(), local_only=True) != before


CONVERSATION = (
    Message(Role.USER, (Text("Who am I?"),)),
    Message(Role.ASSISTANT, (Text("Ann."),)),
    Message(Role.USER, (Text("And how old?"),)),
)


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": (Message(Role.USER, (Text("Who is it?"), picture())),)},
        {"messages": (Message(Role.USER, (Audio("0" * 64, "audio/wav", 1.0, lambda: b"x"),)),)},
        {"messages": CONVERSATION},
        {"messages": (CONVERSATION[0], CONVERSATION[2])},
        {"session_id": "s"},
    ],
)
def test_pictures_sound_and_conversations_are_for_their_user_alone(fields: dict[str, Any]) -> None:
    keys = {key(ask(caller=Caller(user_id=user), **fields)) for user in ("ann", "bob", None)}
    assert len(keys) == 3
    assert is_personal(ask(**fields))


def test_words_alone_answer_alike_for_everybody() -> None:
    instructed = (Message(Role.SYSTEM, (Text("Be short."),)), *CONVERSATION[:1])
    assert len({key(ask(messages=instructed, caller=Caller(user_id=user))) for user in ("ann", "bob", None)}) == 1


def test_what_means_the_same_has_the_same_key() -> None:
    one = ask(structure=Structure("s", {"a": 1, "b": [1.0, {"c": None}]}), sampling=Sampling(temperature=0))
    two = ask(structure=Structure("s", {"b": (1, {"c": None}), "a": 1}), sampling=Sampling(temperature=0.0))
    assert key(one) == key(two)


def test_what_means_something_else_has_another_key() -> None:
    values: list[Any] = [None, True, 1, "1", 1.5, "", [], {}, [[]], {"": ""}, ["list"], [["list"]], b"", ["bytes", ""]]
    values += ["Text", ["Text", {"text": "a"}], Text("a"), {"text": "a"}, False, 0, "None", [None], {"a": None}]
    keys = [key(ask(structure=Structure("s", {"value": value}))) for value in values]
    assert len(set(keys)) == len(values)


@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), {1: "a"}, {"a"}, Text])
def test_what_has_no_canonical_form_has_no_key(value: Any) -> None:
    with pytest.raises(NoKey):
        key(ask(messages=(Message(Role.ASSISTANT, (Thinking("", value, ALLOWED[0]),)),)))


def test_a_value_that_holds_itself_has_no_key() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NoKey):
        key(ask(messages=(Message(Role.ASSISTANT, (Thinking("", endless, ALLOWED[0]),)),)))
