"""What is asked, worked out once for all its attempts, and what a target would take to answer it."""

from typing import NamedTuple

from .call import Call
from .config import RouterConfig
from .fleet import Lane, request_money
from .model import Audio, Capability, Image, Message, Op, Part
from .plans import Estimate
from .refusals import RefusalCode
from .request import NO_BOUNDS, Bounds, Caller, Request
from .rules import Rules
from .tickets import BucketKey, Claim
from .tokens import Size, is_whole, measure

# An answer cut to less than half of its usual room would rarely be whole: better another target, or a clear refusal.
LEAST_SHARE = 2


class Ask(NamedTuple):
    """A request with what is worked out once for all its attempts: what it needs, and what holds for it.

    `bounds` and `local_only` are the tightest of the router's, the rules', the pool's and its own. `pool` is where it
    begins (None: all providers); where a rule leads elsewhere than the caller, `within` is the caller's pool, out of
    which it must not go. `providers` are those that a rule leads to, if it names any, and `rule` is that rule.
    `refused` is why nobody may be asked at all. `live` says that somebody listens to the answer as it comes.
    """

    request: Request
    needs: Capability
    size: Size
    bounds: Bounds
    money: tuple[BucketKey, ...]
    local_only: bool = False
    pool: str | None = None
    within: str | None = None
    providers: tuple[str, ...] = ()
    rule: str | None = None
    refused: RefusalCode | None = None
    live: bool = False

    @classmethod
    def of(cls, request: Request, config: RouterConfig, rules: Rules, now: float, *, live: bool = False) -> Ask:
        """Work it out; `rules` are those of the configuration, `now` is wall clock."""
        needs = _needs(request)
        size = measure(request)
        verdict = rules.verdict(request, needs, size.estimate, now)
        bounds = request.bounds.tighten(config.bounds)
        if verdict.bounds is not NO_BOUNDS:
            bounds = bounds.tighten(verdict.bounds)
        local_only = request.local_only or config.local_only or verdict.local_only
        asked = request.pins.pool
        pool = asked if verdict.pool is None else verdict.pool
        within = None if asked == pool else asked
        refused = None if may_ask(request.caller, config) else RefusalCode.NOT_ALLOWED
        # Such a text can neither be sent nor written into the ledger: nothing else may get the blame for it.
        if refused is None and not all(map(is_whole, (*size.texts, request.label or ""))):
            refused = RefusalCode.UNREADABLE_TEXT
        for each in (pool, within):
            if each is None:
                continue
            found = config.pools.get(each)
            if found is None:
                refused = refused or RefusalCode.UNKNOWN_POOL
            else:
                bounds = bounds.tighten(found.bounds)
                local_only = local_only or found.local_only
        return cls(
            request,
            needs,
            size,
            bounds,
            request_money(config, request.caller, request.label),
            local_only,
            pool,
            within,
            verdict.providers,
            verdict.rule,
            refused,
            live,
        )


def may_ask(caller: Caller, config: RouterConfig) -> bool:
    """Say whether a caller may ask at all: a user and an automation each have to be among those chosen, if any are.

    The house itself, which is neither, always may.
    """
    users, automations = config.users, config.automations
    return (users is None or caller.user_id is None or caller.user_id in users) and (
        automations is None or caller.automation is None or caller.automation in automations
    )


_MAKES: dict[Op, Capability] = {Op.EMBED: Capability.EMBEDDINGS, Op.IMAGE: Capability.IMAGE_OUT}
_SHOWS: dict[type[Part], Capability] = {Image: Capability.VISION, Audio: Capability.AUDIO_IN}


def _needs(request: Request) -> Capability:
    needs = request.needs
    makes = _MAKES.get(request.op)
    if makes is not None:
        needs = needs & ~Capability.CHAT | makes
    for message in request.messages:
        for part in message.parts:
            shows = _SHOWS.get(type(part))
            if shows is not None:
                needs |= shows
    if request.tools:
        needs |= Capability.TOOLS
    if request.structure is not None:
        needs |= Capability.STRUCTURED
    return needs


class Fit(NamedTuple):
    """How a request goes to a target: within which bounds, with which messages, and how many tokens it may answer.

    `trimmed` is how many of the oldest messages are left out; `size` is that of the others.
    """

    size: Size
    output: int
    bounds: Bounds
    messages: tuple[Message, ...]
    trimmed: int = 0


class Offer(NamedTuple):
    """A lane that may take the request now: what that would take, and what it would claim for it."""

    lane: Lane
    estimate: Estimate
    claim: Claim
    fit: Fit

    def call(self, request: Request) -> Call:
        """Return what the provider is given to send."""
        lane = self.lane
        return Call(
            lane.target,
            self.fit.messages,
            self.estimate.output_tokens,
            lane.provider.timeouts,
            request.tools,
            request.structure,
            request.sampling,
            request.stream and Capability.STREAMING in lane.model.caps,
            request.op,
        )
