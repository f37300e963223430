"""Builds the client of each provider from what is stored of it; one that did not change stays as it is."""

import logging
from collections.abc import Collection
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
from .routing.failures import AttemptFailed
from .routing.ports import Provider
from .settings import fingerprint, provider_models, reading

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

    def by_provider(self) -> dict[str, Provider]:
        """Return them by provider id."""
        return {provider_id: client for provider_id, (_, client) in self._built.items()}

    async def follow(self, subentries: Collection[ConfigSubentry]) -> dict[str, str]:
        """Bring them in step with the entry; return by provider id why its secrets could not be read.

        Raises `SettingsUnreadable`.
        """
        found: dict[str, str | None] = {}
        for subentry in subentries:
            with reading(subentry.title):
                found[subentry.subentry_id] = await self._follow(subentry)
        for gone in self._built.keys() - found.keys():
            del self._built[gone]
            self._redactor.remove(gone)
        return {provider_id: reason for provider_id, reason in found.items() if reason}

    async def _follow(self, subentry: ConfigSubentry) -> str | None:
        """Build a client where it has changed; say why the provider's secrets could not be read, if so."""
        kind_id = subentry.data[Conf.KIND]
        mark = f"{fingerprint(subentry)} {kinds(self._hass).number(kind_id)}"
        known = self._built.get(subentry.subentry_id)
        if known is not None and known[0] == mark:
            return None
        kind = kinds(self._hass).get(kind_id)
        if kind is None:
            self._wait(subentry, f"its kind {kind_id} is not known", logging.INFO)
            return None
        setup, unreadable = await self._setup(subentry, kind)
        try:
            client = kind.build(setup, async_get_clientsession(self._hass))
        except InvalidEndpoint as err:
            self._wait(subentry, f"its address cannot be used ({err.code})")
            return None
        except AttemptFailed as err:
            self._wait(subentry, err.failure.detail)
            return None
        self._built[subentry.subentry_id] = ("" if unreadable else mark, client)
        return unreadable

    def _wait(self, subentry: ConfigSubentry, why: str, level: int = logging.WARNING) -> None:
        _LOGGER.log(level, "Provider %s waits: %s", subentry.title, why)
        self._built.pop(subentry.subentry_id, None)

    async def _setup(self, subentry: ConfigSubentry, kind: Kind) -> tuple[ProviderSetup, str | None]:
        """Return what a client is built from, without the secrets that cannot be read, and why those cannot."""
        data = subentry.data
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
        headers, body = extras.get(Conf.EXTRA_HEADERS, {}), extras.get(Conf.EXTRA_BODY, {})
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
