"""Keys that are rejected: each provider is asked for its own, one after another, and the others go on."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.ai_router.config_flow import RouterFlow
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.providers.registry import KINDS
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import Dialog, running
from tests.household import ATTIC, FREE, ask, ask_in_vain, demo
from tests.servers import SECRET, at_server

NEW = "sk-canary-new-8c41e2"
SKY, SEA = "01SKY", "02SEA"


@pytest.fixture(autouse=True)
def no_key_in_any_log(socket_enabled: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for when in ("setup", "call"):
        said = "".join(record.getMessage() for record in caplog.get_records(when))
        assert SECRET not in said
        assert NEW not in said


@pytest.fixture
async def servers() -> AsyncGenerator[list[FakeOpenAI]]:
    """Two servers that have been given another key than the household knows."""
    both = [FakeOpenAI(key=NEW), FakeOpenAI(key=NEW)]
    for server in both:
        await server.start()
    yield both
    for server in both:
        await server.stop()


@pytest.fixture
async def entry(hass: HomeAssistant, servers: list[FakeOpenAI]) -> MockConfigEntry:
    """A household with both servers and a simulated provider."""
    assert await async_setup_component(hass, "repairs", {})
    return await running(
        hass,
        await at_server(hass, servers[0], SKY, "Sky"),
        await at_server(hass, servers[1], SEA, "Sea"),
        demo(ATTIC, "Attic", prices=FREE, options={"latency": 0}),
    )


def asked(hass: HomeAssistant) -> list[str]:
    """Return the ids of the providers that are being asked for a key."""
    return [
        str(flow["context"]["unique_id"])
        for flow in hass.config_entries.flow.async_progress()
        if flow["context"]["source"] == "reauth"
    ]


def issues(hass: HomeAssistant) -> set[str]:
    return {issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN}


async def reject(hass: HomeAssistant, entry: MockConfigEntry, *provider_ids: str) -> None:
    for provider_id in provider_ids:
        await ask_in_vain(entry, provider_id)
    await hass.async_block_till_done()


async def test_a_rejected_key_asks_for_that_provider_s_key_alone(
    hass: HomeAssistant, entry: MockConfigEntry, servers: list[FakeOpenAI]
) -> None:
    hub = entry.runtime_data
    await reject(hass, entry, SKY)

    assert asked(hass) == [SKY]
    assert issues(hass) == {f"key_rejected_{SKY}"}
    (reauth,) = hass.config_entries.flow.async_progress()
    assert reauth["context"]["title_placeholders"] == {"name": "Sky"}

    dialog = await Dialog.asked_again(hass)
    assert dialog.step == "reauth_confirm"
    assert [field["name"] for field in dialog.fields] == ["api_key"]
    assert dialog.result["description_placeholders"]["provider"] == "Sky"
    before = dict(entry.subentries[SKY].data)

    for wrong, errors in (("sk-wrong", "invalid_auth"), ("a b", "key_malformed"), ("", "invalid_auth")):
        await dialog.answer(api_key=wrong)
        assert (dialog.step, dialog.errors) == ("reauth_confirm", {"api_key": errors})
        assert dict(entry.subentries[SKY].data) == before  # the old one is kept until a new one has proved itself
    assert (await ask(entry, ATTIC)).text.startswith("Demo answer")

    await dialog.answer(api_key=f" {NEW} ")

    assert dialog.step == "reauth_successful"
    assert await Vault(hass).decrypt(entry.subentries[SKY].data["credential"]) == NEW
    assert NEW not in json.dumps(dict(entry.subentries[SKY].data))
    assert {**entry.subentries[SKY].data, "credential": 0, "credential_since": 0} == {
        **before,
        "credential": 0,
        "credential_since": 0,
    }
    assert entry.runtime_data is hub  # nothing was reloaded
    assert (asked(hass), issues(hass)) == ([], set())
    assert (await ask(entry, SKY)).text == servers[0].text


async def test_several_wait_in_turn(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await reject(hass, entry, SEA, SKY)

    assert asked(hass) == [SEA]
    assert issues(hass) == {f"key_rejected_{SEA}", f"key_rejected_{SKY}"}

    await (await Dialog.asked_again(hass)).answer(api_key=NEW)

    assert asked(hass) == [SKY]
    assert issues(hass) == {f"key_rejected_{SKY}"}

    await (await Dialog.asked_again(hass)).answer(api_key=NEW)

    assert (asked(hass), issues(hass)) == ([], set())


async def test_a_change_of_configuration_neither_reloads_nor_ends_it(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    await reject(hass, entry, SKY, SEA)
    (before,) = hass.config_entries.flow.async_progress()

    hass.config_entries.async_update_entry(entry, options={"budget_day": "5"})
    hass.config_entries.async_update_subentry(entry, entry.subentries[ATTIC], title="Loft")
    await hass.async_block_till_done()

    (after,) = hass.config_entries.flow.async_progress()
    assert after["flow_id"] == before["flow_id"]


async def test_whoever_mends_it_elsewhere_ends_it(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await reject(hass, entry, SKY, SEA)
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"key_rejected_{SKY}")
    assert issue is not None

    dialog = await Dialog.repair(hass, issue)
    assert (await dialog.answer(api_key="sk-wrong")).errors == {"api_key": "invalid_auth"}
    assert (await dialog.answer(api_key=NEW)).step == "create_entry"
    await hass.async_block_till_done()

    assert asked(hass) == [SEA]
    assert issues(hass) == {f"key_rejected_{SEA}"}


async def test_a_provider_that_is_removed_is_not_asked_for(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await reject(hass, entry, SKY, SEA)
    dialog = await Dialog.asked_again(hass)

    hass.config_entries.async_remove_subentry(entry, SKY)
    await hass.async_block_till_done()

    assert asked(hass) == [SEA]
    assert issues(hass) == {f"key_rejected_{SEA}"}
    with pytest.raises(UnknownFlow):
        await dialog.answer(api_key=NEW)


def send_away(hass: HomeAssistant) -> None:
    (flow,) = [each for each in hass.config_entries.flow.async_progress() if each["context"]["source"] == "reauth"]
    hass.config_entries.flow.async_abort(flow["flow_id"])


async def test_one_that_is_sent_away_gives_its_turn_to_the_next_and_comes_again_once_its_key_is_rejected_again(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    both = {f"key_rejected_{SKY}", f"key_rejected_{SEA}"}
    # No round of checks in between: it would find both keys rejected again.
    hass.config_entries.async_update_entry(entry, options={"health_interval": 0})
    await reject(hass, entry, SKY, SEA)

    send_away(hass)
    await hass.async_block_till_done()
    assert (asked(hass), issues(hass)) == ([SEA], both)

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=2))
    await hass.async_block_till_done()
    assert asked(hass) == [SEA]

    send_away(hass)
    await hass.async_block_till_done()
    assert (asked(hass), issues(hass)) == ([], both)

    assert await entry.runtime_data.router.check(SKY) is not None
    await hass.async_block_till_done()
    assert (asked(hass), issues(hass)) == ([SKY], both)

    await (await Dialog.asked_again(hass)).answer(api_key=NEW)
    assert (asked(hass), issues(hass)) == ([], {f"key_rejected_{SEA}"})


async def test_one_that_is_sent_away_comes_again_after_a_restart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await reject(hass, entry, SKY)
    send_away(hass)
    await hass.async_block_till_done()
    assert asked(hass) == []

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert asked(hass) == [SKY]


async def test_it_is_remembered_over_a_restart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await reject(hass, entry, SEA, SKY)

    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert (asked(hass), issues(hass)) == ([], set())  # off means off

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert asked(hass) == [SEA]
    assert issues(hass) == {f"key_rejected_{SEA}", f"key_rejected_{SKY}"}
    with pytest.raises(RequestFailed):
        await ask(entry, SKY)


async def test_a_reload_begins_it_anew_and_leaves_one(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await reject(hass, entry, SKY)

    for _ in range(3):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()

    assert asked(hass) == [SKY]


async def test_a_stored_key_that_cannot_be_read_is_asked_for_too(
    hass: HomeAssistant, entry: MockConfigEntry, servers: list[FakeOpenAI], tmp_path: Path
) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    (tmp_path / ".storage" / "ai_router" / "credential.key").unlink()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert asked(hass) == [SKY]
    assert issues(hass) == {f"key_rejected_{SEA}", f"key_rejected_{SKY}"}
    assert (await ask(entry, ATTIC)).text.startswith("Demo answer")

    dialog = await (await Dialog.asked_again(hass)).answer()
    assert dialog.errors == {"api_key": "key_unreadable"}
    await dialog.answer(api_key=NEW)

    assert dialog.step == "reauth_successful"
    assert asked(hass) == [SEA]
    assert (await ask(entry, SKY)).text == servers[0].text


async def test_stored_headers_that_cannot_be_read_are_told_where_a_key_alone_does_not_help(
    hass: HomeAssistant, servers: list[FakeOpenAI], tmp_path: Path
) -> None:
    headers = {"extra_headers": await Vault(hass).encrypt('{"X-House": "ours"}')}
    (tmp_path / ".storage" / "ai_router" / "credential.key").unlink()
    await running(hass, await at_server(hass, servers[0], SKY, "Sky", secrets=headers))

    dialog = await (await Dialog.asked_again(hass)).answer(api_key=NEW)

    assert dialog.errors == {"base": "extras_unreadable"}


async def test_the_stored_key_may_work_again(
    hass: HomeAssistant, entry: MockConfigEntry, servers: list[FakeOpenAI]
) -> None:
    await reject(hass, entry, SKY)
    before = dict(entry.subentries[SKY].data)
    servers[0].key = SECRET

    dialog = await (await Dialog.asked_again(hass)).answer()

    assert dialog.step == "reauth_successful"
    assert dict(entry.subentries[SKY].data) == before
    assert (await ask(entry, SKY)).text == servers[0].text


async def test_a_check_that_finds_the_key_taken_again_ends_it_for_good(
    hass: HomeAssistant, entry: MockConfigEntry, servers: list[FakeOpenAI]
) -> None:
    await reject(hass, entry, SKY, SEA)
    servers[0].key = SECRET

    async def check() -> list[tuple[str, bool, str | None, str]]:
        answer = await hass.services.async_call(DOMAIN, "check_health", {}, blocking=True, return_response=True)
        await hass.async_block_till_done()
        assert answer is not None
        told: Any = answer["providers"]
        return [(each["provider"], each["ok"], each["failure"], each["health"]) for each in told]

    after = [
        ("Sky", True, None, "healthy"),
        ("Sea", False, "credential", "unhealthy"),
        ("Attic", True, None, "healthy"),
    ]
    assert await check() == after
    assert (asked(hass), issues(hass)) == ([SEA], {f"key_rejected_{SEA}"})
    assert (await ask(entry, SKY)).text == servers[0].text

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert (asked(hass), issues(hass)) == ([SEA], {f"key_rejected_{SEA}"})
    assert await check() == after


async def test_a_check_without_the_key_ends_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, servers: list[FakeOpenAI], tmp_path: Path
) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    (tmp_path / ".storage" / "ai_router" / "credential.key").unlink()
    servers[0].key = None  # it takes everybody
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    failure = await entry.runtime_data.router.check(SKY)
    await hass.async_block_till_done()

    assert failure is not None
    assert failure.cls is FailureClass.CREDENTIAL
    assert issues(hass) == {f"key_rejected_{SEA}", f"key_rejected_{SKY}"}


async def test_a_server_that_is_down_keeps_the_old_key(
    hass: HomeAssistant, entry: MockConfigEntry, servers: list[FakeOpenAI]
) -> None:
    await reject(hass, entry, SKY)
    await servers[0].stop()

    dialog = await (await Dialog.asked_again(hass)).answer(api_key=NEW)

    assert dialog.errors == {"base": "cannot_connect"}
    assert await Vault(hass).decrypt(entry.subentries[SKY].data["credential"]) == SECRET
    await servers[0].start()


async def test_a_provider_whose_kind_has_gone_cannot_be_asked(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reject(hass, entry, SKY)
    dialog = await Dialog.asked_again(hass)
    monkeypatch.delitem(KINDS, "openai_compatible")

    assert (await dialog.answer(api_key=NEW)).step == "kind_unknown"
    assert await Vault(hass).decrypt(entry.subentries[SKY].data["credential"]) == SECRET


async def test_a_router_that_has_become_local_only_asks_nobody_outside(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.ai_router.flows.provider_check.is_in_the_house", lambda _: False)
    await reject(hass, entry, SKY)
    hass.config_entries.async_update_entry(entry, options={"local_only": True})
    await hass.async_block_till_done()

    dialog = await (await Dialog.asked_again(hass)).answer(api_key=NEW)

    assert dialog.errors == {"base": "local_only"}


async def test_requests_of_others_under_way_go_on(
    hass: HomeAssistant, entry: MockConfigEntry, servers: list[FakeOpenAI]
) -> None:
    servers[1].key = SECRET
    await reject(hass, entry, SKY)
    servers[1].hold()
    asking = asyncio.create_task(ask(entry, SEA))
    async with asyncio.timeout(10):
        while not servers[1].waiting:  # noqa: ASYNC110 - the server tells it only when asked
            await asyncio.sleep(0.01)

    await (await Dialog.asked_again(hass)).answer(api_key=NEW)
    servers[1].release()

    assert (await asking).text == servers[1].text


async def test_an_entry_that_is_unloaded_or_removed_meanwhile(
    hass: HomeAssistant, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    await reject(hass, entry, SKY)
    flow = RouterFlow()
    flow.hass, flow.handler, flow.flow_id = hass, DOMAIN, "any"
    flow.context = {"source": "reauth", "entry_id": entry.entry_id, "unique_id": SKY}
    assert (await flow.async_step_reauth({"subentry_id": SKY}))["type"] == "form"
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED

    await hass.config_entries.async_remove(entry.entry_id)
    flow.async_remove()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=2))
    await hass.async_block_till_done()

    assert (asked(hass), issues(hass)) == ([], set())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
