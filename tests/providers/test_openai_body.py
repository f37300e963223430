"""Golden bodies: what is sent to OpenAI, to the letter."""

from types import MappingProxyType
from typing import Any

import orjson
import pytest

from custom_components.ai_router.providers.conversation import dumps
from custom_components.ai_router.providers.error_bodies import ErrorBody
from custom_components.ai_router.providers.openai_body import objection, responses_body
from custom_components.ai_router.providers.tools import NAMES, taken
from custom_components.ai_router.routing.call import Call
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, Phase
from custom_components.ai_router.routing.model import (
    Message,
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

from .asking import DOOR, LIGHT, asking, picture, user, whole

LUNA, RESTING, PLAIN, UNKNOWN = "gpt-6-luna", "gpt-5.4-mini", "gpt-4.1", "gpt-9"
MINE = Target("p", LUNA)


def written(call: Call, *refused: str) -> dict[str, Any]:
    """Return the body as it goes over the wire."""
    body: dict[str, Any] = orjson.loads(dumps(responses_body(taken(call, NAMES)[0], refused)))
    return body


def said(*words: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_text", "text": word} for word in words]}


def image(data: str, mime: str = "image/jpeg") -> dict[str, Any]:
    return {"type": "input_image", "image_url": f"data:{mime};base64,{data}", "detail": "auto"}


def test_the_least() -> None:
    assert written(whole(asking(PLAIN))) == {
        "model": PLAIN,
        "input": [said("Is the door open?")],
        "max_output_tokens": 300,
        "store": False,
        "stream": False,
    }


def test_everything() -> None:
    call = asking(
        RESTING,
        Message(Role.SYSTEM, (Text("Be brief."),)),
        user("Hello", "you"),
        Message(Role.SYSTEM, (Text("Be kind."),)),
        sampling=Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",), reasoning="none"),
        tools=(LIGHT, Tool("snap", "Take a picture", {})),
        structure=DOOR,
    )

    assert written(call) == {
        "model": RESTING,
        "instructions": "Be brief.\n\nBe kind.",
        "input": [said("Hello", "you")],
        "max_output_tokens": 300,
        "store": False,
        "stream": True,
        "reasoning": {"effort": "none"},
        "temperature": 0.2,
        "top_p": 0.9,
        "tools": [
            {
                "type": "function",
                "name": "light_on",
                "description": "Switch a light on",
                "parameters": {"type": "object", "properties": {"room": {"type": "string"}}},
                "strict": False,
            },
            {
                "type": "function",
                "name": "snap",
                "description": "Take a picture",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        ],
        "text": {
            "format": {
                "type": "json_schema",
                "name": "door",
                "schema": {
                    "type": "object",
                    "properties": {"open": {"type": "boolean"}},
                    "required": ["open"],
                    "additionalProperties": False,
                },
                "strict": True,
            }
        },
    }


def test_pictures_are_data_urls_between_the_words() -> None:
    call = asking(LUNA, user("Before", picture(b"abc"), "after", picture(b"\xff\xfe", "image/png")))

    assert written(call)["input"][0]["content"] == [
        {"type": "input_text", "text": "Before"},
        image("YWJj"),
        {"type": "input_text", "text": "after"},
        image("//4=", "image/png"),
    ]


def test_a_turn_with_tools() -> None:
    call = asking(
        LUNA,
        user("Light!"),
        Message(
            Role.ASSISTANT,
            (
                Text("On it."),
                ToolCall("a1", "light_on", MappingProxyType({"room": "hall"})),
                ToolCall("a2", "snap", {}),
            ),
        ),
        Message(Role.TOOL, (ToolResult("a1", "light_on", "done"),)),
        Message(Role.TOOL, (ToolResult("a2", "snap", "a picture"), picture(b"abc"))),
        Message(Role.TOOL, (Text("by the way"),)),
        Message(Role.ASSISTANT, (Thinking("hm", (), MINE),)),
        Message(Role.ASSISTANT, (Text("It is on."),)),
        user("Thanks!"),
    )

    assert written(call)["input"] == [
        said("Light!"),
        {"type": "message", "role": "assistant", "content": "On it."},
        {"type": "function_call", "call_id": "a1", "name": "light_on", "arguments": '{"room":"hall"}'},
        {"type": "function_call", "call_id": "a2", "name": "snap", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a1", "output": "done"},
        {
            "type": "function_call_output",
            "call_id": "a2",
            "output": [{"type": "input_text", "text": "a picture"}, image("YWJj")],
        },
        said("by the way"),
        {"type": "message", "role": "assistant", "content": "It is on."},
        said("Thanks!"),
    ]


def test_a_picture_is_never_the_model_s_own() -> None:
    with pytest.raises(AttemptFailed) as raised:
        responses_body(asking(LUNA, user("Hi"), Message(Role.ASSISTANT, (picture(b"abc"),))))

    assert (raised.value.failure.cls, raised.value.failure.phase) == (FailureClass.CAPABILITY, Phase.UNSENT)


# --- reasoning ---------------------------------------------------------------------------------------

MADE = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "enc"},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "a1",
        "name": "light_on",
        "arguments": "{}",
        "status": "completed",
    },
]
PLAINLY = [
    {"type": "message", "role": "assistant", "content": "On it."},
    {"type": "function_call", "call_id": "a1", "name": "light_on", "arguments": "{}"},
]


def looped(origin: Target, *later: Message, call_id: str = "a1", made: list[Any] | None = None) -> Call:
    return asking(
        LUNA,
        user("Light!"),
        Message(
            Role.ASSISTANT, (Thinking("", (made or MADE,), origin), Text("On it."), ToolCall(call_id, "light_on", {}))
        ),
        Message(Role.TOOL, (ToolResult(call_id, "light_on", "done"),)),
        *later,
    )


def test_reasoning_goes_back_as_it_came() -> None:
    assert written(looped(MINE))["input"][1:4] == MADE


def test_whose_reasoning_goes_nowhere() -> None:
    for call, refused in (
        (looped(Target("q", LUNA)), ()),
        (looped(Target("p", "gpt-6-sol")), ()),
        (looped(MINE), ("replay",)),
        (looped(MINE, user("Thanks!")), ()),
    ):
        assert written(call, *refused)["input"][1:3] == PLAINLY
    assert written(looped(MINE, call_id="a9"))["input"][1] == PLAINLY[0]


def test_of_two_turns_only_the_one_in_hand_keeps_its_reasoning() -> None:
    first = looped(MINE).messages
    later = [{**item, "call_id": "b1"} if "call_id" in item else item for item in MADE]
    second = looped(MINE, call_id="b1", made=later).messages
    items = written(asking(LUNA, *first, Message(Role.ASSISTANT, (Text("It is on."),)), *second))["input"]

    assert [place for place, item in enumerate(items) if item.get("type") == "reasoning"] == [6]


@pytest.mark.parametrize(
    ("model", "wish", "tools", "reasoning", "include"),
    [
        (LUNA, None, False, None, False),
        (LUNA, None, True, None, True),
        (LUNA, "low", False, {"effort": "low", "summary": "auto"}, False),
        (LUNA, "on", False, {"summary": "auto"}, False),
        (LUNA, "none", True, {"effort": "none"}, False),
        (RESTING, None, True, None, False),
        (RESTING, "high", True, {"effort": "high", "summary": "auto"}, True),
        (PLAIN, "high", True, None, False),
        (UNKNOWN, None, True, None, True),
        (UNKNOWN, "on", False, None, False),
    ],
)
def test_what_is_said_of_reasoning(
    model: str, wish: str | None, tools: bool, reasoning: dict[str, str] | None, include: bool
) -> None:
    body = written(asking(model, sampling=Sampling(reasoning=wish), tools=(LIGHT,) if tools else ()))

    assert body.get("reasoning") == reasoning
    assert body.get("include") == (["reasoning.encrypted_content"] if include else None)


@pytest.mark.parametrize(
    ("model", "wish", "refused", "sent"),
    [
        (PLAIN, None, (), True),
        (PLAIN, "high", (), True),
        (RESTING, None, (), True),
        (RESTING, "low", (), False),
        # What it is not asked to do it does not do.
        (RESTING, "low", ("effort",), True),
        (LUNA, None, (), False),
        (LUNA, "none", (), True),
        (LUNA, "none", ("effort",), False),
        (UNKNOWN, None, (), True),
        (UNKNOWN, "low", (), False),
    ],
)
def test_sampling_goes_only_where_there_is_no_reasoning(
    model: str, wish: str | None, refused: tuple[str, ...], sent: bool
) -> None:
    body = written(asking(model, sampling=Sampling(temperature=0.2, top_p=0.9, reasoning=wish)), *refused)

    assert {"temperature", "top_p"} & body.keys() == ({"temperature", "top_p"} if sent else set())


# --- cache and shape ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (asking(LUNA), True),
        (asking("gpt-5.6-terra"), True),
        (asking("gpt-5.5"), False),
        (asking(UNKNOWN), False),
        (asking(LUNA, tools=(LIGHT,)), False),
        (asking(LUNA, user("Hi"), Message(Role.ASSISTANT, (Text("Hello."),)), user("And?")), False),
    ],
)
def test_only_what_is_asked_once_stays_out_of_the_cache(call: Call, sent: bool) -> None:
    assert written(call).get("prompt_cache_options") == ({"mode": "explicit"} if sent else None)


