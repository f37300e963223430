"""What a provider says that an answer costs goes before all prices but the household's own."""

from dataclasses import replace

import pytest

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.call import Finish, Usage, UsageTotal
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.money import FREE, Prices, to_picodollars
from custom_components.ai_router.routing.ports import Overrun
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.tickets import Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, prices, provider, run

TOLD = to_picodollars("0.0123")
USAGE = Usage(fresh_in=10, text_out=5)
ANSWER = ["Yes", UsageTotal(USAGE, TOLD), Finish.STOP]
OWN = prices(1, 2)
LISTED = Prices(OWN.spans, "provider")
COUNTED = OWN.cost(USAGE, 0)


@pytest.mark.parametrize(
    ("known", "cost"),
    [(LISTED, TOLD), (None, TOLD), (OWN, COUNTED), (FREE, 0)],
    ids=["listed", "unknown", "household", "free"],
)
def test_it_is_what_is_booked(known: Prices | None, cost: int) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(ANSWER), prices=known))

        reply = await home.router.process(ask())

        assert (reply.cost, reply.estimated) == (cost, False)
        assert home.ledger.spent == cost
        home.assert_nothing_left()

    run(main)


def test_a_cost_of_nothing_is_told_too() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(["Yes", UsageTotal(USAGE, 0), Finish.STOP]), prices=None))

        reply = await home.router.process(ask())

        assert (reply.cost, reply.estimated) == (0, False)

    run(main)


def test_no_less_than_what_was_seen_of_a_broken_answer_is_booked() -> None:
    async def main(clock: LoopClock) -> None:
        broken = Failure(FailureClass.STREAM_CUT, Phase.STREAMING, billed=Billed.PARTIAL)
        script = ["word " * 1_000, UsageTotal(USAGE, 1), broken]
        home = Home(clock, provider("a", ScriptedProvider(script), prices=LISTED))

        with pytest.raises(RequestFailed) as refused:
            await home.router.process(ask())

        (attempt,) = refused.value.attempts
        assert attempt.outcome.cost > 1
        assert attempt.outcome.estimated
        assert home.ledger.spent == attempt.outcome.cost

    run(main)


def test_a_bill_above_the_hold_is_booked_in_full_and_nothing_more_starts() -> None:
    async def main(clock: LoopClock) -> None:
        dear = ScriptedProvider(["Yes", UsageTotal(USAGE, to_picodollars(3)), Finish.STOP])
        budget = Budget(Window.MONTH, to_picodollars(1))
        home = Home(clock, provider("a", dear, prices=LISTED, budgets=(budget,)))

        reply = await home.router.process(ask())

        assert reply.cost == to_picodollars(3)
        assert [event.amount for event in home.events if isinstance(event, Overrun)] == [to_picodollars(2)]
        with pytest.raises(RequestFailed):
            await home.router.process(replace(ask(), id="r2"))
        assert len(dear.calls) == 1

    run(main)
