"""Other integrations beside ours, found as Home Assistant finds every custom one."""

import re
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

import custom_components

ROOT = Path(__file__).parents[2]
NEIGHBOURS = Path(__file__).parent / "custom_components"
EXAMPLE = re.compile(r"^```(json|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Let them be found; those of a test itself live in the folder that this returns."""
    own = tmp_path / "neighbours"
    own.mkdir()
    before = set(sys.modules)
    monkeypatch.setattr(custom_components, "__path__", [*custom_components.__path__, str(NEIGHBOURS), str(own)])
    yield own
    # What one test did to a neighbour is not there in the next.
    for name in set(sys.modules) - before:
        if name.startswith("custom_components.") and not name.startswith("custom_components.ai_router"):
            del sys.modules[name]
            custom_components.__dict__.pop(name.split(".")[1], None)


@pytest.fixture
def parrot(neighbours: Path) -> Path:
    """The integration of the documentation, as it stands there."""
    home = neighbours / "parrot"
    home.mkdir()
    blocks = EXAMPLE.findall((ROOT / "docs" / "extending.md").read_text())
    (home / "manifest.json").write_text(next(text for language, text in blocks if language == "json"))
    for _, text in blocks:
        if named := re.match(r'"""custom_components/parrot/(\w+\.py):', text):
            (home / named[1]).write_text(text)
    assert {path.name for path in home.iterdir()} == {"manifest.json", "__init__.py", "ai_router.py"}
    return home
