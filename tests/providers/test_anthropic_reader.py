"""Anthropic's streams and answers as events, and their counts."""

import json
from typing import Any

import pytest

from custom_components.ai_router.providers.anthropic_reader import MessagesReader
from custom_components.ai_router.providers.replies import Replies
from custom_components.ai_router.routing.call import Event, Finish, ThinkingDelta, Usage
from custom_components.ai_router.routing.failures import Billed, FailureClass, Phase
from custom_components.ai_router.routing.model import ToolCall

from .asking import Heard, pieces

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "usage": {
            "input_tokens": 12,
            "cache_read_input_tokens": 800,
            "cache_creation_input_tokens": 0,
            "output_tokens": 2,
        },
    },
}
STOP = {"type": "message_stop"}


def begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def end(reason: str | None, **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


def text(index: int, *words: str) -> list[dict[str, Any]]:
    return [
        begin(index, type="text", text=""),
        *(delta(index, "text_delta", text=word) for word in words),
        {"type": "content_block_stop", "index": index},
    ]


def tool(index: int, call_id: str, *parts: str, name: str = "on") -> list[dict[str, Any]]:
    return [
        begin(index, type="tool_use", id=call_id, name=name, input={}),
        *(delta(index, "input_json_delta", partial_json=part) for part in parts),
        {"type": "content_block_stop", "index": index},
    ]


def thought(index: int, words: str, *signature: str) -> list[dict[str, Any]]:
    return [
        begin(index, type="thinking", thinking="", signature=""),
        *([delta(index, "thinking_delta", thinking=words)] if words else []),
        *(delta(index, "signature_delta", signature=part) for part in signature),
        {"type": "content_block_stop", "index": index},
    ]


def sse(messages: list[dict[str, Any]]) -> bytes:
    return "".join(f"event: {message['type']}\ndata: {json.dumps(message)}\n\n" for message in messages).encode()


def read(*messages: dict[str, Any], answer_tool: str | None = None) -> tuple[MessagesReader, Heard]:
    reader = MessagesReader(Replies("a server"), "m", answer_tool)
    events: list[Event] = []
    for piece in pieces(sse(list(messages)), list(range(0, 4_000, 7))):
        if not reader.done and reader.failure is None:
            events += reader.feed(piece)
    if reader.failure is None:
        events += reader.end()
    return reader, Heard(events)


def read_whole(message: dict[str, Any], answer_tool: str | None = None) -> tuple[MessagesReader, Heard]:
    reader = MessagesReader(Replies("a server"), "m", answer_tool)
    return reader, Heard(reader.whole(message))


# --- transcripts -------------------------------------------------------------------------------------


def test_a_tool_call() -> None:
    reader, heard = read(
        START,
        *tool(0, "toolu_2", '{"room":', '"hall"}', name="light_on"),
        {"type": "ping"},
        end("tool_use", output_tokens=22),
        STOP,
    )

    assert reader.failure is None
    assert heard.calls == [ToolCall("toolu_2", "light_on", {"room": "hall"})]
    assert heard.finish is Finish.TOOLS
    assert heard.usage == Usage(fresh_in=12, cache_read=800, text_out=22)


def test_hidden_thoughts_then_a_refusal_in_the_middle() -> None:
    reader, heard = read(START, *thought(0, "", "sig1"), *text(1, "First you"), end("refusal", output_tokens=9), STOP)

    assert reader.failure is None
    assert (heard.thoughts, heard.text, heard.finish) == ("", "First you", Finish.FILTERED)
    assert heard.usage == Usage(fresh_in=12, cache_read=800, text_out=9)


def test_a_refusal_drops_the_calls() -> None:
    _, heard = read(START, *tool(0, "a1", "{}"), end("refusal", output_tokens=9), STOP)

    assert (heard.calls, heard.finish) == ([], Finish.FILTERED)


@pytest.mark.parametrize("counts", [{"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 12, "output_tokens": 0}])
def test_a_refusal_before_the_first_word(counts: dict[str, int]) -> None:
    reader, heard = read_whole({"type": "message", "content": [], "stop_reason": "refusal", "usage": counts})

    assert heard.events == []
    assert reader.failure is not None
    assert (reader.failure.cls, reader.failure.billed) == (FailureClass.CONTENT_POLICY, Billed.NO)


def test_an_answer_in_one_piece() -> None:
    message = {
        "type": "message",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "text", "text": "On it."},
            {"type": "tool_use", "id": "toolu_1", "name": "light_on", "input": {"room": "hall"}},
        ],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 90,
            "cache_creation_input_tokens": 70,
            "cache_read_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 40},
            "output_tokens": 60,
            "output_tokens_details": {"thinking_tokens": 35},
        },
    }

    reader, heard = read_whole(message)

    assert reader.failure is None
    assert (heard.thoughts, heard.text) == ("hm", "On it.")
    assert heard.calls == [ToolCall("toolu_1", "light_on", {"room": "hall"})]
    assert heard.usage == Usage(
        fresh_in=90, cache_read=5, cache_write_5m=30, cache_write_1h=40, text_out=25, reasoning_out=35
    )
    assert [event.opaque for event in heard.events if isinstance(event, ThinkingDelta)] == [None, message["content"]]


# --- the turn as it goes back ------------------------------------------------------------------------


def opaque(heard: Heard) -> list[Any]:
    return [event.opaque for event in heard.events if isinstance(event, ThinkingDelta) and event.opaque is not None]


def test_a_turn_is_kept_in_its_order() -> None:
    _, heard = read(
        START,
        *thought(0, "hm", "si", "g1"),
        *text(1, "On ", "it."),
        *tool(2, "a1"),
        begin(3, type="redacted_thinking", data="xyz"),
        *text(4, " "),
        *tool(5, "a2", '{"r":1}'),
        end("tool_use", output_tokens=9),
        STOP,
    )

    assert opaque(heard) == [
        [
            {"type": "thinking", "thinking": "hm", "signature": "sig1"},
            {"type": "text", "text": "On it."},
            {"type": "tool_use", "id": "a1", "name": "on", "input": {}},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "tool_use", "id": "a2", "name": "on", "input": {"r": 1}},
        ]
    ]
    assert heard.calls == [ToolCall("a1", "on", {}), ToolCall("a2", "on", {"r": 1})]


