"""The road of a request through a booted Home Assistant, against providers' servers on real sockets."""

import asyncio
import io
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from household import forms
from household.boot import until
from household.house import House
from PIL import Image
from servers import Server, fake

KEY = "sk-e2e-0123456789abcdef"
PRICE_IN, PRICE_OUT = 1_000_000, 2_000_000  # picodollars a token: 1 and 2 dollars per million


@pytest.fixture(scope="module")
async def cloud() -> AsyncGenerator[Server]:
    """A server that speaks OpenAI's chat completions and wants a key."""
    arguments = ("--key", KEY, "--price-in", str(PRICE_IN), "--price-out", str(PRICE_OUT))
    async with fake("openai_compatible", *arguments) as server:
        yield server


@pytest.fixture(scope="module")
async def ollama() -> AsyncGenerator[Server]:
    """A server that speaks Ollama's protocol."""
    async with fake("ollama") as server:
        yield server


@pytest.fixture(scope="module")
async def providers(house: House, router: str, cloud: Server, ollama: Server) -> dict[str, str]:
    """Both providers, added through their forms; subentry ids by name."""
    assert router
    return {
        "Cloud": await house.add_provider(
            "openai_compatible",
            name="Cloud",
            url=cloud.url,
            api_key=KEY,
            pictures="yes",
            input_price=1,
            output_price=2,
            priority=10,
            budget_day=1,
        ),
        "Attic": await house.add_provider("ollama", name="Attic", url=ollama.url, priority=5),
    }


async def sensor(house: House, subentry_id: str, key: str) -> str:
    """Return the entity id of a provider's sensor; a new provider's come with the next write, within two seconds."""
    found: list[str] = []

    async def there() -> bool:
        rows = await house.entities(await house.router())
        found[:] = [row["entity_id"] for row in rows if row["unique_id"] == f"{subentry_id}_{key}"]
        return bool(found)

    await until(there, 20)
    return found[0]


def outcomes(reply: dict[str, Any]) -> list[tuple[str, str]]:
    """Return who was tried and how it ended."""
    return [(attempt["provider"], attempt["outcome"]) for attempt in reply["attempts"]]


async def test_a_picture_reaches_the_first_provider_without_where_it_was_taken(
    house: House, providers: dict[str, str], camera: str, cloud: Server
) -> None:
    _, _, original = await house.download(f"/api/camera_proxy/{camera}")
    assert Image.open(io.BytesIO(original)).getexif().get_ifd(0x8825), (
        "the camera's picture has no GPS: nothing to show"
    )
    reply = await house.process(prompt="What do you see?", images=[camera])
    assert outcomes(reply) == [("Cloud", "ok")]
    assert reply["usage"]["images"] == 1
    sent = Image.open(io.BytesIO(await cloud.last_picture()))
    assert sent.format == "JPEG"
    assert not sent.getexif()
    assert b"Exif" not in await cloud.last_picture()
    assert reply["cost"]["amount"] == pytest.approx((await cloud.tally())["money"] / 1e12)
    assert not reply["cost"]["estimated"]


async def test_a_dead_provider_is_passed_over_and_used_again_when_it_is_back(
    house: House, providers: dict[str, str], cloud: Server
) -> None:
    await cloud.stop()
    reply = await house.process(prompt="Who is there?")
    assert outcomes(reply) == [("Cloud", "network"), ("Attic", "ok")]
    assert reply["provider"] == "Attic"
    assert reply["cost"]["amount"] == 0
    await cloud.start()
    reply = await house.process(prompt="And now?")
    assert outcomes(reply) == [("Cloud", "ok")]
    (entry,) = await house.entries("ai_router")
    assert entry["state"] == "loaded"
    assert house.log().count("Opened with 0 providers") == 1
    assert "Opened with 2 providers" not in house.log(), "the entry was reloaded"


