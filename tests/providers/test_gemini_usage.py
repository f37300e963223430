"""Golden token counts of Gemini: nothing is counted twice, and the sum is the provider's own total."""

from typing import Any

import pytest

from custom_components.ai_router.providers.gemini_usage import gemini_usage
from custom_components.ai_router.routing.call import Usage


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13}, Usage(fresh_in=9, text_out=4)),
        (  # a picture, and thoughts beside the answer
            {
                "promptTokenCount": 1_200,
                "candidatesTokenCount": 15,
                "thoughtsTokenCount": 80,
                "totalTokenCount": 1_295,
                "promptTokensDetails": [
                    {"modality": "IMAGE", "tokenCount": 1_120},
                    {"modality": "TEXT", "tokenCount": 80},
                ],
            },
            Usage(fresh_in=80, image_in=1_120, text_out=15, reasoning_out=80),
        ),
        (  # the cache held the picture of the last turn
            {
                "promptTokenCount": 5_000,
                "cachedContentTokenCount": 4_096,
                "candidatesTokenCount": 10,
                "totalTokenCount": 5_010,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 2_760},
                    {"modality": "IMAGE", "tokenCount": 2_240},
                ],
                "cacheTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 2_676},
                    {"modality": "IMAGE", "tokenCount": 1_420},
                ],
            },
            Usage(fresh_in=84, cache_read=4_096, image_in=820, text_out=10),
        ),
        (  # cached, but not told what of it: never negative
            {
                "promptTokenCount": 2_000,
                "cachedContentTokenCount": 1_024,
                "totalTokenCount": 2_000,
                "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_120}],
            },
            Usage(cache_read=1_024, image_in=976),
        ),
        (
            {
                "promptTokenCount": 100,
                "totalTokenCount": 100,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 64}],
            },
            Usage(fresh_in=36, audio_in=64),
        ),
        (  # the first piece of a stream: what was made is in the total alone
            {"promptTokenCount": 90, "totalTokenCount": 130},
            Usage(fresh_in=90, reasoning_out=40),
        ),
        (  # read by the provider's own tools
            {
                "promptTokenCount": 10,
                "toolUsePromptTokenCount": 500,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 20,
                "totalTokenCount": 535,
            },
            Usage(fresh_in=510, text_out=5, reasoning_out=20),
        ),
        (  # a drawn picture
            {
                "promptTokenCount": 10,
                "candidatesTokenCount": 1_130,
                "totalTokenCount": 1_140,
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_120}],
            },
            Usage(fresh_in=10, text_out=10, image_out=1_120),
        ),
        ({"promptTokenCount": 31, "totalTokenCount": 31}, Usage(fresh_in=31)),
        ({"promptTokenCount": 0, "totalTokenCount": 0}, None),
        ({"promptTokenCount": True, "candidatesTokenCount": "7"}, None),
        ({"promptTokenCount": 5, "promptTokensDetails": {"modality": "IMAGE"}}, Usage(fresh_in=5)),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_counts(told: Any, usage: Usage | None) -> None:
    assert gemini_usage(told) == usage
    if usage is not None and told.get("totalTokenCount"):
        assert usage.input_tokens + usage.output_tokens == told["totalTokenCount"]
