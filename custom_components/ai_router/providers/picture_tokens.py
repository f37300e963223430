"""How many tokens the providers count for a picture, each by its own formula (November 2026).

Of each there are two: what a model of theirs will count, for estimates; and the fewest that any of them counts, since a
count below that shows that a picture was dropped.
"""

from functools import lru_cache
from math import ceil, sqrt

from .anthropic_models import sees_finely
from .gemini_models import LEVELS, generation

# What OpenAI counts for a picture that it looks at only roughly.
_GLANCE = 85
_CLAUDE_PATCH, _CLAUDE_EDGE, _CLAUDE_TOKENS = 28, 1_568, 1_568
_CLAUDE_FINE_EDGE, _CLAUDE_FINE_TOKENS = 2_576, 4_784
_CLAUDE_SURE = 1_000
# Newer ones by the resolution, which is the high one where nothing else is asked for; older ones by the tile.
_GEMINI_HIGH, _GEMINI_TILE, _GEMINI_TILE_EDGE, _GEMINI_SMALL = 1_120, 258, 768, 384
_GEMINI_SURE = 250
# Of what is served openly, none sees a picture of usual size in fewer.
_OPEN = 48
_GPT_PATCH = 32
# The small models count so many tokens for a hundred patches; the newest look at all patches that there are.
_GPT_SMALL_EDGE, _GPT_SMALL_PATCHES = 2_048, 1_536
_GPT_SMALL = {"mini": 162, "nano": 246}
_GPT_HIGH = ("gpt-5.4",)
_GPT_HIGH_PATCHES = 2_500


def _patches(width: float, height: float, edge: int) -> int:
    return ceil(width / edge) * ceil(height / edge)


@lru_cache(maxsize=512)
def _within(width: int, height: int, patch: int, edge: int, most: int) -> int:
    """Count the patches of a picture that is scaled down until no edge is longer and no more of them are needed."""
    scale = min(1.0, edge / max(width, height))
    if (found := _patches(width * scale, height * scale, patch)) <= most:
        return found
    # The rows and columns that are begun count whole: the area alone would leave too many.
    low, high = 0.0, min(scale, sqrt(most * patch * patch / (width * height)))
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if _patches(width * middle, height * middle, patch) <= most else (low, middle)
    return max(1, _patches(width * low, height * low, patch))


# --- what a model will count ------------------------------------------------------------------------


def of_claude(model_id: str, width: int, height: int) -> int:
    """Return the tokens by Anthropic's formula."""
    if sees_finely(model_id):
        return _within(width, height, _CLAUDE_PATCH, _CLAUDE_FINE_EDGE, _CLAUDE_FINE_TOKENS)
    return _within(width, height, _CLAUDE_PATCH, _CLAUDE_EDGE, _CLAUDE_TOKENS)


def of_gemini(model_id: str, width: int, height: int) -> int:
    """Return the tokens by Google's formula."""
    if generation(model_id) >= LEVELS:
        return _GEMINI_HIGH
    if max(width, height) <= _GEMINI_SMALL:
        return _GEMINI_TILE
    return _GEMINI_TILE * _patches(width, height, _GEMINI_TILE_EDGE)


def of_gpt(model_id: str, width: int, height: int) -> int:
    """Return the tokens by OpenAI's formula. Its factor for a patch is known of the small models alone."""
    factor = next((factor for piece, factor in _GPT_SMALL.items() if piece in model_id), None)
    if factor is not None:
        return ceil(_within(width, height, _GPT_PATCH, _GPT_SMALL_EDGE, _GPT_SMALL_PATCHES) * factor / 100)
    if model_id.startswith(_GPT_HIGH):
        return _within(width, height, _GPT_PATCH, _GPT_SMALL_EDGE, _GPT_HIGH_PATCHES)
    return _patches(width, height, _GPT_PATCH)


# --- the fewest that are counted ---------------------------------------------------------------------


def openai(width: int, height: int) -> int:
    """Return the fewest tokens by OpenAI's count."""
    return min(_patches(width, height, _GPT_PATCH), _GLANCE)


def claude(width: int, height: int) -> int:
    """Return the fewest tokens by Anthropic's count."""
    scale = min(1.0, _CLAUDE_EDGE / max(width, height))
    return min(int(width * scale * height * scale / _CLAUDE_PATCH**2), _CLAUDE_SURE)


def gemini(width: int, height: int) -> int:  # noqa: ARG001 - the least of it is the same for all sizes
    """Return the fewest tokens by Google's count."""
    return _GEMINI_SURE


def open_model(width: int, height: int) -> int:
    """Return the fewest tokens that models which anybody may serve make of a picture."""
    return min(_patches(width, height, _GPT_PATCH), _OPEN)
