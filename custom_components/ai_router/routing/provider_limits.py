"""The limits of all providers: those the household has set, and those the providers tell of themselves."""

from collections.abc import Iterable, Iterator, Mapping, Set
from math import inf

from .call import RateWindow, Usage
from .config import ProviderConfig
from .fleet import requests_key, slots_key, tokens_key, told_key
from .limits import Bucket, Limit, LimitStatus, SlidingWindow, Slots, TokenBucket
from .model import Target
from .ports import Clock
from .tickets import BucketKey, Scope, Ticket, Unit, Window
from .token_log import TokenLog
from .told import Told

_MINUTE = 60.0
_HOUR = 3_600.0
# A wall clock is too coarse for the last nanoseconds of a wait.
_SHORTEST_WAIT = 0.001
_UNITS = {
    "requests": Unit.REQUESTS,
    "requests-day": Unit.REQUESTS,
    "tokens": Unit.TOKENS,
    "tokens-minute": Unit.TOKENS,
    "input-tokens": Unit.INPUT_TOKENS,
    "output-tokens": Unit.OUTPUT_TOKENS,
}


class _Ahead:
    """What was sent to one target and is not answered yet: how many attempts, and what they take of what it told."""

    __slots__ = ("_attempts", "_known")

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._attempts = 0
        # [attempts that knew of a limit as they were sent, what they take of it]
        self._known: dict[BucketKey, list[int]] = {}

    def __bool__(self) -> bool:
        """Say whether there is anything."""
        return self._attempts > 0

    def count(self, ticket: Ticket, sign: int) -> None:
        """Add an attempt (1), or take it out again (-1)."""
        self._attempts += sign
        for key, amount in ticket.takes.items():
            if key.window is Window.TOLD:
                known = self._known.setdefault(key, [0, 0])
                known[0] += sign
                known[1] += sign * amount

    def of(self, key: BucketKey) -> int:
        """Return what they take of a limit; a request is one, also of a limit that was not known then."""
        attempts, amount = self._known.get(key, (0, 0))
        return amount + (self._attempts - attempts if key.unit is Unit.REQUESTS else 0)


_NOTHING_AHEAD = _Ahead()


