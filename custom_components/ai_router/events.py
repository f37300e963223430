"""What happens, told once: a core event becomes one happening, and whatever tells of it takes it from here.

A happening goes to the bus as `ai_router_<kind>` and to the event entity of the device that it is about; triggers and
the logbook listen to the bus. Its data are plain and small: ids, names, classes, figures. Never in it: a prompt, an
answer, or a provider's own words, which may quote either.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from homeassistant.const import ATTR_DEVICE_ID, ATTR_NAME
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util

from .const import DOMAIN, Conf
from .redaction import Redactor
from .routing.breaker import BreakerState
from .routing.failures import MEANING, FailureClass
from .routing.health import FAILING, SLOW, Level
from .routing.model import Target
from .routing.money import Picodollars, to_dollars
from .routing.outcome import Attempt
from .routing.ports import (
    AttemptEnded,
    Benched,
    BreakerMoved,
    BudgetCrossed,
    CoreEvent,
    HealthChanged,
    Overrun,
    RequestEnded,
    Unbenched,
)
from .routing.refusals import RefusalCode
from .routing.router import Router
from .routing.tickets import BucketKey, Scope

if TYPE_CHECKING:
    from .hub import RouterConfigEntry

ROUTER = ""
"""Stands for the router itself where a provider's id is asked for."""


class Kind(StrEnum):
    """What can happen. `EVENT_DATA` lists what is told of each."""

    FAILOVER = "failover"
    ALL_FAILED = "all_failed"
    COMPLETED = "completed"
    PROVIDER_DEGRADED = "provider_degraded"
    PROVIDER_UNHEALTHY = "provider_unhealthy"
    PROVIDER_RECOVERED = "provider_recovered"
    BREAKER_OPENED = "breaker_opened"
    BREAKER_CLOSED = "breaker_closed"
    BENCHED = "benched"
    UNBENCHED = "unbenched"
    RATE_LIMITED = "rate_limited"
    BUDGET_ALERT = "budget_alert"
    BUDGET_EXCEEDED = "budget_exceeded"
    OVERRUN = "overrun"

    @property
    def event_type(self) -> str:
        """The type of the bus event."""
        return f"{DOMAIN}_{self.value}"


_REQUEST = ("request_id", "label")
_BUDGET = ("scope", "owner", "window", "spent", "limit")
EVENT_DATA: Mapping[Kind, tuple[str, ...]] = {
    Kind.FAILOVER: (*_REQUEST, "provider", "model", "failed"),
    Kind.ALL_FAILED: (*_REQUEST, "reason", "failed"),
    Kind.COMPLETED: (
        *_REQUEST,
        *("provider", "model", "cached", "attempts", "latency", "cost", "estimated", "input_tokens", "output_tokens"),
    ),
    Kind.PROVIDER_DEGRADED: ("before", "health", "reason"),
    Kind.PROVIDER_UNHEALTHY: ("before", "health", "reason"),
    Kind.PROVIDER_RECOVERED: ("before", "health", "reason"),
    Kind.BREAKER_OPENED: ("model",),
    Kind.BREAKER_CLOSED: ("model",),
    Kind.BENCHED: ("model", "reason"),
    Kind.UNBENCHED: ("model",),
    Kind.RATE_LIMITED: ("model", "reason", "retry_at"),
    Kind.BUDGET_ALERT: _BUDGET,
    Kind.BUDGET_EXCEEDED: _BUDGET,
    Kind.OVERRUN: ("scope", "owner", "window", "provider", "amount"),
}
"""What is told of each, beside `device_id` and `name` of the provider or the router that it is about.

Money is in USD, `latency` in seconds, `retry_at` in ISO format. `failed` lists `provider`, `model` and `outcome` of
each attempt in vain, `outcome` and `reason` are failure classes; that of `all_failed` is a refusal's code. `owner` is a
provider's or pool's name, a user's id, a label, or None for the router. `model` is None where all of them are meant.
"""

_NOBODY_ANSWERED = frozenset({RefusalCode.ALL_FAILED, RefusalCode.ALL_DOWN})
_LIMITED = frozenset({FailureClass.RATE_LIMIT, FailureClass.QUOTA})


