"""What model lists tell, and what is guessed where they do not."""

from typing import Any

import pytest

from custom_components.ai_router.providers.capabilities import CHAT, guess
from custom_components.ai_router.providers.model_list import model_list
from custom_components.ai_router.routing.call import Usage
from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.routing.money import FREE, Rates, per_million


def only(entry: dict[str, Any], *, local: bool = False) -> Model:
    models = model_list({"data": [entry]}, local=local)
    assert models is not None
    (model,) = models
    return model


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({}, None),
        ({"max_model_len": 8192}, 8192),  # vLLM
        ({"context_length": 131072}, 131072),  # OpenRouter, Together
        ({"context_window": 131072}, 131072),  # Groq
        ({"max_context_length": 262144}, 262144),  # Mistral
        ({"max_input_tokens": 922_000}, 922_000),  # LiteLLM
        ({"meta": {"n_ctx_train": 4096}}, 4096),  # llama.cpp
        ({"meta": None}, None),  # llama.cpp while loading
        ({"context_length": 0}, None),
        ({"context_length": "8192"}, None),
    ],
)
def test_context(entry: dict[str, Any], context: int | None) -> None:
    assert only({"id": "m", **entry}).context == context


@pytest.mark.parametrize(
    ("entry", "output"),
    [
        ({"top_provider": {"max_completion_tokens": 32000}}, 32000),
        ({"max_completion_tokens": 65536}, 65536),
        ({}, None),
    ],
)
def test_output(entry: dict[str, Any], output: int | None) -> None:
    assert only({"id": "m", **entry}).max_output == output


@pytest.mark.parametrize(
    ("entry", "has", "lacks"),
    [
        ({"architecture": {"input_modalities": ["text", "image"]}}, Capability.VISION, Capability.AUDIO_IN),
        ({"architecture": {"input_modalities": ["text", "audio"]}}, Capability.AUDIO_IN, Capability.VISION),
        ({"id": "gpt-4o", "architecture": {"input_modalities": ["text"]}}, CHAT, Capability.VISION),
        (
            {"architecture": {"input_modalities": [], "output_modalities": ["image"]}},
            Capability.IMAGE_OUT,
            Capability.VISION,
        ),
        ({"supported_parameters": ["tools"]}, Capability.TOOLS, Capability.STRUCTURED),
        ({"supported_parameters": ["response_format", "reasoning"]}, Capability.REASONING, Capability.TOOLS),
        ({"supported_parameters": ["response_format"]}, Capability.STRUCTURED, Capability.REASONING),
        ({"capabilities": {"vision": True, "function_calling": False}}, Capability.VISION, Capability.TOOLS),
        ({"id": "pixtral-12b", "capabilities": {"vision": False}}, Capability.CHAT, Capability.VISION),
        ({"capabilities": {"completion_chat": False}}, Capability.NONE, CHAT),
        ({"architecture": "qwen3"}, CHAT, Capability.VISION),
    ],
)
def test_capabilities(entry: dict[str, Any], has: Capability, lacks: Capability) -> None:
    caps = only({"id": "m", **entry}).caps

    assert has in caps
    assert not lacks & caps


def test_prices_are_dollars_per_token() -> None:
    model = only({"id": "m", "pricing": {"prompt": "0.00000015", "completion": "0.0000006", "request": "0"}})

    assert model.prices is not None
    assert model.prices.source == "provider"
    assert model.prices.at(0, 0) == Rates.of(per_million("0.15"), per_million("0.6"))


def test_prices_of_cache_reasoning_and_searches() -> None:
    pricing = {
        "prompt": "0.000002",
        "completion": "0.00001",
        "input_cache_read": "0.0000002",
        "input_cache_write": "0.0000025",
        "internal_reasoning": "0.00002",
        "web_search": "0.01",
        "request": "0.001",
    }
    prices = only({"id": "m", "pricing": pricing}).prices

    assert prices is not None
    usage = Usage(fresh_in=10, cache_read=10, cache_write_5m=10, text_out=10, reasoning_out=10, searches=1)
    assert prices.cost(usage, 0) == 20_000_000 + 2_000_000 + 25_000_000 + 100_000_000 + 200_000_000 + 10**10 + 10**9


