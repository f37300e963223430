"""When to come again, and how much is left."""

import pytest
from multidict import CIMultiDict

from custom_components.ai_router.providers.rates import duration, rate_windows, retry_at, wait_in_words
from custom_components.ai_router.routing.call import RateWindow

NOW = 1_000_000.0
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("1h2m3.5s", 3723.5),
        ("1m30s", 90.0),
        ("1m 30s", 90.0),
        ("2m59.56s", 179.56),
        ("1d2h", 93_600.0),
        ("850\u00b5s", 0.00085),
        ("850us", 0.00085),
        ("90000ns", 0.00009),
        ("1M30S", 90.0),
        ("1m30", None),
        ("PT30S", None),
        ("0", 0.0),
        ("2.5", 2.5),
        (" 3 ", 3.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("inf", None),
        ("nan", None),
        ("1s!", None),
        ("9" * 400, None),
        ("9" * 60 + "d", None),
    ],
)
def test_durations(text: str | None, seconds: float | None) -> None:
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "20"}, 20.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "1m30s"}, 90.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Date": DATE, "Retry-After": "2026-11-21T10:00:05Z"}, 5.0),
        ({"Date": DATE, "Retry-After": "2026-11-21T10:00:05.500000+00:00"}, 5.5),
        ({"Date": DATE, "Retry-After": "1795255205.5"}, 5.5),
        ({"Date": DATE, "Retry-After": "1795255205500"}, 5.5),
        ({"Date": DATE, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795255260"}, 60.0),
        ({"Date": DATE, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-11-21T10:01:00Z"}, 60.0),
        ({"X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Requests": "120ms"}, 0.12),
        ({"X-RateLimit-Remaining-Tokens": "0.0", "X-RateLimit-Reset-Tokens": "60"}, 60.0),
        ({"X-RateLimit-Reset": "60"}, None),
        ({"Retry-After-Ms": "250", "Retry-After": "20"}, 0.25),
        ({"X-Ms-Retry-After-Ms": "750", "Retry-After": "20"}, 0.75),
        ({"Date": DATE, "Retry-After": "Sat, 21 Nov 2026 10:02:00 GMT"}, 120.0),
        ({"Date": DATE, "Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"Retry-After": "never"}, None),
        ({"Date": DATE, "Retry-After": "1795255320"}, 120.0),
        ({"Retry-After": "9" * 40}, None),
        ({"Date": DATE, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795255260000"}, 60.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "7"}, 7.0),
        ({"Date": DATE, "Retry-After": "Sat, 21 Nov 2100 10:00:00 GMT"}, 400 * 86_400.0),
        (
            {
                "Date": DATE,
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-21T10:00:30Z",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-21T11:00:10+01:00",
            },
            30.0,
        ),
        ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "soon"}, None),
        ({"Retry-After": "never", "Retry-After-Ms": "x"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        (
            {
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "9s",
            },
            9.0,
        ),
        ({"Retry-After": "1", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 1.0),
    ],
)
def test_when_to_come_again(headers: dict[str, str], wait: float | None) -> None:
    assert retry_at(CIMultiDict(headers), NOW) == (None if wait is None else NOW + wait)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached for m in org o on tokens per min. Please try again in 6.123s. Visit ...", 6.123),
        ("Please try again in 6m0s.", 360.0),
        ("Please retry in 52.4s.", 52.4),
        ("Try again after 20 seconds", 20.0),
        ("Please try again in 250ms", 0.25),
        ("Please try again later", None),
        ("Try again in 9 days", None),
        ("try again in 5.", None),
    ],
)
def test_waits_in_words(text: str, seconds: float | None) -> None:
    assert wait_in_words(text) == seconds


def test_windows() -> None:
    headers = CIMultiDict(
        {
            "X-RateLimit-Limit-Requests": "60",
            "X-RateLimit-Remaining-Requests": "59",
            "X-RateLimit-Reset-Requests": "1s",
            "X-RateLimit-Remaining-Tokens": "-1",
        }
    )

    assert rate_windows(headers, NOW) == (
        RateWindow("requests", 60, 59, NOW + 1),
        RateWindow("tokens", None, None, None),
    )
    assert rate_windows(CIMultiDict({"Content-Type": "application/json"}), NOW) == ()


@pytest.mark.parametrize(
    ("headers", "windows", "wait"),
    [
        ({"RateLimit": '"default";r=50;t=30'}, [("requests", None, 50, 30.0)], None),
        (
            {"RateLimit": '"default";r=0;t=30', "RateLimit-Policy": '"default";q=100;w=60'},
            [("requests", 100, 0, 30.0)],
            30.0,
        ),
        # The tightest of several, whatever the order of the policies is; commas and semicolons within a name.
        (
            {
                "RateLimit": '"a, b;c";r=5;t=1 , "day"; r=2; t=3600',
                "RateLimit-Policy": '"day";q=1000;w=86400, "a, b;c";q=10;w=1',
            },
            [("requests", 1000, 2, 3600.0)],
            None,
        ),
        (
            {"RateLimit": "calls;r=7, words;r=0;t=9", "RateLimit-Policy": 'words;q=9;qu="tokens";pk=:YWJj:, calls;q=8'},
            [("requests", 8, 7, None), ("tokens", 9, 0, 9.0)],
            9.0,
        ),
        ({"RateLimit": '"b";r=0;t=5', "RateLimit-Policy": '"b";q=9;qu="content-bytes"'}, [], None),
        # Draft 07.
        ({"RateLimit": "limit=100, remaining=0, reset=5"}, [("requests", 100, 0, 5.0)], 5.0),
        # What each has always told goes first.
        (
            {"RateLimit": '"x";r=1;t=1', "X-RateLimit-Limit": "9", "X-RateLimit-Remaining": "8"},
            [("requests", 9, 8, None)],
            None,
        ),
        ({"RateLimit": ""}, [], None),
        ({"RateLimit": "100"}, [], None),
        ({"RateLimit": '"default";r=-1;t=5'}, [], None),
        ({"RateLimit": '"default";r=x;t=5'}, [], None),
        ({"RateLimit": '"default;r=1'}, [], None),
        ({"RateLimit": '"d";r=0;t=5,' * 200}, [], None),
        ({"RateLimit": ";" * 999}, [], None),
        ({"RateLimit": "a;b=" * 249}, [], None),
    ],
)
def test_structured_windows(
    headers: dict[str, str], windows: list[tuple[str, int | None, int | None, float | None]], wait: float | None
) -> None:
    found = rate_windows(CIMultiDict(headers), NOW)

    assert [(each.name, each.limit, each.remaining, each.reset_at and each.reset_at - NOW) for each in found] == windows
    assert retry_at(CIMultiDict(headers), NOW) == (None if wait is None else NOW + wait)


def test_windows_that_reset_at_a_date() -> None:
    headers = CIMultiDict({"Date": DATE})
    for name, left in (("requests", "49"), ("tokens", "900"), ("input-tokens", "500"), ("output-tokens", "x")):
        headers[f"Anthropic-RateLimit-{name}-Limit"] = "1000"
        headers[f"Anthropic-RateLimit-{name}-Remaining"] = left
        headers[f"Anthropic-RateLimit-{name}-Reset"] = "2026-11-21T10:01:00Z"

    assert rate_windows(headers, NOW) == (
        RateWindow("requests", 1000, 49, NOW + 60),
        RateWindow("tokens", 1000, 900, NOW + 60),
        RateWindow("input-tokens", 1000, 500, NOW + 60),
        RateWindow("output-tokens", 1000, None, NOW + 60),
    )
