"""Experiments: a pool whose traffic is split between its members, its arms, and what came of each of them.

An arm is chosen by a hash of the conversation, so a conversation stays with its arm without anybody having to remember
it, and other weights or another arm move no more conversations than they must: weighted rendezvous hashing
(Schindelhauer and Schomaker 2005, the logarithmic method).
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from math import isfinite, log, sqrt
from typing import Any, NamedTuple

from .failures import FailureClass
from .fleet import Fleet, Lane
from .model import Target
from .money import Picodollars
from .outcome import Attempt
from .ports import CoreEvent, RequestEnded
from .request import Request

EXPERIMENT = "experiment"
_REMEMBERED = 1_000
# Of the intervals, 95 % hold the true value.
_Z = 1.96


class Arm(NamedTuple):
    """One variant: a member of the pool (`model_id` None: all models of the provider)."""

    provider_id: str
    model_id: str | None


class Mean(NamedTuple):
    """The mean of so many `values` and its standard error; None while there are too few to tell."""

    values: int
    mean: float | None
    error: float | None


class ArmReport(NamedTuple):
    """What came of one arm, of the requests that it was tried first for.

    A request counts as failed if the arm did not answer it, whoever did then. `error_rate` is a share (0 to 1) with its
    95 % interval after Wilson (1927). `latency` (seconds) is that of its answers; `cost` (picodollars for a request) and
    `spent` (in all) are of its own attempts alone; `score` is what callers thought of the answers.
    """

    arm: Arm
    weight: float
    requests: int
    failures: int
    error_rate: float | None
    error_between: tuple[float, float]
    latency: Mean
    cost: Mean
    spent: Picodollars
    score: Mean


def arm_of(lane: Lane) -> Arm:
    """Return the arm that a lane belongs to; outside of a pool each target is one."""
    member = lane.member
    return Arm(*lane.target) if member is None else Arm(member.provider_id, member.model_id)


def unit_of(request: Request) -> str:
    """Return what stays with one arm: the conversation, or a single request."""
    return request.session_id or request.id


def draw(scope: str | None, unit: str, arm: Arm, weight: float) -> float:
    """Return an arm's lot for one unit: the arm with the largest takes it. A weight of 0 never does."""
    if weight <= 0:
        return 0.0
    name = "\0".join((scope or "", arm.provider_id, arm.model_id or "", unit))
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    share = (int.from_bytes(digest) + 0.5) / 2**64
    return weight / -log(share) if share < 1 else float("inf")


class _Sum:
    """A running mean and its spread (Welford 1962)."""

    __slots__ = ("count", "mean", "squares")

    def __init__(self, count: int = 0, mean: float = 0.0, squares: float = 0.0) -> None:
        self.count, self.mean, self.squares = count, mean, squares

    def add(self, value: float) -> None:
        self.count += 1
        off = value - self.mean
        self.mean += off / self.count
        self.squares += off * (value - self.mean)

    def take_back(self, value: float) -> None:
        if self.count <= 1:
            self.count, self.mean, self.squares = 0, 0.0, 0.0
            return
        off = value - self.mean
        self.count -= 1
        self.mean -= off / self.count
        self.squares = max(0.0, self.squares - off * (value - self.mean))

    def tell(self) -> Mean:
        if not self.count:
            return Mean(0, None, None)
        error = sqrt(self.squares / (self.count - 1) / self.count) if self.count > 1 else None
        return Mean(self.count, self.mean, error)

    def state(self) -> tuple[int, float, float]:
        return self.count, self.mean, self.squares


class _Counts:
    """What is counted of one arm."""

    __slots__ = ("cost", "failures", "latency", "requests", "score", "spent")

    def __init__(self) -> None:
        self.requests = self.failures = 0
        self.spent: Picodollars = 0
        self.latency, self.cost, self.score = _Sum(), _Sum(), _Sum()

    def note(self, attempts: Sequence[Attempt]) -> None:
        answer = next((attempt for attempt in attempts if attempt.outcome.failure is None), None)
        cost = sum(attempt.outcome.cost for attempt in attempts)
        self.requests += 1
        self.spent += cost
        self.cost.add(cost)
        if answer is None:
            self.failures += 1
        else:
            self.latency.add(answer.outcome.latency)

    def report(self, arm: Arm, weight: float) -> ArmReport:
        return ArmReport(
            arm,
            weight,
            self.requests,
            self.failures,
            self.failures / self.requests if self.requests else None,
            wilson(self.failures, self.requests),
            self.latency.tell(),
            self.cost.tell(),
            self.spent,
            self.score.tell(),
        )


