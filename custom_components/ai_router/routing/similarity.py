"""How near texts are to each other in meaning: the cosine between their vectors (Salton, Wong and Yang, 1975)."""

import asyncio
from collections.abc import Sequence
from heapq import nlargest
from math import sqrt, sumprod
from operator import attrgetter
from typing import NamedTuple

from .call import Vector

# More numbers than this take longer than the event loop should wait.
_MANY = 10_000


class Match(NamedTuple):
    """A text by its place, and its similarity to what was looked for: 1 is the same direction, 0 nothing in common."""

    place: int
    similarity: float


def _cosine(one: Vector, other: Vector, length: float) -> float:
    """Return the cosine of the angle between two vectors; 0 where one of them has no direction."""
    lengths = length * sqrt(sumprod(other, other))
    return max(-1.0, min(1.0, sumprod(one, other) / lengths)) if lengths else 0.0


def nearest(query: Vector, vectors: Sequence[Vector], most: int, least: float = -1.0) -> list[Match]:
    """Return the `most` nearest of the vectors that are at least so similar; of equals the first goes first.

    Raises `ValueError` for vectors of two sizes: they come from two models, and cannot be compared.
    """
    length = sqrt(sumprod(query, query))
    matches = (Match(place, _cosine(query, vector, length)) for place, vector in enumerate(vectors))
    return nlargest(most, (match for match in matches if match.similarity >= least), key=attrgetter("similarity"))


async def find_nearest(query: Vector, vectors: Sequence[Vector], most: int, least: float = -1.0) -> list[Match]:
    """Do the same, away from the event loop where it takes time."""
    if len(query) * len(vectors) <= _MANY:
        return nearest(query, vectors, most, least)
    return await asyncio.get_running_loop().run_in_executor(None, nearest, query, vectors, most, least)
