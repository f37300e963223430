"""What the face asks the ledger for."""

import asyncio
from pathlib import Path

import pytest

from custom_components.ai_router.routing.call import Usage
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.queries import Recent, Spent, UsageRow

from .attempts import NOW, TODAY, answered, entry, failed, select

YESTERDAY = "2026-11-20"


async def book(ledger: SqliteLedger) -> None:
    """Three attempts today, one yesterday, one under way."""
    for number, (provider_id, day, label, outcome) in enumerate(
        (
            ("cloud", YESTERDAY, "door", answered(1_000)),
            ("attic", TODAY, None, answered(usage=Usage(fresh_in=5, cache_read=2, image_in=3, text_out=7))),
            ("cloud", TODAY, "door", answered(300, estimated=True)),
            ("cloud", TODAY, "garden", failed(20)),
        )
    ):
        ledger.settle(entry(f"{number}", provider_id=provider_id, day=day, label=label, started=NOW + number), outcome)
    await ledger.hold(entry("held", hold=9_999, provider_id="cloud", started=NOW + 9))
    await ledger.flush()


async def test_spent_since_sums_what_is_settled_by_provider_and_day(ledger: SqliteLedger) -> None:
    await book(ledger)
    assert sorted(await ledger.spent_since(TODAY), key=str) == [
        Spent("attic", TODAY, 0, 1),
        Spent("cloud", TODAY, 320, 2),
    ]
    assert Spent("cloud", YESTERDAY, 1_000, 1) in await ledger.spent_since("2026-11-01")


async def test_recent_is_newest_first_and_leaves_out_what_is_under_way(ledger: SqliteLedger) -> None:
    await book(ledger)
    recent = await ledger.recent("cloud", 2)
    assert [one.attempt_id for one in recent] == ["3", "2"]
    assert [one.attempt_id for one in await ledger.recent(None, 10)] == ["3", "2", "1", "0"]
    assert recent[1] == Recent(
        attempt_id="2",
        request_id="request of 2",
        started=NOW + 2,
        provider_id="cloud",
        model_id="small",
        pool="",
        user_id="",
        label="door",
        source="action",
        op="chat",
        cost=300,
        estimated=True,
        failure=None,
        phase=None,
        finish="stop",
        output_tokens=30,
        latency=1.5,
        first_token=0.25,
    )


async def test_started_since_counts_what_is_under_way(ledger: SqliteLedger) -> None:
    await book(ledger)
    assert await ledger.started_since(NOW + 1) == [
        ("attic", "small", NOW + 1, 5 + 2 + 3 + 7),
        ("cloud", "small", NOW + 2, 100 + 20 + 30),
        ("cloud", "small", NOW + 3, 0),
        ("cloud", "small", NOW + 9, 0),
    ]


async def test_usage_sums_by_any_dimension(ledger: SqliteLedger) -> None:
    await book(ledger)
    attic = UsageRow(("attic",), 1, 0, 0, 0, 10, 7, 2, 1.5)
    assert await ledger.usage(TODAY, TODAY, ("provider_id",)) == [
        attic,
        UsageRow(("cloud",), 2, 1, 320, 300, 120, 30, 20, 2.0),
    ]
    cloud = UsageRow(("cloud",), 3, 1, 1_320, 300, 240, 60, 40, 3.5)
    assert await ledger.usage(YESTERDAY, TODAY, ["provider_id"]) == [attic, cloud]
    assert [row.key for row in await ledger.usage(YESTERDAY, TODAY, ("day", "label"))] == [
        (YESTERDAY, "door"),
        (TODAY, ""),
        (TODAY, "door"),
        (TODAY, "garden"),
    ]
    assert await ledger.usage(YESTERDAY, TODAY, ()) == [UsageRow((), 4, 1, 1_320, 300, 250, 67, 42, 5.0)]
    assert await ledger.usage("2026-10-01", "2026-10-31", ()) == []


async def test_usage_takes_known_dimensions_only(ledger: SqliteLedger) -> None:
    with pytest.raises(ValueError, match="cost"):
        await ledger.usage(TODAY, TODAY, ("day", "cost"))


async def test_requests_on_counts_each_request_once_and_whether_it_was_answered(ledger: SqliteLedger) -> None:
    for number, (day, ago) in enumerate(((TODAY, 0), (TODAY, 0), (TODAY, 0), (YESTERDAY, 86_400))):
        ledger.settle(entry(request_id=f"request {number % 2}", day=day, started=NOW - ago), answered())
    await ledger.flush()
    ledger.settle(entry(request_id="request 0", day=TODAY), failed())
    ledger.settle(entry(request_id="request 2", day=TODAY), failed())
    await ledger.hold(entry(request_id="request 3", day=TODAY, hold=1))
    await ledger.flush()
    assert await ledger.requests_on(TODAY) == (4, 2)
    assert await ledger.requests_on(YESTERDAY) == (1, 1)
    assert await ledger.requests_on("2026-11-19") == (0, 0)


async def test_queries_run_while_it_is_written(ledger: SqliteLedger, file: Path) -> None:
    async def write() -> None:
        for _ in range(50):
            await ledger.hold(entry(hold=1))

    async def read() -> list[int]:
        return [len(await ledger.started_since(0)) for _ in range(50)]

    *_, seen = await asyncio.gather(write(), write(), read())
    assert seen == sorted(seen)
    assert len(await ledger.started_since(0)) == 100


async def test_the_indexes_are_used(ledger: SqliteLedger, file: Path) -> None:
    def plan(sql: str) -> str:
        return " ".join(str(step[-1]) for step in select(file, f"EXPLAIN QUERY PLAN {sql}"))

    await ledger.flush()
    assert "attempts_held" in plan("SELECT * FROM attempts WHERE state = 0")
    assert "attempts_started" in plan("SELECT * FROM attempts ORDER BY started DESC LIMIT 5")
    assert "PRIMARY KEY" in plan("SELECT sum(cost) FROM usage WHERE day BETWEEN '2026-11-01' AND '2026-11-30'")
