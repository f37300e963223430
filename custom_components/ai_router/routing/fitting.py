"""Whether a request fits a model's context: as it is, with a shorter answer, or without its oldest turns."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import ceil

from .config import RouterConfig
from .fleet import Lane
from .model import Message, Op, Role
from .offers import LEAST_SHARE, Ask, Fit
from .request import Bounds
from .tokens import Size, measure
from .usual import Usual


class Fitting:
    """Fits requests under one configuration."""

    def __init__(self, config: RouterConfig, usual: Usual) -> None:
        """Take the settings; `usual` knows how a target counts tokens."""
        self._config = config
        self._usual = usual

    def fit(self, lane: Lane, ask: Ask, bounds: Bounds) -> Fit | None:
        """Return how a request goes to a target within these bounds; None where it does not fit its context.

        An answer is cut to what the context has left for it, down to half of its room or what such answers usually
        take. Where the request allows it, and the whole room is not there, the oldest turns are left out.
        """
        output = self._room(lane, ask, bounds)
        context = lane.model.context
        request = ask.request
        size = _counted(lane, ask.size)
        if context is None:
            return Fit(size, output, bounds, request.messages)
        ratio = self._usual.ratio(lane.target)
        left = _left(context, size, ratio)
        if left > 0 and left >= output:
            return Fit(size, output, bounds, request.messages)
        if request.trim and request.op is not Op.EMBED:
            trimmed = _trimmed(lane, ask, context, ratio, output)
            if trimmed is not None:
                return Fit(trimmed[1], output, bounds, trimmed[0], len(request.messages) - len(trimmed[0]))
        usual = self._usual.output(lane.target, request.label)
        least = output if usual is None else min(output, usual * LEAST_SHARE)
        if left > 0 and left * LEAST_SHARE >= least:
            return Fit(size, left, bounds, request.messages)
        return None

    def _room(self, lane: Lane, ask: Ask, bounds: Bounds) -> int:
        """Return how many tokens the answer may have."""
        if ask.request.op is Op.EMBED:
            return 0
        config = self._config
        usual = config.reasoning_output if lane.reasons else config.max_output
        output = bounds.max_output or usual
        return output if lane.model.max_output is None else min(output, lane.model.max_output)


def _counted(lane: Lane, size: Size) -> Size:
    """Return the size with its pictures as the target's provider counts them, where that is known."""
    tokens = lane.provider.picture_tokens
    return size if tokens is None or not size.shown else size.counted(partial(tokens, lane.model.id))


def _left(context: int, size: Size, ratio: float) -> int:
    """Return how many tokens of the context an answer may have."""
    return context - ceil(size.together * ratio)


def _trimmed(lane: Lane, ask: Ask, context: int, ratio: float, output: int) -> tuple[tuple[Message, ...], Size] | None:
    """Leave out as few of the oldest turns as it takes; None where even the last one alone is too long."""
    request = ask.request
    turns = _turns(request.messages)

    def without(count: int) -> tuple[tuple[Message, ...], Size]:
        gone = {place for turn in turns[:count] for place in turn}
        messages = tuple(message for place, message in enumerate(request.messages) if place not in gone)
        return messages, _counted(lane, measure(replace(request, messages=messages)))

    # The least count that fits, by halving: measuring a long conversation once for each of its turns would take long.
    low, high = 1, len(turns) - 1
    found = None
    while low <= high:
        middle = (low + high) // 2
        tried = without(middle)
        if _left(context, tried[1], ratio) >= output:
            found, high = tried, middle - 1
        else:
            low = middle + 1
    return found


def _turns(messages: Sequence[Message]) -> list[list[int]]:
    """Split a conversation into turns, each from a user's words to the last answer to them; instructions are in none.

    Returns the messages' places.

    A tool's result so never stands without the call that it answers.
    """
    turns: list[list[int]] = []
    for place, message in enumerate(messages):
        if message.role is Role.SYSTEM:
            continue
        if message.role is Role.USER or not turns:
            turns.append([])
        turns[-1].append(place)
    return turns
