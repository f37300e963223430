"""Golden bodies: what is sent to Anthropic, to the letter."""

import re
from types import MappingProxyType
from typing import Any

import orjson
import pytest

from custom_components.ai_router.providers.anthropic_body import messages_body, objection
from custom_components.ai_router.providers.anthropic_models import may_be_forced, thinking
from custom_components.ai_router.providers.conversation import dumps
from custom_components.ai_router.providers.error_bodies import ErrorBody
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

HAIKU, OPUS, OLD = "claude-haiku-5-5", "claude-opus-5-5", "claude-haiku-4-5-20251001"
CACHED = {"cache_control": {"type": "ephemeral"}}
MINE = Target("p", HAIKU)


def written(call: Call, *refused: str) -> dict[str, Any]:
    """Return the body as it goes over the wire."""
    body: dict[str, Any] = orjson.loads(dumps(messages_body(taken(call, NAMES)[0], refused)))
    return body


def image(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": data}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_the_least() -> None:
    assert written(whole(asking(HAIKU))) == {
        "model": HAIKU,
        "max_tokens": 300,
        "messages": [{"role": "user", "content": "Is the door open?"}],
        "stream": False,
    }


def test_everything() -> None:
    call = asking(
        OLD,
        Message(Role.SYSTEM, (Text("Be brief."),)),
        user("Hello", "you"),
        Message(Role.SYSTEM, (Text("Be kind."),)),
        sampling=Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",)),
        tools=(LIGHT, Tool("snap", "Take a picture", {})),
        structure=DOOR,
    )

    assert written(call) == {
        "model": OLD,
        "max_tokens": 300,
        "system": [{**text("Be brief.\n\nBe kind."), **CACHED}],
        "messages": [{"role": "user", "content": "Hello\nyou"}],
        "stream": True,
        "temperature": 0.2,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "tools": [
            {
                "name": "light_on",
                "description": "Switch a light on",
                "input_schema": {"type": "object", "properties": {"room": {"type": "string"}}},
            },
            {
                "name": "snap",
                "description": "Take a picture",
                "input_schema": {"type": "object", "properties": {}},
                **CACHED,
            },
        ],
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {
                    "type": "object",
                    "properties": {"open": {"type": "boolean"}},
                    "required": ["open"],
                    "additionalProperties": False,
                },
            }
        },
        **CACHED,
    }


def test_a_question_comes_behind_its_pictures() -> None:
    call = asking(HAIKU, user("Who is it?", picture(b"abc"), picture(b"\xff\xfe")))

    assert written(call)["messages"][0]["content"] == [image("YWJj"), image("//4="), text("Who is it?")]


def test_texts_stay_beside_their_pictures() -> None:
    call = asking(HAIKU, user("Door:", picture(b"abc"), " ", "Garden:", picture(b"\xff\xfe")))

    assert written(call)["messages"][0]["content"] == [text("Door:"), image("YWJj"), text("Garden:"), image("//4=")]


def test_a_turn_with_tools() -> None:
    call = asking(
        HAIKU,
        user("Light!"),
        Message(
            Role.ASSISTANT,
            (
                Text("On it. "),
                ToolCall("a:1", "light_on", MappingProxyType({"room": "hall"})),
                ToolCall("a2", "snap", {}),
            ),
        ),
        Message(Role.TOOL, (ToolResult("a:1", "light_on", "done"),)),
        Message(Role.TOOL, (ToolResult("a2", "snap", ""), picture(b"abc"))),
        user(" "),
        Message(Role.ASSISTANT, (Thinking("hm", (), MINE),)),
        Message(Role.ASSISTANT, (Text("It is on."),)),
        user("Thanks!"),
    )

    body = written(call)

    call_id = body["messages"][1]["content"][1]["id"]
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", call_id)
    assert body["messages"] == [
        {"role": "user", "content": "Light!"},
        {
            "role": "assistant",
            "content": [
                text("On it."),
                {"type": "tool_use", "id": call_id, "name": "light_on", "input": {"room": "hall"}},
                {"type": "tool_use", "id": "a2", "name": "snap", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call_id, "content": [text("done")]},
                {"type": "tool_result", "tool_use_id": "a2", "content": [image("YWJj")]},
            ],
        },
        {"role": "assistant", "content": [text("It is on.")]},
        {"role": "user", "content": "Thanks!"},
    ]
    # A conversation that goes on is worth keeping, even without tools.
    assert body["cache_control"] == {"type": "ephemeral"}


