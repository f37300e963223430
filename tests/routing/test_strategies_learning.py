"""The ways to choose that go by what was learned: speed, price, and both with success."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest

from benchmarks.strategies import household, regret
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import Capability
from custom_components.ai_router.routing.plans import Because, Reason
from custom_components.ai_router.routing.request import Pins
from custom_components.ai_router.routing.strategies.fastest import Pace

from .simulated_fleet import Figures, Simulated, burst, fleet_home, send, series
from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, picture, prices, provider, run
from .test_strategies import one_by_one, order


def timed(seconds: float, *, first: float | None = None, tokens: int = 5) -> ScriptedProvider:
    """Script a target that takes so many seconds, the first word after `first` of them."""
    before = seconds if first is None else first
    return ScriptedProvider([before, "word", seconds - before, Usage(fresh_in=10, text_out=tokens), Finish.STOP])


def home_of(clock: LoopClock, strategy: str, **clients: ScriptedProvider) -> Home:
    """Build a house of these providers."""
    each = [provider(name, client) for name, client in clients.items()]
    return Home(clock, *each, strategy=strategy, chance=Random(1).random)


# --- fastest -----------------------------------------------------------------------------------------


def test_fastest_beats_round_robin_at_the_slow_end() -> None:
    fleets = {name: series(household(), name, 600, every=5.0) for name in ("fastest", "round_robin", "random")}
    assert fleets["fastest"].percentile(0.95) < fleets["round_robin"].percentile(0.95)
    assert fleets["fastest"].percentile(0.5) < fleets["random"].percentile(0.5)


def test_fastest_takes_the_faster_of_two_that_are_drawn() -> None:
    """Of three, the fastest wins two of the three pairs, the slowest none; now and then it is tried all the same."""
    figures = series([Simulated("a", 1), Simulated("b", 2), Simulated("c", 4)], "fastest", 900, every=1_000)
    shares = [figures.share(name) for name in "abc"]
    assert shares[0] == pytest.approx(2 / 3, abs=0.06)
    assert shares[1] == pytest.approx(1 / 3, abs=0.06)
    assert 0 < shares[2] < 0.02


def test_load_counts_as_much_as_speed() -> None:
    """A target that is three times as fast gets three times as many of those that come at once."""
    figures = burst([Simulated("a", 1), Simulated("b", 3)], "fastest", 60, before=20)
    assert figures.count() == {"a": 45, "b": 15}


def test_an_unknown_target_is_taken_for_the_median() -> None:
    async def main(clock: LoopClock) -> None:
        home = home_of(clock, "fastest", a=timed(1), b=timed(2), c=timed(3))
        for name in "abc":
            await one_by_one(home, 3, pins=Pins(providers=(name,)))
        await asyncio.sleep(600)
        each = [*home.router.config.providers.values(), provider("new", timed(9))]
        home.configure(*each, strategy="fastest")
        places = Counter()
        for _ in range(200):
            planned = [candidate.target.provider_id for candidate in home.router.plan(ask()).candidates]
            places[planned[0]] += 1
        # Drawn together with the slower one it wins, with the faster one it loses, with the median it is a draw.
        assert 0.1 < places["new"] / 200 < 0.4
        assert (Reason(Because.PACE_UNKNOWN),) in {each.reasons for each in home.router.plan(ask()).candidates}

    run(main)


def test_who_listens_waits_for_the_first_word() -> None:
    async def main(clock: LoopClock) -> None:
        home = home_of(clock, "fastest", soon=timed(10, first=0.2), short=timed(3, first=2.5))
        for name in ("soon", "short"):
            await one_by_one(home, 3, pins=Pins(providers=(name,)))
        await asyncio.sleep(600)
        heard, whole = Figures(), Figures()
        for _ in range(5):
            await send(home, ask(), heard, live=True)
            await send(home, ask(), whole)
        assert set(heard.first_choices) == {"soon"}
        assert set(whole.first_choices) == {"short"}

    run(main)


def test_pictures_are_timed_apart() -> None:
    async def main(clock: LoopClock) -> None:
        def slow_to_see(number: int) -> list[Any]:
            return [8.0 if number > 3 else 1.0, "ok", Finish.STOP]

        home = home_of(clock, "fastest", a=ScriptedProvider(slow_to_see), b=timed(3))
        await one_by_one(home, 3, pins=Pins(providers=("a",)))
        await one_by_one(home, 3, pins=Pins(providers=("b",)))
        seeing = ask(messages=(type(ask().messages[0])(ask().messages[0].role, (picture(),)),))
        for name in "ab":
            pinned = type(seeing)(**{**fields(seeing), "pins": Pins(providers=(name,))})
            await home.router.process(pinned)
        await asyncio.sleep(600)
        assert order(home.router.plan(ask())) == "ab"
        assert order(home.router.plan(seeing)) == "ba"

    run(main)


def fields(request: Any) -> dict[str, Any]:
    """Return a request's fields."""
    return {name: getattr(request, name) for name in request.__slots__}


