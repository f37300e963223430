"""What is changed while requests wait or are under way: what was sent stays, what was not follows, and money stays counted."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.call import Finish, Timeouts, Usage
from custom_components.ai_router.routing.config import Member, PoolConfig, ProviderConfig
from custom_components.ai_router.routing.failures import FailureClass, FailureScope
from custom_components.ai_router.routing.model import Capability, Message, Op, Role, Structure, Text, Tool, ToolResult
from custom_components.ai_router.routing.money import to_picodollars
from custom_components.ai_router.routing.plans import Because, Reason
from custom_components.ai_router.routing.ports import Spending
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, Caller, Pins, Request
from custom_components.ai_router.routing.tickets import Scope, Unit, Window

from .simulation import Home, LoopClock, ScriptedProvider, Step, ask, failing, prices, provider, run

CENT = to_picodollars("0.01")
CENTS_EACH = prices(per_request=CENT)
GOOD: tuple[Step, ...] = ("Hello", Usage(fresh_in=10, text_out=5), Finish.STOP)


async def result(home: Home, request: Request) -> str:
    """Return who answered, or why nobody did."""
    try:
        return (await home.router.process(request)).target.provider_id
    except RequestFailed as err:
        return err.code.value


def begin(home: Home, **fields: Any) -> asyncio.Task[str]:
    """Ask without waiting."""
    return asyncio.create_task(result(home, ask(**fields)))


# --- who waits --------------------------------------------------------------------------------------


async def for_a_slot(home: Home, cloud: ScriptedProvider) -> asyncio.Task[str]:
    gate = asyncio.Event()
    cloud.script = [gate, *GOOD]
    first = begin(home, id="first")
    await asyncio.sleep(0.1)
    waiting = begin(home)
    await asyncio.sleep(0.1)
    asyncio.get_running_loop().call_later(1, gate.set)
    first.add_done_callback(lambda task: task.result())
    return waiting


async def for_a_retry(home: Home, cloud: ScriptedProvider) -> asyncio.Task[str]:
    told = failing(FailureClass.RATE_LIMIT, status=429, retry_at=home.clock.now() + 20)
    cloud.script = lambda number: told if number == 1 else GOOD
    return begin(home)


async def for_another_s_probe(home: Home, cloud: ScriptedProvider) -> asyncio.Task[str]:
    gate = asyncio.Event()
    cloud.script = lambda number: failing(FailureClass.TRANSIENT) if number <= 5 else [gate, *GOOD]
    for number in range(5):
        assert await result(home, ask(id=str(number), bounds=Bounds(attempts=1))) == "all_failed"
    await asyncio.sleep(61)
    probe = begin(home, id="probe")
    await asyncio.sleep(0.1)
    asyncio.get_running_loop().call_later(60, gate.set)
    probe.add_done_callback(lambda task: task.result())
    return begin(home)


async def for_the_disk(home: Home, cloud: ScriptedProvider) -> asyncio.Task[str]:
    home.ledger.delay = 1.0
    return begin(home)


type Wait = Callable[[Home, ScriptedProvider], Awaitable[asyncio.Task[str]]]


@pytest.mark.parametrize("wait", [for_a_slot, for_a_retry, for_another_s_probe, for_the_disk])
@pytest.mark.parametrize("change", ["local only", "disabled", "removed"])
def test_who_waits_follows_a_change_before_anything_is_sent(wait: Wait, change: str) -> None:
    async def main(clock: LoopClock) -> None:
        cloud, house = ScriptedProvider(), ScriptedProvider()

        def at(**more: Any) -> ProviderConfig:
            return provider("cloud", cloud, local=False, concurrent=1, priority=1, prices=CENTS_EACH, **more)

        home = Home(clock, at())
        waiting = await wait(home, cloud)
        await asyncio.sleep(0.5)
        sent, changed = len(cloud.calls), clock.monotonic()
        others = {"local only": [at()], "disabled": [at(enabled=False)], "removed": []}[change]
        home.configure(*others, provider("house", house), local_only=change == "local only")
        assert await waiting == "house"
        assert clock.monotonic() - changed < 5
        assert len(cloud.calls) == sent
        await asyncio.sleep(100)
        home.assert_nothing_left()

    run(main)


def test_a_change_keeps_the_order_of_who_waits() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        slow, served = ScriptedProvider(script=[gate, *GOOD]), ScriptedProvider(script=[1.0, *GOOD])
        home = Home(clock, provider("a", slow, concurrent=1))
        began: list[str] = []
        home.router.subscribe(
            lambda event: began.append(event.request.id) if type(event).__name__ == "AttemptStarted" else None
        )
        tasks = []
        for number in range(6):
            tasks.append(begin(home, id=str(number)))
            await asyncio.sleep(0.01)
        home.configure(provider("b", served, concurrent=1))
        gate.set()
        assert [await task for task in tasks] == ["a", *["b"] * 5]
        assert began == ["0", "1", "2", "3", "4", "5"]
        home.assert_nothing_left()

    run(main)


def test_100_wait_while_budgets_change() -> None:
    async def main(clock: LoopClock) -> None:
        def at(cents: int) -> ProviderConfig:
            budget = Budget(Window.DAY, cents * CENT)
            return provider("a", client, prices=CENTS_EACH, concurrent=2, budgets=(budget,))

        client = ScriptedProvider(script=[1.0, *GOOD])
        home = Home(clock, at(100))
        tasks = [begin(home, id=str(number)) for number in range(100)]
        for cents in (50, 10, 30):
            await asyncio.sleep(3.5)
            home.configure(at(cents))
        ends = [await task for task in tasks]
        assert ends.count("a") == len(client.calls)
        # When no more than ten were allowed, 14 had been sent: all others were refused then, and did not see the thirty.
        assert ends == ["a"] * 14 + ["over_budget"] * 86
        assert home.ledger.spent == ends.count("a") * CENT
        home.assert_nothing_left()

    run(main)


# --- what is under way ------------------------------------------------------------------------------


def test_an_old_key_that_is_rejected_says_nothing_about_the_new_one() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        rejected = failing(FailureClass.CREDENTIAL, status=401, scope=FailureScope.ACCOUNT)
        old, new = ScriptedProvider(script=[gate, *rejected]), ScriptedProvider()
        home = Home(clock, provider("a", old, credential="old"))
        under_way = begin(home)
        await asyncio.sleep(0.1)
        home.configure(provider("a", new, credential="new"))
        gate.set()
        assert await under_way == "a"
        assert not home.router.benches.all()
        assert (len(old.calls), len(new.calls)) == (1, 1)
        home.assert_nothing_left()

    run(main)


def test_old_failures_open_no_new_breaker() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        old, new = ScriptedProvider(script=[gate, *failing(FailureClass.TRANSIENT)]), ScriptedProvider()
        home = Home(clock, provider("a", old, credential="old"))
        under_way = [begin(home, id=str(number)) for number in range(20)]
        await asyncio.sleep(0.1)
        home.configure(provider("a", new, credential="new"))
        gate.set()
        assert [await task for task in under_way] == ["a"] * 20
        assert home.router.recent("a").success_rate == 1
        assert not home.router.admission.breakers.opened()

    run(main)


def test_a_provider_that_comes_back_finds_its_attempts_counted() -> None:
    async def main(clock: LoopClock) -> None:
        def at() -> ProviderConfig:
            budget = Budget(Window.DAY, 2 * CENT)
            return provider("a", client, prices=CENTS_EACH, concurrent=3, budgets=(budget,))

        gate = asyncio.Event()
        client = ScriptedProvider(script=[gate, *GOOD])
        home = Home(clock, at())
        under_way = [begin(home, id=str(number)) for number in range(2)]
        await asyncio.sleep(0.1)
        home.configure()
        home.configure(at())
        assert home.router.admission.slots("a").used == 2
        assert await result(home, ask()) == "over_budget"
        gate.set()
        assert [await task for task in under_way] == ["a", "a"]
        assert len(client.calls) == 2
        home.assert_nothing_left()

    run(main)


BUDGETS: dict[str, dict[str, Any]] = {
    "user": {"user_budgets": {"u": (Budget(Window.DAY, 3 * CENT),)}},
    "everybody": {"user_budgets": {"*": (Budget(Window.TOTAL, 3 * CENT),)}},
    "label": {"label_budgets": {"l": (Budget(Window.MONTH, 3 * CENT),)}},
    "router": {"budgets": (Budget(Window.WEEK, 3 * CENT),)},
    "pool": {"pools": {"p": PoolConfig("p", "P", (Member("a"),), budgets=(Budget(Window.WEEK, 3 * CENT),))}},
}


@pytest.mark.parametrize("whose", BUDGETS)
def test_a_new_budget_counts_what_is_under_way(whose: str) -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        client = ScriptedProvider(script=[gate, *GOOD])
        one = provider("a", client, prices=CENTS_EACH)
        home = Home(clock, one, pools={"p": PoolConfig("p", "P", (Member("a"),))})

        def another(number: int) -> asyncio.Task[str]:
            return begin(home, id=str(number), caller=Caller("u"), label="l", pins=Pins(pool="p"))

        under_way = [another(number) for number in range(2)]
        await asyncio.sleep(0.1)
        home.configure(one, **{"pools": {"p": PoolConfig("p", "P", (Member("a"),))}, **BUDGETS[whose]})
        under_way += [another(number) for number in range(2, 6)]
        await asyncio.sleep(0.1)
        gate.set()
        ends = [await task for task in under_way]
        assert ends == ["a"] * 3 + ["over_budget"] * 3
        assert await another(7) == "over_budget"
        assert home.ledger.spent == 3 * CENT
        home.assert_nothing_left()

    run(main)


def test_a_budget_that_comes_back_knows_what_was_spent_without_it() -> None:
    async def main(clock: LoopClock) -> None:
        one = provider("a", ScriptedProvider(), prices=CENTS_EACH)
        budgets = BUDGETS["user"]
        home = Home(clock, one, **budgets)
        request = ask(caller=Caller("u"))

        def history() -> list[Spending]:
            return [Spending(home.router.admission.calendar.day(clock.now()), "a", "u", "", home.ledger.spent)]

        assert await result(home, request) == "a"
        home.configure(one, history=history())
        assert [await result(home, request) for _ in range(2)] == ["a", "a"]
        home.configure(one, history=history(), **budgets)
        assert await result(home, request) == "over_budget"

    run(main)


def test_a_week_that_begins_on_another_day_is_no_new_week() -> None:
    async def main(clock: LoopClock) -> None:
        one = provider("a", ScriptedProvider(), prices=CENTS_EACH, budgets=(Budget(Window.WEEK, 2 * CENT),))
        home = Home(clock, one)
        assert [await result(home, ask()) for _ in range(3)] == ["a", "a", "over_budget"]
        today = home.router.admission.calendar.day(clock.now())
        home.configure(one, week_start=6, history=[Spending(today, "a", "", "", home.ledger.spent)])
        assert await result(home, ask()) == "over_budget"

    run(main)


# --- the clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_pause_ends_although_the_clock_is_set(hours: int) -> None:
    async def main(clock: LoopClock) -> None:
        limited = failing(FailureClass.RATE_LIMIT, status=429)
        client = ScriptedProvider(script=lambda number: limited if number == 1 else GOOD)
        home = Home(clock, provider("a", client), attempts=1)
        assert await result(home, ask()) == "all_failed"
        clock.shift += hours * 3_600
        await asyncio.sleep(11)
        assert await result(home, ask()) == "a"

    run(main)


@pytest.mark.parametrize("window", [Window.DAY, Window.WEEK, Window.MONTH, Window.TOTAL])
@pytest.mark.parametrize("hours", [-1, -24, 1, 24, 24 * 40])
def test_a_clock_that_is_set_right_after_the_start_opens_no_window_that_is_used_up(window: Window, hours: int) -> None:
    async def main(clock: LoopClock) -> None:
        clock.shift = datetime(2026, 12, 1, 0, 30, tzinfo=UTC).timestamp()
        spent = Spending(datetime.fromtimestamp(clock.now(), UTC).date().isoformat(), "a", "", "", CENT)
        clock.shift -= hours * 3_600
        one = provider("a", ScriptedProvider(), prices=CENTS_EACH, budgets=(Budget(window, CENT),))
        home = Home(clock, one, history=[spent])
        clock.shift += hours * 3_600
        assert await result(home, ask()) == "over_budget"

    run(main)


def test_a_clock_that_jumps_about_opens_no_window_that_is_used_up() -> None:
    async def main(clock: LoopClock) -> None:
        one = provider("a", ScriptedProvider(), prices=CENTS_EACH, budgets=(Budget(Window.DAY, CENT),))
        home = Home(clock, one)
        assert [await result(home, ask()) for _ in range(2)] == ["a", "over_budget"]
        for days in (1, 1, 1, 1, 1):
            clock.shift += days * 86_400
            assert [await result(home, ask()) for _ in range(2)] == ["a", "over_budget"]
        for days in (-1, -1, -3, 2, 3):
            clock.shift += days * 86_400
            assert await result(home, ask()) == "over_budget"

    run(main)


@pytest.mark.parametrize("hours", [-30, -1, 1, 30, 24 * 400])
def test_a_hold_is_settled_in_its_window_although_the_clock_is_set(hours: int) -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        client = ScriptedProvider(script=[gate, *GOOD])
        budget = Budget(Window.DAY, 2 * CENT)
        home = Home(clock, provider("a", client, prices=CENTS_EACH, budgets=(budget,)))
        under_way = begin(home)
        await asyncio.sleep(0.1)
        day = home.router.admission.calendar.day(clock.now())
        clock.shift += hours * 3_600
        gate.set()
        assert await under_way == "a"
        clock.shift -= hours * 3_600
        assert home.ledger.by_day == {day: CENT}
        key = next(
            key
            for key in home.router._dispatcher.planner.fleet.lanes[0].money
            if (key.scope, key.window, key.unit) == (Scope.PROVIDER, Window.DAY, Unit.MONEY)
        )
        assert home.router.admission.money(key).account.settled == CENT
        home.assert_nothing_left()

    run(main)


# --- what several attempts take together --------------------------------------------------------------


def test_what_is_stopped_before_it_was_sent_costs_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("a", client, prices=CENTS_EACH))
        home.ledger.delay = 1.0
        waiting = begin(home)
        await asyncio.sleep(0.1)
        await home.router.close(0)
        assert await waiting == "stopping"
        assert not client.calls
        assert home.ledger.holds
        assert home.ledger.spent == 0
        home.assert_nothing_left()

    run(main)


def test_what_waits_for_the_disk_does_not_start_once_another_has_cost_more_than_was_held() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        client = ScriptedProvider([gate, "Hello", Usage(fresh_in=10, text_out=1_000_000), Finish.STOP])
        budgets = (Budget(Window.DAY, 10 * CENT),)
        home = Home(clock, provider("a", client, prices=prices(0, 1), budgets=budgets))
        dear = begin(home, id="dear", bounds=Bounds(max_output=50_000))
        await asyncio.sleep(0.1)
        home.ledger.delay = 10.0
        waiting = begin(home, id="waiting", bounds=Bounds(max_output=1_000))
        await asyncio.sleep(0.1)
        gate.set()
        assert await dear == "a"
        assert await waiting == "over_budget"
        assert len(client.calls) == 1
        home.assert_nothing_left()

    run(main)


def test_a_listener_that_fails_keeps_nothing_from_being_settled(caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: LoopClock) -> None:
        budgets = tuple(Budget(window, CENT) for window in (Window.DAY, Window.MONTH, Window.TOTAL))
        home = Home(clock, provider("a", ScriptedProvider(), prices=CENTS_EACH, budgets=budgets), budgets=budgets)

        def fail(event: object) -> None:
            raise RuntimeError("out of order")

        home.router.subscribe(fail)
        assert [await result(home, ask()) for _ in range(2)] == ["a", "over_budget"]
        for key in home.router._dispatcher.planner.fleet.lanes[0].money:
            account = home.router.admission.money(key).account
            assert (account.settled, account.held) == (CENT, 0)
        assert home.ledger.spent == CENT
        home.assert_nothing_left()

    run(main)
    assert "out of order" in caplog.text


def test_attempts_together_cost_no_more_than_the_request_may() -> None:
    async def main(clock: LoopClock) -> None:
        cut: list[Step] = ["x", Usage(fresh_in=10, text_out=5)]
        first, second, free = ScriptedProvider(script=cut), ScriptedProvider(), ScriptedProvider()
        home = Home(
            clock,
            provider("first", first, prices=CENTS_EACH, priority=3),
            provider("second", second, prices=CENTS_EACH, priority=2),
            provider("free", free, priority=1),
        )
        reply = await home.router.process(ask(bounds=Bounds(max_cost=CENT + CENT // 2)))
        assert (reply.target.provider_id, reply.cost, len(second.calls)) == ("free", CENT, 0)
        reply = await home.router.process(ask(bounds=Bounds(max_cost=2 * CENT)))
        assert (reply.target.provider_id, reply.cost) == ("second", 2 * CENT)

    run(main)


def test_a_provider_that_may_not_take_so_long_is_not_the_end_of_the_request() -> None:
    async def main(clock: LoopClock) -> None:
        slow = ScriptedProvider(script=["a", 1.0] * 50)
        home = Home(
            clock, provider("slow", slow, priority=1, timeouts=Timeouts(total=5)), provider("b", ScriptedProvider())
        )
        reply = await home.router.process(ask())
        assert reply.target.provider_id == "b"
        failure = reply.attempts[0].outcome.failure
        assert failure is not None
        assert (failure.cls, failure.scope) == (FailureClass.TIMEOUT_TOTAL, FailureScope.TARGET)
        for _ in range(4):
            await home.router.process(ask())
        assert len(slow.calls) == 5
        await home.router.process(ask())
        assert len(slow.calls) == 5  # its breaker is open

    run(main)


@pytest.mark.parametrize("read", [0, 10])
def test_a_count_of_nothing_read_is_not_free(read: int) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(script=["Hello", Usage(fresh_in=read, text_out=5), Finish.STOP])
        home = Home(clock, provider("a", client, prices=prices(input_usd=1, output_usd=1)))
        reply = await home.router.process(ask("x" * 3_600))
        least = 15 if read else 1_000
        assert reply.cost >= least * 10**6
        assert reply.estimated == (not read)

    run(main)


# --- a plan of what is not sent ------------------------------------------------------------------------


def test_a_plan_passes_over_what_a_limit_keeps_back() -> None:
    async def main(clock: LoopClock) -> None:
        limited = provider("limited", ScriptedProvider(), priority=1, requests_per_minute=1)
        home = Home(clock, limited, provider("b", ScriptedProvider()))
        assert await result(home, ask()) == "limited"
        plan = home.router.plan(ask())
        assert [each.target.provider_id for each in plan.candidates] == ["b"]
        assert [(each.target.provider_id, each.why.value, each.free_at) for each in plan.left_out] == [
            ("limited", "limited", clock.now() + 60)
        ]
        assert await result(home, ask()) == "b"

    run(main)


def test_a_plan_shows_what_a_request_would_wait_for() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("limited", ScriptedProvider(), requests_per_minute=1))
        assert await result(home, ask()) == "limited"
        assert not home.router.plan(ask()).candidates
        assert await result(home, ask()) == RefusalCode.LIMITED
        await asyncio.sleep(57)
        plan = home.router.plan(ask())
        assert [each.reasons for each in plan.candidates] == [
            (Reason(Because.PRIORITY, 0), Reason(Because.WAITS_FOR_LIMIT))
        ]
        assert not plan.left_out
        assert await result(home, ask()) == "limited"

    run(main)


HALF = "\ud83d"


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": (Message(Role.USER, (Text(f"Who is {HALF}?"),)),)},
        {"messages": (Message(Role.SYSTEM, (Text(HALF),)), Message(Role.USER, (Text("Hi"),)))},
        {"messages": (Message(Role.USER, (Text("Hi"),)), Message(Role.TOOL, (ToolResult("1", "look", HALF),)))},
        {"label": HALF},
        {"tools": (Tool("look", HALF, {"type": "object"}),)},
        {"structure": Structure("data", {"type": "object", "properties": {HALF: {"type": "string"}}})},
        {"op": Op.EMBED, "messages": (Message(Role.USER, (Text(HALF),)),)},
    ],
    ids=["prompt", "system", "tool_result", "label", "tool", "structure", "embed"],
)
def test_half_a_character_is_refused_and_nobody_else_gets_the_blame(fields: dict[str, Any]) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        caps = Capability.CHAT | Capability.TOOLS | Capability.STRUCTURED | Capability.EMBEDDINGS
        home = Home(clock, provider("a", client, prices=prices(per_request=CENT), caps=caps))
        assert await result(home, ask(**fields)) == "unreadable_text"
        assert not client.calls
        assert not home.ledger.holds
        assert await result(home, ask(label="Tür 😀")) == "a"

    run(main)


def test_half_a_character_in_an_answer_is_counted_and_passed_on() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(script=[HALF, Finish.STOP])))
        assert await result(home, ask()) == "a"

    run(main)
