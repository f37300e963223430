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
# What this machine lacks.
NOT_OURS = ("ffmpeg", "marketplace", "libturbojpeg")


@pytest.fixture(scope="module")
async def servers() -> AsyncGenerator[dict[str, Server]]:
    """A provider of each of the four kinds."""
    async with AsyncExitStack() as stack:
        yield {kind: await stack.enter_async_context(fake(kind, "--lenient")) for kind in CORE}


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
    assert status == HTTPStatus.OK, house.home_assistant.log_end()
    return str(response["data"])


@pytest.mark.parametrize("kind", CORE)
async def test_theirs_answer_as_without_us(house: House, theirs: dict[str, str], ours: list[str], kind: str) -> None:
    assert "The door is shut" in await generate(house, theirs[kind])


async def test_both_answer_at_the_same_time(house: House, theirs: dict[str, str], ours: list[str]) -> None:
    asked = [generate(house, entity_id) for entity_id in theirs.values()]
    answers: list[Any] = await asyncio.gather(*asked, *(house.process(prompt="Hello", provider=name) for name in ours))

    for answer in answers[: len(theirs)]:
        assert "The door is shut" in answer
    for name, answer in zip(ours, answers[len(theirs) :], strict=True):
        assert (answer["provider"], "The door is shut" in answer["text"]) == (name, True)


async def test_theirs_is_a_provider_of_ours(house: House, theirs: dict[str, str], ours: list[str]) -> None:
    rows = await house.ws("config/entity_registry/list")
    (entity,) = (row["id"] for row in rows if row["entity_id"] == theirs["anthropic"])
    await house.add_provider("ai_task", name="Their Claude", entity=entity)
    await house.until("sensor.their_claude_circuit_breaker", "closed")

    reply = await house.process(prompt="Is the door shut?", provider="Their Claude")

    assert (reply["provider"], "The door is shut" in reply["text"]) == ("Their Claude", True)


METRIC = re.compile(r"^(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


async def exported(house: House) -> dict[str, dict[str, float]]:
    """Return what Prometheus is given of our entities: values by entity id, then by the metric's name."""
    status, text = await house.rest("GET", "/api/prometheus")
    assert status == HTTPStatus.OK
    ours = {row["entity_id"] for row in await house.entities(await house.router())}
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        if match := METRIC.match(line):
            labels = dict(LABEL.findall(match["labels"]))
            if labels.get("entity") in ours:
                found.setdefault(labels["entity"], {})[match["name"]] = float(match["value"])
    return found


async def test_prometheus_gets_our_figures(house: House, ours: list[str]) -> None:
    await house.add_provider("demo", name="Paid", latency=0, input_price=1000, output_price=1000)
    await house.until("sensor.paid_cost_today", "0")
    reply = await house.process(prompt="What does it cost?", provider="Paid")
    cost = reply["cost"]["amount"]
    assert cost > 0

    async def shown() -> bool:
        return (await exported(house)).get("sensor.paid_cost_today", {}).get(
            "homeassistant_sensor_monetary_usd"
        ) == cost

    await until(shown, 20)
    metrics, states = await exported(house), await house.states()
    names = {
        "cost_today": "homeassistant_sensor_monetary_usd",
        "cost_this_month": "homeassistant_sensor_monetary_usd",
        "success_rate": "homeassistant_sensor_unit_percent",
        "requests_in_the_last_minute": "homeassistant_sensor_unit_requests",
        "latency": "homeassistant_sensor_duration_s",
    }
    for sensor, name in names.items():
        entity_id = f"sensor.paid_{sensor}"
        assert metrics[entity_id][name] == float(states[entity_id]["state"]), metrics[entity_id]
    assert metrics["binary_sensor.paid_problem"]["homeassistant_binary_sensor_state"] == 0
    assert metrics["number.paid_priority"]["homeassistant_number_state"] == 0


async def test_off_and_gone_without_a_clash(house: House, theirs: dict[str, str], ours: list[str]) -> None:
    router = await house.router()
    for domain in CORE.values():
        (entry,) = await house.entries(domain)
        status, _ = await house.rest("POST", f"/api/config/config_entries/entry/{entry['entry_id']}/reload")
        assert status == HTTPStatus.OK
    await asyncio.gather(*(house.process(prompt="Still there?", provider=name) for name in ours))

    status, _ = await house.rest("DELETE", f"/api/config/config_entries/entry/{router}")

    assert status == HTTPStatus.OK
    for entity_id in theirs.values():
        assert "The door is shut" in await generate(house, entity_id)
    assert not await house.entities(router)
    errors = [line for line in house.log().splitlines() if re.search(r" (ERROR|CRITICAL) ", line)]
    assert [line for line in errors if not any(each in line for each in NOT_OURS)] == []
    assert "Detected that custom integration" not in house.log()
    assert KEY not in house.log()
