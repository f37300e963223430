"""Ids of calls as other servers take them: acceptable, each only once, the same for a call and its answer."""

import re

from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.conversation import with_ids
from custom_components.ai_router.routing.model import Message, Role, ToolCall, ToolResult

from .asking import user

NARROW = re.compile(r"[a-z]{3}|[0-9a-f]{9}")


def turns(*answers: list[str]) -> list[Message]:
    """Make a conversation: an answer with calls, and what the tools say to each."""
    said = [user("Light!")]
    for ids in answers:
        said.append(Message(Role.ASSISTANT, tuple(ToolCall(each, "on", {}) for each in ids)))
        said += [Message(Role.TOOL, (ToolResult(each, "on", "done"),)) for each in ids]
    return said


def ids(said: list[Message]) -> tuple[list[str], list[str]]:
    """Return the ids of all calls, and those of all answers."""
    parts = [part for turn in said for part in turn.parts]
    calls = [part.id for part in parts if isinstance(part, ToolCall)]
    return calls, [part.call_id for part in parts if isinstance(part, ToolResult)]


def test_what_is_taken_stays_as_it_is() -> None:
    said = turns(["abc", "abd"], ["abe"])

    assert with_ids(said, NARROW) == said


@given(st.lists(st.lists(st.text(max_size=80), unique=True, min_size=1, max_size=3), max_size=5))
def test_all_are_taken_and_none_twice(answers: list[list[str]]) -> None:
    calls, told = ids(with_ids(turns(*answers), NARROW))

    assert len(calls) == len(set(calls)) == sum(map(len, answers))
    assert calls == told
    assert all(NARROW.fullmatch(each) for each in calls)


@given(st.lists(st.text(max_size=10), unique=True, min_size=1, max_size=3), st.lists(st.text(max_size=10), min_size=1))
def test_what_was_said_keeps_its_ids_when_it_goes_on(first: list[str], more: list[str]) -> None:
    # Else nothing of it would be found in a provider's cache again.
    before, _ = ids(with_ids(turns(first), NARROW))
    after, _ = ids(with_ids(turns(first, list(dict.fromkeys(more))), NARROW))

    assert after[: len(before)] == before


def test_an_answer_to_nothing_is_taken_all_the_same() -> None:
    (turn,) = with_ids([Message(Role.TOOL, (ToolResult("not taken", "on", "done"),))], NARROW)

    assert ids([turn])[1] != ["not taken"]
