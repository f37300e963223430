"""Only tighten: nothing that router, rules, pools and request say together lets through what one of them forbids.

What may be sent is worked out here a second time, in the plainest way: from what each of them says by itself.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custom_components.ai_router.routing.budgets import AtCap, Budget
from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.config import Conditions, Member, PoolConfig, ProviderConfig, RuleConfig
from custom_components.ai_router.routing.failures import MEANING, Billed, FailureClass
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.outcome import Attempt
from custom_components.ai_router.routing.ports import AttemptStarted, RequestEnded
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Bounds, Caller, Pins, Request
from custom_components.ai_router.routing.tickets import Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, prices, provider, run

NAMES = "abcdef"
POOLS = "PQRS"
USERS = [None, "anna", "ben"]
AUTOMATIONS = [None, "dawn", "dusk"]
STRATEGIES = ["priority", "round_robin", "weighted", "random", "least_loaded", "fastest", "cheapest", "experiment"]
GOING_ON = [cls for cls, meaning in MEANING.items() if meaning.next]


class House:
    """A household drawn by chance, and what it allows."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.providers = [self._provider(name) for name in NAMES]
        self.pools = {name: self._pool(name) for name in POOLS}
        self.rules = tuple(self._rule(str(number)) for number in range(chance.randrange(5)))
        self.config: dict[str, Any] = {
            "pools": self.pools,
            "rules": self.rules,
            "users": self._some_users(),
            "automations": self._maybe(frozenset(chance.sample(["dawn", "dusk"], chance.randrange(3))), 0.15),
            "local_only": chance.random() < 0.1,
            "bounds": self._bounds(timeout=60.0),
            "at_cap": chance.choice(list(AtCap)),
            "strategy": chance.choice(STRATEGIES),
        }

    def _maybe[T](self, value: T, share: float = 0.3) -> T | None:
        return value if self.chance.random() < share else None

    def _some_users(self) -> frozenset[str] | None:
        return self._maybe(frozenset(self.chance.sample(["anna", "ben"], self.chance.randrange(3))), 0.15)

    def _bounds(self, **fields: Any) -> Bounds:
        chance = self.chance
        return Bounds(
            max_output=self._maybe(chance.choice([20, 50, 100])),
            max_cost=self._maybe(chance.choice([0, 2_000_000, 150_000_000, 10**9])),
            attempts=self._maybe(chance.randrange(1, 4)),
            **fields,
        )

    def _script(self) -> Any:
        chance = self.chance

        def script(_: int) -> Any:
            if chance.random() < 0.4:
                return ["ok", Finish.STOP]
            return failing(chance.choice(GOING_ON), billed=chance.choice(list(Billed)))

        return script

    def _provider(self, name: str) -> ProviderConfig:
        chance = self.chance
        return provider(
            name,
            ScriptedProvider(self._script()),
            local=chance.random() < 0.5,
            prices=chance.choice([prices(), prices(0.1, 0.1), prices(10, 10), None]),
            priority=chance.randrange(3),
            users=self._some_users(),
            enabled=chance.random() < 0.9,
        )

    def _pool(self, name: str) -> PoolConfig:
        chance = self.chance
        members = chance.sample(NAMES, chance.randrange(1, 4))
        return PoolConfig(
            name,
            name,
            tuple(Member(member, chance.choice([None, "m"]), chance.choice([0.0, 1.0, 5.0])) for member in members),
            strategy=self._maybe(chance.choice(STRATEGIES)),
            fallback=self._maybe(chance.choice(POOLS), 0.6),
            at_cap=self._maybe(chance.choice(POOLS), 0.3),
            local_only=chance.random() < 0.25,
            bounds=self._bounds(),
            budgets=(Budget(Window.DAY, chance.choice([0, 10**9])),) if chance.random() < 0.3 else (),
        )

    def _rule(self, name: str) -> RuleConfig:
        chance = self.chance
        when = Conditions(labels=frozenset({chance.choice("xy")})) if chance.random() < 0.7 else None
        return RuleConfig(
            name,
            name,
            when,
            priority=chance.randrange(3),
            enabled=chance.random() < 0.9,
            pool=self._maybe(chance.choice(POOLS), 0.5),
            providers=tuple(self._maybe(chance.sample(NAMES, 4)) or ()),
            local_only=chance.random() < 0.2,
            bounds=self._bounds(),
        )

    def request(self, number: int) -> Request:
        chance = self.chance
        return ask(
            "x" * chance.randrange(1, 300),
            id=str(number),
            caller=Caller(chance.choice(USERS), automation=chance.choice(AUTOMATIONS)),
            label=chance.choice([None, "x", "y"]),
            local_only=chance.random() < 0.15,
            bounds=self._bounds(),
            pins=Pins(
                pool=self._maybe(chance.choice(POOLS), 0.6),
                providers=tuple(self._maybe(chance.sample(NAMES, 3), 0.15) or ()),
                targets=tuple(Target(name, "m") for name in self._maybe(chance.sample(NAMES, 3), 0.15) or ()),
                exclude=tuple(self._maybe(chance.sample(NAMES, 1), 0.15) or ()),
                prefer=tuple(self._maybe(chance.sample(NAMES, 2), 0.15) or ()),
                strategy=self._maybe(chance.choice(STRATEGIES), 0.2),
            ),
        )

    # --- what is allowed -----------------------------------------------------------------------------

    def _members(self, pool: str) -> set[str]:
        return {member.provider_id for member in self.pools[pool].members}

    def _ways(self, pool: str, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """Walk every way through the pools that meets none twice."""
        way = (*way, pool)
        yield way
        for after in (self.pools[pool].fallback, self.pools[pool].at_cap):
            if after is not None and after not in way:
                yield from self._ways(after, way)

    def matching(self, request: Request) -> list[RuleConfig]:
        found = [
            rule for rule in self.rules if rule.enabled and (rule.when is None or request.label in rule.when.labels)
        ]
        return sorted(found, key=lambda rule: -rule.priority)

    def allows(self, request: Request, attempt: Attempt, max_output: int, hold: int, before: Sequence[Attempt]) -> bool:
        """Say whether nobody forbids this attempt, after those `before` it."""
        spent = sum(each.outcome.cost for each in before)
        name = attempt.target.provider_id
        chosen = next(each for each in self.providers if each.id == name)
        rules = self.matching(request)
        asked = request.pins.pool
        points = next((rule for rule in rules if rule.pool or rule.providers), None)
        begins = (points and points.pool) or asked

        def fits(bounds: Bounds) -> bool:
            return (
                (bounds.max_output is None or max_output <= bounds.max_output)
                and (bounds.max_cost is None or not hold or spent + hold <= bounds.max_cost)
                and (bounds.attempts is None or len(before) < bounds.attempts)
            )

        def permits(pool: str) -> bool:
            return (chosen.models[0].local or not self.pools[pool].local_only) and fits(self.pools[pool].bounds)

        local = chosen.models[0].local
        user, automation = request.caller.user_id, request.caller.automation
        automations = self.config["automations"]
        pins = request.pins
        return (
            chosen.enabled
            and (local or not (self.config["local_only"] or request.local_only or any(r.local_only for r in rules)))
            and all(users is None or user is None or user in users for users in (self.config["users"], chosen.users))
            and (automations is None or automation is None or automation in automations)
            and all(fits(bounds) for bounds in (self.config["bounds"], request.bounds, *(r.bounds for r in rules)))
            and (not pins.providers or name in pins.providers)
            and (not pins.targets or attempt.target in pins.targets)
            and name not in pins.exclude
            and (points is None or not points.providers or name in points.providers)
            and (attempt.pool is None) == (begins is None)
            and (
                begins is None
                or attempt.pool is None
                or (
                    name in self._members(attempt.pool)
                    and any(way[-1] == attempt.pool and all(map(permits, way)) for way in self._ways(begins))
                )
            )
            and (
                asked is None
                or asked == begins
                or any(name in self._members(way[-1]) and all(map(permits, way)) for way in self._ways(asked))
            )
        )


class Watched:
    """A house whose every attempt is held against what is allowed."""

    def __init__(self, clock: LoopClock, chance: random.Random) -> None:
        self.house = House(chance)
        self.home = Home(clock, *self.house.providers, chance=chance.random, **self.house.config)
        self.holds: dict[str, int] = {}
        self.attempts = 0
        self.home.router.subscribe(self.hear)

    def hear(self, event: object) -> None:
        if isinstance(event, AttemptStarted):
            self.holds[event.ticket.attempt_id] = event.ticket.hold
        elif isinstance(event, RequestEnded):
            for number, attempt in enumerate(event.attempts):
                self.attempts += 1
                client = next(each.client for each in self.house.providers if each.id == attempt.target.provider_id)
                assert isinstance(client, ScriptedProvider)
                # One request at a time: the last calls are its own, in their order.
                mine = [each for each in event.attempts if each.target == attempt.target]
                call = client.calls[len(client.calls) - len(mine) + mine.index(attempt)]
                hold = self.holds[attempt.id]
                assert self.house.allows(event.request, attempt, call.max_output, hold, event.attempts[:number]), (
                    event.request,
                    attempt,
                    call.max_output,
                    hold,
                    self.house.config,
                )

    async def ask(self, number: int) -> None:
        with contextlib.suppress(RequestFailed):
            await self.home.router.process(self.house.request(number))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_only_tighten(seed: int) -> None:
    async def main(clock: LoopClock) -> None:
        watched = Watched(clock, random.Random(seed))
        for number in range(12):
            await watched.ask(number)
            await asyncio.sleep(1_000)
        watched.home.assert_nothing_left()

    run(main)


def test_something_was_sent_at_all() -> None:
    """Without attempts the test above would show nothing."""

    async def main(clock: LoopClock) -> None:
        attempts = 0
        for seed in range(45):
            watched = Watched(clock, random.Random(seed))
            for number in range(12):
                await watched.ask(number)
                await asyncio.sleep(1_000)
            attempts += watched.attempts
        assert attempts > 200

    run(main)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9), st.sampled_from(["request", "rule", "pool", "router", "next pool", "asked pool"]))
