"""Cancel requests at random moments, and count what is left of them.

    python -m benchmarks.cancels [requests]

prints one line of JSON. Time is virtual, so that a cancel hits every moment of the road.
"""

import asyncio
import json
import sys
from random import Random

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.routing.simulation import Home, LoopClock, ScriptedProvider, ask, prices, provider, run

_AT_ONCE = 100
_MOMENTS = (0.0, 0.0, 0.005, 0.01, 0.1, 1.0, 3.0)


async def cancelled(clock: LoopClock, requests: int) -> dict[str, int]:
    """Count holds, slots and probes that are still taken when all are gone."""
    chance = Random(11)  # noqa: S311  # the same moments in every run
    client = ScriptedProvider(lambda _: ["word", chance.random(), Usage(fresh_in=3, text_out=2), Finish.STOP])
    home = Home(clock, provider("p0", client, prices=prices(1, 2)), provider("p1", client))
    home.ledger.delay = 0.01
    answered = 0

    async def one() -> None:
        nonlocal answered
        asking = asyncio.ensure_future(home.router.process(ask()))
        await asyncio.sleep(chance.choice(_MOMENTS))
        asking.cancel()
        try:
            await asking
        except asyncio.CancelledError, RequestFailed:
            return
        answered += 1

    for _ in range(requests // _AT_ONCE):
        await asyncio.gather(*(one() for _ in range(_AT_ONCE)))
    admission = home.router.admission
    leaked = len(admission.open_tickets) + home.router.under_way + client.running
    leaked += len(home.ledger.holds.keys() - home.ledger.settled.keys())
    for name in ("p0", "p1"):
        leaked += admission.slots(name).used + admission.breakers.of(Target(name, "m")).probing
    return {"leaked": leaked, "answered": answered}


def main() -> None:
    """Read the command line."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(json.dumps(run(lambda clock: cancelled(clock, requests))), flush=True)


if __name__ == "__main__":
    main()
