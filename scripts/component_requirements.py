"""Print what Home Assistant's components need, to install beforehand: then nothing is installed at run time.

Run with a Python that has Home Assistant: `component_requirements.py requirements` prints the closure over the
manifests of the components that every Home Assistant starts and of those the household uses; `constraints` prints
Home Assistant's own constraints for the rest.
"""

import json
import sys
from pathlib import Path

import homeassistant
from homeassistant import bootstrap
from homeassistant.const import BASE_PLATFORMS

# hassio is not run, but analytics imports its library.
HOUSEHOLD = {"ai_task", "conversation", "hassio", "history", "local_file", "logbook"}
# What households have beside AI Router: tests/e2e sets them up next to it.
BESIDE = {"anthropic", "google_generative_ai_conversation", "ollama", "openai_conversation", "prometheus"}

# The pinned releases have no wheels for Python 3.14 and would ask for a C++ compiler; these have.
WITH_WHEELS = {"pymicro-vad": "pymicro-vad==2.1.0", "pyspeex-noise": "pyspeex-noise==2.0.1"}


def closure(domains: set[str]) -> dict[str, list[str]]:
    """Return the requirements of the components and of all they depend on, by domain."""
    components = Path(homeassistant.__file__).parent / "components"
    found: dict[str, list[str]] = {}
    waiting = list(domains)
    while waiting:
        domain = waiting.pop()
        if domain in found:
            continue
        manifest = json.loads((components / domain / "manifest.json").read_text(encoding="utf-8"))
        found[domain] = manifest.get("requirements", [])
        waiting += manifest.get("dependencies", [])
    return found


def requirements() -> list[str]:
    """Return one requirement a line, all pinned."""
    domains = {*bootstrap.CORE_INTEGRATIONS, *bootstrap.DEFAULT_INTEGRATIONS, *BASE_PLATFORMS, *HOUSEHOLD, *BESIDE}
    lines = {line for lines in closure(domains).values() for line in lines}
    return sorted(WITH_WHEELS.get(package(line), line) for line in lines)


def constraints() -> list[str]:
    """Return Home Assistant's constraints without those on the packages replaced above."""
    path = Path(homeassistant.__file__).parent / "package_constraints.txt"
    return [line for line in path.read_text(encoding="utf-8").splitlines() if package(line) not in WITH_WHEELS]


def package(line: str) -> str:
    """Return the name in front of a pin."""
    return line.partition("==")[0]


if __name__ == "__main__":
    print("\n".join({"requirements": requirements, "constraints": constraints}[sys.argv[1]]()))
