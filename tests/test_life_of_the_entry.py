"""What an entry leaves behind and takes over: versions, removal, backup, the page of the system's health."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryData
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

import custom_components.ai_router as integration
from custom_components.ai_router import backup
from custom_components.ai_router.config_flow import RouterFlow
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.hub import Hub
from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.storage.database import SNAPSHOT_NAME
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import Dialog, english
from tests.household import ATTIC, CLOUD, FREE, ask, ask_in_vain, demo, move_in
from tests.servers import at_server


def attempts(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM attempts").fetchone()
        return int(count)


def left(folder: Path) -> set[str]:
    return {file.name for file in (folder / ".storage" / "ai_router").glob("*")}


# --- forms that are open ----------------------------------------------------------------------------


async def test_forms_that_are_open_while_the_entry_is_removed_say_so(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    options = await Dialog.options(hass, entry)
    forms = [
        await Dialog.add(hass, entry, "demo"),
        await Dialog.change(hass, entry, ATTIC),
        await Dialog.new(hass, entry, "pool"),
        await Dialog.new(hass, entry, "rule"),
    ]

    await hass.config_entries.async_remove(entry.entry_id)

    assert [(await form.look_again()).step for form in forms] == ["entry_not_loaded"] * 4
    assert (await options.look_again()).step == "entry_removed"


# --- versions ---------------------------------------------------------------------------------------


async def _stored(hass: HomeAssistant, server: FakeOpenAI, version: int, minor: int) -> MockConfigEntry:
    subentry = await at_server(hass, server, CLOUD)
    stored = ConfigSubentryData(
        data=subentry.data, subentry_id=CLOUD, subentry_type="provider", title="Server", unique_id=None
    )
    entry = MockConfigEntry(
        domain=DOMAIN, title="AI Router", subentries_data=[stored], version=version, minor_version=minor
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def test_keys_of_an_unknown_age_are_dated(hass: HomeAssistant, server: FakeOpenAI) -> None:
    entry = await _stored(hass, server, 1, 1)

    assert (entry.state, entry.version, entry.minor_version) == (ConfigEntryState.LOADED, 1, RouterFlow.MINOR_VERSION)
    since = dt_util.parse_datetime(entry.subentries[CLOUD].data["credential_since"])
    assert since is not None
    assert abs((dt_util.utcnow() - since).total_seconds()) < 60
    assert (await ask(entry, CLOUD)).text == server.text


async def test_what_is_stored_by_this_version_stays_as_it_is(hass: HomeAssistant, server: FakeOpenAI) -> None:
    entry = await _stored(hass, server, RouterFlow.VERSION, RouterFlow.MINOR_VERSION)

    assert "credential_since" not in entry.subentries[CLOUD].data


async def test_a_newer_minor_version_runs_and_keeps_its_number(hass: HomeAssistant, server: FakeOpenAI) -> None:
    entry = await _stored(hass, server, RouterFlow.VERSION, RouterFlow.MINOR_VERSION + 7)

    assert entry.state is ConfigEntryState.LOADED
    assert entry.minor_version == RouterFlow.MINOR_VERSION + 7
    assert (await ask(entry, CLOUD)).text == server.text


async def test_a_newer_major_version_is_refused_and_left_alone(
    hass: HomeAssistant, server: FakeOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await _stored(hass, server, RouterFlow.VERSION + 1, 1)

    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert (entry.version, "credential_since" in entry.subentries[CLOUD].data) == (RouterFlow.VERSION + 1, False)
    assert "higher than the current version" in caplog.text


async def test_a_ledger_of_a_newer_version_is_told_until_it_can_be_read(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path
) -> None:
    entry = await move_in(hass, freezer)
    assert await hass.config_entries.async_unload(entry.entry_id)
    file = tmp_path / ".storage" / "ai_router" / "ledger.db"
    issues = ir.async_get(hass)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 1000")

    await hass.config_entries.async_setup(entry.entry_id)

    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert issues.async_get_issue(DOMAIN, "ledger_too_new") is not None

    file.unlink()
    assert await hass.config_entries.async_reload(entry.entry_id)

    assert issues.async_get_issue(DOMAIN, "ledger_too_new") is None


# --- removal ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delete", [True, False])
async def test_removal_takes_keys_and_issues_along_and_the_ledger_if_it_is_wanted(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
    server: FakeOpenAI,
    tmp_path: Path,
    delete: bool,
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD), demo(ATTIC, "Attic"), delete_data=delete)
    await ask(entry, CLOUD)
    server.key = "another"
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()
    assert {"credential.key", "ledger.db"} <= left(tmp_path)
    await hass.config_entries.async_unload(entry.entry_id)
    assert "ai_router.state" in hass_storage

    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()

    assert "ai_router.state" not in hass_storage
    assert left(tmp_path) == (set() if delete else {"ledger.db"})
    assert not [issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN]
    assert not hass.config_entries.flow.async_progress()
    if not delete:
        again = await move_in(hass, freezer, demo(ATTIC, "Attic"))
        assert again.runtime_data.coordinator.data.money.month > 0  # what was spent is found again


async def test_removal_of_what_was_never_set_up(hass: HomeAssistant) -> None:
    entry = MockConfigEntry(domain=DOMAIN, title="AI Router", options={"delete_data": True})
    entry.add_to_hass(hass)

    await hass.config_entries.async_remove(entry.entry_id)

    assert not hass.config_entries.async_entries(DOMAIN)


@pytest.mark.parametrize("delete", [True, False])
async def test_removal_takes_what_it_can_and_says_what_is_left(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    delete: bool,
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}), delete_data=delete)
    await hass.config_entries.async_unload(entry.entry_id)
    home = tmp_path / ".storage" / "ai_router"
    elsewhere = tmp_path / "elsewhere"
    if delete:  # of a folder that only points to another nothing is deleted
        home.rename(elsewhere)
        home.symlink_to(elsewhere, target_is_directory=True)
    else:  # a folder is no file that could be deleted as one
        (home / "credential.key").unlink(missing_ok=True)
        (home / "credential.key").mkdir()
        (home / "cache.db").touch()

    await hass.config_entries.async_remove(entry.entry_id)

    assert "could be deleted" in caplog.text
    assert not hass.config_entries.async_entries(DOMAIN)
    if delete:
        assert (elsewhere / "ledger.db").exists()
    else:
        assert left(tmp_path) == {"credential.key", "ledger.db"}


# --- stopping and failing -----------------------------------------------------------------------------


async def test_home_assistant_s_stop_settles_everything(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}))
    await ask(entry, ATTIC)

    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()

    with pytest.raises(RequestFailed):
        await ask(entry, ATTIC)
    with pytest.raises(LedgerUnavailable):
        await entry.runtime_data.ledger.flush()


async def test_a_platform_that_cannot_be_set_up_leaves_no_ledger_open(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "PLATFORMS", [*integration.PLATFORMS, "not_there"])
    opened: list[Hub] = []
    original = Hub.open

    async def open_hub(*args: Any) -> Hub:
        opened.append(await original(*args))
        return opened[-1]

    monkeypatch.setattr(Hub, "open", open_hub)
    entry = MockConfigEntry(domain=DOMAIN, title="AI Router")
    entry.add_to_hass(hass)

    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert entry.state is ConfigEntryState.SETUP_ERROR
    (hub,) = opened
    with pytest.raises(LedgerUnavailable):
        await hub.ledger.flush()


# --- backup -----------------------------------------------------------------------------------------


async def test_a_backup_lays_a_whole_copy_beside_the_ledger_that_takes_its_place_when_it_is_damaged(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}))
    for number in range(3):
        await ask(entry, ATTIC, f"{number}")

    await backup.async_pre_backup(hass)
    await ask(entry, ATTIC, "while the backup copies")
    await backup.async_post_backup(hass)

    home = tmp_path / ".storage" / "ai_router"
    assert attempts(home / SNAPSHOT_NAME) == 3
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert attempts(home / "ledger.db") == 4
    with (home / "ledger.db").open("r+b") as file:
        file.write(b"\xa5" * 4_096)

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert entry.runtime_data.ledger.from_snapshot
    assert attempts(home / "ledger.db") == 3
    assert ir.async_get(hass).async_get_issue(DOMAIN, "ledger_restored") is not None


async def test_a_backup_never_fails_for_our_sake(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await backup.async_pre_backup(hass)  # not set up at all
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}))
    (tmp_path / ".storage" / "ai_router" / SNAPSHOT_NAME).mkdir()  # nothing can be put there

    await backup.async_pre_backup(hass)
    await backup.async_post_backup(hass)

    assert "No snapshot of the ledger was made" in caplog.text
    assert (await ask(entry, ATTIC)).text.startswith("Demo answer")
    await hass.config_entries.async_unload(entry.entry_id)
    await backup.async_pre_backup(hass)


# --- the system's health ----------------------------------------------------------------------------


async def test_the_page_of_the_system_s_health(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {"success_rate": 0, "latency": 0, "error": "credential"}
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}), demo(CLOUD, "Cloud", options=failing)
    )
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    await ask(entry, ATTIC)
    await ask_in_vain(entry, CLOUD)
    entry.runtime_data.coordinator.async_set_updated_data(entry.runtime_data.coordinator.look())

    info = await get_system_health_info(hass, DOMAIN)
    info["ledger"] = await info["ledger"]

    assert info == {
        "running": True,
        "providers": 2,
        "healthy": 1,
        "unhealthy": 1,
        "requests_today": 2,
        "under_way": 0,
        "ledger": "ok",
    }
    assert set(english()["system_health"]["info"]) == set(info)

    await entry.runtime_data.ledger.close()
    failed = {"type": "failed", "error": "unreachable", "more_info": "/config/repairs"}
    assert await (await get_system_health_info(hass, DOMAIN))["ledger"] == failed

    monkeypatch.setattr("custom_components.ai_router.system_health._SECONDS", 0.0)
    monkeypatch.setattr(entry.runtime_data.ledger, "flush", asyncio.Event().wait)
    assert await (await get_system_health_info(hass, DOMAIN))["ledger"] == {"type": "failed", "error": "timeout"}

    await hass.config_entries.async_unload(entry.entry_id)
    assert await get_system_health_info(hass, DOMAIN) == {"running": False}
