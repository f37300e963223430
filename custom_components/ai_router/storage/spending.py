"""What was spent so far, as budgets want to know it when they begin."""

from ..routing.calendar import Calendar
from ..routing.ports import Spending
from ..routing.tickets import Window
from .days import AFTER_ALL_DAYS, later
from .ledger import SqliteLedger

_BY = ("provider_id", "user_id", "label", "pool")


async def spending(ledger: SqliteLedger, calendar: Calendar, now: float) -> list[Spending]:
    """Return what was spent in all windows that still run: by day, and all that was before in one lump.

    Also on days to come, and since yesterday: the clock (`now`, wall clock) may be wrong, or be set later. Raises
    `LedgerUnavailable`, also where something that was spent cannot be written down.
    """
    yesterday = calendar.yesterday(now)
    # A week may have begun in the month before.
    month, week = (calendar.window_of_day(window, yesterday) for window in (Window.MONTH, Window.WEEK))
    first = min(f"{month}-01", week)
    before = later(first, -1)
    await ledger.flush()
    rows = [(row.key, row.cost) for row in await ledger.usage(first, AFTER_ALL_DAYS, ("day", *_BY))]
    rows += [((before, *row.key), row.cost) for row in await ledger.usage("", before, _BY)]
    return [
        Spending(day, provider_id, user_id, label, cost, pool)
        for (day, provider_id, user_id, label, pool), cost in rows
    ]
