"""Builds the router from the config entry, keeps it in step with the entry, and ends it."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.storage import Store

from .automations import async_watch_automations
from .bookkeeping import Bookkeeping
from .clock import SystemClock
from .const import DOMAIN, SUBENTRY_PROVIDER, Conf
from .coordinator import RouterCoordinator
from .credentials import CredentialUnreadable, Vault
from .events import Events
from .exact_tokens import ExactTokens
from .issues import Issues, async_show_too_new
from .kept_answers import KeptAnswers
from .names import Names
from .plug_ins import kinds
from .providers.endpoint import InvalidEndpoint
from .providers.extras import secrets_in
from .providers.price_table import PriceTable
from .providers.registry import ProviderSetup
from .redaction import Redactor, guard_logs
from .request_log import log_request
from .routing.benches import Bench
from .routing.breaker import OpenPeriod
from .routing.failures import AttemptFailed, FailureClass
from .routing.metrics import Sample
from .routing.model import Target
from .routing.ports import (
    Benched,
    BreakerMoved,
    CoreEvent,
    LedgerUnavailable,
    Provider,
    RequestEnded,
    Unbenched,
)
from .routing.router import Router
from .settings import fingerprint, provider_models, retention_days, router_config
from .storage.ledger import SqliteLedger
from .storage.schema import LedgerTooNew
from .tallies import Tallies
from .trail import Trail, acting_user
from .wording import Wording

_LOGGER = logging.getLogger(__name__)
_DRAIN_SECONDS = 5.0
_STATE_SAVE_SECONDS = 5.0
STATE_VERSION = 1
STATE_KEY = f"{DOMAIN}.state"
_SAMPLES = 100
_RETAIN_EVERY = timedelta(hours=24)
_LEARNED_EVERY = timedelta(minutes=5)
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
        self.exact_tokens = ExactTokens(hass, entry, self.router)
        self.kept_answers = KeptAnswers(hass, self.router, ledger, self.clock)
        self.trail = Trail(entry)
        self.names = Names(entry, ledger, self.clock)
        self._books = Bookkeeping(hass, ledger, self.clock, self.apply)
        self.events = Events(hass, entry, self.router, self.redactor, self.name_of)
        self.issues = Issues(self)
        self._clients: dict[str, tuple[str, Provider]] = {}
        self._unreadable: dict[str, str] = {}
        self._store: Store[dict[str, Any]] = Store(hass, STATE_VERSION, STATE_KEY, private=True)
        self._lock = asyncio.Lock()
        self._closing = self._ended = self._save_due = self._learned = False

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
            _LOGGER.error("The ledger was damaged; it is kept as %s, and %s", self.ledger.recovered.name, successor)
        await self.names.restore()
        self.entry.async_on_unload(guard_logs(self.redactor))
        self.entry.async_on_unload(async_watch_automations(self.hass))
        self.entry.async_on_unload(kinds(self.hass).listen(self._kind_moved))
        self.entry.async_on_unload(self.hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._house_moved))
        await self.apply()
        admission = self.router.admission
        now = self.clock.now()
        today = admission.calendar.day(now)
        started: dict[str, list[float]] = {}
        for provider_id, _, when in await self.ledger.started_since(now - _HOUR):
            started.setdefault(provider_id, []).append(when)
        for provider_id, times in started.items():
            admission.limits.restore_requests(provider_id, times)
        for provider_id in self.router.config.providers:
            recent = self.router.recent(provider_id)
            for past in reversed(await self.ledger.recent(provider_id, _SAMPLES)):
                sample = Sample(past.started, past.failure is None, past.latency, past.first_token, past.model_id)
                recent.add_sample(sample)
                if past.failure is not None:
                    recent.last_failure = (past.started, FailureClass(past.failure), "")
        self._restore_state(await self._store.async_load() or {})
        _LOGGER.debug("Opened with %d providers", len(self.router.config.providers))
        self.coordinator.start(await Tallies.read(self.ledger, today, self.router.config.week_start))
        self.entry.async_on_unload(self.router.subscribe(self._hear))
        self.entry.async_on_unload(self.router.subscribe(self._books.hear))
        self.entry.async_on_unload(self.router.subscribe(self.events.hear))
        self.entry.async_on_unload(self.router.subscribe(self.kept_answers.hear))
        self.router.watch_health()
        self.entry.async_on_unload(async_track_time_interval(self.hass, self._retain, _RETAIN_EVERY))
        self.entry.async_on_unload(async_track_time_interval(self.hass, self._keep_learned, _LEARNED_EVERY))

    def _restore_state(self, stored: Mapping[str, Any]) -> None:
        providers = self.router.config.providers
        for provider_id, model_id, *opened in stored.get("breakers", ()):
            if provider_id in providers:
                self.router.admission.breakers.restore(Target(provider_id, model_id), OpenPeriod(*opened))
        for provider_id, model_id, cls, detail, since, until, credential in stored.get("benches", ()):
            provider = providers.get(provider_id)
            if provider is not None and provider.credential == credential:
                bench = Bench(FailureClass(cls), detail, since, until)
                self.router.benches.restore((provider_id, model_id), bench)
        self.router.experiments.restore(stored.get("experiments", ()))
        self.router.memory.restore(stored.get("learned", {}))

    def score(self, request_id: str, value: float) -> bool:
        """Note what a caller thinks of an answer of an experiment, also over a restart; say whether it was one."""
        scored = self.router.score(request_id, value)
        if scored:
            self._save_soon()
        return scored

    def _save_soon(self) -> None:
        # Put off again with each change, a save would never come in a busy house.
        if not self._save_due:
            self._save_due = True
            self._store.async_delay_save(self._state, _STATE_SAVE_SECONDS)

    @callback
    def _keep_learned(self, _: datetime) -> None:
        """Save what was learned since the last time: losing some of it in a power cut does little harm."""
        if self._learned:
            self._save_soon()

    def _state(self) -> dict[str, Any]:
        self._save_due = self._learned = False
        providers = self.router.config.providers
        return {
            "breakers": [[*target, *opened] for target, opened in self.router.admission.breakers.opened().items()],
            "benches": [
                [*key, bench.cls, bench.detail, bench.since, bench.until, providers[key[0]].credential]
                for key, bench in self.router.benches.all().items()
                # Whether a key can be read is seen anew at every start.
                if key[0] in providers and not (key[1] is None and key[0] in self._unreadable)
            ],
            "experiments": self.router.experiments.state(),
            "learned": self.router.memory.state(),
        }

    async def _retain(self, _: datetime) -> None:
        """Let go of attempts that are older than the household wants; the sums by day stay."""
        # A ledger that cannot be written says so itself; tomorrow is another day.
        with suppress(LedgerUnavailable):
            today = self.router.admission.calendar.day(self.clock.now())
            await self.ledger.retain(today, retention_days(self.entry.options))

    @callback
    def _kind_moved(self, kind_id: str) -> None:
        """Start providers of a kind that has come, and let those of a kind that is gone wait."""
        if any(each.data[Conf.KIND] == kind_id for each in self.entry.get_subentries_of_type(SUBENTRY_PROVIDER)):
            self.entry.async_create_task(self.hass, self.apply(), f"{DOMAIN} follows {kind_id}")

    @callback
    def _house_moved(self, event: Event[Mapping[str, Any]]) -> None:
        """Let days, weeks and months begin where the household's clocks say."""
        if "time_zone" in event.data:
            self.entry.async_create_task(self.hass, self.apply(), f"{DOMAIN} follows the time zone")

    @callback
    def _hear(self, event: CoreEvent) -> None:
        if isinstance(event, BreakerMoved | Benched | Unbenched):
            self._save_soon()
        elif isinstance(event, RequestEnded):
            self._learned = self._learned or bool(event.attempts)
            if self.router.experiments.is_part(event):
                self._save_soon()
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
            subentries = self.entry.get_subentries_of_type(SUBENTRY_PROVIDER)
            unreadable = {subentry.subentry_id: await self._client(subentry) for subentry in subentries}
            for gone in self._clients.keys() - {subentry.subentry_id for subentry in subentries}:
                del self._clients[gone]
                self.redactor.remove(gone)
            clients = {provider_id: client for provider_id, (_, client) in self._clients.items()}
            config = router_config(self.entry, clients, self.hass.config.time_zone, self.table)
            # Read before the change: a new budget must not look empty for a moment.
            self.router.apply(config, await self._books.history(config))
            await self.kept_answers.follow(self.entry.options)
            self._unreadable = {provider_id: reason for provider_id, reason in unreadable.items() if reason}
            for provider_id, reason in self._unreadable.items():
                bench = Bench(FailureClass.CREDENTIAL, reason, self.clock.now(), None, unread=True)
                self.router.benches.restore((provider_id, None), bench)
        self.exact_tokens.follow(self.entry.options)
        self.coordinator.refresh_soon()
        self.issues.follow_entry()

    async def in_step(self) -> None:
        """Wait for a change that is being applied: whoever asks after it must find it in force."""
        if self._lock.locked():
            async with self._lock:
                pass

    async def _client(self, subentry: ConfigSubentry) -> str | None:
        """Build a provider's client where it has changed; say why its credential could not be read, if so."""
        data = subentry.data
        mark = f"{fingerprint(subentry)} {kinds(self.hass).number(data[Conf.KIND])}"
        known = self._clients.get(subentry.subentry_id)
        if known is not None and known[0] == mark:
            return None
        kind = kinds(self.hass).get(data[Conf.KIND])
        if kind is None:
            _LOGGER.info("Provider %s waits: its kind %s is not known", subentry.title, data[Conf.KIND])
            self._clients.pop(subentry.subentry_id, None)
            return None
        key: str | None = None
        unreadable: str | None = None
        if stored := data.get(Conf.CREDENTIAL):
            try:
                key = await self.vault.decrypt(stored)
            except CredentialUnreadable as err:
                _LOGGER.warning("Provider %s: %s", subentry.title, err)
                unreadable = err.reason
            else:
                self.redactor.add(subentry.subentry_id, [key])
        extras: dict[str, Any] = {}
        try:
            extras = await self.vault.decrypt_all(data.get(Conf.SECRETS, {}))
        except CredentialUnreadable as err:
            _LOGGER.warning("Provider %s: %s", subentry.title, err)
            unreadable = err.reason
        headers, body = extras.get(Conf.EXTRA_HEADERS, {}), extras.get(Conf.EXTRA_BODY, {})
        self.redactor.add(subentry.subentry_id, secrets_in(headers, body))
        setup = ProviderSetup(
            id=subentry.subentry_id,
            kind=kind.id,
            url=data.get(Conf.URL),
            key=key,
            models=provider_models(data, self.table),
            options=data.get(Conf.OPTIONS, {}),
            headers=headers,
            body=body,
        )
        try:
            client = kind.build(setup, async_get_clientsession(self.hass))
        except InvalidEndpoint as err:
            _LOGGER.warning("Provider %s waits: its address cannot be used (%s)", subentry.title, err.code)
            self._clients.pop(subentry.subentry_id, None)
            return None
        except AttemptFailed as err:
            _LOGGER.warning("Provider %s waits: %s", subentry.title, err.failure.detail)
            self._clients.pop(subentry.subentry_id, None)
            return None
        self._clients[subentry.subentry_id] = ("" if unreadable else mark, client)
        return unreadable

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
        await self._store.async_save(self._state())
        async with self._lock:
            self._ended = True
            await self._close_files()

    async def _close_files(self) -> None:
        await self.kept_answers.close()
        await self.ledger.close()


async def _price_table(hass: HomeAssistant) -> PriceTable:
    """Read the shipped table; a damaged installation knows no prices, which is not the same as free."""
    try:
        return await hass.async_add_executor_job(PriceTable.load)
    except OSError, ValueError:
        _LOGGER.exception("The price table cannot be read; install AI Router again. Prices you set still hold")
        return PriceTable()
