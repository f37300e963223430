"""The counts of OpenAI, in buckets that do not overlap."""

from typing import Any

import pytest

from custom_components.ai_router.providers.openai_reader import responses_usage
from custom_components.ai_router.routing.call import Usage


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (None, None),
        ({}, None),
        ({"input_tokens": 0, "output_tokens": 0}, None),
        ({"input_tokens": 80, "output_tokens": 12}, Usage(fresh_in=80, text_out=12)),
        (
            {
                "input_tokens": 120,
                "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 40},
                "output_tokens": 40,
                "output_tokens_details": {"reasoning_tokens": 25},
                "total_tokens": 160,
            },
            Usage(fresh_in=16, cache_read=64, cache_write_5m=40, text_out=15, reasoning_out=25),
        ),
        (
            {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 99, "cache_write_tokens": 9}},
            Usage(cache_read=10),
        ),
        (
            {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 9}},
            Usage(cache_read=4, cache_write_5m=6),
        ),
        ({"output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 50}}, Usage(reasoning_out=9)),
        ({"input_tokens": "5", "output_tokens": -3}, None),
    ],
)
def test_counts(told: Any, usage: Usage | None) -> None:
    assert responses_usage(told) == usage
    if usage is not None:
        counted = (told.get("input_tokens", 0), told.get("output_tokens", 0))
        assert (usage.input_tokens, usage.output_tokens) == counted
