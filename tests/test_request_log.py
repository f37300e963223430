"""The structured record of each request: complete, and without a word of what was asked."""

import json
import logging

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from custom_components.ai_router.request_log import LOGGER

from .actions.calling import call
from .household import ATTIC, CLOUD, demo, move_in

QUICK = {"latency": 0}
DEAD = {**QUICK, "success_rate": 0.0, "error": "overloaded"}


async def test_one_record_for_each_request(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER.name)
    dead = demo(ATTIC, "Attic", options=DEAD, priority=5)
    await move_in(hass, freezer, dead, demo(CLOUD, "Cloud", options=QUICK))
    reply = await call(hass, "process", prompt="where is my secret", label="door")
    with pytest.raises(HomeAssistantError):
        await call(hass, "process", prompt="where is my secret", local_only=True)
    answered, refused = (json.loads(each.message) for each in caplog.records if each.name == LOGGER.name)
    assert (answered["request_id"], answered["outcome"], answered["label"]) == (reply["request_id"], "ok", "door")
    assert (answered["provider"], answered["model"], answered["strategy"]) == ("Cloud", "demo-chat", "priority")
    assert answered["cost"] == reply["cost"]["amount"] > 0
    assert [(each["provider"], each["outcome"]) for each in answered["attempts"]] == [
        ("Attic", "overloaded"),
        ("Cloud", "ok"),
    ]
    assert (refused["outcome"], refused["provider"], refused["attempts"]) == ("no_capable_target", None, [])
    assert "secret" not in json.dumps([answered, refused])


async def test_nothing_is_written_unless_asked_for(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, LOGGER.name)
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK))
    await call(hass, "process", prompt="Hi")
    assert not [each for each in caplog.records if each.name == LOGGER.name]
