"""How providers do: judged from traffic, breakers, benches and checks; and checks that stay few and harmless."""

import asyncio
from itertools import pairwise
from typing import Any, override

import pytest

from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.providers.provider import ProviderSetup
from custom_components.ai_router.routing.benches import Bench
from custom_components.ai_router.routing.breaker import BreakerState
from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.failures import (
    AttemptFailed,
    Billed,
    Failure,
    FailureClass,
    FailureScope,
    Phase,
)
from custom_components.ai_router.routing.health import (
    DEFAULT_HEALTH,
    Checked,
    HealthReport,
    HealthSettings,
    Level,
    judge,
    together,
)
from custom_components.ai_router.routing.metrics import Sample
from custom_components.ai_router.routing.model import Model, Target
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.ports import Benched, HealthChanged, Unbenched
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Bounds, Pins

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, provider, run

DEAD = Failure(FailureClass.NETWORK, Phase.UNSENT, "connection refused", FailureScope.PROVIDER, billed=Billed.NO)
REJECTED = Failure(FailureClass.CREDENTIAL, Phase.SENT, "wrong key", FailureScope.ACCOUNT, status=401)
SLOW_DOWN = Failure(FailureClass.RATE_LIMIT, Phase.SENT, "slow down", status=429)


def bench(cls: FailureClass, until: float | None = None) -> Bench:
    return Bench(cls, "", 0.0, until)


def samples(marks: str, latency: float = 1.0) -> list[Sample]:
    return [Sample(0.0, mark == "+", latency, None) for mark in marks]


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({}, (Level.UNKNOWN, None)),
        ({"checked": Checked(0.0, None)}, (Level.HEALTHY, None)),
        ({"samples": samples("+")}, (Level.HEALTHY, None)),
        ({"samples": samples("-")}, (Level.DEGRADED, "failing")),
        ({"samples": samples("+-")}, (Level.HEALTHY, None)),
        ({"samples": samples("++++-")}, (Level.HEALTHY, None)),
        ({"samples": samples("+++--")}, (Level.DEGRADED, "failing")),
        ({"samples": samples("+----")}, (Level.UNHEALTHY, "failing")),
        ({"samples": samples("+" * 5, 9.0)}, (Level.HEALTHY, None)),
        ({"samples": samples("+" * 5, 9.0), "settings": HealthSettings(slow_seconds=8)}, (Level.DEGRADED, "slow")),
        ({"samples": samples("+" * 4, 9.0), "settings": HealthSettings(slow_seconds=8)}, (Level.HEALTHY, None)),
        ({"checked": Checked(0.0, DEAD, 1), "samples": samples("+")}, (Level.DEGRADED, "network")),
        ({"checked": Checked(0.0, DEAD, 2), "samples": samples("+")}, (Level.UNHEALTHY, "network")),
        ({"checked": Checked(0.0, SLOW_DOWN, 9)}, (Level.DEGRADED, "rate_limit")),
        ({"checked": Checked(0.0, DEAD, 1), "samples": samples("-----")}, (Level.UNHEALTHY, "failing")),
        ({"checked": Checked(0.0, SLOW_DOWN, 9), "samples": samples("-----")}, (Level.UNHEALTHY, "failing")),
        ({"benches": {None: bench(FailureClass.CREDENTIAL)}}, (Level.UNHEALTHY, "credential")),
        ({"benches": {None: bench(FailureClass.RATE_LIMIT, 9.0)}}, (Level.DEGRADED, "rate_limit")),
        ({"benches": {"m": bench(FailureClass.MODEL_MISSING)}}, (Level.DEGRADED, "model_missing")),
        (
            {"benches": {"m": bench(FailureClass.MODEL_MISSING), "n": bench(FailureClass.MODEL_MISSING)}},
            (Level.UNHEALTHY, "model_missing"),
        ),
        ({"breakers": [BreakerState.OPEN, BreakerState.OPEN]}, (Level.UNHEALTHY, "breaker_open")),
        ({"breakers": [BreakerState.OPEN, BreakerState.HALF_OPEN]}, (Level.DEGRADED, "probing")),
        ({"breakers": [BreakerState.OPEN, BreakerState.CLOSED], "samples": samples("+")}, (Level.HEALTHY, None)),
    ],
)
def test_levels_and_their_reasons(given: dict[str, Any], verdict: tuple[Level, str | None]) -> None:
    facts: dict[str, Any] = {
        "benches": {},
        "models": 2,
        "breakers": [BreakerState.CLOSED],
        "checked": None,
        "samples": [],
        "settings": DEFAULT_HEALTH,
    }
    assert judge(**{**facts, **given}) == verdict


