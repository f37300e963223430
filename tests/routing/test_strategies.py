"""Each way to choose against its definition, and what holds for all of them."""

import asyncio
import pickle
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, override

import pytest

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.config import Member, PoolConfig
from custom_components.ai_router.routing.failures import Failure, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.outcome import Outcome
from custom_components.ai_router.routing.plans import Because, Plan, Reason, Why
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Pins
from custom_components.ai_router.routing.strategies import STRATEGIES, Choice, Ranked, Strategy

from .simulated_fleet import Simulated, burst, series
from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, prices, provider, run

EVERY = ["priority", "round_robin", "weighted", "random", "least_loaded", "fastest", "cheapest", "adaptive", "manual"]
EVEN = ["round_robin", "weighted", "least_loaded", "fastest"]
ALL = Pins(providers=("a", "b", "c"))


def three(clock: LoopClock, strategy: str, *, weights: Sequence[float] = (1, 1, 1), **settings: Any) -> Home:
    """Build a house of three providers: a, b and c."""
    clients = settings.pop("clients", None) or [ScriptedProvider() for _ in weights]
    settings.setdefault("chance", Random(1).random)
    each = [
        provider(name, client, weight=weight) for name, client, weight in zip("abc", clients, weights, strict=False)
    ]
    return Home(clock, *each, strategy=strategy, **settings)


def order(plan: Plan) -> str:
    """Return the providers of a plan in order."""
    return "".join(candidate.target.provider_id for candidate in plan.candidates)


def whys(plan: Plan | None) -> dict[str, Why]:
    """Return why each provider was left out."""
    return {} if plan is None else {left_out.target.provider_id: left_out.why for left_out in plan.left_out}


async def one_by_one(home: Home, count: int, **fields: Any) -> str:
    """Send requests one after the other; return who answered."""
    return "".join([(await home.router.process(ask(**fields))).target.provider_id for _ in range(count)])


# --- by turns ----------------------------------------------------------------------------------------


def test_round_robin_takes_turns() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "round_robin")
        assert await one_by_one(home, 7) == "abcabca"
        assert order(home.router.plan(ask())) == "bca"

    run(main)


def test_who_was_away_gets_one_turn_and_not_all_it_missed() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "round_robin")
        assert await one_by_one(home, 6, pins=Pins(exclude=("b",))) == "acacac"
        assert await one_by_one(home, 6) == "bacbac"

    run(main)


def test_the_turns_of_a_dead_one_go_to_the_others_alike() -> None:
    async def main(clock: LoopClock) -> None:
        dead = ScriptedProvider(failing(FailureClass.TRANSIENT))
        home = three(clock, "round_robin", clients=[ScriptedProvider(), dead, ScriptedProvider()])
        answered = Counter(await one_by_one(home, 40))
        assert abs(answered["a"] - answered["c"]) <= 2

    run(main)


def test_weighted_is_smooth() -> None:
    """The example of its inventor: 5, 1 and 1 are spread, not bunched."""

    async def main(clock: LoopClock) -> None:
        home = three(clock, "weighted", weights=(5, 1, 1))
        assert await one_by_one(home, 14) == "aabacaa" * 2

    run(main)


@pytest.mark.parametrize("weights", [(5, 3, 2), (0.005, 0.003, 0.002), (500, 300, 200)])
def test_shares_are_those_of_the_weights(weights: Sequence[float]) -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "weighted", weights=weights)
        answered = await one_by_one(home, 100)
        assert Counter(answered) == {"a": 50, "b": 30, "c": 20}
        for start in range(0, 100, 10):
            assert Counter(answered[start : start + 10]) == {"a": 5, "b": 3, "c": 2}

    run(main)


def test_a_weight_of_zero_is_off_also_when_all_others_fail() -> None:
    async def main(clock: LoopClock) -> None:
        off = ScriptedProvider()
        bad = [ScriptedProvider(failing(FailureClass.TRANSIENT)) for _ in range(2)]
        home = three(clock, "weighted", weights=(1, 0, 1), clients=[bad[0], off, bad[1]])
        for _ in range(10):
            with pytest.raises(RequestFailed) as caught:
                await home.router.process(ask())
        assert not off.calls
        assert whys(caught.value.plan)["b"] is Why.NO_SHARE

    run(main)


def test_only_weights_of_zero_are_a_clear_refusal() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "weighted", weights=(0, 0, 0))
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.NO_CAPABLE_TARGET
        assert set(whys(caught.value.plan).values()) == {Why.NO_SHARE}

    run(main)