def test_what_a_tool_shows_without_a_result_comes_last() -> None:
    call = asking(
        HAIKU,
        user("Look!"),
        Message(Role.ASSISTANT, (ToolCall("a1", "snap", {}),)),
        Message(Role.TOOL, (picture(b"abc"), Text("here"))),
        Message(Role.TOOL, (ToolResult("a1", "snap", "done"),)),
    )

    assert written(call)["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a1", "content": [text("done")]},
        image("YWJj"),
        text("here"),
    ]


def test_a_picture_is_never_the_model_s_own() -> None:
    with pytest.raises(AttemptFailed) as raised:
        messages_body(asking(HAIKU, user("Hi"), Message(Role.ASSISTANT, (picture(b"abc"),)), user("And?")))

    assert (raised.value.failure.cls, raised.value.failure.phase) == (FailureClass.CAPABILITY, Phase.UNSENT)


# --- thoughts ----------------------------------------------------------------------------------------

BLOCKS = [
    {"type": "thinking", "thinking": "", "signature": "s1"},
    text("On it."),
    {"type": "tool_use", "id": "a1", "name": "light_on", "input": {}},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "tool_use", "id": "a2", "name": "light_on", "input": {"room": "hall"}},
]
PLAIN = [block for block in BLOCKS if "thinking" not in block["type"]]


def looped(
    origin: Target, calls: tuple[str, ...] = ("a1", "a2"), *later: Message, blocks: list[Any] | None = None
) -> Call:
    said = [ToolCall(call_id, "light_on", {"room": "hall"} if call_id == "a2" else {}) for call_id in calls]
    return asking(
        HAIKU,
        user("Light!"),
        Message(Role.ASSISTANT, (Thinking("", (blocks or BLOCKS,), origin), Text("On it."), *said)),
        Message(Role.TOOL, tuple(ToolResult(call_id, "light_on", "done") for call_id in calls)),
        *later,
    )


def said_of(call: Call, *refused: str) -> Any:
    return written(call, *refused)["messages"][1]["content"]


def test_thoughts_go_back_in_their_places() -> None:
    assert said_of(looped(MINE)) == BLOCKS


def test_whose_thoughts_go_nowhere() -> None:
    assert said_of(looped(Target("q", HAIKU))) == PLAIN
    assert said_of(looped(Target("p", OPUS))) == PLAIN
    assert said_of(looped(MINE), "replay") == PLAIN
    # Of a turn that was changed, and of one that is over.
    assert said_of(looped(MINE, ("a1",))) == PLAIN[:2]
    assert said_of(looped(MINE, ("a1", "a2"), user("Thanks!"))) == PLAIN


def test_of_two_turns_only_the_one_in_hand_keeps_its_thoughts() -> None:
    later = [{**block, "id": f"{block['id']}b"} if "id" in block else block for block in BLOCKS]
    second = looped(MINE, ("a1b", "a2b"), blocks=later).messages
    call = asking(HAIKU, *looped(MINE).messages, Message(Role.ASSISTANT, (Text("It is on."),)), *second)

    messages = written(call)["messages"]

    assert [messages[place]["content"] for place in (1, 5)] == [PLAIN, later]


@pytest.mark.parametrize("opaque", [(), None, ([],)])
def test_thoughts_without_a_form_are_left_out(opaque: Any) -> None:
    call = asking(HAIKU, user("Hi"), Message(Role.ASSISTANT, (Thinking("hm", opaque, MINE), Text("Yes."))))

    assert said_of(call) == [text("Yes.")]


