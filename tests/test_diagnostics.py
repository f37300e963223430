"""What can be downloaded for a bug report, fetched as the frontend does, and what must never be in it."""

import json
import sqlite3
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props

from custom_components.ai_router.const import DOMAIN, SUBENTRY_POOL, SUBENTRY_RULE, Conf
from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.routing.model import Message, Role, Text
from custom_components.ai_router.routing.money import to_dollars
from custom_components.ai_router.routing.request import Caller, Pins, Request
from custom_components.ai_router.storage.schema import SCHEMA_VERSION

from .household import ATTIC, CLOUD, ENTRY_ID, FREE, ask, ask_in_vain, demo, move_in, pass_time, subentry

pytestmark = pytest.mark.freeze_time("2026-11-21 20:00:00+00:00")

KEY = "sk-proj-Zt9-the-key-of-this-household"


def device_of(device_registry: dr.DeviceRegistry, entry: MockConfigEntry, identifier: str) -> dr.DeviceEntry:
    device = device_registry.async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
    assert device is not None
    return device


async def test_everything_about_the_router(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
    snapshot: SnapshotAssertion,
) -> None:
    limits = {Conf.BUDGET_DAY.value: "10", Conf.REQUESTS_PER_MINUTE.value: 30, Conf.PRIORITY.value: 5}
    ill = demo(CLOUD, "Cloud", prices=FREE, options={"success_rate": 0, "error": "credential", "latency": 0.0})
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", **limits), ill, budget_month="20", local_only=False)
    await ask(entry, ATTIC)
    await ask_in_vain(entry, CLOUD)
    await pass_time(hass, freezer)
    await entry.runtime_data.ledger.flush()

    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    assert told == snapshot(exclude=props("versions", "commits"))
    assert told["versions"] == {
        "ledger": SCHEMA_VERSION,
        "sqlite": sqlite3.sqlite_version,
        "price_table": entry.runtime_data.table.made,
    }


@pytest.mark.freeze_time("2026-11-22 07:55:00+00:00")  # five minutes to midnight
async def test_the_figures_are_the_ledgers(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_client: ClientSessionGenerator
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=("0.123457", "7.654321")), demo(CLOUD, "Cloud"))
    ledger = entry.runtime_data.ledger
    await ask(entry, ATTIC)
    await pass_time(hass, freezer, 600)
    await ask(entry, ATTIC, "a few more words")
    await ask(entry, CLOUD)
    await ledger.flush()

    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    for span, first in (("today", "2026-11-22"), ("month", "2026-11-01")):
        rows = {row.key[0]: row for row in await ledger.usage(first, "2026-11-22", ["provider_id"])}
        assert {key: sums["cost"] for key, sums in told["ledger"][span].items()} == {
            key: f"{to_dollars(row.cost):f}" for key, row in rows.items()
        }
    assert told["ledger"]["today"][ATTIC]["attempts"] == 1
    assert told["ledger"]["month"][ATTIC]["attempts"] == 2


async def test_no_key_ciphertext_or_prompt_gets_in(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
    device_registry: dr.DeviceRegistry,
) -> None:
    ciphertext = await Vault(hass).encrypt(KEY)
    careless = demo(
        ATTIC,
        f"Attic with {KEY}",  # a person may paste a key anywhere
        prices=FREE,
        options={"success_rate": 0, "error": "billing", "header": "X-Token: told-to-nobody", "seed": 7},
        url="http://someone:hidden-word@192.168.1.9:8080/v1?key=query-secret#fragment-secret",
        credential=ciphertext,
    )
    entry = await move_in(hass, freezer, careless)
    await ask_in_vain(entry, ATTIC, "Where did I hide the spare key?")
    await pass_time(hass, freezer)

    whole: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    device = device_of(device_registry, entry, ATTIC)
    of_device: Any = await get_diagnostics_for_device(hass, hass_client, entry, device)

    secrets = (KEY, ciphertext, "told-to-nobody", "someone", "hidden-word", "query-secret", "fragment-secret")
    for text in (json.dumps(whole), json.dumps(of_device)):
        for secret in (*secrets, "spare key", "simulated failure"):
            assert secret not in text
    provider = of_device["provider"]
    assert provider == whole["providers"][ATTIC]
    assert provider["name"] == "Attic with **REDACTED**"
    assert provider["settings"]["url"] == "http://192.168.1.9:8080/v1"
    assert provider["settings"]["options"] == {
        "success_rate": 0,
        "error": "**REDACTED**",
        "header": "**REDACTED**",
        "seed": 7,
    }
    assert [bench["class"] for bench in provider["benches"]] == ["billing"]


