"""The name under which an answer is kept: equal exactly when another caller could have asked the same, of the same.

The whole request is in the key, field by field, less what `NOT_IN_KEY` names with its reason. A field that is added
to a request is in the key until somebody decides otherwise: a key that is too fine costs a call, one that is too
coarse gives a wrong answer.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import sha256
from operator import attrgetter
from types import NoneType
from typing import Any

from .model import Audio, Image, Role, Target, Text
from .request import NO_BOUNDS, Bounds, Caller, Request

_SCHEMA = 1
"""To be raised when a key comes to mean something else; answers kept under older keys are then never found."""

NOT_IN_KEY: dict[type, dict[str, str]] = {
    Request: {
        "id": "names this asking, not what is asked",
        "session_id": "never sent; it only makes the request personal",
        "cache_mode": "how the cache is used, not what for",
        "priority": "when it is asked, not what",
        "label": "for the accounts and for rules; where a rule leads shows in the allowed targets",
        "entities": "for rules, as the label",
        "areas": "for rules, as the label",
        "stream": "the same answer, in pieces or whole",
        "degrade": "what is taken instead of an answer; that is never kept",
    },
    Caller: {
        "user_id": "in the key of personal requests, see `cache_key`; words alone answer alike for everybody",
        "admin": "shows in the allowed targets, where it matters",
        "source": "never sent",
        "context_id": "never sent; another one at each call",
        "device": "never sent",
        "area": "never sent",
        "automation": "never sent",
    },
    Bounds: {
        "timeout": "how long the caller waits; each one's own holds",
        "first_token": "when another target is tried",
        "attempts": "how often it is tried",
    },
    Image: {"load": "the digest stands for the bytes"},
    Audio: {"load": "the digest stands for the bytes"},
}


class NoKey(Exception):
    """Raised for a request that has no canonical form, such as one with a provider's own objects in its history."""


def is_personal(request: Request) -> bool:
    """Say whether a request carries more than words that anybody may type: media, or a conversation so far."""
    turns = sum(message.role is not Role.SYSTEM for message in request.messages)
    return (
        turns > 1
        or request.session_id is not None
        or any(not isinstance(part, Text) for message in request.messages for part in message.parts)
    )


def cache_key(request: Request, allowed: Iterable[Target], *, local_only: bool, bounds: Bounds = NO_BOUNDS) -> str:
    """Return the key of a request (hexadecimal).

    `allowed` are the targets that may ever take it, `local_only` and `bounds` what holds for it in the end: the same
    words asked under other rights are another question. A personal request's answer is for its user alone. Raises `NoKey`.
    """
    reader = request.caller.user_id if is_personal(request) else None
    try:
        whole = [_SCHEMA, _canonical(request), sorted(allowed), local_only, _canonical(bounds), reader]
        return sha256(_as_json(whole).encode("utf-8", "surrogatepass")).hexdigest()
    except TypeError, ValueError, RecursionError:
        raise NoKey from None


_as_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode


def _canonical(value: Any) -> Any:
    """Reduce a value to plain JSON in which two values are equal only if they mean the same.

    A list begins with what it stands for, so that no text, list or object of a caller's can pass for another.
    """
    kind = type(value)
    form = _FORMS.get(kind)
    if form is None:
        form = _FORMS[kind] = _form(kind)
    return form(value)


_FORMS: dict[type, Callable[[Any], Any]] = {}


def _form(kind: type) -> Callable[[Any], Any]:
    """Choose, once for each type, how its values are reduced."""
    if issubclass(kind, Enum):
        return attrgetter("value")
    if issubclass(kind, str | int | NoneType):
        return _itself
    if issubclass(kind, float):
        return _number
    if issubclass(kind, list | tuple):
        return _list
    if issubclass(kind, bytes):
        return _bytes
    if issubclass(kind, Mapping):
        return _object
    if is_dataclass(kind):
        left_out = NOT_IN_KEY.get(kind, {})
        names = tuple(field.name for field in fields(kind) if field.name not in left_out)
        return lambda value: [kind.__name__, {name: _canonical(getattr(value, name)) for name in names}]
    raise TypeError(f"{kind.__name__} has no canonical form")


def _itself(value: str | int | None) -> str | int | None:
    return value


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value


def _list(value: Sequence[Any]) -> list[Any]:
    return ["list", *map(_canonical, value)]


def _bytes(value: bytes) -> list[str]:
    return ["bytes", value.hex()]


def _object(value: Mapping[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(key, str) for key in value):
        raise TypeError("an object's keys are text")
    return {key: _canonical(each) for key, each in value.items()}