def test_prices_by_length() -> None:
    pricing = {
        "prompt": "0.000002",
        "completion": "0.00001",
        "overrides": [{"min_prompt_tokens": 200_000, "prompt": "0.000004"}],
    }
    prices = only({"id": "m", "pricing": pricing}).prices

    assert prices is not None
    assert prices.at(0, 1_000).fresh_in == 2_000_000
    assert prices.at(0, 200_000).fresh_in == 4_000_000
    assert prices.at(0, 200_000).text_out == 10_000_000


@pytest.mark.parametrize(
    "pricing",
    [
        None,
        {},
        {"prompt": "0.1"},
        {"prompt": "-1", "completion": "-1"},
        {"prompt": "x", "completion": "0"},
        {"prompt": "nan", "completion": "0"},
        {"prompt": "-0.5", "completion": "0"},
        {"prompt": "0.1", "completion": "0.1", "overrides": 7},
        {"prompt": "inf", "completion": "0"},
        {"prompt": 0.2, "completion": 0.4},
        {"prompt": "0", "completion": "0", "request": "-1"},
        {"prompt": "0.1", "completion": "0.1", "overrides": [{"utc_start": "16:30", "prompt": "0"}]},
        {"prompt": "0.1", "completion": "0.1", "overrides": ["odd"]},
        {"prompt": "0.1", "completion": "0.1", "overrides": [{"min_prompt_tokens": 5, "utc_days": [1], "prompt": "0"}]},
        "free",
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_price_that_is_not_told_is_unknown(pricing: Any) -> None:
    assert only({"id": "m", "pricing": pricing}).prices is None


def test_free_is_free() -> None:
    prices = only({"id": "m:free", "pricing": {"prompt": "0", "completion": "0"}}).prices

    assert prices is not None
    assert prices.free


def test_a_server_in_the_house_costs_nothing_unless_it_says_so() -> None:
    assert only({"id": "m"}, local=True) == Model("m", CHAT, prices=FREE, local=True)
    priced = only({"id": "m", "pricing": {"prompt": "1", "completion": "1"}}, local=True)
    assert priced.prices is not None
    assert not priced.prices.free


@pytest.mark.parametrize("data", [None, "x", 7, {}, {"data": None}, {"data": {"id": "m"}}, {"models": []}])
def test_what_is_no_list(data: Any) -> None:
    assert model_list(data, local=False) is None


def test_odd_entries_are_left_out_and_the_list_is_bounded() -> None:
    odd: list[Any] = [None, "x", {}, {"id": ""}, {"id": 7}, {"id": "m"}]

    assert [model.id for model in model_list(odd, local=False) or ()] == ["m"]
    assert len(model_list([{"id": f"m{number}"} for number in range(9_000)], local=False) or ()) == 5_000


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini",
        "gpt-5.4-mini",
        "openai/gpt-6-luna",
        "claude-haiku-5-5",
        "google/gemini-3.8-flash",
        "gemma-4-31b-it",
        "llava:7b",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "llama3.2-vision:11b",
        "pixtral-12b",
        "grok-4.7",
        "mistral-small-2603",
        "deepseek-flash",
        "meta-llama/Llama-4-Scout",
        "ministral-8b-2512",
        "InternVL3-8B",
    ],
)
def test_names_that_see(name: str) -> None:
    assert guess(name) == CHAT | Capability.VISION


@pytest.mark.parametrize(
    "name",
    [
        "house-1",
        "gpt-oss-120b",
        "openai/gpt-oss-20b",
        "deepseek-v4-pro",
        "llama-3.3-70b",
        "qwen3:8b",
        "phi-4",
        "o3-mini",
        "gemma3:1b",
        "mistral-large-2411",
        "devstral-2512",
        "gpt-3.5-turbo",
    ],
)
def test_names_that_do_not_see(name: str) -> None:
    assert guess(name) == CHAT


@pytest.mark.parametrize(
    ("name", "caps"),
    [
        ("text-embedding-3-small", Capability.EMBEDDINGS),
        ("mistral-embed", Capability.EMBEDDINGS),
        ("bge-m3", Capability.EMBEDDINGS),
        ("gemini-embedding-2", Capability.EMBEDDINGS),
        ("gpt-image-2.5-flare", Capability.IMAGE_OUT),
        ("whisper-large-v3", Capability.NONE),
        ("gpt-4o-mini-tts", Capability.NONE),
        ("omni-moderation-latest", Capability.NONE),
    ],
)
def test_names_that_do_not_chat(name: str, caps: Capability) -> None:
    assert guess(name) == caps
