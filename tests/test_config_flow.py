"""Setting the router up, in a real Home Assistant."""

import asyncio
from collections.abc import AsyncGenerator
from typing import override

import pytest
from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from custom_components.ai_router import config_flow
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.flows.key_renewal import ERRORS

from .fakes.ollama import CHAT_MODEL, CLOUD_MODEL, VISION_MODEL, FakeOllama
from .flows import Dialog, OddServer, Silent, english, running, texts_in
from .household import ask

# Nothing listens on the discard port.
NOWHERE = "http://127.0.0.1:9"
EMBEDDING_MODEL = "nomic-embed-text:latest"


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> list[str]:
    """Look for an Ollama here, not at its usual addresses."""
    places = [NOWHERE, NOWHERE]
    monkeypatch.setattr(config_flow, "OLLAMA_ADDRESSES", places)
    return places


@pytest.fixture
async def ollama() -> AsyncGenerator[FakeOllama]:
    server = FakeOllama()
    await server.start()
    yield server
    await server.stop()


# --- set-up ----------------------------------------------------------------------------------------


async def test_without_an_ollama_there_is_nothing_to_fill_in(hass: HomeAssistant) -> None:
    dialog = await Dialog.set_up(hass)

    assert (dialog.step, dialog.fields) == ("user", [])

    await dialog.answer()

    assert dialog.step == "create_entry"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert (entry.title, dict(entry.data), dict(entry.options)) == ("AI Router", {}, {})
    assert not entry.subentries
    assert entry.state is ConfigEntryState.LOADED


async def test_an_ollama_is_offered_and_added(hass: HomeAssistant, addresses: list[str], ollama: FakeOllama) -> None:
    addresses[1] = ollama.url
    dialog = await Dialog.set_up(hass)

    assert dialog.shown == {"add_ollama": True}
    assert dialog.result["description_placeholders"] == {"address": ollama.url, "models": "4"}

    await dialog.submit()

    assert dialog.step == "create_entry"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    (provider,) = entry.subentries.values()
    assert (provider.title, provider.subentry_type) == ("Ollama", "provider")
    assert dict(provider.data) | {"models": []} == {
        "kind": "ollama",
        "url": ollama.url,
        "options": {"local": False},
        "models": [],
        "priority": 0,
    }
    # What sees pictures goes first; embeddings cannot answer, and what runs in a cloud is not added unasked.
    assert [model["id"] for model in provider.data["models"]] == [VISION_MODEL, CHAT_MODEL]
    assert all(model["local"] for model in provider.data["models"])

    reply = await ask(entry, provider.subentry_id)

    assert (reply.text, reply.cost) == (ollama.text, 0)


async def test_an_ollama_may_be_left_out(hass: HomeAssistant, addresses: list[str], ollama: FakeOllama) -> None:
    addresses[0] = ollama.url
    dialog = await (await Dialog.set_up(hass)).submit(add_ollama=False)

    assert dialog.step == "create_entry"
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    assert not entry.subentries


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (200, "<!DOCTYPE html><html></html>", "text/html"),
        (200, "[]", "application/json"),
        (200, '{"models": {"name": "a"}}', "application/json"),
        (200, '{"models": [{"id": "a"}, "b", {"name": 1}]}', "application/json"),
        (200, '{"models": []}', "application/json"),
        (401, '{"error": "unauthorized"}', "application/json"),
    ],
)
async def test_what_does_not_look_like_an_ollama_is_not_offered(
    hass: HomeAssistant, addresses: list[str], status: int, body: str, content_type: str
) -> None:
    async with OddServer(status, body, content_type) as odd:
        addresses[0] = odd.url
        dialog = await Dialog.set_up(hass)

    assert odd.asked == 1
    assert (dialog.step, dialog.fields) == ("user", [])


async def test_redirects_are_not_followed(hass: HomeAssistant, addresses: list[str], ollama: FakeOllama) -> None:
    async with OddServer(302, Location=f"{ollama.url}/api/tags") as odd:
        addresses[0] = odd.url
        dialog = await Dialog.set_up(hass)

    assert odd.asked == 1
    assert not ollama.requests
    assert not dialog.fields


async def test_who_does_not_answer_in_time_is_not_waited_for(
    hass: HomeAssistant, addresses: list[str], ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_flow, "_LOOK_SECONDS", 0.2)
    async with Silent() as silent:
        addresses[:] = [silent.url, ollama.url]
        dialog = await Dialog.set_up(hass)

    assert silent.asked == 1
    assert dialog.result["description_placeholders"]["address"] == ollama.url


class Shy(OddServer):
    """Answers as an Ollama once it is asked together with the other one."""

    both: asyncio.Barrier

    @override
    async def respond(self) -> web.StreamResponse:
        await self.both.wait()
        return web.json_response({"models": [{"name": "a"}]})


async def test_all_addresses_are_asked_together_and_the_first_wins(hass: HomeAssistant, addresses: list[str]) -> None:
    Shy.both = asyncio.Barrier(2)
    async with Shy() as first, Shy() as second:
        addresses[:] = [first.url, second.url]
        dialog = await Dialog.set_up(hass)

    assert dialog.result["description_placeholders"] == {"address": first.url, "models": "1"}


async def test_an_ollama_that_goes_away_can_come_back(
    hass: HomeAssistant, addresses: list[str], ollama: FakeOllama
) -> None:
    addresses[0] = ollama.url
    dialog = await Dialog.set_up(hass)
    await ollama.stop()

    await dialog.submit()

    assert (dialog.step, dialog.errors) == ("user", {"add_ollama": "ollama_gone"})

    await ollama.start()
    await dialog.submit()

    assert dialog.step == "create_entry"


@pytest.mark.parametrize("left", [CLOUD_MODEL, EMBEDDING_MODEL])
async def test_an_ollama_without_a_model_of_use_can_be_left_out(
    hass: HomeAssistant, addresses: list[str], ollama: FakeOllama, left: str
) -> None:
    ollama.models = {left: ollama.models[left]}
    addresses[0] = ollama.url
    dialog = await (await Dialog.set_up(hass)).submit()

    assert dialog.errors == {"add_ollama": "no_models"}

    await dialog.submit(add_ollama=False)

    assert dialog.step == "create_entry"


async def test_there_is_only_one_router(hass: HomeAssistant) -> None:
    await running(hass)

    dialog = await Dialog.set_up(hass)

    assert dialog.step == "single_instance_allowed"
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


# --- translations ----------------------------------------------------------------------------------


def test_the_texts_can_be_used_as_they_are() -> None:
    for part in ("config", "options", "config_subentries"):
        for text in texts_in(english()[part]):
            # Home Assistant's own check of translations refuses these.
            assert "://" not in text
            assert "'{" not in text
            assert text == text.strip()


def test_every_error_has_its_sentence_and_every_sentence_its_error() -> None:
    assert set(english()["config"]["error"]) == {"ollama_gone"} | (ERRORS - {"not_raised", "price_missing", "key_same"})