@pytest.mark.parametrize(
    ("levels", "level"),
    [
        ("", Level.UNKNOWN),
        ("??", Level.UNKNOWN),
        ("+?", Level.HEALTHY),
        ("++", Level.HEALTHY),
        ("+o", Level.DEGRADED),
        ("+-", Level.DEGRADED),
        ("?-", Level.DEGRADED),
        ("--", Level.UNHEALTHY),
    ],
)
def test_the_router_does_as_its_providers_do(levels: str, level: Level) -> None:
    marks = {"?": Level.UNKNOWN, "+": Level.HEALTHY, "o": Level.DEGRADED, "-": Level.UNHEALTHY}
    assert together([HealthReport(marks[mark], None, 0.0) for mark in levels])[0] is level


def changes(home: Home) -> list[tuple[str, Level, Level, str | None]]:
    return [
        (event.provider_id, event.before, event.after, event.reason)
        for event in home.events
        if isinstance(event, HealthChanged)
    ]


def test_traffic_alone_tells_of_illness_and_recovery() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(lambda number: [DEAD] if 2 <= number <= 7 else ["ok", Finish.STOP])
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        home.router.watch_health()
        await home.router.process(ask())
        assert home.router.health("a") == (Level.HEALTHY, None, clock.now())
        assert home.router.health("b").level is Level.UNKNOWN
        began = clock.now()
        for _ in range(300):
            await asyncio.sleep(1)
            await home.router.process(ask())
        assert changes(home) == [
            ("a", Level.UNKNOWN, Level.HEALTHY, None),
            ("b", Level.UNKNOWN, Level.HEALTHY, None),
            ("a", Level.HEALTHY, Level.UNHEALTHY, "failing"),
            ("a", Level.UNHEALTHY, Level.HEALTHY, None),
        ]
        report = home.router.health("a")
        assert (report.level, report.reason) == (Level.HEALTHY, None)
        # Opened after the fifth failure; tried after 60 s in vain, and 120 s later again.
        assert report.since == pytest.approx(began + 5 + 60 + 120, abs=1.5)
        assert home.router.overall_health().level is Level.HEALTHY
        await home.router.close(0)

    run(main)


def test_what_was_known_before_is_not_announced_and_nothing_is_before_somebody_watches() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider([REJECTED])))
        with pytest.raises(RequestFailed):
            await home.router.process(ask())
        assert home.router.health("a").level is Level.UNHEALTHY
        home.router.watch_health()
        assert changes(home) == []
        await asyncio.sleep(1)
        home.router.mend("a")
        assert changes(home) == [("a", Level.UNHEALTHY, Level.UNKNOWN, None)]
        assert home.router.overall_health().level is Level.UNKNOWN
        with pytest.raises(KeyError):
            home.router.health("b")
        await home.router.close(0)

    run(main)


# --- checks --------------------------------------------------------------------------------------


def gaps(times: list[float]) -> list[float]:
    return [round(later - earlier, 6) for earlier, later in pairwise(times)]


def test_who_is_well_is_checked_ever_more_rarely_and_who_is_ill_often() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("a", client), health_interval=100.0)
        home.router.watch_health()
        assert home.router.health("a").level is Level.UNKNOWN
        await asyncio.sleep(2_000)
        # The jitter's chance is a half: none. Slower by half each time, to four intervals.
        assert gaps(client.checks) == [150, 225, 337.5, 400, 400, 400]
        client.ill = DEAD
        await asyncio.sleep(600)
        assert gaps(client.checks)[-3:] == [25, 25, 25]
        assert changes(home)[1:] == [
            ("a", Level.HEALTHY, Level.DEGRADED, "network"),
            ("a", Level.DEGRADED, Level.UNHEALTHY, "network"),
        ]
        client.ill = None
        await asyncio.sleep(26)
        assert changes(home)[3:] == [("a", Level.UNHEALTHY, Level.HEALTHY, None)]
        await home.router.close(0)

    run(main)


def test_who_answers_need_not_be_checked() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("a", client), health_interval=100.0)
        home.router.watch_health()
        for _ in range(100):
            await home.router.process(ask())
            await asyncio.sleep(10)
        assert client.checks == []
        await asyncio.sleep(1_000)
        assert client.checks
        await home.router.close(0)

    run(main)


