"""Money buckets: what is settled and what is held in a calendar window, and whether one more hold fits.

Reserve first, settle later: a hold is taken in full before an attempt starts, so concurrent attempts cannot pass the
same limit together (ticket borrowing as in TensorZero's rate limits, here over several calendar windows at once).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, override

from .calendar import Calendar
from .limits import Bucket
from .money import Picodollars
from .ports import Clock
from .tickets import Window

# Of windows that are over: a clock may be set back into one of them.
_WINDOWS_KEPT = 16


class AtCap(StrEnum):
    """What goes on when a hard budget is used up: what costs nothing, only what is local, or nothing at all."""

    FREE = "free"
    LOCAL = "local"
    REFUSE = "refuse"


class Budget(NamedTuple):
    """A limit on spending in a window. A soft one only warns."""

    window: Window
    limit: Picodollars
    hard: bool = True


@dataclass(slots=True)
class Account:
    """What one window holds: picodollars settled, picodollars held by attempts under way; what was warned of."""

    settled: Picodollars = 0
    held: Picodollars = 0
    alerted: bool = False
    exceeded: bool = False


class Crossing(StrEnum):
    """A mark that spending has passed, told once per window."""

    ALERT = "alert"
    EXCEEDED = "exceeded"


class MoneyBucket(Bucket):
    """Spending of one scope over one kind of window. `limit` None only counts."""

    __slots__ = ("_accounts", "_calendar", "_clock", "_current", "_current_id", "budget", "known", "window")

    def __init__(self, clock: Clock, window: Window, calendar: Calendar, *, known: bool = True) -> None:
        """Begin with nothing spent and no limit. While what was spent is not `known`, a hard limit lets nothing through."""
        self._clock = clock
        self.window = window
        self.budget: Budget | None = None
        self.known = known
        self._calendar = calendar
        self._accounts: dict[str, Account] = {}
        self._current_id = ""
        self._current = Account()

    @property
    def account(self) -> Account:
        """The current window's account."""
        window_id = self._calendar.window_id(self.window, self._clock.now())
        if window_id != self._current_id:
            self._current_id = window_id
            self._current = self._account(window_id)
        return self._current

    def overdrawn(self, window_id: str) -> bool:
        """Whether what is settled and held in a window passes a hard limit: an attempt has cost more than was held."""
        budget, account = self.budget, self._account(window_id)
        return budget is not None and budget.hard and account.settled + account.held > budget.limit

    def settled_in(self, window_id: str) -> Picodollars:
        """Return what is settled in a window that runs, or has just ended."""
        account = self._accounts.get(window_id)
        return 0 if account is None else account.settled

    @property
    def limit(self) -> Picodollars | None:
        """The limit of its budget, hard or soft."""
        return None if self.budget is None else self.budget.limit

    @property
    def hard(self) -> bool:
        """Whether the limit refuses, rather than only warns."""
        return self.budget is not None and self.budget.hard

    @property
    def used_up(self) -> bool:
        """Whether spending has reached the limit, or what is left was too little for a request.

        A budget of nothing is a choice, not something that happened.
        """
        account, limit = self.account, self.limit
        return bool(limit) and (account.exceeded or account.settled >= (limit or 0))

    @property
    def headroom(self) -> Picodollars | None:
        """What may still be held; None is without limit. Negative after an overrun."""
        budget = self.budget
        if budget is None or not budget.hard:
            return None
        account = self.account
        return budget.limit - account.settled - account.held if self.known else 0

    @override
    def refuses(self, amount: int) -> bool:
        headroom = self.headroom
        return headroom is not None and amount > headroom

    @override
    def free_at(self, amount: int) -> float | None:
        if self.budget is not None and amount > self.budget.limit:
            return None
        return self._calendar.bounds(self.window, self._clock.now())[1]

    @override
    def take(self, amount: int) -> str:
        self.account.held += amount
        return self._current_id

    def hold(self, window_id: str, amount: Picodollars) -> None:
        """Hold an amount in the window that it was granted in."""
        self._account(window_id).held += amount

    @override
    def settle(self, window_id: str, taken: int, actual: int) -> int:
        account = self._account(window_id)
        account.held -= taken
        account.settled += actual
        if self.budget is None or actual <= taken:
            return 0
        return max(0, account.settled - self.budget.limit)

    def crossing(self, window_id: str, threshold: float) -> Crossing | None:
        """Say whether spending has newly passed the threshold (a share, 0 to 1) or the limit."""
        account = self._account(window_id)
        # A budget of nothing is a choice, not something that happened.
        if self.budget is None or not account.settled:
            return None
        limit = self.budget.limit
        if account.settled >= limit and not account.exceeded:
            account.alerted = account.exceeded = True
            return Crossing.EXCEEDED
        if account.settled >= limit * threshold and not account.alerted:
            account.alerted = True
            return Crossing.ALERT
        return None

    def turn_away(self) -> bool:
        """Note that what is left was too little for a request; say whether that, newly, has used the budget up.

        A hold is the most that a request may cost, so a hard budget is hardly ever spent to the last cent. Before half
        of it is spent, though, it is the request that is too large; and what others hold may be left over yet.
        """
        budget, account = self.budget, self.account
        if budget is None or not budget.hard or account.exceeded or account.held:
            return False
        if not 0 < budget.limit <= 2 * account.settled:
            return False
        account.alerted = account.exceeded = True
        return True

    @property
    def turned_away(self) -> bool:
        """Whether the budget is used up by that alone: what is spent does not tell it."""
        return self.account.exceeded and self.account.settled < (self.limit or 0)

    def set_budget(self, budget: Budget | None) -> None:
        """Take another limit; what has been warned of under the old one may be warned of again."""
        before, self.budget = self.limit, budget
        if self.limit != before:
            self.untell()

    def untell(self) -> None:
        """Warn again of what was warned of."""
        for account in self._accounts.values():
            account.alerted = account.exceeded = False

    def restore(self, spent: Mapping[str, Picodollars], threshold: float) -> None:
        """Take what the ledger says was spent, by window; what it had passed by then has been told before."""
        self.known = True
        for account in self._accounts.values():
            account.settled = 0
        for window_id in sorted(spent)[:_WINDOWS_KEPT]:
            self._account(window_id).settled += spent[window_id]
            self.crossing(window_id, threshold)

    def _account(self, window_id: str) -> Account:
        account = self._accounts.get(window_id)
        if account is None:
            if len(self._accounts) >= _WINDOWS_KEPT:
                idle = [key for key, old in self._accounts.items() if not old.held and key != self._current_id]
                for key in sorted(idle)[: len(self._accounts) - _WINDOWS_KEPT + 1]:
                    del self._accounts[key]
            account = self._accounts[window_id] = Account()
        return account
