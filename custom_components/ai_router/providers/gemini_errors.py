"""What Gemini's refusals mean: much of it stands in the details of an error, in the form Google's services share."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, override
from zoneinfo import ZoneInfo

from ..routing.failures import Failure, FailureClass, FailureScope, Phase
from .error_bodies import parsed
from .rates import Headers, duration
from .replies import SCOPES, Replies

_BY_CODE = {
    "API_KEY_INVALID": FailureClass.CREDENTIAL,
    "BILLING_DISABLED": FailureClass.BILLING,
    # The country, or what the project has not agreed to: nothing in our request mends it.
    "FAILED_PRECONDITION": FailureClass.REGION,
    "NOT_FOUND": FailureClass.MODEL_MISSING,
}
# (class so far, words, class they make of it): what has no code of its own, in the order of asking.
_BY_WORDS = (
    (FailureClass.REGION, "billing", FailureClass.BILLING),
    (FailureClass.BAD_REQUEST, "api key", FailureClass.CREDENTIAL),
    (FailureClass.BAD_REQUEST, "exceeds the maximum number of tokens", FailureClass.CONTEXT_LENGTH),
    (FailureClass.BAD_REQUEST, "payload size exceeds", FailureClass.TOO_LARGE),
    (FailureClass.BAD_REQUEST, "is not enabled for", FailureClass.CAPABILITY),
    (FailureClass.RATE_LIMIT, "credits are depleted", FailureClass.BILLING),
    (FailureClass.RATE_LIMIT, "spending cap", FailureClass.BILLING),
)
_NOTHING_ALLOWED = re.compile(r"\blimit: 0\b")
_WAITS = frozenset({FailureClass.RATE_LIMIT, FailureClass.QUOTA, FailureClass.OVERLOADED, FailureClass.TRANSIENT})
_HOUR = 3_600.0
# Daily quotas begin anew at midnight there. Read with this module, which is not in the event loop: it is a file.
_CALIFORNIA = ZoneInfo("America/Los_Angeles")


def _error(data: Any) -> dict[str, Any]:
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    error = data.get("error") if isinstance(data, dict) else None
    return error if isinstance(error, dict) else {}


def _details(error: dict[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _violations(error: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    for detail in _details(error):
        entries = detail.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield entry


class GeminiReplies(Replies):
    """Reads refusals of Gemini."""

    __slots__ = ()

    @override
    def refusal(self, status: int, headers: Headers, body: bytes, model: str = "", now: float | None = None) -> Failure:
        """Read an answer whose status is not a success. `now` is wall-clock seconds."""
        now = time.time() if now is None else now
        return _sharpened(super().refusal(status, headers, body, model, now), _error(parsed(body)), now)

    @override
    def in_band(self, data: Any, phase: Phase, model: str = "") -> Failure | None:
        """Read an error inside an answer that began as a success; None where there is none."""
        failure = super().in_band(data, phase, model)
        return None if failure is None else _sharpened(failure, _error(data), time.time())


def _sharpened(failure: Failure, error: dict[str, Any], now: float) -> Failure:
    """Read the codes, words and times that only Gemini uses."""
    cls = failure.cls
    for code in (error.get("status"), *(detail.get("reason") for detail in _details(error))):
        cls = _BY_CODE.get(str(code), cls)
    words = str(error.get("message")).lower()
    cls = next((after for before, fragment, after in _BY_WORDS if cls is before and fragment in words), cls)
    if cls is FailureClass.RATE_LIMIT:
        cls = _which_limit(error, words)
    retry_at = None
    if cls in _WAITS:
        wait = _wait(error)
        if cls is FailureClass.QUOTA and (wait is None or wait < _HOUR):
            # The time told is that of the limit per minute, even where the day is used up.
            wait = _next_day(now) - now
        retry_at = failure.retry_at if wait is None else now + wait
    scope = failure.scope if cls is failure.cls else SCOPES.get(cls, FailureScope.TARGET)
    return replace(failure, cls=cls, scope=scope, retry_at=retry_at)


def _next_day(now: float) -> float:
    """Return when the next day of the quotas begins (wall clock): one of them has 23 hours, and one 25."""
    today = datetime.fromtimestamp(now, _CALIFORNIA).date()
    return datetime.combine(today + timedelta(days=1), datetime.min.time(), _CALIFORNIA).timestamp()


def _which_limit(error: dict[str, Any], words: str) -> FailureClass:
    violations = list(_violations(error, "violations"))
    if _NOTHING_ALLOWED.search(words) or any(str(violation.get("quotaValue")) == "0" for violation in violations):
        # The account's plan has no such model: waiting does not help.
        return FailureClass.MODEL_MISSING
    if any("PerDay" in str(violation.get("quotaId")) for violation in violations):
        return FailureClass.QUOTA
    return FailureClass.RATE_LIMIT


def _wait(error: dict[str, Any]) -> float | None:
    """Return the seconds to wait, where the details tell them."""
    told = [duration(str(detail["retryDelay"])) for detail in _details(error) if "retryDelay" in detail]
    return max((seconds for seconds in told if seconds is not None), default=None)
