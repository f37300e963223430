"""AI Router as a subject of a side-by-side speed test.

Each maker returns `(call, stream, close)`: one chat completion, one streamed completion, the end. The boundary is the
`Router` with its real ledger on disk; `make` has free targets, `make_paid` paid ones, whose every call is held on disk
before it is sent.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_components.ai_router.clock import SystemClock
from custom_components.ai_router.providers.registry import KINDS, ProviderSetup
from custom_components.ai_router.routing.call import TextDelta
from custom_components.ai_router.routing.config import ProviderConfig, RouterConfig
from custom_components.ai_router.routing.model import NO_SAMPLING, Capability, Message, Model, Role, Sampling, Text
from custom_components.ai_router.routing.money import FREE, Prices, Rates, per_million
from custom_components.ai_router.routing.request import Bounds, Caller, Request
from custom_components.ai_router.routing.router import Router
from custom_components.ai_router.storage.ledger import SqliteLedger

_TARGETS = 3
PAID = Prices.flat(Rates.of(per_million("0.15"), per_million("0.60")))
_MESSAGES = (
    Message(Role.SYSTEM, (Text("You are a home assistant. Answer in one sentence."),)),
    Message(Role.USER, (Text("Is the light in the living room on?"),)),
)

type Subject = tuple[Callable[[], Awaitable[str]], Callable[[], AsyncIterator[str]], Callable[[], Awaitable[None]]]


class House:
    """A router with a provider at each of some addresses, one model each, and a real ledger on disk."""

    def __init__(self, folder: tempfile.TemporaryDirectory[str], session: aiohttp.ClientSession) -> None:
        """Use `open`."""
        self._folder = folder
        self._session = session
        self._numbers = count(1)
        self.ledger: SqliteLedger
        self.router: Router

    @classmethod
    async def open(cls, addresses: Sequence[str], prices: Prices) -> Self:
        """Set it up; the first address has the highest priority. `configure` changes it."""
        house = cls(tempfile.TemporaryDirectory(), aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        house.ledger = await SqliteLedger.open(Path(house._folder.name), time.time())
        house.router = Router(SystemClock(asyncio.get_running_loop()), house.ledger)
        house.configure(addresses, prices)
        return house

    def configure(
        self, addresses: Sequence[str], prices: Prices, of_each: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        """Set providers up: `of_each` are fields of `ProviderConfig`, `settings` those of `RouterConfig`."""
        kind = KINDS["openai_compatible"]
        model = Model("gpt-4o-mini", Capability.CHAT | Capability.STREAMING, prices=prices)
        providers = {}
        for place, address in enumerate(addresses):
            name = f"p{place}"
            client = kind.build(ProviderSetup(name, kind.id, address, f"sk-{place}", (model,), {}), self._session)
            fields = {"priority": -place, **(of_each or {})}
            providers[name] = ProviderConfig(name, name, kind.id, client, (model,), **fields)
        self.router.apply(RouterConfig(providers=providers, **settings))

    def request(self, *, stream: bool = False, max_output: int = 64, sampling: Sampling = NO_SAMPLING) -> Request:
        """Make one request."""
        return Request(
            id=f"bench-{next(self._numbers)}",
            caller=Caller(),
            messages=_MESSAGES,
            bounds=Bounds(max_output=max_output),
            sampling=sampling,
            stream=stream,
        )

    async def call(self) -> str:
        """Ask for a whole answer."""
        return (await self.router.process(self.request())).text

    async def stream(self) -> AsyncIterator[str]:
        """Ask for an answer as it comes."""
        async with self.router.open(self.request(stream=True)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    yield event.text

    async def close(self) -> None:
        """Take everything down."""
        await self.router.close(1)
        await self.ledger.close()
        await self._session.close()
        self._folder.cleanup()


async def _subject(base_url: str, prices: Prices) -> Subject:
    house = await House.open([base_url] * _TARGETS, prices)
    return house.call, house.stream, house.close


async def make(base_url: str) -> Subject:
    """Three free targets."""
    return await _subject(base_url, FREE)


async def make_paid(base_url: str) -> Subject:
    """Three paid targets at 0.15 and 0.60 dollars per million tokens."""
    return await _subject(base_url, PAID)