def wilson(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share that was seen in `count` of `total` cases (Wilson's score interval)."""
    if not total:
        return 0.0, 1.0
    share, square = count / total, _Z * _Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z / (1 + square / total) * sqrt(share * (1 - share) / total + square / (4 * total * total))
    # Exact at the ends, where rounding is not.
    return (0.0 if not count else middle - half, 1.0 if count == total else middle + half)


class _Scored(NamedTuple):
    pool: str
    arm: Arm
    score: float | None


class Experiments:
    """The experiments of one router. Pools that are none, or are gone, are forgotten."""

    def __init__(self) -> None:
        """Begin without any."""
        self._arms: dict[str, dict[Arm, float]] = {}
        self._by_target: dict[tuple[str, Target], Arm] = {}
        self._counts: dict[tuple[str, Arm], _Counts] = {}
        self._recent: OrderedDict[str, _Scored] = OrderedDict()

    def apply(self, fleet: Fleet) -> None:
        """Take the pools of a new configuration; what was counted of arms that stay is kept."""
        config = fleet.config
        self._arms.clear()
        self._by_target.clear()
        for pool in config.pools.values():
            if (pool.strategy or config.strategy) != EXPERIMENT:
                continue
            lanes = fleet.pools[pool.id]
            self._by_target.update(((pool.id, lane.target), arm_of(lane)) for lane in lanes)
            there = {lane.member for lane in lanes}
            self._arms[pool.id] = {
                Arm(member.provider_id, member.model_id): member.weight for member in pool.members if member in there
            }
        known = {(pool_id, arm) for pool_id, arms in self._arms.items() for arm in arms}
        self._counts = {key: counts for key, counts in self._counts.items() if key in known}

    def is_part(self, event: RequestEnded) -> bool:
        """Say whether a request was part of an experiment."""
        return bool(self._arms) and any(attempt.pool in self._arms for attempt in event.attempts)

    def hear(self, event: CoreEvent) -> None:
        """Count a request that has ended, if it was part of an experiment."""
        if not isinstance(event, RequestEnded) or not self._arms:
            return
        if not event.attempts:
            self._hear_kept(event)
            return
        if not self.is_part(event):
            return
        attempts = [each for each in event.attempts if each.pool in self._arms]
        pool_id = attempts[0].pool
        arm = None if pool_id is None else self._by_target.get((pool_id, attempts[0].target))
        # Where its own arm could not be asked, another took it: of neither does that tell anything.
        if pool_id is None or arm is None or arm != self._assigned(pool_id, event.request):
            return
        own = [each for each in attempts if self._by_target.get((pool_id, each.target)) == arm]
        failure = own[-1].outcome.failure
        if failure is not None and failure.cls is FailureClass.CANCELLED:
            return
        self._counts.setdefault((pool_id, arm), _Counts()).note(own)
        # A score is for an answer, and another's is not this arm's.
        if failure is None:
            self._remember(event.request.id, _Scored(pool_id, arm, None))

    def _hear_kept(self, event: RequestEnded) -> None:
        """Remember whose answer was given once more, from the cache or to who asked the same: it can be scored, too.

        It took no attempt, so that it counts for nothing else.
        """
        reply = event.reply
        if reply is None or reply.pool is None or reply.degraded is not None:
            return
        arm = self._by_target.get((reply.pool, reply.target))
        if arm is not None:
            self._remember(event.request.id, _Scored(reply.pool, arm, None))

    def _assigned(self, pool_id: str, request: Request) -> Arm:
        unit = unit_of(request)
        arms = self._arms[pool_id]
        return max(arms, key=lambda arm: draw(pool_id, unit, arm, arms[arm]))

    def _remember(self, request_id: str, scored: _Scored) -> None:
        self._recent[request_id] = scored
        self._recent.move_to_end(request_id)
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def score(self, request_id: str, value: float) -> bool:
        """Note what a caller thinks of an answer; a second score takes the first one's place.

        Returns whether that request was a recent one of an experiment and answered by its arm. Raises `ValueError` for
        what is not a finite number.
        """
        if not isfinite(value):
            raise ValueError("a score is a finite number")
        known = self._recent.get(request_id)
        counts = None if known is None else self._counts.get((known.pool, known.arm))
        if known is None or counts is None:
            return False
        if known.score is not None:
            counts.score.take_back(known.score)
        counts.score.add(value)
        self._recent[request_id] = known._replace(score=value)
        return True

    def report(self, pool_id: str) -> tuple[ArmReport, ...]:
        """Return what came of each arm, in the pool's order. Raises `KeyError` for a pool that is no experiment."""
        arms = self._arms[pool_id]
        none = _Counts()
        return tuple(self._counts.get((pool_id, arm), none).report(arm, arms[arm]) for arm in arms)

    # --- what outlives a restart ---------------------------------------------------------------------

    def state(self) -> list[list[Any]]:
        """Return all counts as plain values."""
        return [
            [
                pool_id,
                *arm,
                counts.requests,
                counts.failures,
                counts.spent,
                *(each.state() for each in (counts.latency, counts.cost, counts.score)),
            ]
            for (pool_id, arm), counts in self._counts.items()
        ]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Take back the counts of an earlier run, of the arms that are still there."""
        for pool_id, provider_id, model_id, requests, failures, spent, *sums in state:
            arm = Arm(provider_id, model_id)
            if arm not in self._arms.get(pool_id, {}):
                continue
            counts = self._counts[pool_id, arm] = _Counts()
            counts.requests, counts.failures, counts.spent = requests, failures, spent
            counts.latency, counts.cost, counts.score = (_Sum(*each) for each in sums)
