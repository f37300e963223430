"""What is learned outlives a restart, of the targets that are still there; what cannot be read is learned anew."""

import asyncio
import json
from typing import Any

import pytest

from custom_components.ai_router.routing.call import Usage
from custom_components.ai_router.routing.config import Member, PoolConfig
from custom_components.ai_router.routing.model import Model, Op, Target
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.plans import Because, Reason
from custom_components.ai_router.routing.request import Pins
from custom_components.ai_router.routing.strategies import STRATEGIES, Strategy
from custom_components.ai_router.routing.strategies.adaptive import AdaptiveStrategy, Arm, Kind
from custom_components.ai_router.routing.strategies.fastest import FastestStrategy, Pace, _Kind
from custom_components.ai_router.routing.usual import Usual

from .simulated_fleet import Simulated, fleet_home
from .simulation import Home, LoopClock, ScriptedProvider, ask, provider, run
from .test_strategies import order

LEARNERS = ["fastest", "adaptive", "random"]


def fleet() -> list[Simulated]:
    return [Simulated("slow", 3), Simulated("fast", 1), Simulated("gone", 2)]


async def taught(clock: LoopClock, strategy: str) -> Any:
    home = fleet_home(clock, fleet(), strategy)
    for _ in range(60):
        await home.router.process(ask(label="door"))
        await asyncio.sleep(60)
    return json.loads(json.dumps(home.router.memory.state()))


@pytest.mark.parametrize("strategy", LEARNERS)
def test_what_is_learned_outlives_a_restart(strategy: str) -> None:
    async def main(clock: LoopClock) -> None:
        state = await taught(clock, strategy)
        home = fleet_home(clock, fleet()[:2], strategy)
        unknown = home.router.memory.state()
        home.router.memory.restore(state)
        kept = json.loads(json.dumps(home.router.memory.state()))
        assert kept != json.loads(json.dumps(unknown))
        assert '"gone"' in json.dumps(state["strategies"])
        assert '"gone"' not in json.dumps(kept["strategies"]), "who is gone is forgotten"
        # Nothing that is still there was lost on the way, to the last figure.
        again = fleet_home(clock, fleet()[:2], strategy)
        again.router.memory.restore(kept)
        assert json.loads(json.dumps(again.router.memory.state())) == kept

    run(main)


def test_the_choice_after_a_restart_is_that_before_it() -> None:
    async def main(clock: LoopClock) -> None:
        state = await taught(clock, "fastest")
        home = fleet_home(clock, fleet()[:2], "fastest")
        home.router.memory.restore(state)
        plan = home.router.plan(ask())
        assert order(plan) == "fastslow"
        assert plan.candidates[0].reasons == (Reason(Because.PACE, seconds=pytest.approx(1, rel=0.2)),)

    run(main)


@pytest.mark.parametrize(
    ("strategy", "weights", "answered"), [("round_robin", (1, 1, 1), "abcabcab"), ("weighted", (5, 2, 1), "abaacaba")]
)
def test_whose_turn_it_is_outlives_a_restart(strategy: str, weights: tuple[int, ...], answered: str) -> None:
    """One request a day and a restart each night: everybody still gets his share."""

    async def main(clock: LoopClock) -> None:
        each = [provider(name, ScriptedProvider(), weight=weight) for name, weight in zip("abc", weights, strict=True)]
        pools = {"p": PoolConfig("p", "Pool", (Member("a"), Member("b")), strategy="round_robin")}
        state: Any = {}
        turns = pool_turns = ""
        for _ in range(8):
            home = Home(clock, *each, strategy=strategy, pools=pools)
            home.router.memory.restore(state)
            turns += (await home.router.process(ask())).target.provider_id
            pool_turns += (await home.router.process(ask(pins=Pins(pool="p")))).target.provider_id
            state = json.loads(json.dumps(home.router.memory.state()))
        assert pool_turns == "abababab"
        assert turns == answered
        # Who is gone is forgotten.
        home = Home(clock, *each[:2], strategy=strategy)
        home.router.memory.restore(state)
        assert {target for _, target, *_ in home.router.memory.state()["strategies"][strategy]} == {"a", "b"}

    run(main)


@pytest.mark.parametrize(
    "state",
    [
        {"round_robin": [[1]]},
        {"weighted": 5},
        {"fastest": "?"},
        {"adaptive": [["chat", 1]]},
        {"mine": 1},
        {"priority": {}},
    ],
)
def test_what_cannot_be_read_harms_nothing(state: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(Strategy):
        name = "mine"

        def order(self, choice: Any) -> Any:
            return [(offer, "") for offer in choice.offers]

        def state(self) -> Any:
            raise ZeroDivisionError

        def restore(self, _: Any) -> None:
            raise ZeroDivisionError

    async def main(clock: LoopClock) -> None:
        monkeypatch.setitem(STRATEGIES, "mine", Forgetful)
        home = Home(clock, provider("a", ScriptedProvider()), strategy=next(iter(state)))
        home.router.memory.restore({"strategies": state, "usual": [1, 2]})
        await home.router.process(ask())
        assert "mine" not in home.router.memory.state()["strategies"]

    run(main)


def test_what_is_kept_is_bounded() -> None:
    targets = [Target("p", str(number)) for number in range(3_000)]
    fastest = FastestStrategy()
    for number, target in enumerate(targets):
        fastest._paces[_Kind(target, Op.CHAT, False, False)] = Pace(1.0, 0.0, number)
    (_, paces) = fastest.state()
    assert len(paces) == 2_000
    assert paces[0][1] == "2999", "the newest are kept"
    adaptive = AdaptiveStrategy()
    for long in (False, True):
        for live in (False, True):
            kind = Kind(Op.CHAT, Model("m", prices=FREE).caps, long, live)
            adaptive._kinds[kind] = {target: Arm() for target in targets[:600]}
    assert [(long, live) for _, _, long, live, _ in adaptive.state()] == [(True, True), (True, False), (False, True)]


def test_how_a_model_counts_outlives_a_restart() -> None:
    target = Target("p", "m")
    before, after = Usual(), Usual()
    for tokens in (10, 20, 30, 40, 50):
        before.learn(target, "door", Usage(fresh_in=300, text_out=tokens), 100)
    after.restore(json.loads(json.dumps(before.state())))
    assert (after.ratio(target), after.output(target, "door"), after.mean_output(target, "door")) == (3.0, 60, 30.0)


def test_what_is_known_of_tasks_and_tokens_is_bounded_and_the_oldest_goes_first() -> None:
    usual = Usual()
    targets = [Target("p", f"m{number}") for number in range(600)]
    for target in targets:
        usual.learn(target, "door", Usage(fresh_in=300, text_out=50), 100)

    outputs, ratios = usual.state()
    assert (len(outputs), len(ratios)) == (512, 512)
    assert (usual.ratio(targets[0]), usual.ratio(targets[-1])) == (1.0, 3.0)
    assert (usual.mean_output(targets[0], "door"), usual.mean_output(targets[-1], "door")) == (None, 50.0)


def test_vectors_teach_no_length_and_nothing_read_teaches_no_tokens() -> None:
    usual = Usual()
    usual.learn(Target("p", "m"), None, Usage(fresh_in=300), 100)
    usual.learn(Target("p", "n"), None, Usage(text_out=5), 0)

    assert (usual.mean_output(Target("p", "m"), None), usual.ratio(Target("p", "m"))) == (None, 3.0)
    assert (usual.mean_output(Target("p", "n"), None), usual.ratio(Target("p", "n"))) == (5.0, 1.0)
