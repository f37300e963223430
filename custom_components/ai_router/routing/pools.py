"""Which targets a request may go to: pools with their fallbacks, and what each target must be able and allowed to do.

A pool tightens what holds before it, for itself and for every pool that is asked in its stead. A pool is met once on a
way, so cyclic fallbacks end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from .config import PoolConfig, ProviderConfig, WaitingProvider
from .fleet import Fleet, Lane
from .model import Capability, Model, Target
from .offers import Ask
from .plans import LeftOut, Why
from .request import NO_BOUNDS, Bounds, Pins

_MISSING: tuple[tuple[Capability, Why], ...] = (
    (Capability.CHAT, Why.NO_CHAT),
    (Capability.VISION, Why.NO_VISION),
    (Capability.TOOLS, Why.NO_TOOLS),
    (Capability.STRUCTURED, Why.NO_STRUCTURE),
    (Capability.EMBEDDINGS, Why.NO_EMBEDDINGS),
    (Capability.STREAMING, Why.NO_STREAMING),
)
_MEMO_SIZE = 256


class Terms(NamedTuple):
    """What a pool, or several one after another, ask of everything that is sent through them."""

    local_only: bool = False
    bounds: Bounds = NO_BOUNDS

    def tighten(self, pool: PoolConfig) -> Terms:
        """Return the terms that hold in this pool too."""
        bounds = self.bounds if pool.bounds == NO_BOUNDS else self.bounds.tighten(pool.bounds)
        return Terms(self.local_only or pool.local_only, bounds)


NO_TERMS = Terms()


class Stop(NamedTuple):
    """One pool on the way of a request (None: all providers), with all that was asked up to here.

    `at_cap` says that the pool asked first has used up its budget and nobody cheaper was named.
    """

    pool: PoolConfig | None
    terms: Terms
    seen: frozenset[str] = frozenset()
    at_cap: bool = False


class Lanes(NamedTuple):
    """Those of a stop's lanes that may ever take a request, whatever the time, and why the others may not."""

    able: tuple[Lane, ...]
    unable: tuple[LeftOut, ...]


class _Kind(NamedTuple):
    """What decides which lanes are able: equal for many requests."""

    pool: str | None
    first: bool
    local_only: bool
    needs: Capability
    pins: Pins
    within: str | None
    providers: tuple[str, ...]
    user: str | None


