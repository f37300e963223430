"""Another integration brings a kind of provider or a strategy: before us, after us, for a while, and badly."""

import asyncio
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import TextSelector
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router import plug_ins
from custom_components.ai_router.const import DOMAIN, SUBENTRY_PROVIDER
from custom_components.ai_router.plug_ins import Option, Registration, kinds
from tests.household import ATTIC, ask, demo, move_in

from .parrots import DEMO_CHAT, PARROT, brings, kind, parrots, problems, provider


async def repeats(entry: MockConfigEntry) -> None:
    reply = await ask(entry, PARROT, "Hello you")
    assert (reply.text.strip(), reply.usage.text_out) == ("Hello you Hello you", 4)


# --- the example of the documentation ---------------------------------------------------------------


async def test_the_documented_plug_in_comes_before_us(hass: HomeAssistant, parrot: Path) -> None:
    assert await async_setup_component(hass, "parrot", {})
    entry = await move_in(hass, None, provider("parrot"))
    await hass.async_block_till_done()

    await repeats(entry)
    assert not problems(hass)


async def test_the_documented_plug_in_comes_after_us(
    hass: HomeAssistant, parrot: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await move_in(hass, None, provider("parrot"), demo(ATTIC, "Attic"))
    await hass.async_block_till_done()
    router = entry.runtime_data.router

    assert set(router.config.providers) == {ATTIC}
    assert problems(hass) == {f"kind_unknown_{PARROT}"}

    assert await async_setup_component(hass, "parrot", {})
    await hass.async_block_till_done()

    assert entry.runtime_data.router is router, "it came without a reload"
    await repeats(entry)
    assert not problems(hass)
    assert "Traceback" not in caplog.text


async def test_it_is_added_in_the_ui(hass: HomeAssistant, parrot: Path) -> None:
    assert await async_setup_component(hass, "parrot", {})
    entry = await move_in(hass, None)
    flows = hass.config_entries.subentries
    shown = await flows.async_init((entry.entry_id, SUBENTRY_PROVIDER), context={"source": SOURCE_USER})
    offered = shown["data_schema"].schema["kind"].config["options"]
    assert {"value": "parrot", "label": "Parrot"} in offered

    shown = await flows.async_configure(shown["flow_id"], {"kind": "parrot"})
    assert (shown["step_id"], shown["description_placeholders"]) == ("plug_in", {"kind": "Parrot"})
    shown = await flows.async_configure(shown["flow_id"], {"name": "Polly", "Repetitions": 3})
    assert shown["step_id"] == "models"
    sections = {"limits": {"concurrent": 1}, "patience": {}}
    shown = await flows.async_configure(shown["flow_id"], {"models": ["grey"], **sections})
    assert shown["type"] == "create_entry"
    await hass.async_block_till_done()

    (subentry,) = entry.subentries.values()
    assert (subentry.title, subentry.data["kind"], subentry.data["options"]) == ("Polly", "parrot", {"times": 3})
    assert subentry.data["concurrent"] == 1
    assert (await ask(entry, subentry.subentry_id, "Hi")).text.split() == ["Hi"] * 3
    await settled(hass, entry)
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, subentry.subentry_id), entry.entry_id)
    assert device is not None
    assert device.model == "Parrot"


# --- a second integration, with an entry of its own ---------------------------------------------------


async def test_its_providers_wait_while_it_is_away(hass: HomeAssistant, bring: Callable[..., None]) -> None:
    bring(brings(kind()))
    neighbour = await parrots(hass)
    entry = await move_in(hass, None, provider("macaw", model=DEMO_CHAT), demo(ATTIC, "Attic"))
    await hass.async_block_till_done()
    assert "Demo answer" in (await ask(entry, PARROT)).text
    entity = next(
        state.entity_id for state in hass.states.async_all("sensor") if state.entity_id.startswith("sensor.polly_")
    )
    assert hass.states.get(entity).state != "unavailable"  # type: ignore[union-attr] # it was found just now

    for _ in range(2):
        assert await hass.config_entries.async_unload(neighbour.entry_id)
        await hass.async_block_till_done()
        await settled(hass, entry)
        assert PARROT not in entry.runtime_data.router.config.providers
        assert problems(hass) == {f"kind_unknown_{PARROT}"}
        assert hass.states.get(entity).state == "unavailable"  # type: ignore[union-attr] # it stays in the registry
        assert "Demo answer" in (await ask(entry, ATTIC)).text

        assert await hass.config_entries.async_setup(neighbour.entry_id)
        await hass.async_block_till_done()
        await settled(hass, entry)
        assert not problems(hass)
        assert "Demo answer" in (await ask(entry, PARROT)).text
        assert hass.states.get(entity).state != "unavailable"  # type: ignore[union-attr] # it stays in the registry

    await hass.config_entries.async_remove(neighbour.entry_id)
    await hass.async_block_till_done()
    assert PARROT not in entry.runtime_data.router.config.providers


