"""What a subject does when many ask at once, or when its first target is dead: counted at the server.

    python -m benchmarks.crowd SUBJECT TASK ADDRESS

prints one line of JSON. Subjects are `router` and `litellm`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from statistics import median
from typing import Any

import aiohttp

from benchmarks.subjects import Call, litellm_call, litellm_router

AT_ONCE = 100
FIT = 13
_SPREAD = 60
_TARGETS = 3
_ROUTER_CALLS, _LITELLM_CALLS = 40, 4
_PATIENCE = 60.0
_QUIET = 0.5
_TOKENS_A_MINUTE, _CLAIM = 20_000, 2_000
# What LiteLLM books for the answers of our server at these prices (dollars), for a budget that fits as many of them.
_LITELLM_RATES = {"input_cost_per_token": 1e-4, "output_cost_per_token": 1e-4}
_LITELLM_COST = 33e-4

type Found = dict[str, Any]


class Server:
    """The provider server, from outside."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        """Talk to the one at an address that ends in /v1."""
        self._session = session
        self.address = address
        self.dead, self.slow = (address.replace("/v1", f"/{how}/v1") for how in ("dead", "slow"))
        self._root = address.removesuffix("/v1")

    async def ask(self, what: str) -> dict[str, int]:
        """Ask it to hold, to release, or for its counts."""
        async with self._session.get(f"{self._root}/{what}") as response:
            return await response.json() if what == "counts" else {}

    async def crowd(self, call: Call, number: int) -> dict[str, int]:
        """Let so many ask at once, answer when all have been sent or refused, and return what was counted."""
        await self.ask("counts")
        await self.ask("hold")
        asking = [asyncio.ensure_future(call()) for _ in range(number)]
        counts: dict[str, int] = {}
        decided, quiet = 0, time.monotonic()
        end = quiet + _PATIENCE
        while time.monotonic() < min(end, quiet + _QUIET) and decided < number:
            await asyncio.sleep(0.05)
            for name, count in (await self.ask("counts")).items():
                counts[name] = counts.get(name, 0) + count
            now = sum(counts.values()) + sum(task.done() for task in asking)
            if now != decided or not now:
                decided, quiet = now, time.monotonic()
        await self.ask("release")
        await asyncio.gather(*asking, return_exceptions=True)
        for name, count in (await self.ask("counts")).items():
            counts[name] = counts.get(name, 0) + count
        return counts


# --- AI Router -------------------------------------------------------------------------------------


async def router_budget(server: Server) -> Found:
    """Ask at once on a budget whose holds fit 13."""
    adapter = import_module("benchmarks.adapter")
    budgets = import_module("custom_components.ai_router.routing.budgets")
    house = await adapter.House.open([server.address], adapter.PAID)
    hold = house.router.plan(house.request()).candidates[0].hold
    limit = budgets.Budget(import_module("custom_components.ai_router.routing.tickets").Window.MONTH, hold * FIT)
    house.configure([server.address], adapter.PAID, budgets=(limit,))
    counts = await server.crowd(house.call, AT_ONCE)
    await house.close()
    return {"sent": sum(counts.values())}


async def router_tokens(server: Server) -> Found:
    """Ask at once on 20,000 tokens a minute with claims of 2,000."""
    adapter = import_module("benchmarks.adapter")
    house = await adapter.House.open([server.address], adapter.FREE)
    house.configure([server.address], adapter.FREE, of_each={"tokens_per_minute": _TOKENS_A_MINUTE})
    input_tokens = house.router.plan(house.request()).candidates[0].estimate.input_tokens

    async def call() -> str:
        reply = await house.router.process(house.request(max_output=_CLAIM - input_tokens))
        return str(reply.text)

    counts = await server.crowd(call, AT_ONCE)
    await house.close()
    return {"sent": sum(counts.values())}


async def router_identical(server: Server) -> Found:
    """Ask the same at once, at temperature 0."""
    adapter = import_module("benchmarks.adapter")
    sampling = import_module("custom_components.ai_router.routing.model").Sampling(temperature=0.0)
    house = await adapter.House.open([server.address], adapter.FREE)

    async def call() -> str:
        return str((await house.router.process(house.request(sampling=sampling))).text)

    counts = await server.crowd(call, AT_ONCE)
    await house.close()
    return {"sent": sum(counts.values())}


async def router_dead(server: Server) -> Found:
    """Ask one after another, with a dead server before a good one."""
    adapter = import_module("benchmarks.adapter")
    house = await adapter.House.open([server.address], adapter.FREE)
    usual = await _usual(house.call)
    house.configure([server.dead, server.address], adapter.FREE)
    found = await _dead(server, house.call, _ROUTER_CALLS)
    threshold = house.router.config.breaker.failures
    await house.close()
    return {"usual": usual, "threshold": threshold, **found}


async def router_spread(server: Server) -> Found:
    """Ask at once over three equal targets, by each strategy that spreads."""
    adapter = import_module("benchmarks.adapter")
    most = {}
    for strategy in ("round_robin", "weighted", "least_loaded", "fastest"):
        house = await adapter.House.open([server.slow] * _TARGETS, adapter.FREE)
        # All have the same priority here, and what was learned comes from answers, as in a house.
        house.configure([server.slow] * _TARGETS, adapter.FREE, of_each={"priority": 0}, strategy=strategy)
        for _ in range(30):
            await house.call()
        most[strategy] = max((await server.crowd(house.call, _SPREAD)).values())
        await house.close()
    return {"most": most}


# --- LiteLLM ---------------------------------------------------------------------------------------


async def litellm_budget(server: Server) -> Found:
    """Ask at once on a budget of 13 times what one of these calls costs."""
    budget = {"openai": {"budget_limit": FIT * _LITELLM_COST, "time_period": "1d"}}
    router = litellm_router([server.address], of_each=_LITELLM_RATES, provider_budget_config=budget, num_retries=0)
    return {"sent": sum((await server.crowd(litellm_call(router), AT_ONCE)).values())}


async def litellm_tokens(server: Server) -> Found:
    """Ask at once on 20,000 tokens a minute."""
    router = litellm_router(
        [server.address],
        of_each={"tpm": _TOKENS_A_MINUTE},
        routing_strategy="usage-based-routing-v2",
        num_retries=0,
    )
    return {"sent": sum((await server.crowd(litellm_call(router), AT_ONCE)).values())}


async def litellm_identical(server: Server) -> Found:
    """Ask the same at once, at temperature 0, with its cache on."""
    router = litellm_router([server.address], cache_responses=True, num_retries=0)
    return {"sent": sum((await server.crowd(litellm_call(router, temperature=0.0), AT_ONCE)).values())}


async def litellm_dead(server: Server) -> Found:
    """Ask one after another, with a dead server and a fallback."""
    router = litellm_router([server.dead], fallbacks=[{"home": ["backup"]}])
    router.add_deployment(
        import_module("litellm").Deployment(
            model_name="backup",
            litellm_params={"model": "openai/gpt-4o-mini", "api_base": server.address, "api_key": "sk-1"},
        )
    )
    usual = await _usual(litellm_call(litellm_router([server.address])))
    return {"usual": usual, **await _dead(server, litellm_call(router), _LITELLM_CALLS)}


async def litellm_spread(server: Server) -> Found:
    """Ask at once over three equal targets, by latency."""
    router = litellm_router([server.slow] * _TARGETS, routing_strategy="latency-based-routing", num_retries=0)
    call = litellm_call(router)
    for _ in range(30):
        await call()
    return {"most": {"latency-based-routing": max((await server.crowd(call, _SPREAD)).values())}}


async def _timed(call: Call) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1e3


async def _usual(call: Call) -> float:
    """Return the milliseconds that a call takes where nothing is dead."""
    return median([await _timed(call) for _ in range(_ROUTER_CALLS)][_ROUTER_CALLS // 2 :])


async def _dead(server: Server, call: Call, calls: int) -> Found:
    """Count how often the dead one is tried, and time the later half of the calls (milliseconds).

    "Before" are the tries up to the first call that passes it by.
    """
    await server.ask("counts")
    tries, waited = [], []
    for _ in range(calls):
        waited.append(await _timed(call))
        counts = await server.ask("counts")
        tries.append(sum(count for path, count in counts.items() if path.startswith("/dead")))
    opened = tries.index(0) if 0 in tries else calls
    return {
        "before": sum(tries[:opened]),
        "after": sum(tries[opened:]),
        "calls": calls,
        "late": median(waited[calls // 2 :]),
    }


TASKS: dict[str, Callable[[Server], Awaitable[Found]]] = {
    f"{subject} {task}": globals()[f"{subject}_{task}"]
    for subject in ("router", "litellm")
    for task in ("budget", "tokens", "identical", "dead", "spread")
}


async def main() -> None:
    """Do one task."""
    subject, task, address = sys.argv[1:]
    async with aiohttp.ClientSession() as session:
        found = await TASKS[f"{subject} {task}"](Server(session, address))
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
