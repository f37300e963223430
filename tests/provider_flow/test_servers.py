"""Servers and accounts, as they are added."""

import sys

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.providers.registry import KINDS
from custom_components.ai_router.routing.model import Capability
from tests.fakes import ollama as fake_ollama
from tests.fakes.cloudflare import ACCOUNT, FakeCloudflare
from tests.fakes.ollama import FakeOllama
from tests.fakes.server import FakeServer
from tests.flows import KEY, Dialog
from tests.household import ask

from .steps import ACCOUNTS, ASKED, NOWHERE, STORED_UNLIMITED, UNLIMITED, provider_id, stored

# --- Ollama -----------------------------------------------------------------------------------------


async def test_an_ollama_is_added(hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama) -> None:
    hub = entry.runtime_data
    dialog = await Dialog.add(hass, entry, "ollama")

    assert dialog.shown == {"name": "Ollama", "url": KINDS["ollama"].default_url, "local": False}

    await dialog.submit(url=f" {ollama.url} ")

    chat = [fake_ollama.CHAT_MODEL, fake_ollama.VISION_MODEL, fake_ollama.CLOUD_MODEL]
    assert (dialog.step, dialog.options_of("models")) == ("models", [*chat, fake_ollama.EMBEDDER])
    # What runs in a cloud is not added unasked.
    # Nor is it sent more than it answers.
    assert dialog.shown == {"models": chat[:2], "limits": UNLIMITED | {"concurrent": 2}, "patience": {}}
    assert [field["name"] for field in dialog.fields] == ["models", "limits", "patience"]

    await dialog.submit(models=[fake_ollama.VISION_MODEL, fake_ollama.CLOUD_MODEL, "fresh:1b", " ", "fresh:1b"])

    data = stored(entry, "Ollama")
    assert data | {"models": []} == {
        "kind": "ollama",
        "url": ollama.url,
        "options": {"local": False},
        "models": [],
        **STORED_UNLIMITED,
        "concurrent": 2,
    }
    config = hub.router.config.providers[provider_id(entry, "Ollama")]
    # What runs in a cloud is not local, and neither is what the server says nothing about.
    assert [(model.id, model.local, model.prices is not None) for model in config.models] == [
        (fake_ollama.VISION_MODEL, True, True),
        (fake_ollama.CLOUD_MODEL, False, False),
        ("fresh:1b", False, False),
    ]
    assert Capability.VISION in config.models[0].caps
    assert entry.runtime_data is hub
    assert (await ask(entry, config.id)).text == ollama.text


async def test_an_ollama_with_a_key(hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama) -> None:
    ollama.key = KEY
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)

    assert (dialog.step, dialog.errors) == ("ollama", {"api_key": "invalid_auth"})

    await dialog.submit(api_key=KEY)
    await dialog.submit()

    assert await Vault(hass).decrypt(stored(entry, "Ollama")["credential"]) == KEY


async def test_a_model_that_is_listed_at_last_becomes_what_it_is(
    hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama
) -> None:
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url, local=True)
    await dialog.submit(models=["fresh:1b"])
    assert [model["local"] for model in stored(entry, "Ollama")["models"]] == [False]
    ollama.models["fresh:1b"] = {"capabilities": ["completion"], "context_length": 4096}

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Ollama"))).submit()
    assert dialog.shown["models"] == ["fresh:1b"]
    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    (model,) = stored(entry, "Ollama")["models"]
    assert (model["id"], model["local"], model["context"]) == ("fresh:1b", True, 4096)


async def test_what_no_form_asks_for_holds_for_the_live_check_too(
    hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama
) -> None:
    await (await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)).submit()
    data = {**stored(entry, "Ollama"), "options": {"local": False, "num_ctx": 2048, "newer": "x"}}
    hass.config_entries.async_update_subentry(entry, entry.subentries[provider_id(entry, "Ollama")], data=data)

    await (await (await Dialog.change(hass, entry, provider_id(entry, "Ollama"))).submit()).submit()

    assert stored(entry, "Ollama")["options"] == {"num_ctx": 2048, "local": False, "newer": "x"}
    assert {model["context"] for model in stored(entry, "Ollama")["models"]} == {2048}


