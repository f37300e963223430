"""How long a plan takes in a large household.

    .venv/test/bin/python -m benchmarks.planning

prints CPU microseconds for one plan (`Router.plan`: rules, pools, filter, order, prices, reasons) with nothing else
going on: the median of many, of requests that are like earlier ones, and of requests of which each is the first of its
kind.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import time as time_of_day
from itertools import count
from statistics import median

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.config import Conditions, Member, PoolConfig, ProviderConfig, RuleConfig
from custom_components.ai_router.routing.money import FREE
from custom_components.ai_router.routing.request import Bounds, Caller, Pins, Request
from custom_components.ai_router.routing.tickets import Window
from tests.routing.simulation import Home, LoopClock, ScriptedProvider, ask, prices, provider, run

_TIMES = 300
_SIZES = ((1, 0), (3, 0), (10, 20), (50, 0), (50, 200))


def _providers(number: int) -> Iterator[ProviderConfig]:
    for place in range(number):
        yield provider(
            f"p{place}",
            ScriptedProvider(),
            priority=place % 5,
            local=place % 3 == 0,
            prices=FREE if place % 3 == 0 else prices(1, 2),
            budgets=(Budget(Window.MONTH, 10**12),),
        )


def _rules(number: int) -> Iterator[RuleConfig]:
    """One rule in four looks at the clock, one at the length, the others at what is shown and who asks."""
    for place in range(number):
        whens = (
            Conditions(after=time_of_day(place % 24), before=time_of_day((place + 8) % 24)),
            Conditions(tokens_from=place * 10, labels=frozenset({f"label {place}"})),
            Conditions(entities=frozenset({f"camera.c{place}"})),
            Conditions(users=frozenset({f"user {place}"}), sources=frozenset({"conversation"})),
        )
        yield RuleConfig(
            f"r{place}", f"R{place}", whens[place % 4], priority=place % 7, bounds=Bounds(max_output=900 + place)
        )


def _microseconds(home: Home, requests: Iterator[Request]) -> float:
    spent = []
    for request in (next(requests) for _ in range(_TIMES)):
        began = time.process_time_ns()
        home.router.plan(request)
        spent.append(time.process_time_ns() - began)
    return median(spent) / 1_000


def _alike(request: Request) -> Iterator[Request]:
    while True:
        yield request


def _each_new(request: Request) -> Iterator[Request]:
    for number in count():
        yield replace(request, label=f"l{number}", entities=(f"camera.c{number}",), caller=Caller(f"user {number}"))


async def _main(clock: LoopClock) -> None:
    sys.stdout.write("| providers | rules | where | like earlier ones | first of its kind |\n|---|---|---|---|---|\n")
    for providers, rules in _SIZES:
        pools = {
            "near": PoolConfig(
                "near", "Near", tuple(Member(f"p{n}") for n in range(min(10, providers))), fallback="far"
            ),
            "far": PoolConfig("far", "Far", tuple(Member(f"p{n}") for n in range(providers)), fallback="near"),
        }
        home = Home(clock, *_providers(providers), pools=pools, rules=tuple(_rules(rules)))
        for name in (None, "near"):
            request = ask(pins=Pins(pool=name))
            alike, new = _microseconds(home, _alike(request)), _microseconds(home, _each_new(request))
            where = "all" if name is None else "pool, fallback"
            sys.stdout.write(f"| {providers} | {rules} | {where} | {alike:.0f} | {new:.0f} |\n")


if __name__ == "__main__":
    run(_main)