def test_checks_are_spread_and_few_at_once_and_one_at_a_time_for_each() -> None:
    async def main(clock: LoopClock) -> None:
        chances = iter(n * 0.618 % 1 for n in range(100_000))
        clients = [ScriptedProvider(check_seconds=30.0) for _ in range(20)]  # longer than is waited for
        busy = 0

        async def watch() -> None:
            nonlocal busy
            while True:
                busy = max(busy, sum(client.checking for client in clients))
                await asyncio.sleep(0.5)

        home = Home(
            clock,
            *(provider(str(n), client) for n, client in enumerate(clients)),
            chance=lambda: next(chances),
            health_interval=20.0,
        )
        home.router.watch_health()
        watching = asyncio.create_task(watch())
        await asyncio.sleep(1_000)
        watching.cancel()
        assert busy == 4
        assert len({client.checks[0] for client in clients}) > 10
        assert {home.router.health(str(n)).reason for n in range(20)} == {"timeout_connect"}
        await home.router.close(0)

    run(main)


def test_asking_twice_asks_once_and_both_hear_it() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(check_seconds=2.0, ill=DEAD)
        home = Home(clock, provider("a", client))
        first, second = (asyncio.create_task(home.router.check("a")) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        assert await second == DEAD
        assert client.checks == [0.0]
        client.ill = RuntimeError("bug")
        failure = await home.router.check("a")
        assert failure is not None
        assert (failure.cls, failure.detail) == (FailureClass.UNKNOWN, "RuntimeError")
        client.ill = None
        assert await home.router.check("a") is None
        assert home.router.health("a").level is Level.HEALTHY
        with pytest.raises(KeyError):
            await home.router.check("b")

    run(main)


def test_local_only_sends_no_check_to_other_hosts() -> None:
    async def main(clock: LoopClock) -> None:
        cloud, local, off = ScriptedProvider(), ScriptedProvider(), ScriptedProvider()
        providers = (
            provider("cloud", cloud, local=False),
            provider("local", local),
            provider("off", off, enabled=False),
        )
        home = Home(clock, *providers, health_interval=50.0, local_only=True)
        home.router.watch_health()
        for name in ("cloud", "off"):
            failure = await home.router.check(name)
            assert failure is not None
            assert (failure.cls, failure.phase) == (FailureClass.CANCELLED, Phase.UNSENT)
        await asyncio.sleep(1_000)
        assert (cloud.checks, off.checks) == ([], [])
        assert local.checks
        assert {home.router.health(name).level for name in ("cloud", "off")} == {Level.UNKNOWN}
        home.configure(*providers, health_interval=50.0)
        await asyncio.sleep(300)
        assert cloud.checks
        # Who has come to a turn is not sent after the household has closed the door.
        home.configure(*providers, health_interval=50.0, local_only=True)
        sent = len(cloud.checks)
        await asyncio.sleep(1_000)
        assert len(cloud.checks) == sent
        await home.router.close(0)

    run(main)


def test_a_check_that_waits_for_its_turn_is_not_sent_once_everything_is_local() -> None:
    async def main(clock: LoopClock) -> None:
        clients = [ScriptedProvider(check_seconds=10.0) for _ in range(6)]
        providers = [provider(str(n), client, local=False) for n, client in enumerate(clients)]
        home = Home(clock, *providers)
        checks = [asyncio.create_task(home.router.check(str(n))) for n in range(6)]
        await asyncio.sleep(1)
        home.configure(*providers, local_only=True)
        await asyncio.gather(*checks)
        assert [len(client.checks) for client in clients] == [1, 1, 1, 1, 0, 0]

    run(main)


class Stubborn(ScriptedProvider):
    """Makes a failure out of a check that is cancelled, as a provider of somebody else's may."""

    @override
    async def probe(self) -> None:
        try:
            await super().probe()
        except asyncio.CancelledError:
            raise AttemptFailed(DEAD) from None


@pytest.mark.parametrize("successor", [True, False])
def test_what_a_check_finds_of_who_is_gone_is_not_held_against_his_successor(successor: bool) -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", Stubborn(check_seconds=9.0)), provider("b", ScriptedProvider()))
        home.router.watch_health()
        waiting = asyncio.create_task(home.router.check("a"))
        await asyncio.sleep(1)
        stays = [provider("a", ScriptedProvider())] if successor else []
        home.configure(*stays, provider("b", ScriptedProvider()))
        assert await waiting == DEAD
        if successor:
            assert home.router.health("a").level is Level.UNKNOWN
        assert changes(home) == []
        await home.router.close(0)

    run(main)


def test_checks_stop_at_the_end_and_with_their_provider_and_with_the_setting() -> None:
    async def main(clock: LoopClock) -> None:
        gone, stays = ScriptedProvider(check_seconds=5.0), ScriptedProvider(check_seconds=5.0)
        home = Home(clock, provider("gone", gone), provider("stays", stays), health_interval=40.0)
        home.router.watch_health()
        await asyncio.sleep(12)
        assert gone.checking
        home.configure(provider("stays", stays), health_interval=40.0)
        await asyncio.sleep(0)
        assert gone.checking == 0
        await asyncio.sleep(64)
        assert stays.checking
        waiting = asyncio.create_task(home.router.check("stays"))
        await asyncio.sleep(0)
        await home.router.close(0)
        assert stays.checking == 0
        failure = await waiting
        assert failure is not None
        assert failure.cls is FailureClass.CANCELLED
        failure = await home.router.check("stays")
        assert failure is not None
        sent = len(gone.checks), len(stays.checks)
        await asyncio.sleep(1_000)
        assert (len(gone.checks), len(stays.checks)) == sent

        quiet = Home(clock, provider("a", gone), health_interval=40.0)
        quiet.router.watch_health()
        quiet.configure(provider("a", gone))
        await asyncio.sleep(1_000)
        assert len(gone.checks) == sent[0]

    run(main)


def test_a_good_check_lets_an_open_breaker_try_again_and_closes_none() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(lambda number: [DEAD] if number <= 5 else ["ok", Finish.STOP])
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        breaker = home.router.admission.breakers.of(Target("a", "m"))
        for _ in range(5):
            await home.router.process(ask())
        assert breaker.state(clock.monotonic()) is BreakerState.OPEN
        await asyncio.sleep(1)
        await home.router.check("a")
        assert breaker.state(clock.monotonic()) is BreakerState.HALF_OPEN
        assert home.router.health("a") == (Level.DEGRADED, "probing", clock.now())
        assert (await home.router.process(ask())).target == Target("a", "m")
        assert breaker.closed
        assert home.router.health("a").level is Level.HEALTHY

    run(main)


def test_a_good_check_says_nothing_of_a_model_that_fails() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider(failing(FailureClass.TRANSIENT))))
        for _ in range(5):
            with pytest.raises(RequestFailed):
                await home.router.process(ask(bounds=Bounds(attempts=1)))
        await home.router.check("a")
        breaker = home.router.admission.breakers.of(Target("a", "m"))
        assert breaker.state(clock.monotonic()) is BreakerState.OPEN
        assert home.router.health("a").level is Level.UNHEALTHY

    run(main)


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (FailureClass.EMPTY, Level.UNHEALTHY),
        (FailureClass.TRANSIENT, Level.DEGRADED),  # its breaker waits for a probe
        (FailureClass.RATE_LIMIT, Level.HEALTHY),
    ],
)
def test_good_checks_make_nobody_healthy_who_never_answers(error: FailureClass, level: Level) -> None:
    async def main(clock: LoopClock) -> None:
        demo = Demo(ProviderSetup("a", "demo", options={"success_rate": 1e-9, "error": error}))
        models = [model for model in await demo.models() if model.id == "demo-chat"]
        home = Home(clock, provider("a", demo, models=tuple(models)), health_interval=60.0)
        home.router.watch_health()
        for _ in range(6):
            with pytest.raises(RequestFailed):
                await home.router.process(ask(bounds=Bounds(attempts=1)))
            await asyncio.sleep(20)
        assert home.router.health("a").level is Level.UNHEALTHY
        await asyncio.sleep(4 * 3_600)
        failure = await home.router.check("a")
        assert (None if failure is None else failure.cls) == (error if level is Level.UNHEALTHY else None)
        assert home.router.health("a").level is level
        await home.router.close(0)

    run(main)


