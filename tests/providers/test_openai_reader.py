"""OpenAI's streams and responses as events, and their counts."""

import json
from typing import Any

import pytest

from custom_components.ai_router.providers.openai_reader import ResponsesReader
from custom_components.ai_router.providers.replies import Replies
from custom_components.ai_router.routing.call import Event, Finish, ThinkingDelta, Usage
from custom_components.ai_router.routing.failures import Billed, FailureClass, Phase
from custom_components.ai_router.routing.model import ToolCall

from .asking import Heard, pieces

COUNTS = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 16,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 66,
}
START = {"type": "response.created", "response": {"id": "resp_a", "status": "in_progress", "output": []}}
REASONING = {"type": "reasoning", "id": "rs_a", "summary": [], "encrypted_content": "whole"}


def say(*words: str) -> list[dict[str, Any]]:
    return [
        {"type": "response.output_text.delta", "output_index": 1, "delta": word, "obfuscation": "q8"} for word in words
    ]


def added(index: int, **item: Any) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, **item: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def call(index: int, arguments: Any = "{}", **changes: Any) -> dict[str, Any]:
    return done(index, **{"type": "function_call", "call_id": "a1", "name": "on", "arguments": arguments, **changes})


def end(event: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{event}", "response": {"status": event, "usage": COUNTS, **fields}}


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(parts)}


def sse(messages: list[dict[str, Any]]) -> bytes:
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in messages).encode()


def read(*messages: dict[str, Any], behind: bytes = b"") -> tuple[ResponsesReader, Heard]:
    reader = ResponsesReader(Replies("a server"), "m")
    events: list[Event] = []
    for piece in pieces(sse(list(messages)) + behind, list(range(0, 6_000, 7))):
        if not reader.done and reader.failure is None:
            events += reader.feed(piece)
    if reader.failure is None:
        events += reader.end()
    return reader, Heard(events)


def read_whole(**response: Any) -> tuple[ResponsesReader, Heard]:
    reader = ResponsesReader(Replies("a server"), "m")
    return reader, Heard(reader.whole({"object": "response", **response}))


# --- transcripts -------------------------------------------------------------------------------------


def test_reasoning_then_text_that_is_cut_off() -> None:
    reader, heard = read(
        START,
        added(0, **{**REASONING, "encrypted_content": "cut"}),
        done(0, **REASONING),
        added(1, **message()),
        {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}},
        *say("The hall is"),
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    )

    assert reader.failure is None
    assert (heard.text, heard.finish) == ("The hall is", Finish.LENGTH)
    assert heard.usage == Usage(fresh_in=50, text_out=4, reasoning_out=12)


def test_a_tool_call() -> None:
    _, heard = read(
        START,
        added(0, type="function_call", id="fc_9", call_id="call_9", name="light_on", arguments=""),
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"room":'},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '"hall"}'},
        done(0, type="function_call", id="fc_9", call_id="call_9", name="light_on", arguments='{"room":"hall"}'),
        end(),
    )

    assert heard.calls == [ToolCall("call_9", "light_on", {"room": "hall"})]
    assert heard.finish is Finish.TOOLS


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        ({"type": "error", "code": "server_error", "message": "try later", "param": None}, FailureClass.TRANSIENT),
        ({"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow"}}, FailureClass.RATE_LIMIT),
        ({"error": {"message": "a gateway's form"}, "type": ""}, FailureClass.TRANSIENT),
        ({"type": "error"}, FailureClass.MALFORMED),
        (end("failed", error={"code": "rate_limit_exceeded", "message": "slow down"}), FailureClass.RATE_LIMIT),
        (end("failed", error={"code": "invalid_prompt", "message": "no"}), FailureClass.CONTENT_POLICY),
        (end("failed", error={"code": "bio_policy", "message": "no"}), FailureClass.CONTENT_POLICY),
        (end("failed", error={"code": "invalid_image_format", "message": "no"}), FailureClass.BAD_REQUEST),
        (end("failed", error={"code": "image_file_too_large", "message": "no"}), FailureClass.TOO_LARGE),
        (end("failed", error={"code": "data_residency_mismatch", "message": "no"}), FailureClass.REGION),
        (end("failed", error={"code": "something_new", "message": "no"}), FailureClass.TRANSIENT),
        (end("failed", error=None), FailureClass.MALFORMED),
        (end("completed", status="cancelled"), FailureClass.MALFORMED),
    ],
)
def test_failures_in_a_stream(error: dict[str, Any], cls: FailureClass) -> None:
    reader, heard = read(START, *say("Yes"), error)
    early, _ = read(START, error)

    assert reader.failure is not None
    assert early.failure is not None
    assert (reader.failure.cls, reader.failure.phase, reader.failure.billed) == (cls, Phase.STREAMING, Billed.PARTIAL)
    assert (early.failure.cls, early.failure.phase) == (cls, Phase.SENT)
    assert early.failure.billed is (Billed.UNKNOWN if cls is FailureClass.MALFORMED else Billed.NO)
    assert (heard.text, heard.finish) == ("Yes", None)