async def settled(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entry.runtime_data.coordinator.refresh_now()
    await hass.async_block_till_done()


BAD = {
    "is no Kind": ["macaw"],
    "is taken": [kind("ollama"), kind("groq"), kind("ai_task"), kind("macaw"), kind("macaw")],
    "small letters": [kind("Macaw"), kind("user step"), kind("_a"), kind("")],
    "has no name": [kind(name=""), kind(name="  ")],
    "is not what it has to be": [
        kind(3),  # type: ignore[arg-type] # another integration is not checked
        kind(build="Demo"),  # type: ignore[arg-type] # another integration is not checked
        kind(url="required"),
        kind(options=[Option("times", "Times", TextSelector())]),
        kind(max_edge=0),
        kind(max_edge="big"),
        kind(limits=[]),
    ],
    "is no limit": [kind(limits={"models": 3}), kind(limits={"concurrent": "many"}), kind(limits={"attempts": -1})],
}


@pytest.mark.parametrize("said", BAD)
async def test_a_bad_kind_is_named_in_the_log_and_harms_nothing(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture, said: str
) -> None:
    bring(brings(*BAD[said], kind("cockatoo")))
    entry = await move_in(hass, None, demo(ATTIC, "Attic"))
    await parrots(hass)

    lines = [record for record in caplog.records if record.levelname == "ERROR"]
    expected = [each for each in BAD[said] if isinstance(each, str) or each.id != "macaw" or said != "is taken"]
    assert len(lines) == len(expected) + (said == "is taken")
    assert all("parrots" in record.message and said in record.message for record in lines)
    assert "cockatoo" in kinds(hass)
    assert kinds(hass)["ollama"].name == ""
    assert "Demo answer" in (await ask(entry, ATTIC)).text


async def test_a_platform_that_fails_keeps_what_it_brought_before(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(registration: Registration) -> None:
        raise ZeroDivisionError

    bring(brings(kind()), fail, brings(kind("cockatoo")))
    entry = await move_in(hass, None, demo(ATTIC, "Attic"))
    await parrots(hass)

    assert "macaw" in kinds(hass)
    assert "cockatoo" not in kinds(hass)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "parrots" in record.message
    assert record.exc_info is not None
    assert "Demo answer" in (await ask(entry, ATTIC)).text


@pytest.mark.parametrize("broken", ["raise RuntimeError", "1 +", "async_register = 3"])
@pytest.mark.parametrize("before", [True, False])
async def test_a_platform_that_cannot_be_imported_takes_no_other_with_it(
    hass: HomeAssistant, bring: Callable[..., None], neighbours: Path, broken: str, before: bool
) -> None:
    home = neighbours / "crash"
    home.mkdir()
    manifest = {"domain": "crash", "name": "Crash", "version": "1.0.0", "documentation": "", "codeowners": []}
    (home / "manifest.json").write_text(json.dumps(manifest))
    (home / "__init__.py").write_text("async def async_setup(hass, config): return True\n")
    (home / "ai_router.py").write_text(f"{broken}\n")
    bring(brings(kind()))
    if before:
        assert await async_setup_component(hass, "crash", {})
        await parrots(hass)

    entry = await move_in(hass, None, provider("macaw", model=DEMO_CHAT), demo(ATTIC, "Attic"))
    if not before:
        assert await async_setup_component(hass, "crash", {})
        await parrots(hass)
    await hass.async_block_till_done()

    assert "Demo answer" in (await ask(entry, PARROT)).text
    assert not problems(hass)


async def test_one_that_does_not_come_to_an_end_is_not_waited_for(
    hass: HomeAssistant, bring: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def register(hass: HomeAssistant, registration: Registration) -> None:
        registration.add_provider_kind(kind())
        await asyncio.Event().wait()

    monkeypatch.setattr(plug_ins, "_SECONDS", 0.05)
    bring()
    monkeypatch.setattr(importlib.import_module("custom_components.parrots.ai_router"), "async_register", register)
    async with asyncio.timeout(10):
        await parrots(hass)
        entry = await move_in(hass, None, provider("macaw", model=DEMO_CHAT))
        await hass.async_block_till_done()

        assert "Demo answer" in (await ask(entry, PARROT)).text
    assert "The platform ai_router of integration parrots failed" in caplog.text