def test_a_turn_that_needs_no_thoughts_back_keeps_none() -> None:
    for messages in (
        [*thought(0, "hm", "sig"), *text(1, "Yes."), end("end_turn")],
        [*text(0, "Yes."), *tool(1, "a1"), end("tool_use")],
        [*thought(0, "hm"), *tool(1, "a1"), end("tool_use")],
        [*thought(0, "hm", "sig"), begin(1, type="server_tool_use", id="s1"), *tool(2, "a1"), end("tool_use")],
    ):
        _, heard = read(START, *messages, STOP)
        assert opaque(heard) == []


# --- ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("tool_use", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("pause_turn", Finish.OTHER),
        ("something_new", Finish.OTHER),
        (None, Finish.OTHER),
    ],
)
def test_finishes(reason: str | None, finish: Finish) -> None:
    _, heard = read(START, *text(0, "Yes"), end(reason, output_tokens=3), STOP)

    assert (heard.text, heard.finish) == ("Yes", finish)


@pytest.mark.parametrize("messages", [[], [end("end_turn", output_tokens=3)]])
def test_without_the_terminator_it_is_cut(messages: list[dict[str, Any]]) -> None:
    reader, heard = read(START, *text(0, "Yes"), *messages)

    assert reader.failure is not None
    assert (reader.failure.cls, reader.failure.phase) == (FailureClass.STREAM_CUT, Phase.STREAMING)
    assert heard.finish is None
    assert heard.usage is not None


def test_of_calls_that_were_cut_only_whole_ones_are_passed_on() -> None:
    _, heard = read(START, *tool(0, "a1", "{}"), *tool(1, "a2", '{"room":'), end("max_tokens"), STOP)

    assert heard.calls == [ToolCall("a1", "on", {})]
    assert heard.finish is Finish.LENGTH


@pytest.mark.parametrize("given", [{}, {"room": "ha"}])
def test_a_call_that_was_cut_before_its_arguments_is_not_one_without_arguments(given: dict[str, Any]) -> None:
    cut = begin(1, type="tool_use", id="a2", name="on", input=given)
    message = {"type": "message", "content": [cut["content_block"]], "stop_reason": "max_tokens", "usage": {}}

    _, streamed = read(START, *tool(0, "a1", "{}"), cut, end("max_tokens"), STOP)
    reader = MessagesReader(Replies("a server"), "m")

    assert streamed.calls == [ToolCall("a1", "on", {})]
    assert Heard(reader.whole(message)).calls == []


def test_a_call_before_the_cut_is_whole_without_arguments() -> None:
    _, heard = read(START, *tool(0, "a1"), *text(1, "And th"), end("max_tokens"), STOP)

    assert heard.calls == [ToolCall("a1", "on", {})]


