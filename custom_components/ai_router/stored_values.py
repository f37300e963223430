"""Reads single stored values: what is not of its type, or out of its range, is refused, never bent into something.

A hand, a restored backup, or another version of this integration may have written them. Each reader returns the value
as it is used and raises one of `UNREADABLE`.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from .const import MOST_DOLLARS

type Read[T] = Callable[[Any], T]

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading something raises that is not what it should be."""

_LONGEST_AMOUNT = 100


def switch(value: Any) -> bool:
    """Read a switch; a text that says no is not one."""
    if not isinstance(value, bool):
        raise TypeError("no switch")
    return value


def text(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def number(least: float, most: float) -> Read[float]:
    """Read a number within bounds."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"no number from {least} to {most}")
        return value

    return read


def whole(least: int, most: int) -> Read[int]:
    """Read a whole number within bounds; browsers write them as floats."""
    within = number(least, most)

    def read(value: Any) -> int:
        if (found := int(within(value))) != value:
            raise ValueError("no whole number")
        return found

    return read


def amount(value: Any) -> str:
    """Read an amount of US dollars, as text or a number, and return it as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > _LONGEST_AMOUNT:
        raise TypeError("no amount")
    # NaN compares with nothing, and what is very large takes very long to be turned into a whole number.
    if not 0 <= Decimal(str(value)) <= MOST_DOLLARS:
        raise ValueError("no amount that a household enters")
    return str(value)


def one_of(known: Collection[str]) -> Read[str]:
    """Read one of several words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise ValueError("no word that is known")
        return value

    return read


def words(value: Any) -> list[str]:
    """Read a list of texts; a text is none."""
    return list_of(text)(value)


def list_of[T](read_each: Read[T]) -> Read[list[T]]:
    """Read a list."""

    def read(value: Any) -> list[T]:
        if not isinstance(value, list | tuple):
            raise TypeError("no list")
        return [read_each(each) for each in value]

    return read


def mapping_of[T](read_each: Read[T]) -> Read[dict[str, T]]:
    """Read a mapping from texts."""

    def read(value: Any) -> dict[str, T]:
        return {text(name): read_each(each) for name, each in mapping(value).items()}

    return read


def mapping(value: Any) -> Mapping[str, Any]:
    """Read a mapping of whatever."""
    if not isinstance(value, Mapping):
        raise TypeError("no mapping")
    return value


def fields(known: Mapping[str, Read[Any]], required: Collection[str] = ()) -> Read[dict[str, Any]]:
    """Read a mapping whose known fields are read by their readers; what another version added is kept as it is."""

    def read(value: Any) -> dict[str, Any]:
        given = mapping(value)
        if any(name not in given for name in required):
            raise LookupError("a field is missing")
        return {**given, **{name: read_each(given[name]) for name, read_each in known.items() if name in given}}

    return read


def maybe[T](read_value: Read[T]) -> Read[T | None]:
    """Read a value where None says that there is none."""
    return lambda value: None if value is None else read_value(value)


def finite(value: Any) -> Any:
    """Refuse a number that is none; whatever else it is, it is taken."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("no number")
    return value