@pytest.mark.parametrize(
    ("model", "wish", "fields"),
    [
        (HAIKU, None, {}),
        (HAIKU, "none", {"thinking": {"type": "disabled"}}),
        (HAIKU, "off", {"thinking": {"type": "disabled"}}),
        (HAIKU, "minimal", {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": "low"}),
        (HAIKU, "max", {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": "max"}),
        (HAIKU, "on", {"thinking": {"type": "adaptive", "display": "summarized"}}),
        (OPUS, "none", {"effort": "low"}),
        ("claude-fable-5-2", "off", {"effort": "low"}),
        ("claude-opus-5", "none", {"thinking": {"type": "disabled"}}),
        ("claude-sonnet-5-5", "none", {"thinking": {"type": "between_tools"}}),
        ("claude-sonnet-5", "none", {"thinking": {"type": "disabled"}}),
        ("claude-next-9", "high", {"thinking": {"type": "adaptive", "display": "summarized"}, "effort": "high"}),
        (OLD, "low", {"thinking": {"type": "enabled", "budget_tokens": 1_024}}),
        (OLD, "high", {"thinking": {"type": "enabled", "budget_tokens": 3_000}}),
        (OLD, "none", {"thinking": {"type": "disabled"}}),
    ],
)
def test_wishes_for_thinking(model: str, wish: str | None, fields: dict[str, Any]) -> None:
    assert thinking(model, wish, 4_000) == fields


def test_there_is_no_thinking_where_it_would_leave_no_room() -> None:
    assert thinking(OLD, "high", 1_024) == {}
    assert thinking(OLD, "high", 1_025) == {"thinking": {"type": "enabled", "budget_tokens": 1_024}}


def test_sampling_is_not_sent_beside_thinking() -> None:
    sampling = Sampling(temperature=0.2, top_p=0.9, reasoning="low")

    assert not {"temperature", "top_p"} & written(asking(OLD, sampling=sampling, max_output=4_000)).keys()
    assert {"temperature", "top_p"} <= written(asking(OLD, sampling=sampling, max_output=4_000), "thinking").keys()


# --- the shape of an answer --------------------------------------------------------------------------


def test_a_shape_by_a_tool() -> None:
    free = Structure("my door", {"type": "object", "properties": {"data": {"type": "object"}}})

    body = written(asking(HAIKU, structure=free))

    assert "output_config" not in body
    assert body["tools"] == [{"name": "my_door", "input_schema": free.schema}]
    assert body["tool_choice"] == {"type": "tool", "name": "my_door", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("model", "refused"), [(HAIKU, ("format", "tool_choice")), (OPUS, ("format",)), ("claude-sonnet-5-5", ("format",))]
)
def test_a_shape_in_words(model: str, refused: tuple[str, ...]) -> None:
    body = written(asking(model, structure=DOOR), *refused)

    assert not {"output_config", "tool_choice", "tools"} & body.keys()
    assert '"required":["open"]' in body["system"][0]["text"]


def test_which_models_may_be_forced() -> None:
    assert all(map(may_be_forced, (HAIKU, OLD, "claude-opus-5", "claude-sonnet-5", "claude-fable-5")))
    assert not any(map(may_be_forced, (OPUS, "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-2")))


# --- refusals ----------------------------------------------------------------------------------------

ALL = asking(
    OLD,
    sampling=Sampling(temperature=0.2, top_p=0.9, stop=("END",)),
    structure=DOOR,
    tools=(LIGHT,),
)
THINKING = asking(HAIKU, sampling=Sampling(reasoning="low"))


@pytest.mark.parametrize(
    ("call", "words", "field"),
    [
        (ALL, "temperature: is not supported by this model", "temperature"),
        (ALL, "`temperature` and `top_p` cannot both be specified for this model.", "top_p"),
        (ALL, "top_p: Extra inputs are not permitted", "top_p"),
        (ALL, "stop_sequences.0: each stop sequence must contain non-whitespace", "stop_sequences"),
        (ALL, "output_config.format.schema: Schema is too complex", "format"),
        (ALL, "tools.0.cache_control: Extra inputs are not permitted", "cache_control"),
        (ALL, "thinking: is not supported", None),
        (ALL, "max_tokens: 300 > 200", None),
        (ALL, "seed: Extra inputs are not permitted", None),
        (THINKING, '"thinking.type.adaptive" is not supported. Use another type and output_config.effort.', "thinking"),
        (THINKING, "output_config.effort: not while thinking is disabled", "effort"),
        (looped(MINE), "messages.1.content.0.thinking.signature: Field required", "replay"),
        (looped(MINE), "messages.1.content.0: Invalid `signature` in `thinking` block", "replay"),
        (looped(MINE), "`thinking` or `redacted_thinking` blocks cannot be modified", "replay"),
        (looped(Target("q", HAIKU)), "messages.1.content.0: Invalid `signature` in `thinking` block", None),
    ],
)
def test_what_a_refusal_objects_to(call: Call, words: str, field: str | None) -> None:
    assert objection(ErrorBody(words), call, frozenset()) == field
    if field is not None:
        assert objection(ErrorBody(words), call, frozenset({field})) != field