@pytest.mark.parametrize(
    "messages",
    [
        tool(0, "a1", '{"room":'),
        tool(0, "a1", "[1]"),
        tool(0, "", "{}"),
        tool(0, "a1", "{}", name=""),
        [begin(0, type="tool_use", id="a1", name="on", input="{}")],
    ],
)
def test_half_a_call_is_never_passed_on(messages: list[dict[str, Any]]) -> None:
    reader, heard = read(START, *messages, end("tool_use"), STOP)

    assert reader.failure is not None
    assert reader.failure.cls is FailureClass.MALFORMED
    assert heard.calls == []


def test_arguments_that_come_with_the_beginning() -> None:
    _, heard = read(START, begin(0, type="tool_use", id="a1", name="on", input={"r": 1}), end("tool_use"), STOP)

    assert heard.calls == [ToolCall("a1", "on", {"r": 1})]


def test_a_call_that_is_the_answer() -> None:
    for messages in (
        tool(0, "a1", '{"open":', "true}"),
        [begin(0, type="tool_use", id="a1", name="on", input={"open": True})],
    ):
        _, heard = read(START, *messages, end("tool_use"), STOP, answer_tool="on")
        assert (json.loads(heard.text), heard.calls, heard.finish) == ({"open": True}, [], Finish.STOP)


def test_an_answer_that_was_cut_says_so() -> None:
    _, heard = read(START, *tool(0, "a1", '{"open":'), end("max_tokens"), STOP, answer_tool="on")

    assert (heard.text, heard.finish) == ('{"open":', Finish.LENGTH)


# --- errors and oddities -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("overloaded_error", FailureClass.OVERLOADED),
        ("rate_limit_error", FailureClass.RATE_LIMIT),
        ("api_error", FailureClass.TRANSIENT),
        ("timeout_error", FailureClass.TRANSIENT),
        ("billing_error", FailureClass.BILLING),
        ("authentication_error", FailureClass.CREDENTIAL),
    ],
)
def test_errors_in_a_stream(kind: str, cls: FailureClass) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "r"}

    reader, heard = read(START, *text(0, "Yes"), error)
    early, _ = read(START, error)

    assert reader.failure is not None
    assert early.failure is not None
    assert (reader.failure.cls, reader.failure.phase, reader.failure.billed) == (cls, Phase.STREAMING, Billed.PARTIAL)
    assert (early.failure.cls, early.failure.phase, early.failure.billed) == (cls, Phase.SENT, Billed.NO)
    assert (heard.text, heard.finish) == ("Yes", None)


def test_what_was_counted_is_told_before_a_cut_and_not_before_the_first_word() -> None:
    reader = MessagesReader(Replies("a server"), "m")

    reader.feed(sse([START]))
    assert reader.counted() is None
    reader.feed(sse(text(0, "Yes")))
    told = reader.counted()

    assert told is not None
    assert told.usage == Usage(fresh_in=12, cache_read=800, text_out=2)
    # Once is enough.
    assert reader.counted() is None


def test_an_error_without_words_is_one_all_the_same() -> None:
    reader, _ = read(START, {"type": "error"})

    assert reader.failure is not None
    assert reader.failure.cls is FailureClass.MALFORMED


def test_what_is_not_known_is_passed_over() -> None:
    _, heard = read(
        {"type": "something_new", "value": 1},
        START,
        *text(0, "Yes"),
        delta(0, "citations_delta", citation={}),
        delta(0, "text_delta", text=None),
        delta(7, "text_delta", text="of no block"),
        begin(1, type="something_new", text="x"),
        end("end_turn", output_tokens=3, input_tokens=None),
        STOP,
    )

    assert (heard.text, heard.finish) == ("Yes", Finish.STOP)
    assert heard.usage == Usage(fresh_in=12, cache_read=800, text_out=3)


def test_blocks_are_bounded() -> None:
    reader, _ = read(START, *(begin(index, type="text", text="") for index in range(600)))

    assert reader.failure is not None
    assert reader.failure.cls is FailureClass.MALFORMED


def test_the_last_count_wins_and_nothing_is_added_up() -> None:
    _, heard = read(
        START,
        *text(0, "Yes"),
        end(None, output_tokens=3),
        end("end_turn", input_tokens=20, output_tokens=8, output_tokens_details={"thinking_tokens": 6}),
        STOP,
    )

    assert heard.usage == Usage(fresh_in=20, cache_read=800, text_out=2, reasoning_out=6)
    assert heard.usage.input_tokens + heard.usage.output_tokens == 20 + 800 + 8