def test_changed_weights_leave_no_debts() -> None:
    async def main(clock: LoopClock) -> None:
        clients = [ScriptedProvider() for _ in range(2)]
        home = Home(
            clock, provider("a", clients[0], weight=1000), provider("b", clients[1], weight=1), strategy="weighted"
        )
        await one_by_one(home, 300)
        home.configure(provider("a", clients[0], weight=1), provider("b", clients[1], weight=1), strategy="weighted")
        assert Counter(await one_by_one(home, 10))["a"] in (4, 5, 6)

    run(main)


def test_who_was_limited_does_not_get_all_at_once_afterwards() -> None:
    async def main(clock: LoopClock) -> None:
        limited, other = ScriptedProvider(), ScriptedProvider()
        home = Home(clock, provider("a", limited, requests_per_minute=1), provider("b", other), strategy="weighted")
        await one_by_one(home, 100)
        home.configure(provider("a", limited), provider("b", other), strategy="weighted")
        assert Counter(await one_by_one(home, 20))["a"] in (9, 10, 11, 12)

    run(main)


def test_a_preference_is_not_paid_back() -> None:
    """Who could not have had a request gains nothing by it."""

    async def main(clock: LoopClock) -> None:
        home = three(clock, "weighted")
        assert await one_by_one(home, 50, pins=Pins(prefer=("a",))) == "a" * 50
        assert Counter(await one_by_one(home, 9)) == {"a": 3, "b": 3, "c": 3}

    run(main)


def test_a_pool_takes_its_own_turns_with_its_own_weights() -> None:
    async def main(clock: LoopClock) -> None:
        members = (Member("a", weight=3), Member("b", weight=1), Member("c", weight=0))
        pools = {"p": PoolConfig("p", "Pool", members, strategy="weighted")}
        home = three(clock, "round_robin", pools=pools)
        assert await one_by_one(home, 2) == "ab"
        assert Counter(await one_by_one(home, 8, pins=Pins(pool="p"))) == {"a": 6, "b": 2}
        assert await one_by_one(home, 1) == "c"

    run(main)


# --- by chance, by load ------------------------------------------------------------------------------


def test_random_is_even_in_every_place() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "random")
        orders = Counter(order(home.router.plan(ask())) for _ in range(1_200))
        assert len(orders) == 6
        assert all(150 < count < 250 for count in orders.values())

    run(main)


def test_least_loaded_counts_what_is_under_way() -> None:
    async def main(clock: LoopClock) -> None:
        gate = asyncio.Event()
        clients = [ScriptedProvider([gate, "ok", Finish.STOP]) for _ in range(3)]
        home = three(clock, "least_loaded", clients=clients)
        tasks = []
        for pinned in ("a", "a", "b"):
            tasks.append(asyncio.create_task(home.router.process(ask(pinned, pins=Pins(providers=(pinned,))))))
            await asyncio.sleep(0)
        assert order(home.router.plan(ask())) == "cba"
        tasks.append(asyncio.create_task(home.router.process(ask("1"))))
        await asyncio.sleep(0)
        assert order(home.router.plan(ask()))[2] == "a"
        tasks[2].cancel()
        await asyncio.sleep(0.1)
        assert order(home.router.plan(ask()))[0] == "b"
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert {home.router.admission.load(Target(name, "m")) for name in "abc"} == {(0, 0)}
        home.assert_nothing_left()

    run(main)


def test_least_loaded_breaks_ties_by_chance() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "least_loaded")
        answered = Counter(await one_by_one(home, 300))
        assert all(70 < answered[name] < 130 for name in "abc")

    run(main)


@pytest.mark.parametrize("strategy", EVEN)
@pytest.mark.parametrize("before", [0, 30])
@pytest.mark.parametrize("seed", range(5))
def test_of_sixty_calls_at_once_at_most_24_go_to_one_of_three_equals(strategy: str, before: int, seed: int) -> None:
    figures = burst([Simulated(name) for name in "abc"], strategy, 60, before=before, seed=seed)
    assert figures.count().total() == 60
    assert max(figures.count().values()) <= 24


@pytest.mark.parametrize("strategy", EVEN)
def test_models_of_one_provider_share_as_well(strategy: str) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([1.0, "ok", Usage(fresh_in=10, text_out=5), Finish.STOP])
        one = provider("a", client)
        models = tuple(replace_id(one.models[0], name) for name in ("x", "y", "z"))
        home = Home(clock, provider("a", client, models=models), strategy=strategy, chance=Random(3).random)
        await asyncio.gather(*(home.router.process(ask(str(number))) for number in range(60)))
        assert max(Counter(call.target.model_id for call in client.calls).values()) <= 24

    run(main)


