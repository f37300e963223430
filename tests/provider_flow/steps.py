"""What several of these tests do and look at."""

from typing import Any

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.providers.registry import KINDS
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.cloudflare import ACCOUNT, FakeCloudflare
from tests.fakes.gemini import FakeGemini
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import FakeOpenAI
from tests.flows import KEY, Dialog

NOWHERE = "http://127.0.0.1:9"
# What the limits show, and what is stored of them, where nobody has set any.
UNLIMITED = {"enabled": True, "priority": 0, "weight": 1.0, "budget_only_warns": False}
STORED_UNLIMITED = {"enabled": True, "priority": 0, "weight": 1.0}
PRICED = {"prompt": "0.00000015", "completion": "0.0000006"}


ACCOUNTS = [
    ("openai", FakeResponses, "OpenAI"),
    ("anthropic", FakeAnthropic, "Anthropic"),
    ("gemini", FakeGemini, "Google Gemini"),
    ("cloudflare", FakeCloudflare, "Cloudflare"),
]
ASKED = {kind: dict.fromkeys(KINDS[kind].asks, ACCOUNT) for kind in KINDS}


ADDRESS: dict[str, dict[str, str]] = {kind: {} if kind == "demo" else {"url": NOWHERE} for kind in KINDS}


def provider_id(entry: MockConfigEntry, title: str) -> str:
    found: str
    (found,) = (subentry.subentry_id for subentry in entry.subentries.values() if subentry.title == title)
    return found


def stored(entry: MockConfigEntry, title: str) -> dict[str, Any]:
    return dict(entry.subentries[provider_id(entry, title)].data)


def names(entry: MockConfigEntry) -> list[str]:
    return [subentry.title for subentry in entry.subentries.values()]


async def add_server(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, **models: Any) -> dict[str, Any]:
    """Add a server called Cloud; return what is stored."""
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY)
    await dialog.submit(**models)
    assert dialog.step == "create_entry"
    return stored(entry, "Cloud")