def test_an_answer_in_one_piece() -> None:
    output = [
        {**REASONING, "summary": [{"type": "summary_text", "text": "One"}, {"type": "summary_text", "text": "Two"}]},
        message({"type": "output_text", "text": "War"}, {"type": "output_text", "text": "m."}),
        {"type": "function_call", "call_id": "a1", "name": "on", "arguments": '{"r":1}'},
    ]

    reader, heard = read_whole(status="completed", output=output, usage=COUNTS)

    assert reader.failure is None
    assert (heard.thoughts, heard.text, heard.finish) == ("One\n\nTwo", "Warm.", Finish.TOOLS)
    assert heard.calls == [ToolCall("a1", "on", {"r": 1})]
    assert opaque(heard) == [output]


@pytest.mark.parametrize("status", ["failed", "cancelled", "queued", "in_progress"])
def test_a_whole_answer_that_is_none(status: str) -> None:
    reader, heard = read_whole(status=status, output=[message({"type": "output_text", "text": "Wa"})], error=None)

    assert reader.failure is not None
    assert heard.finish is None


def test_a_whole_failure_costs_nothing() -> None:
    reader, _ = read_whole(status="failed", output=[], error={"code": "server_error", "message": "no"})

    assert reader.failure is not None
    assert (reader.failure.cls, reader.failure.billed) == (FailureClass.TRANSIENT, Billed.NO)


# --- reasoning ---------------------------------------------------------------------------------------


def opaque(heard: Heard) -> list[Any]:
    return [event.opaque for event in heard.events if isinstance(event, ThinkingDelta) and event.opaque is not None]


def test_summaries_are_thoughts() -> None:
    def part(index: int, text: str) -> list[dict[str, Any]]:
        where = {"output_index": 0, "summary_index": index}
        return [
            {"type": "response.reasoning_summary_part.added", **where, "part": {}},
            {"type": "response.reasoning_summary_text.delta", **where, "delta": text},
        ]

    _, heard = read(START, *part(0, "One"), *part(1, "Two"), *say("Yes"), end())

    assert (heard.thoughts, heard.text) == ("One\n\nTwo", "Yes")


def test_raw_reasoning_is_thought_too() -> None:
    _, heard = read(START, {"type": "response.reasoning_text.delta", "delta": "hm"}, *say("Yes"), end())

    assert (heard.thoughts, heard.text) == ("hm", "Yes")

    item = {"type": "reasoning", "id": "rs_a", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    _, whole = read_whole(status="completed", output=[item], usage=COUNTS)

    assert whole.thoughts == "hm"


def test_a_turn_is_kept_as_it_came() -> None:
    spoken = {**message({"type": "output_text", "text": "On it."}), "phase": "commentary"}
    call_item = call(2)["item"]

    # Their numbers say in which order they stand.
    _, heard = read(START, done(1, **spoken), done(0, **REASONING), call(2), end())
    _, without = read(START, done(1, **spoken), call(2), end())

    assert opaque(heard) == [[REASONING, spoken, call_item]]
    assert opaque(without) == [[spoken, call_item]]


@pytest.mark.parametrize(
    "items",
    [
        [done(0, **REASONING), done(1, **message())],
        [call(0)],
        [done(0, **message()), call(1)],
        [done(0, **{**REASONING, "encrypted_content": None}), call(1)],
        [done(0, **REASONING), done(1, type="web_search_call", id="ws_1"), call(2)],
    ],
)
def test_a_turn_that_needs_no_more_than_its_words(items: list[dict[str, Any]]) -> None:
    _, heard = read(START, *say("Yes"), *items, end())

    assert opaque(heard) == []


# --- ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "finish"),
    [
        (end(), Finish.STOP),
        (end("incomplete", incomplete_details={"reason": "max_output_tokens"}), Finish.LENGTH),
        (end("incomplete", incomplete_details={"reason": "max_messages"}), Finish.LENGTH),
        (end("incomplete", incomplete_details={"reason": "content_filter"}), Finish.FILTERED),
        (end("incomplete", incomplete_details={"reason": "something_new"}), Finish.OTHER),
        (end("incomplete"), Finish.OTHER),
    ],
)
def test_finishes(last: dict[str, Any], finish: Finish) -> None:
    _, heard = read(START, *say("Yes"), last)

    assert (heard.text, heard.finish) == ("Yes", finish)


