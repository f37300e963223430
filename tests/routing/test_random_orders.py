"""Random orders of requests, failures, cancels and changes: what must hold, holds in each of them."""

import asyncio
import contextlib
import random
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custom_components.ai_router.routing.budgets import Budget, MoneyBucket
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.config import Member, PoolConfig
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.fleet import pool_money
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.ports import AttemptEnded, AttemptStarted, Spending
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Bounds, Caller, Pins, Request
from custom_components.ai_router.routing.tickets import Scope, Ticket, Unit, Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, prices, provider, run

LIMIT = 60_000
POOL_LIMIT = 25_000
ENDINGS: list[list[Any]] = [
    ["word ", 0.5, "word", Usage(fresh_in=3, text_out=2), Finish.STOP],
    ["word", Finish.STOP],
    [2.0, "late", Finish.STOP],
    ["cut"],
    [40.0],
    [Failure(FailureClass.NETWORK, Phase.UNSENT, "refused")],
    [Failure(FailureClass.TRANSIENT, Phase.SENT, status=500, billed=Billed.NO)],
    [Failure(FailureClass.RATE_LIMIT, Phase.SENT, status=429, billed=Billed.NO)],
    [Failure(FailureClass.UNKNOWN, Phase.SENT)],
    [RuntimeError("bug")],
]


class Checked:
    """A home whose every start is checked against its hard budgets."""

    def __init__(self, clock: LoopClock, chance: random.Random) -> None:
        self.chance = chance
        self.clients = [ScriptedProvider(lambda _: chance.choice(ENDINGS)) for _ in range(3)]
        self.home = Home(clock, *self.providers(), **self.settings())
        self.by_pool: dict[str | None, int] = {}
        self.home.router.subscribe(self.check)
        self.worst = 0

    def providers(self) -> list[Any]:
        return [
            provider(
                f"p{n}",
                client,
                prices=prices(1 / 1000, 2 / 1000, per_request=self.chance.choice([0, 500])),
                budgets=(Budget(Window.DAY, LIMIT),),
                requests_per_minute=self.chance.choice([None, 5, 50]),
                concurrent=self.chance.choice([None, 2]),
            )
            for n, client in enumerate(self.clients)
        ]

    def settings(self) -> dict[str, Any]:
        """Make a pool with a small budget, which hands over at its cap, and one that stands in for it."""
        pools = {
            "small": PoolConfig(
                "small",
                "Small",
                (Member("p0"), Member("p1")),
                fallback="other",
                at_cap=self.chance.choice([None, "other"]),
                budgets=(Budget(Window.DAY, POOL_LIMIT), Budget(Window.MONTH, POOL_LIMIT * 2)),
            ),
            "other": PoolConfig("other", "Other", (Member("p1"), Member("p2")), fallback="small"),
        }
        return {"budgets": (Budget(Window.DAY, 3 * LIMIT),), "pools": pools}

    def check(self, event: object) -> None:
        if isinstance(event, AttemptEnded):
            pool = event.attempt.pool
            self.by_pool[pool] = self.by_pool.get(pool, 0) + event.attempt.outcome.cost
        if not isinstance(event, AttemptStarted):
            return
        admission = self.home.router.admission
        for key in event.ticket.takes:
            if key.unit is not Unit.MONEY:
                continue
            bucket = admission.money(key)
            account = bucket.account
            if bucket.limit is not None:
                assert account.settled + account.held <= bucket.limit

    def question(self, bounds: Bounds) -> Request:
        pins = Pins(pool=self.chance.choice([None, "small", "other"]))
        return ask("x" * self.chance.randrange(1, 3_000), bounds=bounds, pins=pins)

    async def request(self) -> None:
        bounds = Bounds(timeout=self.chance.choice([1.0, 10.0, 60.0]), max_output=self.chance.choice([1, 10]))
        began = self.home.clock.monotonic()
        work = self.home.router.process(self.question(bounds))
        task = asyncio.ensure_future(work)
        cancel_after = self.chance.choice([None, None, 0.0, 0.1, 1.0, 5.0])
        if cancel_after is not None:
            asyncio.get_running_loop().call_later(cancel_after, task.cancel)
        with contextlib.suppress(RequestFailed, asyncio.CancelledError):
            await task
        assert self.home.clock.monotonic() - began <= (bounds.timeout or 0) + 0.001

    def check_end(self) -> None:
        home = self.home
        home.assert_nothing_left()
        counted = dict.fromkeys(home.router.config.providers, 0)
        admission = home.router.admission
        for lane in home.router._dispatcher.planner.fleet:
            account = admission.money(lane.money[0]).account
            counted[lane.provider.id] = account.settled
        assert sum(counted.values()) == home.ledger.spent
        over = sum(
            max(0, outcome.cost - home.ledger.holds.get(attempt, 0)) for attempt, outcome in home.ledger.settled.items()
        )
        for spent in counted.values():
            assert spent <= LIMIT + over
        for pool in home.router.config.pools.values():
            settled = [admission.money(key).account.settled for key in pool_money(pool)]
            assert settled == [self.by_pool.get(pool.id, 0)] * len(settled)
        assert self.by_pool.get("small", 0) <= POOL_LIMIT + over


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_money_slots_and_probes_hold_in_any_order(seed: int) -> None:
    async def main(clock: LoopClock) -> None:
        checked = Checked(clock, random.Random(seed))
        tasks = []
        for _ in range(40):
            tasks.append(asyncio.create_task(checked.request()))
            await asyncio.sleep(checked.chance.choice([0, 0, 0.3, 7.0]))
            if checked.chance.random() < 0.1:
                checked.home.configure(*checked.providers(), **checked.settings())
        await asyncio.gather(*tasks)
        checked.check_end()

    run(main)


