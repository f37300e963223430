"""The integration's files, read once, for all checks."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from homeassistant.util.yaml import parse_yaml

type Strings = Mapping[str, Any]

# By their text: who checks several repositories that are nearly the same reads equal modules once.
_parsed = lru_cache(maxsize=1_024)(ast.parse)


@lru_cache(maxsize=1_024)
def _of_interest(module: ast.Module) -> tuple[ast.AST, ...]:
    """Return a module's calls and imports."""
    return tuple(node for node in ast.walk(module) if isinstance(node, ast.Call | ast.Import | ast.ImportFrom))


@dataclass(frozen=True)
class Integration:
    """One repository with one custom integration. Raises `OSError` and `ValueError` for files that cannot be read."""

    root: Path

    @cached_property
    def home(self) -> Path:
        """The integration's own folder."""
        folders = [path.parent for path in (self.root / "custom_components").glob("*/manifest.json")]
        if len(folders) != 1:
            raise ValueError(f"custom_components holds {len(folders)} integrations, it must be one")
        return folders[0]

    def json(self, *path: str) -> Any:
        """Read a JSON file of the integration."""
        return json.loads((self.home.joinpath(*path)).read_text())

    def yaml(self, name: str) -> Mapping[str, Any]:
        """Read a YAML file of the integration; empty where there is none. Keys with a dot in front only hold anchors."""
        path = self.home / name
        read = parse_yaml(path.read_text()) if path.exists() else None
        return {key: value for key, value in read.items() if key[0] != "."} if isinstance(read, dict) else {}

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest."""
        return dict(self.json("manifest.json"))

    @cached_property
    def strings(self) -> Strings:
        """The English texts."""
        return dict(self.json("translations", "en.json"))

    @cached_property
    def icons(self) -> Mapping[str, Any]:
        """The icons."""
        return dict(self.json("icons.json"))

    @cached_property
    def services(self) -> Mapping[str, Any]:
        """The actions."""
        return self.yaml("services.yaml")

    @cached_property
    def sources(self) -> Mapping[str, ast.Module]:
        """Every module, by its path within the integration."""
        return {
            str(path.relative_to(self.home)): _parsed(path.read_text())
            for path in sorted(self.home.rglob("*.py"))
            if "node_modules" not in path.parts
        }

    def calls(self) -> Iterator[tuple[str, ast.Call, str]]:
        """Yield every call with the file it is in and the name that is called."""
        for file, module in self.sources.items():
            for node in _of_interest(module):
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    yield file, node, name

    def imports(self) -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
        """Yield every import with the file it is in."""
        for file, module in self.sources.items():
            for node in _of_interest(module):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield file, node


def texts(strings: Strings, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every text of a tree with its path."""
    for key, value in strings.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            yield from texts(value, where)
        else:
            yield where, value
