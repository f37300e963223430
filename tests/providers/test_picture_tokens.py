"""The fewest tokens of a picture: never more than what the providers' own formulas come to."""

from math import ceil, sqrt

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers import picture_tokens
from custom_components.ai_router.providers.presets import PRESETS

from .asking import provider

SIZES = st.integers(1, 8_000)


def claude(width: int, height: int) -> int:
    """Count as Anthropic says: 28 by 28 pixels, scaled to an edge of 1,568 and to 1,568 tokens."""
    scale = min(1.0, 1_568 / max(width, height))
    scale = min(scale, sqrt(1_568 * 28 * 28 / (width * height)))
    return ceil(width * scale / 28) * ceil(height * scale / 28)


def openai_patches(width: int, height: int) -> int:
    """Count as OpenAI says of its newer models with the smallest budget: 32 by 32 pixels, scaled to 1,536 of them."""
    scale = min(1.0, 2_048 / max(width, height), sqrt(1_536 * 32 * 32 / (width * height)))
    return ceil(width * scale / 32) * ceil(height * scale / 32)


@given(SIZES, SIZES)
def test_never_more_than_is_counted(width: int, height: int) -> None:
    assert picture_tokens.claude(width, height) <= claude(width, height)
    assert picture_tokens.gemini(width, height) <= 258
    # 85 is what a picture counts for that is looked at only roughly, whatever its size.
    assert picture_tokens.openai(width, height) <= 85
    if max(width, height) <= 2_048:
        assert picture_tokens.openai(width, height) <= max(openai_patches(width, height), 85)


@pytest.mark.parametrize("size", [(640, 480), (1_280, 720), (1_568, 882), (1_920, 1_080)])
def test_pictures_of_cameras_show(size: tuple[int, int]) -> None:
    assert picture_tokens.claude(*size) > 300
    assert min(picture_tokens.openai(*size), picture_tokens.gemini(*size), picture_tokens.open_model(*size)) >= 48


async def test_who_counts_so_that_it_can_be_relied_on(session: aiohttp.ClientSession) -> None:
    def least(kind: str, **options: str) -> object:
        url = "http://127.0.0.1:9"
        return getattr(provider(session, url, kind, account_id="0" * 32, **options), "least_picture", None)

    assert least("openai") is picture_tokens.openai
    assert least("anthropic") is picture_tokens.claude
    assert least("gemini") is picture_tokens.gemini
    # What they knew already is not counted, or nobody knows how they count.
    assert [least(kind) for kind in ("ollama", "cloudflare", "demo", "openai_compatible")] == [None] * 4
    assert {name for name in PRESETS if least("openai_compatible", preset=name) is None} == {"lm_studio"}
