"""A model that never saw the picture it was sent is noticed by what its provider counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Capability, Message, Role, Text
from custom_components.ai_router.routing.money import Prices
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.sight import overlooked

from .simulation import START, Home, LoopClock, ScriptedProvider, ask, picture, prices, provider, run

LOOK = Message(Role.USER, (picture(), Text("Is the door open?")))
CAPS = Capability.CHAT | Capability.STREAMING | Capability.VISION


def least(width: int, height: int) -> int:
    return min(width * height // 1_024, 64)


def says(tokens: int, **usage: int) -> ScriptedProvider:
    return ScriptedProvider(["It is shut.", Usage(fresh_in=tokens, text_out=4, **usage), Finish.STOP])


def test_the_next_target_answers_and_the_blind_one_gets_no_more_pictures() -> None:
    async def main(clock: LoopClock) -> None:
        blind, seeing = says(20), says(400)
        listed = Prices(prices(1, 1).spans, "provider")
        home = Home(
            clock,
            # What it cannot do is not made up for by a larger context.
            provider("a", blind, priority=1, least_picture=least, context=100_000, prices=listed),
            provider("b", seeing, context=8_000, least_picture=least),
        )

        reply = await home.router.process(ask(messages=(LOOK,)))

        first, second = reply.attempts
        assert first.outcome.failure is not None
        assert first.outcome.failure.cls is FailureClass.CAPABILITY
        # It is paid for all the same, at what was told.
        assert (first.outcome.cost, first.outcome.estimated) == (
            listed.cost(Usage(fresh_in=20, text_out=4), START),
            False,
        )
        assert (second.outcome.failure, reply.target.provider_id) == (None, "b")

        again = await home.router.process(ask(messages=(LOOK,)))
        assert [each.target.provider_id for each in again.attempts] == ["b"]
        assert [(each.target.provider_id, each.why) for each in again.plan.left_out] == [("a", Why.NO_VISION)]
        assert (await home.router.process(ask())).target.provider_id == "a"

        home.router.mend("a")
        assert (await home.router.process(ask(messages=(LOOK,)))).attempts[0].target.provider_id == "a"
        home.assert_nothing_left()

    run(main)


def test_a_day_later_it_is_tried_again() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", says(20), least_picture=least))
        for _ in range(2):
            with pytest.raises(RequestFailed):
                await home.router.process(ask(messages=(LOOK,)))
        clock.shift += 90_000
        with pytest.raises(RequestFailed) as refused:
            await home.router.process(ask(messages=(LOOK,)))

        assert len(refused.value.attempts) == 1
        assert len(home.ledger.settled) == 2

    run(main)


@pytest.mark.parametrize(
    ("usage", "rule"), [({"tokens": 80}, least), ({"tokens": 20}, None), ({"tokens": 20, "image_in": 258}, least)]
)
def test_what_was_seen_or_cannot_be_told_is_let_pass(usage: dict[str, int], rule: Any) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", says(**usage), least_picture=rule))

        assert (await home.router.process(ask(messages=(LOOK,)))).text == "It is shut."

    run(main)


@given(st.text(max_size=2_000), st.integers(1, 4_000), st.integers(1, 4_000), st.integers(1, 5))
def test_an_answer_that_saw_its_pictures_is_never_doubted(text: str, width: int, height: int, pictures: int) -> None:
    parts = (*[picture(width, height)] * pictures, Text(text))
    # A token for every twelve characters: no text has longer ones.
    usage = Usage(fresh_in=pictures * least(width, height) + -(-len(text) // 12))

    assert not overlooked((Message(Role.USER, parts),), usage, least)
