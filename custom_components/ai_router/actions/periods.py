"""Which days an action is about: a named period, or the days from one to another."""

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import voluptuous as vol
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv

from ..const import DOMAIN
from ..hub import Hub
from ..routing.tickets import Window

PERIOD, FROM, TO = "period", "from", "to"
_FIRST_DAY = "0001-01-01"


class Period(StrEnum):
    """Periods with a name, in the household's time zone and with its start of the week."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    WEEK = "week"
    LAST_WEEK = "last_week"
    MONTH = "month"
    LAST_MONTH = "last_month"
    YEAR = "year"
    TOTAL = "total"


class Days(NamedTuple):
    """The first and the last day (YYYY-MM-DD), both included."""

    first: str
    last: str


PERIOD_FIELDS: dict[vol.Marker, Any] = {
    vol.Optional(PERIOD, default=Period.TODAY.value): vol.In([period.value for period in Period]),
    vol.Optional(FROM): cv.date,
    vol.Optional(TO): cv.date,
}


def days_of(hub: Hub, data: Mapping[str, Any]) -> Days:
    """Return the days asked for. Days given go before a named period. Raises `ServiceValidationError`."""
    calendar = hub.router.admission.calendar
    today = calendar.day(hub.clock.now())
    if FROM in data or TO in data:
        last = data[TO].isoformat() if TO in data else today
        first = data[FROM].isoformat() if FROM in data else last
        if first > last:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="period_backwards")
        return Days(first, last)
    week = calendar.window_of_day(Window.WEEK, today)
    match data[PERIOD]:
        case Period.YESTERDAY:
            return Days(_before(today), _before(today))
        case Period.WEEK:
            return Days(week, today)
        case Period.LAST_WEEK:
            return Days(_before(week, 7), _before(week))
        case Period.MONTH:
            return Days(f"{today[:7]}-01", today)
        case Period.LAST_MONTH:
            last = _before(f"{today[:7]}-01")
            return Days(f"{last[:7]}-01", last)
        case Period.YEAR:
            return Days(f"{today[:4]}-01-01", today)
        case Period.TOTAL:
            return Days(_FIRST_DAY, today)
    return Days(today, today)


def _before(day: str, days: int = 1) -> str:
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()
