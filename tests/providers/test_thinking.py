"""Reasoning between tags, however the text is split."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.thinking import ThinkTags

from .asking import pieces


def split(text: str, cuts: Sequence[int] = ()) -> tuple[str, str]:
    """Feed a text cut at the given places; return reasoning and answer."""
    tags = ThinkTags()
    found: list[tuple[bool, str]] = []
    for piece in pieces(text, list(cuts)):
        found += [(False, piece)] if tags.plain(piece) else tags.feed(piece)
    found += tags.end()
    return "".join(text for thought, text in found if thought), "".join(text for thought, text in found if not thought)


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("Yes", "", "Yes"),
        ("<think>hm</think>Yes", "hm", "Yes"),
        ("<think>hm</think>\n\n Yes\n", "hm", "Yes\n"),
        ("<think></think>Yes", "", "Yes"),
        ("<think>a</think> <think>b</think> Yes", "ab", "Yes"),
        ("1 < 2 <b> </think>", "", "1 < 2 <b> </think>"),
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
