"""A router, servers to add to it, and a look through the logs."""

import logging
from collections.abc import AsyncGenerator, Iterator

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.fakes.ollama import FakeOllama
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import KEY, running


@pytest.fixture(autouse=True)
def no_key_in_any_log(socket_enabled: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Look through everything that was logged, our part at DEBUG."""
    caplog.set_level(logging.DEBUG)
    yield
    for when in ("setup", "call"):
        assert KEY not in "".join(record.getMessage() for record in caplog.get_records(when))
    assert KEY not in caplog.text


@pytest.fixture
async def server() -> AsyncGenerator[FakeOpenAI]:
    """An OpenAI-compatible server that wants a key."""
    server = FakeOpenAI(key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def ollama() -> AsyncGenerator[FakeOllama]:
    server = FakeOllama()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """A router without providers."""
    return await running(hass)
