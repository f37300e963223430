"""Budgets of users, labels and all windows; warnings; what goes on at the cap; holds far from and near the limit."""

import asyncio
from datetime import UTC, datetime

import pytest

from custom_components.ai_router.routing.budgets import AtCap, Budget
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.config import EACH_USER
from custom_components.ai_router.routing.money import FREE, to_picodollars
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.ports import BudgetCrossed, Spending
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, Caller, Pins
from custom_components.ai_router.routing.tickets import BucketKey, Scope, Unit, Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, prices, provider, run

CENT = to_picodollars("0.01")
CENTS_EACH = prices(per_request=CENT)


async def answered(home: Home, count: int, **fields: object) -> int:
    """Ask so often; return how many were answered. The rest must have been refused for money."""
    good = 0
    for _ in range(count):
        result = (await asyncio.gather(home.router.process(ask(**fields)), return_exceptions=True))[0]
        if isinstance(result, RequestFailed):
            assert result.code is RefusalCode.OVER_BUDGET
        else:
            good += 1
    home.assert_nothing_left()
    return good


def test_each_user_has_a_budget_and_some_have_their_own() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("a", ScriptedProvider(), prices=CENTS_EACH),
            user_budgets={EACH_USER: (Budget(Window.DAY, 2 * CENT),), "parent": (Budget(Window.DAY, 5 * CENT),)},
        )
        assert await answered(home, 9, caller=Caller("child")) == 2
        assert await answered(home, 9, caller=Caller("guest")) == 2
        assert await answered(home, 9, caller=Caller("parent")) == 5
        assert await answered(home, 9, caller=Caller()) == 9

    run(main)


def test_a_label_has_a_budget() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("a", ScriptedProvider(), prices=CENTS_EACH),
            label_budgets={"doorbell": (Budget(Window.MONTH, 3 * CENT),)},
        )
        assert await answered(home, 5, label="doorbell") == 3
        assert await answered(home, 5, label="garden") == 5

    run(main)


@pytest.mark.parametrize("window", [Window.DAY, Window.WEEK, Window.MONTH, Window.TOTAL])
def test_a_new_budget_begins_with_what_the_ledger_says(window: Window) -> None:
    async def main(clock: LoopClock) -> None:
        today = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
        history = [
            Spending(today, "a", "child", "", 3 * CENT),
            Spending(today, "gone", "", "", CENT),
            Spending("2020-01-01", "a", "", "", CENT),
        ]
        paid = provider("a", ScriptedProvider(), prices=CENTS_EACH)
        home = Home(clock, paid, budgets=(Budget(window, 7 * CENT),), history=history)
        assert await answered(home, 9) == (2 if window is Window.TOTAL else 3)

    run(main)


def test_a_week_ends_where_the_household_says() -> None:
    async def main(clock: LoopClock) -> None:
        saturday = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
        await asyncio.sleep(saturday - clock.now() if saturday > clock.now() else 0)
        budget = (Budget(Window.WEEK, CENT),)
        home = Home(clock, provider("a", ScriptedProvider(), prices=CENTS_EACH), budgets=budget, week_start=6)
        assert await answered(home, 2) == 1
        await asyncio.sleep(86_400)
        assert await answered(home, 2) == 1

    run(main)


