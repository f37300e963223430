"""Replies that took no call of their own: kept answers, shared ones, and what a caller takes instead of an answer."""

import json
from copy import deepcopy
from typing import Any

from .cache import Answer
from .call import Finish, Usage
from .model import Target, Text
from .outcome import Attempt, Reply
from .plans import Because, Candidate, Estimate, Plan, Reason
from .refusals import RequestFailed
from .request import Degraded
from .trip import Trip

_NOBODY = Target("", "")
_NOTHING_USED = Usage(requests=0)
_ANSWERED_BEFORE = Reason(Because.ANSWERED_BEFORE)


def from_kept(answer: Answer, trip: Trip, now: float) -> Reply:
    """Make a kept answer the reply to a request; `now` is monotonic. Its usage is what it took at its time."""
    data = None if answer.data is None else json.loads(answer.data)
    usage = answer.usage
    estimate = Estimate(usage.input_tokens, usage.output_tokens, 0)
    plan = Plan((Candidate(answer.target, estimate, 0, (_ANSWERED_BEFORE,)),), (), "cache")
    return _reply(trip, now, answer.text, data, answer.target, usage, plan, cached=True, saved=answer.cost)


def from_stale(answer: Answer, trip: Trip, now: float) -> Reply:
    """Make an answer past its time the reply to a request that failed."""
    return _at_own_cost(from_kept(answer, trip, now)._replace(saved=0, degraded=Degraded.STALE), trip)


def from_default(text: str, trip: Trip, now: float) -> Reply | None:
    """Make the caller's own text the reply; None if it is not the JSON that the request asks for."""
    data = None
    if trip.request.structure is not None:
        try:
            data = json.loads(text)
        except ValueError:
            return None
    plan = trip.plan or Plan((), (), "default")
    reply = _reply(trip, now, text, data, _NOBODY, _NOTHING_USED, plan, cached=False, saved=0)
    return _at_own_cost(reply._replace(degraded=Degraded.DEFAULT), trip)


def joined(reply: Reply, trip: Trip, now: float) -> Reply:
    """Make another request's reply the reply to one that asked the same meanwhile; `now` is monotonic."""
    return reply._replace(
        request_id=trip.request.id,
        data=deepcopy(reply.data),
        cost=0,
        estimated=False,
        cached=True,
        latency=now - trip.started,
        first_token=None,
        attempts=(),
        saved=reply.cost,
    )


def joined_refusal(error: RequestFailed, trip: Trip) -> RequestFailed:
    """Make another request's failure that of one that asked the same; its attempts tell why, and cost this one nothing."""
    attempts = [
        attempt._replace(outcome=attempt.outcome._replace(cost=0, estimated=False)) for attempt in error.attempts
    ]
    return RequestFailed(error.code, trip.request.id, error.plan, attempts, bucket=error.bucket, free_at=error.free_at)


def _reply(
    trip: Trip, now: float, text: str, data: Any, target: Target, usage: Usage, plan: Plan, *, cached: bool, saved: int
) -> Reply:
    return Reply(
        request_id=trip.request.id,
        parts=(Text(text),),
        data=data,
        finish=Finish.STOP,
        target=target,
        pool=trip.ask.pool,
        usage=usage,
        cost=0,
        estimated=False,
        cached=cached,
        latency=now - trip.started,
        first_token=None,
        attempts=(),
        plan=plan,
        saved=saved,
        cache_key=trip.cache_key,
    )


def _at_own_cost(reply: Reply, trip: Trip) -> Reply:
    """Add what was tried in vain: it may have cost money."""
    attempts: list[Attempt] = trip.attempts
    return reply._replace(
        cost=sum(attempt.outcome.cost for attempt in attempts),
        estimated=any(attempt.outcome.estimated for attempt in attempts),
        attempts=tuple(attempts),
    )
