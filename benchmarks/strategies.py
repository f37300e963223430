"""Send the same requests over the same simulated fleets by every strategy, and print what came of them.

    python -m benchmarks.strategies [requests]

Time is virtual; latencies, failures and arrivals are drawn from a seed, so that a run can be repeated. Requests 3,000
for each strategy unless told.
"""

import argparse
from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import NamedTuple

from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.request import Pins
from tests.routing.simulated_fleet import Figures, Simulated, burst, series

_EVERY = 5.0
_TARGETS = 3
_AT_ONCE = 60
_MOST = 24
_TOKENS_IN = 200
STRATEGIES = (
    "priority",
    "round_robin",
    "weighted",
    "random",
    "least_loaded",
    "fastest",
    "cheapest",
    "adaptive",
)
EVEN = ("round_robin", "weighted", "least_loaded", "fastest")


def household() -> list[Simulated]:
    """Make the fleet of a house: a slow box of its own, a cheap account, a strong one, and one that often fails."""
    return [
        Simulated("attic", 4.0, 0.3, success=0.99, crowding=0.5, weight=1, priority=2),
        Simulated("budget", 1.5, 0.4, success=0.98, dollars=(0.1, 0.4), weight=5, priority=3),
        Simulated("strong", 0.9, 0.3, success=0.995, dollars=(2.5, 10.0), weight=3, priority=4),
        Simulated("flaky", 0.8, 0.5, success=0.6, dollars=(0.15, 0.6), weight=1, priority=1),
    ]


def changing(half: float) -> list[Simulated]:
    """Make a fleet whose best target becomes five times slower at a moment (seconds)."""
    fleet = household()
    fleet[1].change = lambda now: 1.0 if now < half else 5.0
    return fleet


class Worth(NamedTuple):
    """What a first choice of each target is worth, 0 to 1: success times speed times cheapness, as `adaptive` rates."""

    fleet: Sequence[Simulated]
    moment: float

    def of(self, name: str) -> float:
        """Return what it is worth at this moment, in an empty house."""
        seconds = {target.name: target.seconds * target.change(self.moment) for target in self.fleet}
        usual = median(seconds.values())
        costs = {
            target.name: _TOKENS_IN * target.dollars[0] + target.tokens * target.dollars[1] for target in self.fleet
        }
        dear = median(cost for cost in costs.values() if cost)
        success = next(target.success for target in self.fleet if target.name == name)
        return success * usual / (usual + seconds[name]) * dear / (dear + costs[name])


def regret(figures: Figures, fleet: Sequence[Simulated], moments: Sequence[float]) -> list[float]:
    """Return by how much each first choice is worth less than the best fixed target's at its moment."""
    worths: dict[bool, dict[str, float]] = {}
    lost = []
    for name, moment in zip(figures.first_choices, moments, strict=False):
        changed = fleet[1].change(moment) > 1
        if changed not in worths:
            worths[changed] = {target.name: Worth(fleet, moment).of(target.name) for target in fleet}
        worth = worths[changed]
        lost.append(max(worth.values()) - worth[name])
    return lost


def row(name: str, figures: Figures, fleet: Sequence[Simulated], lost: Sequence[float]) -> str:
    """Write one line of the table."""
    shares = " | ".join(f"{figures.share(target.name):.0%}" for target in fleet)
    dollars = sum(figures.costs) / PICODOLLARS_PER_DOLLAR / len(figures.costs) * 1000
    late = lost[len(lost) // 2 :]
    return (
        f"| {name} | {shares} | {dollars:.4f} | {figures.percentile(0.5):.2f} | {figures.percentile(0.95):.2f} "
        f"| {figures.success:.1%} | {mean(lost):.3f} | {mean(late):.3f} |"
    )


def table(title: str, make: Callable[[], list[Simulated]], requests: int) -> dict[str, Figures]:
    """Print what every strategy and every fixed target makes of a fleet."""
    names = " | ".join(target.name for target in make())
    print(f"\n{title}: {requests} requests, one each {_EVERY:g} s on average\n")
    print(f"| strategy | {names} | USD per 1,000 | p50 s | p95 s | success | regret | regret, 2nd half |")
    print("|---|" + "---|" * (len(make()) + 6))
    moments = [number * _EVERY for number in range(requests)]
    found = {}
    for strategy in STRATEGIES:
        fleet = make()
        found[strategy] = series(fleet, strategy, requests, every=_EVERY)
        print(row(strategy, found[strategy], fleet, regret(found[strategy], fleet, moments)))
    for target in make():
        fleet = make()
        name = f"manual: {target.name}"
        found[name] = series(fleet, "manual", requests, every=_EVERY, pins=Pins(providers=(target.name,)))
        print(row(name, found[name], fleet, regret(found[name], fleet, moments)))
    return found


def bursts() -> None:
    """Print how many of the calls that come at once go to one of three equal targets."""
    print(f"\n{_AT_ONCE} calls at once on {_TARGETS} equal targets, the most on one of them in 100 runs\n")
    print("| strategy | nothing known | after 30 calls |\n|---|---|---|")
    for strategy in EVEN:
        most = []
        for before in (0, 30):
            runs = [
                burst(
                    [Simulated(f"t{n}", spread=0.1) for n in range(_TARGETS)], strategy, _AT_ONCE, before=before, seed=s
                )
                for s in range(100)
            ]
            most.append(max(max(figures.count().values()) for figures in runs))
        print(f"| {strategy} | {most[0]} | {most[1]} |")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", nargs="?", type=int, default=3_000)
    requests = parser.parse_args().requests
    found = table("A household's fleet", household, requests)
    assert found["fastest"].percentile(0.95) < found["round_robin"].percentile(0.95)
    assert sum(found["cheapest"].costs) == min(sum(found[strategy].costs) for strategy in STRATEGIES)
    half = requests * _EVERY / 2
    table("The same, and the cheap account becomes five times slower half-way", lambda: changing(half), requests)
    bursts()


if __name__ == "__main__":
    main()
