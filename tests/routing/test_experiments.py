"""Experiments: who gets which arm, what is counted of each, and what outlives a restart."""

import asyncio
import json
from collections import Counter
from statistics import mean, stdev
from typing import Any

import pytest

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.config import Member, PoolConfig
from custom_components.ai_router.routing.experiments import Arm, ArmReport, wilson
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Model, Target
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import CacheMode, Degrade, Pins

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, prices, provider, run

A, B = Arm("a", None), Arm("b", None)


def trial(*weights: float, names: str = "abc") -> dict[str, PoolConfig]:
    members = tuple(Member(name, weight=weight) for name, weight in zip(names, weights, strict=False))
    return {"x": PoolConfig("x", "X", members, strategy="experiment")}


def house(clock: LoopClock, *clients: ScriptedProvider, weights: tuple[float, ...] = (1, 1), **more: Any) -> Home:
    providers = [
        provider(name, client, prices=prices(per_request=1_000 * place), concurrent=more.get("concurrent"))
        for place, (name, client) in enumerate(zip("abc", clients, strict=False), 1)
    ]
    return Home(clock, *providers, pools=trial(*weights))


async def take_part(home: Home, count: int, session: str | None = None, start: int = 0) -> list[Reply]:
    return [
        await home.router.process(ask(id=f"r{n}", session_id=session, pins=Pins(pool="x")))
        for n in range(start, start + count)
    ]


def arms(home: Home) -> dict[Arm, ArmReport]:
    return {report.arm: report for report in home.router.experiment("x")}


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (8.0, 1.0, 1.0), (3.0, 0.0, 1.0), (0.2, 0.6, 0.2)])
def test_traffic_is_split_by_weight(weights: tuple[float, ...]) -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, *(ScriptedProvider() for _ in weights), weights=weights)
        got = Counter(reply.target.provider_id for reply in await take_part(home, 1_500))
        for name, weight in zip("abc", weights, strict=True):
            assert got[name] / 1_500 == pytest.approx(weight / sum(weights), abs=0.04)
        assert [report.requests for report in home.router.experiment("x")] == [got[name] for name in "abc"]

    run(main)


def test_a_conversation_stays_with_its_arm_over_restarts_and_other_weights_move_few() -> None:
    async def main(clock: LoopClock) -> None:
        async def arms_of(home: Home) -> list[str]:
            found = []
            for n in range(200):
                replies = await take_part(home, 2, session=f"s{n}", start=2 * n)
                (name,) = {reply.target.provider_id for reply in replies}
                found.append(name)
            return found

        before = await arms_of(house(clock, ScriptedProvider(), ScriptedProvider()))
        assert before == await arms_of(house(clock, ScriptedProvider(), ScriptedProvider()))
        wider = await arms_of(house(clock, ScriptedProvider(), ScriptedProvider(), weights=(2, 1)))
        # Nobody leaves the arm that has become heavier.
        assert all(after == "a" for was, after in zip(before, wider, strict=True) if was == "a")
        third = await arms_of(house(clock, *(ScriptedProvider() for _ in "abc"), weights=(1, 1, 1)))
        assert all(after in (was, "c") for was, after in zip(before, third, strict=True))

    run(main)


def test_each_arm_is_told_as_it_was() -> None:
    async def main(clock: LoopClock) -> None:
        quick = ScriptedProvider([1.0, "a", Usage(), Finish.STOP])
        slow = ScriptedProvider(lambda number: [float(number % 3), "b", Usage(), Finish.STOP])
        home = house(clock, quick, slow)
        replies = await take_part(home, 60)
        of = {name: [reply for reply in replies if reply.target.provider_id == name] for name in "ab"}
        for name, arm in (("a", A), ("b", B)):
            report = arms(home)[arm]
            seconds = [reply.latency for reply in of[name]]
            assert report.requests == len(seconds)
            assert report.failures == 0
            assert report.latency.values == len(seconds)
            assert report.latency.mean == pytest.approx(mean(seconds))
            assert report.latency.error == pytest.approx(stdev(seconds) / len(seconds) ** 0.5)
            assert report.spent == sum(reply.cost for reply in of[name])
            assert report.cost.mean == pytest.approx(report.spent / len(seconds))
            assert report.error_rate == 0
            assert report.error_between == wilson(0, len(seconds))
            assert report.score.values == 0

    run(main)


def test_a_failing_arm_is_stood_in_for_and_its_failure_is_its_own() -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, ScriptedProvider(failing(FailureClass.EMPTY)), ScriptedProvider())
        replies = await take_part(home, 100)
        assert {reply.target.provider_id for reply in replies} == {"b"}
        failed = sum(len(reply.attempts) == 2 for reply in replies)
        assert 30 < failed < 70
        found = arms(home)
        assert (found[A].requests, found[A].failures, found[A].error_rate) == (failed, failed, 1.0)
        # Who stands in is not measured by another's requests.
        assert (found[B].requests, found[B].failures) == (100 - failed, 0)
        assert found[A].spent == 0
        assert found[A].latency.values == 0
        stood_in = next(reply for reply in replies if len(reply.attempts) == 2)
        assert not home.router.score(stood_in.request_id, 1.0)

    run(main)


def test_an_arm_that_could_not_be_asked_is_not_blamed_nor_the_other_credited() -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, ScriptedProvider(failing(FailureClass.TRANSIENT)), ScriptedProvider())
        await take_part(home, 200)
        found = arms(home)
        # After the breaker has opened, the arm is skipped.
        assert found[A].requests == found[A].failures < 20
        assert 60 < found[B].requests < 140

    run(main)


