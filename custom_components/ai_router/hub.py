"""Builds the router from the config entry, keeps it in step with the entry, and ends it."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.storage import Store

from .clock import SystemClock
from .const import DOMAIN, SUBENTRY_PROVIDER, Conf
from .coordinator import RouterCoordinator
from .credentials import CredentialUnreadable, Vault
from .providers.endpoint import InvalidEndpoint
from .providers.registry import KINDS, ProviderSetup
from .redaction import Redactor, guard_logs
from .routing.benches import Bench
from .routing.calendar import Calendar
from .routing.config import RouterConfig
from .routing.failures import FailureClass
from .routing.metrics import Sample
from .routing.model import Target
from .routing.ports import (
    Benched,
    BreakerMoved,
    CoreEvent,
    LedgerUnavailable,
    Provider,
    RequestEnded,
    Spending,
    Unbenched,
)
from .routing.router import Router
from .routing.tickets import Window
from .settings import fingerprint, model_from_stored, router_config
from .storage.ledger import SqliteLedger
from .storage.schema import LedgerTooNew

_LOGGER = logging.getLogger(__name__)
_DRAIN_SECONDS = 5.0
_STATE_SAVE_SECONDS = 5.0
_STATE_VERSION = 1
_SAMPLES = 100
_RETAIN_EVERY = timedelta(hours=24)
_RETAIN_DAYS = 400
_HOUR = 3_600.0

type RouterConfigEntry = ConfigEntry[Hub]


class Hub:
    """The router of one entry with everything around it."""

    def __init__(self, hass: HomeAssistant, entry: RouterConfigEntry, ledger: SqliteLedger) -> None:
        """Put the parts together; `open` does what needs to wait."""
        self.hass = hass
        self.entry = entry
        self.ledger = ledger
        self.clock = SystemClock(hass.loop)
        self.router = Router(self.clock, ledger)
        self.vault = Vault(hass)
        self.redactor = Redactor()
        self.coordinator = RouterCoordinator(hass, entry, self.router, self.clock)
        self._clients: dict[str, tuple[str, Provider]] = {}
        self._store: Store[dict[str, Any]] = Store(hass, _STATE_VERSION, f"{DOMAIN}.state", private=True)
        self._lock = asyncio.Lock()
        self._closing = self._ended = False

    @classmethod
    async def open(cls, hass: HomeAssistant, entry: RouterConfigEntry) -> Hub:
        """Open the ledger, settle what an earlier run left open, and bring the router up to where it was."""
        clock = SystemClock(hass.loop)
        try:
            ledger = await SqliteLedger.open(Path(hass.config.path(".storage", DOMAIN)), clock.now())
        except LedgerTooNew as err:
            raise ConfigEntryError(translation_domain=DOMAIN, translation_key="ledger_too_new") from err
        except LedgerUnavailable as err:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="ledger_not_opened",
                translation_placeholders={"error": str(err)},
            ) from err
        hub = cls(hass, entry, ledger)
        try:
            await hub._restore()
        except LedgerUnavailable as err:
            await ledger.close()
            raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="ledger_unavailable") from err
        except BaseException:
            await ledger.close()
            raise
        return hub

    async def _restore(self) -> None:
        dead = await self.ledger.replay()
        if dead:
            _LOGGER.warning("%d attempts had no known end and were booked at what was held for them", len(dead))
        if self.ledger.recovered is not None:
            successor = "its last snapshot took its place" if self.ledger.from_snapshot else "a new one was begun"
            _LOGGER.error("The ledger was damaged; it is kept as %s, and %s", self.ledger.recovered.name, successor)
        self.entry.async_on_unload(guard_logs(self.redactor))
        await self.apply()
        admission = self.router.admission
        now = self.clock.now()
        today = admission.calendar.day(now)
        started: dict[str, list[float]] = {}
        for provider_id, _, when in await self.ledger.started_since(now - _HOUR):
            started.setdefault(provider_id, []).append(when)
        for provider_id, times in started.items():
            admission.restore_requests(provider_id, times)
        for provider_id in self.router.config.providers:
            recent = self.router.recent(provider_id)
            for past in reversed(await self.ledger.recent(provider_id, _SAMPLES)):
                recent.add_sample(Sample(past.started, past.failure is None, past.latency, past.first_token))
                if past.failure is not None:
                    recent.last_failure = (past.started, FailureClass(past.failure), "")
        self._restore_state(await self._store.async_load() or {})
        _LOGGER.debug("Opened with %d providers", len(self.router.config.providers))
        self.coordinator.start(today, await self.ledger.requests_on(today))
        self.entry.async_on_unload(self.router.subscribe(self._hear))
        self.entry.async_on_unload(async_track_time_interval(self.hass, self._retain, _RETAIN_EVERY))

    def _restore_state(self, stored: Mapping[str, Any]) -> None:
        providers = self.router.config.providers
        for provider_id, model_id, opened in stored.get("breakers", ()):
            if provider_id in providers:
                self.router.admission.breakers.restore(Target(provider_id, model_id), opened)
        for provider_id, model_id, cls, detail, since, until, credential in stored.get("benches", ()):
            provider = providers.get(provider_id)
            if provider is not None and provider.credential == credential:
                bench = Bench(FailureClass(cls), detail, since, until)
                self.router.benches.restore((provider_id, model_id), bench)

    def _state(self) -> dict[str, Any]:
        providers = self.router.config.providers
        return {
            "breakers": [[*target, opened] for target, opened in self.router.admission.breakers.opened().items()],
            "benches": [
                [*key, bench.cls, bench.detail, bench.since, bench.until, providers[key[0]].credential]
                for key, bench in self.router.benches.all().items()
                if key[0] in providers
            ],
        }

    async def _retain(self, _: datetime) -> None:
        """Let go of attempts that are older than a year; the sums by day stay."""
        # A ledger that cannot be written says so itself; tomorrow is another day.
        with suppress(LedgerUnavailable):
            await self.ledger.retain(self.router.admission.calendar.day(self.clock.now()), _RETAIN_DAYS)

    @callback
    def _hear(self, event: CoreEvent) -> None:
        if isinstance(event, BreakerMoved | Benched | Unbenched):
            self._store.async_delay_save(self._state, _STATE_SAVE_SECONDS)
        elif isinstance(event, RequestEnded):
            _LOGGER.debug(
                "Request %s: %s after %d attempts and %.3f s",
                event.request.id,
                event.failure or "answered",
                len(event.attempts),
                event.latency,
            )

    async def apply(self) -> None:
        """Bring the router in step with the entry. Traffic goes on; what did not change keeps its client."""
        async with self._lock:
            if self._ended:
                return
            subentries = self.entry.get_subentries_of_type(SUBENTRY_PROVIDER)
            unreadable = [subentry for subentry in subentries if not await self._client(subentry)]
            for gone in self._clients.keys() - {subentry.subentry_id for subentry in subentries}:
                del self._clients[gone]
                self.redactor.remove(gone)
            clients = {provider_id: client for provider_id, (_, client) in self._clients.items()}
            config = router_config(self.entry, clients, self.hass.config.time_zone)
            # Read before the change: a new budget must not look empty for a moment.
            self.router.apply(config, await self._history(config))
            for subentry in unreadable:
                bench = Bench(FailureClass.CREDENTIAL, "the stored key cannot be read", self.clock.now(), None)
                self.router.benches.restore((subentry.subentry_id, None), bench)
        self.coordinator.refresh_soon()

    async def _history(self, config: RouterConfig) -> list[Spending]:
        """Return what was spent in all windows that still run."""
        calendar = Calendar(config.zone, config.week_start)
        now = self.clock.now()
        # A week may have begun in the month before.
        first = min(calendar.window_id(Window.MONTH, now) + "-01", calendar.window_id(Window.WEEK, now))
        everything = any(
            budget.window is Window.TOTAL
            for budgets in (config.budgets, *(provider.budgets for provider in config.providers.values()))
            for budget in budgets
        )
        await self.ledger.flush()
        by = ("day", "provider_id", "user_id", "label")
        rows = await self.ledger.usage("" if everything else first, calendar.day(now), by)
        return [
            Spending(day, provider_id, user_id, label, row.cost)
            for row in rows
            for day, provider_id, user_id, label in (row.key,)
        ]

    async def _client(self, subentry: ConfigSubentry) -> bool:
        """Build a provider's client where it has changed; say whether its credential could be read."""
        mark = fingerprint(subentry)
        known = self._clients.get(subentry.subentry_id)
        if known is not None and known[0] == mark:
            return True
        data = subentry.data
        kind = KINDS.get(data[Conf.KIND])
        if kind is None:
            _LOGGER.warning("Provider %s waits: its kind %s is not known", subentry.title, data[Conf.KIND])
            return True
        key: str | None = None
        readable = True
        if stored := data.get(Conf.CREDENTIAL):
            try:
                key = await self.vault.decrypt(stored)
            except CredentialUnreadable as err:
                _LOGGER.warning("Provider %s: %s", subentry.title, err)
                readable = False
            else:
                self.redactor.add(subentry.subentry_id, [key])
        setup = ProviderSetup(
            id=subentry.subentry_id,
            kind=kind.id,
            url=data.get(Conf.URL),
            key=key,
            models=tuple(model_from_stored(model) for model in data[Conf.MODELS]),
            options=data.get(Conf.OPTIONS, {}),
        )
        try:
            client = kind.build(setup, async_get_clientsession(self.hass))
        except InvalidEndpoint as err:
            _LOGGER.warning("Provider %s waits: its address cannot be used (%s)", subentry.title, err.code)
            self._clients.pop(subentry.subentry_id, None)
            return True
        self._clients[subentry.subentry_id] = (mark if readable else "", client)
        return readable

    def provider_name(self, provider_id: str) -> str:
        """Return a provider's name; its id where it has been removed in the meantime."""
        provider = self.router.config.providers.get(provider_id)
        return provider_id if provider is None else provider.name

    async def close(self) -> None:
        """Let requests end for a few seconds, stop and settle the rest, and put everything on disk. Once is enough."""
        if self._closing:
            return
        self._closing = True
        await self.router.close(_DRAIN_SECONDS)
        await self._store.async_save(self._state())
        async with self._lock:
            self._ended = True
            await self.ledger.close()
