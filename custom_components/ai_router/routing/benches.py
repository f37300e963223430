"""Targets and providers set aside for a known reason, until time or a person mends it."""

from typing import NamedTuple

from .failures import MEANING, Failure, FailureClass, FailureScope
from .model import Capability, Target

_HOUR = 3_600.0
# How long without a told end, and at the most with one (seconds). None: until a person mends it.
_DEFAULT: dict[FailureClass, float | None] = {
    FailureClass.CREDENTIAL: None,
    # What is believed to stay in the house and does not: nothing more goes there until a person has looked.
    FailureClass.NOT_LOCAL: None,
    FailureClass.BILLING: _HOUR,
    FailureClass.REGION: _HOUR,
    FailureClass.MODEL_MISSING: 600.0,
    FailureClass.QUOTA: _HOUR,
    FailureClass.RATE_LIMIT: 10.0,
    FailureClass.OVERLOADED: 0.0,
}
_LONGEST: dict[FailureClass, float] = {FailureClass.RATE_LIMIT: _HOUR, FailureClass.OVERLOADED: 300.0}
_BLIND = 24 * _HOUR
_LONGEST_OTHER = 32 * 24 * _HOUR

_PLAIN = Capability.CHAT | Capability.STREAMING

type BenchKey = tuple[str, str | None]


class Bench(NamedTuple):
    """Why and until when (wall clock; None: until mended) something is set aside.

    `unread`: its key could not even be read, so whatever answers was not asked with it.
    """

    cls: FailureClass
    detail: str
    since: float
    until: float | None
    unread: bool = False

    def over(self, now: float) -> bool:
        """Say whether its time is over; a clock that was set back ends it, rather than making it last."""
        return self.until is not None and not self.since <= now < self.until

    @property
    def resting(self) -> bool:
        """Whether it only waits for a time the provider told, rather than for somebody to mend it."""
        return MEANING[self.cls].pause


class Benches:
    """All benches, keyed by provider id and model id (None: the whole provider)."""

    def __init__(self) -> None:
        """Begin with nothing set aside."""
        self._benches: dict[BenchKey, Bench] = {}
        self._blind: dict[Target, float] = {}
        self._unable: dict[Target, set[Capability]] = {}
        # Whose key a check found taken though a call had found it rejected; and of whom the next call found it again.
        self._vouched: set[str] = set()
        self._doubted: set[str] = set()

    def __bool__(self) -> bool:
        """Say whether anything is set aside, or kept from some requests."""
        return bool(self._benches or self._blind or self._unable)

    def note(self, target: Target, failure: Failure, now: float) -> BenchKey | None:
        """Set aside what a failure says; return its key, or None where the failure asks for no bench."""
        meaning = MEANING[failure.cls]
        if not (meaning.bench or meaning.pause):
            return None
        length = _DEFAULT[failure.cls]
        if failure.retry_at is not None:
            length = min(failure.retry_at - now, _LONGEST.get(failure.cls, _LONGEST_OTHER))
        if length is not None and length <= 0:
            return None
        wide = failure.scope in (FailureScope.PROVIDER, FailureScope.ACCOUNT)
        key = (target.provider_id, None if wide else target.model_id)
        if wide and failure.cls is FailureClass.CREDENTIAL and target.provider_id in self._vouched:
            self._doubted.add(target.provider_id)
        before = self._benches.get(key)
        unread = before is not None and before.unread
        self._benches[key] = Bench(failure.cls, failure.detail, now, None if length is None else now + length, unread)
        return key

    def of(self, target: Target, now: float) -> Bench | None:
        """Return what keeps a target aside, if anything does."""
        for key in ((target.provider_id, None), (target.provider_id, target.model_id)):
            bench = self._benches.get(key)
            if bench is not None:
                if not bench.over(now):
                    return bench
                del self._benches[key]
        return None

    def of_provider(self, provider_id: str, now: float) -> dict[str | None, Bench]:
        """Return a provider's benches by model id (None: the whole provider)."""
        return {
            model_id: bench
            for (owner, model_id), bench in self._benches.items()
            if owner == provider_id and not bench.over(now)
        }

    def rejected(self, provider_id: str) -> Bench | None:
        """Return what says that a provider's key is rejected, if anything does."""
        bench = self._benches.get((provider_id, None))
        return bench if bench is not None and bench.cls is FailureClass.CREDENTIAL else None

    def key_taken(self, provider_id: str, rejected: Bench | None) -> bool:
        """End what said that a key is rejected when a check with it began; say whether that is over now.

        A free check proves a key, and nothing else: it meets neither an empty account nor a region. Where a call found
        the key rejected once more, the server checks it only there: then no check is believed until a call is answered.
        """
        if rejected is None or rejected.unread or provider_id in self._doubted:
            return False
        if self.rejected(provider_id) is not rejected:
            return False
        self.end((provider_id, None))
        self._vouched.add(provider_id)
        return True

    def believe_checks(self, provider_id: str) -> None:
        """Note that a call was answered, or that a check itself met a rejected key."""
        if self._vouched:
            self._vouched.discard(provider_id)
            self._doubted.discard(provider_id)

    def mend(self, provider_id: str) -> list[BenchKey]:
        """End all benches of a provider; return their keys."""
        self.believe_checks(provider_id)
        ended = [key for key in self._benches if key[0] == provider_id]
        for key in ended:
            del self._benches[key]
        self._blind = {target: until for target, until in self._blind.items() if target.provider_id != provider_id}
        self._unable = {target: what for target, what in self._unable.items() if target.provider_id != provider_id}
        return ended

    def mend_model(self, target: Target) -> bool:
        """End what is known of one model alone; say whether it was set aside."""
        self._blind.pop(target, None)
        self._unable.pop(target, None)
        return self._benches.pop((target.provider_id, target.model_id), None) is not None

    def end(self, key: BenchKey) -> None:
        """End one bench."""
        self._benches.pop(key, None)

    def all(self) -> dict[BenchKey, Bench]:
        """Return everything that is set aside, to be kept over a restart."""
        return dict(self._benches)

    def restore(self, key: BenchKey, bench: Bench) -> None:
        """Set aside again what was before a restart."""
        self._benches[key] = bench

    def blind(self, target: Target, now: float) -> None:
        """Note that a target drops pictures: for a day, or until its provider is mended, it is shown none."""
        self._blind[target] = now + _BLIND

    def is_blind(self, target: Target, now: float) -> bool:
        """Say whether a target was found to drop pictures."""
        return self._blind.get(target, 0.0) > now

    def unable(self, target: Target, needs: Capability) -> None:
        """Note that a target's server refused what needs all this: until a restart, or its provider is mended.

        Which of several it cannot do, nobody told: only requests that need them all again are kept from it.
        """
        if needs := needs & ~_PLAIN:
            self._unable.setdefault(target, set()).add(needs)

    def is_unable(self, target: Target, needs: Capability) -> bool:
        """Say whether a target is known to refuse a request with these needs."""
        return any(what in needs for what in self._unable.get(target, ()))