def test_warnings_come_once_per_window_and_mark() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock, provider("a", ScriptedProvider(), prices=CENTS_EACH), budgets=(Budget(Window.DAY, 10 * CENT),)
        )
        await answered(home, 15)
        crossed = [event for event in home.events if isinstance(event, BudgetCrossed)]
        assert [(event.exceeded, event.settled // CENT) for event in crossed] == [(False, 8), (True, 10)]
        assert {event.bucket.scope for event in crossed} == {Scope.ROUTER}
        await asyncio.sleep(86_400)
        await answered(home, 15)
        assert len([event for event in home.events if isinstance(event, BudgetCrossed)]) == 4

    run(main)


def told(home: Home) -> list[tuple[Scope, bool, int]]:
    """Return whose budgets were told of, whether they were used up, and their limits in cents; from now on anew."""
    crossed = [event for event in home.events if isinstance(event, BudgetCrossed)]
    home.events.clear()
    return [(event.bucket.scope, event.exceeded, event.limit // CENT) for event in crossed]


@pytest.mark.parametrize("hard", [True, False])
def test_a_budget_that_is_set_below_what_is_spent_is_told_of_at_once_and_once(*, hard: bool) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        paid = provider("a", client, prices=CENTS_EACH)
        home = Home(clock, paid)
        await answered(home, 9)

        def limited(cents: int | None) -> list[tuple[Scope, bool, int]]:
            budgets = () if cents is None else (Budget(Window.DAY, cents * CENT, hard),)
            home.configure(provider("a", client, prices=CENTS_EACH, budgets=budgets))
            return told(home)

        assert limited(100) == []
        assert limited(11) == [(Scope.PROVIDER, False, 11)]
        assert limited(11) == []
        assert limited(9) == [(Scope.PROVIDER, True, 9)]
        assert limited(0) == [(Scope.PROVIDER, True, 0)]
        assert limited(None) == []
        assert limited(5) == [(Scope.PROVIDER, True, 5)]
        assert limited(20) == []

    run(main)


@pytest.mark.parametrize("window", [Window.DAY, Window.WEEK, Window.MONTH, Window.TOTAL])
def test_a_new_budget_is_told_of_when_it_is_used_up_already(window: Window) -> None:
    async def main(clock: LoopClock) -> None:
        paid = provider("a", ScriptedProvider(), prices=CENTS_EACH)
        today = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
        history = [Spending(today, "a", "child", "doorbell", 3 * CENT)]
        home = Home(clock, paid, history=history)
        budgets = (Budget(window, 3 * CENT),)
        limits = {
            "budgets": budgets,
            "user_budgets": {EACH_USER: budgets},
            "label_budgets": {"doorbell": budgets, "garden": budgets},
        }
        home.configure(paid, history=history, **limits)
        assert sorted(told(home)) == sorted((scope, True, 3) for scope in (Scope.ROUTER, Scope.USER, Scope.LABEL))
        home.configure(paid, history=history, **limits, week_start=3)
        home.configure(paid, history=history, **limits, alert_at=0.5)
        assert told(home) == []

    run(main)


def test_of_a_budget_of_which_nothing_is_spent_or_whose_past_was_told_nothing_is_told() -> None:
    async def main(clock: LoopClock) -> None:
        today = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
        history = [Spending(today, "a", "", "", 3 * CENT)]
        budgets = (Budget(Window.DAY, CENT),)
        a = provider("a", ScriptedProvider(), prices=CENTS_EACH, budgets=budgets)
        home = Home(clock, history=history, budgets=budgets)
        # Its kind has only come now: what it had passed was told before the restart.
        home.configure(a, history=history, budgets=budgets)
        assert told(home) == []
        home.configure(a, provider("b", ScriptedProvider()), history=history, budgets=budgets)
        nothing = (Budget(Window.DAY, 0),)
        home.configure(a, provider("b", ScriptedProvider(), budgets=nothing), history=history, budgets=budgets)
        assert told(home) == []

    run(main)


def test_a_mark_that_is_set_below_what_is_spent_is_told_of() -> None:
    async def main(clock: LoopClock) -> None:
        paid = provider("a", ScriptedProvider(), prices=CENTS_EACH)
        budgets = (Budget(Window.DAY, 10 * CENT),)
        home = Home(clock, paid, budgets=budgets)
        await answered(home, 5)
        home.configure(paid, budgets=budgets, alert_at=0.4)
        assert told(home) == [(Scope.ROUTER, False, 10)]

    run(main)


@pytest.mark.parametrize(("cents", "spent", "used_up"), [(7.5, 7, True), (1.9, 1, True), (0.5, 0, False)])
def test_a_budget_is_used_up_once_nothing_more_fits_into_it(cents: float, spent: int, used_up: bool) -> None:
    async def main(clock: LoopClock) -> None:
        limit = int(cents * CENT)
        paid = provider("a", ScriptedProvider(), prices=CENTS_EACH)
        home = Home(clock, paid, budgets=(Budget(Window.DAY, limit),), alert_at=1.0)
        bucket = home.router.admission.money(BucketKey(Scope.ROUTER, "", Window.DAY, Unit.MONEY))
        assert await answered(home, spent) == spent
        assert (bucket.used_up, told(home)) == (False, [])

        for _ in range(2):
            home.router.plan(ask())
            assert (bucket.used_up, told(home)) == (False, []), "a plan is no request"
        assert await answered(home, 3) == 0
        assert (bucket.used_up, len(told(home))) == (used_up, int(used_up))

        home.configure(paid, budgets=(Budget(Window.DAY, limit + CENT // 4),), alert_at=1.0)
        assert (bucket.used_up, told(home)) == (False, [])
        await asyncio.sleep(86_400)
        assert not bucket.used_up

    run(main)


def test_what_others_hold_does_not_use_a_budget_up() -> None:
    async def main(clock: LoopClock) -> None:
        slow = ScriptedProvider([5.0, "Hello", Usage(fresh_in=10, text_out=5), Finish.STOP])
        # Half of what is held is left over.
        paid = provider("a", slow, prices=prices(output_usd=10.0, per_request=CENT))
        home = Home(clock, paid, budgets=(Budget(Window.DAY, int(8.5 * CENT)),), alert_at=1.0)
        bucket = home.router.admission.money(BucketKey(Scope.ROUTER, "", Window.DAY, Unit.MONEY))
        assert await answered(home, 5) == 5
        both = await asyncio.gather(*(home.router.process(ask()) for _ in range(2)), return_exceptions=True)
        assert [type(each) for each in both] == [Reply, RequestFailed]
        assert (bucket.used_up, told(home)) == (False, [])

        assert await answered(home, 3) == 1
        assert (bucket.used_up, len(told(home))) == (True, 1)

    run(main)


def test_a_request_that_is_too_large_for_a_budget_does_not_use_it_up() -> None:
    async def main(clock: LoopClock) -> None:
        paid = provider("a", ScriptedProvider(), prices=CENTS_EACH)
        dear = provider("b", ScriptedProvider(), prices=prices(per_request=8 * CENT), priority=-1)
        home = Home(clock, paid, dear, budgets=(Budget(Window.DAY, 10 * CENT),), alert_at=1.0)
        await answered(home, 4)

        assert await answered(home, 1, pins=Pins(providers=("b",))) == 0

        assert told(home) == []

    run(main)


def test_what_was_passed_before_a_restart_is_not_told_again() -> None:
    async def main(clock: LoopClock) -> None:
        today = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
        paid = provider("a", ScriptedProvider(), prices=CENTS_EACH, budgets=(Budget(Window.DAY, 10 * CENT),))
        home = Home(clock, paid, history=[Spending(today, "a", "", "", 9 * CENT)])
        await answered(home, 3)
        crossed = [event.exceeded for event in home.events if isinstance(event, BudgetCrossed)]
        assert crossed == [True]

    run(main)


@pytest.mark.parametrize(
    ("at_cap", "names"),
    [
        (AtCap.FREE, ["cloud", "free cloud", "free cloud"]),
        (AtCap.LOCAL, ["cloud", "attic", "attic"]),
        (AtCap.REFUSE, ["cloud", None, None]),
    ],
)
def test_at_the_cap_what_the_household_says_goes_on(at_cap: AtCap, names: list[str | None]) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("cloud", ScriptedProvider(), prices=CENTS_EACH, local=False, priority=3),
            provider("free cloud", ScriptedProvider(), prices=FREE, local=False, priority=2),
            provider("attic", ScriptedProvider(), prices=FREE, priority=1),
            budgets=(Budget(Window.DAY, CENT),),
            at_cap=at_cap,
        )
        got: list[str | None] = []
        for _ in names:
            (result,) = await asyncio.gather(home.router.process(ask()), return_exceptions=True)
            got.append(result.target.provider_id if isinstance(result, Reply) else None)
        assert got == names

    run(main)


def test_holds_are_usual_far_from_the_limit_and_the_worst_case_near_it() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        gate.set()
        client = ScriptedProvider(lambda _: [gate, Usage(fresh_in=10, text_out=10), "short", Finish.STOP])
        # An answer may have 1,000 tokens at a cent each but usually has ten.
        budget = (Budget(Window.DAY, 30_000 * CENT),)
        paid = prices(output_usd=10_000)
        for worst_case, at_once in ((False, 500), (True, 30)):
            gate.set()
            client.calls.clear()
            home = Home(clock, provider("a", client, prices=paid, budgets=budget), worst_case=worst_case)
            for _ in range(10):
                await home.router.process(ask())
            gate.clear()
            client.calls.clear()
            tasks = [asyncio.create_task(home.router.process(ask())) for _ in range(600)]
            await asyncio.sleep(1)
            if worst_case:
                assert len(client.calls) <= at_once
            else:
                assert len(client.calls) > at_once
            gate.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert home.ledger.spent <= 30_000 * CENT
            home.assert_nothing_left()

    run(main)


def test_the_durable_hold_is_always_the_worst_case() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(lambda _: [Usage(fresh_in=10, text_out=10), "short", Finish.STOP])
        budget = (Budget(Window.DAY, 30_000 * CENT),)
        home = Home(clock, provider("a", client, prices=prices(output_usd=10_000), budgets=budget))
        for _ in range(10):
            await home.router.process(ask(bounds=Bounds(max_output=1_000)))
        assert set(home.ledger.holds.values()) == {1_000 * CENT}

    run(main)


def test_the_estimate_learns_the_models_own_tokens() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([Usage(fresh_in=216, text_out=1), "ok", Finish.STOP])
        home = Home(clock, provider("a", client))
        request = ask("x" * 360)
        assert home.router.plan(request).candidates[0].estimate.input_tokens == 108
        for _ in range(60):
            await home.router.process(request)
        assert home.router.plan(request).candidates[0].estimate.input_tokens == pytest.approx(216, abs=1)

    run(main)
