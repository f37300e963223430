"""Paid traffic on a ledger until it is killed: prints the id and hold of every attempt whose hold is on disk.

python traffic.py <directory of the ledger> <seed>
"""

import asyncio
import os
import random
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
CALLERS = 20


def without_home_assistant() -> None:
    """Let the package be found without its face: importing Home Assistant takes seconds in every round."""
    sys.path.insert(0, str(ROOT))
    package = ModuleType("custom_components.ai_router")
    package.__path__ = [str(ROOT / "custom_components" / "ai_router")]
    sys.modules[package.__name__] = package


async def main(home: Path, chance: random.Random) -> None:
    from custom_components.ai_router.storage.ledger import SqliteLedger  # noqa: PLC0415 - after the path is set
    from tests.storage.attempts import NOW, answered, entry, failed  # noqa: PLC0415

    ledger = await SqliteLedger.open(home, NOW)
    await ledger.replay()

    async def caller() -> None:
        while True:
            provider = chance.choice(("attic", "cloud", "cellar"))
            paid = entry(hold=chance.randrange(1, 10**12), provider_id=provider, label=chance.choice((None, "door")))
            await ledger.hold(paid)
            os.write(1, f"{paid.ticket.attempt_id} {paid.ticket.hold}\n".encode())
            await asyncio.sleep(chance.random() / 100)
            if chance.random() < 0.8:
                ledger.settle(paid, answered(chance.randrange(10**12)) if chance.random() < 0.7 else failed())
            ledger.settle(entry(provider_id=provider), answered())

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


if __name__ == "__main__":
    without_home_assistant()
    asyncio.run(main(Path(sys.argv[1]), random.Random(int(sys.argv[2]))))
