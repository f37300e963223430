"""A fleet of simulated targets on virtual time, and what each way to choose makes of it: for tests and benchmarks."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from math import exp
from random import Random

from custom_components.ai_router.routing.call import Call, Event, Finish, Finished, Opened, TextDelta, Usage, UsageTotal
from custom_components.ai_router.routing.config import ProviderConfig
from custom_components.ai_router.routing.failures import AttemptFailed, Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Model
from custom_components.ai_router.routing.money import Picodollars
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Pins, Request

from .simulation import Home, LoopClock, ask, prices, provider, run


@dataclass
class Simulated:
    """One target, a provider of one model: how fast, how good, how dear.

    `seconds` is the median of a whole answer, scattered by a lognormal `spread`; the first word comes after the share
    `first` of it. Each answer under way makes the others slower by `crowding`. `dollars` are those of a million tokens in
    and out. `change` gives a factor on the seconds at a moment (virtual seconds).
    """

    name: str
    seconds: float = 1.0
    spread: float = 0.0
    first: float = 0.3
    success: float = 1.0
    dollars: tuple[float, float] = (0.0, 0.0)
    tokens: int = 100
    crowding: float = 0.0
    weight: float = 1.0
    priority: int = 0
    change: Callable[[float], float] = lambda _: 1.0
    chance: Random = field(default_factory=Random)
    calls: int = 0
    running: int = 0
    most_running: int = 0

    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        self.calls += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        seconds = self.seconds * exp(self.spread * self.chance.gauss()) * (1 + self.crowding * (self.running - 1))
        seconds *= self.change(asyncio.get_running_loop().time())
        try:
            yield Opened()
            await asyncio.sleep(seconds * self.first)
            if self.chance.random() >= self.success:
                raise AttemptFailed(
                    Failure(FailureClass.TRANSIENT, Phase.SENT, "simulated", status=500, billed=Billed.NO)
                )
            yield TextDelta("word")
            await asyncio.sleep(seconds * (1 - self.first))
            yield UsageTotal(Usage(fresh_in=200, text_out=min(self.tokens, call.max_output)))
            yield Finished(Finish.STOP)
        finally:
            self.running -= 1

    async def models(self) -> Sequence[Model]:
        return ()

    async def probe(self) -> None:
        return

    def config(self) -> ProviderConfig:
        """Configure it: `local` and free where it costs nothing."""
        return provider(self.name, self, prices=prices(*self.dollars), weight=self.weight, priority=self.priority)


@dataclass
class Figures:
    """What came of a series of requests: seconds and picodollars of each that was answered, and who was asked first."""

    seconds: list[float] = field(default_factory=list)
    first_words: list[float] = field(default_factory=list)
    costs: list[Picodollars] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    first_choices: list[str] = field(default_factory=list)
    failed: int = 0

    @property
    def success(self) -> float:
        return len(self.seconds) / (len(self.seconds) + self.failed)

    def share(self, name: str) -> float:
        return self.answered[name] / (self.answered.total() or 1)

    def percentile(self, part: float) -> float:
        """Return the seconds that this part (0 to 1) of the answers stays below."""
        ordered = sorted(self.seconds)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)]

    def count(self) -> Counter[str]:
        return Counter(self.first_choices)


async def send(home: Home, request: Request, figures: Figures, *, live: bool = False) -> None:
    """Ask once, and note what came of it."""
    try:
        if live:
            async with home.router.open(request) as stream:
                async for _ in stream:
                    pass
                reply = stream.reply
        else:
            reply = await home.router.process(request)
    except RequestFailed as refusal:
        figures.failed += 1
        figures.first_choices += (attempt.target.provider_id for attempt in refusal.attempts[:1])
        return
    figures.seconds.append(reply.latency)
    if reply.first_token is not None:
        figures.first_words.append(reply.first_token)
    figures.costs.append(reply.cost)
    figures.answered[reply.target.provider_id] += 1
    figures.first_choices.append(reply.attempts[0].target.provider_id)


def fleet_home(clock: LoopClock, fleet: Sequence[Simulated], strategy: str, seed: int = 1) -> Home:
    """Build a router over a fleet, with chance of a seed."""
    for number, target in enumerate(fleet):
        target.chance = Random(f"{seed}/{number}")
    return Home(clock, *(target.config() for target in fleet), chance=Random(seed).random, strategy=strategy)


def series(
    fleet: Sequence[Simulated],
    strategy: str,
    requests: int,
    *,
    every: float = 1.0,
    live: bool = False,
    pins: Pins | None = None,
    seed: int = 1,
) -> Figures:
    """Send requests at random moments, on average one `every` so many seconds, and return what came of them."""

    async def main(clock: LoopClock) -> Figures:
        home = fleet_home(clock, fleet, strategy, seed)
        arrivals = Random(f"arrivals {seed}")
        figures = Figures()
        async with asyncio.TaskGroup() as tasks:
            for number in range(requests):
                await asyncio.sleep(arrivals.expovariate(1 / every))
                tasks.create_task(send(home, ask(f"{number}", pins=pins or Pins()), figures, live=live))
        home.assert_nothing_left()
        return figures

    return run(main)


def burst(fleet: Sequence[Simulated], strategy: str, requests: int, *, before: int = 0, seed: int = 1) -> Figures:
    """Send some requests one after the other, then so many at once; return what came of the latter."""

    async def main(clock: LoopClock) -> Figures:
        home = fleet_home(clock, fleet, strategy, seed)
        for number in range(before):
            await send(home, ask(f"before {number}"), Figures())
        figures = Figures()
        async with asyncio.TaskGroup() as tasks:
            for number in range(requests):
                tasks.create_task(send(home, ask(f"{number}"), figures))
        home.assert_nothing_left()
        return figures

    return run(main)
