"""The key: checked, kept, and never shown."""

from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.refusals import RequestFailed
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


@pytest.mark.parametrize("typed", ["env:", "env:2CLOUD", "Env:CLOUD-KEY"])
async def test_what_begins_like_a_variable_is_no_key(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, typed: str
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=typed)

    assert dialog.errors == {"api_key": "missing_variable"}
    assert dialog.result["description_placeholders"] == {"variable": typed[4:]}
    assert not server.requests, "its name is nobody else's business"


async def test_a_variable_may_be_written_in_capitals(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_KEY", KEY)
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await (await dialog.submit(name="Cloud", url=server.url, api_key="ENV:CLOUD_KEY")).submit()

    assert stored(entry, "Cloud")["credential"] == "env:CLOUD_KEY"


@pytest.mark.parametrize(("length", "error"), [(8_000, "invalid_auth"), (8_001, "key_malformed")])
async def test_what_is_too_long_for_a_header_is_no_key(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, length: int, error: str
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key="k" * length)

    assert dialog.errors == {"api_key": error}
    assert bool(server.requests) is (error == "invalid_auth")


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


async def test_a_variable_that_is_gone_at_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_KEY", KEY)
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key="env:CLOUD_KEY")
    await dialog.submit()
    cloud = provider_id(entry, "Cloud")
    server.requests.clear()

    monkeypatch.delenv("CLOUD_KEY")
    assert await hass.config_entries.async_reload(entry.entry_id)

    router = entry.runtime_data.router
    bench = router.benches.all()[(cloud, None)]
    assert (bench.cls, bench.detail) == (FailureClass.CREDENTIAL, "the environment variable CLOUD_KEY is not set")
    with pytest.raises(RequestFailed):
        await ask(entry, cloud)
    assert not server.requests

    # It is back at the next one, without anybody's doing.
    monkeypatch.setenv("CLOUD_KEY", KEY)
    assert await hass.config_entries.async_reload(entry.entry_id)

    assert (await ask(entry, cloud)).text == server.text


async def test_a_variable_with_another_key_is_tried_again(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_KEY", KEY)
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key="env:CLOUD_KEY")
    await dialog.submit()
    cloud = provider_id(entry, "Cloud")
    server.key = "sk-another"
    with pytest.raises(RequestFailed):
        await ask(entry, cloud)

    # A rejected key is remembered over a restart, and only as long as it is that key.
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert (cloud, None) in entry.runtime_data.router.benches.all()
    monkeypatch.setenv("CLOUD_KEY", "sk-another")
    assert await hass.config_entries.async_reload(entry.entry_id)

    assert (await ask(entry, cloud)).text == server.text


async def test_the_day_a_key_was_typed(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to("2026-11-01T10:00:00+00:00")
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY)
    await dialog.submit()
    assert stored(entry, "Cloud")["credential_since"] == "2026-11-01T10:00:00+00:00"

    # A change of anything else does not make it younger, another key does.
    freezer.move_to("2026-11-20T10:00:00+00:00")
    change = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit()
    await change.submit(limits={"priority": 1})
    assert stored(entry, "Cloud")["credential_since"] == "2026-11-01T10:00:00+00:00"

    change = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit(api_key=KEY)
    await change.submit()
    assert stored(entry, "Cloud")["credential_since"] == "2026-11-20T10:00:00+00:00"


async def test_the_old_key_works_until_the_new_one_is_verified(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY)
    await dialog.submit()
    cloud = provider_id(entry, "Cloud")

    change = await (await Dialog.change(hass, entry, cloud)).submit(api_key="sk-not-yet-valid")
    assert change.errors == {"api_key": "invalid_auth"}
    assert (await ask(entry, cloud, "While it is typed")).text == server.text

    # Verified, but not saved yet: requests still carry the old one.
    server.key = "sk-next"
    await change.submit(api_key="sk-next")
    assert change.step == "models"
    server.key = KEY
    assert (await ask(entry, cloud, "Before it is saved")).text == server.text

    server.key = "sk-next"
    await change.submit()
    assert (await ask(entry, cloud, "Afterwards")).text == server.text