def test_local_only_reaches_nobody_else_whatever_fails(seed: int, who: str) -> None:
    """`next pool`: only what comes by the fallback; `asked pool`: the same, where a rule leads elsewhere."""

    async def main(clock: LoopClock) -> None:
        chance = random.Random(seed)
        clients = {name: ScriptedProvider(lambda _: failing(chance.choice(GOING_ON))) for name in NAMES}
        local = {name: chance.random() < 0.5 for name in NAMES}
        providers = [
            provider(name, client, local=local[name], priority=chance.randrange(3)) for name, client in clients.items()
        ]
        order = chance.sample(NAMES, len(NAMES))
        later = who in ("next pool", "asked pool")
        first = tuple(Member(name) for name in order[:2])
        pools = {
            "p": PoolConfig("p", "P", first, fallback="q", local_only=who == "pool"),
            "q": PoolConfig("q", "Q", tuple(map(Member, order[2:4])), fallback="r", at_cap="r", local_only=later),
            "r": PoolConfig("r", "R", tuple(map(Member, order[4:])), fallback="p", at_cap="p"),
            "t": PoolConfig("t", "T", tuple(map(Member, order))),
        }
        rules: tuple[RuleConfig, ...] = ()
        if who in ("rule", "asked pool"):
            rules = (RuleConfig("r", "R", Conditions(), local_only=who == "rule", pool=None if who == "rule" else "t"),)
        home = Home(clock, *providers, pools=pools, rules=rules, local_only=who == "router")
        for _ in range(8):
            strategy = chance.choice(STRATEGIES)
            request = ask(pins=Pins(pool="p", strategy=strategy), local_only=who == "request")
            await asyncio.gather(home.router.process(request), return_exceptions=True)
            await asyncio.sleep(chance.choice([0, 1, 100]))
        for name, client in clients.items():
            assert local[name] or not client.calls or (later and name in order[:2])

    run(main)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_no_target_is_tried_twice_while_another_is_left(seed: int) -> None:
    async def main(clock: LoopClock) -> None:
        chance = random.Random(seed)
        clients = {name: ScriptedProvider(failing(FailureClass.TRANSIENT)) for name in NAMES}
        pools = {
            name: PoolConfig(
                name,
                name,
                tuple(Member(each) for each in chance.sample(NAMES, 3)),
                fallback=chance.choice(POOLS),
                at_cap=chance.choice(POOLS),
            )
            for name in POOLS
        }
        home = Home(clock, *(provider(name, client) for name, client in clients.items()), pools=pools)
        request = ask(pins=Pins(pool="P", strategy=chance.choice(STRATEGIES)))
        able = {target.provider_id for target in home.router._dispatcher.planner.able(home.router._ask(request))}
        (error,) = await asyncio.gather(home.router.process(request), return_exceptions=True)
        assert isinstance(error, RequestFailed)
        tried = [attempt.target.provider_id for attempt in error.attempts]
        # `able` counts the ways at a cap too; without a budget only the fallbacks are gone to.
        reached, way = set(), "P"
        seen: set[str] = set()
        while way not in seen:
            seen.add(way)
            reached |= {member.provider_id for member in pools[way].members}
            way = pools[way].fallback or way
        assert reached <= able
        assert len(set(tried[: len(reached)])) == len(reached)
        assert set(tried) == reached

    run(main)
