"""A ledger on a real file."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "ai_router"


@pytest.fixture
def file(home: Path) -> Path:
    return home / "ledger.db"


@pytest.fixture
async def ledger(home: Path) -> AsyncGenerator[SqliteLedger]:
    opened = await SqliteLedger.open(home, NOW)
    yield opened
    await opened.close()
