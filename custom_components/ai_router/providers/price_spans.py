"""Prices as text: how the shipped table writes them, and how a server's list and the household's own are stored.

A span is an object of decimal text in US dollars: of a million tokens `in`, `out`, `read` and `write` (prompt cache),
`write_1h`, `image`, `audio`, `reasoning`, `image_out`; of one `search`, `request`, `picture`. When it holds: `above`
so many input tokens, `from` a day on, in `hours` and on `days` (0 is Monday), all in UTC. What is left out costs as
much as what it is a kind of: cached input as input, reasoning as output.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..routing.money import Picodollars, Prices, PriceSpan, Rates, per_million, to_dollars, to_picodollars

_PER_MILLION = 10**6
# The bucket of each name, and whose price it takes where it is left out; those before it are known by then.
_TOKENS = {
    "in": ("fresh_in", None),
    "out": ("text_out", None),
    "read": ("cache_read", "in"),
    "write": ("cache_write_5m", "in"),
    "write_1h": ("cache_write_1h", "write"),
    "image": ("image_in", "in"),
    "audio": ("audio_in", "in"),
    "reasoning": ("reasoning_out", "out"),
    "image_out": ("image_out", "out"),
}
_EACH = {"search": "searches", "request": "requests", "picture": "pictures"}
PRICE_NAMES = (*_TOKENS, *_EACH)
"""What amounts a span may tell."""


def rates_of(span: Mapping[str, Any]) -> Rates:
    """Read the rates of a span. Raises `ArithmeticError` where a price is none."""
    tokens: dict[str, Picodollars] = {}
    for name, (_, other) in _TOKENS.items():
        told = span.get(name)
        tokens[name] = (tokens[other] if other else 0) if told is None else per_million(told)
    rates = {bucket: tokens[name] for name, (bucket, _) in _TOKENS.items()}
    rates |= {bucket: to_picodollars(span[name]) for name, bucket in _EACH.items() if span.get(name) is not None}
    return Rates(**rates)


def _minute(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def _since(day: str | None) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() if day else 0.0


def prices_of(spans: Iterable[Mapping[str, Any]], source: str, as_of: str = "") -> Prices:
    """Read prices from their spans, the general one first. Raises `ArithmeticError` or `ValueError`."""
    return Prices(
        [
            PriceSpan(
                rates_of(span),
                valid_from=_since(span.get("from")),
                above_input=span["above"] + 1 if "above" in span else 0,
                hours=tuple((_minute(start), _minute(end)) for start, end in span.get("hours", ())),
                days=tuple(span.get("days", ())),
            )
            for span in spans
        ],
        source,
        as_of,
    )


def _plain(amount: Picodollars, factor: int = 1) -> str:
    return format((to_dollars(amount) * factor).normalize(), "f")


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def span_of(span: PriceSpan) -> dict[str, Any]:
    """Write a span, without what follows from the rest of it."""
    rates = span.rates
    written: dict[str, Any] = {}
    if span.valid_from:
        written["from"] = datetime.fromtimestamp(span.valid_from, UTC).isoformat()
    if span.above_input:
        written["above"] = span.above_input - 1
    if span.hours:
        written["hours"] = [[_time(start), _time(end)] for start, end in span.hours]
    if span.days:
        written["days"] = list(span.days)
    for name, (bucket, other) in _TOKENS.items():
        amount = getattr(rates, bucket)
        if other is None or amount != getattr(rates, _TOKENS[other][0]):
            written[name] = _plain(amount, _PER_MILLION)
    written |= {name: _plain(amount) for name, bucket in _EACH.items() if (amount := getattr(rates, bucket))}
    return written
