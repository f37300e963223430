"""The counts of Anthropic, in buckets that do not overlap."""

from typing import Any

import pytest

from custom_components.ai_router.providers.anthropic_reader import messages_usage
from custom_components.ai_router.routing.call import Usage


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({}, None),
        ({"input_tokens": 0, "output_tokens": 0}, None),
        ({"input_tokens": 5, "output_tokens": 3}, Usage(fresh_in=5, text_out=3)),
        ({"cache_read_input_tokens": 9, "output_tokens": 3}, Usage(cache_read=9, text_out=3)),
        ({"input_tokens": 5, "cache_creation_input_tokens": 7}, Usage(fresh_in=5, cache_write_5m=7)),
        (
            {"cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 7}},
            Usage(cache_write_1h=7),
        ),
        (
            {"cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 99}},
            Usage(cache_write_1h=7),
        ),
        ({"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 9}}, Usage(reasoning_out=9)),
        ({"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 50}}, Usage(reasoning_out=9)),
        ({"input_tokens": "5", "output_tokens": -3}, None),
    ],
)
def test_counts(told: dict[str, Any], usage: Usage | None) -> None:
    assert messages_usage(told) == usage
