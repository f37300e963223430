"""Exact money: prices as integer picodollars per unit, dated, tiered by length, by hour and by day of the week.

One picodollar is 10**-12 USD, so a price of 0.15 USD per million tokens is 150,000 picodollars a token: every price
that providers publish is a whole number, and sums never round.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from operator import attrgetter, mul
from typing import Protocol, override

type Picodollars = int

PICODOLLARS_PER_DOLLAR = 10**12
_PER_MILLION = 10**6
_SECONDS_PER_DAY = 86_400
# 1970 began on a Thursday; Monday is 0.
_FIRST_WEEKDAY = 3


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
    """Picodollars per token of each usage bucket, per search, per request and per picture sent.

    Usage has no count of `pictures`: most models bill a picture by its tokens, and no provider tells how many it took.
    """

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
    pictures: Picodollars = 0

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


_BUCKETS = tuple(bucket.name for bucket in fields(Rates) if bucket.name != "pictures")
_amounts = attrgetter(*_BUCKETS)


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """Rates and when they hold: from a time on, for inputs of so many tokens or more, in some hours and on some days.

    `hours` are spans in minutes of the UTC day, `days` those of the week (0 is Monday, in UTC); empty is always.
    """

    rates: Rates
    valid_from: float = 0.0
    above_input: int = 0
    hours: tuple[tuple[int, int], ...] = ()
    days: tuple[int, ...] = ()

    def holds(self, when: float, input_tokens: int) -> bool:
        """Say whether these rates apply at a time (wall clock) for a request of this length (tokens)."""
        if when < self.valid_from or input_tokens < self.above_input:
            return False
        if self.days and (int(when // _SECONDS_PER_DAY) + _FIRST_WEEKDAY) % 7 not in self.days:
            return False
        if not self.hours:
            return True
        minute = int(when % _SECONDS_PER_DAY) // 60
        return any(start <= minute < end for start, end in self.hours)


class Prices:
    """All rates of one model. The last span that holds wins, so spans are given from general to special.

    `source` says where they come from (the household, a server's list, the name of a publication), `as_of` the day on
    which that was true (YYYY-MM-DD), empty where they were simply set.
    """

    __slots__ = ("_only", "as_of", "free", "source", "spans")

    def __init__(self, spans: Sequence[PriceSpan], source: str = "user", as_of: str = "") -> None:
        """Take the spans; the first must hold at any time and length."""
        self.spans = tuple(spans)
        self.source = source
        self.as_of = as_of
        self._only = spans[0].rates if len(spans) == 1 else None
        self.free = not any(any(_amounts(span.rates)) or span.rates.pictures for span in spans)

    @override
    def __eq__(self, other: object) -> bool:
        """Compare what is asked, and where it comes from."""
        if not isinstance(other, Prices):
            return NotImplemented
        return (self.spans, self.source, self.as_of) == (other.spans, other.source, other.as_of)

    @override
    def __hash__(self) -> int:
        """Go with the comparison."""
        return hash((self.spans, self.source, self.as_of))

    @classmethod
    def flat(cls, rates: Rates, source: str = "user") -> Prices:
        """Make prices that never change."""
        return cls((PriceSpan(rates),), source)

    def dearer(self, percent: int) -> Prices:
        """Return these prices with a surcharge on all of them; fractions of a picodollar are rounded up."""
        spans = [
            replace(span, rates=Rates(*(-(-amount * (100 + percent) // 100) for amount in astuple(span.rates))))
            for span in self.spans
        ]
        return Prices(spans, self.source, self.as_of)

    def at(self, when: float, input_tokens: int) -> Rates:
        """Return the rates for a request of a length at a time."""
        if self._only is not None:
            return self._only
        rates = self.spans[0].rates
        for span in self.spans:
            if span.holds(when, input_tokens):
                rates = span.rates
        return rates

    def cost(self, usage: Buckets, when: float, pictures: int = 0) -> Picodollars:
        """Price a usage exactly; `pictures` is how many were sent."""
        if self.free:
            return 0
        rates = self.at(when, usage.input_tokens)
        total: int = sum(map(mul, _amounts(usage), _amounts(rates), strict=True))
        return total + pictures * rates.pictures

    def expected(self, input_tokens: int, output_tokens: int, when: float, pictures: int = 0) -> Picodollars:
        """Price so many tokens as they mostly are: fresh and of text."""
        if self.free:
            return 0
        rates = self.at(when, input_tokens)
        text = input_tokens * rates.fresh_in + output_tokens * rates.text_out
        return text + rates.requests + pictures * rates.pictures

    def worst(self, input_tokens: int, output_tokens: int, when: float, pictures: int = 0) -> Picodollars:
        """Bound the price of so many tokens from above: every token in its dearest bucket, on any tier it may reach."""
        if self.free:
            return 0
        if self._only is not None:
            return _most(self._only, input_tokens, output_tokens, pictures)
        # A shorter request may stay on a tier that is dearer.
        lengths = {input_tokens, *(span.above_input - 1 for span in self.spans if 0 < span.above_input <= input_tokens)}
        return max(_most(self.at(when, length), length, output_tokens, pictures) for length in lengths)


def _most(rates: Rates, input_tokens: int, output_tokens: int, pictures: int) -> Picodollars:
    return (
        input_tokens * rates.dearest_input
        + output_tokens * rates.dearest_output
        + rates.requests
        + pictures * rates.pictures
    )


FREE = Prices.flat(Rates(), "free")
