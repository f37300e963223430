"""AI Router as a subject of a side-by-side speed test.

Each maker returns `(call, stream, close)`: one chat completion, one streamed completion, the end. The boundary is the
`Router` with its real ledger on disk; `make` has free targets, `make_paid` paid ones, whose every call is held on disk
before it is sent.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_components.ai_router.clock import SystemClock
from custom_components.ai_router.providers.registry import KINDS, ProviderSetup
from custom_components.ai_router.routing.config import ProviderConfig, RouterConfig
from custom_components.ai_router.routing.model import (
    Bounds,
    Caller,
    Capability,
    Message,
    Model,
    Request,
    Role,
    Text,
    TextDelta,
)
from custom_components.ai_router.routing.money import FREE, Prices, Rates, per_million
from custom_components.ai_router.routing.router import Router
from custom_components.ai_router.storage.ledger import SqliteLedger

_TARGETS = 3
_MESSAGES = (
    Message(Role.SYSTEM, (Text("You are a home assistant. Answer in one sentence."),)),
    Message(Role.USER, (Text("Is the light in the living room on?"),)),
)

type Subject = tuple[Callable[[], Awaitable[str]], Callable[[], AsyncIterator[str]], Callable[[], Awaitable[None]]]


def _request(number: int, *, stream: bool) -> Request:
    return Request(
        id=f"bench-{number}", caller=Caller(), messages=_MESSAGES, bounds=Bounds(max_output=64), stream=stream
    )


async def _subject(base_url: str, prices: Prices) -> Subject:
    folder = tempfile.TemporaryDirectory()
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    ledger = await SqliteLedger.open(Path(folder.name), time.time())
    router = Router(SystemClock(asyncio.get_running_loop()), ledger)
    kind = KINDS["openai_compatible"]
    model = Model("gpt-4o-mini", Capability.CHAT | Capability.STREAMING, prices=prices)
    providers = {}
    for number in range(_TARGETS):
        name = f"p{number}"
        setup = ProviderSetup(name, kind.id, base_url, f"sk-{number}", (model,), {})
        providers[name] = ProviderConfig(name, name, kind.id, kind.build(setup, session), (model,))
    router.apply(RouterConfig(providers=providers))
    count = 0

    async def call() -> str:
        nonlocal count
        count += 1
        return (await router.process(_request(count, stream=False))).text

    async def stream() -> AsyncIterator[str]:
        nonlocal count
        count += 1
        async with router.open(_request(count, stream=True)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    yield event.text

    async def close() -> None:
        await router.close(1)
        await ledger.close()
        await session.close()
        folder.cleanup()

    return call, stream, close


async def make(base_url: str) -> Subject:
    """Three free targets."""
    return await _subject(base_url, FREE)


async def make_paid(base_url: str) -> Subject:
    """Three paid targets at 0.15 and 0.60 dollars per million tokens."""
    return await _subject(base_url, Prices.flat(Rates.of(per_million("0.15"), per_million("0.60"))))
