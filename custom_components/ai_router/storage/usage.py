"""Sums over the household's days (YYYY-MM-DD), and where spending is going."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from ..routing.calendar import Calendar
from ..routing.money import Picodollars
from ..routing.tickets import Window
from .days import later
from .queries import Reader

RECENT_DAYS = 14
"""How many full days a projection looks back: each weekday twice."""

_DAILY = "SELECT day, sum(cost) FROM usage WHERE day BETWEEN ? AND ? GROUP BY day ORDER BY day"
_FIRST_DAY = "SELECT min(day) FROM usage"
_SAVED_KEYS = ("day", "provider_id", "model_id")


class Saved(NamedTuple):
    """What answers from the cache would have cost; `key` follows the dimensions asked for."""

    key: tuple[str, ...]
    amount: Picodollars
    hits: int


class Projection(NamedTuple):
    """What the running week and month will have cost at their end; `days` is how many full days it was learned from."""

    week: Picodollars
    month: Picodollars
    days: int


async def daily_costs(reader: Reader, from_day: str, to_day: str) -> dict[str, Picodollars]:
    """Return what each day with attempts has cost, both ends included."""
    return dict(await reader.ask(_DAILY, from_day, to_day))


async def saved(reader: Reader, from_day: str, to_day: str, by: Sequence[str] = ()) -> list[Saved]:
    """Sum up what the cache has saved by any of day, provider_id and model_id. Raises `ValueError`."""
    if unknown := set(by) - set(_SAVED_KEYS):
        raise ValueError(f"savings cannot be summed by {', '.join(sorted(unknown))}")
    keys = ", ".join(by)
    sql = f"SELECT {', '.join((*by, 'sum(amount)', 'sum(hits)'))} FROM saved WHERE day BETWEEN ? AND ?"  # noqa: S608 - only names from _SAVED_KEYS
    sql += f" GROUP BY {keys} ORDER BY {keys}" if by else " HAVING count(*)"
    return [Saved(row[:-2], *row[-2:]) for row in await reader.ask(sql, from_day, to_day)]


async def projection(reader: Reader, today: str, week_start: int = 0) -> Projection:
    """Project the running week and month; `week_start` is 0 for Monday to 6 for Sunday."""
    costs, first_day = await known_costs(reader, today, week_start)
    return project(costs, first_day, today, week_start)


async def known_costs(reader: Reader, today: str, week_start: int = 0) -> tuple[dict[str, Picodollars], str]:
    """Return what `project` learns from: what each day has cost, and the day the ledger began."""
    ((first,),) = await reader.ask(_FIRST_DAY)
    earliest = min(later(today, -RECENT_DAYS), Calendar(week_start=week_start).window_of_day(Window.WEEK, today))
    costs = await daily_costs(reader, min(earliest, today[:7] + "-01"), today)
    return costs, first or today


def project(costs: Mapping[str, Picodollars], first_day: str, today: str, week_start: int = 0) -> Projection:
    """Project the running week and month from what each day has cost; a day that is not there has cost nothing.

    A day to come is expected to cost the mean of its weekday in the last 14 full days, or, where that weekday is not
    among them, the mean of all of them. Days before `first_day`, when the ledger began, are not known and count
    nowhere. Today counts as what was expected of it, or what it has cost already if that is more. On the very first day
    every day to come is expected to cost what today has cost so far.
    """
    recent = [day for number in range(RECENT_DAYS, 0, -1) if (day := later(today, -number)) >= first_day]
    by_weekday: dict[int, list[Picodollars]] = {}
    for day in recent:
        by_weekday.setdefault(date.fromisoformat(day).weekday(), []).append(costs.get(day, 0))
    every = [cost for known in by_weekday.values() for cost in known] or [costs.get(today, 0)]

    def expected(day: str) -> Picodollars:
        known = by_weekday.get(date.fromisoformat(day).weekday(), every)
        return sum(known) // len(known)

    def at_end(first: str, after: str) -> Picodollars:
        total = max(costs.get(today, 0), expected(today))
        total += sum(cost for day, cost in costs.items() if first <= day < today)
        day = today
        while (day := later(day, 1)) < after:
            total += expected(day)
        return total

    week = Calendar(week_start=week_start).window_of_day(Window.WEEK, today)
    month = today[:7] + "-01"
    return Projection(at_end(week, later(week, 7)), at_end(month, later(month, 32)[:7] + "-01"), len(recent))
