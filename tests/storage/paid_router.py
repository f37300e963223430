"""Paid requests through a router with its ledger, in processes that are killed when asked to.

python paid_router.py <directory of the ledger> <address of an OpenAI-compatible server>

Reads lines: `go` starts a process with paid traffic (its own loop, ledger and connections), `kill` kills it with
SIGKILL. Each is answered by a line. The processes are forked, so that no round waits for imports.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

CALLERS = 20
PRICE_IN, PRICE_OUT = 150_000, 600_000  # picodollars a token
MODEL = "house-1"


async def traffic(home: Path, url: str) -> None:
    """Ask without end, twenty at a time."""
    import aiohttp  # noqa: PLC0415 - after the path is set

    from custom_components.ai_router.clock import SystemClock  # noqa: PLC0415
    from custom_components.ai_router.providers.registry import KINDS, ProviderSetup  # noqa: PLC0415
    from custom_components.ai_router.routing.config import ProviderConfig, RouterConfig  # noqa: PLC0415
    from custom_components.ai_router.routing.model import Message, Model, Role, Text  # noqa: PLC0415
    from custom_components.ai_router.routing.money import Prices, Rates  # noqa: PLC0415
    from custom_components.ai_router.routing.request import Caller, Request  # noqa: PLC0415
    from custom_components.ai_router.routing.router import Router  # noqa: PLC0415
    from custom_components.ai_router.storage.ledger import SqliteLedger  # noqa: PLC0415

    ledger = await SqliteLedger.open(home, time.time())
    await ledger.replay()
    router = Router(SystemClock(asyncio.get_running_loop()), ledger)
    kind = KINDS["openai_compatible"]
    model = Model(MODEL, prices=Prices.flat(Rates.of(PRICE_IN, PRICE_OUT)))
    async with aiohttp.ClientSession() as session:
        setup = ProviderSetup("cloud", kind.id, url, None, (model,), {})
        provider = ProviderConfig("cloud", "Cloud", kind.id, kind.build(setup, session), (model,))
        router.apply(RouterConfig(providers={"cloud": provider}))

        async def caller(number: int) -> None:
            count = 0
            while True:
                count += 1
                words = f"{os.getpid()}-{number}-{count}"
                message = Message(Role.USER, (Text(words),))
                await router.process(Request(words, Caller(), (message,), stream=random.random() < 0.5))

        await asyncio.gather(*(caller(number) for number in range(CALLERS)))


def main(home: Path, url: str) -> None:
    child = 0
    for line in sys.stdin:
        if line.strip() == "go":
            child = os.fork()
            if not child:
                asyncio.run(traffic(home, url))
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        sys.stdout.write(line)
        sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.storage.traffic import without_home_assistant

    without_home_assistant()
    # What a round needs is imported once, before the forks.
    import aiohttp  # noqa: F401

    import custom_components.ai_router.providers.registry
    import custom_components.ai_router.routing.router
    import custom_components.ai_router.storage.ledger  # noqa: F401

    main(Path(sys.argv[1]), sys.argv[2])
