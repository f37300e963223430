"""The last requests, as the dashboard cards tell of them: who answered, why and for how much; never their text."""

from collections import deque
from collections.abc import Callable
from typing import Any

from ..const import CURRENCY
from ..routing.money import to_dollars
from ..routing.outcome import Attempt, Reply
from ..routing.ports import RequestEnded

KEPT = 20
_USERS = 50
_ATTEMPTS = 10

type Names = Callable[[str], str]


class RecentRequests:
    """The last requests of the whole house, and of each user. Bounded; in memory only."""

    def __init__(self) -> None:
        """Begin with none."""
        self._all: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._own: dict[str, deque[dict[str, Any]]] = {}

    def add(self, event: RequestEnded, when: float, names: Names) -> None:
        """Note a request that ended at a time (wall clock), with the names its providers have now."""
        told = _told(event, when, names)
        self._all.appendleft(told)
        user_id = event.request.caller.user_id
        if user_id is None:
            return
        own = self._own.pop(user_id, None) or deque(maxlen=KEPT)
        own.appendleft(told)
        self._own[user_id] = own  # last, so that the first one is who has asked nothing for the longest time
        if len(self._own) > _USERS:
            del self._own[next(iter(self._own))]

    def all(self) -> list[dict[str, Any]]:
        """Return the house's last requests, the newest first."""
        return list(self._all)

    def of_user(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's own last requests, the newest first."""
        return list(self._own.get(user_id, ()))


def _told(event: RequestEnded, when: float, names: Names) -> dict[str, Any]:
    request, reply = event.request, event.reply
    attempts = event.attempts if reply is None else reply.attempts
    failed = [attempt for attempt in attempts if attempt.outcome.failure is not None]
    return {
        "id": request.id,
        "when": when,
        "label": request.label,
        "source": request.caller.source,
        **_answered(reply, names),
        "cost": {
            "amount": f"{to_dollars(sum(attempt.outcome.cost for attempt in attempts)):f}",
            "currency": CURRENCY,
            "estimated": any(attempt.outcome.estimated for attempt in attempts),
        },
        "latency": round(event.latency, 3),
        "failure": event.failure,
        "tried": [_tried(attempt, names) for attempt in failed[-_ATTEMPTS:]],
    }


def _answered(reply: Reply | None, names: Names) -> dict[str, Any]:
    """Say who gave the answer and why that one."""
    if reply is None or not reply.target.provider_id:
        return {"provider": None, "model": None, "reason": None, "cached": False}
    candidates = reply.plan.candidates
    return {
        "provider": names(reply.target.provider_id),
        "model": reply.target.model_id,
        "reason": next((each.reason for each in candidates if each.target == reply.target), None),
        "cached": reply.cached,
    }


def _tried(attempt: Attempt, names: Names) -> dict[str, Any]:
    failure = attempt.outcome.failure
    return {
        "provider": names(attempt.target.provider_id),
        "model": attempt.target.model_id,
        "failure": None if failure is None else failure.cls.value,
    }
