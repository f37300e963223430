"""Money: prices, budgets, and what happens when many ask at once."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.calendar import Calendar
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.money import (
    FREE,
    Prices,
    PriceSpan,
    Rates,
    per_million,
    to_dollars,
    to_picodollars,
)
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.ports import Overrun
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds
from custom_components.ai_router.routing.tickets import Window
from custom_components.ai_router.routing.tokens import Size, measure

from .simulation import Home, LoopClock, ScriptedProvider, ask, prices, provider, run

CENT = to_picodollars("0.01")


@given(st.decimals(min_value=0, max_value=10_000, places=12))
def test_dollars_survive_the_way_through_picodollars(dollars: Decimal) -> None:
    assert to_dollars(to_picodollars(dollars)) == dollars


def test_prices_per_million_are_whole_picodollars() -> None:
    assert per_million("0.15") == 150_000
    assert per_million(0.000001) == 1


@pytest.mark.parametrize(
    ("when", "length", "price"),
    [(0, 10, 1), (1_000, 10, 2), (1_000, 200_000, 3), (86_400 + 3_600, 10, 4), (0, 200_000, 1)],
)
def test_prices_follow_date_length_and_hour(when: int, length: int, price: int) -> None:
    spans = (
        PriceSpan(Rates(fresh_in=1)),
        PriceSpan(Rates(fresh_in=2), valid_from=500),
        PriceSpan(Rates(fresh_in=3), valid_from=500, above_input=100_000),
        PriceSpan(Rates(fresh_in=4), valid_from=86_400, hours=((60, 120),)),
    )
    assert Prices(spans).at(when, length).fresh_in == price


@given(
    st.lists(st.integers(0, 10**6), min_size=9, max_size=9),
    st.lists(st.integers(0, 10**9), min_size=10, max_size=10),
)
def test_the_hold_is_never_below_the_bill(tokens: list[int], rates: list[int]) -> None:
    usage = Usage(*tokens)
    price = Prices.flat(Rates(*rates[:9], 0, rates[9]))
    assert price.worst(usage.input_tokens, usage.output_tokens, 0) >= price.cost(usage, 0)


@given(st.text(max_size=2000))
def test_bytes_bound_tokens(text: str) -> None:
    size = Size.of(len(text.encode()), 1)
    assert size.bound >= len(text.encode())
    assert size.estimate <= size.bound


def test_100_at_once_on_a_budget_that_fits_13_send_13() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        client = ScriptedProvider([gate, Usage(), "ok", Finish.STOP])
        paid = prices(per_request=750_000_000)
        home = Home(clock, provider("a", client, prices=paid, budgets=(Budget(Window.DAY, CENT),)))
        tasks = [asyncio.create_task(home.router.process(ask())) for _ in range(100)]
        await asyncio.sleep(1)
        assert len(client.calls) == 13
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [result for result in results if isinstance(result, RequestFailed)]
        assert len(refused) == 87
        assert {error.code for error in refused} == {RefusalCode.OVER_BUDGET}
        assert home.ledger.spent == 13 * 750_000_000
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize("whose", ["provider", "router"])
@pytest.mark.parametrize("window", [Window.DAY, Window.MONTH])
def test_every_hard_budget_holds(whose: str, window: Window) -> None:
    async def main(clock: LoopClock) -> None:
        budgets = (Budget(window, 5 * CENT),)
        client = ScriptedProvider()
        mine: dict[str, Any] = {"budgets": budgets} if whose == "provider" else {}
        home = Home(
            clock,
            provider("a", client, prices=prices(per_request=CENT), **mine),
            budgets=budgets if whose == "router" else (),
        )
        for _ in range(5):
            await home.router.process(ask())
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.OVER_BUDGET
        day = datetime.fromtimestamp(clock.now(), UTC).date()
        ends = day.replace(day=day.day + 1) if window is Window.DAY else day.replace(day=1, month=day.month + 1)
        assert caught.value.free_at == datetime(ends.year, ends.month, ends.day, tzinfo=UTC).timestamp()
        await asyncio.sleep(caught.value.free_at - clock.now())
        await home.router.process(ask())
        home.assert_nothing_left()

    run(main)


def test_a_used_up_budget_does_not_stop_free_targets() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("cloud", ScriptedProvider(), prices=prices(per_request=CENT), priority=1),
            provider("ollama", ScriptedProvider(), prices=FREE),
            budgets=(Budget(Window.DAY, CENT),),
        )
        names = [(await home.router.process(ask())).target.provider_id for _ in range(3)]
        assert names == ["cloud", "ollama", "ollama"]

    run(main)


def test_a_soft_budget_only_counts() -> None:
    async def main(clock: LoopClock) -> None:
        budget = Budget(Window.DAY, CENT, hard=False)
        home = Home(clock, provider("a", ScriptedProvider(), prices=prices(per_request=CENT), budgets=(budget,)))
        for _ in range(3):
            await home.router.process(ask())
        assert home.ledger.spent == 3 * CENT

    run(main)


@pytest.mark.parametrize(
    ("told", "tokens_in", "tokens_out", "estimated"),
    [
        (Usage(fresh_in=9, text_out=4), 9, 4, False),
        # A server that tells nonsense of one of them tells nothing: it is counted here, and never for nothing.
        (Usage(text_out=4), None, 4, True),
        (Usage(fresh_in=9), 9, 3, True),
        (Usage(), None, 3, True),
    ],
)
def test_what_was_not_counted_is_estimated_and_not_free(
    told: Usage, tokens_in: int | None, tokens_out: int, estimated: bool
) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(["It ", "is ", "shut", told, Finish.STOP])
        home = Home(clock, provider("a", client, prices=prices(input_usd=1, output_usd=1)))
        reply = await home.router.process(ask())
        counted = measure(ask()).estimate if tokens_in is None else tokens_in
        assert counted > 0
        assert (reply.cost, reply.estimated) == ((counted + tokens_out) * 1_000_000, estimated)
        home.assert_nothing_left()

    run(main)


def test_a_bill_above_its_hold_is_booked_in_full_and_nothing_more_starts() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([Usage(fresh_in=4_999_999, text_out=1), "ok", Finish.STOP])
        paid = prices(input_usd=1, output_usd=1)
        home = Home(clock, provider("a", client, prices=paid, budgets=(Budget(Window.DAY, 100 * CENT),)))
        reply = await home.router.process(ask())
        assert to_dollars(reply.cost) == 5
        (overrun,) = [event for event in home.events if isinstance(event, Overrun)]
        assert to_dollars(overrun.amount) == 4
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.OVER_BUDGET

    run(main)


def test_the_usual_answer_is_shrunk_to_what_is_affordable_but_not_to_a_stump() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        paid = prices(output_usd=1)
        home = Home(clock, provider("a", client, prices=paid, budgets=(Budget(Window.DAY, 700 * 1_000_000),)))
        await home.router.process(ask())
        assert client.calls[0].max_output == 700
        home.configure(provider("a", client, prices=paid, budgets=(Budget(Window.DAY, 400 * 1_000_000),)))
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.plan is not None
        assert caught.value.plan.left_out[0].why is Why.OVER_BUDGET
        # What the caller asked for is never cut.
        home.configure(provider("a", client, prices=paid, budgets=(Budget(Window.DAY, 700 * 1_000_000),)))
        with pytest.raises(RequestFailed):
            await home.router.process(ask(bounds=Bounds(max_output=1_000)))

    run(main)


def test_max_cost_leaves_dear_targets_out() -> None:
    async def main(clock: LoopClock) -> None:
        dear, cheap = ScriptedProvider(), ScriptedProvider()
        home = Home(
            clock,
            provider("dear", dear, prices=prices(per_request=10 * CENT), priority=1),
            provider("cheap", cheap, prices=prices(per_request=CENT)),
        )
        reply = await home.router.process(ask(bounds=Bounds(max_cost=2 * CENT)))
        assert reply.target.provider_id == "cheap"
        assert reply.plan.left_out[0].why is Why.TOO_EXPENSIVE
        assert not dear.calls

    run(main)


def test_a_limit_of_requests_per_minute_is_exact_in_every_minute() -> None:
    async def main(clock: LoopClock) -> None:
        client, other = ScriptedProvider(), ScriptedProvider()
        home = Home(clock, provider("a", client, requests_per_minute=10), provider("b", other))
        for _ in range(300):
            await home.router.process(ask())
            await asyncio.sleep(0.7)
        for start in client.times:
            assert sum(start <= time < start + 60 for time in client.times) <= 10
        assert len(client.calls) == 40
        refused = (await home.router.process(ask())).plan.left_out
        assert [left_out.why for left_out in refused] in ([], [Why.LIMITED])

    run(main)


def test_a_limit_names_when_it_frees() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(), requests_per_minute=2))
        start = clock.now()
        for _ in range(2):
            await home.router.process(ask())
            await asyncio.sleep(5)
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.LIMITED
        assert caught.value.free_at == pytest.approx(start + 60)

    run(main)


def test_an_attempt_is_booked_on_the_day_it_began() -> None:
    async def main(clock: LoopClock) -> None:
        midnight = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
        await asyncio.sleep(midnight - clock.now() - 1)
        client = ScriptedProvider([5.0, "ok", Finish.STOP])
        home = Home(clock, provider("a", client, prices=prices(per_request=CENT), budgets=(Budget(Window.DAY, CENT),)))
        await home.router.process(ask())
        # The new day's budget is untouched.
        await home.router.process(ask())
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize(
    ("moment", "day", "hours"),
    [
        (datetime(2026, 3, 29, 12, tzinfo=ZoneInfo("Europe/Berlin")), "2026-03-29", 23),
        (datetime(2026, 10, 25, 12, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-25", 25),
        (datetime(2026, 6, 1, 0, 30, tzinfo=ZoneInfo("Pacific/Auckland")), "2026-06-01", 24),
    ],
)
def test_days_are_the_households_own(moment: datetime, day: str, hours: int) -> None:
    calendar = Calendar(moment.tzinfo or UTC)
    begin, end = calendar.bounds(Window.DAY, moment.timestamp())
    assert calendar.day(moment.timestamp()) == day
    assert end is not None
    assert end - begin == hours * 3600
    assert calendar.day(begin) == day
    assert calendar.day(begin - 1) < day < calendar.day(end)


def test_weeks_begin_where_the_household_says() -> None:
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    assert Calendar(UTC, 0).window_id(Window.WEEK, sunday) == "2026-11-16"
    assert Calendar(UTC, 6).window_id(Window.WEEK, sunday) == "2026-11-22"
