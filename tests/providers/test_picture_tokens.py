"""The fewest tokens of a picture: never more than what the providers' own formulas come to."""

from collections.abc import Callable
from math import ceil, sqrt

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers import picture_tokens
from custom_components.ai_router.providers.presets import PRESETS
from custom_components.ai_router.routing.tokens import picture_bound

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


FINE, COARSE = "claude-sonnet-5", "claude-sonnet-4-6"
CAMERAS = [(640, 480), (1_280, 720), (1_920, 1_080)]


@pytest.mark.parametrize(
    ("count", "model", "tokens"),
    [
        # As the vendors' pages work them out.
        (picture_tokens.of_claude, COARSE, (414, 1_196, 1_560)),
        (picture_tokens.of_claude, "claude-haiku-4-5-20251001", (414, 1_196, 1_560)),
        (picture_tokens.of_claude, FINE, (414, 1_196, 2_691)),
        (picture_tokens.of_claude, "claude-opus-4-7", (414, 1_196, 2_691)),
        (picture_tokens.of_gemini, "gemini-3.8-flash", (1_120, 1_120, 1_120)),
        (picture_tokens.of_gemini, "gemini-2.5-flash", (258, 516, 1_548)),
        (picture_tokens.of_gpt, "gpt-5.4", (300, 920, 2_040)),
        (picture_tokens.of_gpt, "gpt-5.6", (300, 920, 2_040)),
        (picture_tokens.of_gpt, "gpt-6-luna", (300, 920, 2_040)),
        (picture_tokens.of_gpt, "gpt-5.4-mini", (486, 1_491, 2_443)),
        (picture_tokens.of_gpt, "gpt-5-nano", (738, 2_264, 3_710)),
    ],
)
def test_worked_figures(count: Callable[[str, int, int], int], model: str, tokens: tuple[int, ...]) -> None:
    assert tuple(count(model, *size) for size in CAMERAS) == tokens


@pytest.mark.parametrize("size", [(1, 1), (8_000, 1), (1, 8_000), (8_000, 8_000), (384, 384), (385, 384)])
@pytest.mark.parametrize(
    ("count", "model", "most"),
    [
        (picture_tokens.of_claude, COARSE, 1_568),
        (picture_tokens.of_claude, FINE, 4_784),
        (picture_tokens.of_gemini, "gemini-4-argon", 1_120),
        (picture_tokens.of_gpt, "gpt-5.4", 2_500),
        (picture_tokens.of_gpt, "gpt-5.4-nano", 3_779),
    ],
)
def test_every_size_has_a_count_within_its_bounds(
    count: Callable[[str, int, int], int], model: str, most: int, size: tuple[int, int]
) -> None:
    assert 1 <= count(model, *size) <= most


def test_a_small_picture_is_one_tile() -> None:
    assert picture_tokens.of_gemini("gemini-2.5-pro", 384, 384) == 258


@given(st.integers(1, 2_576), st.integers(1, 2_576))
def test_what_is_sure_is_never_more_than_what_is_counted(width: int, height: int) -> None:
    for model in (FINE, COARSE):
        assert picture_tokens.claude(width, height) <= picture_tokens.of_claude(model, width, height)
    for model in ("gemini-3.8-flash", "gemini-2.5-flash"):
        assert picture_tokens.gemini(width, height) <= picture_tokens.of_gemini(model, width, height)
    assert picture_tokens.of_claude(FINE, width, height) <= picture_bound(width, height)
    assert picture_tokens.of_gemini("gemini-3.8-flash", width, height) <= picture_bound(width, height)
    for model in ("gpt-5.4-nano", "gpt-6-luna"):
        assert picture_tokens.of_gpt(model, width, height) <= picture_bound(width, height)


async def test_who_says_what_a_picture_counts(session: aiohttp.ClientSession) -> None:
    def counts(kind: str) -> object:
        return getattr(provider(session, "http://127.0.0.1:9", kind, account_id="0" * 32), "picture_tokens", None)

    assert counts("openai") is picture_tokens.of_gpt
    assert counts("anthropic") is picture_tokens.of_claude
    assert counts("gemini") is picture_tokens.of_gemini
    assert [counts(kind) for kind in ("ollama", "cloudflare", "demo", "openai_compatible")] == [None] * 4


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