def test_a_shape_that_cannot_be_held_to_strictly() -> None:
    free = Structure("my door", {"type": "object", "properties": {"data": {"type": "object"}}})

    assert written(asking(LUNA, structure=free))["text"]["format"] == {
        "type": "json_schema",
        "name": "my_door",
        "schema": free.schema,
        "strict": False,
    }


def test_what_may_be_missing_may_be_null() -> None:
    number = {"type": "integer", "minimum": 1, "default": 3}
    shape = Structure("n", {"type": "object", "properties": {"n": number}})

    schema = written(asking(LUNA, structure=shape))["text"]["format"]["schema"]

    assert schema["properties"] == {"n": {"type": ["integer", "null"], "minimum": 1}}
    assert schema["required"] == ["n"]


def test_a_refused_shape_is_asked_for_in_words() -> None:
    mode = written(asking(LUNA, structure=DOOR), "format")
    words = written(asking(LUNA, structure=DOOR), "format", "json_mode")

    assert mode["text"] == {"format": {"type": "json_object"}}
    assert "text" not in words
    for body in (mode, words):
        assert body["input"][0]["role"] == "developer"
        assert "one JSON object" in body["input"][0]["content"]
        assert '"required":["open"]' in body["input"][0]["content"]


# --- refusals ----------------------------------------------------------------------------------------