def of_benches(home: Home) -> list[Benched | Unbenched]:
    return [event for event in home.events if isinstance(event, Benched | Unbenched)]


def test_a_key_that_a_check_finds_rejected_benches_the_provider_until_a_check_finds_it_taken() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(ill=REJECTED)
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        assert await home.router.check("a") == REJECTED
        assert of_benches(home) == [Benched("a", None, REJECTED)]
        assert (await home.router.process(ask())).target.provider_id == "b"
        client.ill = DEAD
        assert await home.router.check("a") == DEAD  # which says nothing of the key
        assert (await home.router.process(ask())).target.provider_id == "b"
        client.ill = None
        assert await home.router.check("a") is None
        assert of_benches(home) == [Benched("a", None, REJECTED), Unbenched("a", None)]
        assert home.router.health("a").level is Level.HEALTHY
        assert (await home.router.process(ask())).target.provider_id == "a"

    run(main)


def test_the_check_that_comes_by_itself_lifts_a_rejected_key_too() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(lambda number: [REJECTED] if number == 1 else ["ok", Finish.STOP])
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()), health_interval=100.0)
        home.router.watch_health()
        assert (await home.router.process(ask())).target.provider_id == "b"
        assert home.router.health("a").level is Level.UNHEALTHY
        await asyncio.sleep(30)
        assert home.router.health("a").level is Level.HEALTHY
        assert (await home.router.process(ask())).target.provider_id == "a"
        await home.router.close(0)

    run(main)


