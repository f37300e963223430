"""The kinds there are."""

import subprocess
import sys
from pathlib import Path

import aiohttp

from custom_components.ai_router.providers.registry import KINDS, Need, ProviderSetup


def test_kinds_go_by_their_own_id() -> None:
    assert set(KINDS) >= {"openai_compatible", "ollama", "demo"}
    assert all(name == kind.id for name, kind in KINDS.items())


async def test_every_kind_can_be_built_from_what_it_asks_for(session: aiohttp.ClientSession) -> None:
    for kind in KINDS.values():
        url = None if kind.url is Need.NONE else kind.default_url or "https://api.example.com"
        key = "sk-1" if kind.key is Need.REQUIRED else None

        options = dict.fromkeys(kind.asks, "0123456789abcdef" * 2)

        built = kind.build(ProviderSetup("p", kind.id, url, key, options=options), session)

        assert callable(built.attempt)
        assert callable(built.models)
        assert callable(built.probe)


def test_pillow_is_not_imported_for_kinds_that_need_none() -> None:
    # The package of the integration itself is not run: it belongs to Home Assistant.
    code = (
        "import sys, types; sys.modules['custom_components.ai_router'] = package = types.ModuleType('x');"
        "package.__path__ = ['custom_components/ai_router'];"
        "import custom_components.ai_router.providers.registry;"
        "sys.exit('PIL' in sys.modules or 'homeassistant' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False, timeout=60)  # noqa: S603 - our own code

    assert done.returncode == 0
