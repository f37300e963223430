"""Why a whole request could not be answered: what the caller gets instead of a reply."""

from collections.abc import Sequence
from enum import StrEnum

from .failures import Failure
from .outcome import Attempt
from .plans import Plan, Why
from .tickets import BucketKey


class RefusalCode(StrEnum):
    """What stood in the way; each has a sentence in the translations."""

    NO_PROVIDER = "no_provider"
    NOT_ALLOWED = "not_allowed"
    UNKNOWN_POOL = "unknown_pool"
    UNKNOWN_STRATEGY = "unknown_strategy"
    UNREADABLE_TEXT = "unreadable_text"
    EMPTY_POOL = "empty_pool"
    NO_CAPABLE_TARGET = "no_capable_target"
    TOO_EXPENSIVE = "too_expensive"
    OVER_BUDGET = "over_budget"
    LIMITED = "limited"
    ALL_DOWN = "all_down"
    ALL_FAILED = "all_failed"
    REJECTED = "rejected"
    DEADLINE = "deadline"
    STREAM_BROKEN = "stream_broken"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    NOT_CACHED = "not_cached"
    STOPPING = "stopping"


_WAITS = frozenset({Why.KIND_UNKNOWN, Why.UNUSABLE})


def for_good(plan: Plan, *, within: str | None) -> RefusalCode:
    """Say why a request that no time helps goes nowhere; `within` is the pool out of which a rule must not lead it."""
    causes = {each.why for each in plan.causes}
    if causes & _WAITS:
        return RefusalCode.ALL_DOWN
    if causes == {Why.TOO_EXPENSIVE}:
        return RefusalCode.TOO_EXPENSIVE
    # Its members would each have a reason of their own.
    if plan.pool is not None and within is None and all(each.why is Why.NOT_IN_POOL for each in plan.left_out):
        return RefusalCode.EMPTY_POOL
    return RefusalCode.NO_CAPABLE_TARGET


class RequestFailed(Exception):
    """Raised instead of a reply. Carries the plan and every attempt, so that the caller can be told what happened."""

    def __init__(
        self,
        code: RefusalCode,
        request_id: str,
        plan: Plan | None = None,
        attempts: Sequence[Attempt] = (),
        *,
        bucket: BucketKey | None = None,
        free_at: float | None = None,
    ) -> None:
        """Name what stood in the way; `free_at` (wall clock) is when it may be gone."""
        super().__init__(code.value)
        self.code = code
        self.request_id = request_id
        self.plan = plan
        self.attempts = tuple(attempts)
        self.bucket = bucket
        self.free_at = free_at

    @property
    def failure(self) -> Failure | None:
        """Return why the last attempt failed, if there was one."""
        return self.attempts[-1].outcome.failure if self.attempts else None