def test_a_key_is_rejected_once_more_where_checks_do_not_tell_and_then_no_check_is_believed() -> None:
    async def main(clock: LoopClock) -> None:
        # A server that lists its models for everybody.
        client = ScriptedProvider([REJECTED])
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()), health_interval=100.0)
        home.router.watch_health()
        for _ in range(200):
            await home.router.process(ask())
            await asyncio.sleep(10)
        assert client.checks
        assert len(client.calls) == 2
        failure = await home.router.check("a")
        assert failure is not None
        assert (failure.cls, failure.detail) == (FailureClass.CREDENTIAL, "wrong key")
        assert home.router.health("a").level is Level.UNHEALTHY
        # Somebody mends it; from then on checks are believed again.
        client.script = ["ok", Finish.STOP]
        home.router.mend("a")
        assert (await home.router.process(ask())).target.provider_id == "a"
        client.script = lambda number: [REJECTED] if number == 4 else ["ok", Finish.STOP]
        assert (await home.router.process(ask())).target.provider_id == "b"
        assert await home.router.check("a") is None
        assert (await home.router.process(ask())).target.provider_id == "a"
        await home.router.close(0)

    run(main)


def test_a_key_that_is_rejected_while_a_check_is_under_way_stays_so() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider([REJECTED], check_seconds=2.0)
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        check = asyncio.create_task(home.router.check("a"))
        await asyncio.sleep(1)
        await home.router.process(ask())
        failure = await check
        assert failure is not None
        assert failure.cls is FailureClass.CREDENTIAL
        assert of_benches(home) == [Benched("a", None, REJECTED)]

    run(main)


@pytest.mark.parametrize("cls", [FailureClass.BILLING, FailureClass.REGION])
def test_a_good_check_lifts_nothing_it_does_not_prove(cls: FailureClass) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(failing(cls, scope=FailureScope.ACCOUNT))
        home = Home(clock, provider("a", client), provider("b", ScriptedProvider()))
        await home.router.process(ask())
        failure = await home.router.check("a")
        assert client.checks
        assert failure is not None
        assert (failure.cls, failure.detail) == (cls, f"scripted {cls}")
        assert home.router.health("a").level is Level.UNHEALTHY

    run(main)


def test_a_check_lifts_no_key_that_cannot_be_read() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider()), provider("b", ScriptedProvider()))
        unread = Bench(FailureClass.CREDENTIAL, "no key file", clock.now(), None, unread=True)
        home.router.benches.restore(("a", None), unread)
        failure = await home.router.check("a")
        assert failure is not None
        assert (failure.cls, failure.detail) == (FailureClass.CREDENTIAL, "no key file")
        assert (await home.router.process(ask())).target.provider_id == "b"

    run(main)


def test_one_provider_of_many_models_is_as_well_as_its_best_one() -> None:
    async def main(clock: LoopClock) -> None:
        models = tuple(Model(name, prices=FREE, local=True) for name in ("x", "y"))
        client = ScriptedProvider(failing(FailureClass.TRANSIENT))
        home = Home(clock, provider("a", client, models=models))
        for _ in range(5):
            with pytest.raises(RequestFailed):
                await home.router.process(ask(pins=Pins(models=("x",)), bounds=Bounds(attempts=1)))
        client.script = ["ok", Finish.STOP]
        for _ in range(20):
            await home.router.process(ask(pins=Pins(models=("y",))))
        assert home.router.health("a").level is Level.HEALTHY

    run(main)
