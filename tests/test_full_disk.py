"""The disk is full: what costs money stops and says why, what is free and every setting goes on, and nobody restarts.

The system's own limit of a file's size stands in for the disk: beyond it, every write of this process fails.
"""

import resource
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.hub import Hub
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.storage.audit import changes
from tests.actions.calling import call
from tests.fakes.openai_compatible import FakeOpenAI
from tests.household import ATTIC, CLOUD, FREE, ask, demo, move_in
from tests.servers import at_server
from tests.storage.attempts import until

QUICK = {"latency": 0}


@contextmanager
def full_disk() -> Generator[None]:
    """Let no write to a file succeed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def refused(entry: MockConfigEntry, provider_id: str) -> str:
    with pytest.raises(RequestFailed) as caught:
        await ask(entry, provider_id)
    return caught.value.code.value


async def paid_and_free(hass: HomeAssistant, server: FakeOpenAI, **options: Any) -> MockConfigEntry:
    cloud = await at_server(hass, server, CLOUD, prices=("1000", "1000"))
    return await move_in(hass, None, cloud, demo(ATTIC, "Attic", prices=FREE, options=QUICK), **options)


async def written_again(hub: Hub) -> None:
    """Wait until the ledger has found out by itself, without anybody asking for anything."""
    await until(lambda: not hub.ledger.failing)


async def later(hass: HomeAssistant, seconds: int) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done()


async def test_nothing_paid_is_sent_and_all_comes_back_by_itself(hass: HomeAssistant, server: FakeOpenAI) -> None:
    entry = await paid_and_free(hass, server)
    hub: Hub = entry.runtime_data
    issues = ir.async_get(hass)
    await ask(entry, CLOUD)
    sent = len(server.requests)

    with full_disk():
        assert await refused(entry, CLOUD) == "ledger_unavailable"
        reply = await call(hass, "process", prompt="Hi", provider="Server", on_error="return")
        assert "disk is full" in reply["error"]["message"]
        assert (await ask(entry, ATTIC)).text
        await hass.async_block_till_done()
        issue = issues.async_get_issue(DOMAIN, "ledger_failing")
        assert issue is not None
        assert issue.translation_placeholders == {"error": hub.ledger.failing}
    assert len(server.requests) == sent
    assert hub.router.admission.open_tickets == frozenset()

    await written_again(hub)
    await later(hass, 61)
    assert issues.async_get_issue(DOMAIN, "ledger_failing") is None
    assert (await ask(entry, CLOUD)).cost > 0
    await hub.ledger.flush()
    (total,) = await hub.ledger.usage("", "9999", ())
    # What was refused has never been: two paid ones, and the free one.
    assert total.attempts == 3


async def test_a_setting_is_in_force_at_once_and_noted_later(hass: HomeAssistant, server: FakeOpenAI) -> None:
    entry = await paid_and_free(hass, server)
    hub: Hub = entry.runtime_data

    with full_disk():
        assert await refused(entry, CLOUD) == "ledger_unavailable"
        hass.config_entries.async_update_entry(entry, options={"local_only": True})
        await hass.async_block_till_done()
        assert hub.router.config.local_only
        assert await refused(entry, CLOUD) == "no_capable_target"

    await written_again(hub)
    await later(hass, 20)
    assert [change.text for change in await changes(hub.ledger.reader, 10)] == ["router: local_only: True"]


async def test_a_budget_that_is_set_meanwhile_knows_what_was_spent(hass: HomeAssistant, server: FakeOpenAI) -> None:
    entry = await paid_and_free(hass, server)
    hub: Hub = entry.runtime_data
    cost = (await ask(entry, CLOUD)).cost
    assert cost

    with full_disk():
        assert await refused(entry, CLOUD) == "ledger_unavailable"
        options = {"budget_week": f"{cost * 1.5 / 10**12:.12f}"}
        hass.config_entries.async_update_entry(entry, options=options)
        await hass.async_block_till_done()
    # Until the ledger has been read, nobody knows what is left of it.
    assert await refused(entry, CLOUD) == "over_budget"

    await written_again(hub)
    await later(hass, 20)
    assert await refused(entry, CLOUD) == "over_budget"
    status = await call(hass, "get_status")
    (week,) = (budget for budget in status["budgets"] if budget["window"] == "week")
    assert week["spent"] == pytest.approx(cost / 10**12)
    hass.config_entries.async_update_entry(entry, options={"budget_week": "1000"})
    await hass.async_block_till_done()
    assert (await ask(entry, CLOUD)).cost > 0


async def test_a_start_on_a_full_disk_is_tried_again(hass: HomeAssistant, tmp_path: Path) -> None:
    entry = MockConfigEntry(domain=DOMAIN, title="AI Router")
    entry.add_to_hass(hass)

    with full_disk():
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert entry.error_reason_translation_key == "ledger_not_opened"

    await later(hass, 60)
    await until(lambda: entry.state is ConfigEntryState.LOADED)
    assert (tmp_path / ".storage" / "ai_router" / "ledger.db").stat().st_size