def test_a_jump_counts_at_once_and_fades() -> None:
    pace = Pace(1.0, now=0.0, number=1)
    for number in range(2, 20):
        pace.note(1.0, now=float(number), number=number)
    assert pace.seconds(20) == pytest.approx(1.0)
    pace.note(9.0, now=20.0, number=20)
    assert pace.seconds(20) == pytest.approx(9.0)
    assert 3 < pace.seconds(35) < 6
    assert pace.seconds(200) == pytest.approx(2.0, abs=0.01)
    # What is usual stays, however long nobody asks.
    assert pace.seconds(1e6) == pytest.approx(2.0)
    pace.note(1.0, now=1e6, number=21)
    assert 1.5 < pace.seconds(1e6) <= 2.0


def test_a_target_that_has_become_fast_is_found_out() -> None:
    fleet = [Simulated("a", 2), Simulated("b", 6, change=lambda now: 1.0 if now < 200_000 else 0.1)]
    figures = series(fleet, "fastest", 900, every=1_000)
    assert figures.first_choices[10:190].count("b") <= 3
    assert figures.first_choices[700:].count("b") > 190


def test_failing_soon_is_not_fast() -> None:
    """Who fails after 0.9 s every third time and else takes 1.4 s keeps the household waiting longer than 1.5 s."""

    async def main(clock: LoopClock) -> None:
        def flaky(number: int) -> list[Any]:
            return [0.9, *failing(FailureClass.TRANSIENT)] if number % 3 == 0 else [1.4, "ok", Finish.STOP]

        home = home_of(clock, "fastest", flaky=ScriptedProvider(flaky), sound=timed(1.5))
        answered = Figures()
        for _ in range(60):
            await send(home, ask(), answered)
            await asyncio.sleep(100)
        assert Counter(answered.first_choices)["sound"] > 40

    run(main)


# --- cheapest ----------------------------------------------------------------------------------------


def test_cheapest_is_the_cheapest() -> None:
    found = {
        name: sum(series(household(), name, 150, every=5.0).costs)
        for name in ("priority", "round_robin", "weighted", "random", "least_loaded", "fastest", "cheapest", "adaptive")
    }
    assert min(found, key=lambda name: found[name]) == "cheapest"


def test_the_price_is_that_of_this_very_request() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("reads", ScriptedProvider(), prices=prices(0.1, 10)),
            provider("writes", ScriptedProvider(), prices=prices(5, 0.1)),
            strategy="cheapest",
        )
        assert order(home.router.plan(ask("word " * 40_000))) == "readswrites"
        assert order(home.router.plan(ask("Write a story"))) == "writesreads"

    run(main)


def test_equal_prices_go_by_load_and_unknown_ones_last() -> None:
    async def main(clock: LoopClock) -> None:
        each = [provider(name, timed(5), prices=prices(1, 1)) for name in "bcd"]
        home = Home(clock, provider("a", timed(5), prices=None), *each, strategy="cheapest")
        plan = home.router.plan(ask())
        assert order(plan) == "bcda"
        assert plan.candidates[3].reasons == (Reason(Because.PRICE_UNKNOWN),)
        replies = await asyncio.gather(*(home.router.process(ask(str(number))) for number in range(30)))
        assert Counter(reply.target.provider_id for reply in replies) == {"b": 10, "c": 10, "d": 10}

    run(main)


