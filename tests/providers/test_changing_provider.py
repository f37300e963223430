"""A conversation with tools that changes provider between its turns, through the router: every order of two kinds.

Each server checks all that it is sent, so that a thought or an id of the other's would be refused. Ids of calls are as
each kind gives them, and repeat from answer to answer where a server numbers anew.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.clock import SystemClock
from custom_components.ai_router.providers.registry import KINDS, ProviderSetup
from custom_components.ai_router.routing.call import Finish
from custom_components.ai_router.routing.config import ProviderConfig, RouterConfig
from custom_components.ai_router.routing.model import (
    Capability,
    Message,
    Model,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.request import Caller, Pins, Request
from custom_components.ai_router.routing.router import Router
from tests.fakes.anthropic import BOUND_MODEL, FakeAnthropic
from tests.fakes.anthropic import CHAT_MODEL as ANTHROPIC_MODEL
from tests.fakes.brands import FakeDeepSeek, FakeMistral, FakeOpenRouter
from tests.fakes.cloudflare import ACCOUNT, FakeCloudflare
from tests.fakes.cloudflare import CHAT_MODEL as CLOUDFLARE_MODEL
from tests.fakes.gemini import CHAT_MODEL as GEMINI_MODEL
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import CHAT_MODEL as OLLAMA_MODEL
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import CHAT_MODEL as RESPONSES_MODEL
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI
from tests.fakes.server import FakeServer
from tests.routing.simulation import MemoryLedger

from .asking import KEY, LIGHT, user

ROOMS = ("hall", "attic")
CHAT = Capability.CHAT | Capability.STREAMING | Capability.TOOLS | Capability.REASONING
THOUGHT = "a thought of "


def _openai_form(*ids: str) -> list[dict[str, Any]]:
    return [
        {"id": each, "type": "function", "function": {"name": LIGHT.name, "arguments": json.dumps({"room": room})}}
        for each, room in zip(ids, ROOMS, strict=True)
    ]


@dataclass(frozen=True)
class Side:
    """One of the two: its server, and how this gives its calls in the answer with a number."""

    kind: str
    server: type[FakeServer]
    model: str
    calls: Callable[[int], list[dict[str, Any]]]
    options: dict[str, Any] = field(default_factory=dict)
    reasons: bool = True


LONG = "functions.light_on:0__thought__" + "c2lnbmF0dXJl" * 20
SIDES = {
    "openai": Side(
        "openai",
        FakeResponses,
        RESPONSES_MODEL,
        lambda number: [
            {"call_id": f"call_{number}{place}", "name": LIGHT.name, "arguments": json.dumps({"room": room})}
            for place, room in enumerate(ROOMS)
        ],
    ),
    **{
        name: Side(
            "anthropic",
            FakeAnthropic,
            model,
            lambda number: [
                {"id": f"toolu_01{number}{place}", "name": LIGHT.name, "input": {"room": room}}
                for place, room in enumerate(ROOMS)
            ],
        )
        for name, model in (("anthropic", ANTHROPIC_MODEL), ("bound", BOUND_MODEL))
    },
    "gemini": Side(
        "gemini",
        FakeGemini,
        GEMINI_MODEL,
        lambda number: [
            {"id": f"{number}{place}", "name": LIGHT.name, "args": {"room": room}} for place, room in enumerate(ROOMS)
        ],
    ),
    # It gives no ids.
    "ollama": Side(
        "ollama",
        FakeOllama,
        OLLAMA_MODEL,
        lambda _: [{"function": {"name": LIGHT.name, "arguments": {"room": room}}} for room in ROOMS],
    ),
    "cloudflare": Side(
        "cloudflare",
        FakeCloudflare,
        CLOUDFLARE_MODEL,
        lambda number: _openai_form(f"chatcmpl-tool-{number}a", f"chatcmpl-tool-{number}b"),
        {"account_id": ACCOUNT},
    ),
    # It numbers anew in every answer, in letters that others do not take, or hides things in its ids.
    "custom": Side(
        "openai_compatible",
        FakeOpenAI,
        CHAT_MODEL,
        lambda _: _openai_form("functions.light_on:0", LONG),
        reasons=False,
    ),
    "mistral": Side(
        "openai_compatible",
        FakeMistral,
        CHAT_MODEL,
        lambda number: _openai_form(f"D681Pevk{number}", f"E792Qfwl{number}"),
        {"preset": "mistral"},
    ),
    "deepseek": Side(
        "openai_compatible",
        FakeDeepSeek,
        CHAT_MODEL,
        lambda number: _openai_form(f"call_{number}_0", f"call_{number}_1"),
        {"preset": "deepseek"},
    ),
    "openrouter": Side(
        "openai_compatible",
        FakeOpenRouter,
        CHAT_MODEL,
        lambda _: _openai_form("tool_0_light_on", "tool_1_light_on"),
        {"preset": "openrouter"},
    ),
}


class House:
    """A router with the two sides, and the conversation so far."""

    def __init__(self, router: Router, servers: dict[str, FakeServer]) -> None:
        self.router = router
        self.servers = servers
        self.said: list[Message] = [Message(Role.SYSTEM, (Text("You keep a house."),))]

    async def turn(self, side: str, *, acts: bool) -> Reply:
        """Let a side go on: with two calls that are answered at once, or with words."""
        server: Any = self.servers[side]
        number = len(self.said)
        server.tool_calls = SIDES[side].calls(number) if acts else []
        if hasattr(server, "thinking"):
            server.thinking = f"{THOUGHT}{side}"
        if isinstance(server, FakeOpenRouter):
            detail = {"type": "reasoning.encrypted", "index": 0, "data": f"{THOUGHT}{side}"}
            server.details = [[detail]]
        request = Request(
            f"{side}-{number}",
            Caller(),
            tuple(self.said),
            tools=(LIGHT,),
            needs=Capability.CHAT | Capability.TOOLS,
            pins=Pins(providers=(side,)),
            sampling=Sampling(reasoning="low" if SIDES[side].reasons else None),
        )
        reply = await self.router.process(request)
        self.said.append(Message(Role.ASSISTANT, reply.parts))
        calls = [part for part in reply.parts if isinstance(part, ToolCall)]
        assert [call.arguments["room"] for call in calls] == (list(ROOMS) if acts else [])
        assert reply.finish is (Finish.TOOLS if acts else Finish.STOP)
        for call in calls:
            self.said.append(Message(Role.TOOL, (ToolResult(call.id, call.name, f"{call.arguments['room']} is lit"),)))
        return reply


@pytest.fixture
async def house(session: aiohttp.ClientSession, pair: tuple[str, str]) -> AsyncGenerator[House]:
    router = Router(SystemClock(asyncio.get_running_loop()), MemoryLedger())
    servers: dict[str, FakeServer] = {}
    providers = {}
    for name in pair:
        side = SIDES[name]
        server: Any = side.server(key=KEY)
        await server.start()
        servers[name] = server
        models = (Model(side.model, CHAT),)
        setup = ProviderSetup(name, side.kind, server.url, KEY, models, side.options)
        client = KINDS[side.kind].build(setup, session)
        providers[name] = ProviderConfig(name, name, side.kind, client, models)
    router.apply(RouterConfig(providers=providers))
    yield House(router, servers)
    await router.close(0)
    for server in servers.values():
        await server.stop()


@pytest.mark.parametrize("pair", permutations(SIDES, 2), ids=lambda pair: f"{pair[0]} and {pair[1]}")
async def test_every_turn_is_taken(house: House, pair: tuple[str, str]) -> None:
    one, other = pair
    house.said.append(user("Light the house!"))
    for side, acts in ((one, True), (other, True), (one, True), (other, False)):
        await house.turn(side, acts=acts)
    house.said.append(user("And now?"))
    for side, acts in ((one, True), (other, True), (one, False)):
        await house.turn(side, acts=acts)

    thoughts = [part for turn in house.said for part in turn.parts if isinstance(part, Thinking)]
    for name, server in house.servers.items():
        foreign = [repr(part.opaque) for part in thoughts if part.origin.provider_id != name and part.opaque]
        sent = json.dumps(server.bodies)
        # Nothing was refused first and then left out.
        assert server.answers == len(server.bodies)
        assert f"{THOUGHT}{one if name == other else other}" not in sent
        for secret in _strings(foreign):
            assert secret not in sent


def _strings(opaque: list[str]) -> set[str]:
    """Return the long words in what is opaque: signatures and encrypted thoughts."""
    return {word for text in opaque for word in text.replace("'", " ").split() if len(word) >= 24 and "lig" not in word}


@pytest.mark.parametrize("pair", [("openai", "anthropic"), ("anthropic", "openai"), ("gemini", "bound")])
async def test_own_thoughts_come_back_all_the_same(house: House, pair: tuple[str, str]) -> None:
    one, other = pair
    house.said.append(user("Light the house!"))
    first = await house.turn(one, acts=True)
    await house.turn(other, acts=True)
    await house.turn(one, acts=False)

    (thinking,) = (part for part in first.parts if isinstance(part, Thinking))
    last = json.dumps(house.servers[one].bodies[-1])
    kept = _strings([repr(thinking.opaque)])
    assert thinking.origin.provider_id == one
    assert all(word in last for word in kept)
    assert kept or one == "gemini"
