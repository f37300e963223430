"""The household's rules: which of them a request meets, what they tighten, and where they lead.

All rules that match tighten; the one with the highest priority that points decides where. A rule that cannot be
evaluated fails closed: it holds as if it matched.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, time, tzinfo
from typing import NamedTuple

from .config import Conditions, RuleConfig
from .model import Capability, Op
from .request import NO_BOUNDS, Bounds, Request

_MEMO_SIZE = 256


class Verdict(NamedTuple):
    """What the rules say about a request.

    They tighten (`local_only`, `bounds`) and point (`pool`, `providers`, by id). `rule` is the id of the one that
    points, else of the first one that tightens.
    """

    local_only: bool = False
    bounds: Bounds = NO_BOUNDS
    pool: str | None = None
    providers: tuple[str, ...] = ()
    rule: str | None = None


NO_VERDICT = Verdict()


class Traits(NamedTuple):
    """What rules ask of a request, apart from its size and the time of day."""

    op: Op
    needs: Capability
    entities: tuple[str, ...]
    areas: tuple[str, ...]
    label: str | None
    user: str | None
    automation: str | None
    source: str

    @classmethod
    def of(cls, request: Request, needs: Capability) -> Traits:
        """Gather them."""
        caller = request.caller
        areas = request.areas if caller.area is None else (caller.area, *request.areas)
        return cls(
            request.op,
            needs,
            request.entities,
            areas,
            request.label,
            caller.user_id,
            caller.automation,
            caller.source,
        )


class Rules:
    """The rules of one configuration. What a rule asks that stays the same is looked at once per kind of request."""

    def __init__(self, rules: Iterable[RuleConfig], zone: tzinfo) -> None:
        """Take the rules; `zone` is the household's."""
        enabled = [rule for rule in rules if rule.enabled]
        self._rules = sorted(enabled, key=lambda rule: -rule.priority)
        self._zone = zone
        self._memo: dict[Traits, tuple[RuleConfig, ...]] = {}

    def verdict(self, request: Request, needs: Capability, tokens: int, now: float) -> Verdict:
        """Say what holds for a request; `needs` and `tokens` are what it takes, `now` is wall clock."""
        if not self._rules:
            return NO_VERDICT
        rules = self._standing(Traits.of(request, needs))
        if not rules:
            return NO_VERDICT
        local_only = False
        bounds = NO_BOUNDS
        first: RuleConfig | None = None
        points: RuleConfig | None = None
        for rule in rules:
            when = rule.when
            if when is not None and not _holds(self._is_now, when, tokens, now):
                continue
            first = first or rule
            local_only = local_only or rule.local_only
            bounds = bounds.tighten(rule.bounds)
            if points is None and (rule.pool is not None or rule.providers):
                points = rule
        leads = points or first
        if leads is None:
            return NO_VERDICT
        return Verdict(local_only, bounds, leads.pool, leads.providers, leads.id)

    def _standing(self, traits: Traits) -> tuple[RuleConfig, ...]:
        """Return the rules that a request meets unless its size or the time of day stands against it."""
        found = self._memo.get(traits)
        if found is None:
            found = tuple(rule for rule in self._rules if rule.when is None or _holds(_is_about, rule.when, traits))
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            self._memo[traits] = found
        return found

    def _is_now(self, when: Conditions, tokens: int, now: float) -> bool:
        if when.tokens_from is not None and tokens < when.tokens_from:
            return False
        if when.tokens_to is not None and tokens >= when.tokens_to:
            return False
        if when.after is None and when.before is None:
            return True
        return _in_span(datetime.fromtimestamp(now, self._zone).time(), when.after, when.before)


def _holds[**P](condition: Callable[P, bool], *args: P.args, **kwargs: P.kwargs) -> bool:
    try:
        return condition(*args, **kwargs)
    except Exception:  # noqa: BLE001  # whatever is wrong with a rule, it must not let through what it may forbid
        return True


def _is_about(when: Conditions, traits: Traits) -> bool:
    return (
        (not when.ops or traits.op in when.ops)
        and when.needs & ~traits.needs is Capability.NONE
        and (not when.entities or not when.entities.isdisjoint(traits.entities))
        and (not when.areas or not when.areas.isdisjoint(traits.areas))
        and (not when.labels or traits.label in when.labels)
        and (not when.users or traits.user in when.users)
        and (not when.automations or traits.automation in when.automations)
        and (not when.sources or traits.source in when.sources)
    )


def _in_span(at: time, after: time | None, before: time | None) -> bool:
    """Say whether a time of day lies in a span, which may go over midnight; from a time to itself is the whole day."""
    if after is None or before is None:
        return (after is None or at >= after) and (before is None or at < before)
    if after < before:
        return after <= at < before
    return at >= after or at < before
