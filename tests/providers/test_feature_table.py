"""The table of what each kind can do: complete, and each cell backed by a test that exists."""

import re
from pathlib import Path

import pytest

from custom_components.ai_router.providers.registry import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "providers-features.md"
HEADINGS = {
    "OpenAI": "openai",
    "Anthropic": "anthropic",
    "Gemini": "gemini",
    "Ollama": "ollama",
    "Cloudflare": "cloudflare",
    "OpenAI-compatible": "openai_compatible",
    "Demo": "demo",
}
FEATURES = {
    "text",
    "streaming",
    "several pictures",
    "a picture in a tool's answer",
    "system text and history",
    "tools over several turns",
    "parallel calls, and another provider for the next turn",
    "tools of any name and form",
    "calls without results, results without calls",
    "data of a shape",
    "the next best means for a shape",
    "embeddings",
    "reasoning as wished",
    "reasoning goes back to its own model",
    "a refused field is left out and remembered",
    "prompt caching where it saves",
    "told to keep nothing",
    "tokens counted beforehand, for free",
    "list of models",
    "the day on which a model goes",
    "free probe that checks the key",
    "a cancel closes the connection",
    "class of every failure",
    "errors in a stream, pages of proxies, cuts",
    "an empty answer says so",
    "use in disjoint buckets",
    "its own limits are read",
    "tokens of a picture by its own formula",
    "tokens of a picture, so that a dropped one is noticed",
    "no secret comes out",
}
# What there is no such thing as. Everything that the simulated kind does not simulate is one.
NOTHING = {
    ("prompt caching where it saves", "ollama"),
    ("told to keep nothing", "anthropic"),
    ("told to keep nothing", "ollama"),
    ("told to keep nothing", "cloudflare"),
    ("the day on which a model goes", "gemini"),
    ("the day on which a model goes", "ollama"),
    ("its own limits are read", "gemini"),
    ("its own limits are read", "ollama"),
    ("its own limits are read", "cloudflare"),
}
_CELL = re.compile(r"\[(?:yes|no)\]\(([^)#]+)#(test_\w+)\)")


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def cells() -> list[tuple[str, str, str]]:
    """Return feature, kind and what stands there."""
    (_, *headings), *features = rows()
    kinds = [HEADINGS[heading] for heading in headings]
    return [(name, kind, cell) for name, *row in features for kind, cell in zip(kinds, row, strict=True)]


def test_every_kind_and_every_feature_is_there_once() -> None:
    (_, *headings), *features = rows()

    assert sorted(HEADINGS[heading] for heading in headings) == sorted(KINDS)
    assert sorted(name for name, *_ in features) == sorted(FEATURES)


@pytest.mark.parametrize(("feature", "kind", "cell"), cells())
def test_what_it_says_is_backed(feature: str, kind: str, cell: str) -> None:
    if cell == "-":
        assert kind == "demo" or (feature, kind) in NOTHING
        return
    found = _CELL.fullmatch(cell)
    assert found is not None
    source = (PAGE.parent / found[1]).read_text()
    assert re.search(rf"^(?:async )?def {found[2]}\(", source, re.MULTILINE), found[2]
    assert (feature, kind) not in NOTHING
