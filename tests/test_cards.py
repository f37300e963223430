"""How the frontend gets the cards: from Home Assistant's own web server, while the entry is loaded."""

import json
import re
from http import HTTPStatus
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.frontend import DATA_EXTRA_MODULE_URL
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

import custom_components.ai_router as integration
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.routing.refusals import RefusalCode

from .household import ATTIC, demo, move_in

FRONTEND = Path(integration.__file__).parent / "frontend"
BUILT = FRONTEND / "ai-router-card.js"
LARGEST = 60_000


def urls(hass: HomeAssistant) -> list[str]:
    return [url for url in hass.data[DATA_EXTRA_MODULE_URL].urls if DOMAIN in url]


@pytest.fixture
async def frontend(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "frontend", {})


@pytest.mark.usefixtures("frontend")
async def test_the_file_is_served_to_be_kept(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic"))
    (url,) = urls(hass)
    client = await hass_client_no_auth()
    answer = await client.get(url)

    assert answer.status == HTTPStatus.OK
    assert answer.content_type == "text/javascript"
    assert "max-age" in answer.headers["Cache-Control"]
    assert await answer.read() == BUILT.read_bytes()


@pytest.mark.usefixtures("frontend")
async def test_it_is_offered_once_while_the_entry_is_loaded(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    before = urls(hass)
    assert len(before) == 1

    assert await hass.config_entries.async_reload(entry.entry_id)
    assert urls(hass) == before
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert urls(hass) == []


async def test_without_a_frontend_the_router_works(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))

    assert "frontend" not in hass.config.components
    assert entry.runtime_data.router.config.providers.keys() == {ATTIC}


def test_the_file_is_small() -> None:
    assert BUILT.stat().st_size < LARGEST


TEXTS = json.loads((FRONTEND.parent / "translations" / "en.json").read_text(encoding="utf-8"))["config_panel"]["card"]


def test_every_refusal_has_its_words_on_the_card() -> None:
    assert [code for code in (*RefusalCode, "cancelled") if f"failure_{code}" not in TEXTS] == []


def test_no_text_of_the_card_is_left_over() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (FRONTEND / "src").glob("*.ts"))
    put_together = re.compile("failure_|source_|over_|requests_|need_attention_")
    assert [key for key in TEXTS if not put_together.match(key) and f'"{key}"' not in source] == []


def test_the_english_of_the_card_is_built_in() -> None:
    built = BUILT.read_text(encoding="utf-8")
    assert [text for text in TEXTS.values() if text not in built] == []


def test_the_lock_file_names_no_server() -> None:
    packages = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
