"""Cutting streams into messages, however the bytes are split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.lines import JsonLines, MessageTooLong, ServerSentEvents

from .asking import pieces


def read(cutter: JsonLines, data: bytes, cuts: list[int] | None = None) -> list[bytes]:
    """Feed data cut at the given places; return all messages."""
    return [message for piece in pieces(data, cuts or []) for message in cutter.feed(piece)] + cutter.end()


def feed_all(cutter: JsonLines, chunks: list[bytes]) -> None:
    for chunk in chunks:
        cutter.feed(chunk)


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b": PROCESSING\n\ndata: a\n\n: bye\n\n", [b"a"]),
        (b"event: message\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"data: one\ndata: two\n\n", [b"one\ntwo"]),
        (b"data: one\r\ndata: two\r\n\r\n", [b"one\ntwo"]),
        (b"data: a\r\rdata: one\rdata: two\r\r", [b"a", b"one\ntwo"]),
        (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data:\n\ndata: a\n\n", [b"a"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_server_sent_events(stream: bytes, messages: list[bytes]) -> None:
    assert read(ServerSentEvents(), stream) == messages


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"{}\n[]\n", [b"{}", b"[]"]),
        (b"{}\r\n\r\n[]", [b"{}\r", b"[]"]),
        (b"\n \n{}", [b"{}"]),
        (b"\xef\xbb\xbf{}\n[]", [b"{}", b"[]"]),
    ],
)
def test_json_lines(stream: bytes, messages: list[bytes]) -> None:
    assert read(JsonLines(), stream) == messages


_EVENTS = st.lists(
    st.one_of(
        st.text(alphabet="aé☃🙂 {}:", min_size=1).map(lambda text: f"data: {text}\n\n"),
        st.sampled_from(
            [": comment\n\n", "event: x\n", "data: 1\ndata: 2\n\n", "data: crlf\r\n\r\n", "data: cr\r\r", "\n"]
        ),
    )
).map(lambda events: "".join(events).encode())


@given(_EVENTS, st.lists(st.integers(0, 10_000)))
def test_events_are_the_same_however_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    assert read(ServerSentEvents(), stream, cuts) == read(ServerSentEvents(), stream)


@given(st.lists(st.text(alphabet="aé☃🙂 {}", min_size=1)), st.lists(st.integers(0, 10_000)))
def test_lines_are_the_same_however_they_are_cut(lines: list[str], cuts: list[int]) -> None:
    stream = "\n".join(lines).encode()

    assert read(JsonLines(), stream, cuts) == [line.encode() for line in lines if not line.isspace()]


@pytest.mark.parametrize("cutter", [JsonLines, ServerSentEvents])
@pytest.mark.parametrize("size", [7, 64])
def test_a_line_without_end_is_refused(cutter: type[JsonLines], size: int) -> None:
    lines = cutter(100)

    with pytest.raises(MessageTooLong):
        feed_all(lines, [b"x" * size] * 100)


@pytest.mark.parametrize("cutter", [JsonLines, ServerSentEvents])
def test_a_long_line_that_comes_at_once_is_refused(cutter: type[JsonLines]) -> None:
    with pytest.raises(MessageTooLong):
        cutter(100).feed(b"data: " + b"x" * 100 + b"\n")


def test_an_event_of_ever_more_lines_is_refused() -> None:
    events = ServerSentEvents(100)

    with pytest.raises(MessageTooLong):
        feed_all(events, [b"data: xxxxx\n"] * 100)


def test_many_short_lines_are_taken() -> None:
    assert len(JsonLines(100).feed(b"{}\n" * 1_000)) == 1_000