def test_10_000_random_cancels_leave_nothing_behind() -> None:
    async def main(clock: LoopClock) -> None:
        chance = random.Random(11)
        clients = [ScriptedProvider(lambda _: chance.choice(ENDINGS)) for _ in range(2)]
        home = Home(clock, *(provider(f"p{n}", client, prices=prices(1, 2)) for n, client in enumerate(clients)))
        home.ledger.delay = 0.01

        async def one() -> None:
            task = asyncio.ensure_future(home.router.process(ask()))
            await asyncio.sleep(chance.choice([0, 0, 0.005, 0.01, 0.1, 1, 3]))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        for _ in range(100):
            await asyncio.gather(*(one() for _ in range(100)))
        home.assert_nothing_left()
        for n in range(2):
            assert not home.router.admission.breakers.of(Target(f"p{n}", "m")).probing
            assert clients[n].running == 0

    run(main)


class Moving(Checked):
    """A home in which providers go and come back, keys, budgets, weeks and clocks change, whatever is under way."""

    def __init__(self, clock: LoopClock, chance: random.Random) -> None:
        self.spent: list[Spending] = []
        self.days: dict[str, Ticket] = {}
        super().__init__(clock, chance)

    def check(self, event: object) -> None:
        super().check(event)
        if isinstance(event, AttemptStarted):
            self.days[event.ticket.attempt_id] = event.ticket
        elif isinstance(event, AttemptEnded):
            attempt, request = event.attempt, event.request
            ticket = self.days[attempt.id]
            who, label, cost = request.caller.user_id or "", request.label or "", attempt.outcome.cost
            self.spent.append(Spending(ticket.day, attempt.target.provider_id, who, label, cost, attempt.pool or ""))

    def question(self, bounds: Bounds) -> Request:
        caller = Caller(self.chance.choice([None, "ann", "bob"]))
        return replace(super().question(bounds), caller=caller, label=self.chance.choice([None, "door"]))

    def settings(self) -> dict[str, Any]:
        week, total = Budget(Window.WEEK, LIMIT), Budget(Window.TOTAL, LIMIT)
        changing: dict[str, Any] = {
            "user_budgets": self.chance.choice([{}, {"*": (total,)}, {"ann": (week,), "*": (total,)}]),
            "label_budgets": self.chance.choice([{}, {"door": (week,)}]),
            "week_start": self.chance.choice([0, 6]),
            "local_only": self.chance.random() < 0.1,
        }
        settings = super().settings() | changing
        settings["budgets"] += self.chance.choice([(), (week,)])
        return settings

    def move(self) -> None:
        here = [each for each in self.providers() if self.chance.random() < 0.8]
        keyed = [replace(each, credential=self.chance.choice(["old", "new"])) for each in here]
        self.home.configure(*keyed, history=self.spent, **self.settings())

    def check_end(self) -> None:
        home = self.home
        self.home.configure(*self.providers(), history=self.spent, **self.settings())
        home.assert_nothing_left()
        admission, calendar = home.router.admission, home.router.admission.calendar
        assert sum(row.cost for row in self.spent) == home.ledger.spent
        for key, bucket in admission._buckets.items():
            if not isinstance(bucket, MoneyBucket):
                continue
            now = calendar.window_id(key.window, home.clock.now())
            owner = {Scope.PROVIDER: 1, Scope.USER: 2, Scope.LABEL: 3, Scope.POOL: 5}.get(key.scope)
            counted = sum(
                row.cost
                for row in self.spent
                if calendar.window_of_day(key.window, row.day) == now and (owner is None or row[owner] == key.id)
            )
            assert (key, bucket.account.settled, bucket.account.held) == (key, counted, 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_every_bucket_counts_what_the_ledger_does_whatever_changes_meanwhile(seed: int) -> None:
    async def main(clock: LoopClock) -> None:
        moving = Moving(clock, random.Random(seed))
        tasks = []
        for _ in range(40):
            tasks.append(asyncio.create_task(moving.request()))
            await asyncio.sleep(moving.chance.choice([0, 0, 0.3, 7.0]))
            if moving.chance.random() < 0.2:
                moving.move()
            if moving.chance.random() < 0.05:
                clock.shift += moving.chance.choice([-3_600, 3_600, 86_400])
        await asyncio.gather(*tasks)
        moving.check_end()

    run(main)
