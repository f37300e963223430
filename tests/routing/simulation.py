"""A house on virtual time: the real router over scripted providers and a ledger in memory."""

import asyncio
import selectors
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, override

from custom_components.ai_router.routing.call import (
    Alive,
    Call,
    Event,
    Finish,
    Finished,
    Opened,
    RateWindow,
    Rethought,
    TextDelta,
    Usage,
    UsageTotal,
    Vectors,
)
from custom_components.ai_router.routing.config import ProviderConfig, RouterConfig
from custom_components.ai_router.routing.failures import AttemptFailed, Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Capability, Image, Message, Model, Role, Text
from custom_components.ai_router.routing.money import FREE, Prices, Rates, per_million
from custom_components.ai_router.routing.outcome import Outcome
from custom_components.ai_router.routing.ports import CoreEvent, Entry, LedgerUnavailable, Provider, Spending
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.routing.router import Router

START = 1_795_300_000.0  # 2026-11-21, an arbitrary moment


class _InstantSelector(selectors.DefaultSelector):
    """Never sleeps: what would be waited for is added to the virtual time."""

    loop: VirtualLoop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.loop.virtual += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when everybody waits."""

    def __init__(self) -> None:
        self.virtual = 0.0
        selector = _InstantSelector()
        selector.loop = self
        super().__init__(selector)

    @override
    def time(self) -> float:
        return self.virtual


class LoopClock:
    """The virtual loop's time as the router's clock; `shift` makes the wall clock jump."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.shift = START

    def monotonic(self) -> float:
        return self.loop.time()

    def now(self) -> float:
        return self.loop.time() + self.shift


def run[T](main: Callable[[LoopClock], Coroutine[Any, Any, T]]) -> T:
    """Run a test on virtual time; fails if it leaves a task behind."""
    loop = VirtualLoop()
    try:
        result = loop.run_until_complete(main(LoopClock(loop)))
        left = asyncio.all_tasks(loop)
        assert not left, f"left behind: {left}"
        loop.run_until_complete(loop.shutdown_asyncgens())
        return result
    finally:
        loop.close()


@dataclass
class MemoryLedger:
    """The ledger port in memory: keeps what it was told, in order."""

    holds: dict[str, int] = field(default_factory=dict)
    settled: dict[str, Outcome] = field(default_factory=dict)
    by_day: dict[str, int] = field(default_factory=dict)
    broken: bool = False
    delay: float = 0.0

    async def hold(self, entry: Entry) -> None:
        if self.broken:
            raise LedgerUnavailable
        if self.delay:
            await asyncio.sleep(self.delay)
        self.holds[entry.ticket.attempt_id] = entry.ticket.hold

    def settle(self, entry: Entry, outcome: Outcome) -> None:
        assert entry.ticket.attempt_id not in self.settled, "settled twice"
        self.settled[entry.ticket.attempt_id] = outcome
        day = entry.ticket.day
        self.by_day[day] = self.by_day.get(day, 0) + outcome.cost

    @property
    def spent(self) -> int:
        return sum(outcome.cost for outcome in self.settled.values())


type Step = (
    float | str | Vectors | Failure | Alive | Rethought | Usage | UsageTotal | Finish | asyncio.Event | Exception
)


