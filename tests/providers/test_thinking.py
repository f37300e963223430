"""Reasoning between tags, however the text is split."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.thinking import ThinkTags

from .asking import pieces


def split(text: str, cuts: Sequence[int] = (), *, inside: bool = False, whole: bool = True) -> tuple[str, str]:
    """Feed a text cut at the given places; return reasoning and answer. What turns out to be no answer is none."""
    tags = ThinkTags(inside=inside)
    found: list[tuple[bool, str]] = []
    for piece in pieces(text, list(cuts)):
        before = tags.unopened
        new = [(False, piece)] if tags.plain(piece) else tags.feed(piece)
        if tags.unopened and not before:
            found = [(True, text) for _, text in found]
        found += new
    given = tags.end(whole=whole)
    if inside and any(not thought for thought, _ in given) and not any(not thought for thought, _ in found):
        # Given back as the answer that it is, it was no reasoning.
        found = []
    found += given
    return "".join(text for thought, text in found if thought), "".join(text for thought, text in found if not thought)


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("Yes", "", "Yes"),
        ("<think>hm</think>Yes", "hm", "Yes"),
        ("<think>hm</think>\n\n Yes\n", "hm", "Yes\n"),
        ("<think></think>Yes", "", "Yes"),
        ("<think>a</think> <think>b</think> Yes", "ab", "Yes"),
        ("1 < 2 <b> </thin", "", "1 < 2 <b> </thin"),
        ("hm</think>Yes", "hm", "Yes"),
        ("hm\n</think>\n\nYes, </think> ends it.", "hm\n", "Yes, </think> ends it."),
        ("<think>hm</think>Yes </think>", "hm", "Yes </think>"),
        ("<think>hm", "hm", ""),
        ("<think>1 < 2</thin</think>Yes", "1 < 2</thin", "Yes"),
        ("<thi", "", "<thi"),
        ("<think>hm</thi", "hm</thi", ""),
    ],
)
def test_reasoning_is_told_from_the_answer(text: str, thoughts: str, answer: str) -> None:
    assert split(text) == (thoughts, answer)


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_tag_may_be_cut_anywhere(cut: int) -> None:
    assert split("<think>hm</think>Yes", [cut]) == ("hm", "Yes")


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "think>", "/", " ", "\n", "a", "é", "<thi", "</"])).map(
        "".join
    ),
    st.lists(st.integers(0, 10_000)),
)
def test_it_is_the_same_however_the_text_is_cut(text: str, cuts: list[int]) -> None:
    assert split(text, cuts) == split(text)


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("hm</think>Yes", "hm", "Yes"),
        ("hm </thi </think>\n\nYes", "hm </thi ", "Yes"),
        # It opens its reasoning after all, or does not reason at all.
        ("<think>hm</think>Yes", "hm", "Yes"),
        ("\n<think>\nhm</think>Yes", "\n\nhm", "Yes"),
        ("Yes", "", "Yes"),
        ("1 < 2", "", "1 < 2"),
        ("</think>Yes", "", "Yes"),
    ],
)
@pytest.mark.parametrize("cut", [None, *range(1, 13)])
def test_a_model_known_to_begin_in_the_middle_of_its_reasoning(
    text: str, thoughts: str, answer: str, cut: int | None
) -> None:
    assert split(text, [] if cut is None else [cut], inside=True) == (thoughts, answer)


def test_reasoning_that_was_cut_is_no_answer() -> None:
    assert split("hm, is it", inside=True, whole=False) == ("hm, is it", "")


def test_what_is_kept_of_reasoning_is_bounded() -> None:
    tags = ThinkTags(inside=True)
    for _ in range(1_000):
        tags.feed("x" * 1_000)
        assert sum(map(len, tags._kept or ())) <= 64 * 1024
    # So long a text is no answer that nobody told from reasoning.
    assert tags.end() == []
