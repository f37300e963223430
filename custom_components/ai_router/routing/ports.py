"""What the core needs from outside, named as protocols. Adapters live in `providers/`, `storage/` and on the face."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from .breaker import BreakerState
from .call import Call, Event
from .failures import Failure
from .health import Level
from .model import Model, Target
from .money import Picodollars
from .outcome import Attempt, Outcome, Reply
from .request import Request
from .tickets import BucketKey, Claim, Granted, Refused, Ticket


class Clock(Protocol):
    """Time. `monotonic` runs with the event loop's own clock; `now` is wall-clock seconds since 1970 (UTC)."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def now(self) -> float:
        """Return seconds since 1970."""


type TokenCounter = Callable[[str, tuple[str, ...]], int | None]
"""Counts the tokens that a model makes of texts; None where it does not know how that model splits them.

Called from the event loop for each target of a plan: at once, and the same again costs nothing.
"""


class Provider(Protocol):
    """One account or server, spoken to in its own protocol."""

    def attempt(self, call: Call) -> AsyncGenerator[Event]:
        """Send a call and yield what comes back; ends with `Finished`.

        Raises `AttemptFailed`. Closing the generator closes the connection.
        """

    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""

    async def probe(self) -> None:
        """Check reachability and credential for free. Raises `AttemptFailed`."""


@runtime_checkable
class Counter(Protocol):
    """A provider that can count beforehand, for free and by the model's own tokenizer; not all can."""

    async def count(self, call: Call) -> int | None:
        """Return the tokens of a call's input, None where this server or model cannot say. Raises `AttemptFailed`."""


class State(Protocol):
    """Who may start: all limits and budgets, decided at once for a whole plan."""

    async def admit(self, claims: Sequence[Claim]) -> Granted | Refused:
        """Grant the first claim that fits every bucket, all or nothing."""

    async def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """Book what an attempt really took; a second settle of a ticket does nothing."""


class Entry(NamedTuple):
    """One attempt as the ledger keeps it, apart from its outcome: who, what for, where."""

    request: Request
    ticket: Ticket
    provider_id: str
    model_id: str
    pool: str | None


class Spending(NamedTuple):
    """What the ledger says was spent on one of the household's days (YYYY-MM-DD). Empty where it was nobody's."""

    day: str
    provider_id: str
    user_id: str
    label: str
    cost: Picodollars
    pool: str = ""


class Ledger(Protocol):
    """The durable record of every attempt."""

    async def hold(self, entry: Entry) -> None:
        """Put a paid attempt's hold on disk. After this returns, its body may be sent.

        Raises `LedgerUnavailable`: then nothing paid may start.
        """

    def settle(self, entry: Entry, outcome: Outcome) -> None:
        """Book an attempt's end. Returns at once; written within a second. Never raises."""


class LedgerUnavailable(Exception):
    """The ledger cannot be written: full disk, damaged file, closed."""


class AttemptStarted(NamedTuple):
    """An attempt is about to be sent."""

    request: Request
    ticket: Ticket


class AttemptEnded(NamedTuple):
    """An attempt has been settled."""

    request: Request
    attempt: Attempt


class RequestEnded(NamedTuple):
    """A request has been answered (`failure` None) or has failed for good. One per request."""

    request: Request
    attempts: Sequence[Attempt]
    failure: str | None
    latency: float
    reply: Reply | None


class BreakerMoved(NamedTuple):
    """A target's breaker has changed its state."""

    target: Target
    state: BreakerState


class Benched(NamedTuple):
    """A provider or one of its models is set aside until mended; `model_id` None is the whole provider."""

    provider_id: str
    model_id: str | None
    failure: Failure


class Unbenched(NamedTuple):
    """A bench has ended."""

    provider_id: str
    model_id: str | None


class Overrun(NamedTuple):
    """A bill came in above its hold and took a hard budget over its limit by `amount`."""

    provider_id: str
    bucket: BucketKey
    window_id: str
    amount: Picodollars


class BudgetCrossed(NamedTuple):
    """Spending has passed a budget's warning mark, or the budget is used up (`exceeded`). Told once per window."""

    bucket: BucketKey
    window_id: str
    settled: Picodollars
    limit: Picodollars
    exceeded: bool


class HealthChanged(NamedTuple):
    """A provider does better or worse than before; `reason` is a failure class or one of the words of `health`."""

    provider_id: str
    before: Level
    after: Level
    reason: str | None


type CoreEvent = (
    AttemptStarted
    | AttemptEnded
    | RequestEnded
    | BreakerMoved
    | Benched
    | Unbenched
    | Overrun
    | BudgetCrossed
    | HealthChanged
)


class Bus(Protocol):
    """Where the core says what happens."""

    def __call__(self, event: CoreEvent) -> None:
        """Take one event. Must not raise or block."""
