"""Every change of the entry is in the audit, with who made it; of a key only that it was changed."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from homeassistant.components.config import config_entries as config_api
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.ai_router.const import SUBENTRY_POOL
from custom_components.ai_router.storage.audit import Changed, changes
from tests.actions.calling import tell
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import KEY, Dialog, running
from tests.household import ATTIC, CLOUD, demo


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    return await running(hass, demo(ATTIC, "Attic"), demo(CLOUD, "Cloud"))


@pytest.fixture
async def server(socket_enabled: None) -> AsyncGenerator[FakeOpenAI]:
    server = FakeOpenAI(key=KEY)
    await server.start()
    yield server
    await server.stop()


async def noted(entry: MockConfigEntry) -> list[tuple[Changed, str, str]]:
    found = await changes(entry.runtime_data.ledger.reader, 50)
    return [(change.kind, change.provider_id, change.text) for change in reversed(found)]


async def test_what_a_flow_changes_is_noted_by_kind(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await noted(entry) == []

    await (await Dialog.new(hass, entry, SUBENTRY_POOL)).submit(name="Vision", members=[ATTIC])
    (pool_id,) = entry.runtime_data.router.config.pools
    await (await Dialog.alter(hass, entry, pool_id)).submit(name="Eyes", budgets={"budget_day": 2})
    await (await Dialog.change(hass, entry, ATTIC)).submit(name="Loft", limits={"priority": 3, "budget_month": 0.5})
    hass.config_entries.async_remove_subentry(entry, pool_id)
    await hass.async_block_till_done()

    assert await noted(entry) == [
        (Changed.SETTINGS, "", "pool Vision added"),
        (Changed.BUDGET, "", "pool Eyes: budget_day: 2"),
        (Changed.SETTINGS, "", "pool Eyes: was Vision"),
        (Changed.BUDGET, ATTIC, "provider Loft: budget_month: 0.5"),
        (Changed.SETTINGS, ATTIC, "provider Loft: was Attic, models, options, priority: 3, enabled: True, weight: 1.0"),
        (Changed.SETTINGS, "", "pool Eyes removed"),
    ]


async def test_options_are_noted_with_what_they_are_now(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await (await Dialog.options(hass, entry)).submit()
    before = len(await noted(entry))

    await (await Dialog.options(hass, entry)).submit(routing={"attempts": 5}, money={"budget_day": 1})
    await (await Dialog.options(hass, entry)).submit(money={"budget_day": None})

    assert (await noted(entry))[before:] == [
        (Changed.BUDGET, "", "router: budget_day: 1"),
        (Changed.SETTINGS, "", "router: attempts: 5"),
        (Changed.BUDGET, "", "router: budget_day: none"),
    ]


async def test_of_a_key_nothing_is_noted_but_that_it_changed(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Server", url=server.url, api_key=KEY)
    await dialog.submit()
    (server_id,) = (each for each, found in entry.subentries.items() if found.title == "Server")
    stored = entry.subentries[server_id].data["credential"]
    server.key = "sk-another"

    dialog = await Dialog.change(hass, entry, server_id)
    await dialog.submit(api_key="sk-another")
    await dialog.submit()

    told = await noted(entry)
    assert told == [
        (Changed.SETTINGS, server_id, "provider Server added"),
        (Changed.CREDENTIAL, server_id, "provider Server: key or secret changed"),
    ]
    now = entry.subentries[server_id].data["credential"]
    assert not any(secret in repr(told) for secret in (KEY, "sk-another", stored, now))


async def test_what_an_action_changes_is_noted_once(
    hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: MockUser
) -> None:
    await tell(hass, "set_provider", hass_admin_user, provider="Attic", priority=7)
    await hass.async_block_till_done()
    await (await Dialog.options(hass, entry)).submit()

    found = await changes(entry.runtime_data.ledger.reader, 50)
    assert [(change.user_id, change.text) for change in found if change.provider_id] == [
        (hass_admin_user.id, "priority: 7")
    ]


async def test_who_changes_something_in_the_browser_is_noted(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    socket_enabled: None,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
    hass_admin_user: MockUser,
) -> None:
    assert await async_setup_component(hass, "websocket_api", {})
    config_api.async_setup(hass)
    socket, browser = await hass_ws_client(), await hass_client()

    async def post(path: str, **body: Any) -> dict[str, Any]:
        response = await browser.post(f"/api/config/config_entries/{path}", json=body)
        found = await response.json()
        assert response.status == 200, found
        return dict(found)

    flow = await post("subentries/flow", handler=[entry.entry_id, SUBENTRY_POOL], show_advanced_options=False)
    sections = {"bounds": {"local_only": False}, "budgets": {"budget_only_warns": False}}
    made = await post(
        f"subentries/flow/{flow['flow_id']}", name="Vision", members=[ATTIC], strategy="cheapest", **sections
    )
    assert made["type"] == "create_entry"
    await hass.async_block_till_done()
    (pool_id,) = entry.runtime_data.router.config.pools
    await socket.send_json_auto_id(
        {"type": "config_entries/subentries/delete", "entry_id": entry.entry_id, "subentry_id": pool_id}
    )
    assert (await socket.receive_json())["success"]
    await hass.async_block_till_done()

    found = await changes(entry.runtime_data.ledger.reader, 50)
    assert [(change.user_id, change.text) for change in reversed(found)] == [
        (hass_admin_user.id, "pool Vision added"),
        (hass_admin_user.id, "pool Vision removed"),
    ]
