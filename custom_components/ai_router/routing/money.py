"""Exact money: prices as integer picodollars per unit, dated, tiered by length and by hour.

One picodollar is 10**-12 USD, so a price of 0.15 USD per million tokens is 150,000 picodollars a token: every price
that providers publish is a whole number, and sums never round.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from operator import attrgetter, mul
from typing import Protocol

type Picodollars = int

PICODOLLARS_PER_DOLLAR = 10**12
_PER_MILLION = 10**6
_SECONDS_PER_DAY = 86_400


class Buckets(Protocol):
    """Counts per bucket: `Usage` of the model module has this shape."""

    @property
    def input_tokens(self) -> int:
        """All tokens in."""


def to_picodollars(dollars: Decimal | float | str) -> Picodollars:
    """Turn dollars, as a person writes them, into picodollars; fractions of one are rounded up."""
    return int((Decimal(str(dollars)) * PICODOLLARS_PER_DOLLAR).to_integral_value(ROUND_CEILING))


def to_dollars(amount: Picodollars) -> Decimal:
    """Turn picodollars into exact dollars."""
    return Decimal(amount) / PICODOLLARS_PER_DOLLAR


def per_million(dollars: Decimal | float | str) -> Picodollars:
    """Turn a price in dollars per million tokens into picodollars per token."""
    return to_picodollars(Decimal(str(dollars)) / _PER_MILLION)


@dataclass(frozen=True)
class Rates:
    """Picodollars per token of each usage bucket, per search and per request."""

    fresh_in: Picodollars = 0
    cache_read: Picodollars = 0
    cache_write_5m: Picodollars = 0
    cache_write_1h: Picodollars = 0
    image_in: Picodollars = 0
    audio_in: Picodollars = 0
    text_out: Picodollars = 0
    reasoning_out: Picodollars = 0
    image_out: Picodollars = 0
    searches: Picodollars = 0
    requests: Picodollars = 0

    @classmethod
    def of(
        cls,
        input_price: Picodollars,
        output_price: Picodollars,
        per_request: Picodollars = 0,
        *,
        cached: Picodollars | None = None,
    ) -> Rates:
        """Make rates from the two prices everybody publishes; what is not told costs the full input price."""
        read = input_price if cached is None else cached
        return cls(
            fresh_in=input_price,
            cache_read=read,
            cache_write_5m=input_price,
            cache_write_1h=input_price,
            image_in=input_price,
            audio_in=input_price,
            text_out=output_price,
            reasoning_out=output_price,
            image_out=output_price,
            requests=per_request,
        )

    @cached_property
    def dearest_input(self) -> Picodollars:
        """The most an input token can cost."""
        return max(
            self.fresh_in, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.image_in, self.audio_in
        )

    @cached_property
    def dearest_output(self) -> Picodollars:
        """The most an output token can cost."""
        return max(self.text_out, self.reasoning_out, self.image_out)


_BUCKETS = tuple(bucket.name for bucket in fields(Rates))
_amounts = attrgetter(*_BUCKETS)


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """Rates and when they hold: from a time on, above an input length, in some hours of the UTC day."""

    rates: Rates
    valid_from: float = 0.0
    above_input: int = 0
    hours: tuple[tuple[int, int], ...] = ()

    def holds(self, when: float, input_tokens: int) -> bool:
        """Say whether these rates apply at a time (wall clock) for a request of this length (tokens)."""
        if when < self.valid_from or input_tokens < self.above_input:
            return False
        if not self.hours:
            return True
        minute = int(when % _SECONDS_PER_DAY) // 60
        return any(start <= minute < end for start, end in self.hours)


class Prices:
    """All rates of one model. The last span that holds wins, so spans are given from general to special."""

    __slots__ = ("_only", "free", "source", "spans")

    def __init__(self, spans: Sequence[PriceSpan], source: str = "user") -> None:
        """Take the spans; the first must hold at any time and length."""
        self.spans = tuple(spans)
        self.source = source
        self._only = spans[0].rates if len(spans) == 1 else None
        self.free = not any(any(_amounts(span.rates)) for span in spans)

    @classmethod
    def flat(cls, rates: Rates, source: str = "user") -> Prices:
        """Make prices that never change."""
        return cls((PriceSpan(rates),), source)

    def at(self, when: float, input_tokens: int) -> Rates:
        """Return the rates for a request of a length at a time."""
        if self._only is not None:
            return self._only
        rates = self.spans[0].rates
        for span in self.spans:
            if span.holds(when, input_tokens):
                rates = span.rates
        return rates

    def cost(self, usage: Buckets, when: float) -> Picodollars:
        """Price a usage exactly."""
        if self.free:
            return 0
        rates = self.at(when, usage.input_tokens)
        return sum(map(mul, _amounts(usage), _amounts(rates), strict=True))

    def worst(self, input_tokens: int, output_tokens: int, when: float) -> Picodollars:
        """Bound the price of so many tokens from above: every token in its dearest bucket, on any tier it may reach."""
        if self.free:
            return 0
        rates = self.at(when, input_tokens)
        return input_tokens * rates.dearest_input + output_tokens * rates.dearest_output + rates.requests


FREE = Prices.flat(Rates(), "free")
