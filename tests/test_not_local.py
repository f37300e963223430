"""A model that was in the house and has moved to a cloud: noticed, said, and right again once somebody has looked."""

from collections.abc import AsyncGenerator

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.fakes.ollama import CHAT_MODEL, VISION_MODEL, FakeOllama
from tests.flows import Dialog, running
from tests.household import ask

from .provider_flow.steps import provider_id, stored


@pytest.fixture
async def ollama(socket_enabled: None) -> AsyncGenerator[FakeOllama]:
    server = FakeOllama()
    await server.start()
    yield server
    await server.stop()


def issues(hass: HomeAssistant) -> list[str]:
    return [issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN]


async def test_it_is_asked_again_only_as_what_it_is(hass: HomeAssistant, ollama: FakeOllama) -> None:
    entry = await running(hass)
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)
    await dialog.submit(models=[CHAT_MODEL])
    attic = provider_id(entry, "Ollama")
    ollama.models[CHAT_MODEL] |= {"remote_host": "https://ollama.com:443", "remote_model": "qwen3"}

    for _ in range(2):
        with pytest.raises(RequestFailed):
            await ask(entry, attic)
    await hass.async_block_till_done()

    # Nothing that was asked has left the house.
    assert ollama.bodies == []
    assert issues(hass) == [f"model_not_local_{attic}_{CHAT_MODEL}"]
    (bench,) = entry.runtime_data.router.benches.of_provider(attic, 0.0).values()
    assert (bench.cls, bench.until) == (FailureClass.NOT_LOCAL, None)

    dialog = await (await Dialog.change(hass, entry, attic)).submit()
    await dialog.submit(models=[CHAT_MODEL, VISION_MODEL])
    await hass.async_block_till_done()

    assert [model["local"] for model in stored(entry, "Ollama")["models"]] == [False, True]
    assert issues(hass) == []
    assert (await ask(entry, attic)).target.model_id == CHAT_MODEL
    known = entry.runtime_data.router.config.providers[attic].models
    assert [(model.id, model.local, model.prices is not None) for model in known] == [
        (CHAT_MODEL, False, False),
        (VISION_MODEL, True, True),
    ]