def test_a_target_that_writes_much_is_dear() -> None:
    """The lower price a token is not the lower price an answer."""

    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("long", timed(1, tokens=900), prices=prices(1, 1)),
            provider("short", timed(1, tokens=50), prices=prices(2, 2)),
            strategy="cheapest",
        )
        assert await one_by_one(home, 3, label="weather") == "long" * 3
        await one_by_one(home, 1, label="weather", pins=Pins(providers=("short",)))
        assert await one_by_one(home, 3, label="weather") == "short" * 3
        assert order(home.router.plan(ask(label="another"))) == "longshort"

    run(main)


def test_free_goes_first() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("paid", timed(1), prices=prices(0.01, 0.01), priority=9),
            provider("free", timed(9)),
            strategy="cheapest",
        )
        assert await one_by_one(home, 3) == "free" * 3

    run(main)


# --- adaptive ----------------------------------------------------------------------------------------


def moments(requests: int) -> list[float]:
    return [number * 5.0 for number in range(requests)]


@pytest.mark.parametrize("seed", [1, 2])
def test_adaptive_comes_close_to_the_best_fixed_target(seed: int) -> None:
    lost = {
        name: sum(regret(series(household(), name, 600, every=5.0, seed=seed), household(), moments(600)))
        for name in ("adaptive", "round_robin")
    }
    assert lost["adaptive"] < lost["round_robin"] / 4
    assert lost["adaptive"] / 600 < 0.02


def test_adaptive_finds_out_that_the_best_has_changed() -> None:
    fleet = [Simulated("a", 1, change=lambda now: 1.0 if now < 60_000 else 8.0), Simulated("b", 2)]
    figures = series(fleet, "adaptive", 900, every=100)
    assert figures.first_choices[300:590].count("a") > 250
    assert figures.first_choices[750:].count("a") < 40


def test_adaptive_tries_every_target_now_and_then() -> None:
    fleet = [Simulated("a", 0.1), Simulated("b", 60), Simulated("c", 60, success=0.05)]
    figures = series(fleet, "adaptive", 1_500, every=100)
    late = Counter(figures.first_choices[500:])
    assert late["a"] > 900
    assert all(2 <= late[name] <= 50 for name in "bc")


def test_each_kind_of_request_is_learned_by_itself() -> None:
    async def main(clock: LoopClock) -> None:
        fleet = [Simulated("eyes", 1), Simulated("words", 1)]
        home = fleet_home(clock, fleet, "adaptive")
        figures: dict[Capability, list[str]] = {Capability.CHAT: [], Capability.VISION: []}
        for number in range(400):
            need = (Capability.CHAT, Capability.VISION)[number % 2]
            fleet[0].success, fleet[1].success = (1.0, 0.2) if need is Capability.VISION else (0.2, 1.0)
            reply = await home.router.process(ask(needs=Capability.CHAT | need))
            figures[need].append(reply.attempts[0].target.provider_id)
            await asyncio.sleep(120)
        assert Counter(figures[Capability.VISION][100:])["eyes"] > 85
        assert Counter(figures[Capability.CHAT][100:])["words"] > 85

    run(main)


def test_what_is_the_requests_own_fault_teaches_nothing() -> None:
    async def main(clock: LoopClock) -> None:
        home = home_of(clock, "adaptive", a=ScriptedProvider([60.0, "ok", Finish.STOP]), b=timed(60))
        for name in "ab":
            task = asyncio.create_task(home.router.process(ask(pins=Pins(providers=(name,)))))
            await asyncio.sleep(1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        reasons = {candidate.reasons for _ in range(20) for candidate in home.router.plan(ask()).candidates}
        assert reasons <= {(Reason(Because.NO_EXPERIENCE),), (Reason(Because.EXPLORED),)}

    run(main)


def test_what_is_learned_is_bounded() -> None:
    async def main(clock: LoopClock) -> None:
        home = home_of(clock, "adaptive", a=ScriptedProvider(), b=ScriptedProvider())
        for number in range(200):
            await home.router.process(ask(label=f"label {number}"))
            await home.router.process(ask("word " * (1 + number * 100), tools=()))
        made = home.router._strategies._made
        assert len(made["adaptive"]._kinds) <= 4
        assert len(made["fastest"]._paces) <= 8

    run(main)
