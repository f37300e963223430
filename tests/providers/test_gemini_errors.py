"""What Gemini's refusals say of time: when a day's quota begins anew, and what is only a rate."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from custom_components.ai_router.providers.gemini_errors import GeminiReplies
from custom_components.ai_router.routing.failures import FailureClass, Phase

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC).timestamp()
REPLIES = GeminiReplies("a server")


def exhausted(*quotas: str, delay: str | None = None) -> dict[str, Any]:
    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": f"GenerateRequests{quota}-FreeTier", "quotaValue": "250"} for quota in quotas],
        }
    ]
    if delay is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota", "details": details}}


@pytest.mark.parametrize(
    ("body", "cls", "after"),
    [
        (exhausted("PerMinutePerProjectPerModel", delay="22s"), FailureClass.RATE_LIMIT, 22.0),
        (exhausted("PerMinutePerProjectPerModel"), FailureClass.RATE_LIMIT, None),
        # A short delay is told although the day is used up: it is over at 08:00 UTC.
        (exhausted("PerDayPerProjectPerModel", delay="22s"), FailureClass.QUOTA, 21.5 * 3_600),
        (exhausted("PerDayPerProjectPerModel"), FailureClass.QUOTA, 21.5 * 3_600),
        (exhausted("PerMinutePerProject", "PerDayPerProject", delay="22s"), FailureClass.QUOTA, 21.5 * 3_600),
        (exhausted("PerDayPerProject", delay="7200s"), FailureClass.QUOTA, 7_200.0),
        (exhausted("PerMinutePerProject", delay="nonsense"), FailureClass.RATE_LIMIT, None),
    ],
)
def test_when_to_come_again(body: dict[str, Any], cls: FailureClass, after: float | None) -> None:
    failure = REPLIES.refusal(429, {}, orjson.dumps(body), "m", NOW)

    assert failure.cls is cls
    assert failure.retry_at == (None if after is None else NOW + after)


def test_an_error_in_a_stream_is_read_alike() -> None:
    failure = REPLIES.in_band(exhausted("PerDayPerProjectPerModel"), Phase.STREAMING)

    assert failure is not None
    assert (failure.cls, failure.phase) == (FailureClass.QUOTA, Phase.STREAMING)
    assert failure.retry_at is not None
    assert failure.retry_at % 3_600 == pytest.approx(0)
    assert (failure.retry_at // 3_600) % 24 in {7, 8}


@pytest.mark.parametrize(
    ("now", "again"),
    [
        # Winter and summer.
        (datetime(2026, 11, 21, 10, 30, tzinfo=UTC), datetime(2026, 11, 22, 8, tzinfo=UTC)),
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), datetime(2026, 7, 1, 7, tzinfo=UTC)),
        (datetime(2026, 7, 1, 7, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        # The days of 23 and 25 hours.
        (datetime(2027, 3, 14, 8, 1, tzinfo=UTC), datetime(2027, 3, 15, 7, tzinfo=UTC)),
        (datetime(2026, 11, 1, 7, 1, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_midnight_in_california(now: datetime, again: datetime) -> None:
    body = orjson.dumps(exhausted("PerDayPerProjectPerModel"))

    assert REPLIES.refusal(429, {}, body, "m", now.timestamp()).retry_at == again.timestamp()


@pytest.mark.parametrize(
    "details", [None, {}, "x", [1], [{"violations": {}}], [{"violations": [1]}], [{"retryDelay": 5}]]
)
def test_details_of_any_form(details: Any) -> None:
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota", "details": details}}

    assert REPLIES.refusal(429, {}, orjson.dumps(body), "m", NOW).cls is FailureClass.RATE_LIMIT