async def test_a_changed_budget_disturbs_nobody_who_streams(
    house: House, providers: dict[str, str], cloud: Server
) -> None:
    await cloud.control(hold=True)
    running = asyncio.create_task(house.process(prompt="Tell me a long story", provider="Cloud"))
    await cloud.until(waiting=1)
    await forms.complete(
        house,
        forms.SUBENTRY_FLOW,
        [await house.router(), "provider"],
        {"menu": "connection", "budget_day": 0.5, "requests_per_minute": 1000},
        subentry_id=providers["Attic"],
    )
    answered = await house.process(prompt="Quick question", provider="Attic")
    assert outcomes(answered) == [("Attic", "ok")]
    assert not running.done()
    await cloud.control(hold=False)
    assert outcomes(await running) == [("Cloud", "ok")]
    assert (await cloud.tally())["left"] == 0


async def test_costs_and_budgets_outlive_a_restart(house: House, providers: dict[str, str]) -> None:
    cost_today = await sensor(house, providers["Cloud"], "cost_today")
    budget_used = await sensor(house, providers["Cloud"], "budget_used")
    # Longer than the sensors' throttle.
    await asyncio.sleep(3)
    before = [(await house.state(entity) or {})["state"] for entity in (cost_today, budget_used)]
    assert float(before[0]) > 0
    assert float(before[1]) == pytest.approx(100 * float(before[0]), abs=0.1)
    await house.restart()
    for entity, state in zip((cost_today, budget_used), before, strict=True):
        await house.until(entity, state)


async def test_100_at_once_on_a_budget_that_fits_13_reach_it_13_times(house: House, providers: dict[str, str]) -> None:
    assert providers
    async with fake("openai_compatible", "--price-out", str(PRICE_OUT)) as server:
        # Only output is priced: a hold is 375 tokens at 2 dollars per million, 0.00075 dollars; 13.3 of them fit.
        await house.add_provider(
            "openai_compatible",
            name="Thirteen",
            url=server.url,
            input_price=0,
            output_price=2,
            budget_day=0.01,
            local=True,
        )
        await server.control(hold=True)
        asked = [
            asyncio.create_task(
                house.process(prompt=f"Question {n}", provider="Thirteen", max_tokens=375, on_error="return")
            )
            for n in range(100)
        ]
        await server.until(waiting=13)
        await until(lambda: _count(asked, 87), 30)
        assert (await server.tally())["requests"] == 13
        await server.control(hold=False)
        replies = await asyncio.gather(*asked)
        refused = [reply for reply in replies if "error" in reply]
        assert len(refused) == 87
        assert {reply["error"]["code"] for reply in refused} == {"over_budget"}
        assert (await server.tally())["requests"] == 13


async def _count(tasks: list[asyncio.Task[Any]], wanted: int) -> bool:
    return sum(task.done() for task in tasks) >= wanted


async def test_kill_9_during_20_running_requests_loses_no_money(
    house: House, providers: dict[str, str], cloud: Server
) -> None:
    cost_today = await sensor(house, providers["Cloud"], "cost_today")
    await asyncio.sleep(3)
    before = float((await house.state(cost_today) or {})["state"])
    tally = await cloud.tally()
    # Some are answered and settled just before, twenty are under way.
    await asyncio.gather(*(house.process(prompt=f"Settled {n}", provider="Cloud") for n in range(10)))
    await cloud.control(hold=True)
    running = [asyncio.create_task(house.process(prompt=f"Running {n}", provider="Cloud")) for n in range(20)]
    await cloud.until(waiting=20)
    await house.kill()
    await asyncio.gather(*running, return_exceptions=True)
    await cloud.control(hold=False)
    # The server may finish what nobody waits for any more, and bill it.
    await asyncio.sleep(1)
    billed = ((await cloud.tally())["money"] - tally["money"]) / 1e12
    await house.restart()
    assert "20 attempts had no known end" in house.log()

    async def booked() -> bool:
        state = await house.state(cost_today)
        return state is not None and state["state"] not in ("unknown", "unavailable")

    await until(booked, 30)
    after = float((await house.state(cost_today) or {})["state"])
    assert after - before >= billed
    _, diagnostics = await house.diagnostics(await house.router())
    assert diagnostics["data"], "diagnostics are there after the crash"
    # Each dead request was booked at its hold: 1,000 tokens out and its own few words in.
    assert after - before >= 20 * 0.002
