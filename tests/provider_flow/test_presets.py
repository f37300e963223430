"""Brands of server, and what a household adds to what is sent to its own."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.diagnostics import async_get_config_entry_diagnostics
from custom_components.ai_router.providers.presets import PRESETS
from tests.fakes.brands import BRANDS, FakeOpenRouter
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI
from tests.flows import KEY, Dialog
from tests.household import ask

from .steps import add_server, provider_id, stored

SECRET = "house-secret-4711"
FIELD = "field-secret-0815"
EXTRAS = {"extra_headers": f"X-House: Token {SECRET}", "extra_body": f'{{"stop": ["{FIELD}"]}}'}


@pytest.fixture
async def brand(request: pytest.FixtureRequest) -> AsyncGenerator[FakeOpenAI]:
    server: FakeOpenAI = BRANDS[request.param](key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize(("preset", "brand"), [(name, name) for name in BRANDS], indirect=["brand"])
async def test_a_brand_is_added(hass: HomeAssistant, entry: MockConfigEntry, preset: str, brand: FakeOpenAI) -> None:
    known = PRESETS[preset]
    dialog = await Dialog.add(hass, entry, preset)

    assert dialog.step == "openai_compatible"
    assert dialog.shown == {"name": known.name, "url": known.url, "local": known.local}

    if known.key:
        await dialog.submit(url=brand.url)
        assert (dialog.errors, brand.requests) == ({"api_key": "key_missing"}, [])
    await dialog.submit(url=brand.url, api_key=f"{KEY}x")
    assert dialog.errors == {"api_key": "invalid_auth"}
    await dialog.submit(api_key=KEY)
    await dialog.submit(models=[CHAT_MODEL])

    data = stored(entry, known.name)
    assert (data["kind"], data["options"]["preset"]) == ("openai_compatible", preset)
    assert [model["local"] for model in data["models"]] == [known.local]
    assert (await ask(entry, provider_id(entry, known.name))).text == brand.text

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, known.name))).submit()
    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    assert stored(entry, known.name)["options"]["preset"] == preset


async def test_openrouter_s_own_prices_and_costs_count(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    server = FakeOpenRouter(key=KEY)
    await server.start()
    dialog = await (await Dialog.add(hass, entry, "openrouter")).submit(url=server.url, api_key=KEY)
    await dialog.submit(models=[CHAT_MODEL])
    listed = await ask(entry, provider_id(entry, "OpenRouter"))
    server.cost = None
    counted = await ask(entry, provider_id(entry, "OpenRouter"))
    await server.stop()

    assert (listed.cost, listed.estimated) == (420_000_000, False)
    assert 0 < counted.cost != listed.cost


async def test_what_the_household_adds_goes_with_everything(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY, **EXTRAS)
    assert dialog.step == "models"
    await dialog.submit(models=[CHAT_MODEL])

    await ask(entry, provider_id(entry, "Cloud"))

    assert {seen.headers.get("X-House") for seen in server.requests} == {f"Token {SECRET}"}
    assert server.bodies[-1]["stop"] == [FIELD]
    text = repr(stored(entry, "Cloud"))
    assert SECRET not in text
    assert FIELD not in text
    told = repr(await async_get_config_entry_diagnostics(hass, entry))
    assert SECRET not in told
    assert FIELD not in told
    redact = entry.runtime_data.redactor.redact
    assert (SECRET in redact(f"a {SECRET}"), FIELD in redact(f"b {FIELD}")) == (False, False)
    assert SECRET not in caplog.text


async def test_what_was_added_is_kept_until_it_is_taken_away(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY, **EXTRAS)
    await dialog.submit(models=[CHAT_MODEL])
    before = stored(entry, "Cloud")

    dialog = await Dialog.change(hass, entry, provider_id(entry, "Cloud"))
    assert not {"extra_headers", "extra_body"} & dialog.shown.keys()
    await (await dialog.submit()).submit()
    assert stored(entry, "Cloud")["secrets"] == before["secrets"]

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit(extra_headers=" - ")
    await dialog.submit()
    assert stored(entry, "Cloud")["secrets"].keys() == {"extra_body"}
    server.requests.clear()
    await ask(entry, provider_id(entry, "Cloud"))
    assert (server.requests[-1].headers.get("X-House"), server.bodies[-1]["stop"]) == (None, [FIELD])

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit(extra_body="-")
    await dialog.submit()
    assert "secrets" not in stored(entry, "Cloud")


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"extra_headers": "nonsense"}, {"extra_headers": "headers_malformed"}),
        ({"extra_headers": "Host: x"}, {"extra_headers": "header_reserved"}),
        ({"extra_body": "nonsense"}, {"extra_body": "body_malformed"}),
        ({"extra_body": '{"max_tokens": 9}'}, {"extra_body": "body_reserved"}),
    ],
)
async def test_what_cannot_be_sent_is_said_at_its_field(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, typed: dict[str, str], errors: dict[str, str]
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY, **typed)

    assert (dialog.errors, server.requests) == (errors, [])

    await dialog.submit(**EXTRAS)
    assert dialog.step == "models"


async def test_a_header_may_stand_in_for_the_key(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    server = FakeOpenRouter(key=KEY)
    await server.start()
    dialog = await Dialog.add(hass, entry, "openrouter")
    await dialog.submit(url=server.url, extra_headers=f"Authorization: Bearer {KEY}")
    step = dialog.step
    await server.stop()

    assert step == "models"


async def test_what_cannot_be_read_any_more_is_asked_for_again(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    await add_server(hass, entry, server, models=[CHAT_MODEL])
    data: dict[str, Any] = {**stored(entry, "Cloud"), "secrets": {"extra_headers": "no token"}}
    subentry = entry.subentries[provider_id(entry, "Cloud")]
    hass.config_entries.async_update_subentry(entry, subentry, data=data)
    await hass.async_block_till_done()

    assert entry.runtime_data.router.benches.of_provider(subentry.subentry_id, 0.0)
    dialog = await (await Dialog.change(hass, entry, subentry.subentry_id)).submit()
    assert dialog.errors == {"base": "extras_unreadable"}
    await dialog.submit(extra_headers=EXTRAS["extra_headers"])
    await dialog.submit()
    assert dialog.step == "reconfigure_successful"
    assert (await ask(entry, subentry.subentry_id)).text == server.text