ALL = asking(RESTING, sampling=Sampling(temperature=0.2, top_p=0.9), structure=DOOR)
THINKING = asking(LUNA, sampling=Sampling(reasoning="low"), tools=(LIGHT,))


@pytest.mark.parametrize(
    ("call", "error", "field"),
    [
        (ALL, ErrorBody("no", params=("temperature",)), "temperature"),
        (ALL, ErrorBody("Unsupported parameter: 'top_p' is not supported with this model."), "top_p"),
        (ALL, ErrorBody("Invalid schema for response_format 'door'", params=("text.format.schema",)), "format"),
        (ALL, ErrorBody("temperature", params=("input",)), None),
        (ALL, ErrorBody("no", params=("max_output_tokens",)), None),
        (ALL, ErrorBody("no", params=("reasoning.effort",)), None),
        (THINKING, ErrorBody("no", params=("reasoning.effort",)), "effort"),
        (THINKING, ErrorBody("no", params=("reasoning",)), "effort"),
        (THINKING, ErrorBody("verify your organization", params=("reasoning.summary",)), "summary"),
        (THINKING, ErrorBody("Encrypted content is not supported with this model.", params=("include",)), "include"),
        (THINKING, ErrorBody("Encrypted content is not supported with this model."), "include"),
        (looped(MINE), ErrorBody("no", params=("input[1].encrypted_content",)), "replay"),
        (looped(MINE), ErrorBody("was provided without its required 'reasoning' item"), "replay"),
        (looped(Target("q", LUNA)), ErrorBody("no", params=("input[1].encrypted_content",)), None),
    ],
)
def test_what_a_refusal_objects_to(call: Call, error: ErrorBody, field: str | None) -> None:
    assert objection(error, call, frozenset()) == field
    if field is not None:
        assert objection(error, call, frozenset({field})) != field


def test_a_refused_shape_is_given_up_in_two_steps() -> None:
    error = ErrorBody("no", params=("text.format",))

    assert objection(error, ALL, frozenset()) == "format"
    assert objection(error, ALL, frozenset({"format"})) == "json_mode"
    assert objection(error, ALL, frozenset({"format", "json_mode"})) is None
