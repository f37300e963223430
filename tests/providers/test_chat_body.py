"""Golden bodies: what is sent, to the letter."""

from copy import replace
from types import MappingProxyType
from typing import Any

import orjson
import pytest

from custom_components.ai_router.providers.chat_body import chat_body, objection
from custom_components.ai_router.providers.conversation import dumps
from custom_components.ai_router.providers.error_bodies import ErrorBody
from custom_components.ai_router.routing.call import Call
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, Phase
from custom_components.ai_router.routing.model import (
    Image,
    Message,
    Role,
    Sampling,
    Structure,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

from .asking import DOOR, LIGHT, asking, picture, user, whole

EVERYTHING = Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",), reasoning="low")


def written(call: Call, *refused: str) -> dict[str, Any]:
    """Return the body as it goes over the wire."""
    body: dict[str, Any] = orjson.loads(dumps(chat_body(call, refused)))
    return body


def test_the_least() -> None:
    assert written(whole(asking("m"))) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Is the door open?"}],
        "stream": False,
        "max_tokens": 300,
    }


def test_everything() -> None:
    call = asking(
        "m",
        Message(Role.SYSTEM, (Text("Be brief."),)),
        user("Hello", "you"),
        Message(Role.SYSTEM, (Text("Be kind."),)),
        sampling=EVERYTHING,
        tools=(LIGHT,),
        structure=DOOR,
    )

    assert written(call) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief.\n\nBe kind."},
            {"role": "user", "content": "Hello\nyou"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 300,
        "temperature": 0.2,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "light_on",
                    "description": "Switch a light on",
                    "parameters": {"type": "object", "properties": {"room": {"type": "string"}}},
                },
            }
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "door",
                "schema": {"type": "object", "properties": {"open": {"type": "boolean"}}, "required": ["open"]},
            },
        },
    }


def test_pictures_are_data_urls_between_the_words() -> None:
    call = asking("m", user("Before", picture(b"abc"), "after", picture(b"\xff\xfe", "image/png")))

    assert written(call)["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Before"},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,YWJj"}},
                {"type": "text", "text": "after"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,//4="}},
            ],
        }
    ]


def test_a_turn_with_tools() -> None:
    thought = Thinking("hm", None, Target("p", "m"))
    call = asking(
        "m",
        user("Light!"),
        Message(
            Role.ASSISTANT,
            (thought, ToolCall("a1", "light_on", MappingProxyType({"room": "hall"})), ToolCall("a2", "snap", {})),
        ),
        Message(Role.TOOL, (ToolResult("a1", "light_on", "done"), picture(b"abc"))),
        Message(Role.TOOL, (ToolResult("a2", "snap", "a picture"),)),
        Message(Role.ASSISTANT, (thought,)),
        Message(Role.ASSISTANT, (Text("It is on."),)),
    )

    assert written(call)["messages"] == [
        {"role": "user", "content": "Light!"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a1", "type": "function", "function": {"name": "light_on", "arguments": '{"room":"hall"}'}},
                {"id": "a2", "type": "function", "function": {"name": "snap", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a1", "content": "done"},
        {"role": "tool", "tool_call_id": "a2", "content": "a picture"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,YWJj"}}]},
        {"role": "assistant", "content": "It is on."},
    ]


def test_the_name_of_a_shape_is_one_that_servers_take() -> None:
    call = asking("m", structure=Structure("Haustür: offen? " + "x" * 80, DOOR.schema))

    assert written(call)["response_format"]["json_schema"]["name"] == "Haust_r__offen__" + "x" * 48


def test_what_a_model_refused_is_left_out() -> None:
    call = asking("m", sampling=EVERYTHING)

    body = written(call, "temperature", "top_p", "seed", "stop", "stream_options", "max_tokens")

    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Is the door open?"}],
        "stream": True,
        "max_completion_tokens": 300,
    }


def test_a_refused_shape_is_asked_for_in_words() -> None:
    next_best = written(asking("m", structure=DOOR), "response_format")
    body = written(asking("m", structure=DOOR), "response_format", "json_object", "tool_choice")

    assert next_best["response_format"] == {"type": "json_object"}
    assert "tool_choice" not in body
    assert "response_format" not in body
    assert next_best["messages"] == body["messages"]
    assert body["messages"][0]["role"] == "system"
    assert '"required":["open"]' in body["messages"][0]["content"]


def test_a_picture_that_cannot_be_loaded_is_our_own_failure() -> None:
    def gone() -> bytes:
        raise FileNotFoundError("/secret/path")

    broken = Image("0", "image/jpeg", 1, 1, gone)

    with pytest.raises(AttemptFailed) as raised:
        chat_body(asking("m", user("Look", broken)))

    failure = raised.value.failure
    assert (failure.cls, failure.phase) == (FailureClass.BAD_REQUEST, Phase.UNSENT)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (ErrorBody("no", params=("temperature",)), "temperature"),
        (ErrorBody("no", params=("stream_options.include_usage",)), "stream_options"),
        (ErrorBody("no", params=("response_format.json_schema",)), "response_format"),
        (ErrorBody("Unsupported value: 'top_p' does not support 0.9"), "top_p"),
        (ErrorBody("This model does not support response format `json_schema`."), "response_format"),
        (ErrorBody("'stop' is not supported"), "stop"),
        (ErrorBody("Please stop sending this"), None),
        (ErrorBody("temperature", params=("messages",)), None),
        (ErrorBody("Use 'max_completion_tokens' instead.", params=("max_tokens",)), "max_tokens"),
        (ErrorBody("'max_tokens' is not supported. Use 'max_completion_tokens'."), "max_tokens"),
        (ErrorBody("max_tokens is too large: 300.", params=("max_tokens",)), None),
        (ErrorBody("logprobs is not supported", params=("logprobs",)), None),
    ],
)
def test_what_a_refusal_objects_to(error: ErrorBody, field: str | None) -> None:
    call = asking("m", sampling=EVERYTHING, structure=DOOR)

    assert objection(error, call, frozenset()) == field
    if field is not None:
        assert objection(error, call, frozenset({field, "json_object", "tool_choice"})) is None


def test_only_what_was_sent_is_objected_to() -> None:
    call = whole(asking("m"))

    for name in ("temperature", "top_p", "seed", "stop", "stream_options", "response_format"):
        assert objection(ErrorBody("no", params=(name,)), call, frozenset()) is None
    assert objection(ErrorBody("no", params=("stream_options",)), replace(call, stream=True), frozenset())