def test_stopped_requests_count_for_nobody() -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, ScriptedProvider([100.0]), ScriptedProvider([100.0]))
        tasks = [asyncio.create_task(take_part(home, 1, start=n)) for n in range(20)]
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [report.requests for report in home.router.experiment("x")] == [0, 0]
        assert [report.error_between for report in home.router.experiment("x")] == [(0.0, 1.0)] * 2

    run(main)


def test_scores_are_the_callers_and_may_be_changed() -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, ScriptedProvider(), ScriptedProvider())
        replies = [reply for reply in await take_part(home, 40) if reply.target.provider_id == "a"]
        for number, reply in enumerate(replies):
            assert home.router.score(reply.request_id, 100.0)
            assert home.router.score(reply.request_id, float(number))
        score = arms(home)[A].score
        assert score.values == len(replies)
        assert score.mean == pytest.approx(mean(range(len(replies))))
        assert score.error == pytest.approx(stdev(range(len(replies))) / len(replies) ** 0.5)
        assert arms(home)[B].score == (0, None, None)
        assert not home.router.score("nobody", 1.0)
        for value in (float("nan"), float("inf")):
            with pytest.raises(ValueError, match="finite"):
                home.router.score(replies[0].request_id, value)

    run(main)


def test_an_answer_that_is_given_once_more_is_scored_for_its_arm_and_counts_for_nothing_else() -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, *(ScriptedProvider([5.0, name, Usage(1, text_out=1), Finish.STOP]) for name in "ab"))
        words: dict[str, Any] = {"pins": Pins(pool="x"), "cache_mode": CacheMode.USE}
        together = await asyncio.gather(*(home.router.process(ask(id=f"t{n}", **words)) for n in range(3)))
        later = await home.router.process(ask(id="later", **words))
        (first,) = (reply for reply in together if not reply.cached)
        joined = [reply for reply in together if reply.cached]
        assert (len(joined), later.cached) == (2, True)
        counted = arms(home)
        for reply in (first, *joined, later):
            assert home.router.score(reply.request_id, 0.5)
        for arm, report in arms(home).items():
            own = arm.provider_id == first.target.provider_id
            assert report == counted[arm]._replace(score=(4, 0.5, 0.0) if own else (0, None, None))
            assert report.requests == own
        # What is no answer of an arm's is nobody's: an old one, and the caller's own text.
        providers = [provider(name, ScriptedProvider(failing(FailureClass.TRANSIENT))) for name in "ab"]
        home.configure(*providers, pools=trial(1, 1))
        await asyncio.sleep(86_400)
        for degrade in (Degrade(stale_ok=True), Degrade(default_text="No idea")):
            reply = await home.router.process(ask(id=f"d{degrade.stale_ok}", degrade=degrade, **words))
            assert reply.degraded is not None
            assert not home.router.score(reply.request_id, 1.0)

    run(main)


def test_what_is_remembered_for_scores_is_bounded() -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, ScriptedProvider(), ScriptedProvider())
        replies = await take_part(home, 1_100)
        assert len(home.router.experiments._recent) == 1_000
        assert not home.router.score(replies[0].request_id, 1.0)
        assert home.router.score(replies[-1].request_id, 1.0)

    run(main)


def test_counts_outlive_a_restart_and_go_with_their_arm() -> None:
    async def main(clock: LoopClock) -> None:
        home = house(clock, ScriptedProvider(), ScriptedProvider())
        for reply in await take_part(home, 30):
            home.router.score(reply.request_id, 3.0)
        told = home.router.experiment("x")
        state = json.loads(json.dumps(home.router.experiments.state()))
        again = house(clock, ScriptedProvider(), ScriptedProvider())
        again.router.experiments.restore(state)
        assert again.router.experiment("x") == told
        # Another weight keeps them, another arm begins anew.
        providers = list(again.router.config.providers.values())
        again.configure(*providers, pools=trial(3, 1))
        assert [report.requests for report in again.router.experiment("x")] == [report.requests for report in told]
        again.configure(*providers, pools=trial(1, names="b"))
        again.configure(*providers, pools=trial(1, 1))
        assert [report.requests for report in again.router.experiment("x")] == [0, told[1].requests]
        again.configure(*providers)
        with pytest.raises(KeyError):
            again.router.experiment("x")
        later = house(clock, ScriptedProvider())
        later.router.experiments.restore(state)
        assert [report.arm for report in later.router.experiment("x")] == [A]

    run(main)


def test_models_of_one_provider_can_be_compared() -> None:
    async def main(clock: LoopClock) -> None:
        models = tuple(Model(name, prices=FREE) for name in ("small", "large", "third"))
        members = (Member("a", "small"), Member("a", "large"))
        home = Home(
            clock,
            provider("a", ScriptedProvider(), models=models),
            pools={"x": PoolConfig("x", "X", members, strategy="experiment")},
        )
        got = Counter(reply.target for reply in await take_part(home, 100))
        assert set(got) == {Target("a", "small"), Target("a", "large")}
        assert {report.arm: report.requests for report in home.router.experiment("x")} == {
            Arm(*target): count for target, count in got.items()
        }

    run(main)


def test_a_request_refused_by_all_is_the_failure_of_its_arm() -> None:
    async def main(clock: LoopClock) -> None:
        client = [ScriptedProvider(failing(FailureClass.CONTENT_POLICY)) for _ in "ab"]
        home = house(clock, *client)
        for n in range(10):
            with pytest.raises(RequestFailed):
                await take_part(home, 1, start=n)
        reports = home.router.experiment("x")
        assert [report.failures for report in reports] == [report.requests for report in reports]
        assert sum(report.requests for report in reports) == 10

    run(main)


def test_wilsons_interval() -> None:
    # From the formula by hand: 1 of 10, z = 1.96.
    low, high = wilson(1, 10)
    assert (low, high) == (pytest.approx(0.0179, abs=1e-4), pytest.approx(0.4042, abs=1e-4))
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
