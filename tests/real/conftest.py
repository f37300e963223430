"""What these tests are run against: llama.cpp's server with a model that says what it is made to say, and LiteLLM."""

import json
import subprocess
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from PIL import Image as Pillow

from tests.storage.traffic import without_home_assistant

# Home Assistant is not installed here: what speaks to a provider does not need it.
without_home_assistant()

from tests.providers.asking import KEY  # noqa: E402 - after the package is found

from . import speaking_model  # noqa: E402
from .processes import ROOT, server  # noqa: E402

LITELLM_MODELS = {
    "house-openai": {"model": "openai/gpt-6-luna", "mock_response": speaking_model.TEXT},
    "house-anthropic": {"model": "anthropic/claude-haiku-5-5", "mock_response": speaking_model.TEXT},
    "house-gemini": {"model": "gemini/gemini-3.8-flash", "mock_response": speaking_model.TEXT},
    "house-tools": {
        "model": "openai/gpt-6-luna",
        "mock_response": "",
        "mock_tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": speaking_model.TOOL, "arguments": json.dumps(speaking_model.ARGUMENTS)},
            }
        ],
    },
    "house-limited": {"model": "openai/gpt-6-luna", "mock_response": "litellm.RateLimitError"},
    "house-broken": {"model": "openai/gpt-6-luna", "mock_response": "litellm.InternalServerError"},
    "house-long": {"model": "openai/gpt-6-luna", "mock_response": "litellm.ContextWindowExceededError"},
    "house-embed": {"model": "openai/text-embedding-3-small", "mock_response": [0.5, 0.25]},
}


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="session")
def llama_server() -> str:
    """The path of llama.cpp's server."""
    found = subprocess.run([ROOT / "scripts/bring_llama_server"], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return found.stdout.strip()


async def _llama(binary: str, folder: Path, template: str, *options: str) -> AsyncGenerator[str]:
    model = folder / "model.gguf"
    speaking_model.write(model, template)
    # Two slots with the context of the model each; one thread is more than enough for it.
    common = ("--jinja", "--no-warmup", "--ctx-size", str(2 * speaking_model.CONTEXT), "--parallel", "2")
    named = ("--model", str(model), "--alias", "speaking", "--api-key", KEY, "--threads", "1")
    async with server(folder / "log", "/health", binary, *named, *common, *options) as url:
        yield url


@pytest.fixture(scope="session")
async def speaking(llama_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """A model that calls a tool where it has one, and else speaks at once."""
    async for url in _llama(llama_server, tmp_path_factory.mktemp("speaking"), speaking_model.SPEAKS):
        yield url


@pytest.fixture(scope="session")
async def thinking(llama_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """A model that thinks before it speaks, unless it is told not to."""
    async for url in _llama(llama_server, tmp_path_factory.mktemp("thinking"), speaking_model.THINKS):
        yield url


@pytest.fixture(scope="session")
async def embedding(llama_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """A model whose vectors are how often each token occurs."""
    folder = tmp_path_factory.mktemp("embedding")
    async for url in _llama(llama_server, folder, speaking_model.SPEAKS, "--embeddings", "--pooling", "mean"):
        yield url


@pytest.fixture(scope="session")
async def litellm(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """LiteLLM's proxy, which asks nobody: its answers are in its configuration."""
    folder = tmp_path_factory.mktemp("litellm")
    config = folder / "config.yaml"  # JSON is YAML
    models = [
        {"model_name": name, "litellm_params": {"api_key": "none", **told}} for name, told in LITELLM_MODELS.items()
    ]
    config.write_text(
        json.dumps(
            {
                "model_list": models,
                "general_settings": {"master_key": KEY},
                "litellm_settings": {"num_retries": 0},
                "router_settings": {"disable_cooldowns": True},
            }
        )
    )
    binary = str(ROOT / ".venv/litellm/bin/litellm")
    options = ("--config", str(config), "--telemetry", "False")
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1"}
    async with server(folder / "log", "/health/liveliness", binary, *options, environment=quiet) as url:
        yield url


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A real picture of 64 x 48 pixels."""
    file = BytesIO()
    Pillow.new("RGB", (64, 48), (200, 30, 30)).save(file, "JPEG")
    return file.getvalue()