@dataclass
class ScriptedProvider:
    """The provider port played from a script: seconds to wait, words to say, a failure to end with.

    `script` is one list of steps for every call, or a function of the call's number; `rates` are told with every
    answer, which begins after `silent_seconds`; `ill` is what a check finds, after `check_seconds`.
    """

    script: Sequence[Step] | Callable[[int], Sequence[Step]] = ("Hello", Usage(fresh_in=10, text_out=5), Finish.STOP)
    calls: list[Call] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    running: int = 0
    rates: Callable[[int], tuple[RateWindow, ...]] = lambda _: ()
    silent_seconds: float = 0.0
    ill: Failure | Exception | None = None
    check_seconds: float = 0.0
    checks: list[float] = field(default_factory=list)
    checking: int = 0

    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        self.calls.append(call)
        self.times.append(asyncio.get_running_loop().time())
        self.running += 1
        number = len(self.calls)
        steps = self.script(number) if callable(self.script) else self.script
        try:
            if self.silent_seconds:
                await asyncio.sleep(self.silent_seconds)
            yield Opened(self.rates(number))
            for step in steps:
                match step:
                    case float() | int():
                        await asyncio.sleep(step)
                    case asyncio.Event():
                        await step.wait()
                    case Finish():
                        yield Finished(step)
                    case str():
                        yield TextDelta(step)
                    case Alive() | Rethought() | UsageTotal():
                        yield step
                    case Vectors():
                        yield step
                    case Usage():
                        yield UsageTotal(step)
                    case Failure():
                        raise AttemptFailed(step)
                    case Exception():
                        raise step
        finally:
            self.running -= 1

    async def models(self) -> Sequence[Model]:
        return ()

    async def probe(self) -> None:
        self.checks.append(asyncio.get_running_loop().time())
        self.checking += 1
        assert self.checking == 1, "checked twice at once"
        try:
            await asyncio.sleep(self.check_seconds)
        finally:
            self.checking -= 1
        if self.ill is not None:
            raise AttemptFailed(self.ill) if isinstance(self.ill, Failure) else self.ill


def failing(cls: FailureClass, *, status: int | None = 500, **more: Any) -> list[Step]:
    """Script a refusal with an error body."""
    return [Failure(cls, Phase.SENT, f"scripted {cls}", status=status, **{"billed": Billed.NO, **more})]


def prices(input_usd: float = 0.0, output_usd: float = 0.0, per_request: int = 0) -> Prices:
    """Make prices: dollars per million tokens, picodollars per request."""
    return Prices.flat(Rates.of(per_million(input_usd), per_million(output_usd), per_request))


def provider(name: str, client: Provider, **settings: Any) -> ProviderConfig:
    """Configure a scripted provider with one model, `m`, that is local and free unless said otherwise."""
    model = Model(
        "m",
        caps=settings.pop("caps", Capability.CHAT | Capability.STREAMING | Capability.VISION),
        context=settings.pop("context", None),
        max_output=settings.pop("max_output", None),
        prices=settings.pop("prices", FREE),
        local=settings.pop("local", True),
    )
    settings.setdefault("models", (model,))
    return ProviderConfig(id=name, name=name, kind="scripted", client=client, **settings)


def ask(text: str = "Is the door open?", **fields: Any) -> Request:
    """Make a request."""
    fields.setdefault("id", "r")
    fields.setdefault("caller", Caller())
    fields.setdefault("messages", (Message(Role.USER, (Text(text),)),))
    return Request(**fields)


def picture(width: int = 640, height: int = 480) -> Image:
    """Make a picture part."""
    return Image("0" * 64, "image/jpeg", width, height, lambda: b"x")


class Home:
    """A router over scripted providers, with all its events kept."""

    def __init__(
        self,
        clock: LoopClock,
        *providers: ProviderConfig,
        chance: Callable[[], float] = lambda: 0.5,
        **config: Any,
    ) -> None:
        self.clock = clock
        self.ledger = MemoryLedger()
        self.router = Router(clock, self.ledger, chance=chance)
        self.events: list[CoreEvent] = []
        self.router.subscribe(self.events.append)
        self.configure(*providers, **config)

    def configure(self, *providers: ProviderConfig, history: Sequence[Spending] = (), **config: Any) -> None:
        self.router.apply(RouterConfig(providers={each.id: each for each in providers}, **config), history)

    def assert_nothing_left(self) -> None:
        """No ticket, slot, hold or probe is left, and what was settled is what was counted."""
        admission = self.router.admission
        assert not admission.open_tickets
        assert not self.router.under_way
        for name in self.router.config.providers:
            assert admission.slots(name).used == 0
        fleet = self.router._dispatcher.planner.fleet
        for lane in (*fleet, *chain.from_iterable(fleet.pools.values())):
            assert not admission.breakers.of(lane.target).probing
            for key in lane.money:
                assert admission.money(key).account.held == 0
        assert set(self.ledger.holds) <= set(self.ledger.settled)
