"""The fewest tokens that the providers count for a picture, each by its own formula (November 2026).

A count below it shows that a picture was dropped. Where a formula depends on the model, the smallest holds.
"""

from math import ceil

# What OpenAI counts for a picture that it looks at only roughly.
_GLANCE = 85
# A picture is scaled down to this edge (pixels), and to some 1,500 tokens of 28 by 28 pixels.
_CLAUDE_EDGE, _CLAUDE_PATCH, _CLAUDE_MOST = 1_568, 28, 1_000
# The one of 258 for all, and the lowest resolution of newer models.
_GEMINI = 250
# Of what is served openly, none sees a picture of usual size in fewer.
_OPEN = 48
_PATCH = 32


def _patches(width: int, height: int) -> int:
    return ceil(width / _PATCH) * ceil(height / _PATCH)


def openai(width: int, height: int) -> int:
    """Return the fewest tokens by OpenAI's count."""
    return min(_patches(width, height), _GLANCE)


def claude(width: int, height: int) -> int:
    """Return the fewest tokens by Anthropic's count."""
    scale = min(1.0, _CLAUDE_EDGE / max(width, height))
    return min(int(width * scale * height * scale / _CLAUDE_PATCH**2), _CLAUDE_MOST)


def gemini(width: int, height: int) -> int:  # noqa: ARG001 - it counts all sizes alike
    """Return the fewest tokens by Google's count."""
    return _GEMINI


def open_model(width: int, height: int) -> int:
    """Return the fewest tokens that models which anybody may serve make of a picture."""
    return min(_patches(width, height), _OPEN)
