"""A client session and fake servers on the loopback."""

from collections.abc import AsyncGenerator
from io import BytesIO

import aiohttp
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image as Pillow

from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.cloudflare import FakeCloudflare
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import FakeOpenAI

from .asking import KEY

# How fast an example runs says nothing: machines differ.
settings.register_profile("providers", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("providers")


@pytest.fixture(autouse=True)
def sockets(socket_enabled: None) -> None:
    """Let these tests open sockets; connections stay bound to the loopback."""


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def openai(socket_enabled: None) -> AsyncGenerator[FakeOpenAI]:
    server = FakeOpenAI(key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def ollama(socket_enabled: None) -> AsyncGenerator[FakeOllama]:
    server = FakeOllama()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def responses(socket_enabled: None) -> AsyncGenerator[FakeResponses]:
    server = FakeResponses(key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def anthropic(socket_enabled: None) -> AsyncGenerator[FakeAnthropic]:
    server = FakeAnthropic(key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def gemini(socket_enabled: None) -> AsyncGenerator[FakeGemini]:
    server = FakeGemini(key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def cloudflare(socket_enabled: None) -> AsyncGenerator[FakeCloudflare]:
    server = FakeCloudflare(key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A real picture of 64 x 48 pixels."""
    file = BytesIO()
    Pillow.new("RGB", (64, 48), (200, 30, 30)).save(file, "JPEG")
    return file.getvalue()
