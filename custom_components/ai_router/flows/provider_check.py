"""Asks a server, before it is stored, whether it is there, takes the key and has models; says what is wrong where."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientSession
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import Conf
from ..credentials import CredentialNotStored, CredentialUnreadable, Vault
from ..hub import RouterConfigEntry
from ..providers.endpoint import EndpointProblem, InvalidEndpoint, base_url, is_in_the_house
from ..providers.extras import InvalidExtra, secrets_in, typed_body, typed_headers
from ..providers.presets import preset_of
from ..providers.registry import Kind, Need, ProviderSetup
from ..redaction import Redactor
from ..routing.failures import AttemptFailed, Failure, FailureClass
from ..routing.model import Capability, Model

NAME = "name"
URL = "url"
API_KEY = "api_key"
HEADERS = Conf.EXTRA_HEADERS.value
BODY = Conf.EXTRA_BODY.value
BASE = "base"
EXTRAS = (HEADERS, BODY)

_ENVIRONMENT = "env:"
# An empty field keeps what was entered before: this is what takes it away.
_NONE = "-"

# Ollama may be asked about each of its models in turn.
_SECONDS = 60.0

_ENDPOINT_FIELDS = {EndpointProblem.KEY_MALFORMED: API_KEY, EndpointProblem.ACCOUNT: "account_id"}
_PROBLEMS = {
    FailureClass.CREDENTIAL: (API_KEY, "invalid_auth"),
    FailureClass.NETWORK: (URL, "cannot_connect"),
    FailureClass.MALFORMED: (URL, "not_ai_server"),
    # No such path, in words with "model" in them.
    FailureClass.MODEL_MISSING: (URL, "not_ai_server"),
    FailureClass.BILLING: (BASE, "no_credit"),
}
_LATE = frozenset({FailureClass.TIMEOUT_CONNECT, FailureClass.TIMEOUT_FIRST_TOKEN, FailureClass.TIMEOUT_IDLE})
# Address and key are right, only now is not the time.
_WAITS = frozenset({FailureClass.RATE_LIMIT, FailureClass.QUOTA})


class FieldProblem(Exception):
    """What is wrong with one field of a form: a key of the translations and what stands in for its placeholders."""

    def __init__(self, field: str, error: str, placeholders: Mapping[str, str] | None = None) -> None:
        """Name the field and the error."""
        super().__init__(f"{field}: {error}")
        self.field = field
        self.error = error
        self.placeholders = placeholders or {}

    @classmethod
    def of_endpoint(cls, err: InvalidEndpoint) -> FieldProblem:
        """Say why an address or a key is not used."""
        return cls(_ENDPOINT_FIELDS.get(err.code, URL), err.code.value)

    @property
    def about_key(self) -> bool:
        """Whether another key, or none, is needed."""
        return self.field == API_KEY or self.error == EndpointProblem.KEY_OVER_HTTP


def _of_failure(failure: Failure, redactor: Redactor) -> FieldProblem:
    field, error = _PROBLEMS.get(failure.cls, (BASE, "unknown"))
    return FieldProblem(field, error, {"detail": redactor.redact(failure.detail)})


def _too_late(kind: Kind) -> FieldProblem:
    return FieldProblem(BASE, "not_ready_in_time") if kind.url is Need.NONE else FieldProblem(URL, "no_answer")


def same_server(one: str | None, other: str | None) -> bool:
    """Say whether two addresses, as they were typed, are one, however they are spelled."""
    return _spelled(one) == _spelled(other)


def _spelled(typed: str | None) -> tuple[object, ...]:
    try:
        url = base_url(typed or "")
    except InvalidEndpoint:
        return (typed,)
    return (url.scheme, url.host, url.port, url.path)


async def encrypted_extra(vault: Vault, name: str, text: str) -> str | None:
    """Return typed headers or fields as they are stored, None where they are to be removed. Raises `FieldProblem`."""
    if text == _NONE:
        return None
    try:
        extra = typed_headers(text) if name == HEADERS else typed_body(text)
    except InvalidExtra as err:
        raise FieldProblem(name, err.code.value, {"name": err.name}) from None
    return await encrypted(vault, json.dumps(extra)) if extra else None


async def encrypted(vault: Vault, key: str) -> str:
    """Return a typed key as it is stored. Raises `FieldProblem`: no key begins like the name of a variable."""
    start, variable = key[: len(_ENVIRONMENT)], key[len(_ENVIRONMENT) :]
    named = start.lower() == _ENVIRONMENT
    try:
        token = await vault.encrypt(f"{_ENVIRONMENT}{variable}" if named else key)
    except CredentialNotStored as err:
        raise FieldProblem(BASE, "key_not_stored", err.translation_placeholders) from None
    if named and not token.startswith(_ENVIRONMENT):
        raise FieldProblem(API_KEY, "missing_variable", {"variable": variable})
    return token


async def decrypted(vault: Vault, stored: str | None) -> str | None:
    """Return the key behind what is stored, None where there is none. Raises `FieldProblem`."""
    if stored is None:
        return None
    try:
        return await vault.decrypt(stored)
    except CredentialUnreadable:
        pass
    if stored.startswith(_ENVIRONMENT):
        raise FieldProblem(API_KEY, "missing_variable", {"variable": stored.removeprefix(_ENVIRONMENT)})
    raise FieldProblem(API_KEY, "key_unreadable")


async def ask_server(
    entry: RouterConfigEntry,
    owner: str,
    kind: Kind,
    options: Mapping[str, Any],
    *,
    url: str | None,
    credential: str | None,
    secrets: Mapping[str, str] | None = None,
) -> dict[str, Model]:
    """Check a server as it would be stored, and return its models by id; none where it only asks to wait.

    `owner` stands for it in logs, `credential` is what is stored for its key, `secrets` for what the household adds. A router that is local only asks nobody
    outside. Raises `FieldProblem`.
    """
    hub = entry.runtime_data
    key = await decrypted(hub.vault, credential)
    try:
        extras = await hub.vault.decrypt_all(secrets or {})
    except CredentialUnreadable:
        raise FieldProblem(BASE, "extras_unreadable") from None
    host = ""
    if kind.url is not Need.NONE:
        try:
            host = base_url(url or kind.default_url or "", key=key).host or ""
        except InvalidEndpoint as err:
            raise FieldProblem.of_endpoint(err) from None
    preset = preset_of(options.get("preset"), host) if kind.extras else None
    if key is None and (kind.key is Need.REQUIRED or (preset is not None and preset.key and not extras.get(HEADERS))):
        raise FieldProblem(API_KEY, "key_missing")
    if hub.options.get(Conf.LOCAL_ONLY) and not (options.get(Conf.LOCAL) or (host and is_in_the_house(host))):
        raise FieldProblem(Conf.LOCAL, "local_only") if kind.local_choice else FieldProblem(BASE, "never_local")
    headers, body = extras.get(HEADERS, {}), extras.get(BODY, {})
    setup = ProviderSetup(id=owner, kind=kind.id, url=url, key=key, options=options, headers=headers, body=body)
    return await listed_models(kind, setup, async_get_clientsession(hub.hass), hub.redactor)


async def listed_models(
    kind: Kind, setup: ProviderSetup, session: ClientSession, redactor: Redactor
) -> dict[str, Model]:
    """Check address and key, and return the models by id; none where the server only asks to wait.

    The key is hidden from logs meanwhile. Raises `FieldProblem`.
    """
    redactor.add(setup.id, [setup.key or "", *secrets_in(setup.headers, setup.body)])
    try:
        client = kind.build(setup, session)
        async with asyncio.timeout(_SECONDS):
            await client.probe()
            models = {model.id: model for model in await client.models()}
    except InvalidEndpoint as err:
        raise FieldProblem.of_endpoint(err) from None
    except TimeoutError:
        raise _too_late(kind) from None
    except AttemptFailed as err:
        if err.failure.cls in _WAITS:
            return {}
        if err.failure.cls in _LATE:
            raise _too_late(kind) from None
        if kind.url is Need.NONE:
            raise FieldProblem(BASE, "not_ready", {"detail": redactor.redact(err.failure.detail)}) from None
        raise _of_failure(err.failure, redactor) from None
    finally:
        redactor.remove(setup.id)
    if any(model.caps & (Capability.CHAT | Capability.EMBEDDINGS) for model in models.values()):
        return models
    raise FieldProblem(BASE, "no_models")
