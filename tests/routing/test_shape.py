"""Data out of answers: optional fields that came as null, and objects with words around them."""

import json
from typing import Any

import pytest

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Capability, Structure
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.shape import shaped, without_nulls

from .simulation import Home, LoopClock, ScriptedProvider, ask, provider, run

STRING = {"type": "string"}


def fields(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


@pytest.mark.parametrize(
    "may_be_null",
    [
        {"type": ["string", "null"]},
        {"type": "string", "nullable": True},
        {"anyOf": [STRING, {"type": "null"}]},
        {"oneOf": [STRING, {"type": "null"}]},
        {"enum": ["a", None]},
        {"const": None},
        {"description": "anything"},
        True,
    ],
)
def test_null_stays_where_it_is_an_answer(may_be_null: Any) -> None:
    assert without_nulls({"a": None}, fields(a=may_be_null)) == {"a": None}


@pytest.mark.parametrize(
    "never_null", [STRING, {"type": ["string", "integer"]}, {"enum": ["a"]}, {"const": "a"}, {"anyOf": [STRING]}]
)
def test_null_goes_where_it_only_says_that_nothing_is_there(never_null: Any) -> None:
    assert without_nulls({"a": None, "b": 1}, fields(a=never_null, b={"type": "integer"})) == {"b": 1}


def test_null_stays_where_the_field_is_required_or_was_not_asked_for() -> None:
    assert without_nulls({"a": None, "x": None}, fields(("a",), a=STRING)) == {"a": None, "x": None}


def test_nulls_go_in_all_depths() -> None:
    inner = fields(b=STRING)
    schema = fields(
        list={"type": "array", "items": inner},
        one=inner,
        either={"anyOf": [fields(("x",), x=STRING), fields(b=STRING, c=STRING), {"type": "null"}]},
    )

    data = {"list": [{"b": None}, {"b": "1"}], "one": {"b": None}, "either": {"b": None, "c": "2"}}

    assert without_nulls(data, schema) == {"list": [{}, {"b": "1"}], "one": {}, "either": {"c": "2"}}


@pytest.mark.parametrize(
    "text", ['{"a": "b"}', '```json\n{"a": "b"}\n```', 'Here it is: {"a": "b"} Anything else?', ' {"a": "b"}\n']
)
def test_an_object_is_found_among_words(text: str) -> None:
    assert shaped(text, fields(a=STRING)) == {"a": "b"}


@pytest.mark.parametrize("text", ["no", "", "{", "} {", "{a: b}", "{} and {}"])
def test_what_is_no_object_is_none(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        shaped(text, fields())


@pytest.mark.parametrize(("said", "data"), [('{"a": null, "b": 1}', {"b": 1}), ("It is shut.", None)])
def test_it_is_what_the_caller_gets(said: str, data: Any) -> None:
    async def main(clock: LoopClock) -> None:
        script = [said, Usage(fresh_in=1, text_out=1), Finish.STOP]
        caps = Capability.CHAT | Capability.STRUCTURED
        home = Home(clock, provider("p", ScriptedProvider(script), caps=caps))
        asked = ask(structure=Structure("door", fields(a=STRING, b={"type": "integer"})))

        if data is None:
            with pytest.raises(RequestFailed) as refused:
                await home.router.process(asked)
            assert refused.value.failure is not None
            assert refused.value.failure.cls is FailureClass.INVALID_ANSWER
        else:
            assert (await home.router.process(asked)).data == data

    run(main)


KIND = {"type": "string", "enum": ["cat", "dog"]}


@pytest.mark.parametrize(
    ("data", "schema"),
    [
        ({"a": 1, "more": "x"}, fields(("a",), a={"type": "integer"})),
        ({"a": 3.0}, fields(a={"type": "integer"})),
        ({"a": 3}, fields(a={"type": "number"})),
        ({"a": "cat"}, fields(a=KIND)),
        ({"a": ["cat", "dog"]}, fields(a={"type": "array", "items": KIND})),
        ({"a": {"b": True}}, fields(a=fields(("b",), b={"type": "boolean"}))),
        ({"a": 5}, fields(a={"anyOf": [STRING, {"type": "integer"}]})),
        ({"a": None}, fields(("a",), a={"type": ["string", "null"]})),
        ({"a": "2026"}, fields(a={"type": "date"})),
        ({"a": [1]}, fields(a={"$ref": "#/definitions/other"})),
        ({"a": "x"}, fields(a={"type": "string", "minLength": 5})),
        ({"a": "b"}, fields(a={"const": "b"})),
    ],
)
def test_data_of_the_right_shape_is_taken(data: dict[str, Any], schema: dict[str, Any]) -> None:
    assert shaped(json.dumps(data), schema) == data


@pytest.mark.parametrize(
    ("data", "schema"),
    [
        ({}, fields(("a",), a=STRING)),
        ({"a": 1}, fields(a=STRING)),
        ({"a": "1"}, fields(a={"type": "integer"})),
        ({"a": 1.5}, fields(a={"type": "integer"})),
        ({"a": True}, fields(a={"type": "number"})),
        ({"a": 1}, fields(a={"type": "boolean"})),
        ({"a": "bird"}, fields(a=KIND)),
        ({"a": "c"}, fields(a={"const": "b"})),
        ({"a": ["cat", "bird"]}, fields(a={"type": "array", "items": KIND})),
        ({"a": {"b": 1}}, fields(a=STRING)),
        ({"a": "x"}, fields(a=fields(b=STRING))),
        ({"a": {}}, fields(a=fields(("b",), b=STRING))),
        ({"a": True}, fields(a={"anyOf": [STRING, {"type": "integer"}]})),
        ({"a": None}, fields(("a",), a=STRING)),
        (["a"], fields(("a",), a=STRING)),
        ("a", fields()),
    ],
)
def test_data_of_another_shape_is_none(data: Any, schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="shape"):
        shaped(json.dumps(data), schema)


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809", "9" * 5_000])
def test_a_whole_number_that_nobody_could_write_down_again_is_none(number: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - Python has words of its own for the longest
        shaped(f'{{"a": {number}}}', fields(a={}))


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63)])
def test_the_largest_whole_numbers_are_data(number: int) -> None:
    assert shaped(f'{{"a": {number}}}', fields(a={"type": "integer"})) == {"a": number}


def test_half_a_character_is_marked() -> None:
    assert shaped('{"a\\udc00": "x\\ud83d \\ud83d\\ude00 \\\\ud800"}', fields()) == {
        "a\ufffd": "x\ufffd \U0001f600 \\ud800"
    }
