"""Builds the router from the config entry, keeps it in step with the entry, and ends it."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers.event import async_track_time_interval

from .automations import async_watch_automations
from .availability_log import AvailabilityLog
from .bookkeeping import Bookkeeping
from .clients import Clients
from .clock import SystemClock
from .const import DOMAIN, SUBENTRY_PROVIDER, Conf
from .coordinator import RouterCoordinator
from .credentials import Vault
from .events import Events
from .exact_tokens import ExactTokens
from .issues import Issues
from .kept_answers import KeptAnswers
from .names import Names
from .plug_ins import kinds
from .problems import async_show_not_opened, async_show_too_new
from .providers.price_table import PriceTable
from .redaction import Redactor, guard_logs
from .request_log import log_request
from .routing.benches import Bench
from .routing.failures import FailureClass
from .routing.metrics import Sample
from .routing.ports import CoreEvent, LedgerUnavailable, RequestEnded
from .routing.router import Router
from .saved_state import SavedState
from .settings import Stored, retention_days, router_config
from .storage.ledger import SqliteLedger
from .storage.metrics import last_failures
from .storage.schema import LedgerTooNew
from .tallies import Tallies
from .trail import Trail, acting_user
from .wording import Wording

_LOGGER = logging.getLogger(__name__)
_DRAIN_SECONDS = 5.0
_SAMPLES = 100
_RETAIN_EVERY = timedelta(hours=24)
_HOUR = 3_600.0

type RouterConfigEntry = ConfigEntry[Hub]


class Hub:
    """The router of one entry with everything around it."""

    def __init__(self, hass: HomeAssistant, entry: RouterConfigEntry, ledger: SqliteLedger, table: PriceTable) -> None:
        """Put the parts together; `open` does what needs to wait."""
        self.hass = hass
        self.entry = entry
        self.ledger = ledger
        self.table = table
        self.clock = SystemClock(hass.loop)
        self.router = Router(self.clock, ledger)
        self.vault = Vault(hass)
        self.redactor = Redactor()
        self.coordinator = RouterCoordinator(hass, entry, self.router, self.clock)
        self._exact_tokens = ExactTokens(hass, entry, self.router)
        self._kept_answers = KeptAnswers(hass, self.router, ledger, self.clock)
        self.trail = Trail(entry)
        self.names = Names(entry, ledger, self.clock)
        self._books = Bookkeeping(hass, ledger, self.clock, self.apply)
        self.events = Events(hass, entry, self.router, self.redactor, self.name_of)
        self.issues = Issues(self)
        self._clients = Clients(hass, self.vault, self.redactor, table)
        self._state = SavedState(hass, self.router)
        self._lock = asyncio.Lock()
        self._closing = self._ended = False
        self._stored = Stored.of(entry)

    @classmethod
    async def open(cls, hass: HomeAssistant, entry: RouterConfigEntry) -> Hub:
        """Open the ledger, settle what an earlier run left open, and bring the router up to where it was."""
        clock = SystemClock(hass.loop)
        table = await _price_table(hass)
        try:
            ledger = await SqliteLedger.open(Path(hass.config.path(".storage", DOMAIN)), clock.now())
        except LedgerTooNew as err:
            async_show_too_new(hass)
            raise ConfigEntryError(translation_domain=DOMAIN, translation_key="ledger_too_new") from err
        except LedgerUnavailable as err:
            # A disk may be full, or not there yet: tried again, no restart is needed.
            async_show_not_opened(hass, str(err))
            raise ConfigEntryNotReady(
                translation_domain=DOMAIN,
                translation_key="ledger_not_opened",
                translation_placeholders={"error": str(err)},
            ) from err
        hub = cls(hass, entry, ledger, table)
        try:
            await hub._restore()
        except LedgerUnavailable as err:
            await hub._close_files()
            raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="ledger_unavailable") from err
        except BaseException:
            await hub._close_files()
            raise
        return hub

    async def _restore(self) -> None:
        dead = await self.ledger.replay()
        if dead:
            _LOGGER.warning("%d attempts had no known end and were booked at what was held for them", len(dead))
        if self.ledger.recovered is not None:
            successor = "its last snapshot took its place" if self.ledger.from_snapshot else "a new one was begun"
            _LOGGER.error(
                "The ledger could not be used (%s); it is kept as %s, and %s",
                self.ledger.wrong,
                self.ledger.recovered.name,
                successor,
            )
        await self.names.restore()
        # Before the first client is built: what is logged from here on may hold a key, and kinds may come and go.
        self.entry.async_on_unload(guard_logs(self.redactor))
        self.entry.async_on_unload(async_watch_automations(self.hass))
        self.entry.async_on_unload(kinds(self.hass).listen(self._kind_moved))
        self.entry.async_on_unload(self.hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._house_moved))
        await self.apply()
        await self._recall()
        await self._state.restore()
        _LOGGER.debug("Opened with %d providers", len(self.router.config.providers))
        today = self.router.admission.calendar.day(self.clock.now())
        self.coordinator.start(await Tallies.read(self.ledger, today, self.router.config.week_start))
        for hear in (self._hear, self._state.hear, self._books.hear, self.events.hear, self._kept_answers.hear):
            self.entry.async_on_unload(self.router.subscribe(hear))
        self.entry.async_on_unload(self.router.subscribe(AvailabilityLog(self.router).hear))
        self.router.watch_health()
        self.entry.async_on_unload(async_track_time_interval(self.hass, self._retain, _RETAIN_EVERY))
        self.entry.async_on_unload(self._state.keep_learned())

    async def _recall(self) -> None:
        """Bring back from the ledger the attempts of the last hour, for the limits, and how each provider did lately."""
        used: dict[str, list[tuple[float, int]]] = {}
        for each in await self.ledger.started_since(self.clock.now() - _HOUR):
            used.setdefault(each.provider_id, []).append((each.started, each.tokens))
        for provider_id, attempts in used.items():
            self.router.admission.limits.restore(provider_id, attempts)
        for provider_id in self.router.config.providers:
            recent = self.router.recent(provider_id)
            for past in reversed(await self.ledger.recent(provider_id, _SAMPLES)):
                sample = Sample(past.started, past.failure is None, past.latency, past.first_token, past.model_id)
                recent.add_sample(sample)
        # It may be older than those.
        for provider_id, (started, failure) in (await last_failures(self.ledger.reader)).items():
            if provider_id in self.router.config.providers:
                # A newer version, with the same tables, may know others.
                known = FailureClass(failure) if failure in FailureClass else FailureClass.UNKNOWN
                self.router.recent(provider_id).last_failure = (started, known, "")

    def score(self, request_id: str, value: float) -> bool:
        """Note what a caller thinks of an answer of an experiment, also over a restart; say whether it was one."""
        scored = self.router.score(request_id, value)
        if scored:
            self._state.save_soon()
        return scored

    async def _retain(self, _: datetime) -> None:
        """Let go of attempts that are older than the household wants; the sums by day stay."""
        # A ledger that cannot be written says so itself; tomorrow is another day.
        with suppress(LedgerUnavailable):
            today = self.router.admission.calendar.day(self.clock.now())
            await self.ledger.retain(today, retention_days(self.options))

    @callback
    def _kind_moved(self, kind_id: str) -> None:
        """Start providers of a kind that has come, and let those of a kind that is gone wait."""
        if any(each.data.get(Conf.KIND) == kind_id for each in self.entry.get_subentries_of_type(SUBENTRY_PROVIDER)):
            self.entry.async_create_task(self.hass, self.apply(), f"{DOMAIN} follows {kind_id}")

    @callback
    def _house_moved(self, event: Event[Mapping[str, Any]]) -> None:
        """Let days, weeks and months begin where the household's clocks say."""
        if "time_zone" in event.data:
            self.entry.async_create_task(self.hass, self.apply(), f"{DOMAIN} follows the time zone")

    @callback
    def _hear(self, event: CoreEvent) -> None:
        if isinstance(event, RequestEnded):
            log_request(event, self.provider_name)

    async def apply(self) -> None:
        """Bring the router in step with the entry. Traffic goes on; what did not change keeps its client.

        A ledger that cannot be used keeps no setting from coming into force: it may be one that stops something.
        """
        # Whose doing it is, is known only now.
        self._books.remember(self.trail.changes(self.entry), acting_user())
        async with self._lock:
            if self._ended:
                return
            await self._books.note()
            await self.names.follow()
            stored = Stored.of(self.entry)
            unreadable = await self._clients.follow(stored.of_type(SUBENTRY_PROVIDER))
            config = router_config(stored, self._clients.by_provider(), self.hass.config.time_zone, self.table)
            config = replace(config, waiting=self._clients.waiting)
            # Read before the change: a new budget must not look empty for a moment.
            self.router.apply(config, await self._books.history(config))
            self._stored = stored
            await self._kept_answers.follow(self.options)
            for provider_id, reason in unreadable.items():
                bench = Bench(FailureClass.CREDENTIAL, reason, self.clock.now(), None, unread=True)
                self.router.benches.restore((provider_id, None), bench)
        self._exact_tokens.follow(self.options)
        self.coordinator.refresh_soon()
        self.issues.follow_entry()

    async def in_step(self) -> None:
        """Wait for a change that is being applied: whoever asks after it must find it in force."""
        if self._lock.locked():
            async with self._lock:
                pass

    @property
    def options(self) -> Mapping[str, Any]:
        """The router's options as they are in force, with what holds instead of those that cannot be read."""
        return self._stored.options.safe

    @property
    def unreadable(self) -> Mapping[str, tuple[str, ...]]:
        """Which stored settings cannot be read, by the subentry's id; '' are the router's options."""
        return {**self._stored.unreadable(), **self._clients.unusable}

    def name_of(self, subentry_id: str) -> str:
        """Return the name of a provider, a pool or a rule, also of one that has been removed."""
        return self.names.of(subentry_id)

    def provider_name(self, provider_id: str) -> str:
        """Return a provider's name as it is in force, also of one that has been removed."""
        provider = self.router.config.providers.get(provider_id)
        return self.names.of(provider_id) if provider is None else provider.name

    @property
    def wording(self) -> Wording:
        """The texts of the household's language, which may change at any time."""
        return Wording(self.hass)

    async def close(self) -> None:
        """Let requests end for a few seconds, stop and settle the rest, and put everything on disk. Once is enough."""
        if self._closing:
            return
        self._closing = True
        self._books.stop()
        await self.router.close(_DRAIN_SECONDS)
        await self._state.save()
        async with self._lock:
            self._ended = True
            await self._close_files()

    async def _close_files(self) -> None:
        await self._kept_answers.close()
        await self.ledger.close()


async def _price_table(hass: HomeAssistant) -> PriceTable:
    """Read the shipped table; a damaged installation knows no prices, which is not the same as free."""
    try:
        return await hass.async_add_executor_job(PriceTable.load)
    except OSError, ValueError:
        _LOGGER.exception("The price table cannot be read; install AI Router again. Prices you set still hold")
        return PriceTable()