def replace_id(model: Any, name: str) -> Any:
    """Return a model under another name."""
    return type(model)(name, model.caps, model.context, model.max_output, model.prices, model.local)


# --- exactly what was named --------------------------------------------------------------------------


def test_manual_goes_exactly_where_it_was_told() -> None:
    async def main(clock: LoopClock) -> None:
        clients = [ScriptedProvider(failing(FailureClass.TRANSIENT)), ScriptedProvider(), ScriptedProvider()]
        home = three(clock, "priority", clients=clients)
        named = Pins(targets=(Target("a", "m"),), strategy="manual")
        with pytest.raises(RequestFailed):
            await home.router.process(ask(pins=named))
        assert not clients[1].calls
        assert not clients[2].calls
        reply = await home.router.process(
            ask(pins=Pins(targets=(Target("c", "m"), Target("a", "m")), strategy="manual"))
        )
        assert reply.target == Target("c", "m")
        assert order(reply.plan) == "ca"

    run(main)


def test_manual_without_a_name_is_a_clear_refusal() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "manual")
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.NO_CAPABLE_TARGET
        assert set(whys(caught.value.plan).values()) == {Why.NOT_NAMED}

    run(main)


# --- what holds for all ------------------------------------------------------------------------------


def test_the_names() -> None:
    assert set(EVERY) <= set(STRATEGIES)
    assert all(make().name == name for name, make in STRATEGIES.items())


def test_an_unknown_strategy_of_a_request_is_refused() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "priority")
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask(pins=Pins(strategy="best")))
        assert caught.value.code is RefusalCode.UNKNOWN_STRATEGY
        plan = home.router.plan(ask(pins=Pins(strategy="best")))
        assert not plan.candidates
        assert plan.confidence == 0
        assert Why.UNKNOWN_STRATEGY in whys(plan).values()
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize(
    ("pools", "routers", "used"),
    [("best", "random", "random"), ("best", "better", "priority"), (None, "better", "priority")],
)
def test_a_strategy_that_is_set_and_not_there_stops_nothing_and_it_is_said(
    pools: str | None, routers: str, used: str
) -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, routers, pools={"p": PoolConfig("p", "Pool", (Member("b"), Member("a")), strategy=pools)})
        pins = Pins(pool=None if pools is None else "p")
        plan = (await home.router.process(ask(pins=pins))).plan
        assert plan.strategy == used
        gone = Reason(Because.STRATEGY_GONE)
        assert plan.candidates
        assert all(candidate.reasons[-1] == gone for candidate in plan.candidates)
        known = home.router.plan(ask(pins=Pins(pool=pins.pool, strategy="random")))
        assert all(gone not in candidate.reasons for candidate in known.candidates)
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize(("pools", "routers"), [("best", "priority"), ("best", "random"), (None, "best")])
def test_a_weight_of_zero_stays_off_while_the_way_to_choose_is_gone(pools: str | None, routers: str) -> None:
    async def main(clock: LoopClock) -> None:
        members = (Member("a", weight=0), Member("b"), Member("c"))
        pool = {} if pools is None else {"p": PoolConfig("p", "Pool", members, strategy=pools)}
        off = ScriptedProvider()
        bad = [ScriptedProvider(failing(FailureClass.TRANSIENT)) for _ in range(2)]
        home = three(clock, routers, weights=(0, 1, 1), clients=[off, *bad], pools=pool)
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask(pins=Pins(pool="p" if pool else None)))
        assert not off.calls
        assert {attempt.target.provider_id for attempt in caught.value.attempts} == {"b", "c"}
        assert whys(caught.value.plan)["a"] is Why.NO_SHARE

    run(main)


def test_a_weight_of_zero_stays_off_while_the_way_to_choose_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(clock: LoopClock) -> None:
        monkeypatch.setitem(STRATEGIES, "broken", Broken)
        plan = three(clock, "broken", weights=(0, 1, 1)).router.plan(ask())
        assert (order(plan), whys(plan)) == ("bc", {"a": Why.NO_SHARE})

    run(main)


