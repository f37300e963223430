"""The last requests, as the dashboard cards tell of them: who answered, why and for how much; never their text."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..const import CURRENCY
from ..routing.model import Target
from ..routing.money import to_dollars
from ..routing.outcome import Attempt
from ..routing.plans import Plan, Reason
from ..routing.ports import RequestEnded

KEPT = 20
_USERS = 50
_ATTEMPTS = 10
_NOBODY = Target("", "")

type Names = Callable[[str], str]


class RecentRequests:
    """The last requests of the whole house, and of each user. Bounded; in memory only."""

    def __init__(self) -> None:
        """Begin with none."""
        self._all: deque[_Ended] = deque(maxlen=KEPT)
        self._own: dict[str, deque[_Ended]] = {}

    def add(self, event: RequestEnded, when: float, names: Names) -> None:
        """Note a request that ended at a time (wall clock), with the names that things have now."""
        ended = _ended(event, when, names)
        self._all.appendleft(ended)
        user_id = event.request.caller.user_id
        if user_id is None:
            return
        own = self._own.pop(user_id, None) or deque(maxlen=KEPT)
        own.appendleft(ended)
        self._own[user_id] = own  # last, so that the first one is who has asked nothing for the longest time
        if len(self._own) > _USERS:
            del self._own[next(iter(self._own))]

    def all(self) -> list[dict[str, Any]]:
        """Return the house's last requests, the newest first."""
        return [ended.told() for ended in self._all]

    def of_user(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's own last requests, the newest first."""
        return [ended.told() for ended in self._own.get(user_id, ())]


@dataclass(slots=True)
class _Ended:
    """What is kept of a request, never its text: `plan` is that of an answer, None where there was none.

    Most are never looked at: one is told of when it is, once for all who look.
    """

    request: str
    label: str | None
    source: str
    when: float
    latency: float
    failure: str | None
    attempts: Sequence[Attempt]
    names: Mapping[str, str]
    target: Target = _NOBODY
    pool: str | None = None
    plan: Plan | None = None
    cached: bool = False
    said: dict[str, Any] | None = None

    def told(self) -> dict[str, Any]:
        """Tell of it."""
        if self.said is None:
            self.said = self._tell()
        return self.said

    def _tell(self) -> dict[str, Any]:
        failed = [attempt for attempt in self.attempts if attempt.outcome.failure is not None]
        return {
            "id": self.request,
            "when": self.when,
            "label": self.label,
            "source": self.source,
            **self._answered(),
            "cost": {
                "amount": f"{to_dollars(sum(attempt.outcome.cost for attempt in self.attempts)):f}",
                "currency": CURRENCY,
                "estimated": any(attempt.outcome.estimated for attempt in self.attempts),
            },
            "latency": round(self.latency, 3),
            "failure": self.failure,
            "tried": [self._tried(attempt) for attempt in failed[-_ATTEMPTS:]],
        }

    def _answered(self) -> dict[str, Any]:
        """Say who gave the answer and why that one: by which pool and which rule, if there is one."""
        target, plan = self.target, self.plan
        if plan is None or target == _NOBODY:
            return {"provider": None, "model": None, "pool": None, "rule": None, "reasons": [], "cached": False}
        return {
            "provider": self.names[target.provider_id],
            "model": target.model_id,
            "pool": None if self.pool is None else self.names[self.pool],
            "rule": None if plan.rule is None else self.names[plan.rule],
            "reasons": [
                _reason(reason)
                for reason in next((each.reasons for each in plan.candidates if each.target == target), ())
            ],
            "cached": self.cached,
        }

    def _tried(self, attempt: Attempt) -> dict[str, Any]:
        failure = attempt.outcome.failure
        return {
            "provider": self.names[attempt.target.provider_id],
            "model": attempt.target.model_id,
            "failure": None if failure is None else failure.cls.value,
        }


def _reason(reason: Reason | str) -> dict[str, Any] | str:
    """Tell of a reason by its code: words and figures are those of who looks. A strategy of its own may say it itself."""
    if not isinstance(reason, Reason):
        return str(reason)
    because, number, share, seconds, price = reason
    told = None if price is None else f"{to_dollars(price):f}"
    return {"because": because.value, "number": number, "share": share, "seconds": seconds, "price": told}


def _ended(event: RequestEnded, when: float, names: Names) -> _Ended:
    request, reply, failure = event.request, event.reply, event.failure
    caller = request.caller.source
    attempts = event.attempts if reply is None else reply.attempts
    named = {attempt.target.provider_id: names(attempt.target.provider_id) for attempt in attempts}
    if reply is None:
        return _Ended(request.id, request.label, caller, when, event.latency, failure, attempts, named)
    target, pool, plan = reply.target, reply.pool, reply.plan
    for each in (target.provider_id, pool, plan.rule):
        if each and each not in named:
            named[each] = names(each)
    return _Ended(
        *(request.id, request.label, caller, when, event.latency, failure, attempts, named),
        *(target, pool, plan, reply.cached),
    )
