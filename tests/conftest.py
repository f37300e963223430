"""What all tests share."""

from pathlib import Path

import pytest

# Imported before the first `hass`: otherwise the test plugin's own package of this name is found instead.
import custom_components.ai_router  # noqa: F401


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