def test_a_fallback_pool_of_unknown_strategy_is_no_hindrance() -> None:
    async def main(clock: LoopClock) -> None:
        pools = {
            "p": PoolConfig("p", "Pool", (Member("a"),), fallback="q"),
            "q": PoolConfig("q", "Other", (Member("b"),), strategy="best"),
        }
        clients = [ScriptedProvider(lambda n: ["ok", Finish.STOP] if n == 1 else failing(FailureClass.TRANSIENT))] * 3
        home = three(clock, "priority", pools=pools, clients=clients)
        assert (await home.router.process(ask(pins=Pins(pool="p")))).target.provider_id == "a"
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask(pins=Pins(pool="p")))
        assert caught.value.code is RefusalCode.ALL_FAILED
        assert len(caught.value.attempts) == 3

    run(main)


@pytest.mark.parametrize("strategy", EVERY)
def test_a_dry_run_moves_nothing_and_tells_why(strategy: str) -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, strategy, weights=(1, 2, 3))
        await one_by_one(home, 5, pins=ALL)
        before = pickle.dumps(home.router._strategies)
        for _ in range(10):
            plan = home.router.plan(ask(pins=ALL))
            assert sorted(order(plan)) == ["a", "b", "c"]
            assert all(candidate.reasons for candidate in plan.candidates)
            assert 0 < plan.confidence < 1
            assert plan.strategy == strategy
        assert pickle.dumps(home.router._strategies) == before

    run(main)


@pytest.mark.parametrize("strategy", ["priority", "round_robin", "weighted", "cheapest"])
def test_a_dry_run_tells_who_comes_next(strategy: str) -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, strategy, weights=(1, 2, 3))
        for _ in range(20):
            planned = order(home.router.plan(ask()))
            reply = await home.router.process(ask())
            assert order(reply.plan) == planned

    run(main)


@pytest.mark.parametrize("strategy", EVERY)
def test_the_next_one_answers_when_two_are_dead(strategy: str) -> None:
    async def main(clock: LoopClock) -> None:
        dead = [ScriptedProvider(failing(FailureClass.TRANSIENT)) for _ in range(2)]
        home = three(clock, strategy, clients=[*dead, ScriptedProvider()])
        for _ in range(30):
            reply = await home.router.process(ask(pins=ALL))
            assert reply.target.provider_id == "c"
            assert len({attempt.target for attempt in reply.attempts}) == len(reply.attempts)
        home.assert_nothing_left()

    run(main)


@pytest.mark.parametrize("strategy", EVERY)
def test_preferred_ones_go_first_excluded_ones_nowhere_and_fallen_ones_last(strategy: str) -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, strategy)
        for _ in range(10):
            plan = home.router.plan(ask(pins=Pins(providers=("a", "b", "c"), prefer=("c", "b"))))
            assert order(plan) == "cba"
            assert sorted(order(home.router.plan(ask(pins=Pins(providers=("a", "b"), exclude=("a",)))))) == ["b"]
        down = Failure(FailureClass.TRANSIENT, Phase.SENT, "down", FailureScope.PROVIDER, status=500)
        clients = [ScriptedProvider([down]), ScriptedProvider(), ScriptedProvider()]
        both = provider("a", clients[0])
        models = tuple(replace_id(both.models[0], name) for name in ("m", "n"))
        home = Home(
            clock,
            provider("a", clients[0], models=models, priority=1),
            provider("b", clients[1]),
            strategy=strategy,
            chance=Random(2).random,
        )
        reply = await home.router.process(ask(pins=Pins(providers=("a", "b"), prefer=("a",))))
        assert [attempt.target.provider_id for attempt in reply.attempts] == ["a", "b"]

    run(main)


@pytest.mark.parametrize("strategy", EVERY)
def test_what_is_known_outlives_a_change_and_what_is_gone_is_forgotten(strategy: str) -> None:
    async def main(clock: LoopClock) -> None:
        clients = {name: ScriptedProvider() for name in "abc"}
        each = {name: provider(name, client) for name, client in clients.items()}
        home = Home(clock, *each.values(), strategy=strategy, chance=Random(1).random)
        await one_by_one(home, 20, pins=ALL)
        before = pickle.dumps(home.router._strategies._made)
        home.configure(*each.values(), strategy="priority", attempts=5)
        assert pickle.dumps(home.router._strategies._made) == before
        home.configure(each["a"], each["c"], strategy=strategy)
        assert b"providers" not in pickle.dumps(home.router._strategies._made)
        assert "'b'" not in state(home)
        assert await one_by_one(home, 3, pins=Pins(providers=("a", "c")))

    run(main)


