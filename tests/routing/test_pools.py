"""Pools: their members, their fallbacks, their budgets, and who may use what."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from custom_components.ai_router.routing.budgets import AtCap, Budget
from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.config import Member, PoolConfig
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Capability, Model, Target
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.ports import BudgetCrossed, RequestEnded, Spending
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, CacheMode, Caller, Degrade, Pins
from custom_components.ai_router.routing.tickets import Scope, Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, prices, provider, run

CENT = 10**10
PAID = prices(per_request=CENT)
DOWN = failing(FailureClass.TRANSIENT)


def pool(name: str, *members: str | Member, **fields: Any) -> PoolConfig:
    whole = tuple(member if isinstance(member, Member) else Member(member) for member in members)
    return PoolConfig(name, name.title(), whole, **fields)


def pools(*each: PoolConfig) -> dict[str, PoolConfig]:
    return {pool.id: pool for pool in each}


async def asked(home: Home, name: str | None, **fields: Any) -> str:
    """Ask a pool; say which provider answered, or why none did."""
    try:
        reply = await home.router.process(ask(pins=Pins(pool=name), **fields))
    except RequestFailed as err:
        return err.code.value
    return f"{reply.pool}: {reply.target.provider_id}"


def order(home: Home, name: str | None, **fields: Any) -> list[str]:
    plan = home.router.plan(ask(pins=Pins(pool=name), **fields))
    return [each.target.provider_id for each in plan.candidates]


def test_a_pool_is_its_members_and_no_pool_is_all_providers() -> None:
    async def main(clock: LoopClock) -> None:
        models = (Model("m", prices=FREE), Model("n", prices=FREE))
        two = provider("b", ScriptedProvider(), models=models)
        home = Home(
            clock,
            provider("a", ScriptedProvider()),
            two,
            provider("c", ScriptedProvider(), priority=1),
            pools=pools(pool("p", "b", "c"), pool("n", Member("b", "n"), "gone", Member("a", "gone")), pool("empty")),
        )
        assert order(home, None) == ["c", "a", "b", "b"]
        assert order(home, "p") == ["c", "b", "b"]
        plan = home.router.plan(ask(pins=Pins(pool="n")))
        assert [each.target for each in plan.candidates] == [Target("b", "n")]
        assert {each.why for each in plan.left_out} == {Why.NOT_IN_POOL}
        assert {each.target for each in plan.left_out} == {("a", "m"), ("b", "m"), ("c", "m")}
        assert await asked(home, "empty") == "empty_pool"
        assert await asked(home, "p") == "p: c"
        assert await asked(home, None) == "None: c"

    run(main)


def test_a_member_that_names_its_model_goes_before_one_that_means_them_all() -> None:
    async def main(clock: LoopClock) -> None:
        models = (Model("m", prices=FREE), Model("n", prices=FREE))
        mixed = pool("p", Member("a", weight=1.0), Member("a", "n", weight=9.0))
        home = Home(clock, provider("a", ScriptedProvider(), models=models), pools=pools(mixed))
        lanes = home.router._dispatcher.planner.fleet.pools["p"]
        assert {lane.target.model_id: lane.weight for lane in lanes} == {"m": 1.0, "n": 9.0}

    run(main)


def test_an_unknown_pool_is_refused_and_told() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("a", client))
        assert await asked(home, "gone") == RefusalCode.UNKNOWN_POOL
        assert await asked(home, "gone", cache_mode=CacheMode.ONLY) == RefusalCode.UNKNOWN_POOL
        with pytest.raises(RequestFailed) as caught:
            home.router.plan(ask(pins=Pins(pool="gone")))
        assert caught.value.code is RefusalCode.UNKNOWN_POOL
        assert not client.calls
        assert [event.failure for event in home.events if isinstance(event, RequestEnded)] == ["unknown_pool"] * 2
        reply = await home.router.process(ask(pins=Pins(pool="gone"), degrade=Degrade(default_text="none")))
        assert reply.text == "none"

    run(main)


def test_a_fallback_stands_in_and_is_charged_itself() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("a", ScriptedProvider(DOWN)),
            provider("b", ScriptedProvider(), prices=PAID),
            pools=pools(pool("p", "a", fallback="q"), pool("q", "a", "b")),
        )
        assert await asked(home, "p") == "q: b"
        reply = await home.router.process(ask(pins=Pins(pool="p")))
        assert [attempt.pool for attempt in reply.attempts] == ["p", "q"]
        admission = home.router.admission
        spent = {
            each.id: admission.money(key).account.settled
            for each in home.router.config.pools.values()
            for key in admission._buckets
            if key.scope is Scope.POOL and key.id == each.id and key.window is Window.DAY
        }
        assert spent == {"p": 0, "q": 2 * CENT}

    run(main)


def test_cyclic_fallbacks_end_and_nothing_is_tried_twice_while_another_is_left() -> None:
    async def main(clock: LoopClock) -> None:
        clients = {name: ScriptedProvider(DOWN) for name in "abc"}
        good = ScriptedProvider()
        home = Home(
            clock,
            *(provider(name, client) for name, client in clients.items()),
            provider("z", good),
            pools=pools(
                pool("p", "a", "b", fallback="q", at_cap="p"),
                pool("q", "b", "c", "a", fallback="r", at_cap="q"),
                pool("r", "c", "z", fallback="p", at_cap="q"),
                pool("self", "a", fallback="self", at_cap="self"),
            ),
        )
        assert order(home, "p") == ["a", "b", "c", "z"]
        assert await asked(home, "p") == "r: z"
        assert [len(client.calls) for client in clients.values()] == [1, 1, 1]
        assert await asked(home, "self") == "all_failed"

    run(main)


def test_a_fallback_is_bound_by_the_pool_before_it() -> None:
    async def main(clock: LoopClock) -> None:
        cloud, attic = ScriptedProvider(), ScriptedProvider()
        home = Home(
            clock,
            provider("a", ScriptedProvider(DOWN)),
            provider("cloud", cloud, local=False),
            provider("attic", attic),
            pools=pools(
                pool("p", "a", fallback="q", local_only=True, bounds=Bounds(max_output=7)),
                pool("q", "cloud", "attic", bounds=Bounds(max_output=20, first_token=3.0)),
            ),
        )
        assert await asked(home, "p") == "q: attic"
        assert [call.max_output for call in attic.calls] == [7]
        assert not cloud.calls
        assert await asked(home, "q") == "q: cloud"
        assert [call.max_output for call in cloud.calls] == [20]

    run(main)


def test_a_fallback_pools_own_bounds_on_time_and_attempts_hold_in_it_alone() -> None:
    async def main(clock: LoopClock) -> None:
        slow, late = ScriptedProvider([1_000.0]), ScriptedProvider([30.0, "late"])
        home = Home(
            clock,
            provider("a", ScriptedProvider([50.0])),
            provider("b", slow),
            provider("c", late),
            pools=pools(
                pool("p", "a", fallback="q"),
                pool("q", "b", "c", bounds=Bounds(attempts=2, timeout=65.0)),
            ),
        )
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask(pins=Pins(pool="p"), bounds=Bounds(timeout=100.0)))
        assert [attempt.target.provider_id for attempt in caught.value.attempts] == ["a", "b"]
        assert clock.monotonic() <= 65
        home.assert_nothing_left()

    run(main)


# --- budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_cap", "goes_on", "expected"),
    [
        (None, AtCap.FREE, ["p: paid", "q: free cloud", "q: free cloud"]),
        (None, AtCap.LOCAL, ["p: paid", "q: attic", "q: attic"]),
        (None, AtCap.REFUSE, ["p: paid", "over_budget", "over_budget"]),
        ("cheap", AtCap.FREE, ["p: paid", "cheap: cheap", "cheap: cheap"]),
        ("cheap", AtCap.REFUSE, ["p: paid", "cheap: cheap", "cheap: cheap"]),
        ("gone", AtCap.REFUSE, ["p: paid", "over_budget", "over_budget"]),
    ],
)
def test_at_its_cap_a_pool_hands_over(at_cap: str | None, goes_on: AtCap, expected: list[str]) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("paid", ScriptedProvider(), prices=PAID, local=False, priority=9),
            provider("dear", ScriptedProvider(), prices=PAID, local=False, priority=8),
            provider("cheap", ScriptedProvider(), prices=prices(per_request=1), local=False, priority=7),
            provider("free cloud", ScriptedProvider(), local=False, priority=6),
            provider("attic", ScriptedProvider()),
            pools=pools(
                pool("p", "paid", fallback="q", at_cap=at_cap, budgets=(Budget(Window.DAY, CENT),)),
                pool("q", "dear", "free cloud", "attic"),
                pool("cheap", "cheap"),
            ),
            at_cap=goes_on,
        )
        assert [await asked(home, "p") for _ in expected] == expected
        # Nobody else's requests are touched by a pool's budget.
        assert await asked(home, None) == "None: paid"
        await asyncio.sleep(86_400)
        assert await asked(home, "p") == "p: paid"

    run(main)


def test_a_hold_that_does_not_fit_hands_over_too_and_a_soft_budget_only_warns() -> None:
    async def main(clock: LoopClock) -> None:
        budget = (Budget(Window.MONTH, CENT * 3 // 2),)
        soft = (Budget(Window.MONTH, CENT, hard=False),)
        home = Home(
            clock,
            provider("paid", ScriptedProvider(), prices=PAID, priority=9),
            provider("free", ScriptedProvider()),
            pools=pools(
                pool("p", "paid", at_cap="q", budgets=budget), pool("q", "free"), pool("soft", "paid", budgets=soft)
            ),
        )
        assert [await asked(home, "p") for _ in range(2)] == ["p: paid", "q: free"]
        assert [await asked(home, "soft") for _ in range(3)] == ["soft: paid"] * 3
        crossed = [event for event in home.events if isinstance(event, BudgetCrossed)]
        assert [(event.bucket.scope, event.bucket.id, event.exceeded) for event in crossed] == [
            (Scope.POOL, "p", True),
            (Scope.POOL, "soft", True),
        ]

    run(main)


def test_budgets_of_pools_begin_with_what_the_ledger_says() -> None:
    async def main(clock: LoopClock) -> None:
        today = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
        history = [
            Spending(today, "a", "", "", 3 * CENT, "p"),
            Spending(today, "a", "", "", CENT, "other"),
            Spending(today, "a", "", "", CENT),
        ]
        home = Home(
            clock,
            provider("a", ScriptedProvider(), prices=PAID),
            pools=pools(pool("p", "a", budgets=(Budget(Window.DAY, 5 * CENT),))),
            history=history,
        )
        assert [await asked(home, "p") for _ in range(3)] == ["p: a", "p: a", "over_budget"]

    run(main)


def test_a_removed_pool_leaves_no_counters_behind() -> None:
    async def main(clock: LoopClock) -> None:
        paid = provider("a", ScriptedProvider(), prices=PAID)
        home = Home(clock, paid, pools=pools(pool("p", "a", budgets=(Budget(Window.WEEK, CENT),))))
        await asked(home, "p")
        home.configure(paid)
        assert not [key for key in home.router.admission._buckets if key.scope is Scope.POOL]

    run(main)


# --- who may use what, and what is able ----------------------------------------------------------


def test_who_may_ask_at_all_and_whom_a_provider_is_for() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(
            clock,
            provider("annas", client, users=frozenset({"anna"}), priority=1),
            provider("all", ScriptedProvider()),
            users=frozenset({"anna", "ben"}),
        )
        assert await asked(home, None, caller=Caller("anna")) == "None: annas"
        assert await asked(home, None, caller=Caller("ben")) == "None: all"
        assert await asked(home, None, caller=Caller("eve", admin=True)) == "not_allowed"
        assert await asked(home, None, caller=Caller()) == "None: annas"
        plan = home.router.plan(ask(caller=Caller("ben")))
        assert [(each.target.provider_id, each.why) for each in plan.left_out] == [("annas", Why.NOT_ALLOWED)]
        home.configure(provider("all", client), users=frozenset({"anna"}), automations=frozenset({"dawn"}))
        for caller, answer in (
            (Caller(automation="dawn"), "None: all"),
            (Caller(automation="dusk"), "not_allowed"),
            (Caller("anna"), "None: all"),
            (Caller("anna", automation="dusk"), "not_allowed"),
            (Caller("ben", automation="dawn"), "not_allowed"),
            (Caller(), "None: all"),
        ):
            assert await asked(home, None, caller=caller) == answer
        home.configure(provider("annas", client, users=frozenset()))
        assert await asked(home, None, caller=Caller("anna")) == "no_capable_target"
        assert await asked(home, None, caller=Caller()) == "None: annas"

    run(main)


def test_who_may_not_ask_gets_no_kept_answer_either() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider()), users=frozenset({"anna"}))
        words = {"cache_mode": CacheMode.USE}
        assert await asked(home, None, caller=Caller("anna"), **words) == "None: a"
        assert await asked(home, None, caller=Caller("eve"), **words) == "not_allowed"
        assert await asked(home, None, caller=Caller("eve"), cache_mode=CacheMode.ONLY) == "not_allowed"

    run(main)


@pytest.mark.parametrize(
    ("pattern", "models"),
    [
        ("llama3:8b", ["Llama3:8b"]),
        ("LLAMA*", ["Llama3:8b", "llama-vision"]),
        ("*vision", ["llama-vision"]),
        ("gpt-?", ["gpt-5"]),
        ("odd[1]", ["odd[1]"]),
        ("nothing*", []),
    ],
)
def test_models_are_named_or_matched(pattern: str, models: list[str]) -> None:
    async def main(clock: LoopClock) -> None:
        ids = ["Llama3:8b", "llama-vision", "gpt-5", "odd[1]"]
        home = Home(clock, provider("a", ScriptedProvider(), models=tuple(Model(name, prices=FREE) for name in ids)))
        plan = home.router.plan(ask(pins=Pins(models=(pattern,))))
        assert [each.target.model_id for each in plan.candidates] == models

    run(main)


@pytest.mark.parametrize(
    ("needs", "why"),
    [(Capability.STREAMING, Why.NO_STREAMING), (Capability.REASONING, Why.LACKS_CAPABILITY)],
)
def test_what_a_model_lacks_is_told(needs: Capability, why: Why) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(), caps=Capability.CHAT))
        plan = home.router.plan(ask(needs=Capability.CHAT | needs))
        assert [each.why for each in plan.left_out] == [why]

    run(main)


def test_a_model_that_cannot_stream_is_not_asked_to() -> None:
    async def main(clock: LoopClock) -> None:
        still, fluent = ScriptedProvider(), ScriptedProvider()
        home = Home(clock, provider("a", still, caps=Capability.CHAT), provider("b", fluent))
        await home.router.process(ask(pins=Pins(providers=("a",))))
        await home.router.process(ask(pins=Pins(providers=("b",))))
        assert [still.calls[0].stream, fluent.calls[0].stream] == [False, True]

    run(main)


def test_a_target_that_was_too_slow_lately_is_left_out_until_that_is_long_ago() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("slow", ScriptedProvider([5.0, "slow", Finish.STOP]), priority=1),
            provider("quick", ScriptedProvider([1.0, "quick", Finish.STOP])),
        )
        hurried = {"bounds": Bounds(max_latency=2.0)}
        # Of whom nothing is known, nothing is held against.
        assert await asked(home, None, **hurried) == "None: slow"
        assert await asked(home, None, **hurried) == "None: quick"
        plan = home.router.plan(ask(**hurried))
        assert [(each.target.provider_id, each.why) for each in plan.left_out] == [("slow", Why.TOO_SLOW)]
        assert await asked(home, None) == "None: slow"
        await asyncio.sleep(700)
        assert await asked(home, None, **hurried) == "None: slow"

    run(main)


def test_one_providers_settings_change_while_others_run() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()

        def script(_: int) -> list[Any]:
            return [gate, "done", Finish.STOP]

        clients = {name: ScriptedProvider(script) for name in "abc"}

        def providers(**changed: Any) -> list[Any]:
            return [
                provider(name, client, prices=PAID, requests_per_minute=500, **(changed if name == "b" else {}))
                for name, client in clients.items()
            ]

        members = pools(pool("p", "a", "c", budgets=(Budget(Window.DAY, 1_000 * CENT),)))
        home = Home(clock, *providers(), pools=members)
        router = home.router
        tasks = [
            asyncio.create_task(router.process(ask(id=str(n), pins=Pins(providers=("abc"[n % 3],))))) for n in range(90)
        ]
        tasks += [asyncio.create_task(router.process(ask(id=str(n), pins=Pins(pool="p")))) for n in range(90, 100)]
        await asyncio.sleep(1)
        before = (
            router.admission.requests_last_minute("a"),
            router.admission.slots("a").used,
            dict(router._usual._ratios),
            router.recent("a"),
        )
        for n in range(20):
            home.configure(
                *providers(priority=n, concurrent=50 + n, budgets=(Budget(Window.DAY, (n + 30) * CENT),)), pools=members
            )
            await asyncio.sleep(0.01)
        assert before == (
            router.admission.requests_last_minute("a"),
            router.admission.slots("a").used,
            dict(router._usual._ratios),
            router.recent("a"),
        )
        gate.set()
        replies = await asyncio.gather(*tasks)
        assert all(isinstance(reply, Reply) and reply.text == "done" for reply in replies)
        assert sum(len(client.calls) for client in clients.values()) == 100
        assert home.ledger.spent == 100 * CENT
        home.assert_nothing_left()

    run(main)
