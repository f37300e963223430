"""Golden token counts: nothing is counted twice, and the sum is the provider's own total."""

from typing import Any

import pytest

from custom_components.ai_router.providers.chat_usage import chat_usage
from custom_components.ai_router.routing.call import Usage


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"prompt_tokens": 70, "completion_tokens": 14, "total_tokens": 84}, Usage(fresh_in=70, text_out=14)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            Usage(fresh_in=30, cache_read=60, cache_write_5m=10, text_out=10, reasoning_out=40),
        ),
        (  # xAI: reasoning lies beside the completion
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 190,
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            Usage(fresh_in=100, text_out=50, reasoning_out=40),
        ),
        (  # no total, but more reasoning than completion: it cannot lie inside
            {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 40}},
            Usage(fresh_in=10, text_out=5, reasoning_out=40),
        ),
        (  # a total above the parts: thoughts that are counted nowhere else
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45},
            Usage(fresh_in=10, text_out=5, reasoning_out=30),
        ),
        (
            {
                "prompt_tokens": 900,
                "completion_tokens": 5,
                "prompt_tokens_details": {"image_tokens": 700, "audio_tokens": 50, "cached_tokens": 100},
            },
            Usage(fresh_in=50, cache_read=100, image_in=700, audio_in=50, text_out=5),
        ),
        (  # DeepSeek
            {
                "prompt_tokens": 100,
                "completion_tokens": 5,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 36,
            },
            Usage(fresh_in=36, cache_read=64, text_out=5),
        ),
        (  # more cached than there was: never negative
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 64}},
            Usage(cache_read=10, text_out=5),
        ),
        ({"prompt_tokens": 12.0, "completion_tokens": None}, Usage(fresh_in=12)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),  # LocalAI: not counted
        ({"prompt_tokens": True, "completion_tokens": "7"}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": 10**30}, None),
        ({"prompt_tokens": -5, "completion_tokens": -1}, None),
        ({"prompt_tokens": "12", "completion_tokens": [7]}, None),
        ({"prompt_tokens": 1e400, "completion_tokens": float("nan")}, None),
        # What makes no sense is told as nothing: the road counts it itself.
        ({"prompt_tokens": 10**30, "completion_tokens": 5}, Usage(text_out=5)),
        ({"prompt_tokens": 12, "completion_tokens": -7}, Usage(fresh_in=12)),
        ({"prompt_tokens": 12.7, "completion_tokens": 5.2}, Usage(fresh_in=12, text_out=5)),
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 10**30, "image_tokens": -4, "audio_tokens": "3"},
                "completion_tokens_details": {"reasoning_tokens": None},
            },
            Usage(fresh_in=12, text_out=5),
        ),
        ({"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": [1]}, Usage(fresh_in=12, text_out=5)),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_counts(told: Any, usage: Usage | None) -> None:
    assert chat_usage(told) == usage
    if usage is not None and told.get("total_tokens"):
        assert usage.input_tokens + usage.output_tokens == told["total_tokens"]
