"""Transcripts of Gemini, real in form and odd, as events."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.gemini_errors import GeminiReplies
from custom_components.ai_router.providers.gemini_reader import GeminiReader
from custom_components.ai_router.routing.call import Event, Finish, TextDelta, ThinkingDelta, Usage
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import ToolCall

from .asking import Heard, pieces


def chunk(parts: list[Any], reason: str | None = None, **more: Any) -> str:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return f"data: {orjson.dumps({'candidates': [candidate], **more}).decode()}\n\n"


def read(stream: str | bytes, cuts: list[int] | None = None) -> tuple[Heard, Failure | None]:
    """Read a stream cut at the given places, as an attempt does."""
    data = stream if isinstance(stream, bytes) else stream.encode()
    reader = GeminiReader(GeminiReplies("a server"), "m")
    events: list[Event] = []
    for piece in pieces(data, cuts or []):
        events += reader.feed(piece)
        if reader.failure is not None:
            return Heard(events), reader.failure
    return Heard(events + reader.end()), reader.failure


def told(answer: Any) -> tuple[Heard, Failure | None]:
    """Read an answer in one piece."""
    reader = GeminiReader(GeminiReplies("a server"), "m")
    return Heard(reader.whole(answer)), reader.failure


TWO_CARS = (
    'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Two "}]},"index":0}],'
    '"usageMetadata":{"promptTokenCount":1200,"totalTokenCount":1202},"modelVersion":"gemini-3.8-flash"}\r\n\r\n'
    'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"cars.","thoughtSignature":"c2ln"}]},'
    '"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1200,"candidatesTokenCount":4,'
    '"thoughtsTokenCount":60,"totalTokenCount":1264},"modelVersion":"gemini-3.8-flash"}\r\n\r\n'
)


def test_words_come_one_by_one() -> None:
    answer, failure = read(TWO_CARS)

    assert failure is None
    assert answer.events[:2] == [TextDelta("Two "), TextDelta("cars.")]
    assert answer.finish is Finish.STOP
    # The last count, not the sum.
    assert answer.usage == Usage(fresh_in=1_200, text_out=4, reasoning_out=60)


@given(st.lists(st.integers(0, 1_000), max_size=20))
def test_it_does_not_matter_where_the_stream_is_cut(cuts: list[int]) -> None:
    stream = chunk([{"text": "Tür "}]) + chunk([{"text": "☃ offen"}], "STOP")

    answer, failure = read(stream.encode(), cuts)

    assert (answer.text, answer.finish, failure) == ("Tür ☃ offen", Finish.STOP, None)


def test_thoughts_are_told_from_the_answer() -> None:
    answer, _ = read(chunk([{"text": "hm", "thought": True}]) + chunk([{"text": "Yes"}], "STOP"))

    assert (answer.thoughts, answer.text) == ("hm", "Yes")


def test_the_count_may_come_last_and_alone() -> None:
    end = 'data: {"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"totalTokenCount":9}}\n\n'

    answer, failure = read(chunk([{"text": "Yes"}], "STOP") + end)

    assert (failure, answer.finish) == (None, Finish.STOP)
    assert answer.usage == Usage(fresh_in=7, text_out=2)


# --- tools -------------------------------------------------------------------------------------------

CALLS = (
    'data: {"candidates":[{"index":0,"content":{"role":"model","parts":['
    '{"functionCall":{"id":"k1","name":"on","args":{"r":1}},"thoughtSignature":"c2ln"},'
    '{"functionCall":{"id":"k2","name":"off","args":{}}}]}}],'
    '"usageMetadata":{"promptTokenCount":90,"totalTokenCount":130}}\n\n'
    'data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}],'
    '"usageMetadata":{"promptTokenCount":90,"candidatesTokenCount":18,"thoughtsTokenCount":40,"totalTokenCount":148}}\n\n'
)


def test_calls_come_whole_with_their_signature_before_them() -> None:
    answer, failure = read(CALLS)

    assert failure is None
    assert answer.events[0] == ThinkingDelta("", {"call": "k1", "signature": "c2ln"})
    assert answer.calls == [ToolCall("k1", "on", {"r": 1}), ToolCall("k2", "off", {})]
    assert answer.finish is Finish.TOOLS
    assert answer.usage == Usage(fresh_in=90, text_out=18, reasoning_out=40)


def test_calls_of_a_stream_that_is_cut_are_not_passed_on() -> None:
    answer, failure = read(CALLS.partition("\n\n")[0])

    assert failure is not None
    assert (failure.cls, failure.phase) == (FailureClass.STREAM_CUT, Phase.SENT)
    assert answer.calls == []


def test_calls_without_an_id_get_one() -> None:
    parts = [{"functionCall": {"name": "on"}}, {"functionCall": {"name": "on", "args": {}, "id": "a"}}]
    again = {"functionCall": {"name": "on", "args": {"r": 1}, "id": "a"}}

    answer, _ = read(chunk(parts) + chunk([again], "STOP"))

    assert [call.name for call in answer.calls] == ["on"] * 3
    assert len({call.id for call in answer.calls}) == 3
    assert answer.calls[1].id == "a"


@pytest.mark.parametrize(
    "call", [None, "on", {}, {"name": ""}, {"name": 1, "args": {}}, {"name": "on", "args": '{"r":1}'}]
)
def test_half_a_call_is_never_passed_on(call: Any) -> None:
    answer, failure = read(chunk([{"functionCall": call}], "STOP"))

    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED
    assert answer.calls == []


def test_calls_are_bounded() -> None:
    answer, failure = read(chunk([{"functionCall": {"name": "on"}}] * 129, "STOP"))

    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED
    assert answer.calls == []


# --- ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", Finish.STOP),
        ("MAX_TOKENS", Finish.LENGTH),
        ("CONTINUATION", Finish.LENGTH),
        ("SAFETY", Finish.FILTERED),
        ("RECITATION", Finish.FILTERED),
        ("PROHIBITED_CONTENT", Finish.FILTERED),
        ("IMAGE_SAFETY", Finish.FILTERED),
        ("ESCALATION", Finish.FILTERED),
        ("OTHER", Finish.OTHER),
        ("SOMETHING_NEW", Finish.OTHER),
    ],
)
def test_finishes(reason: str, finish: Finish) -> None:
    answer, failure = read(chunk([{"text": "Yes"}], reason))

    assert (answer.text, answer.finish, failure) == ("Yes", finish, None)


@pytest.mark.parametrize("reason", ["SAFETY", "SPII", "MODEL_ARMOR"])
def test_calls_that_were_taken_back_are_not_passed_on(reason: str) -> None:
    parts = [{"functionCall": {"id": "a1", "name": "unlock", "args": {}}, "thoughtSignature": "c2ln"}]

    answer, failure = read(chunk(parts) + chunk([], reason))

    assert (answer.calls, answer.thoughts, answer.finish, failure) == ([], "", Finish.FILTERED, None)


def test_a_blocked_prompt_is_no_answer() -> None:
    stream = (
        'data: {"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},'
        '"usageMetadata":{"promptTokenCount":31,"totalTokenCount":31},"modelVersion":"gemini-3.8-flash"}\n\n'
    )

    answer, failure = read(stream)

    assert (answer.text, answer.finish, failure) == ("", Finish.FILTERED, None)
    assert answer.usage == Usage(fresh_in=31)


def test_ratings_of_a_prompt_that_is_not_blocked_mean_nothing() -> None:
    feedback = 'data: {"promptFeedback":{"safetyRatings":[]}}\n\n'

    answer, failure = read(feedback + chunk([{"text": "Yes"}], "STOP"))

    assert (answer.text, answer.finish, failure) == ("Yes", Finish.STOP, None)


def test_thinking_that_ate_all_tokens_says_so() -> None:
    answer = {
        "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}],
        "usageMetadata": {"promptTokenCount": 9, "thoughtsTokenCount": 297, "totalTokenCount": 306},
    }

    heard, failure = told(answer)

    assert (heard.text, heard.finish, failure) == ("", Finish.LENGTH, None)
    assert heard.usage == Usage(fresh_in=9, reasoning_out=297)


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"])
def test_a_broken_call_is_a_failure_that_is_billed(reason: str) -> None:
    count = {"usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 30}}

    answer, failure = read(chunk([{"functionCall": {"name": "on"}}], reason, **count))

    assert failure is not None
    assert (failure.cls, failure.phase) == (FailureClass.MALFORMED, Phase.SENT)
    assert reason in failure.detail
    assert answer.calls == []
    assert answer.usage == Usage(fresh_in=9, reasoning_out=21)


@pytest.mark.parametrize(
    "stream",
    [
        "",
        chunk([{"text": "Yes"}]),
        'data: {"usageMetadata":{"promptTokenCount":7}}\n\n',
        'data: {"candidates":[]}\n\n',
        'data: {"promptFeedback":{}}\n\n',
    ],
)
def test_without_a_reason_the_stream_was_cut(stream: str) -> None:
    answer, failure = read(stream)

    assert failure is not None
    assert (failure.cls, failure.billed) == (FailureClass.STREAM_CUT, Billed.PARTIAL)
    assert answer.finish is None


# --- errors in an answer that began well -------------------------------------------------------------

OVERLOADED = '{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}'


@pytest.mark.parametrize(
    ("before", "phase", "billed"),
    [("", Phase.SENT, Billed.NO), (chunk([{"text": "Yes"}]), Phase.STREAMING, Billed.PARTIAL)],
)
def test_an_error_in_the_stream(before: str, phase: Phase, billed: Billed) -> None:
    answer, failure = read(f"{before}data: {OVERLOADED}\n\n")

    assert failure is not None
    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.OVERLOADED, phase, billed)
    assert answer.finish is None


def test_what_was_counted_is_told_before_a_cut_and_not_before_the_first_word() -> None:
    reader = GeminiReader(GeminiReplies("a server"), "m")

    reader.feed(b'data: {"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}\n\n')
    assert reader.counted() is None
    reader.feed(chunk([{"text": "Yes"}], usageMetadata={"promptTokenCount": 7, "totalTokenCount": 9}).encode())
    total = reader.counted()

    assert total is not None
    assert total.usage == Usage(fresh_in=7, reasoning_out=2)
    assert reader.counted() is None


def test_an_error_in_a_whole_answer_is_never_text() -> None:
    answer, failure = told(orjson.loads(OVERLOADED))

    assert failure is not None
    assert (failure.cls, failure.billed, answer.events) == (FailureClass.OVERLOADED, Billed.NO, [])


@pytest.mark.parametrize("answer", [[], {}, {"hello": 1}, "x", None])
def test_a_stranger_is_told(answer: Any) -> None:
    _, failure = told(answer)

    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED
