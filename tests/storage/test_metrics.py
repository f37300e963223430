"""Success, latency, errors and the timeline, against what the attempts themselves say."""

import asyncio
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.ai_router.routing.call import Usage
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.storage.latencies import latency_step, percentiles, step_seconds
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.metrics import (
    NOT_THE_PROVIDERS,
    ErrorShare,
    Interval,
    Quality,
    errors,
    fastest,
    most_reliable,
    quality,
    timeline,
)

from .attempts import NOW, TODAY, answered, entry, failed

YESTERDAY = "2026-11-20"


@given(st.floats(0.001, 3_600))
def test_a_step_stands_for_its_latencies_to_within_five_percent(seconds: float) -> None:
    assert step_seconds(latency_step(seconds)) == pytest.approx(seconds, rel=0.05)


def test_what_is_out_of_range_counts_as_the_nearest() -> None:
    assert latency_step(0.0) == latency_step(-1.0) == latency_step(0.001) == 1
    assert latency_step(1e9) == latency_step(10_000.0)


def test_percentiles_are_reached_by_that_many() -> None:
    counts = {10: 50, 20: 40, 30: 9, 40: 1}
    assert percentiles(counts, (50, 90, 99, 100)) == [step_seconds(step) for step in (10, 20, 30, 40)]
    assert percentiles({7: 1}, (50, 90, 99)) == [step_seconds(7)] * 3
    assert percentiles({}, (50, 90, 99)) == []


async def book(ledger: SqliteLedger) -> None:
    number = 0
    for provider_id, day, outcome, count in (
        ("attic", TODAY, answered(latency=4.0), 9),
        ("attic", TODAY, failed(cls=FailureClass.CANCELLED), 5),
        ("attic", TODAY, failed(cls=FailureClass.OVERLOADED), 1),
        ("cloud", TODAY, answered(10, latency=0.5), 3),
        ("cloud", TODAY, failed(cls=FailureClass.RATE_LIMIT), 3),
        ("cloud", YESTERDAY, failed(cls=FailureClass.OVERLOADED), 1),
        ("shed", TODAY, failed(cls=FailureClass.CONTENT_POLICY), 2),
    ):
        for _ in range(count):
            ledger.settle(entry(f"{number}", provider_id=provider_id, day=day, started=NOW + number), outcome)
            number += 1
    await ledger.hold(entry("held", hold=1))
    await ledger.flush()


async def test_quality_leaves_out_what_says_nothing_about_a_provider(ledger: SqliteLedger) -> None:
    await book(ledger)
    attic, cloud, shed = await quality(ledger.reader, YESTERDAY, TODAY)
    assert (attic.key, attic.attempts, attic.judged, attic.answers) == (("attic",), 15, 10, 9)
    assert attic.success_rate == 0.9
    assert (cloud.attempts, cloud.judged, cloud.answers) == (7, 7, 3)
    assert attic.p50 == attic.p90 == attic.p99 == pytest.approx(4.0, rel=0.05)
    assert shed == Quality(("shed",), 2, 0, 0, None, None, None)
    assert shed.success_rate is None
    assert [one.key for one in await quality(ledger.reader, YESTERDAY, TODAY, ("day", "model_id"))] == [
        (YESTERDAY, "small"),
        (TODAY, "small"),
    ]
    assert await quality(ledger.reader, "2026-10-01", "2026-10-31", ()) == []
    with pytest.raises(ValueError, match="failure"):
        await quality(ledger.reader, TODAY, TODAY, ("failure",))


async def test_the_fastest_and_the_most_reliable(ledger: SqliteLedger) -> None:
    await book(ledger)
    found = await quality(ledger.reader, TODAY, TODAY)
    assert [one.key for one in fastest(found)] == [("cloud",), ("attic",)]
    assert [one.key for one in fastest(found, at_least=4)] == [("attic",)]
    assert [one.key for one in most_reliable(found)] == [("attic",), ("cloud",)]
    assert [one.key for one in most_reliable(found, at_least=7)] == [("attic",)]
    assert [one.key for one in most_reliable(found, at_least=0)] == [("attic",), ("cloud",)]


async def test_errors_are_shared_out(ledger: SqliteLedger) -> None:
    await book(ledger)
    assert await errors(ledger.reader, YESTERDAY, TODAY) == [
        ErrorShare("cancelled", 5, 5 / 12),
        ErrorShare("rate_limit", 3, 3 / 12),
        ErrorShare("content_policy", 2, 2 / 12),
        ErrorShare("overloaded", 2, 2 / 12),
    ]
    assert await errors(ledger.reader, TODAY, TODAY, "cloud", "small") == [ErrorShare("rate_limit", 3, 1.0)]
    assert await errors(ledger.reader, TODAY, TODAY, "cloud", "large") == []


