"""Asks a server, before it is stored, whether it is there, takes the key and has models; says what is wrong where."""

import asyncio
from collections.abc import Mapping

from aiohttp import ClientSession

from .credentials import CredentialNotStored, CredentialUnreadable, Vault
from .providers.endpoint import EndpointProblem, InvalidEndpoint
from .providers.registry import Kind, ProviderSetup
from .redaction import Redactor
from .routing.failures import AttemptFailed, Failure, FailureClass
from .routing.model import Capability, Model

NAME = "name"
URL = "url"
API_KEY = "api_key"
BASE = "base"

_ENVIRONMENT = "env:"

# Ollama may be asked about each of its models in turn.
_SECONDS = 60.0

_ENDPOINT_FIELDS = {EndpointProblem.KEY_MALFORMED: API_KEY, EndpointProblem.ACCOUNT: "account_id"}
_PROBLEMS = {
    FailureClass.CREDENTIAL: (API_KEY, "invalid_auth"),
    FailureClass.NETWORK: (URL, "cannot_connect"),
    FailureClass.TIMEOUT_CONNECT: (URL, "cannot_connect"),
    FailureClass.TIMEOUT_FIRST_TOKEN: (URL, "cannot_connect"),
    FailureClass.TIMEOUT_IDLE: (URL, "cannot_connect"),
    FailureClass.MALFORMED: (URL, "not_ai_server"),
    # No such path, in words with "model" in them.
    FailureClass.MODEL_MISSING: (URL, "not_ai_server"),
    FailureClass.BILLING: (BASE, "no_credit"),
}
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


async def encrypted(vault: Vault, key: str) -> str:
    """Return a typed key as it is stored. Raises `FieldProblem`."""
    try:
        return await vault.encrypt(key)
    except CredentialNotStored as err:
        raise FieldProblem(BASE, "key_not_stored", err.translation_placeholders) from None


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


async def listed_models(
    kind: Kind, setup: ProviderSetup, session: ClientSession, redactor: Redactor
) -> dict[str, Model]:
    """Check address and key, and return the models by id; none where the server only asks to wait.

    The key is hidden from logs meanwhile. Raises `FieldProblem`.
    """
    redactor.add(setup.id, [setup.key or ""])
    try:
        client = kind.build(setup, session)
        async with asyncio.timeout(_SECONDS):
            await client.probe()
            models = {model.id: model for model in await client.models()}
    except InvalidEndpoint as err:
        raise FieldProblem.of_endpoint(err) from None
    except TimeoutError:
        raise FieldProblem(URL, "cannot_connect", {"detail": "no answer in time"}) from None
    except AttemptFailed as err:
        if err.failure.cls in _WAITS:
            return {}
        raise _of_failure(err.failure, redactor) from None
    finally:
        redactor.remove(setup.id)
    if any(Capability.CHAT in model.caps for model in models.values()):
        return models
    raise FieldProblem(BASE, "no_models")
