"""Credentials at rest: ciphertext from the first day, or the name of an environment variable.

The key file lies beside the ledger, so a shared or published `core.config_entries` gives nothing away. It does not
protect a stolen backup, which holds both.
"""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .const import DOMAIN

KEY_FILE: Final = "credential.key"

_VARIABLE: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
# Keys are text typed by people; what UTF-8 cannot hold must not end up in the text of a UnicodeEncodeError.
_LOSSLESS: Final = "surrogatepass"

# Held in executor threads while the key file is read or made, so that a cancelled caller cannot let a second one in.
_key_file = Lock()


class CredentialUnreadable(HomeAssistantError):
    """A stored credential cannot be turned back: ask for it again.

    `reason` says why in a few words, as it stands beside what servers say when they reject one.
    """

    reason = "the stored key cannot be read"


class CredentialNotStored(HomeAssistantError):
    """The key file can be neither read nor made, so nothing can be encrypted."""


class Vault:
    """Turns credentials into what is stored and back. Holds no secret itself; every call reads the key file."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Know where the key file is; it is made when the first credential is stored."""
        self._hass = hass
        self._path = Path(hass.config.path(".storage", DOMAIN, KEY_FILE))

    async def encrypt(self, plain: str) -> str:
        """Return what to store for a credential; `env:NAME` stays as it is. Raises `CredentialNotStored`."""
        if _VARIABLE.fullmatch(plain):
            return plain
        return await self._hass.async_add_executor_job(self._encrypt, plain)

    async def decrypt(self, token: str) -> str:
        """Return the credential behind what was stored, variables looked up now. Raises `CredentialUnreadable`."""
        if variable := _VARIABLE.fullmatch(token):
            if value := from_environment(token):
                return value
            raise _missing(variable[1])
        return await self._hass.async_add_executor_job(self._decrypt, token)

    async def decrypt_all(self, tokens: Mapping[str, str]) -> dict[str, Any]:
        """Return the data behind what was stored as JSON, by its name. Raises `CredentialUnreadable`."""
        return {name: json.loads(await self.decrypt(token)) for name, token in tokens.items()}

    def _encrypt(self, plain: str) -> str:
        try:
            with _key_file:
                fernet = self._read() or self._make()
        except OSError as err:
            raise CredentialNotStored(
                translation_domain=DOMAIN,
                translation_key="credential_not_stored",
                translation_placeholders={"reason": err.strerror or type(err).__name__},
            ) from err
        return fernet.encrypt(plain.encode(errors=_LOSSLESS)).decode()

    def _decrypt(self, token: str) -> str:
        try:
            with _key_file:
                fernet = self._read()
            if fernet is not None:
                return fernet.decrypt(token).decode(errors=_LOSSLESS)
        except OSError, InvalidToken, ValueError:
            pass
        raise CredentialUnreadable(translation_domain=DOMAIN, translation_key="credential_unreadable")

    def _read(self) -> Fernet | None:
        """Read the key file; None when there is none, or no key in it. Raises `OSError`."""
        try:
            return Fernet(self._path.read_bytes())
        except FileNotFoundError, ValueError:
            return None

    def _make(self) -> Fernet:
        """Make the key file, whole or not at all, before anything is encrypted with it. Raises `OSError`."""
        key = Fernet.generate_key()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            with suppress(OSError):  # some network shares cannot sync a folder
                os.fsync(folder)
        finally:
            os.close(folder)
        return Fernet(key)


def from_environment(stored: str | None) -> str | None:
    """Return what the environment holds now for a stored `env:NAME`; None for any other, and where it holds nothing."""
    variable = _VARIABLE.fullmatch(stored or "")
    return os.environ.get(variable[1], "").strip() or None if variable else None


def _missing(name: str) -> CredentialUnreadable:
    err = CredentialUnreadable(
        translation_domain=DOMAIN,
        translation_key="credential_variable_missing",
        translation_placeholders={"variable": name},
    )
    err.reason = f"the environment variable {name} is not set"
    return err
