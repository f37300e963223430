"""Money buckets: what is settled and what is held in a calendar window, and whether one more hold fits.

Reserve first, settle later: a hold is taken in full before an attempt starts, so concurrent attempts cannot pass the
same limit together (ticket borrowing as in TensorZero's rate limits, here over several calendar windows at once).
"""

from dataclasses import dataclass

from .calendar import Calendar
from .model import Window
from .money import Picodollars

_WINDOWS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on spending in a window. A soft one only warns."""

    window: Window
    limit: Picodollars
    hard: bool = True


@dataclass(slots=True)
class Account:
    """What one window holds: picodollars settled, picodollars held by attempts under way."""

    settled: Picodollars = 0
    held: Picodollars = 0


class MoneyBucket:
    """Spending of one scope over one kind of window. `limit` None only counts."""

    __slots__ = ("_accounts", "_calendar", "_current", "_current_id", "hard", "limit", "window")

    def __init__(self, window: Window, calendar: Calendar) -> None:
        """Begin with nothing spent and no limit."""
        self.window = window
        self.limit: Picodollars | None = None
        self.hard = True
        self._calendar = calendar
        self._accounts: dict[str, Account] = {}
        self._current_id = ""
        self._current = Account()

    def account(self, now: float) -> Account:
        """Return the current window's account."""
        window_id = self._calendar.window_id(self.window, now)
        if window_id != self._current_id:
            self._current_id = window_id
            self._current = self._account(window_id)
        return self._current

    def headroom(self, now: float) -> Picodollars | None:
        """Return what may still be held; None is without limit. Negative after an overrun."""
        if self.limit is None or not self.hard:
            return None
        account = self.account(now)
        return self.limit - account.settled - account.held

    def refuses(self, amount: int, now: float) -> bool:
        """Say whether a hold does not fit."""
        headroom = self.headroom(now)
        return headroom is not None and amount > headroom

    def free_at(self, amount: int, now: float) -> float | None:
        """Return when a refused hold fits again: at the window's end, or never when it is above the limit itself."""
        if self.limit is not None and amount > self.limit:
            return None
        return self._calendar.bounds(self.window, now)[1]

    def take(self, amount: int, now: float) -> str:
        """Hold an amount; return the id of the window it was taken in."""
        self.account(now).held += amount
        return self._current_id

    def settle(self, window_id: str, taken: int, actual: int) -> Picodollars:
        """Turn a hold into what was really spent, in the window it was taken in.

        Returns by how much (picodollars) the limit is passed now because the bill was above the hold.
        """
        account = self._account(window_id)
        account.held -= taken
        account.settled += actual
        if self.limit is None or actual <= taken:
            return 0
        return max(0, account.settled - self.limit)

    def add_settled(self, window_id: str, amount: Picodollars) -> None:
        """Add what the ledger says was spent in a window, as at a start."""
        self._account(window_id).settled += amount

    def _account(self, window_id: str) -> Account:
        account = self._accounts.get(window_id)
        if account is None:
            if len(self._accounts) >= _WINDOWS_KEPT:
                idle = [key for key, old in self._accounts.items() if not old.held and key != self._current_id]
                for key in sorted(idle)[: len(self._accounts) - _WINDOWS_KEPT + 1]:
                    del self._accounts[key]
            account = self._accounts[window_id] = Account()
        return account
