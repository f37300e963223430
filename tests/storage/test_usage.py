"""Sums over days, savings and projections."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.storage import usage
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.queries import Averages
from custom_components.ai_router.storage.schema import DIMENSIONS
from custom_components.ai_router.storage.usage import Projection, Saved, daily_costs, project, projection, saved

from .attempts import NOW, TODAY, answered, entry, failed

YESTERDAY = "2026-11-20"


async def book(ledger: SqliteLedger) -> None:
    for provider_id, model_id, user_id, label, day, outcome in (
        ("attic", "small", "anna", "door", TODAY, answered()),
        ("attic", "small", "anna", "door", TODAY, answered()),
        ("attic", "large", None, None, TODAY, failed()),
        ("cloud", "large", "ben", "door", TODAY, answered(500)),
        ("cloud", "large", "ben", "garden", YESTERDAY, answered(70)),
        ("cloud", "small", "anna", "garden", YESTERDAY, answered(71)),
    ):
        one = entry(provider_id=provider_id, model_id=model_id, user_id=user_id, label=label, day=day)
        ledger.settle(one, outcome)
    await ledger.flush()


async def test_the_dearest_come_first_then_the_busiest(ledger: SqliteLedger) -> None:
    await book(ledger)
    top = await ledger.usage(YESTERDAY, TODAY, ("provider_id", "model_id"), top=3)
    assert [(row.key, row.cost, row.attempts) for row in top] == [
        (("cloud", "large"), 570, 2),
        (("cloud", "small"), 71, 1),
        (("attic", "small"), 0, 2),
    ]
    users = await ledger.usage(YESTERDAY, TODAY, ("user_id",), top=10)
    assert [(*row.key, row.cost) for row in users] == [("ben", 570), ("anna", 71), ("", 0)]


async def test_usage_of_some_only(ledger: SqliteLedger) -> None:
    await book(ledger)
    door = await ledger.usage(YESTERDAY, TODAY, ("provider_id",), only={"label": "door", "user_id": "anna"})
    assert [(row.key, row.attempts) for row in door] == [(("attic",), 2)]
    assert await ledger.usage(YESTERDAY, TODAY, (), only={"user_id": "nobody"}) == []
    with pytest.raises(ValueError, match="cost"):
        await ledger.usage(YESTERDAY, TODAY, (), only={"cost": "0"})


@pytest.mark.parametrize("dimension", DIMENSIONS)
async def test_the_sums_by_any_dimension_are_those_of_the_whole(ledger: SqliteLedger, dimension: str) -> None:
    await book(ledger)
    (whole,) = await ledger.usage(YESTERDAY, TODAY, ())
    assert (whole.attempts, whole.cost) == (6, 641)
    for parts in (
        await ledger.usage(YESTERDAY, TODAY, (dimension,)),
        await ledger.usage(YESTERDAY, TODAY, (dimension,), top=100),
    ):
        assert sum(part.attempts for part in parts) == 6
        assert sum(part.cost for part in parts) == 641


async def test_averages_are_those_of_one_attempt(ledger: SqliteLedger) -> None:
    await book(ledger)
    (cloud,) = await ledger.usage(YESTERDAY, YESTERDAY, ("provider_id",))
    assert cloud.averages() == Averages(cost=70.5, input_tokens=120.0, output_tokens=30.0, latency=1.5)


async def test_daily_costs(ledger: SqliteLedger) -> None:
    await book(ledger)
    assert await daily_costs(ledger.reader, "2026-11-01", TODAY) == {YESTERDAY: 141, TODAY: 500}
    assert await daily_costs(ledger.reader, TODAY, TODAY) == {TODAY: 500}


async def test_savings_are_summed_up(ledger: SqliteLedger) -> None:
    for day, provider_id, model_id, amount in (
        (YESTERDAY, "cloud", "small", 5),
        (TODAY, "cloud", "small", 7),
        (TODAY, "cloud", "small", 8),
        (TODAY, "cloud", "large", 100),
        (TODAY, "attic", "small", 0),
    ):
        ledger.add_saved(day, provider_id, model_id, amount)
    await ledger.flush()
    assert await saved(ledger.reader, YESTERDAY, TODAY) == [Saved((), 120, 5)]
    assert await saved(ledger.reader, TODAY, TODAY, ("provider_id",)) == [
        Saved(("attic",), 0, 1),
        Saved(("cloud",), 115, 3),
    ]
    assert await saved(ledger.reader, YESTERDAY, TODAY, ("day", "model_id")) == [
        Saved((YESTERDAY, "small"), 5, 1),
        Saved((TODAY, "large"), 100, 1),
        Saved((TODAY, "small"), 15, 3),
    ]
    assert await saved(ledger.reader, "2026-10-01", "2026-10-31") == []
    with pytest.raises(ValueError, match="amount"):
        await saved(ledger.reader, TODAY, TODAY, ("amount",))
    assert await ledger.usage(YESTERDAY, TODAY, ()) == []  # saved is not spent


async def test_savings_are_written_with_the_settles_in_one_commit(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.ai_router.storage.writer.SETTLE_SECONDS", 10_000.0)
    ledger.settle(entry("free"), answered())
    for _ in range(100):
        ledger.add_saved(TODAY, "cloud", "small", 1)
    await ledger.flush()
    assert ledger.commits == 1
    assert await saved(ledger.reader, TODAY, TODAY) == [Saved((), 100, 100)]


async def test_a_saving_that_cannot_be_summed_up_takes_nothing_else_along(ledger: SqliteLedger) -> None:
    for amount in (3, 2**70, 4):
        ledger.add_saved(TODAY, "cloud", "small", amount)
    ledger.settle(entry("free"), answered())
    await ledger.flush()
    assert await saved(ledger.reader, TODAY, TODAY) == [Saved((), 7, 2)]
    assert [one.attempt_id for one in await ledger.recent(None, 10)] == ["free"]
    assert ledger.dropped == 1


# 2026-11-21 is a Saturday, so with Monday first only Sunday is left of the week, and nine days of the month.
STEADY = {(date(2026, 11, 21) - timedelta(days=number)).isoformat(): 10 for number in range(1, 40)}


def test_steady_spending_goes_on() -> None:
    assert project(STEADY, "2026-10-01", TODAY) == Projection(week=70, month=300, days=14)


def test_each_weekday_is_expected_to_be_like_itself() -> None:
    costs = {day: 70 if date.fromisoformat(day).weekday() == 6 else 10 for day in STEADY}
    expected = sum(70 if date(2026, 11, day).weekday() == 6 else 10 for day in range(1, 31))
    assert project(costs, "2026-10-01", TODAY) == Projection(week=130, month=expected, days=14)


def test_what_today_has_cost_already_counts_where_it_is_more() -> None:
    assert project(STEADY | {TODAY: 4}, "2026-10-01", TODAY).week == 70
    assert project(STEADY | {TODAY: 25}, "2026-10-01", TODAY).week == 85


def test_days_before_the_ledger_began_are_not_known_and_quiet_ones_are() -> None:
    costs = {"2026-11-17": 30, YESTERDAY: 30}
    assert project(costs, "2026-11-17", TODAY) == Projection(week=60 + 15 * 2, month=60 + 15 + 15 * 2 + 30 + 0 + 0 + 30 + 15 * 2 + 15, days=4)  # fmt: skip


def test_on_the_first_day_today_stands_for_every_day() -> None:
    assert project({TODAY: 10}, TODAY, TODAY) == Projection(week=20, month=100, days=0)
    assert project({}, TODAY, TODAY) == Projection(week=0, month=0, days=0)


def test_a_week_may_begin_on_sunday_and_reach_over_the_month() -> None:
    assert project(STEADY, "2026-10-01", TODAY, week_start=6) == Projection(week=70, month=300, days=14)
    assert project({}, "2026-11-30", "2026-11-30") == Projection(0, 0, 0)
    over = {f"2026-11-{day:02}": 10 for day in range(1, 30)}
    assert project(over, "2026-11-01", "2026-11-30") == Projection(week=70, month=300, days=14)


@given(
    st.dates(date(2024, 1, 1), date(2027, 1, 1)),
    st.lists(st.integers(0, 10**15), min_size=46, max_size=46),
    st.integers(0, 6),
    st.integers(0, 46),
)
def test_a_projection_equals_a_plain_recomputation(today: date, spent: list[int], start: int, known: int) -> None:
    costs = {(today - timedelta(days=number)).isoformat(): cost for number, cost in enumerate(spent[: known + 1])}
    first = today - timedelta(days=known)
    past = [today - timedelta(days=number) for number in range(1, 15) if today - timedelta(days=number) >= first]

    def mean(days: list[date]) -> int:
        return sum(costs[day.isoformat()] for day in days) // len(days)

    def expected(day: date) -> int:
        like = [one for one in past if one.weekday() == day.weekday()]
        return mean(like or past or [today])

    def total(within: list[date]) -> int:
        before = sum(costs.get(day.isoformat(), 0) for day in within if day < today)
        return before + max(costs[today.isoformat()], expected(today)) + sum(expected(d) for d in within if d > today)

    around = [today + timedelta(days=number) for number in range(-45, 46)]
    monday = max(day for day in around if day <= today and day.weekday() == start)
    week = [day for day in around if monday <= day < monday + timedelta(days=7)]
    month = [day for day in around if (day.year, day.month) == (today.year, today.month)]
    assert project(costs, first.isoformat(), today.isoformat(), start) == Projection(
        total(week), total(month), len(past)
    )


async def test_the_projection_reads_what_it_needs(ledger: SqliteLedger) -> None:
    assert await projection(ledger.reader, TODAY) == Projection(0, 0, 0)
    for day, cost in (STEADY | {TODAY: 3}).items():
        ledger.settle(entry(day=day, started=NOW), answered(cost))
    await ledger.flush()
    assert await projection(ledger.reader, TODAY) == Projection(week=70, month=300, days=14)
    assert await projection(ledger.reader, "2026-12-05") == usage.project(
        STEADY | {TODAY: 3}, "2026-10-13", "2026-12-05"
    )
