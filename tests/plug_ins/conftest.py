"""Other integrations beside ours, found as Home Assistant finds every custom one."""

import importlib
import re
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components
from custom_components.ai_router.plug_ins import Registration
from custom_components.ai_router.routing.strategies import STRATEGIES

from .oracles import BLIND, IDLE, SEEING

ROOT = Path(__file__).parents[2]
NEIGHBOURS = Path(__file__).parent / "custom_components"
EXAMPLE = re.compile(r"^```(json|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Let them be found; those of a test itself live in the folder that this returns."""
    own = tmp_path / "neighbours"
    own.mkdir()
    before, strategies = set(sys.modules), dict(STRATEGIES)
    monkeypatch.setattr(custom_components, "__path__", [*custom_components.__path__, str(NEIGHBOURS), str(own)])
    yield own
    # What one test did to a neighbour is not there in the next, nor what a neighbour brought to all routers of a process.
    STRATEGIES.clear()
    STRATEGIES.update(strategies)
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


@pytest.fixture
def bring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what the integration `parrots` registers."""
    module = importlib.import_module("custom_components.parrots.ai_router")

    def bring(*registering: Callable[[Registration], Any]) -> None:
        monkeypatch.setattr(module, "REGISTER", list(registering))

    return bring


@pytest.fixture
async def oracle(hass: HomeAssistant) -> ModuleType:
    """A house with three entities: one takes no pictures, one does, one generates only pictures."""
    assert await async_setup_component(hass, "homeassistant", {})
    entry = MockConfigEntry(
        domain="oracle", title="Oracle", data={"oracles": {"Delphi": SEEING, "Dodona": BLIND, "Siwa": IDLE}}
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return importlib.import_module("custom_components.oracle.ai_task")