class ProviderLimits:
    """Keeps the limits among the buckets of an admission."""

    def __init__(self, clock: Clock, buckets: dict[BucketKey, Bucket]) -> None:
        """Begin without limits."""
        self._clock = clock
        self._buckets = buckets
        self._told: dict[Target, list[BucketKey]] = {}
        self._ahead: dict[Target, _Ahead] = {}
        self._logs: dict[str, TokenLog] = {}
        self._rates: dict[str, tuple[RateWindow, ...]] = {}
        self._providers: Mapping[str, ProviderConfig] = {}

    # --- what the household has set ------------------------------------------------------------------

    def apply(self, providers: Mapping[str, ProviderConfig], busy: Set[str] = frozenset()) -> None:
        """Take new limits; forget those of providers that are gone and not `busy`, and what targets told that are gone."""
        self._providers = providers
        stay = providers.keys() | busy
        limits = (key for key in self._buckets if key.scope is Scope.PROVIDER and key.unit is not Unit.MONEY)
        for key in [key for key in limits if key.id not in stay]:
            del self._buckets[key]
        for gone in self._logs.keys() - stay:
            del self._logs[gone]
        targets = {Target(each.id, model.id) for each in providers.values() for model in each.models}
        for target in self._told.keys() - targets:
            self._forget(target)
        for provider_id in self._rates.keys() - providers.keys():
            del self._rates[provider_id]
        for provider in providers.values():
            self._set(provider)

    def _set(self, provider: ProviderConfig) -> None:
        rate = provider.requests_per_minute
        self.requests(provider.id).limit = rate
        self.requests(provider.id, Window.HOUR).limit = provider.requests_per_hour
        burst = self.requests(provider.id, Window.BURST)
        burst.limit = provider.burst
        if rate and provider.burst:
            burst.seconds = _MINUTE * provider.burst / rate
        self.tokens(provider.id).limit = provider.tokens_per_minute
        self.token_log(provider.id)
        self.slots(provider.id).limit = provider.concurrent

    def requests(self, provider_id: str, window: Window = Window.MINUTE) -> SlidingWindow:
        """Return how many requests a provider got, in a minute, an hour or at once."""
        key = requests_key(provider_id, window)
        bucket = self._buckets.get(key)
        if not isinstance(bucket, SlidingWindow):
            bucket = self._buckets[key] = SlidingWindow(self._clock, _HOUR if window is Window.HOUR else _MINUTE)
        return bucket

    def tokens(self, provider_id: str) -> TokenBucket:
        """Return a provider's tokens per minute."""
        key = tokens_key(provider_id)
        bucket = self._buckets.get(key)
        if not isinstance(bucket, TokenBucket):
            bucket = self._buckets[key] = TokenBucket(self._clock)
        return bucket

    def token_log(self, provider_id: str) -> TokenLog:
        """Return the tokens of a provider's last minute, whether they are limited or not."""
        log = self._logs.get(provider_id)
        if log is None:
            log = self._logs[provider_id] = TokenLog(self._clock, _MINUTE)
        return log

    def slots(self, provider_id: str) -> Slots:
        """Return the slots of a provider: what is under way."""
        key = slots_key(provider_id)
        bucket = self._buckets.get(key)
        if not isinstance(bucket, Slots):
            bucket = self._buckets[key] = Slots(self._clock)
        return bucket

    def restore(self, provider_id: str, used: Iterable[tuple[float, int]]) -> None:
        """Set a provider's attempts of the last hour, the oldest first: when each began (wall clock), and its tokens."""
        now = self._clock.now()
        ages = [(max(0.0, now - when), tokens) for when, tokens in used]
        for window in (Window.HOUR, Window.MINUTE, Window.BURST):
            requests = self.requests(provider_id, window)
            requests.restore([age for age, _ in ages if age < requests.seconds])
        self.tokens(provider_id).restore(ages)
        self.token_log(provider_id).restore(ages)

    # --- what the providers tell ---------------------------------------------------------------------

    def sent(self, ticket: Ticket) -> None:
        """Count an attempt that is granted; `settled` must follow."""
        log = self._logs.get(ticket.target.provider_id)
        if log is not None:
            ticket.place = log.take(ticket.tokens)
        self._ahead.setdefault(ticket.target, _Ahead()).count(ticket, 1)

    def answered(self, ticket: Ticket) -> None:
        """Note that a provider has begun to answer an attempt, or never will: once or more often."""
        if ticket.heard:
            return
        ticket.heard = True
        ahead = self._ahead[ticket.target]
        ahead.count(ticket, -1)
        if not ahead:
            del self._ahead[ticket.target]

    def settled(self, ticket: Ticket, usage: Usage | None) -> None:
        """Note that an attempt has ended. Tokens that nobody told of count nothing, as in the ledger."""
        self.answered(ticket)
        log = self._logs.get(ticket.target.provider_id)
        if log is not None:
            used = 0 if usage is None else usage.input_tokens + usage.output_tokens
            log.settle(ticket.place, ticket.tokens, used)

    def hear(self, ticket: Ticket, rates: tuple[RateWindow, ...]) -> None:
        """Take what came with a provider's answer to an attempt."""
        self.answered(ticket)
        target = ticket.target
        if not rates or target.provider_id not in self._providers:
            return
        self._rates[target.provider_id] = rates
        ahead = self._ahead.get(target, _NOTHING_AHEAD)
        for window in rates:
            unit = _UNITS.get(window.name)
            if unit is not None:
                key = told_key(target, unit)
                self._told_bucket(target, key).hear(window, ahead.of(key))

    def _told_bucket(self, target: Target, key: BucketKey) -> Told:
        bucket = self._buckets.get(key)
        if not isinstance(bucket, Told):
            bucket = self._buckets[key] = Told(self._clock)
            self._told.setdefault(target, []).append(key)
        return bucket

    def takes(self, target: Target, tokens: int) -> dict[BucketKey, int]:
        """Say what an attempt takes of what its provider has told; empty where that has told nothing.

        Tokens in and out, where they are told apart, only have to be left at all: how an answer divides is not known.
        """
        keys = self._told.get(target)
        return {} if keys is None else {key: tokens if key.unit is Unit.TOKENS else 1 for key in keys}

    def one_more(self, ticket: Ticket) -> float:
        """Count one more request of an attempt that takes several, such as a batch of texts in portions.

        Returns how long (seconds) it has to wait before it is counted and may be sent: 0 for not at all.
        """
        told = self.takes(ticket.target, 0)
        keys = [key for key in {**ticket.takes, **told} if key.unit is Unit.REQUESTS]
        buckets = {key: bucket for key in keys if (bucket := self._buckets.get(key)) is not None}
        waits = [_wait(bucket.free_at(1), self._clock.now()) for bucket in buckets.values() if bucket.refuses(1)]
        if waits:
            return max(waits)
        for bucket in buckets.values():
            bucket.take(1)
        more = {key: ticket.takes[key] + 1 for key in buckets if key in ticket.takes}
        ticket.takes = {**ticket.takes, **more}
        return 0.0

    def rates(self, provider_id: str) -> tuple[RateWindow, ...]:
        """Return what a provider's last answer told of its limits."""
        return self._rates.get(provider_id, ())

    def _forget(self, target: Target) -> None:
        for key in self._told.pop(target, ()):
            del self._buckets[key]

    # --- how they stand ------------------------------------------------------------------------------

    def _of(self, provider_id: str) -> Iterator[tuple[BucketKey, Limit]]:
        provider = self._providers[provider_id]
        keys = [requests_key(provider_id, window) for window in (Window.MINUTE, Window.HOUR, Window.BURST)]
        keys += [tokens_key(provider_id), slots_key(provider_id)]
        for model in provider.models:
            keys += self._told.get(Target(provider_id, model.id), ())
        for key in keys:
            bucket = self._buckets[key]
            if isinstance(bucket, (SlidingWindow, TokenBucket, Slots, Told)):
                yield key, bucket

    def status(self, provider_id: str) -> list[LimitStatus]:
        """Return how a provider's limits stand. Raises `KeyError` for one that is not there."""
        stands = (limit.status(key) for key, limit in self._of(provider_id))
        return [status for status in stands if status is not None]

    def reset(self, provider_id: str, key: BucketKey | None = None) -> bool:
        """Let one of a provider's limits begin anew, or all; return whether there is such a one.

        Raises `KeyError` for a provider that is not there.
        """
        found = [limit for each, limit in self._of(provider_id) if key in (None, each)]
        for limit in found:
            limit.reset()
        if key in (None, tokens_key(provider_id)):
            self.token_log(provider_id).reset()
        return bool(found)

    def forget(self, provider_id: str) -> None:
        """Forget what a provider told, and its requests and tokens of the last minute: it is another one now."""
        self._rates.pop(provider_id, None)
        for target in [target for target in self._told if target.provider_id == provider_id]:
            self._forget(target)
        self.requests(provider_id).reset()
        self.token_log(provider_id).reset()


def _wait(free_at: float | None, now: float) -> float:
    return inf if free_at is None else max(free_at - now, _SHORTEST_WAIT)
