"""What asks a ledger that cannot be used says so, in words of the translations, and harms nothing else."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from custom_components.ai_router import backup
from custom_components.ai_router.const import DOMAIN
from tests.household import ATTIC, FREE, ask, demo, move_in

from .calling import call

FREELY = demo(ATTIC, "Attic", prices=FREE, options={"latency": 0})


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("get_usage", {}),
        ("export_usage", {}),
        ("get_metrics", {}),
        ("get_metrics", {"interval": 60}),
        ("purge", {"before": "2026-01-01"}),
    ],
)
async def test_an_action_that_needs_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, action: str, data: dict[str, Any]
) -> None:
    entry = await move_in(hass, freezer, FREELY)
    await entry.runtime_data.ledger.close()

    with pytest.raises(HomeAssistantError) as refused:
        await call(hass, action, **data)

    assert (refused.value.translation_domain, refused.value.translation_key) == (DOMAIN, "ledger_unavailable")
    assert (await ask(entry, ATTIC)).target.provider_id == ATTIC  # what is free goes on


async def test_a_backup_warns_and_goes_on(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await move_in(hass, freezer, FREELY)
    await entry.runtime_data.ledger.close()

    await backup.async_pre_backup(hass)
    await backup.async_post_backup(hass)

    assert "The backup may hold no whole ledger" in caplog.text
