"""Beside Home Assistant's own AI integrations, with the packages they pin, and in its export for Prometheus."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

import pytest
from conftest import COMPONENTS
from household import forms
from household.boot import CONFIGURATION, until
from household.house import House, opened
from servers import Server, fake

KEY = "sk-e2e-beside-0123456789"
# How each of them is told where its provider is: its package reads the environment, Ollama's takes it in the form.
ADDRESSES = {
    "openai": ("OPENAI_BASE_URL", "/v1"),
    "anthropic": ("ANTHROPIC_BASE_URL", ""),
    "gemini": ("GOOGLE_GEMINI_BASE_URL", ""),
}
CORE = {
    "openai": "openai_conversation",
    "anthropic": "anthropic",
    "gemini": "google_generative_ai_conversation",
    "ollama": "ollama",
}
# Where the model they recommend is not among those of our server.
THEIR_MODEL = {"openai": "gpt-4.1"}


@pytest.fixture(scope="module")
async def servers() -> AsyncGenerator[dict[str, Server]]:
    """A provider of each of the four kinds."""
    async with AsyncExitStack() as stack:
        yield {kind: await stack.enter_async_context(fake(kind)) for kind in CORE}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, servers: dict[str, Server]) -> AsyncGenerator[House]:
    """A household whose other AI integrations find their providers on this machine, and which exports its states."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "configuration.yaml").write_text(f"{CONFIGURATION}prometheus:\n", encoding="utf-8")
    environment = {name: origin(servers[kind]) + path for kind, (name, path) in ADDRESSES.items()}
    async with opened(folder, COMPONENTS, environment=environment) as house:
        yield house


def origin(server: Server) -> str:
    return re.sub(r"(?<=\d)/.*", "", server.url)


@pytest.fixture(scope="module")
async def theirs(house: House, servers: dict[str, Server]) -> dict[str, str]:
    """The AI Task entities of the four, added through their own forms, by kind."""
    found: dict[str, str] = {}
    for kind, domain in CORE.items():
        values = {"url": origin(servers[kind])} if kind == "ollama" else {"api_key": KEY}
        step = await forms.complete(house, forms.ENTRY_FLOW, domain, values)
        entry_id = step["result"]["entry_id"]
        if kind == "ollama":
            await forms.complete(house, forms.SUBENTRY_FLOW, [entry_id, "ai_task_data"], {"model": "qwen3:8b"})
        elif kind in THEIR_MODEL:
            rows = await house.subentries(entry_id)
            (task,) = (row["subentry_id"] for row in rows if row["subentry_type"] == "ai_task_data")
            values = {"recommended": False, "chat_model": THEIR_MODEL[kind]}
            await forms.complete(house, forms.SUBENTRY_FLOW, [entry_id, "ai_task_data"], values, subentry_id=task)
        found[kind] = await task_of(house, entry_id)
    return found


async def task_of(house: House, entry_id: str) -> str:
    found: list[str] = []

    async def there() -> bool:
        rows = await house.entities(entry_id)
        found[:] = [row["entity_id"] for row in rows if row["entity_id"].startswith("ai_task.")]
        return bool(found)

    await until(there, 30)
    return found[0]


@pytest.fixture(scope="module")
async def ours(house: House, servers: dict[str, Server], theirs: dict[str, str]) -> list[str]:
    """AI Router with a provider of each kind at the same servers, and one that is another integration's entity."""
    assert theirs
    await house.add_router()
    for kind, server in servers.items():
        fields = {"url": origin(server)} if kind == "ollama" else {"url": server.url, "api_key": KEY}
        await house.add_provider(kind, name=kind.title(), **fields)
    return [kind.title() for kind in servers]


async def generate(house: House, entity_id: str) -> str:
    data = {"task_name": "a test", "instructions": "Is the door shut?", "entity_id": entity_id}
    status, response = await house.service("ai_task", "generate_data", data)
    assert status == HTTPStatus.OK, response
    return str(response["data"])


async def test_both_answer_at_the_same_time(house: House, theirs: dict[str, str], ours: list[str]) -> None:
    asked = [generate(house, entity_id) for entity_id in theirs.values()]
    answers: list[Any] = await asyncio.gather(*asked, *(house.process(prompt="Hello", provider=name) for name in ours))

    for answer in answers[: len(theirs)]:
        assert "The door is shut" in answer
    for name, answer in zip(ours, answers[len(theirs) :], strict=True):
        assert (answer["provider"], "The door is shut" in answer["text"]) == (name, True)
