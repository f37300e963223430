"""Changing a provider while everything runs, and a router that stays in the house."""

import asyncio
from pathlib import Path

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.flows import provider_check
from tests.fakes import ollama as fake_ollama
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI
from tests.flows import KEY, Dialog, running
from tests.household import ask

from .steps import ACCOUNTS, ASKED, NOWHERE, PRICED, UNLIMITED, add_server, names, provider_id, stored


# --- changing ---------------------------------------------------------------------------------------
async def test_what_changes_meanwhile_is_kept(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    await add_server(hass, entry, server)
    server_id = provider_id(entry, "Cloud")
    slow = await (await Dialog.change(hass, entry, server_id)).submit()

    server.key = "sk-another"
    fast = await (await Dialog.change(hass, entry, server_id)).submit(api_key="sk-another")
    await fast.submit()
    data = {**stored(entry, "Cloud"), "of_a_later_version": "x"}
    hass.config_entries.async_update_subentry(entry, entry.subentries[server_id], data=data)
    await slow.submit(limits={"priority": 3})

    assert stored(entry, "Cloud") == {**data, "priority": 3}


async def test_an_address_that_is_only_spelled_in_another_way_is_the_same_server(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    await add_server(hass, entry, server, models=[CHAT_MODEL])
    server_id = provider_id(entry, "Cloud")
    dialog = await (await Dialog.change(hass, entry, server_id, "choose_model")).answer(model=CHAT_MODEL)
    await dialog.submit(prices={"input_price": 7, "output_price": 9})
    own = {"input_price": "7", "output_price": "9"}
    for spelled in (f"{server.url}/", server.url.removeprefix("http://"), f" {server.url.upper().replace('V1', 'v1')}"):
        dialog = await (await Dialog.change(hass, entry, server_id)).submit(url=spelled)
        await dialog.submit()
        assert (stored(entry, "Cloud")["url"], stored(entry, "Cloud")["models"][0]["own"]) == (spelled.strip(), own)

    other = FakeOpenAI(key=KEY)
    await other.start()
    dialog = await (await Dialog.change(hass, entry, server_id)).submit(url=other.url)
    await dialog.submit()
    await other.stop()
    assert "own" not in stored(entry, "Cloud")["models"][0], "of another server, it is another model"


async def test_a_model_whose_id_ends_in_spaces_is_asked_by_this_id(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    server.models = [{"id": name, "object": "model"} for name in (" odd ", "a/ünï ☃", "x" * 500)]
    await add_server(hass, entry, server, models=[" odd ", "  typed "])

    assert [model["id"] for model in stored(entry, "Cloud")["models"]] == [" odd ", "typed"]
    assert (await ask(entry)).target.model_id == " odd "


async def test_changing_a_server_keeps_its_key_and_everything_that_is_not_changed(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    before = await add_server(
        hass, entry, server, models=[VISION_MODEL], pictures="no", limits={"priority": 7, "budget_day": 1}
    )
    hub, server_id = entry.runtime_data, provider_id(entry, "Cloud")
    server.requests.clear()

    dialog = await Dialog.change(hass, entry, server_id)

    assert dialog.step == "openai_compatible"
    assert dialog.shown == {"name": "Cloud", "url": server.url, "local": False}

    await dialog.submit()

    assert dialog.step == "models"
    assert dialog.shown == {
        "models": [VISION_MODEL],
        "pictures": "no",
        "limits": UNLIMITED | {"priority": 7, "budget_day": 1.0},
        "patience": {},
    }

    await dialog.submit(limits={"priority": 8})

    assert dialog.step == "reconfigure_successful"
    assert {seen.headers["Authorization"] for seen in server.requests} == {f"Bearer {KEY}"}
    assert stored(entry, "Cloud") == {**before, "priority": 8}
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    assert hub.router.config.providers[server_id].priority == 8


async def test_a_new_key_is_checked_before_it_takes_the_old_one_s_place(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    before = await add_server(hass, entry, server)
    server_id = provider_id(entry, "Cloud")

    dialog = await (await Dialog.change(hass, entry, server_id)).submit(api_key="sk-wrong")

    assert dialog.errors == {"api_key": "invalid_auth"}
    assert stored(entry, "Cloud") == before

    # Empty is the stored one again.
    await dialog.submit()

    assert dialog.step == "models"

    server.key = "sk-another"
    dialog = await (await Dialog.change(hass, entry, server_id)).submit(api_key="sk-another")
    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    assert await Vault(hass).decrypt(stored(entry, "Cloud")["credential"]) == "sk-another"
    assert (await ask(entry, server_id)).text == server.text


async def test_a_stored_key_that_cannot_be_read_is_asked_for(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, tmp_path: Path
) -> None:
    await add_server(hass, entry, server)
    (tmp_path / ".storage" / "ai_router" / "credential.key").unlink()

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit()

    assert dialog.errors == {"api_key": "key_unreadable"}

    await dialog.submit(api_key=KEY)

    assert (await dialog.submit()).step == "reconfigure_successful"


async def test_another_server_is_asked_for_its_own_models(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    await add_server(hass, entry, server)
    other = FakeOpenAI(key=KEY)
    other.models = [{"id": "other-1"}, {"id": VISION_MODEL}]
    await other.start()
    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit(url=other.url)

    assert dialog.options_of("models") == ["other-1", VISION_MODEL]
    assert dialog.shown["models"] == [VISION_MODEL]

    other.models = [{"id": "other-1"}]
    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit(url=other.url)
    await other.stop()

    assert dialog.shown["models"] == ["other-1"]

    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    assert (stored(entry, "Cloud")["url"], [model["id"] for model in stored(entry, "Cloud")["models"]]) == (
        other.url,
        ["other-1"],
    )


async def test_a_model_that_is_not_listed_any_more_stays_as_it_was(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    told = {"id": "gone-1", "pricing": PRICED, "context_length": 1234}
    server.models = [told]
    before = await add_server(hass, entry, server)
    server.models = [{"id": CHAT_MODEL}]
    server_id = provider_id(entry, "Cloud")

    dialog = await (await Dialog.change(hass, entry, server_id)).submit()
    assert (dialog.options_of("models"), dialog.shown["models"]) == ([CHAT_MODEL, "gone-1"], ["gone-1"])
    await dialog.submit()

    assert stored(entry, "Cloud") == before

    # With other settings, what was known no longer holds.
    dialog = await (await Dialog.change(hass, entry, server_id)).submit(local=True)
    await dialog.submit(models=["gone-1", CHAT_MODEL])

    gone, listed = stored(entry, "Cloud")["models"]
    assert (gone["id"], gone["local"], gone["context"], gone["input_price"]) == ("gone-1", True, None, None)
    assert (listed["id"], listed["local"]) == (CHAT_MODEL, True)


async def test_traffic_goes_on_while_a_provider_is_changed(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, ollama: FakeOllama
) -> None:
    await add_server(hass, entry, server)
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)
    await dialog.submit(models=[fake_ollama.CHAT_MODEL])
    changed, other = provider_id(entry, "Cloud"), provider_id(entry, "Ollama")
    server.hold()
    ollama.hold()
    asked = [asyncio.create_task(ask(entry, provider)) for provider in (changed, other)]
    async with asyncio.timeout(10):
        while not (server.waiting and ollama.waiting):  # noqa: ASYNC110 - the servers tell it only when asked
            await asyncio.sleep(0.01)

    dialog = await (await Dialog.change(hass, entry, changed)).submit(name="Sky")
    await dialog.submit(pictures="yes")
    server.release()
    ollama.release()

    assert [reply.text for reply in await asyncio.gather(*asked)] == [server.text, ollama.text]
    assert (server.left, ollama.left) == (0, 0)
    assert names(entry) == ["Sky", "Ollama"]
    assert entry.runtime_data.router.config.providers[changed].name == "Sky"
    assert (await ask(entry, changed)).text == server.text


# --- local only -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "errors"),
    [
        ("ollama", {"local": "local_only"}),
        ("openai_compatible", {"local": "local_only"}),
        *((kind, {"base": "never_local"}) for kind, _, _ in ACCOUNTS),
    ],
)
async def test_a_router_that_stays_in_the_house_asks_nobody_outside(
    hass: HomeAssistant, kind: str, errors: dict[str, str]
) -> None:
    entry = await running(hass, local_only=True)
    dialog = await Dialog.add(hass, entry, kind)
    # Whoever looked this name up would fail the test.
    await dialog.submit(name="A", url="https://ai.example.com", api_key=KEY, **ASKED[kind])

    assert (dialog.step, dialog.errors) == (kind, errors)

    await dialog.submit(url=NOWHERE)

    assert dialog.errors == {"url": "cannot_connect"}


@pytest.mark.parametrize("kind", ["ollama", "openai_compatible"])
async def test_a_domain_of_one_s_own_may_be_in_the_house(
    hass: HomeAssistant, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_check, "is_in_the_house", lambda _: False)  # as if the loopback had such a name
    entry = await running(hass, local_only=True)
    dialog = await (await Dialog.add(hass, entry, kind)).submit(name="A", url=NOWHERE)
    assert dialog.errors == {"local": "local_only"}

    await dialog.submit(local=True)

    assert dialog.errors == {"url": "cannot_connect"}


async def test_a_server_that_is_said_to_stand_in_the_house(
    hass: HomeAssistant, server: FakeOpenAI, ollama: FakeOllama
) -> None:
    entry = await running(hass, local_only=True)
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cellar", url=server.url, api_key=KEY, local=True)
    await dialog.submit(models=[CHAT_MODEL, "typed-1"])
    await (await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)).submit()

    config = entry.runtime_data.router.config.providers[provider_id(entry, "Cellar")]
    assert [(model.id, model.local) for model in config.models] == [(CHAT_MODEL, True), ("typed-1", True)]
    assert all(model.prices is not None and model.prices.free for model in config.models)
    assert (await ask(entry, config.id)).text == server.text
    assert stored(entry, "Cellar")["options"] == {"local": True, "pictures": "auto"}
