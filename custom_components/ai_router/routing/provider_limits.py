"""The limits of all providers: those the household has set, and those the providers tell of themselves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .config import ProviderConfig
from .fleet import requests_key, slots_key, tokens_key, told_key
from .limits import Bucket, Limit, LimitStatus, SlidingWindow, Slots, TokenBucket
from .model import RateWindow, Target
from .ports import Clock
from .tickets import BucketKey, Ticket, Unit, Window
from .told import Told

_MINUTE = 60.0
_HOUR = 3_600.0
_UNITS = {
    "requests": Unit.REQUESTS,
    "requests-day": Unit.REQUESTS,
    "tokens": Unit.TOKENS,
    "tokens-minute": Unit.TOKENS,
    "input-tokens": Unit.INPUT_TOKENS,
    "output-tokens": Unit.OUTPUT_TOKENS,
}


class ProviderLimits:
    """Keeps the limits among the buckets of an admission."""

    def __init__(self, clock: Clock, buckets: dict[BucketKey, Bucket]) -> None:
        """Begin without limits."""
        self._clock = clock
        self._buckets = buckets
        self._told: dict[Target, list[BucketKey]] = {}
        self._rates: dict[str, tuple[RateWindow, ...]] = {}
        self._providers: Mapping[str, ProviderConfig] = {}

    # --- what the household has set ------------------------------------------------------------------

    def apply(self, providers: Mapping[str, ProviderConfig]) -> None:
        """Take new limits; forget what was told of targets that are gone."""
        self._providers = providers
        targets = {Target(each.id, model.id) for each in providers.values() for model in each.models}
        for gone in self._told.keys() - targets:
            self._forget(gone)
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

    def slots(self, provider_id: str) -> Slots:
        """Return the slots of a provider: what is under way."""
        key = slots_key(provider_id)
        bucket = self._buckets.get(key)
        if not isinstance(bucket, Slots):
            bucket = self._buckets[key] = Slots(self._clock)
        return bucket

    def restore_requests(self, provider_id: str, started: Sequence[float]) -> None:
        """Set a provider's requests of the last hour (wall clock)."""
        now = self._clock.now()
        ages = [max(0.0, now - when) for when in started]
        self.requests(provider_id, Window.HOUR).restore(ages)
        self.requests(provider_id).restore([age for age in ages if age < _MINUTE])

    # --- what the providers tell ---------------------------------------------------------------------

    def hear(self, ticket: Ticket, rates: tuple[RateWindow, ...], under_way: Iterable[Ticket]) -> None:
        """Take what came with a provider's answer to an attempt. `under_way` are all attempts that are not settled."""
        ticket.heard = True
        target = ticket.target
        if not rates or target.provider_id not in self._providers:
            return
        self._rates[target.provider_id] = rates
        ahead = [other for other in under_way if other.target == target and not other.heard]
        for window in rates:
            unit = _UNITS.get(window.name)
            if unit is None:
                continue
            key = told_key(target, unit)
            least = int(unit is Unit.REQUESTS)
            self._told_bucket(target, key).hear(window, sum(other.takes.get(key, least) for other in ahead))

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
        return {key: tokens if key.unit is Unit.TOKENS else 1 for key in self._told.get(target, ())}

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
        return bool(found)

    def forget(self, provider_id: str) -> None:
        """Forget what a provider told, and its requests of the last minute: it is another one now."""
        self._rates.pop(provider_id, None)
        for target in [target for target in self._told if target.provider_id == provider_id]:
            self._forget(target)
        self.requests(provider_id).reset()
