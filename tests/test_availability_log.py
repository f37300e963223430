"""The log says once that a provider cannot be used, and once that it can again."""

import logging

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant

from tests.fakes.openai_compatible import FakeOpenAI
from tests.household import CLOUD, ask, ask_in_vain, demo, move_in, pass_time
from tests.servers import at_server

LOGGER = "custom_components.ai_router.availability_log"


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


async def test_a_provider_that_is_down_is_told_once_however_often_it_is_tried(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))
    await ask(entry, CLOUD)
    await server.stop()

    for number in range(8):
        await ask_in_vain(entry, CLOUD, f"in vain {number}")
        await pass_time(hass, freezer, 75)  # its breaker lets a probe through, which fails

    assert said(caplog) == ["Provider Server is unavailable: network"]

    await server.start()
    for number in range(30):
        await pass_time(hass, freezer, 15)
        await ask(entry, CLOUD, f"back {number}")
    await pass_time(hass, freezer)

    assert said(caplog)[1:] == ["Provider Server is available again"]
    assert {record.levelno for record in caplog.records if record.name == LOGGER} == {logging.INFO}


async def test_one_that_was_removed_meanwhile_is_told_anew(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    ill = demo(CLOUD, "Cloud", options={"success_rate": 0, "error": "credential"})
    entry = await move_in(hass, freezer, ill)
    await ask_in_vain(entry, CLOUD)
    await pass_time(hass, freezer)
    assert said(caplog) == ["Provider Cloud is unavailable: credential"]

    hass.config_entries.async_remove_subentry(entry, CLOUD)
    await pass_time(hass, freezer)
    hass.config_entries.async_add_subentry(
        entry, demo("01OTHER", "Other", options={"success_rate": 0, "error": "billing"})
    )
    await pass_time(hass, freezer)
    await ask_in_vain(entry, "01OTHER")
    await pass_time(hass, freezer)
    hass.config_entries.async_add_subentry(entry, ill)
    await pass_time(hass, freezer)
    await ask_in_vain(entry, CLOUD)
    await pass_time(hass, freezer)

    assert said(caplog)[1:] == ["Provider Other is unavailable: billing", "Provider Cloud is unavailable: credential"]
