"""Prices by day, hour and length, of pictures and of calls; estimates; and what a target was seen to refuse."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Capability, Message, Model, Part, Role, Target, Text
from custom_components.ai_router.routing.money import Prices, PriceSpan, Rates
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Bounds

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, picture, prices, provider, run

CALL = Prices.flat(Rates(requests=2_000))
PICTURES = Prices.flat(Rates(fresh_in=1, text_out=1, pictures=1_000_000))


def at(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()


# --- spans ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "dear"),
    [
        ((2026, 11, 20, 8, 59), False),
        ((2026, 11, 20, 9, 0), True),  # a Friday
        ((2026, 11, 20, 16, 59, 59), True),
        ((2026, 11, 20, 17, 0), False),
        ((2026, 11, 21, 12, 0), False),
        ((2026, 11, 22, 12, 0), False),
        ((2026, 11, 23, 12, 0), True),
        ((1970, 1, 1, 12, 0), True),  # a Thursday
    ],
)
def test_a_price_of_working_hours(when: tuple[int, ...], dear: bool) -> None:
    hours = PriceSpan(Rates(fresh_in=2), hours=((9 * 60, 17 * 60),), days=(0, 1, 2, 3, 4))
    price = Prices((PriceSpan(Rates(fresh_in=1)), hours))

    assert price.cost(Usage(fresh_in=1), at(*when)) == (2 if dear else 1)


def test_days_alone() -> None:
    price = Prices((PriceSpan(Rates(fresh_in=2)), PriceSpan(Rates(fresh_in=1), days=(5, 6))))

    assert [price.cost(Usage(fresh_in=1), at(2026, 11, day)) for day in range(16, 23)] == [2, 2, 2, 2, 2, 1, 1]


@given(
    tiers=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9), st.integers(0, 9)), max_size=4),
    first=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    tokens=st.integers(0, 60),
    less=st.integers(0, 60),
    output=st.integers(0, 60),
    pictures=st.integers(0, 3),
)
def test_a_bill_never_passes_the_worst_case_on_any_tier(
    tiers: list[tuple[int, int, int]],
    first: tuple[int, int],
    tokens: int,
    less: int,
    output: int,
    pictures: int,
) -> None:
    spans = [PriceSpan(Rates(fresh_in=first[0], text_out=first[1], pictures=7))]
    spans += (PriceSpan(Rates(fresh_in=i, text_out=o), above_input=above) for above, i, o in sorted(tiers))
    price = Prices(spans)
    usage = Usage(fresh_in=max(0, tokens - less), text_out=output)

    assert price.cost(usage, 0, pictures) <= price.worst(tokens, output, 0, pictures)


def test_prices_are_the_same_when_they_say_the_same() -> None:
    assert prices(1, 2) == prices(1, 2)
    assert hash(prices(1, 2)) == hash(prices(1, 2))
    assert prices(1, 2) != prices(1, 3)
    assert Prices(prices(1, 2).spans, "a list", "2026-11-01") != Prices(prices(1, 2).spans, "a list", "2026-11-02")
    assert Model("m", prices=prices(1, 2)) == Model("m", prices=prices(1, 2))


# --- pictures and calls -----------------------------------------------------------------------------


def test_pictures_are_held_and_billed_each() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(), prices=PICTURES))
        parts = (picture(), picture(), Text("Who?"))

        reply = await home.router.process(ask(messages=(Message(Role.USER, parts),)))

        assert reply.cost == 2_000_000 + 15  # 10 tokens in, 5 out
        (hold,) = home.ledger.holds.values()
        assert hold >= reply.cost
        home.assert_nothing_left()

        # What fits for one picture does not for two.
        bounds = Bounds(max_cost=1_500_000)
        await home.router.process(ask(messages=(Message(Role.USER, parts[1:]),), bounds=bounds))
        with pytest.raises(RequestFailed):
            await home.router.process(ask(messages=(Message(Role.USER, parts),), bounds=bounds))

    run(main)


def test_pictures_are_estimated_as_their_provider_counts_them() -> None:
    async def main(clock: LoopClock) -> None:
        priced = {"prices": prices(1, 1), "local": False}
        home = Home(
            clock,
            provider("patches", ScriptedProvider(), **priced),
            provider("flat", ScriptedProvider(), picture_tokens=lambda model, *_: {"m": 1_120}[model], **priced),
            provider("tiles", ScriptedProvider(), picture_tokens=lambda *_: 258, **priced),
        )
        parts = (picture(1_280, 720), picture(1_280, 720), Text("Who?"))

        def estimates(*said: Part) -> dict[str, int]:
            plan = home.router.plan(ask(messages=(Message(Role.USER, said),)))
            return {each.target.provider_id: each.estimate.input_tokens for each in plan.candidates}

        words = estimates(Text("Who?"))
        seen = estimates(*parts)

        assert len(set(words.values())) == 1
        rest = words["flat"]
        assert {name: tokens - rest for name, tokens in seen.items()} == {
            "patches": 2 * 1_196,
            "flat": 2 * 1_120,
            "tiles": 2 * 258,
        }

    run(main)


def test_pictures_that_were_sent_are_paid_when_the_answer_is_cut() -> None:
    async def main(clock: LoopClock) -> None:
        cut = Failure(FailureClass.STREAM_CUT, Phase.STREAMING)
        home = Home(clock, provider("a", ScriptedProvider(("Well", cut)), prices=PICTURES), attempts=1)

        with pytest.raises(RequestFailed):
            await home.router.process(ask(messages=(Message(Role.USER, (picture(), Text("Who?"))),)))

        assert home.ledger.spent >= 1_000_000

    run(main)


def test_a_flat_price_of_a_call() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(), prices=CALL))

        reply = await home.router.process(ask("Tell me everything. " * 500))

        assert (reply.cost, *home.ledger.holds.values()) == (2_000, 2_000)

    run(main)


# --- estimates --------------------------------------------------------------------------------------


def test_estimates_follow_the_clock_and_the_length() -> None:
    async def main(clock: LoopClock) -> None:
        soon = clock.now() + 60
        rising = Prices(
            (PriceSpan(Rates(fresh_in=1)), PriceSpan(Rates(fresh_in=9), valid_from=soon)), "a list", "2026-11-01"
        )
        longer = Prices((PriceSpan(Rates(fresh_in=3)), PriceSpan(Rates(fresh_in=1), above_input=1_000)))
        client = ScriptedProvider()
        home = Home(
            clock,
            provider("rising", client, prices=rising, local=False),
            provider("longer", client, prices=longer, local=False),
            provider("unknown", client, prices=None, local=False),
            provider("off", client, enabled=False),
            provider("blind", client, caps=Capability.CHAT, prices=CALL, local=False),
        )

        def names(tokens: int, **more: Any) -> list[str]:
            return [price.target.provider_id for price in home.router.estimate(tokens, 0, **more)]

        assert names(500) == ["rising", "longer", "blind", "unknown"]
        first, *_ = home.router.estimate(500, 0)
        assert (first.target, first.cost, first.local) == (Target("rising", "m"), 500, False)
        assert (first.source, first.as_of) == ("a list", "2026-11-01")
        clock.shift += 60
        assert names(500) == ["longer", "blind", "rising", "unknown"]
        assert names(1_000, needs=Capability.CHAT | Capability.VISION) == ["longer", "rising", "unknown"]
        assert names(500, local_only=True) == []
        assert client.calls == []

    run(main)


# --- what was seen ----------------------------------------------------------------------------------

ANSWER = ("Yes", Usage(fresh_in=10, text_out=5), Finish.STOP)
SEES = Message(Role.USER, (picture(), Text("Who?")))


def _refusing(then: Callable[[Home, ScriptedProvider], Coroutine[Any, Any, None]], **failure: Any) -> None:
    """Let a target refuse a picture, with another one beside it; then go on."""

    async def main(clock: LoopClock) -> None:
        said = failing(FailureClass.CAPABILITY, status=400, **failure)
        refuses = ScriptedProvider(lambda call: said if call == 1 else ANSWER)
        home = Home(clock, provider("a", refuses, priority=1), provider("b", ScriptedProvider()))
        reply = await home.router.process(ask(messages=(SEES,)))
        assert reply.target.provider_id == "b"
        await then(home, refuses)

    run(main)


def test_a_target_that_refused_pictures_gets_no_more_of_them() -> None:
    async def then(home: Home, refuses: ScriptedProvider) -> None:
        plan = home.router.plan(ask(messages=(SEES,)))
        assert [candidate.target.provider_id for candidate in plan.candidates] == ["b"]
        assert [(left.target.provider_id, left.why) for left in plan.left_out] == [("a", Why.NO_VISION)]
        # Words it still takes.
        assert (await home.router.process(ask())).target.provider_id == "a"
        assert len(refuses.calls) == 2

        # Until somebody says that it is mended.
        home.router.mend("a")
        assert (await home.router.process(ask(messages=(SEES,)))).target.provider_id == "a"

    _refusing(then)


def test_what_was_not_even_sent_says_nothing_of_the_server() -> None:
    async def then(home: Home, refuses: ScriptedProvider) -> None:
        assert (await home.router.process(ask(messages=(SEES,)))).target.provider_id == "a"
        assert len(refuses.calls) == 2

    async def main(clock: LoopClock) -> None:
        unsent = [Failure(FailureClass.CAPABILITY, Phase.UNSENT, "too many pictures at once")]
        picky = ScriptedProvider(lambda call: unsent if call == 1 else ANSWER)
        home = Home(clock, provider("a", picky, priority=1), provider("b", ScriptedProvider()))
        assert (await home.router.process(ask(messages=(SEES,)))).target.provider_id == "b"
        await then(home, picky)

    run(main)


def test_two_needs_at_once_are_remembered_together() -> None:
    async def main(clock: LoopClock) -> None:
        both = Capability.CHAT | Capability.VISION | Capability.REASONING
        said = failing(FailureClass.CAPABILITY, status=400)
        client = ScriptedProvider(lambda call: said if call == 1 else ANSWER)
        caps = both | Capability.STREAMING
        home = Home(clock, provider("a", client, caps=caps), attempts=1)
        with pytest.raises(RequestFailed):
            await home.router.process(ask(messages=(SEES,), needs=both))

        # Which of the two it was, nobody said.
        await home.router.process(ask(messages=(SEES,)))
        await home.router.process(ask(needs=Capability.CHAT | Capability.REASONING))
        assert not home.router.plan(ask(messages=(SEES,), needs=both)).candidates

    run(main)
