"""AI Router inside a real Home Assistant, in this process, with a configuration folder of its own.

    python -m benchmarks.at_home setup PROVIDERS
    python -m benchmarks.at_home writes REQUESTS

prints one line of JSON. Needs what the tests need.
"""

import asyncio
import json
import sys
import time
from asyncio.events import Handle
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from itertools import pairwise
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, patch

from benchmarks.subjects import MESSAGES, MODEL, Subject

_DOMAIN = "ai_router"
_WINDOW = 2.0
_NOWHERE = "http://127.0.0.1:9/v1"


@asynccontextmanager
async def home() -> AsyncGenerator[Any]:
    """Start a Home Assistant that finds the integration."""
    # Before the test plugin: it has a package of this name too.
    import_module(f"custom_components.{_DOMAIN}")
    common = import_module("pytest_homeassistant_custom_component.common")
    loader = import_module("homeassistant.loader")
    setup = import_module("homeassistant.setup")
    client = import_module("homeassistant.helpers.aiohttp_client")
    # Home Assistant's own also asks by multicast for names: here there are none.
    with TemporaryDirectory() as folder, patch.object(client, "_async_make_resolver", return_value=AsyncMock()):
        async with common.async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(loader.DATA_CUSTOM_COMPONENTS, None)
            assert await setup.async_setup_component(hass, "homeassistant", {})
            try:
                yield hass
            finally:
                await hass.async_stop(force=True)


async def move_in(hass: Any, addresses: list[str], **options: Any) -> Any:
    """Set the entry up with a provider at each address."""
    household, servers = import_module("tests.household"), import_module("tests.servers")
    providers = [
        await servers.at_server(
            hass,
            SimpleNamespace(url=address),
            f"P{place}",
            f"Provider {place}",
            prices=household.FREE,
            models=(MODEL,),
        )
        for place, address in enumerate(addresses)
    ]
    entry = await household.move_in(hass, None, *providers, **options)
    await hass.async_block_till_done()
    return entry


async def make_action(base_url: str) -> Subject:
    """Ask by the action, as an automation does."""
    stack = AsyncExitStack()
    hass = await stack.enter_async_context(home())
    await move_in(hass, [base_url])
    data = {"system": MESSAGES[0]["content"], "prompt": MESSAGES[1]["content"], "max_tokens": 64}

    async def call() -> str:
        answer = await hass.services.async_call(_DOMAIN, "process", data, blocking=True, return_response=True)
        return str(answer["text"])

    async def stream() -> AsyncIterator[str]:
        yield await call()

    return call, stream, stack.aclose


@contextmanager
def watched(longest: list[float]) -> Iterator[None]:
    """Note how long (milliseconds) each step of the loop takes, whosever it is."""
    # The one place where every step passes.
    run = Handle._run  # noqa: SLF001

    def timed(handle: Handle) -> None:
        began = time.perf_counter()
        run(handle)
        longest.append((time.perf_counter() - began) * 1e3)

    with patch.object(Handle, "_run", timed):
        yield


async def setup(providers: int) -> dict[str, float]:
    """Set up twice, the second time with everything imported, as Home Assistant's own thread for imports would."""
    async with home() as hass:
        entry = await move_in(hass, [_NOWHERE] * providers)
        steps: list[float] = []
        await hass.config_entries.async_unload(entry.entry_id)
        with watched(steps):
            await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
        return {"stall": max(steps), "entities": len(hass.states.async_all())}


async def writes(requests: int) -> dict[str, float]:
    """Count how often each entity is written while so many requests run, over two seconds at least."""
    household, const = import_module("tests.household"), import_module("homeassistant.const")
    written: dict[str, list[float]] = {}
    async with home() as hass:
        options = {"latency": 0.2}
        entry = await household.move_in(hass, None, household.demo(household.ATTIC, "Attic", options=options))
        await hass.async_block_till_done()
        hass.bus.async_listen(
            const.EVENT_STATE_CHANGED,
            lambda event: written.setdefault(event.data["entity_id"], []).append(time.monotonic()),
        )
        began = time.monotonic()
        left = iter(range(requests))

        async def caller() -> None:
            for _ in left:
                await household.ask(entry, household.ATTIC)

        await asyncio.gather(*(caller() for _ in range(50)))
        seconds = time.monotonic() - began
    gaps = [later - earlier for moments in written.values() for earlier, later in pairwise(moments)]
    counts = Counter({name: len(moments) for name, moments in written.items()})
    return {
        "most": max(counts.values()),
        "seconds": seconds,
        "shortest": min(gaps, default=_WINDOW),
        "entities": len(counts),
    }


async def main() -> None:
    """Do one task."""
    task, number = sys.argv[1:]
    print(json.dumps(await {"setup": setup, "writes": writes}[task](int(number))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
