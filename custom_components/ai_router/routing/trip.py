"""One request on its way: what was tried, what was learned, how much time is left."""

from collections.abc import Callable

from .attempt import Trial
from .config import RouterConfig
from .failures import MEANING, Failure, FailureScope
from .fleet import Lane
from .model import Target
from .offers import Ask, Offer
from .outcome import Attempt, Reply
from .planner import NO_HINDSIGHT, Hindsight
from .plans import Plan
from .ports import Entry
from .refusals import RefusalCode, RequestFailed
from .request import Request
from .tickets import BucketKey
from .waiting_room import Place

_WIDE = (FailureScope.PROVIDER, FailureScope.ACCOUNT)


class Trip:
    """The working memory of one request. Times are monotonic seconds."""

    __slots__ = (
        "_context_over",
        "_failed",
        "_retries",
        "ask",
        "attempts",
        "cache_key",
        "committed",
        "config",
        "deadline",
        "entry",
        "leads",
        "left_alone",
        "others_left",
        "place",
        "plan",
        "reply",
        "started",
        "trial",
        "unpaid_only",
    )

    def __init__(self, ask: Ask, config: RouterConfig, now: float) -> None:
        """Start the clock (monotonic seconds)."""
        self.ask = ask
        self.config = config
        self.started = now
        timeout = self.ask.bounds.timeout
        self.deadline = float("inf") if timeout is None else now + timeout
        self.attempts: list[Attempt] = []
        self.committed = False
        self.plan: Plan | None = None
        self.reply: Reply | None = None
        self.trial: Trial | None = None
        self.entry: Entry | None = None
        self.unpaid_only = False
        self.others_left = False
        self.place: Place | None = None
        self.leads = False
        # Called when an attempt has to end while nobody waits for it: only a stream can be left like that.
        self.left_alone: Callable[[], None] | None = None
        # Under which its answer may be kept, or another's found.
        self.cache_key: str | None = None
        self._failed: dict[Target, Failure] = {}
        self._context_over: int | None = None
        self._retries = 0

    @property
    def request(self) -> Request:
        """The request itself."""
        return self.ask.request

    def follow(self, ask: Ask, config: RouterConfig) -> None:
        """Go on under a changed configuration. The deadline stays; what was set up anew meanwhile is as if untried."""
        before, now = self.config.providers, config.providers
        self.ask = ask
        self.config = config
        for target in tuple(self._failed):
            old, new = before.get(target.provider_id), now.get(target.provider_id)
            if old is None or new is None:
                continue
            if old.credential != new.credential or target.model_id in new.changed_models(old):
                del self._failed[target]

    @property
    def hindsight(self) -> Hindsight:
        """What the planner should know of the attempts so far."""
        if not self.attempts and not self.unpaid_only:
            return NO_HINDSIGHT
        down = frozenset(target.provider_id for target, failure in self._failed.items() if failure.scope in _WIDE)
        spent = sum(attempt.outcome.cost for attempt in self.attempts)
        return Hindsight(self._failed, down, self._context_over, self.unpaid_only, spent)

    def note(self, lane: Lane, failure: Failure) -> None:
        """Remember that a target failed."""
        self._failed[lane.target] = failure
        if MEANING[failure.cls].better and lane.model.context is not None:
            self._context_over = max(lane.model.context, self._context_over or 0)

    def may_try(self) -> bool:
        """Say whether an untried target may still be tried: only the caller's own bound ends that."""
        limit = self.ask.bounds.attempts
        return limit is None or len(self.attempts) < limit

    def retryable(self) -> list[Target]:
        """Return the targets that may be tried once more, now that no other is left."""
        if not self.may_try() or len(self.attempts) >= self.config.attempts:
            return []
        return [
            target
            for target, failure in self._failed.items()
            if MEANING[failure.cls].again and self.may_ask(target.provider_id)
        ]

    def may_take(self, offer: Offer, now: float) -> bool:
        """Say whether one more attempt may go this way: its pool may allow fewer of them, or less time, than the request."""
        bounds = offer.fit.bounds
        if bounds.timeout is not None and now >= self.started + bounds.timeout:
            return False
        return (bounds.attempts is None or len(self.attempts) < bounds.attempts) and self.may_ask(
            offer.lane.provider.id
        )

    def may_ask(self, provider_id: str) -> bool:
        """Say whether a provider may be asked once more: the household may allow it only so many attempts."""
        provider = self.config.providers.get(provider_id)
        if provider is None or provider.attempts is None:
            return True
        return sum(attempt.target.provider_id == provider_id for attempt in self.attempts) < provider.attempts

    def backoff(self, target: Target, chance: float) -> float:
        """Return how long to wait before the next retry (seconds). `chance` is a random number from 0 to 1."""
        self._retries += 1
        provider = self.config.providers.get(target.provider_id)
        backoff = self.config.backoff if provider is None or provider.backoff is None else provider.backoff
        return backoff.delay(self._retries, chance)

    def retry(self, target: Target) -> None:
        """Let a target be tried once more."""
        self._failed.pop(target, None)

    def refuse(
        self, code: RefusalCode, *, bucket: BucketKey | None = None, free_at: float | None = None
    ) -> RequestFailed:
        """Make the error that tells the caller what stood in the way."""
        return RequestFailed(code, self.request.id, self.plan, self.attempts, bucket=bucket, free_at=free_at)

    def abort(self) -> None:
        """End the attempt under way."""
        if self.trial is not None:
            self.trial.abort()