async def test_a_providers_device_tells_only_of_it(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
    device_registry: dr.DeviceRegistry,
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"), demo(CLOUD, "Cloud"))
    await ask(entry, ATTIC)
    await ask(entry, CLOUD)
    await entry.runtime_data.ledger.flush()
    whole: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    provider = device_of(device_registry, entry, CLOUD)
    told: Any = await get_diagnostics_for_device(hass, hass_client, entry, provider)
    assert told["provider"] == whole["providers"][CLOUD]
    assert told["ledger"]["today"] == {CLOUD: whole["ledger"]["today"][CLOUD]}
    assert ATTIC not in json.dumps(told)

    router = device_of(device_registry, entry, ENTRY_ID)
    assert await get_diagnostics_for_device(hass, hass_client, entry, router) == whole


async def test_a_ledger_that_cannot_be_read_is_told(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_client: ClientSessionGenerator
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await entry.runtime_data.ledger.close()

    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    assert told["ledger"] == {"error": "the ledger is closed"}
    assert told["providers"][ATTIC]["settings"]["kind"] == "demo"


async def test_an_address_that_is_none_is_not_shown(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_client: ClientSessionGenerator
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", url="http://[half-an-address"))

    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    assert told["providers"][ATTIC]["settings"]["url"] == "**REDACTED**"


async def test_a_provider_of_an_unknown_kind_is_told_as_waiting(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_client: ClientSessionGenerator
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", kind="from_another_integration"), demo(CLOUD, "Cloud"))

    told: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    waiting = told["providers"][ATTIC]
    assert waiting["settings"]["kind"] == "from_another_integration"
    assert (waiting["status"], waiting["breakers"], waiting["benches"]) == (None, {}, [])
    assert told["providers"][CLOUD]["status"]["breaker"] == "closed"


async def test_a_pool_and_a_rule_are_told_of_without_anybodys_words(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
    device_registry: dr.DeviceRegistry,
) -> None:
    pool = subentry(
        "01POOL", SUBENTRY_POOL, "Vision", members=[{"provider": ATTIC}], strategy="fastest", budget_day="2"
    )
    rule = subentry(
        "01RULE", SUBENTRY_RULE, "At home", pool="01POOL", local_only=True, when={"labels": ["grandmother"]}
    )
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", local=True), pool, rule)
    request = Request("one", Caller(), (Message(Role.USER, (Text("Hi"),)),), pins=Pins(pool="01POOL"))
    await entry.runtime_data.router.process(request)
    await pass_time(hass, freezer)
    await entry.runtime_data.ledger.flush()

    whole: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    device = device_of(device_registry, entry, "01POOL")
    of_device: Any = await get_diagnostics_for_device(hass, hass_client, entry, device)

    assert of_device.keys() == {"versions", "pool", "ledger"}
    assert of_device["pool"] == whole["pools"]["01POOL"]
    assert of_device["pool"]["settings"] == {
        "members": [{"provider": ATTIC}],
        "strategy": "fastest",
        "budget_day": "2",
    }
    assert of_device["pool"]["status"]["tally"]["attempts"] == 1
    assert {key: sums["attempts"] for key, sums in of_device["ledger"]["today"].items()} == {"01POOL": 1}
    assert whole["rules"] == {
        "01RULE": {"name": "At home", "settings": {"pool": "01POOL", "local_only": True}, "conditions": ["labels"]}
    }
    assert "grandmother" not in json.dumps(whole)