async def test_a_lost_settle_counts_as_an_unknown_failure(ledger: SqliteLedger, home: Path) -> None:
    await ledger.hold(entry("lost", hold=7))
    await ledger.close()
    again = await SqliteLedger.open(home, NOW)
    try:
        await again.replay()
        assert await errors(again.reader, TODAY, TODAY) == [ErrorShare("unknown", 1, 1.0)]
    finally:
        await again.close()


async def test_the_timeline_has_every_interval(ledger: SqliteLedger) -> None:
    for seconds, provider_id, outcome in (
        (-0.001, "attic", answered(9)),
        (0.0, "attic", answered(1, latency=1.0, usage=Usage(fresh_in=2, image_in=3, text_out=4, reasoning_out=5))),
        (59.9, "cloud", answered(2, latency=3.0, usage=Usage())),
        (60.0, "cloud", failed(4)),
        (200.0, "cloud", failed(8)),
        (210.0, "cloud", failed(16)),
    ):
        ledger.settle(entry(provider_id=provider_id, started=NOW + seconds), outcome)
    await ledger.hold(entry("held", hold=1, started=NOW))
    await ledger.flush()
    assert await timeline(ledger.reader, NOW, NOW + 210, 60) == [
        Interval(NOW, 2, 0, 3, 5, 9, 2.0),
        Interval(NOW + 60, 1, 1, 4),
        Interval(NOW + 120),
        Interval(NOW + 180, 1, 1, 8),
    ]
    assert [one.attempts for one in await timeline(ledger.reader, NOW, NOW + 120, 60, "cloud", "small")] == [1, 1]
    assert await timeline(ledger.reader, NOW, NOW, 60) == []


@pytest.mark.parametrize(("until", "interval"), [(60, 0), (60, -1), (-1, 60), (1_001, 1), (60, float("nan"))])
async def test_a_timeline_is_bounded(ledger: SqliteLedger, until: float, interval: float) -> None:
    with pytest.raises(ValueError, match="intervals"):
        await timeline(ledger.reader, NOW, NOW + until, interval)


ENDS = st.one_of(st.floats(0.001, 600), st.sampled_from(FailureClass))
ATTEMPTS = st.lists(
    st.tuples(st.sampled_from("ab"), ENDS, st.integers(0, 10**12), st.floats(0, 9_999)), min_size=1, max_size=60
)


@settings(max_examples=25, deadline=None)
@given(ATTEMPTS, st.integers(10, 5_000))
def test_metrics_equal_a_plain_recomputation(attempts: list[tuple[str, float | FailureClass, int, float]], interval: int) -> None:  # fmt: skip
    asyncio.run(check_recomputation(attempts, interval))


async def check_recomputation(attempts: list[tuple[str, float | FailureClass, int, float]], interval: int) -> None:
    with TemporaryDirectory() as directory:
        ledger = await SqliteLedger.open(Path(directory), NOW)
        try:
            for provider_id, end, cost, after in attempts:
                outcome = failed(cost, end) if isinstance(end, FailureClass) else answered(cost, latency=end)
                ledger.settle(entry(provider_id=provider_id, started=NOW + after), outcome)
            await ledger.flush()
            for found in await quality(ledger.reader, TODAY, TODAY):
                check_quality(found, [end for provider_id, end, _, _ in attempts if (provider_id,) == found.key])
            intervals = await timeline(ledger.reader, NOW, NOW + 10_000, interval)
            assert len(intervals) == math.ceil(10_000 / interval)
            for one in intervals:
                within = [cost for *_, cost, after in attempts if one.start <= NOW + after < one.start + interval]
                assert (one.attempts, one.cost) == (len(within), sum(within))
        finally:
            await ledger.close()


def check_quality(found: Quality, ends: list[float | FailureClass]) -> None:
    latencies = sorted(end for end in ends if not isinstance(end, FailureClass))
    judged = [end for end in ends if end not in NOT_THE_PROVIDERS]
    assert (found.attempts, found.judged, found.answers) == (len(ends), len(judged), len(latencies))
    for percent, seconds in ((50, found.p50), (90, found.p90), (99, found.p99)):
        if not latencies:
            assert seconds is None
            continue
        rank = -(-percent * len(latencies) // 100)
        assert seconds == pytest.approx(latencies[rank - 1], rel=0.05)
