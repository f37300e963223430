"""What LM Studio and llama.cpp tell of their models, and what stands in their place when they tell nonsense."""

from typing import Any

import pytest

from custom_components.ai_router.providers.local_lists import lm_studio_entries, with_props


@pytest.mark.parametrize("data", [None, [], "models", {}, {"models": None}, {"models": {"key": "a"}}, {"data": []}])
def test_another_server_has_no_such_list(data: Any) -> None:
    assert lm_studio_entries(data) is None


def test_what_is_no_model_is_left_out() -> None:
    models: list[Any] = [
        None,
        "a",
        {},
        {"key": 5},
        {"key": ""},
        {"key": "small", "type": "llm", "max_context_length": 4096},
    ]

    (entry,) = lm_studio_entries({"models": models}) or ()

    assert (entry["id"], entry["type"], entry["max_context_length"]) == ("small", "llm", 4096)
    assert entry["capabilities"] == {"vision": None, "function_calling": None, "reasoning": None}


@pytest.mark.parametrize(
    ("loaded", "context"),
    [
        ([{"config": {"context_length": 8192}}, {"config": {"context_length": 2048}}], 2048),
        ([{"config": {"context_length": 0}}, {"config": None}, "b", {}], 32_768),
        ("loaded", 32_768),
        (None, 32_768),
    ],
)
def test_a_loaded_model_has_the_least_context_it_was_loaded_with(loaded: Any, context: int) -> None:
    model = {"key": "big", "max_context_length": 32_768, "loaded_instances": loaded, "capabilities": {"reasoning": {}}}

    (entry,) = lm_studio_entries({"models": [model]}) or ()

    assert entry["max_context_length"] == context
    assert entry["capabilities"]["reasoning"] is False


@pytest.mark.parametrize(
    ("entries", "props"),
    [
        ([], {"modalities": {"vision": True}}),
        ([{"id": "a"}, {"id": "b"}], {"modalities": {"vision": True}}),
        (["a"], {"modalities": {"vision": True}}),
        ([{"id": "a"}], None),
        ([{"id": "a"}], {"modalities": "vision", "default_generation_settings": None}),
        ([{"id": "a"}], {"default_generation_settings": {"n_ctx": 0}}),
    ],
)
def test_properties_that_tell_nothing_change_nothing(entries: list[Any], props: Any) -> None:
    assert with_props(entries, props) == entries


def test_properties_tell_senses_and_context() -> None:
    props = {"modalities": {"vision": True, "audio": "yes"}, "default_generation_settings": {"n_ctx": 4096}}

    assert with_props([{"id": "a"}], props) == [
        {"id": "a", "context_length": 4096, "architecture": {"input_modalities": ["text", "image"]}}
    ]
