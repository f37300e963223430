"""What importing costs: milliseconds, and megabytes of memory.

    python -m benchmarks.imports ours|litellm

prints one line of JSON. The process has Home Assistant's modules that we use, and aiohttp, before; LiteLLM's has aiohttp.
"""

import gc
import json
import os
import pkgutil
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_OURS = "custom_components.ai_router"
_MB = 1024.0


def _resident() -> float:
    """Return the megabytes of memory that this process has in use."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / _MB


def _all_of_ours() -> None:
    package = import_module(_OURS)
    for module in pkgutil.walk_packages(package.__path__, f"{_OURS}."):
        import_module(module.name)


def _others() -> list[str]:
    """Find out, in another process, what else is imported with ours."""
    code = "import sys; from benchmarks.imports import _all_of_ours as all; all(); print('\\n'.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [name for name in found.stdout.split() if not name.startswith(("custom_components", "benchmarks"))]


def main() -> None:
    """Import, and print what it took."""
    # LiteLLM would fetch a list of prices from the net.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import_module("aiohttp")
    ours = sys.argv[1] == "ours"
    if ours:
        import_module("homeassistant")
        for name in _others():
            with suppress(ImportError):
                import_module(name)
    memory, cpu, began = _resident(), time.process_time(), time.perf_counter()
    if ours:
        _all_of_ours()
    else:
        import_module("litellm")
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"ms": seconds * 1e3, "cpu": cpu * 1e3, "mb": _resident() - memory}), flush=True)


if __name__ == "__main__":
    main()