def state(home: Home) -> str:
    """Return all that the strategies know, as text."""

    def seen(value: object) -> object:
        if isinstance(value, dict):
            return [(seen(key), seen(each)) for key, each in value.items()]
        if isinstance(value, (tuple, list)):
            return [seen(each) for each in value]
        return seen(vars(value)) if hasattr(value, "__dict__") else repr(value)

    return str(seen(home.router._strategies._made))


def test_an_attempt_that_ends_after_its_provider_went_leaves_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "round_robin", clients=[ScriptedProvider([5.0, "ok", Finish.STOP])] * 3)
        task = asyncio.create_task(home.router.process(ask()))
        await asyncio.sleep(1)
        home.configure(provider("c", ScriptedProvider()), strategy="round_robin")
        await task
        assert "'a'" not in state(home)
        assert home.router.admission.load(Target("a", "m")) == (0, 0)

    run(main)


class Backwards(Strategy):
    """The household's order from its end: as a plug-in would bring it."""

    name = "backwards"

    def __init__(self) -> None:
        self.took_targets: list[Target] = []
        self.learned: list[Outcome] = []

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        return [(offer, "from the end") for offer in reversed(choice.offers)]

    @override
    def took(self, choice: Choice, rivals: Any) -> None:
        self.took_targets.append(rivals[0].lane.target)

    @override
    def learn(self, ask: Any, target: Target, outcome: Outcome, now: float) -> None:
        self.learned.append(outcome)


def test_a_plug_in_may_bring_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "backwards")
        assert order((await home.router.process(ask())).plan) == "abc"
        mine = Backwards()
        monkeypatch.setitem(STRATEGIES, "backwards", lambda: mine)
        reply = await home.router.process(ask())
        assert order(reply.plan) == "cba"
        assert reply.plan.candidates[0].reasons == ("from the end",)
        assert mine.took_targets == [Target("c", "m")]
        assert len(mine.learned) == 1

    run(main)


class Broken(Strategy):
    """Fails in every way."""

    name = "broken"
    gives: ClassVar[int | None] = None

    @override
    def bars(self, choice: Choice, lane: Any) -> Why | None:
        raise ZeroDivisionError

    @override
    def order(self, choice: Choice) -> Sequence[Ranked]:
        if self.gives is None:
            raise ZeroDivisionError
        return [(offer, "") for offer in reversed(choice.offers)] * self.gives

    @override
    def took(self, choice: Choice, rivals: Any) -> None:
        raise ZeroDivisionError

    @override
    def learn(self, ask: Any, target: Target, outcome: Outcome, now: float) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("gives", [None, 0, 2])
def test_one_that_fails_stops_nothing(monkeypatch: pytest.MonkeyPatch, gives: int | None) -> None:
    async def main(clock: LoopClock) -> None:
        monkeypatch.setattr(Broken, "gives", gives)
        monkeypatch.setitem(STRATEGIES, "broken", Broken)
        home = three(clock, "broken")
        reply = await home.router.process(ask())
        assert order(reply.plan) == "abc"
        home.assert_nothing_left()

    run(main)


def test_a_cancelled_request_is_not_under_way_any_more() -> None:
    async def main(clock: LoopClock) -> None:
        home = three(clock, "least_loaded", clients=[ScriptedProvider([9.0, "ok", Finish.STOP]) for _ in range(3)])
        tasks = [asyncio.create_task(home.router.process(ask(str(number)))) for number in range(30)]
        await asyncio.sleep(1)
        assert [home.router.admission.load(Target(name, "m")).target for name in "abc"] == [10, 10, 10]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not home.router.admission._under_way
        home.assert_nothing_left()

    run(main)


def test_a_paid_attempt_counts_from_the_moment_it_is_chosen() -> None:
    """Also while its hold is being written: the others that come at once must see it."""

    async def main(clock: LoopClock) -> None:
        each = [provider(name, ScriptedProvider(), prices=prices(1, 1)) for name in "abc"]
        home = Home(clock, *each, strategy="least_loaded", chance=Random(1).random)
        home.ledger.delay = 1.0
        replies = await asyncio.gather(*(home.router.process(ask(str(number))) for number in range(60)))
        assert set(Counter(reply.target.provider_id for reply in replies).values()) == {20}

    run(main)


@pytest.mark.parametrize("strategy", EVERY)
def test_every_strategy_serves_a_fleet(strategy: str) -> None:
    fleet = [Simulated("a", success=0.7), Simulated("b", 2.0, 0.5), Simulated("c", 0.5, 0.5, dollars=(1, 2))]
    figures = series(fleet, strategy, 100, pins=ALL)
    assert figures.success == 1.0
