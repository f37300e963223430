"""The key: checked, kept, and never shown."""

from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import KEY, Dialog
from tests.household import ask

from .steps import provider_id, stored


async def test_a_key_with_a_space_in_it(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=f"{KEY} and more")

    assert dialog.errors == {"api_key": "key_malformed"}
    assert not server.requests

    await dialog.submit(api_key=KEY)

    assert dialog.step == "models"


async def test_a_key_that_was_wrong_is_forgotten(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url="http://api.example.com", api_key=KEY)
    assert dialog.errors == {"url": "key_over_http"}

    server.key = None
    await dialog.submit(url=server.url)
    await dialog.submit()

    assert "credential" not in stored(entry, "Cloud")
    assert not any("Authorization" in seen.headers for seen in server.requests)


async def test_a_key_from_the_environment(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key="env:CLOUD_KEY")

    assert dialog.errors == {"api_key": "missing_variable"}
    assert dialog.result["description_placeholders"] == {"variable": "CLOUD_KEY"}
    assert not server.requests

    monkeypatch.setenv("CLOUD_KEY", KEY)
    await dialog.submit(api_key="env:CLOUD_KEY")
    await dialog.submit()

    assert stored(entry, "Cloud")["credential"] == "env:CLOUD_KEY"
    assert (await ask(entry, provider_id(entry, "Cloud"))).text == server.text


async def test_a_variable_that_holds_no_key(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_KEY", f"{KEY} and more")
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key="env:CLOUD_KEY")

    assert dialog.errors == {"api_key": "key_malformed"}
    assert not server.requests

    monkeypatch.setenv("CLOUD_KEY", KEY)

    assert (await dialog.submit(api_key="env:CLOUD_KEY")).step == "models"


async def test_a_key_that_cannot_be_stored(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, tmp_path: Path
) -> None:
    blocked = tmp_path / ".storage" / "ai_router" / "credential.new"
    blocked.mkdir()
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY)

    assert dialog.errors == {"base": "key_not_stored"}
    assert dialog.result["description_placeholders"]["reason"]
    assert not server.requests

    blocked.rmdir()
    await dialog.submit(api_key=KEY)

    assert dialog.step == "models"
