"""Tests of the credentials at rest."""
# ruff: noqa: ASYNC240 - nothing else runs on the loop while these tests look at their own small files

import asyncio
import base64
import logging
import time
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from homeassistant.core import HomeAssistant

from custom_components.ai_router.credentials import CredentialNotStored, CredentialUnreadable, Vault

SECRET = "sk-live-4f9aQ2_b7-ö"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".storage" / "ai_router"


@pytest.fixture
def key_file(folder: Path) -> Path:
    return folder / "credential.key"


async def test_round_trip(hass: HomeAssistant, folder: Path, key_file: Path) -> None:
    token = await Vault(hass).encrypt(SECRET)

    assert await Vault(hass).decrypt(token) == SECRET
    assert SECRET not in token
    assert base64.b64encode(SECRET.encode()).decode()[:8] not in token
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in folder.iterdir()] == ["credential.key"]


async def test_what_utf8_cannot_hold_is_no_error_with_the_key_in_it(hass: HomeAssistant) -> None:
    vault = Vault(hass)

    assert await vault.decrypt(await vault.encrypt(f"{SECRET}\ud800")) == f"{SECRET}\ud800"


async def test_no_key_file_before_the_first_credential(hass: HomeAssistant, folder: Path) -> None:
    with pytest.raises(CredentialUnreadable):
        await Vault(hass).decrypt("gAAAAA")

    assert not folder.exists()


@pytest.fixture
def keys_made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Make keys so slowly that two threads meet there, if they can; lists them."""
    made = []
    quick = Fernet.generate_key

    def slow() -> bytes:
        made.append(quick())
        time.sleep(0.05)
        return made[-1]

    monkeypatch.setattr(Fernet, "generate_key", slow)
    return made


async def test_first_use_by_many_at_once_makes_one_key(hass: HomeAssistant, keys_made: list[bytes]) -> None:
    tokens = await asyncio.gather(*(Vault(hass).encrypt(f"{SECRET}-{number}") for number in range(20)))

    read = await asyncio.gather(*(Vault(hass).decrypt(token) for token in tokens))

    assert read == [f"{SECRET}-{number}" for number in range(20)]
    assert len(keys_made) == 1


async def test_a_cancelled_first_use_lets_no_second_key_be_made(hass: HomeAssistant, keys_made: list[bytes]) -> None:
    vault = Vault(hass)
    first = asyncio.create_task(vault.encrypt(SECRET))
    while not keys_made:  # noqa: ASYNC110 - a thread fills it, and it sets no asyncio.Event
        await asyncio.sleep(0.001)
    first.cancel()

    token = await vault.encrypt(SECRET)

    assert await vault.decrypt(token) == SECRET
    assert len(keys_made) == 1


async def test_a_missing_key_file_is_made_anew_only_by_the_next_credential(hass: HomeAssistant, key_file: Path) -> None:
    vault = Vault(hass)
    old = await vault.encrypt(SECRET)
    key_file.unlink()

    with pytest.raises(CredentialUnreadable):
        await vault.decrypt(old)
    assert not key_file.exists()

    new = await vault.encrypt("another one")
    assert await vault.decrypt(new) == "another one"
    with pytest.raises(CredentialUnreadable):
        await vault.decrypt(old)


async def test_a_key_file_that_comes_back_is_good_again(hass: HomeAssistant, key_file: Path) -> None:
    vault = Vault(hass)
    token = await vault.encrypt(SECRET)
    kept = key_file.rename(key_file.with_name("kept"))
    with pytest.raises(CredentialUnreadable):
        await vault.decrypt(token)

    kept.rename(key_file)

    assert await vault.decrypt(token) == SECRET


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 44, base64.urlsafe_b64encode(bytes(32))])
async def test_a_changed_key_file(hass: HomeAssistant, key_file: Path, content: bytes) -> None:
    vault = Vault(hass)
    token = await vault.encrypt(SECRET)
    key_file.write_bytes(content)

    with pytest.raises(CredentialUnreadable):
        await vault.decrypt(token)
    assert key_file.read_bytes() == content

    assert await vault.decrypt(await vault.encrypt(SECRET)) == SECRET


@pytest.mark.parametrize("damage", ["", "ö", SECRET, "{token:.50}", "A{token}"])
async def test_a_damaged_token(hass: HomeAssistant, damage: str) -> None:
    vault = Vault(hass)
    damaged = damage.format(token=await vault.encrypt(SECRET))

    with pytest.raises(CredentialUnreadable) as caught:
        await vault.decrypt(damaged)

    assert caught.value.translation_key == "credential_unreadable"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert SECRET not in repr(caught.value)


async def test_what_a_crash_left_behind_is_no_obstacle(hass: HomeAssistant, folder: Path, key_file: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "credential.new").write_bytes(b"half a k")

    token = await Vault(hass).encrypt(SECRET)

    assert await Vault(hass).decrypt(token) == SECRET
    assert [file.name for file in folder.iterdir()] == ["credential.key"]


async def test_a_folder_that_cannot_be_made(hass: HomeAssistant, folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")

    with pytest.raises(CredentialNotStored) as caught:
        await Vault(hass).encrypt(SECRET)

    assert caught.value.translation_placeholders == {"reason": "Not a directory"}
    with pytest.raises(CredentialUnreadable):
        await Vault(hass).decrypt("gAAAAA")


async def test_a_variable_is_stored_by_name_and_looked_up_at_use(
    hass: HomeAssistant, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(hass)

    stored = await vault.encrypt("env:ROUTER_TEST_KEY")
    assert stored == "env:ROUTER_TEST_KEY"
    assert not folder.exists()

    monkeypatch.setenv("ROUTER_TEST_KEY", f"{SECRET}\n")
    assert await vault.decrypt(stored) == SECRET
    monkeypatch.setenv("ROUTER_TEST_KEY", "changed")
    assert await vault.decrypt(stored) == "changed"


@pytest.mark.parametrize("value", [None, "", " \n"])
async def test_a_missing_variable_is_named(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("ROUTER_TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("ROUTER_TEST_KEY", value)

    with pytest.raises(CredentialUnreadable) as caught:
        await Vault(hass).decrypt("env:ROUTER_TEST_KEY")

    assert caught.value.translation_key == "credential_variable_missing"
    assert caught.value.translation_placeholders == {"variable": "ROUTER_TEST_KEY"}


@pytest.mark.parametrize("plain", ["env:", "env:9X", "env:A B", "env:sk-live", "ENV:NAME", "env:NAME\n"])
async def test_what_only_looks_like_a_variable_is_encrypted(hass: HomeAssistant, plain: str) -> None:
    vault = Vault(hass)

    stored = await vault.encrypt(plain)

    assert stored != plain
    assert await vault.decrypt(stored) == plain


async def test_nothing_is_logged_or_shown(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vault = Vault(hass)
    token = await vault.encrypt(SECRET)
    await vault.decrypt(token)
    with pytest.raises(CredentialUnreadable):
        await vault.decrypt(token[:-5])

    assert SECRET not in caplog.text
    assert token[:20] not in caplog.text
    assert SECRET not in f"{vault!r} {vars(vault)}"
