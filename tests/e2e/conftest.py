"""The real Home Assistant 2026.11 as a process of its own, booted once for each file of tests."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from household.house import House, opened

COMPONENTS = Path(__file__).parents[2] / "custom_components"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A booted household with an admin and `reader`, who may only look; no AI Router yet."""
    async with opened(tmp_path_factory.mktemp("house"), COMPONENTS) as house:
        await house.add_reader()
        yield house


@pytest.fixture(scope="module")
async def camera(house: House) -> str:
    """The entity id of a camera whose picture tells where it was taken."""
    return await house.add_camera()


@pytest.fixture(scope="module")
async def router(house: House) -> str:
    """The id of the AI Router entry, added through its form."""
    return await house.add_router()
