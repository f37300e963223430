"""Keeps what another integration's provider does wrong from harming the road: it fails like any other provider.

What it raises beyond `AttemptFailed` is logged with its trace and becomes a failure of class `malformed`; so do events
that are none. A cancel gets through, whatever the provider makes of it and however long it takes to close; one that nobody
asked for does not.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import date
from types import UnionType
from typing import Any

from aiohttp import ClientSession

from ..routing.call import (
    Alive,
    Call,
    Event,
    Finish,
    Finished,
    Opened,
    RateWindow,
    Rethought,
    TextDelta,
    ThinkingDelta,
    ToolCallDone,
    Usage,
    UsageTotal,
    Vectors,
)
from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from ..routing.model import Capability, Model, ToolCall
from ..routing.money import Prices
from ..routing.ports import Counter, Provider
from ..routing.sight import LeastTokens, PictureTokens
from .apart import asked, heard
from .endpoint import InvalidEndpoint
from .extras import secrets_in
from .provider import ProviderSetup
from .registry import Kind
from .replies import Replies

_LOGGER = logging.getLogger(__name__)


def guarded_kind(kind: Kind) -> Kind:
    """Return a kind that behaves, whatever is wrong with the one given. Its `build` raises `AttemptFailed` too."""

    def build(setup: ProviderSetup, session: ClientSession) -> Provider:
        try:
            client = kind.build(setup, session)
        except InvalidEndpoint, AttemptFailed:
            raise
        except Exception as err:
            _LOGGER.exception("A provider of the kind %s could not be made", kind.id)
            raise _wrong(f"it could not be made: {type(err).__name__}", Phase.UNSENT) from None
        lacking = [name for name in ("attempt", "models", "probe") if not callable(getattr(client, name, None))]
        if lacking:
            _LOGGER.error("A provider of the kind %s has no %s", kind.id, " and no ".join(lacking))
            raise _wrong(f"it has no {lacking[0]}", Phase.UNSENT)
        guarded = _GuardedCounter if isinstance(client, Counter) else _Guarded
        return guarded(client, kind.id, Replies(kind.id, tuple(_secrets(setup))))

    return replace(kind, build=build)


class _Guarded:
    """A provider that fails only in ways the road knows."""

    def __init__(self, client: Provider, kind_id: str, replies: Replies) -> None:
        self._client = client
        self._kind_id = kind_id
        self._replies = replies

    async def attempt(self, call: Call) -> AsyncGenerator[Event]:
        """Pass a call on, and yield what comes back. Raises `AttemptFailed`."""
        phase = Phase.SENT
        try:
            async with aclosing(heard(self._who, self._client.attempt, call)) as events:
                async for event in events:
                    _check(event)
                    if isinstance(event, TextDelta | ThinkingDelta | ToolCallDone | Vectors):
                        phase = Phase.STREAMING
                    yield event
        except Exception as err:  # noqa: BLE001 - it is logged, and made a failure
            raise self._failure(err, phase) from None

    async def models(self) -> Sequence[Model]:
        """List the models. Raises `AttemptFailed`."""
        models: Any = await self._asked(self._client.models)
        if isinstance(models, Sequence) and all(map(_is_model, models)):
            return models
        _LOGGER.error("A provider of the kind %s listed something else than models", self._kind_id)
        raise _wrong("it listed something else than models", Phase.SENT)

    async def probe(self) -> None:
        """Check it. Raises `AttemptFailed`."""
        await self._asked(self._client.probe)

    @property
    def least_picture(self) -> LeastTokens | None:
        """The fewest tokens that are counted for a picture, where the provider says."""
        least: LeastTokens | None = getattr(self._client, "least_picture", None)
        if least is None:
            return None

        def fewest(width: int, height: int) -> int:
            try:
                return int(least(width, height))
            except Exception:
                _LOGGER.exception("A provider of the kind %s could not count a picture", self._kind_id)
                return 0

        return fewest

    @property
    def picture_tokens(self) -> PictureTokens | None:
        """The tokens that a model counts for a picture, where the provider says."""
        tokens: PictureTokens | None = getattr(self._client, "picture_tokens", None)
        if tokens is None:
            return None

        def count(model_id: str, width: int, height: int) -> int:
            try:
                return max(0, int(tokens(model_id, width, height)))
            except Exception:
                _LOGGER.exception("A provider of the kind %s could not count a picture", self._kind_id)
                return 0

        return count

    async def _asked[T](self, ask: Callable[..., Awaitable[T]], *args: Any) -> T:
        try:
            return await asked(self._who, ask, *args)
        except Exception as err:  # noqa: BLE001 - it is logged, and made a failure
            raise self._failure(err, Phase.SENT) from None

    @property
    def _who(self) -> str:
        return f"A provider of the kind {self._kind_id}"

    def _failure(self, err: Exception, phase: Phase) -> AttemptFailed:
        """Return what is to be raised instead of what was."""
        if isinstance(err, AttemptFailed) and _is_failure(err.failure):
            return AttemptFailed(replace(err.failure, detail=self._replies.redacted(str(err.failure.detail))))
        _LOGGER.error("%s failed in an unforeseen way", self._who, exc_info=err)
        return _wrong(f"its integration failed: {type(err).__name__}", phase)


class _GuardedCounter(_Guarded):
    """A guarded provider that counts tokens."""

    async def count(self, call: Call) -> int | None:
        """Return the tokens of a call's input, None where it cannot say. Raises `AttemptFailed`."""
        client = self._client
        if not isinstance(client, Counter):
            return None
        counted = await self._asked(client.count, call)
        return counted if _is_whole(counted) else None