class Happening(NamedTuple):
    """One of them: whom it is about (`ROUTER` or a provider's id), what is told, and what caused it if a person did."""

    kind: Kind
    about: str
    data: Mapping[str, Any]
    caused_by: str | None = None


type Listener = Callable[[Happening], None]


class Events:
    """Hears the core and tells Home Assistant."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: RouterConfigEntry,
        router: Router,
        redactor: Redactor,
        names: Callable[[str], str],
    ) -> None:
        """Tell of a router; `hear` is to be subscribed to it. `names` finds those of providers and pools by id."""
        self._hass = hass
        self._entry = entry
        self._router = router
        self._redactor = redactor
        self._names = names
        self._listeners: dict[str, list[Listener]] = {}
        self._ill: set[str] = set()
        self._open: set[Target] = set()
        self._tellers: dict[type, Callable[[Any], Iterable[Happening]]] = {
            RequestEnded: self._request,
            AttemptEnded: self._attempt,
            BreakerMoved: self._breaker,
            Benched: self._bench,
            Unbenched: self._unbench,
            HealthChanged: self._health,
            BudgetCrossed: self._budget,
            Overrun: self._overrun,
        }

    @callback
    def listen(self, about: str, listener: Listener) -> CALLBACK_TYPE:
        """Hear what happens to a provider or to the `ROUTER`; the returned function ends it."""
        listeners = self._listeners.setdefault(about, [])
        listeners.append(listener)

        @callback
        def stop() -> None:
            listeners.remove(listener)
            if not listeners and self._listeners.get(about) is listeners:
                del self._listeners[about]

        return stop

    @callback
    def hear(self, event: CoreEvent) -> None:
        """Take an event of the core. It is told in the loop's next round: listeners may ask the router at once."""
        teller = self._tellers.get(type(event))
        if teller is not None:
            for happening in teller(event):
                self._hass.loop.call_soon(self._tell, happening)

    @callback
    def _tell(self, happening: Happening) -> None:
        context = None if happening.caused_by is None else Context(parent_id=happening.caused_by)
        self._hass.bus.async_fire(happening.kind.event_type, dict(happening.data), context=context)
        for listener in tuple(self._listeners.get(happening.about, ())):
            listener(happening)

    # --- what is made of the core's events -----------------------------------------------------------

    def _request(self, event: RequestEnded) -> Iterator[Happening]:
        reply, attempts, request = event.reply, event.attempts, event.request
        went_on = len(attempts) > 1 and len({attempt.target for attempt in attempts}) > 1
        every_one = self._entry.options.get(Conf.COMPLETED_EVENT)
        if reply is not None and not (went_on or every_one):
            return
        told: dict[str, Any] = {"request_id": request.id, "label": request.label}
        cause = request.caller.context_id
        if reply is None:
            if event.failure in _NOBODY_ANSWERED:
                data = {**told, "reason": event.failure, "failed": self._failed(attempts)}
                yield self._happening(Kind.ALL_FAILED, ROUTER, data, cause)
            return
        told |= self._target(reply.target)
        if went_on:
            yield self._happening(Kind.FAILOVER, ROUTER, {**told, "failed": self._failed(attempts)}, cause)
        if every_one:
            told |= {
                "cached": reply.cached,
                "attempts": len(attempts),
                "latency": round(event.latency, 3),
                "cost": _dollars(reply.cost),
                "estimated": reply.estimated,
                "input_tokens": reply.usage.input_tokens,
                "output_tokens": reply.usage.output_tokens,
            }
            yield self._happening(Kind.COMPLETED, ROUTER, told, cause)

    def _attempt(self, event: AttemptEnded) -> Iterator[Happening]:
        target, failure = event.attempt.target, event.attempt.outcome.failure
        if failure is None or failure.cls not in _LIMITED:
            return
        until = failure.retry_at
        data = {
            "model": target.model_id,
            "reason": failure.cls.value,
            "retry_at": None if until is None else dt_util.utc_from_timestamp(until).isoformat(),
        }
        yield self._happening(Kind.RATE_LIMITED, target.provider_id, data, event.request.caller.context_id)

    def _breaker(self, event: BreakerMoved) -> Iterator[Happening]:
        # One that opens again behind a probe in vain was never closed.
        if event.state is BreakerState.OPEN and event.target not in self._open:
            providers = self._router.config.providers
            self._open = {each for each in self._open if each.provider_id in providers} | {event.target}
            yield self._happening(Kind.BREAKER_OPENED, event.target.provider_id, {"model": event.target.model_id})
        elif event.state is BreakerState.CLOSED:
            self._open.discard(event.target)
            yield self._happening(Kind.BREAKER_CLOSED, event.target.provider_id, {"model": event.target.model_id})

    def _bench(self, event: Benched) -> Iterator[Happening]:
        # What only rests for a while is told by the attempt that was limited.
        if MEANING[event.failure.cls].bench:
            data = {"model": event.model_id, "reason": event.failure.cls.value}
            yield self._happening(Kind.BENCHED, event.provider_id, data)

    def _unbench(self, event: Unbenched) -> Iterator[Happening]:
        yield self._happening(Kind.UNBENCHED, event.provider_id, {"model": event.model_id})

    def _health(self, event: HealthChanged) -> Iterator[Happening]:
        data = {"before": event.before.value, "health": event.after.value, "reason": event.reason}
        self._ill.intersection_update(self._router.config.providers)
        if event.after is Level.UNHEALTHY:
            self._ill.add(event.provider_id)
            yield self._happening(Kind.PROVIDER_UNHEALTHY, event.provider_id, data)
        elif event.after is Level.DEGRADED and event.provider_id not in self._ill and self._past_threshold(event):
            self._ill.add(event.provider_id)
            yield self._happening(Kind.PROVIDER_DEGRADED, event.provider_id, data)
        elif event.after is Level.HEALTHY and (event.provider_id in self._ill or event.before is Level.UNHEALTHY):
            # On the way it may be tried again, or not known for a while: only an answer shows that it is well.
            self._ill.discard(event.provider_id)
            yield self._happening(Kind.PROVIDER_RECOVERED, event.provider_id, data)

    def _past_threshold(self, event: HealthChanged) -> bool:
        """Say whether too many failed or took too long; of one failure alone, the request itself tells."""
        enough = self._router.recent(event.provider_id).attempts >= self._router.config.health.enough
        return enough and event.reason in (FAILING, SLOW)

    def _budget(self, event: BudgetCrossed) -> Iterator[Happening]:
        data = {**self._bucket(event.bucket), "spent": _dollars(event.settled), "limit": _dollars(event.limit)}
        kind = Kind.BUDGET_EXCEEDED if event.exceeded else Kind.BUDGET_ALERT
        yield self._happening(kind, _about(event.bucket), data)

    def _overrun(self, event: Overrun) -> Iterator[Happening]:
        data = {
            **self._bucket(event.bucket),
            "provider": self._name(event.provider_id),
            "amount": _dollars(event.amount),
        }
        yield self._happening(Kind.OVERRUN, _about(event.bucket), data)

    # --- names ---------------------------------------------------------------------------------------

    def _happening(self, kind: Kind, about: str, data: Mapping[str, Any], cause: str | None = None) -> Happening:
        identifier = (DOMAIN, about or self._entry.entry_id)
        device = dr.async_get(self._hass).async_get_device_by_identifier(identifier, self._entry.entry_id)
        told = {ATTR_DEVICE_ID: None if device is None else device.id, ATTR_NAME: self._name(about), **data}
        return Happening(kind, about, self._redactor.redact_data(told), cause)

    def _name(self, about: str) -> str:
        return self._entry.title if about == ROUTER else self._names(about)

    def _target(self, target: Target) -> dict[str, Any]:
        return {"provider": self._name(target.provider_id), "model": target.model_id}

    def _failed(self, attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
        return [
            {**self._target(attempt.target), "outcome": failure.cls.value}
            for attempt in attempts
            if (failure := attempt.outcome.failure) is not None
        ]

    def _bucket(self, key: BucketKey) -> dict[str, Any]:
        owner: str | None = key.id or None
        if key.scope in (Scope.PROVIDER, Scope.POOL):
            owner = self._names(key.id)
        return {"scope": key.scope.value, "owner": owner, "window": key.window.value}


def _about(key: BucketKey) -> str:
    return key.id if key.scope is Scope.PROVIDER else ROUTER


def _dollars(amount: Picodollars) -> float:
    return float(to_dollars(amount))
