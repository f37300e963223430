"""The household's days, weeks and months: where budget windows begin and end."""

from datetime import UTC, date, datetime, timedelta, tzinfo

from .tickets import Window

_TOTAL_ID = "total"


class Calendar:
    """Turns wall-clock seconds into the ids of calendar windows, safe over daylight saving changes.

    `week_start` is 0 for Monday to 6 for Sunday.
    """

    def __init__(self, zone: tzinfo = UTC, week_start: int = 0) -> None:
        """Take the household's time zone."""
        self.set(zone, week_start)

    def set(self, zone: tzinfo, week_start: int) -> None:
        """Follow the household to another time zone or first day of the week."""
        self.zone = zone
        self.week_start = week_start
        self._day = ""
        self._from = self._until = 0.0

    def day(self, now: float) -> str:
        """Return the household's date at a time, as YYYY-MM-DD."""
        if not self._from <= now < self._until:
            today = datetime.fromtimestamp(now, self.zone).date()
            self._from, self._until = self._midnight(today), self._midnight(today + timedelta(days=1))
            self._day = today.isoformat()
        return self._day

    def yesterday(self, now: float) -> str:
        """Return the day before that."""
        return (date.fromisoformat(self.day(now)) - timedelta(days=1)).isoformat()

    def window_id(self, window: Window, now: float) -> str:
        """Return the id of the calendar window a time lies in."""
        return self.window_of_day(window, self.day(now))

    def window_of_day(self, window: Window, day: str) -> str:
        """Return the id of the calendar window a day lies in. A week is named by its first day."""
        match window:
            case Window.DAY:
                return day
            case Window.MONTH:
                return day[:7]
            case Window.WEEK:
                first = date.fromisoformat(day)
                return (first - timedelta(days=(first.weekday() - self.week_start) % 7)).isoformat()
            case Window.TOTAL:
                return _TOTAL_ID
            case _:
                raise ValueError(f"{window} is not a calendar window")

    def bounds(self, window: Window, now: float) -> tuple[float, float | None]:
        """Return when the window of a time began and when it ends (wall clock); a total never ends."""
        today = date.fromisoformat(self.day(now))
        match window:
            case Window.DAY:
                first, after = today, today + timedelta(days=1)
            case Window.WEEK:
                first = today - timedelta(days=(today.weekday() - self.week_start) % 7)
                after = first + timedelta(days=7)
            case Window.MONTH:
                first = today.replace(day=1)
                after = (first + timedelta(days=32)).replace(day=1)
            case _:
                return 0.0, None
        return self._midnight(first), self._midnight(after)

    def _midnight(self, day: date) -> float:
        # Where a clock change skips midnight, fold 0 gives the first moment of the day.
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()