async def test_how_models_are_loaded(hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama) -> None:
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url, num_ctx=2048.0, keep_alive="soon")
    assert (dialog.step, dialog.errors) == ("ollama", {"keep_alive": "keep_alive_malformed"})
    await dialog.submit(keep_alive=" -1 ")
    await dialog.submit(models=[fake_ollama.CHAT_MODEL])

    assert stored(entry, "Ollama")["options"] == {"local": False, "num_ctx": 2048, "keep_alive": "-1"}
    assert [model["context"] for model in stored(entry, "Ollama")["models"]] == [2048]
    await ask(entry, provider_id(entry, "Ollama"))
    assert (ollama.bodies[-1]["keep_alive"], ollama.bodies[-1]["options"]["num_ctx"]) == (-1, 2048)

    # Emptied, both are left to the server.
    dialog = await Dialog.change(hass, entry, provider_id(entry, "Ollama"))
    assert {name: dialog.shown[name] for name in ("num_ctx", "keep_alive")} == {"num_ctx": 2048, "keep_alive": "-1"}
    await (await dialog.submit(num_ctx=None, keep_alive=None)).submit()

    assert stored(entry, "Ollama")["options"] == {"local": False}
    assert stored(entry, "Ollama")["models"][0]["context"] > 2048
    await ask(entry, provider_id(entry, "Ollama"))
    assert "keep_alive" not in ollama.bodies[-1]
    assert "num_ctx" not in ollama.bodies[-1]["options"]


# --- accounts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "fake", "name"), ACCOUNTS)
async def test_an_account_is_added(
    hass: HomeAssistant, entry: MockConfigEntry, kind: str, fake: type[FakeServer], name: str
) -> None:
    server = fake(key=KEY)
    await server.start()
    dialog = await Dialog.add(hass, entry, kind)

    assert dialog.shown == {"name": name}

    await dialog.submit(url=server.url, **ASKED[kind])

    assert (dialog.errors, server.requests) == ({"api_key": "key_missing"}, [])

    await dialog.submit(api_key=KEY)
    assert (dialog.step, "pictures" in dialog.shown) == ("models", False)
    (first, *_) = dialog.options_of("models")
    await dialog.submit(models=[first, "typed-1"], input_price=1, output_price=5)

    data = stored(entry, name)
    assert (data["url"], data["options"]) == (server.url, {**ASKED[kind], "input_price": "1", "output_price": "5"})
    assert [(model["id"], model["local"], model["input_price"]) for model in data["models"]] == [
        (first, False, "1"),
        ("typed-1", False, "1"),
    ]
    assert await Vault(hass).decrypt(data["credential"]) == KEY
    assert (await ask(entry, provider_id(entry, name))).text == server.text

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, name))).submit()
    await dialog.submit(limits={"priority": 1})
    await server.stop()

    assert dialog.step == "reconfigure_successful"
    assert stored(entry, name) == data | {"priority": 1}


@pytest.mark.parametrize(("kind", "fake", "name"), ACCOUNTS)
async def test_an_account_needs_no_address(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    kind: str,
    fake: type[FakeServer],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = fake(key=KEY)
    await server.start()
    monkeypatch.setattr(sys.modules[KINDS[kind].build.__module__], f"{kind.upper()}_URL", server.url)

    dialog = await (await Dialog.add(hass, entry, kind)).submit(url=f"{NOWHERE}/", api_key=KEY, **ASKED[kind])
    assert dialog.errors == {"url": "cannot_connect"}
    await dialog.submit(url=None)
    await dialog.submit()
    await server.stop()

    assert dialog.step == "create_entry"
    assert "url" not in stored(entry, name)


async def test_an_account_is_not_mistaken_for_a_key(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    server = FakeCloudflare(key=KEY)
    await server.start()
    dialog = await (await Dialog.add(hass, entry, "cloudflare")).submit(url=server.url, api_key=KEY, account_id="me")

    assert (dialog.errors, server.requests) == ({"account_id": "account"}, [])

    await dialog.submit(account_id=f" {ACCOUNT} ")
    await dialog.submit()
    await server.stop()

    assert stored(entry, "Cloudflare")["options"] == {"account_id": ACCOUNT}
    assert stored(entry, "Cloudflare")["requests_per_minute"] == 300