@pytest.mark.parametrize(
    "refusal",
    [
        {"type": "response.refusal.delta", "delta": "I cannot"},
        {"type": "response.refusal.done", "refusal": "I cannot"},
        done(0, **message({"type": "refusal", "refusal": "I cannot"})),
    ],
)
def test_a_refusal_is_no_answer(refusal: dict[str, Any]) -> None:
    _, heard = read(START, refusal, call(1), end())

    assert (heard.text, heard.calls, heard.finish) == ("", [], Finish.FILTERED)


def test_a_refusal_in_one_piece() -> None:
    output = [message({"type": "refusal", "refusal": "I cannot"})]
    _, heard = read_whole(status="completed", output=output, usage=COUNTS)

    assert (heard.text, heard.finish) == ("", Finish.FILTERED)


@pytest.mark.parametrize("behind", [b"", b"data: [DONE]\n\n"])
def test_without_the_terminator_it_is_cut(behind: bytes) -> None:
    reader, heard = read(START, *say("Yes"), behind=behind)

    assert reader.failure is not None
    assert (reader.failure.cls, reader.failure.phase) == (FailureClass.STREAM_CUT, Phase.STREAMING)
    assert heard.finish is None


def test_the_old_terminator_is_no_nonsense() -> None:
    reader, heard = read(START, *say("Yes"), behind=b"data: [DONE]\n\n" * 5 + sse([end()]))

    assert reader.failure is None
    assert heard.finish is Finish.STOP


def test_of_calls_that_were_cut_only_whole_ones_are_passed_on() -> None:
    last = end("incomplete", incomplete_details={"reason": "max_output_tokens"})
    _, heard = read(START, call(0), call(1, '{"room":', call_id="a2"), last)

    assert heard.calls == [ToolCall("a1", "on", {})]
    assert heard.finish is Finish.LENGTH


@pytest.mark.parametrize(
    "half",
    [call(0, '{"room":'), call(0, "[1]"), call(0, None), call(0, {}), call(0, call_id=""), call(0, name=None)],
)
def test_half_a_call_is_never_passed_on(half: dict[str, Any]) -> None:
    reader, heard = read(START, half, end())

    assert reader.failure is not None
    assert reader.failure.cls is FailureClass.MALFORMED
    assert heard.calls == []


def test_empty_arguments_are_none() -> None:
    _, heard = read(START, call(0, ""), end())

    assert heard.calls == [ToolCall("a1", "on", {})]


def test_what_is_not_known_is_passed_over() -> None:
    _, heard = read(
        START,
        {"type": "response.queued"},
        {"type": "something.new", "value": 1},
        {"type": "response.output_text.delta", "delta": None},
        {"type": "response.output_item.done", "output_index": None, "item": {}},
        {"type": "response.output_item.done", "output_index": 0, "item": "x"},
        *say("Yes"),
        end(),
    )

    assert (heard.text, heard.finish) == ("Yes", Finish.STOP)


def test_items_are_bounded() -> None:
    reader, _ = read(START, *(call(index) for index in range(600)))

    assert reader.failure is not None
    assert reader.failure.cls is FailureClass.MALFORMED


# --- other servers -----------------------------------------------------------------------------------


def test_items_without_a_number_are_kept_in_their_order() -> None:
    first, second = call(0, call_id="a1"), call(1, call_id="a2")
    for item in (first, second):
        del item["output_index"]

    _, heard = read(START, first, second, end())

    assert [made.id for made in heard.calls] == ["a1", "a2"]
    assert heard.finish is Finish.TOOLS


@pytest.mark.parametrize(("bound", "finish"), [(17, Finish.STOP), (16, Finish.LENGTH), (None, Finish.STOP)])
def test_what_used_all_it_was_allowed_is_not_taken_for_whole(bound: int | None, finish: Finish) -> None:
    reader = ResponsesReader(Replies("a server"), "m", bound)

    heard = Heard(reader.feed(sse([START, *say("Yes"), end()])) + reader.end())

    assert (heard.text, heard.finish) == ("Yes", finish)
