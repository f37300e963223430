"""Every figure that the actions, sensors and the log tell, recomputed from what the providers' servers have seen."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
from household.house import House
from wild import DOLLARS, PICODOLLARS, PRICE_IN, PRICE_OUT, TOKENS_IN, TOKENS_OUT, WildServer, wild

ONE = PRICE_IN * TOKENS_IN + PRICE_OUT * TOKENS_OUT
LOG = re.compile(r"\[custom_components\.ai_router\.requests\] (\{.*\})$", re.MULTILINE)


class Servers(NamedTuple):
    """The first and dear one, and the free one that stands in for it."""

    cloud: WildServer
    spare: WildServer


@pytest.fixture(scope="module")
async def servers() -> AsyncGenerator[Servers]:
    async with wild() as cloud, wild() as spare:
        yield Servers(cloud, spare)


@pytest.fixture(scope="module")
async def replies(house: House, router: str, servers: Servers) -> list[dict[str, Any]]:
    """What came of 20 requests: 12 answers of the first, 4 failovers, 2 of the other alone, a kept one, a refusal."""
    assert router
    await act(house, "set_level", {"custom_components.ai_router.requests": "info"}, domain="logger", response=False)
    cloud = {"priority": 9, "budget_day": 1, "requests_per_minute": 500, **DOLLARS}
    await house.add_provider("openai_compatible", name="Cloud", url=servers.cloud.url, **cloud)
    free = {"input_price": 0, "output_price": 0}
    await house.add_provider("openai_compatible", name="Spare", url=servers.spare.url, priority=1, **free)
    found = [await ask(house, f"Question {number}", label="day") for number in range(8)]
    servers.cloud.how = "overloaded"
    for number in range(4):
        found.append(await ask(house, f"Failover {number}", label="night"))
        # Never enough in a row for its breaker.
        servers.cloud.how = "well"
        found.append(await ask(house, f"Between {number}", label="night"))
        servers.cloud.how = "overloaded"
    servers.cloud.how = "well"
    found += [await ask(house, f"Spare {number}", provider="Spare") for number in range(2)]
    found.append(await ask(house, "Question 0", label="day", cache="use"))
    found.append(await ask(house, "Question 0", label="day", cache="use"))
    found.append(await ask(house, "Whose?", local_only=True))
    # Longer than the sensors' throttle.
    await asyncio.sleep(3)
    return found


async def act(
    house: House, action: str, data: Mapping[str, Any], *, domain: str = "ai_router", response: bool = True
) -> Any:
    status, found = await house.service(domain, action, dict(data), response=response)
    assert status == HTTPStatus.OK, found
    return found


async def ask(house: House, prompt: str, **data: Any) -> dict[str, Any]:
    return await house.process(prompt=prompt, on_error="return", **data)


def picodollars(amount: float) -> Decimal:
    return round(Decimal(str(amount)) * PICODOLLARS)


@pytest.fixture(scope="module")
def asked(servers: Servers, replies: list[dict[str, Any]]) -> dict[str, int]:
    """How often each server was asked, by its own log."""
    assert len(replies) == 21
    return {"Cloud": len(servers.cloud.bodies), "Spare": len(servers.spare.bodies)}


async def test_the_servers_have_seen_what_was_to_be_sent(asked: dict[str, int], servers: Servers) -> None:
    assert asked == {"Cloud": 8 + 4 + 4 + 1, "Spare": 4 + 2}
    assert servers.cloud.bill == 13 * ONE


async def test_each_reply_tells_who_was_asked_and_what_it_cost(replies: list[dict[str, Any]], servers: Servers) -> None:
    tried = Counter(each["provider"] for reply in replies for each in reply.get("attempts", ()))
    assert tried == {"Cloud": len(servers.cloud.bodies), "Spare": len(servers.spare.bodies)}
    assert sum(picodollars(reply["cost"]["amount"]) for reply in replies) == servers.cloud.bill
    assert [reply["error"]["code"] for reply in replies if "error" in reply] == ["no_capable_target"]
    assert Counter(reply["cached"] for reply in replies if "text" in reply) == {False: 19, True: 1}
    assert {
        (reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]) for reply in replies if "text" in reply
    } == {(TOKENS_IN, TOKENS_OUT)}


async def test_usage_is_what_the_servers_would_bill(house: House, asked: dict[str, int], servers: Servers) -> None:
    usage = await act(house, "get_usage", {"by": ["provider"]})
    total, rows = usage["total"], {row["provider"]: row for row in usage["rows"]}
    assert picodollars(total["cost"]) == picodollars(rows["Cloud"]["cost"]) == servers.cloud.bill
    assert (total["attempts"], total["failures"], total["estimated_cost"]) == (sum(asked.values()), 4, 0)
    assert {name: (row["attempts"], row["failures"]) for name, row in rows.items()} == {
        "Cloud": (asked["Cloud"], 4),
        "Spare": (asked["Spare"], 0),
    }
    answers = sum(asked.values()) - 4
    assert (total["input_tokens"], total["output_tokens"]) == (answers * TOKENS_IN, answers * TOKENS_OUT)
    assert total["average"]["cost"] == pytest.approx(servers.cloud.bill / PICODOLLARS / sum(asked.values()), abs=1e-12)
    assert total["average"]["input_tokens"] == round(answers * TOKENS_IN / sum(asked.values()), 1)
    saved = usage["saved_by_cache"]
    assert (picodollars(saved["amount"]), saved["answers"]) == (ONE, 1)
    # The very first day: each day to come is expected to be like it.
    assert usage["projection"]["days"] == 0
    assert picodollars(usage["projection"]["month"]) % servers.cloud.bill == 0
    by_label = await act(house, "get_usage", {"by": ["label"]})
    told = {row["label"]: (row["attempts"], row["failures"], picodollars(row["cost"])) for row in by_label["rows"]}
    assert told == {"day": (9, 0, 9 * ONE), "night": (12, 4, 4 * ONE), None: (2, 0, 0)}


async def test_metrics_are_what_the_servers_did(house: House, asked: dict[str, int], servers: Servers) -> None:
    found = await act(house, "get_metrics", {"by": ["provider", "model"], "interval": 1440})
    rows = {row["provider"]: row for row in found["rows"]}
    assert {name: (row["model"], row["attempts"], row["answers"]) for name, row in rows.items()} == {
        "Cloud": ("wild-1", asked["Cloud"], asked["Cloud"] - 4),
        "Spare": ("wild-1", asked["Spare"], asked["Spare"]),
    }
    assert rows["Cloud"]["success_rate"] == round(100 * 13 / 17, 2)
    assert rows["Spare"]["success_rate"] == 100
    for row in rows.values():
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
    assert found["errors"] == [{"failure": "overloaded", "attempts": 4, "share": 1.0}]
    assert [row["provider"] for row in found["most_reliable"]] == ["Spare", "Cloud"]
    assert sorted(found["fastest"], key=lambda row: row["p50_ms"]) == found["fastest"]
    (day,) = found["timeline"]
    assert (day["attempts"], day["failures"], picodollars(day["cost"])) == (sum(asked.values()), 4, servers.cloud.bill)
    answers = sum(asked.values()) - 4
    assert (day["input_tokens"], day["output_tokens"]) == (answers * TOKENS_IN, answers * TOKENS_OUT)
    (whole,) = (await act(house, "get_metrics", {"by": []}))["rows"]
    assert (whole["attempts"], whole["answers"]) == (sum(asked.values()), answers)
    spare = await act(house, "get_metrics", {"provider": "Spare", "interval": 1440})
    assert (spare["errors"], spare["timeline"][0]["attempts"]) == ([], asked["Spare"])


async def test_the_status_is_that_of_the_servers(house: House, asked: dict[str, int], servers: Servers) -> None:
    status = await act(house, "get_status", {})
    assert (status["under_way"], status["queued"]) == (0, 0)
    cloud, spare = status["providers"]
    assert (cloud["provider"], spare["provider"]) == ("Cloud", "Spare")
    for budgets, spent in ((status["budgets"], 13 * ONE), (cloud["budgets"], 13 * ONE), (spare["budgets"], 0)):
        assert {each["window"]: picodollars(each["spent"]) for each in budgets} == dict.fromkeys(
            ("day", "month", "total"), spent
        )
        assert {each["held"] for each in budgets} == {0}
    assert [(each["limit"], each["hard"]) for each in cloud["budgets"] if each["window"] == "day"] == [(1.0, True)]
    used = [(each["limit"], each["used"]) for each in cloud["limits"] if each["unit"] == "requests"]
    assert used == [(500, asked["Cloud"])]
    # Of the first one's, four were refused.
    minute = [(each["requests_last_minute"], each["tokens_last_minute"]) for each in (cloud, spare)]
    each_answer = TOKENS_IN + TOKENS_OUT
    assert minute == [(asked["Cloud"], 13 * each_answer), (asked["Spare"], asked["Spare"] * each_answer)]
    assert cloud["success_rate"] == round(100 * 13 / 17, 1)
    assert spare["success_rate"] == 100
    (model,) = cloud["models"]
    price = model["price"]
    assert (price["input"], price["output"], price["source"]) == (
        DOLLARS["input_price"],
        DOLLARS["output_price"],
        "user",
    )
    assert (model["breaker"], model["set_aside"]) == ("closed", None)
    cache = status["cache"]
    assert (cache["hits"], cache["misses"], cache["hit_rate"], cache["entries"]) == (1, 1, 50.0, 1)
    assert picodollars(cache["saved"]["amount"]) == ONE


async def test_the_sensors_say_the_same(house: House, asked: dict[str, int], servers: Servers) -> None:
    bill = Decimal(servers.cloud.bill) / PICODOLLARS
    expected = {
        "ai_router_cost_today": bill,
        "ai_router_cost_this_month": bill,
        # 20 were sent somewhere; the kept one and the refusal were not.
        "ai_router_requests_today": 19,
        "cloud_cost_today": bill,
        "cloud_success_rate": Decimal("76.5"),
        "cloud_tokens_in_the_last_minute": 13 * (TOKENS_IN + TOKENS_OUT),
        "cloud_budget_used": round(100 * bill, 1),
        "spare_cost_today": 0,
        "spare_success_rate": 100,
    }
    told = {name: Decimal((await house.state(f"sensor.{name}") or {})["state"]) for name in expected}
    assert told == expected


async def test_the_log_has_one_record_of_each(house: House, replies: list[dict[str, Any]], servers: Servers) -> None:
    await house.written()
    records = {record["request_id"]: record for record in map(json.loads, LOG.findall(house.log()))}
    assert set(records) == {reply["request_id"] for reply in replies}
    assert len(LOG.findall(house.log())) == len(replies)
    for reply in replies:
        record = records[reply["request_id"]]
        assert record["outcome"] == (reply["error"]["code"] if "error" in reply else "ok")
        assert record["provider"] == reply.get("provider")
        assert [each["outcome"] for each in record["attempts"]] == [each["outcome"] for each in reply["attempts"]]
        assert picodollars(record["cost"]) == picodollars(reply["cost"]["amount"])
        assert "Question" not in json.dumps(record)
    assert sum(picodollars(record["cost"]) for record in records.values()) == servers.cloud.bill