def _secrets(setup: ProviderSetup) -> Iterator[str]:
    if setup.key:
        yield setup.key
    yield from secrets_in(setup.headers, setup.body)


def _wrong(detail: str, phase: Phase) -> AttemptFailed:
    billed = Billed.NO if phase is Phase.UNSENT else Billed.UNKNOWN
    return AttemptFailed(Failure(FailureClass.MALFORMED, phase, detail, FailureScope.PROVIDER, billed=billed))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def holds(value: Any, kind: type, /, **fields: Any) -> bool:
    """Say whether something is of a class, and each of these fields of what may be in it: a type, several, a function."""
    return isinstance(value, kind) and all(
        isinstance(getattr(value, name), what) if isinstance(what, type | UnionType) else what(getattr(value, name))
        for name, what in fields.items()
    )


def _are_rates(rates: Any) -> bool:
    return isinstance(rates, tuple) and all(isinstance(rate, RateWindow) for rate in rates)


def _is_failure(failure: Any) -> bool:
    return holds(
        failure,
        Failure,
        cls=FailureClass,
        phase=Phase,
        scope=FailureScope,
        billed=Billed,
        retry_at=float | int | None,
        rates=_are_rates,
    )


def _is_size(size: Any) -> bool:
    return size is None or _is_whole(size)


def _is_model(model: Any) -> bool:
    return (
        holds(
            model,
            Model,
            id=str,
            caps=Capability,
            told=Capability,
            local=bool,
            context=_is_size,
            max_output=_is_size,
            prices=Prices | None,
            retires=date | None,
        )
        and model.id != ""
    )


def _is_call(call: Any) -> bool:
    return holds(call, ToolCall, id=str, name=str, arguments=Mapping)


def _is_usage(usage: Any) -> bool:
    return isinstance(usage, Usage) and all(map(_is_whole, usage))


_EVENTS: dict[type, dict[str, Any]] = {
    Alive: {},
    Opened: {"rates": _are_rates},
    TextDelta: {"text": str},
    ThinkingDelta: {"text": str},
    Rethought: {},
    ToolCallDone: {"call": _is_call},
    Vectors: {"vectors": tuple},
    UsageTotal: {"usage": _is_usage, "cost": _is_size},
    Finished: {"reason": Finish},
}


def _check(event: Any) -> None:
    """Raise `TypeError` for what the road would stumble over."""
    fields = _EVENTS.get(type(event))
    if fields is None or not holds(event, type(event), **fields):
        raise TypeError(f"it yielded {type(event).__name__}, or put into it what does not belong there")
