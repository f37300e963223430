"""Targets and providers set aside for a known reason, until time or a person mends it."""

from dataclasses import dataclass

from .failures import MEANING, Failure, FailureClass, FailureScope
from .model import Target

_HOUR = 3_600.0
# How long without a told end, and at the most with one (seconds). None: until a person mends it.
_DEFAULT: dict[FailureClass, float | None] = {
    FailureClass.CREDENTIAL: None,
    FailureClass.BILLING: _HOUR,
    FailureClass.REGION: _HOUR,
    FailureClass.MODEL_MISSING: 600.0,
    FailureClass.QUOTA: _HOUR,
    FailureClass.RATE_LIMIT: 10.0,
    FailureClass.OVERLOADED: 0.0,
}
_LONGEST: dict[FailureClass, float] = {FailureClass.RATE_LIMIT: _HOUR, FailureClass.OVERLOADED: 300.0}
_LONGEST_OTHER = 32 * 24 * _HOUR

type BenchKey = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Bench:
    """Why and until when (wall clock; None: until mended) something is set aside."""

    cls: FailureClass
    detail: str
    since: float
    until: float | None

    @property
    def resting(self) -> bool:
        """Whether it only waits for a time the provider told, rather than for somebody to mend it."""
        return MEANING[self.cls].pause


class Benches:
    """All benches, keyed by provider id and model id (None: the whole provider)."""

    def __init__(self) -> None:
        """Begin with nothing set aside."""
        self._benches: dict[BenchKey, Bench] = {}

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
        self._benches[key] = Bench(failure.cls, failure.detail, now, None if length is None else now + length)
        return key

    def of(self, target: Target, now: float) -> Bench | None:
        """Return what keeps a target aside, if anything does."""
        if not self._benches:
            return None
        for key in ((target.provider_id, None), (target.provider_id, target.model_id)):
            bench = self._benches.get(key)
            if bench is not None:
                if bench.until is None or now < bench.until:
                    return bench
                del self._benches[key]
        return None

    def of_provider(self, provider_id: str, now: float) -> dict[str | None, Bench]:
        """Return a provider's benches by model id (None: the whole provider)."""
        return {
            model_id: bench
            for (owner, model_id), bench in self._benches.items()
            if owner == provider_id and (bench.until is None or now < bench.until)
        }

    def mend(self, provider_id: str) -> list[BenchKey]:
        """End all benches of a provider; return their keys."""
        ended = [key for key in self._benches if key[0] == provider_id]
        for key in ended:
            del self._benches[key]
        return ended

    def all(self) -> dict[BenchKey, Bench]:
        """Return everything that is set aside, to be kept over a restart."""
        return dict(self._benches)

    def restore(self, key: BenchKey, bench: Bench) -> None:
        """Set aside again what was before a restart."""
        self._benches[key] = bench
