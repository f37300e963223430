"""Who may start: limits, budgets and breakers of one home, in this process.

`admit` holds no await: it is a critical section by construction, so no two requests can pass the same limit together.
"""

from collections.abc import Sequence
from itertools import count
from os import urandom

from .bell import Bell
from .breakers import Breakers
from .budgets import MoneyBucket
from .calendar import Calendar
from .call import RateWindow
from .failures import Billed, FailureClass, Phase
from .fleet import Fleet, Lane
from .household_budgets import HouseholdBudgets
from .limits import Bucket, Slots
from .model import Target
from .money import Picodollars
from .outcome import Outcome
from .ports import Bus, Clock, Entry, Spending
from .provider_limits import ProviderLimits
from .tickets import BucketKey, Claim, Granted, Load, Refused, Ticket, TicketState, Unit


class Admission:
    """The state of one home: implements the `State` port."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        """Begin empty; `apply` brings the limits."""
        self._clock = clock
        self.calendar = Calendar()
        self.breakers = Breakers(clock, bus)
        self._buckets: dict[BucketKey, Bucket] = {}
        self.limits = ProviderLimits(clock, self._buckets)
        self.budgets = HouseholdBudgets(clock, bus, self._buckets, self.calendar)
        self._open: set[Ticket] = set()
        self._under_way: dict[Target, int] = {}
        self._numbers = count(1)
        # Random too: a machine without a clock may start twice in the same millisecond.
        self._prefix = f"{int(clock.now() * 1000):x}{urandom(2).hex()}"
        self.changed = Bell()

    # --- configuration -------------------------------------------------------------------------------

    def apply(self, fleet: Fleet, history: Sequence[Spending] | None, under_way: Sequence[Entry] = ()) -> None:
        """Take new limits and budgets. The counters of what stays are kept, those of removed providers are dropped.

        `history` is what was spent before (None: it cannot be read), `under_way` are the attempts that may have to be
        held in new budgets too; see `HouseholdBudgets.apply`.
        """
        config = fleet.config
        weeks_move = config.week_start != self.calendar.week_start
        self.calendar.set(config.zone, config.week_start)
        # A provider may come back before its attempts have ended: what they use stays counted.
        self.limits.apply(config.providers, {ticket.target.provider_id for ticket in self._open})
        held = [entry for entry in under_way if entry.ticket in self._open]
        self.budgets.apply(config, history, held, weeks_move=weeks_move)
        self.breakers.apply(config.breaker, frozenset(lane.target for lane in fleet))
        self.changed.fire()

    def disown(self, provider_id: str) -> None:
        """Learn no more from a provider's attempts under way: it is gone, or spoken to in another way now."""
        for ticket in self._open:
            if ticket.target.provider_id == provider_id:
                ticket.outdated = True

    # --- the buckets ---------------------------------------------------------------------------------

    def money(self, key: BucketKey) -> MoneyBucket:
        """Return a money bucket."""
        return self.budgets.money(key)

    def slots(self, provider_id: str) -> Slots:
        """Return the slots of a provider: what is under way."""
        return self.limits.slots(provider_id)

    def requests_last_minute(self, provider_id: str) -> int:
        """Return how many requests a provider got in the last 60 s."""
        return self.limits.requests(provider_id).used

    def tokens_last_minute(self, provider_id: str) -> int:
        """Return the tokens, in and out, of the attempts that a provider got in the last 60 s.

        Those under way count what they claim, those that have ended what they used by the ledger.
        """
        return self.limits.token_log(provider_id).used

    def load(self, target: Target) -> Load:
        """Return how many attempts are under way now, on a target and on its provider."""
        return Load(self._under_way.get(target, 0), self.slots(target.provider_id).used)

    @property
    def open_tickets(self) -> frozenset[Ticket]:
        """The tickets that are not settled yet."""
        return frozenset(self._open)

    # --- claims and tickets --------------------------------------------------------------------------

    def claim(
        self,
        lane: Lane,
        hold: Picodollars,
        tokens: int,
        *,
        extra: tuple[BucketKey, ...] = (),
        take: Picodollars | None = None,
        probe: bool = False,
    ) -> Claim:
        """Say what an attempt would take: money, tokens, a request and a slot.

        `hold` is the most it can cost, `take` what its budgets set aside for it (by default the same); `extra` are the
        money buckets of who asks.
        """
        takes = lane.unpaid
        if hold:
            takes = {**dict.fromkeys((*lane.money, *extra), hold if take is None else take), **takes}
        if lane.tokens is not None:
            takes = {**takes, lane.tokens: tokens}
        if told := self.limits.takes(lane.target, tokens):
            takes = {**takes, **told}
        return Claim(lane.target, takes, hold, probe, lane.provider.timeouts.total, tokens)

    def refusal(self, claim: Claim) -> Refused | None:
        """Return the bucket that refuses a claim and when it frees (wall clock), or None if the claim fits.

        Of several it is the one that frees last: before that the claim does not fit.
        """
        last: Refused | None = None
        for key, amount in claim.takes.items():
            bucket = self._buckets.get(key)
            if bucket is not None and bucket.refuses(amount):
                free_at = bucket.free_at(amount)
                if last is None or (last.free_at is not None and (free_at is None or free_at > last.free_at)):
                    last = Refused(key, free_at)
        return last

    async def admit(self, claims: Sequence[Claim]) -> Granted | Refused:
        """Grant the first claim that fits every bucket and whose breaker lets it pass."""
        soonest = Refused(None, None)
        for place, claim in enumerate(claims):
            if not self.breakers.passes(claim):
                continue
            refused = self.refusal(claim)
            if refused is None:
                return Granted(place, self._grant(claim))
            if soonest.bucket is None or (
                refused.free_at is not None and (soonest.free_at is None or refused.free_at < soonest.free_at)
            ):
                soonest = refused
        return soonest

    def _grant(self, claim: Claim) -> Ticket:
        now = self._clock.now()
        windows: dict[BucketKey, str] = {}
        for key, amount in claim.takes.items():
            bucket = self._buckets.get(key)
            if bucket is not None:
                windows[key] = bucket.take(amount)
        if claim.probe:
            self.breakers.of(claim.target).begin_probe(self._clock.monotonic())
        ticket = Ticket(
            attempt_id=f"{self._prefix}-{next(self._numbers)}",
            target=claim.target,
            takes=claim.takes,
            hold=claim.hold,
            window_ids=windows,
            day=self.calendar.day(now),
            started=now,
            lease=claim.lease,
            probe=claim.probe,
            tokens=claim.tokens,
        )
        self._open.add(ticket)
        self.limits.sent(ticket)
        self._under_way[claim.target] = self._under_way.get(claim.target, 0) + 1
        return ticket

    def may_start(self, ticket: Ticket) -> bool:
        """Say whether a ticket still fits its budgets: while its hold was written another may have cost more than held."""
        return not self.budgets.overdrawn(ticket)

    def opened(self, ticket: Ticket, rates: tuple[RateWindow, ...]) -> None:
        """Learn what a provider tells of its limits as it begins to answer, or refuses."""
        self.limits.hear(ticket, () if ticket.outdated else rates)

    async def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """Book an attempt's end in the windows it was granted in. A second settle does nothing."""
        if ticket.state is TicketState.SETTLED:
            return
        ticket.state = TicketState.SETTLED
        self._open.discard(ticket)
        self.limits.settled(ticket, outcome.usage)
        running = self._under_way.pop(ticket.target) - 1
        if running:
            self._under_way[ticket.target] = running
        for key, window_id in ticket.window_ids.items():
            bucket = self._buckets.get(key)
            if bucket is None:
                continue
            taken = ticket.takes[key]
            overrun = bucket.settle(window_id, taken, _actual(key.unit, taken, outcome))
            if key.unit is Unit.MONEY and isinstance(bucket, MoneyBucket) and bucket.budget is not None:
                self.budgets.booked(ticket, key, bucket, overrun)
        if not ticket.outdated:
            self._learn(ticket, outcome)
        self.changed.fire()

    def _learn(self, ticket: Ticket, outcome: Outcome) -> None:
        slots = self.slots(ticket.target.provider_id)
        if outcome.failure is not None and outcome.failure.rates:
            self.opened(ticket, outcome.failure.rates)
        if outcome.failure is None:
            slots.answered()
        elif outcome.failure.cls is FailureClass.OVERLOADED:
            slots.overloaded()
        self.breakers.settle(ticket, outcome)

    # --- beginning anew ------------------------------------------------------------------------------

    def reset(self, provider_id: str) -> None:
        """Close a provider's breakers, and forget its last minute and what it told of its limits."""
        self.breakers.reset(provider_id)
        self.limits.forget(provider_id)
        self.changed.fire()

    def reset_limits(self, provider_id: str, key: BucketKey | None) -> bool:
        """Let one of a provider's limits begin anew, or all; return whether there is such a one."""
        found = self.limits.reset(provider_id, key)
        self.changed.fire()
        return found


def _actual(unit: Unit, taken: int, outcome: Outcome) -> int:
    """Say what an attempt really used of what it had taken."""
    failure = outcome.failure
    match unit:
        case Unit.MONEY:
            return outcome.cost
        case Unit.REQUESTS | Unit.INPUT_TOKENS | Unit.OUTPUT_TOKENS:
            return 0 if failure is not None and failure.phase is Phase.UNSENT else taken
        case Unit.SLOTS:
            return 0
        case Unit.TOKENS:
            if outcome.usage is not None:
                return outcome.usage.input_tokens + outcome.usage.output_tokens
            unused = failure is not None and (failure.phase is Phase.UNSENT or failure.billed is Billed.NO)
            return 0 if unused else taken
