"""From the core's replies and refusals to what an action returns: plain data."""

from collections.abc import Callable
from typing import Any

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .routing.call import Usage
from .routing.fleet import target_of
from .routing.model import Target
from .routing.money import Picodollars, to_dollars
from .routing.outcome import Attempt, Reply
from .routing.plans import LeftOut, Plan
from .routing.refusals import RequestFailed
from .routing.tickets import BucketKey, Scope
from .wording import Wording

_OK = "ok"

type Names = Callable[[str], str]
"""Finds the name of a provider, a pool or a rule by its id."""


def money(amount: Picodollars) -> float:
    """Return an amount as a number of dollars, as templates want it."""
    return float(to_dollars(amount))


def _cost(amount: Picodollars, *, estimated: bool) -> dict[str, Any]:
    return {"amount": money(amount), "currency": "USD", "estimated": estimated}


def milliseconds(seconds: float | None) -> int | None:
    """Return a time in milliseconds."""
    return None if seconds is None else round(seconds * 1000)


def _usage(usage: Usage, images: int) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cache_read,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_out,
        "images": images,
    }


def _target(target: Target, names: Names) -> dict[str, str | None]:
    return {"provider": names(target.provider_id), "model": target.model_id or None}


def attempt_data(attempt: Attempt, names: Names) -> dict[str, Any]:
    """Describe one attempt: who was asked, how it ended, what it cost."""
    outcome = attempt.outcome
    failure = outcome.failure
    return {
        **_target(attempt.target, names),
        "outcome": _OK if failure is None else failure.cls.value,
        "detail": None if failure is None else failure.detail or None,
        "cost": _cost(outcome.cost, estimated=outcome.estimated),
        "latency_ms": milliseconds(outcome.latency),
    }


def _bucket(key: BucketKey, names: Names, person: str | None) -> dict[str, str | None]:
    """Name a limit or a budget: whose it is (with the `person`'s name, where it is one's own), what it counts and when."""
    model: str | None = None
    owner: str | None = key.id or None
    if key.scope is Scope.TARGET:
        provider_id, model = target_of(key)
        owner = names(provider_id)
    elif key.scope in (Scope.PROVIDER, Scope.POOL):
        owner = names(key.id)
    named = {"scope": key.scope.value, "owner": owner, "person": person, "model": model}
    return {**named, "unit": key.unit.value, "window": key.window.value}


def _left_out(left_out: LeftOut, names: Names, words: Wording) -> dict[str, Any]:
    free_at = left_out.free_at
    return {
        **_target(left_out.target, names),
        "reason": left_out.why.value,
        "detail": words.left_out(left_out),
        "free_at": None if free_at is None else dt_util.utc_from_timestamp(free_at).isoformat(),
    }


def route_data(plan: Plan, names: Names, words: Wording, chosen: Target | None = None) -> dict[str, Any]:
    """Describe a plan: who was chosen and why, who else could have answered, who could not."""
    reasons = next((each.reasons for each in plan.candidates if chosen in (None, each.target)), ())
    return {
        "strategy": plan.strategy,
        "rule": None if plan.rule is None else names(plan.rule),
        "reason": words.reasons(reasons),
        "confidence": round(plan.confidence, 2),
        "alternatives": [
            f"{names(each.target.provider_id)} / {each.target.model_id}"
            for each in plan.candidates
            if each.target != (chosen or plan.candidates[0].target)
        ],
        "left_out": [_left_out(each, names, words) for each in plan.left_out],
    }


def reply_data(reply: Reply, names: Names, words: Wording, images: int) -> dict[str, Any]:
    """Describe a reply, field by field as the documentation lists it."""
    return {
        "text": reply.text,
        "data": reply.data,
        # A caller's own default text is nobody's answer.
        **(_target(reply.target, names) if reply.target.provider_id else {"provider": None, "model": None}),
        "pool": None if reply.pool is None else names(reply.pool),
        "cached": reply.cached,
        "cache_key": reply.cache_key,
        "degraded": None if reply.degraded is None else reply.degraded.value,
        "trimmed": reply.trimmed,
        "finish_reason": reply.finish.value,
        "request_id": reply.request_id,
        "usage": _usage(reply.usage, images),
        "cost": _cost(reply.cost, estimated=reply.estimated),
        "latency_ms": milliseconds(reply.latency),
        "first_token_ms": milliseconds(reply.first_token),
        "route": route_data(reply.plan, names, words, reply.target),
        "attempts": [attempt_data(attempt, names) for attempt in reply.attempts],
    }


def plan_data(plan: Plan, names: Names, words: Wording, request_id: str) -> dict[str, Any]:
    """Describe a plan that was only asked for: where the request would go, and at what price."""
    return {
        "request_id": request_id,
        "dry_run": True,
        "targets": [
            {
                **_target(each.target, names),
                "reason": words.reasons(each.reasons),
                "input_tokens": each.estimate.input_tokens,
                "output_tokens": each.estimate.output_tokens,
                "estimated_cost": None if each.estimate.cost is None else _cost(each.estimate.cost, estimated=True),
                "hold": _cost(each.hold, estimated=True),
            }
            for each in plan.candidates
        ],
        "left_out": [_left_out(each, names, words) for each in plan.left_out],
    }


def refusal_data(
    error: RequestFailed, exception: HomeAssistantError, names: Names, words: Wording, person: str | None = None
) -> dict[str, Any]:
    """Describe a refusal for callers who asked to get it as data; `person` is whose budget stood in the way, by name."""
    return {
        "error": {
            "code": error.code.value,
            "failure": None if error.failure is None else error.failure.cls.value,
            "message": str(exception),
            "bucket": None if error.bucket is None else _bucket(error.bucket, names, person),
            "free_at": None if error.free_at is None else dt_util.utc_from_timestamp(error.free_at).isoformat(),
        },
        "request_id": error.request_id,
        "cost": _cost(
            sum(attempt.outcome.cost for attempt in error.attempts),
            estimated=any(attempt.outcome.estimated for attempt in error.attempts),
        ),
        "route": None if error.plan is None else route_data(error.plan, names, words),
        "attempts": [attempt_data(attempt, names) for attempt in error.attempts],
    }
