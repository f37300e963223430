"""What all tests share."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

# Imported before the first `hass`: otherwise the test plugin's own package of this name is found instead.
import custom_components.ai_router  # noqa: F401
from tests.fakes.openai_compatible import FakeOpenAI
from tests.servers import SECRET


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give each Home Assistant a configuration folder of its own."""
    return str(tmp_path)


@pytest.fixture(autouse=True)
def custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant find the integration, in the tests that start one at all."""
    if "hass" in request.fixturenames:
        if "recorder_mock" in request.fixturenames:
            request.getfixturevalue("recorder_mock")  # must come before `hass`
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compare with stored snapshots as Home Assistant does, without the ids and times of a run."""
    # The test plugin has this too, but Syrupy's own fixture may be found before it.
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
async def server(socket_enabled: None) -> AsyncGenerator[FakeOpenAI]:
    """A server that wants a key, the one that `at_server` gives its providers."""
    server = FakeOpenAI(key=SECRET)
    await server.start()
    yield server
    await server.stop()
