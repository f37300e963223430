"""Builds the client of each provider from what is stored of it; one that did not change stays as it is."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import Conf
from .credentials import CredentialUnreadable, Vault
from .plug_ins import kinds
from .providers.endpoint import InvalidEndpoint
from .providers.extras import secrets_in
from .providers.price_table import PriceTable
from .providers.registry import Kind, ProviderSetup
from .redaction import Redactor
from .routing.config import WaitingProvider
from .routing.failures import AttemptFailed
from .routing.model import Model
from .routing.plans import Why
from .routing.ports import Provider
from .settings import StoredSubentry, fingerprint, provider_models
from .stored_values import UNREADABLE, mapping, mapping_of, text

_LOGGER = logging.getLogger(__name__)


class Clients:
    """The clients of an entry's providers. A provider without one waits: its kind or its address cannot be used."""

    def __init__(self, hass: HomeAssistant, vault: Vault, redactor: Redactor, table: PriceTable) -> None:
        """Begin with none; what is secret of a provider is hidden as soon as it is decrypted."""
        self._hass = hass
        self._vault = vault
        self._redactor = redactor
        self._table = table
        # With what each was built from; "" asks to build it anew next time.
        self._built: dict[str, tuple[str, Provider]] = {}
        self._waiting: dict[str, WaitingProvider] = {}
        self._known: set[str] = set()
        self._unusable: dict[str, tuple[str, ...]] = {}

    def by_provider(self) -> dict[str, Provider]:
        """Return them by provider id."""
        return {provider_id: client for provider_id, (_, client) in self._built.items()}

    @property
    def waiting(self) -> Mapping[str, WaitingProvider]:
        """Those without a client, by provider id."""
        return dict(self._waiting)

    @property
    def unusable(self) -> Mapping[str, tuple[str, ...]]:
        """By provider id, the settings that its kind can make nothing of."""
        return self._unusable

    async def follow(self, providers: Iterable[StoredSubentry]) -> dict[str, str]:
        """Bring them in step with what is stored; return by provider id why its secrets could not be read."""
        found: dict[str, str | None] = {}
        self._unusable = {}
        self._waiting = {}
        for subentry, settings in providers:
            if settings.unreadable:
                why = f"what is stored of it cannot be read: {', '.join(settings.unreadable)}"
                self._wait(subentry, settings.safe, why)
                found[subentry.subentry_id] = None
            else:
                found[subentry.subentry_id] = await self._follow(subentry, settings.safe)
        for gone in self._known - found.keys():
            self._built.pop(gone, None)
            self._redactor.remove(gone)
        self._known = set(found)
        return {provider_id: reason for provider_id, reason in found.items() if reason}

    async def _follow(self, subentry: ConfigSubentry, data: Mapping[str, Any]) -> str | None:
        """Build a client where it has changed; say why the provider's secrets could not be read, if so."""
        kind_id = data[Conf.KIND]
        # Some speak to one model otherwise than to another.
        mark = f"{fingerprint(data, Conf.MODELS)} {kinds(self._hass).number(kind_id)}"
        known = self._built.get(subentry.subentry_id)
        if known is not None and known[0] == mark:
            return None
        kind = kinds(self._hass).get(kind_id)
        if kind is None:
            self._wait(subentry, data, f"its kind {kind_id} is not known", logging.INFO, Why.KIND_UNKNOWN)
            return None
        try:
            setup, unreadable = await self._setup(subentry, data, kind)
        except UNREADABLE as err:
            self._refuse(subentry, data, Conf.SECRETS, err)
            return None
        try:
            client = kind.build(setup, async_get_clientsession(self._hass))
        except InvalidEndpoint as err:
            self._wait(subentry, data, f"its address cannot be used ({err.code})")
            return None
        except AttemptFailed as err:
            self._wait(subentry, data, err.failure.detail)
            return None
        except UNREADABLE as err:
            self._refuse(subentry, data, Conf.OPTIONS, err)
            return None
        self._built[subentry.subentry_id] = ("" if unreadable else mark, client)
        return unreadable

    def _refuse(self, subentry: ConfigSubentry, data: Mapping[str, Any], setting: Conf, err: Exception) -> None:
        self._unusable[subentry.subentry_id] = (setting.value,)
        self._wait(subentry, data, f"what is stored of it cannot be used: {setting} ({type(err).__name__})")

    def _wait(
        self,
        subentry: ConfigSubentry,
        data: Mapping[str, Any],
        words: str,
        level: int = logging.WARNING,
        why: Why = Why.UNUSABLE,
    ) -> None:
        _LOGGER.log(level, "Provider %s waits: %s", subentry.title, words)
        self._built.pop(subentry.subentry_id, None)
        models: tuple[Model, ...] = ()
        # They may be what cannot be read.
        with suppress(*UNREADABLE):
            models = provider_models(data, self._table)
        users = data.get(Conf.USERS)
        self._waiting[subentry.subentry_id] = WaitingProvider(
            subentry.subentry_id,
            subentry.title,
            models,
            why,
            data.get(Conf.ENABLED, True),
            None if users is None else frozenset(users),
        )

    async def _setup(
        self, subentry: ConfigSubentry, data: Mapping[str, Any], kind: Kind
    ) -> tuple[ProviderSetup, str | None]:
        """Return what a client is built from, without the secrets that cannot be read, and why those cannot.

        Raises one of `UNREADABLE` where what was encrypted is nothing that can be sent.
        """
        key: str | None = None
        extras: dict[str, Any] = {}
        unreadable: str | None = None
        try:
            if stored := data.get(Conf.CREDENTIAL):
                key = await self._vault.decrypt(stored)
        except CredentialUnreadable as err:
            _LOGGER.warning("Provider %s: %s", subentry.title, err)
            unreadable = err.reason
        try:
            extras = await self._vault.decrypt_all(data.get(Conf.SECRETS, {}))
        except CredentialUnreadable as err:
            _LOGGER.warning("Provider %s: %s", subentry.title, err)
            unreadable = err.reason
        headers = mapping_of(text)(extras.get(Conf.EXTRA_HEADERS, {}))
        body = dict(mapping(extras.get(Conf.EXTRA_BODY, {})))
        self._redactor.add(subentry.subentry_id, [key or "", *secrets_in(headers, body)])
        setup = ProviderSetup(
            id=subentry.subentry_id,
            kind=kind.id,
            url=data.get(Conf.URL),
            key=key,
            models=provider_models(data, self._table),
            options=data.get(Conf.OPTIONS, {}),
            headers=headers,
            body=body,
        )
        return setup, unreadable
