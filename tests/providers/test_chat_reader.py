"""Transcripts of chat completions, real and odd, as events."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.chat_reader import ChatReader
from custom_components.ai_router.providers.replies import Replies
from custom_components.ai_router.providers.thinking import Habit
from custom_components.ai_router.routing.call import Event, Finish, Rethought, TextDelta, ThinkingDelta, Usage
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import ToolCall

from .asking import Heard, pieces

DONE = "data: [DONE]\n\n"
STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
    return f"data: {orjson.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}], **more}).decode()}\n\n"


def read(stream: str | bytes, cuts: list[int] | None = None) -> tuple[Heard, Failure | None]:
    """Read a stream cut at the given places, as an attempt does."""
    data = stream if isinstance(stream, bytes) else stream.encode()
    reader = ChatReader(Replies("a server"), "m")
    events: list[Event] = []
    for piece in pieces(data, cuts or []):
        events += reader.feed(piece)
        if reader.failure is not None:
            return Heard(events), reader.failure
        if reader.done:
            break
    return Heard(events + reader.end()), reader.failure


def told(answer: Any) -> tuple[Heard, Failure | None]:
    """Read an answer in one piece."""
    reader = ChatReader(Replies("a server"), "m")
    return Heard(reader.whole(answer)), reader.failure


def heard(stream: str | bytes) -> Heard:
    """Read a stream that must end well."""
    heard, failure = read(stream)
    assert failure is None
    assert heard.finish is not None
    return heard


# --- words and thoughts ----------------------------------------------------------------------------


def test_words_come_one_by_one() -> None:
    answer = heard(
        chunk({"role": "assistant", "content": ""}) + chunk({"content": "Yes"}) + chunk({"content": "."}) + STOP + DONE
    )

    assert answer.events[:2] == [TextDelta("Yes"), TextDelta(".")]
    assert answer.finish is Finish.STOP


@pytest.mark.parametrize(
    "thinking",
    [
        chunk({"reasoning": "hm", "content": ""}),
        chunk({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
        chunk({"reasoning_content": "hm", "content": None}),
        chunk({"reasoning": "hm", "reasoning_content": "hm"}),
        chunk({"thinking": "hm", "content": ""}),
        # The tag that opens it stood in the prompt.
        chunk({"content": "hm</think>\n\n"}),
        chunk({"content": "h"}) + chunk({"content": "m</thi"}) + chunk({"content": "nk>"}),
        chunk({"content": "<think>hm</think>"}),
        chunk({"content": "<th"})
        + chunk({"content": "ink>h"})
        + chunk({"content": "m</think"})
        + chunk({"content": ">\n\n"}),
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
        chunk({"content": [{"type": "thinking", "thinking": "hm"}]}),
    ],
)
def test_thoughts_are_never_words(thinking: str) -> None:
    answer = heard(": OPENROUTER PROCESSING\n\n" + thinking + chunk({"content": "Yes"}) + STOP + DONE)

    assert (answer.thoughts, answer.text) == ("hm", "Yes")


def test_what_was_said_before_is_taken_back_when_it_was_reasoning() -> None:
    answer = heard(chunk({"content": "h"}) + chunk({"content": "m</think>Yes"}) + STOP + DONE)

    assert answer.events[:4] == [TextDelta("h"), Rethought(), ThinkingDelta("m"), TextDelta("Yes")]


def test_in_one_piece_nothing_need_be_taken_back() -> None:
    answer, failure = told({"choices": [{"message": {"content": "hm</think>Yes"}, "finish_reason": "stop"}]})

    assert failure is None
    assert (answer.thoughts, answer.text) == ("hm", "Yes")


def with_habit(habit: Habit, stream: str) -> Heard:
    reader = ChatReader(Replies("a server"), "m", habit=habit)
    return Heard(reader.feed(stream.encode()) + reader.end())


def test_a_model_that_did_so_once_is_taken_for_reasoning_at_once() -> None:
    habit = Habit()
    raw = chunk({"content": "h"}) + chunk({"content": "m</think>Yes"}) + STOP + DONE
    with_habit(habit, raw)

    again = with_habit(habit, raw)
    assert again.events[0] == ThinkingDelta("h")
    assert (again.thoughts, again.text) == ("hm", "Yes")

    # Cut in the middle of its reasoning, nothing of it is an answer.
    cut = with_habit(habit, chunk({"content": "hm"}, "length") + DONE)
    assert (cut.thoughts, cut.text, cut.finish) == ("hm", "", Finish.LENGTH)

    # A server that tells it apart now, or a model that does not reason at all, is believed.
    apart = with_habit(habit, chunk({"reasoning": "hm"}) + chunk({"content": "Yes"}) + STOP + DONE)
    assert (apart.thoughts, apart.text, habit.unopened) == ("hm", "Yes", False)
    habit.unopened = True
    plain = with_habit(habit, chunk({"content": "Y"}) + chunk({"content": "es"}) + STOP + DONE)
    assert (plain.text, habit.unopened) == ("Yes", False)


def test_content_may_be_a_list() -> None:
    parts = [
        {"type": "text", "text": "Yes"},
        {"type": "reference", "reference_ids": [1]},
        "odd",
        {"type": "text", "text": "."},
    ]

    assert heard(chunk({"content": parts}) + STOP + DONE).text == "Yes."


# --- tool calls ------------------------------------------------------------------------------------

INTERLEAVED = (
    'data: {"id":"c2","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a1","type":"function",'
    '"function":{"name":"on","arguments":""}}]},"finish_reason":null}]}\n\n'
    'data: {"id":"c2","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"a2","type":"function",'
    '"function":{"name":"off","arguments":"{}"}},{"index":0,"function":{"arguments":"{\\"r\\":1}"}}]},"finish_reason":null}]}\n\n'
    'data: {"id":"c2","choices":[{"index":0,"delta":{"content":null},"finish_reason":"tool_calls"}]}\n\n'
    "data: [DONE]\n\n"
)


def test_two_calls_interleaved_and_no_usage() -> None:
    answer = heard(INTERLEAVED)

    assert answer.calls == [ToolCall("a1", "on", {"r": 1}), ToolCall("a2", "off", {})]
    assert answer.finish is Finish.TOOLS
    assert answer.usage is None


def calls(*pieces: dict[str, Any], finish: str | None = "tool_calls") -> str:
    return "".join(chunk({"tool_calls": [piece]}) for piece in pieces) + chunk({}, finish) + DONE


def test_arguments_may_be_an_object() -> None:
    answer = heard(calls({"index": 0, "id": "a", "function": {"name": "on", "arguments": {"r": 1}}}))

    assert answer.calls == [ToolCall("a", "on", {"r": 1})]


def test_a_missing_id_is_made_up() -> None:
    (call,) = heard(calls({"index": 0, "function": {"name": "on", "arguments": "{}"}})).calls

    assert len(call.id) == 9
    assert call.id.isalnum()


def test_two_calls_never_share_an_id() -> None:
    first, second = heard(
        calls(
            {"index": 0, "id": "a", "function": {"name": "on", "arguments": "{}"}},
            {"index": 1, "id": "a", "function": {"name": "off", "arguments": "{}"}},
        )
    ).calls

    assert first.id == "a"
    assert second.id != "a"


def test_calls_that_are_all_numbered_zero() -> None:
    answer = heard(
        calls(
            {"index": 0, "id": "a", "function": {"name": "on", "arguments": "{}"}},
            {"index": 0, "id": "b", "function": {"name": "off", "arguments": "{}"}},
        )
    )

    assert [call.name for call in answer.calls] == ["on", "off"]


@pytest.mark.parametrize("numbered", [{}, {"index": 0}, {"index": None}, {"index": 0, "id": "same"}, {"id": "same"}])
@pytest.mark.parametrize("arguments", ['{"r":1}', {"r": 1}])
def test_whole_calls_that_come_one_by_one_are_several(numbered: dict[str, Any], arguments: Any) -> None:
    stream = "".join(
        chunk({"tool_calls": [{**numbered, "function": {"name": name, "arguments": arguments}}]})
        for name in ("on", "off", "on")
    )

    answer = heard(stream + STOP + DONE)

    assert [(call.name, call.arguments) for call in answer.calls] == [
        ("on", {"r": 1}),
        ("off", {"r": 1}),
        ("on", {"r": 1}),
    ]
    assert len({call.id for call in answer.calls}) == 3


def test_calls_without_a_number_come_in_one_list_or_in_pieces() -> None:
    first = [{"id": "a", "function": {"name": "on", "arguments": '{"r":'}}, {"id": "b", "function": {"name": "off"}}]
    rest = [{"function": {"arguments": "1}"}}, {"function": {"arguments": "{}"}}]

    answer = heard(chunk({"tool_calls": first}) + chunk({"tool_calls": rest}) + STOP + DONE)

    assert answer.calls == [ToolCall("a", "on", {"r": 1}), ToolCall("b", "off", {})]


def test_id_and_name_may_be_repeated_with_every_piece() -> None:
    piece = {"index": 0, "id": "a"}
    answer = heard(
        calls(
            {**piece, "function": {"name": "on", "arguments": '{"r"'}},
            {**piece, "function": {"name": "on", "arguments": ":1}"}},
        )
    )

    assert answer.calls == [ToolCall("a", "on", {"r": 1})]


@pytest.mark.parametrize("finish", ["stop", "", None])
def test_calls_make_it_a_tool_turn_whatever_the_finish_says(finish: str | None) -> None:
    answer = heard(calls({"index": 0, "id": "a", "function": {"name": "on", "arguments": "{}"}}, finish=finish))

    assert answer.finish is Finish.TOOLS


@pytest.mark.parametrize("arguments", ['{"r":', "[1]", "nonsense", '"x"'])
def test_half_a_call_is_never_passed_on(arguments: str) -> None:
    piece = {"index": 0, "id": "a", "function": {"name": "on", "arguments": arguments}}

    answer, failure = read(calls(piece))
    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED
    assert answer.calls == []

    cut = heard(calls(piece, finish="length"))
    assert cut.calls == []
    assert cut.finish is Finish.LENGTH


def test_a_call_without_a_name_is_malformed() -> None:
    _, failure = read(calls({"index": 0, "id": "a", "function": {"arguments": "{}"}}))

    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED


def test_endless_calls_are_malformed() -> None:
    _, failure = read(
        "".join(chunk({"tool_calls": [{"index": number, "function": {"name": "on"}}]}) for number in range(200))
    )

    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED


# --- the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("stop", Finish.STOP),
        ("tool_calls", Finish.STOP),
        ("length", Finish.LENGTH),
        ("model_length", Finish.LENGTH),
        ("content_filter", Finish.FILTERED),
        ("something_new", Finish.OTHER),
    ],
)
def test_finishes(said: str, finish: Finish) -> None:
    assert heard(chunk({"content": "Yes"}, said) + DONE).finish is finish


def test_a_refusal_is_filtered_and_not_an_answer() -> None:
    answer = heard(chunk({"refusal": "I will not."}) + STOP + DONE)

    assert (answer.text, answer.finish) == ("", Finish.FILTERED)


def test_a_missing_done_behind_a_finish_is_fine() -> None:
    assert heard(chunk({"content": "Yes"}) + STOP).finish is Finish.STOP


@pytest.mark.parametrize("end", ["", DONE, chunk({}, ""), chunk({}, "") + DONE])
def test_a_missing_finish_is_a_cut(end: str) -> None:
    answer, failure = read(chunk({"content": "Yes"}) + end)

    assert failure == Failure(
        FailureClass.STREAM_CUT, Phase.STREAMING, "ended without a terminator", billed=Billed.PARTIAL
    )
    assert answer.text == "Yes"


def test_what_a_cut_stream_used_is_told() -> None:
    answer, failure = read(chunk({"content": "Yes"}, usage={"prompt_tokens": 7, "completion_tokens": 1}))

    assert failure is not None
    assert answer.usage == Usage(fresh_in=7, text_out=1)


def test_the_last_usage_wins() -> None:
    stream = "".join(
        chunk({"content": "x"}, usage={"prompt_tokens": 7, "completion_tokens": number}) for number in (1, 2, 3)
    )

    assert heard(stream + STOP + DONE).usage == Usage(fresh_in=7, text_out=3)


def test_usage_comes_before_the_end_and_in_groq_s_place_too() -> None:
    extra = 'data: {"x_groq":{"id":"r","usage":{"prompt_tokens":7,"completion_tokens":1}}}\n\n'

    assert heard(chunk({"content": "Yes"}) + STOP + extra + DONE).usage == Usage(fresh_in=7, text_out=1)
    last = chunk({}, "stop", x_groq={"id": "r", "usage": {"prompt_tokens": 7, "completion_tokens": 1}})
    assert heard(chunk({"content": "Yes"}) + last + DONE).usage == Usage(fresh_in=7, text_out=1)


def test_groq_s_own_word_that_it_stopped_is_an_error() -> None:
    stopped = chunk({}, "stop", x_groq={"id": "r", "error": "over capacity"})
    answer, failure = read(chunk({"content": "Yes"}) + stopped + DONE)

    assert failure is not None
    assert (failure.cls, failure.phase, answer.finish) == (FailureClass.TRANSIENT, Phase.STREAMING, None)
    assert "over capacity" in failure.detail


def test_azure_s_first_chunk_is_passed_over() -> None:
    first = 'data: {"choices":[],"model":"","prompt_filter_results":[{"prompt_index":0}]}\n\n'

    assert heard(first + chunk({"content": "Yes"}) + STOP + DONE).text == "Yes"


# --- failures --------------------------------------------------------------------------------------


def test_an_error_in_the_stream_openrouter() -> None:
    stream = (
        ": OPENROUTER PROCESSING\n\n"
        'data: {"id":"g1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],'
        '"error":{"code":502,"message":"upstream gone","metadata":{"error_type":"provider_unavailable"}}}\n\n'
    )

    _, failure = read(stream)

    assert failure is not None
    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.TRANSIENT, Phase.SENT, Billed.NO)
    assert failure.detail == "upstream gone"


def test_an_error_behind_words() -> None:
    answer, failure = read(chunk({"content": "Yes"}) + 'data: {"error":{"message":"crashed","code":429}}\n\n')

    assert failure is not None
    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.RATE_LIMIT, Phase.STREAMING, Billed.PARTIAL)
    assert answer.text == "Yes"


@pytest.mark.parametrize("error", ['{"error":"crashed"}', '{"error":true}', '{"object":"error","message":"crashed"}'])
def test_errors_of_other_forms(error: str) -> None:
    _, failure = read(f"data: {error}\n\n")

    assert failure is not None


def test_a_finish_of_error_is_a_failure() -> None:
    _, failure = read(chunk({"content": "Yes"}, "error") + DONE)

    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED


def test_a_little_nonsense_is_passed_over() -> None:
    nonsense = "data: oops\n\ndata: 42\n\n"

    assert heard(chunk({"content": "Yes"}) + nonsense + STOP + DONE).text == "Yes"


def test_more_nonsense_is_a_failure() -> None:
    _, failure = read("data: oops\n\n" * 3 + chunk({"content": "Yes"}) + STOP + DONE)

    assert failure is not None
    assert (failure.cls, failure.phase) == (FailureClass.MALFORMED, Phase.SENT)


def test_a_message_that_cannot_be_read_may_have_held_words() -> None:
    answer, failure = read(chunk({"content": "Yes"}) + chunk({"content": ", but"})[:-4] + "\n\n" + STOP + DONE)

    assert (answer.text, answer.finish) == ("Yes", None)
    assert failure is not None
    assert (failure.cls, failure.phase) == (FailureClass.MALFORMED, Phase.STREAMING)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('{"choices": [{"delta": {"content": "Yes"}, "logprobs": NaN}]}', "Yes"),
        ('{"choices": [{"delta": {"content": "Yes\\ud83d"}}]}', "Yes\ufffd"),
        ('{"choices": [{"delta": {"content": "Yes\t"}}]}', "Yes\t"),
    ],
)
def test_words_beside_what_is_no_json_are_not_lost(said: str, words: str) -> None:
    assert heard(f"data: {said}\n\n" + STOP + DONE).text == words


@pytest.mark.parametrize(("first", "then"), [("length", "stop"), ("content_filter", "stop"), ("length", "tool_calls")])
def test_what_was_cut_stays_cut_whatever_is_said_after_it(first: str, then: str) -> None:
    assert heard(chunk({"content": "Yes"}, first) + chunk({}, then) + DONE).finish is not Finish.STOP
    assert heard(chunk({"content": "Yes"}, first) + chunk({}, then) + DONE).finish is not Finish.TOOLS


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": {}},
        {"choices": [None]},
        {"choices": ["x"]},
        {"choices": [{"delta": "x"}]},
        {"choices": [{"delta": {"content": 7, "reasoning": 7, "tool_calls": 7}}]},
        {"choices": [{"delta": {"tool_calls": [None, "x", {}, {"function": "x"}, {"function": {}}]}, "index": "0"}]},
        {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": [7]}, 7]}}]},
        {"usage": "x", "choices": 0},
    ],
)
def test_no_form_of_a_chunk_raises(odd: dict[str, Any]) -> None:
    answer, _ = read(f"data: {orjson.dumps(odd).decode()}\n\n" + chunk({"content": "Yes"}) + STOP + DONE)

    assert answer.text == "Yes"


# --- answers in one piece --------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    answer, failure = told(
        {
            "choices": [{"message": {"content": "<think>hm</think>Yes", "tool_calls": None}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3},
        }
    )

    assert failure is None
    assert (answer.thoughts, answer.text, answer.finish) == ("hm", "Yes", Finish.STOP)
    assert answer.usage == Usage(fresh_in=7, text_out=3)


def test_a_whole_answer_without_a_finish_is_flagged() -> None:
    answer, failure = told({"choices": [{"message": {"content": "Yes"}}]})

    assert failure is None
    assert answer.finish is Finish.OTHER


@pytest.mark.parametrize("answer", [{"hello": 1}, [], "x", None, {"models": []}])
def test_json_of_another_kind(answer: Any) -> None:
    _, failure = told(answer)

    assert failure is not None
    assert failure.cls is FailureClass.MALFORMED
    assert "does not seem to be a server" in failure.detail


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no credit", "code": 402}},
        {"error": {"message": "no credit", "type": "insufficient_quota"}},
    ],
)
def test_an_error_as_a_whole_answer_costs_nothing(body: dict[str, Any]) -> None:
    _, failure = told(body)

    assert failure is not None
    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.BILLING, Phase.SENT, Billed.NO)


# --- any chunking ----------------------------------------------------------------------------------

_TRANSCRIPTS = [
    INTERLEAVED,
    ": x\n\n" + chunk({"content": "<think>hm ☃</think>\n\nJa: 21 °C 🙂"}) + chunk({"content": "<b>"}) + STOP + DONE,
    chunk({"reasoning": "é"}) + chunk({"content": "Yes"}) + "data: {oops\n\n" + 'data: {"error":"crashed"}\n\n',
    chunk({"content": "Yes"}, usage={"prompt_tokens": 7, "completion_tokens": 1}),
]


@given(st.sampled_from(_TRANSCRIPTS), st.lists(st.integers(0, 10_000)))
def test_it_is_the_same_however_the_bytes_are_cut(stream: str, cuts: list[int]) -> None:
    whole, failure = read(stream)
    cut, cut_failure = read(stream, cuts)

    assert cut_failure == failure
    assert cut.events == whole.events


def test_counts_are_told_as_they_come_and_each_once() -> None:
    reader = ChatReader(Replies("a server"), "m")
    seen = []
    for written in (1, 1, 2):
        usage = {"prompt_tokens": 5, "completion_tokens": written}
        reader.feed(chunk({"content": "a"}, usage=usage).encode())
        seen.append(reader.counted())
    assert [None if each is None else each.usage.output_tokens for each in seen] == [1, None, 2]
    assert reader.counted() is None