class Pools:
    """Leads requests through the pools of one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        """Lead through these; what does not depend on time is worked out once per kind of request."""
        self._fleet = fleet
        self._pools = fleet.config.pools
        self._memo: dict[_Kind, Lanes] = {}
        self._reach: dict[str, Mapping[Target, Terms]] = {}

    def first(self, ask: Ask) -> Stop:
        """Return where a request begins."""
        return _enter(None if ask.pool is None else self._pools.get(ask.pool), NO_TERMS, frozenset())

    def after(self, stop: Stop, *, at_cap: bool) -> Stop | None:
        """Return the pool that is asked in a pool's stead; `at_cap`: because its budget is used up."""
        if stop.pool is None:
            return None
        instead = self._next(stop.pool.at_cap, stop) if at_cap else None
        if instead is not None:
            return instead
        fallback = self._next(stop.pool.fallback, stop)
        return fallback if fallback is None or not at_cap else fallback._replace(at_cap=True)

    def _next(self, pool_id: str | None, stop: Stop) -> Stop | None:
        pool = None if pool_id is None or pool_id in stop.seen else self._pools.get(pool_id)
        return None if pool is None else _enter(pool, stop.terms, stop.seen)._replace(at_cap=stop.at_cap)

    def lanes(self, stop: Stop, ask: Ask) -> Lanes:
        """Return which of a stop's lanes may take a request."""
        request = ask.request
        pool_id = None if stop.pool is None else stop.pool.id
        user = request.caller.user_id
        kind = _Kind(
            pool_id,
            len(stop.seen) <= 1,
            ask.local_only or stop.terms.local_only,
            ask.needs,
            request.pins,
            ask.within,
            ask.providers,
            # Whom nobody names, all providers treat alike.
            user if user is None or user in self._fleet.named_users else "",
        )
        found = self._memo.get(kind)
        if found is None:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            found = self._memo[kind] = self._sort_out(kind)
        return found

    def able(self, ask: Ask) -> Iterable[Target]:
        """Name the targets that may take a request at any stop that it can come to."""
        able: dict[Target, None] = {}
        ways = [self.first(ask)]
        met = set()
        for stop in ways:
            able.update((lane.target, None) for lane in self.lanes(stop, ask).able)
            for at_cap in (False, True):
                follower = self.after(stop, at_cap=at_cap)
                if follower is not None and follower.pool is not None and (follower.pool.id, follower.terms) not in met:
                    met.add((follower.pool.id, follower.terms))
                    ways.append(follower)
        return able

    def bounds(self, stop: Stop, ask: Ask) -> Callable[[Target], Bounds]:
        """Return what tells within which bounds a request goes to a target at this stop."""
        bounds = ask.bounds if stop.terms.bounds is NO_BOUNDS else ask.bounds.tighten(stop.terms.bounds)
        if ask.within is None:
            return lambda _: bounds
        reach = self.reach(ask.within)
        return lambda target: bounds.tighten(reach[target].bounds)

    def reach(self, pool_id: str) -> Mapping[Target, Terms]:
        """Return every target that a pool may lead to, itself or instead of itself, with the terms on the nearest way."""
        found = self._reach.get(pool_id)
        if found is None:
            reach: dict[Target, Terms] = {}
            ways = [(pool_id, NO_TERMS)]
            seen = {pool_id}
            for each, terms in ways:
                pool = self._pools.get(each)
                if pool is None:
                    continue
                own = terms.tighten(pool)
                for lane in self._fleet.pools[each]:
                    reach.setdefault(lane.target, own)
                for _, _, target in self._fleet.waiting:
                    if pool.has(target):
                        reach.setdefault(target, own)
                for follower in (pool.fallback, pool.at_cap):
                    if follower is not None and follower not in seen:
                        seen.add(follower)
                        ways.append((follower, own))
            found = self._reach[pool_id] = reach
        return found

    def _sort_out(self, kind: _Kind) -> Lanes:
        within = None if kind.within is None else self.reach(kind.within)
        able: list[Lane] = []
        unable: list[LeftOut] = []
        for lane in self._fleet.lanes if kind.pool is None else self._fleet.pools[kind.pool]:
            terms = NO_TERMS if within is None else within.get(lane.target)
            why: Why | None = Why.NOT_IN_POOL
            if terms is not None:
                why = _why_not(lane.provider, lane.model, kind, local_only=terms.local_only)
            if why is None:
                able.append(lane)
            else:
                unable.append(LeftOut(lane.target, why))
        unable += self._waiting(kind, within)
        if kind.pool is not None and kind.first:
            reach = self.reach(kind.pool)
            unable += (LeftOut(lane.target, Why.NOT_IN_POOL) for lane in self._fleet if lane.target not in reach)
        return Lanes(tuple(able), tuple(unable))

    def _waiting(self, kind: _Kind, within: Mapping[Target, Terms] | None) -> Iterator[LeftOut]:
        """Name what would be among the lanes if its provider did not wait."""
        for provider, model, target in self._fleet.waiting:
            if kind.pool is None or self._pools[kind.pool].has(target):
                terms = NO_TERMS if within is None else within.get(target)
                if terms is None:
                    yield LeftOut(target, Why.NOT_IN_POOL)
                else:
                    why = _why_not(provider, model, kind, local_only=terms.local_only)
                    yield LeftOut(target, why or provider.why)


def _enter(pool: PoolConfig | None, terms: Terms, seen: frozenset[str]) -> Stop:
    return Stop(None, terms, seen) if pool is None else Stop(pool, terms.tighten(pool), seen | {pool.id})


def _why_not(provider: ProviderConfig | WaitingProvider, model: Model, kind: _Kind, *, local_only: bool) -> Why | None:
    """Say why a target can never take such a request, whatever the time; `local_only` is what its way asks besides."""
    pins = kind.pins
    # First what the request itself does not mean: that is never what stands in its way.
    if provider.id in pins.exclude:
        return Why.EXCLUDED
    if (
        (pins.providers and provider.id not in pins.providers)
        or (pins.models and pins.model_place(model.id) is None)
        or (pins.targets and (provider.id, model.id) not in pins.targets)
    ):
        return Why.NOT_ASKED_FOR
    if not provider.enabled:
        return Why.DISABLED
    if provider.users is not None and kind.user is not None and kind.user not in provider.users:
        return Why.NOT_ALLOWED
    if kind.providers and provider.id not in kind.providers:
        return Why.RULED_OUT
    if (local_only or kind.local_only) and not model.local:
        return Why.NOT_LOCAL
    missing = kind.needs & ~model.caps
    if not missing:
        return None
    return why_unable(missing)


def why_unable(missing: Capability) -> Why:
    """Name the most telling of some capabilities that a target does not have."""
    return next((why for capability, why in _MISSING if capability in missing), Why.LACKS_CAPABILITY)
