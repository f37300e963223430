"""Whose speed is compared: each maker returns `(call, stream, close)` for a provider's address, as `adapter.py` says.

Only what a subject needs is imported, and only when it is made: LiteLLM has a Python of its own.
"""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from typing import Any

import aiohttp

MODEL = "gpt-4o-mini"
MESSAGES = [
    {"role": "system", "content": "You are a home assistant. Answer in one sentence."},
    {"role": "user", "content": "Is the light in the living room on?"},
]
_BODY = {"model": MODEL, "messages": MESSAGES, "max_tokens": 64}
_TARGETS = 3

type Call = Callable[[], Awaitable[str]]
type Subject = tuple[Call, Callable[[], AsyncIterator[str]], Callable[[], Awaitable[None]]]


async def make_direct(base_url: str) -> Subject:
    """Post with aiohttp and nothing else: what nobody can do without."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    url, headers = f"{base_url}/chat/completions", {"Authorization": "Bearer sk-0"}

    async def call() -> str:
        async with session.post(url, json=_BODY, headers=headers) as response:
            answer = await response.json()
        return str(answer["choices"][0]["message"]["content"])

    async def stream() -> AsyncIterator[str]:
        async with session.post(url, json={**_BODY, "stream": True}, headers=headers) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    delta = json.loads(line[6:])["choices"][0]["delta"]
                    if delta:
                        yield delta["content"]

    return call, stream, session.close


def litellm_router(addresses: list[str], **settings: Any) -> Any:
    """Make LiteLLM's router over equal deployments of one model; it fetches nothing from the net."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    litellm: Any = import_module("litellm")
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    each = settings.pop("of_each", {})
    deployments = [
        {
            "model_name": "home",
            "litellm_params": {"model": f"openai/{MODEL}", "api_base": address, "api_key": f"sk-{place}", **each},
        }
        for place, address in enumerate(addresses)
    ]
    return litellm.Router(model_list=deployments, **settings)


def litellm_call(router: Any, **fields: Any) -> Call:
    """Return what asks LiteLLM's router for one answer."""

    async def call() -> str:
        answer = await router.acompletion(model="home", messages=MESSAGES, max_tokens=64, **fields)
        return str(answer.choices[0].message.content)

    return call


async def make_litellm(base_url: str) -> Subject:
    """Ask LiteLLM's router, with its default strategy."""
    router = litellm_router([base_url] * _TARGETS)

    async def stream() -> AsyncIterator[str]:
        async for chunk in await router.acompletion(model="home", messages=MESSAGES, max_tokens=64, stream=True):
            yield chunk.choices[0].delta.content or ""

    async def close() -> None:
        return None

    return litellm_call(router), stream, close


async def make_free(base_url: str) -> Subject:
    """Ask AI Router over free targets."""
    subject: Subject = await import_module("benchmarks.adapter").make(base_url)
    return subject


async def make_paid(base_url: str) -> Subject:
    """Ask AI Router over paid targets."""
    subject: Subject = await import_module("benchmarks.adapter").make_paid(base_url)
    return subject


async def make_action(base_url: str) -> Subject:
    """Ask AI Router by its action in Home Assistant, over one free target; it does not stream."""
    subject: Subject = await import_module("benchmarks.at_home").make_action(base_url)
    return subject


MAKERS: dict[str, Callable[[str], Awaitable[Subject]]] = {
    "direct": make_direct,
    "free": make_free,
    "paid": make_paid,
    "action": make_action,
    "litellm": make_litellm,
}
