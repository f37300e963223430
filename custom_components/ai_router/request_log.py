"""One record in the log for every request: who answered, what was tried, what it cost. Never what was asked or said.

The records are JSON at the level INFO of the logger `custom_components.ai_router.requests`, which Home Assistant does
not show unless the household asks for it:

    logger:
      logs:
        custom_components.ai_router.requests: info
"""

import json
import logging
from typing import Any

from .answers import Names, milliseconds, money
from .const import DOMAIN
from .routing.ports import RequestEnded

LOGGER = logging.getLogger(f"custom_components.{DOMAIN}.requests")


def log_request(event: RequestEnded, names: Names) -> None:
    """Write the record of a request that has ended, if anybody listens."""
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info("%s", json.dumps(record(event, names), ensure_ascii=False))


def record(event: RequestEnded, names: Names) -> dict[str, Any]:
    """Describe a request that has ended. Money in USD."""
    request, reply = event.request, event.reply
    usage = None if reply is None else reply.usage
    return {
        "request_id": request.id,
        "kind": request.op.value,
        "source": request.caller.source,
        "user_id": request.caller.user_id,
        "context_id": request.caller.context_id,
        "label": request.label,
        "local_only": request.local_only,
        "outcome": "ok" if event.failure is None else event.failure,
        "provider": None if reply is None else names(reply.target.provider_id),
        "model": None if reply is None else reply.target.model_id,
        "pool": None if reply is None else reply.pool,
        "strategy": None if reply is None else reply.plan.strategy,
        "rule": None if reply is None else reply.plan.rule,
        "cached": reply is not None and reply.cached,
        "cost": money(sum(attempt.outcome.cost for attempt in event.attempts)),
        "estimated": any(attempt.outcome.estimated for attempt in event.attempts),
        "input_tokens": None if usage is None else usage.input_tokens,
        "output_tokens": None if usage is None else usage.output_tokens,
        "latency_ms": milliseconds(event.latency),
        "first_token_ms": None if reply is None else milliseconds(reply.first_token),
        "attempts": [
            {
                "provider": names(attempt.target.provider_id),
                "model": attempt.target.model_id,
                "outcome": "ok" if (failure := attempt.outcome.failure) is None else failure.cls.value,
                "phase": None if failure is None else failure.phase.value,
                "latency_ms": milliseconds(attempt.outcome.latency),
            }
            for attempt in event.attempts
        ],
    }
