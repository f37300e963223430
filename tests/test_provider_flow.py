"""Adding and changing providers in a real Home Assistant, checked live against servers on the loopback."""

import ast
import asyncio
import logging
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, override

import pytest
from aiohttp import ClientSession
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router import provider_check, provider_flow, provider_forms
from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.provider_check import FieldProblem
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.providers.endpoint import EndpointProblem
from custom_components.ai_router.providers.registry import KINDS, Kind, Need, ProviderSetup
from custom_components.ai_router.redaction import Redactor
from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.failures import AttemptFailed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Capability
from custom_components.ai_router.routing.tickets import Window
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR

from .fakes import ollama as fake_ollama
from .fakes.anthropic import FakeAnthropic
from .fakes.gemini import FakeGemini
from .fakes.ollama import FakeOllama
from .fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI
from .fakes.server import FakeServer
from .flows import KEY, Dialog, OddServer, Silent, english, running
from .household import ask, demo

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_key_in_any_log(socket_enabled: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Look through everything that was logged, our part at DEBUG."""
    caplog.set_level(logging.DEBUG)
    yield
    for when in ("setup", "call"):
        assert KEY not in "".join(record.getMessage() for record in caplog.get_records(when))
    assert KEY not in caplog.text


@pytest.fixture
async def server() -> AsyncGenerator[FakeOpenAI]:
    """An OpenAI-compatible server that wants a key."""
    server = FakeOpenAI(key=KEY)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def ollama() -> AsyncGenerator[FakeOllama]:
    server = FakeOllama()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """A router without providers."""
    return await running(hass)


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


# --- where it begins -------------------------------------------------------------------------------


async def test_every_kind_can_be_added(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.add(hass, entry)

    assert dialog.step == "user"
    assert dialog.options_of("kind") == list(KINDS)
    for kind in KINDS:
        assert (await Dialog.add(hass, entry, kind)).step == kind


async def test_nothing_is_added_to_a_router_that_does_not_run(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01DEMO", "Demo"))
    open_before = await Dialog.add(hass, entry, "demo")
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert (await open_before.submit()).step == "entry_not_loaded"
    assert (await Dialog.add(hass, entry)).step == "entry_not_loaded"
    assert (await Dialog.change(hass, entry, "01DEMO")).step == "entry_not_loaded"


async def test_a_kind_that_is_not_known_cannot_be_changed(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01DEMO", "Demo", kind="of_another_integration"))

    assert (await Dialog.change(hass, entry, "01DEMO")).step == "kind_unknown"


async def test_a_provider_that_is_removed_meanwhile(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01DEMO", "Demo"))
    dialog = await Dialog.change(hass, entry, "01DEMO")
    hass.config_entries.async_remove_subentry(entry, "01DEMO")

    assert (await dialog.submit()).step == "provider_removed"


@pytest.mark.parametrize("kind", list(KINDS))
async def test_a_page_can_be_loaded_anew(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> None:
    dialog = await Dialog.add(hass, entry, kind)

    assert (await dialog.look_again()).step == kind


# --- the demo --------------------------------------------------------------------------------------


async def test_a_demo_needs_nothing(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hub = entry.runtime_data
    dialog = await (await Dialog.add(hass, entry, "demo")).submit()

    assert dialog.step == "create_entry"
    data = stored(entry, "Demo")
    assert data | {"models": []} == {
        "kind": "demo",
        "options": {"latency": 0.5, "success_rate": 1.0, "error": "transient"},
        "models": [],
        "priority": 0,
    }
    assert [model["id"] for model in data["models"]] == ["demo-chat", "demo-vision"]
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    config = hub.router.config.providers[provider_id(entry, "Demo")]
    assert all(model.prices is not None and model.prices.free for model in config.models)


async def test_a_demo_with_everything_filled_in(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.add(hass, entry, "demo")
    await dialog.submit(
        name=" Cheap cloud ",
        latency=0,
        success_rate=7,
        error="billing",
        input_price=0.5,
        output_price=1.5,
        limits={"priority": 20.0, "requests_per_minute": 30.0, "budget_day": 0.25, "budget_month": 5},
    )

    data = stored(entry, "Cheap cloud")
    models = data.pop("models")
    assert data == {
        "kind": "demo",
        "options": {
            "latency": 0.0,
            "success_rate": 0.07,
            "error": "billing",
            "input_price": "0.5",
            "output_price": "1.5",
        },
        "priority": 20,
        "requests_per_minute": 30,
        "budget_day": "0.25",
        "budget_month": "5",
    }
    assert {type(data[name]) for name in ("priority", "requests_per_minute")} == {int}
    assert {(model["input_price"], model["output_price"]) for model in models} == {("0.5", "1.5")}
    config = entry.runtime_data.router.config.providers[provider_id(entry, "Cheap cloud")]
    assert (config.priority, config.requests_per_minute) == (20, 30)
    assert config.budgets == (
        Budget(Window.DAY, PICODOLLARS_PER_DOLLAR // 4),
        Budget(Window.MONTH, 5 * PICODOLLARS_PER_DOLLAR),
    )

    dialog = await Dialog.change(hass, entry, config.id)

    assert dialog.shown == {
        "name": "Cheap cloud",
        "latency": 0.0,
        "success_rate": 7.0,
        "error": "billing",
        "input_price": 0.5,
        "output_price": 1.5,
        "limits": {"priority": 20, "requests_per_minute": 30, "budget_day": 0.25, "budget_month": 5.0},
    }


async def test_changing_a_demo_changes_nothing_else(hass: HomeAssistant) -> None:
    changed = demo("01A", "First", priority=5, budget_day="1", enabled=False, options={"of_a_later_version": 1})
    entry = await running(hass, changed, demo("01B", "Second"))
    hub, second = entry.runtime_data, entry.subentries["01B"]

    dialog = await Dialog.change(hass, entry, "01A")
    await dialog.submit(success_rate=50, limits={"budget_day": None, "budget_month": 2})

    assert dialog.step == "reconfigure_successful"
    data = stored(entry, "First")
    assert data.pop("models")
    assert data == {
        "kind": "demo",
        "options": {"of_a_later_version": 1, "latency": 0.5, "success_rate": 0.5, "error": "transient"},
        "priority": 5,
        "budget_month": "2",
        "enabled": False,
    }
    assert entry.subentries["01B"] == second
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    assert hub.router.config.providers["01A"].budgets == (Budget(Window.MONTH, 2 * PICODOLLARS_PER_DOLLAR),)


async def test_what_changes_meanwhile_is_kept(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    await add_server(hass, entry, server)
    server_id = provider_id(entry, "Cloud")
    slow = await (await Dialog.change(hass, entry, server_id)).submit()

    server.key = "sk-another"
    fast = await (await Dialog.change(hass, entry, server_id)).submit(api_key="sk-another")
    await fast.submit()
    data = {**stored(entry, "Cloud"), "enabled": False}
    hass.config_entries.async_update_subentry(entry, entry.subentries[server_id], data=data)
    await slow.submit(limits={"priority": 3})

    assert stored(entry, "Cloud") == {**data, "priority": 3}


@pytest.mark.parametrize("given", ["input_price", "output_price"])
async def test_one_price_alone_is_none(hass: HomeAssistant, entry: MockConfigEntry, given: str) -> None:
    (missing,) = {"input_price", "output_price"} - {given}
    dialog = await (await Dialog.add(hass, entry, "demo")).submit(name="A", **{given: 3})

    assert (dialog.step, dialog.errors) == ("demo", {missing: "price_incomplete"})
    assert (dialog.shown["name"], dialog.shown[given]) == ("A", 3.0)

    await dialog.submit(**{missing: 0})

    assert dialog.step == "create_entry"
    assert stored(entry, "A")["options"][missing] == "0"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency", "nan"),
        ("success_rate", 101),
        ("input_price", -0.1),
        ("error", "bad_request"),
        ("limits", {"requests_per_minute": 0}),
        ("limits", {"budget_day": "nan"}),
    ],
)
async def test_what_is_no_amount_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, field: str, value: Any
) -> None:
    dialog = await Dialog.add(hass, entry, "demo")

    with pytest.raises(InvalidData) as refused:
        await dialog.submit(**{field: value})

    assert field in str(refused.value.schema_errors)
    assert not entry.subentries


# --- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "error"), [("ATTIC ", "name_taken"), (" ", "name_missing")])
@pytest.mark.parametrize("kind", list(KINDS))
async def test_a_name_is_there_and_is_the_only_one(hass: HomeAssistant, kind: str, name: str, error: str) -> None:
    entry = await running(hass, demo("01ATTIC", "Attic"))
    dialog = await (await Dialog.add(hass, entry, kind)).submit(**{"name": name, **_ADDRESS[kind]})

    assert (dialog.step, dialog.errors) == (kind, {"name": error})
    assert dialog.shown["name"] == name
    assert names(entry) == ["Attic"]


_ADDRESS: dict[str, dict[str, str]] = {kind: {} if kind == "demo" else {"url": NOWHERE} for kind in KINDS}


async def test_a_provider_may_keep_its_own_name_and_change_it(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01ATTIC", "Attic"), demo("01CELLAR", "Cellar"))

    assert (await (await Dialog.change(hass, entry, "01ATTIC")).submit()).step == "reconfigure_successful"
    dialog = await (await Dialog.change(hass, entry, "01ATTIC")).submit(name="cellar")
    assert dialog.errors == {"name": "name_taken"}
    assert (await dialog.submit(name="attic")).step == "reconfigure_successful"

    assert names(entry) == ["attic", "Cellar"]
    assert entry.runtime_data.router.config.providers["01ATTIC"].name == "attic"


async def test_of_two_at_once_with_one_name_the_faster_gets_it(
    hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama
) -> None:
    slow, fast = [await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url) for _ in range(2)]

    assert (await fast.submit()).step == "create_entry"
    assert (await slow.submit()).errors == {"name": "name_taken"}
    assert (slow.step, slow.shown["url"]) == ("ollama", ollama.url)
    assert (await slow.submit(name="Ollama 2")).step == "models"
    assert (await slow.submit()).step == "create_entry"
    assert names(entry) == ["Ollama", "Ollama 2"]


# --- Ollama ----------------------------------------------------------------------------------------


async def test_an_ollama_is_added(hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama) -> None:
    hub = entry.runtime_data
    dialog = await Dialog.add(hass, entry, "ollama")

    assert dialog.shown == {"name": "Ollama", "url": KINDS["ollama"].default_url, "local": False}

    await dialog.submit(url=f" {ollama.url} ")

    chat = [fake_ollama.CHAT_MODEL, fake_ollama.VISION_MODEL, fake_ollama.CLOUD_MODEL]
    assert (dialog.step, dialog.options_of("models")) == ("models", chat)
    assert dialog.shown == {"models": chat, "limits": {"priority": 0}}
    assert [field["name"] for field in dialog.fields] == ["models", "limits"]

    await dialog.submit(models=[fake_ollama.VISION_MODEL, fake_ollama.CLOUD_MODEL, "fresh:1b", " ", "fresh:1b"])

    data = stored(entry, "Ollama")
    assert data | {"models": []} == {
        "kind": "ollama",
        "url": ollama.url,
        "options": {"local": False},
        "models": [],
        "priority": 0,
    }
    config = hub.router.config.providers[provider_id(entry, "Ollama")]
    # What runs in a cloud is not local, and neither is what the server says nothing about.
    assert [(model.id, model.local, model.prices is not None) for model in config.models] == [
        (fake_ollama.VISION_MODEL, True, True),
        (fake_ollama.CLOUD_MODEL, False, False),
        ("fresh:1b", False, False),
    ]
    assert Capability.VISION in config.models[0].caps
    assert entry.runtime_data is hub
    assert (await ask(entry, config.id)).text == ollama.text


async def test_an_ollama_with_a_key(hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama) -> None:
    ollama.key = KEY
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)

    assert (dialog.step, dialog.errors) == ("ollama", {"api_key": "invalid_auth"})

    await dialog.submit(api_key=KEY)
    await dialog.submit()

    assert await Vault(hass).decrypt(stored(entry, "Ollama")["credential"]) == KEY


async def test_a_model_that_is_listed_at_last_becomes_what_it_is(
    hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama
) -> None:
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url, local=True)
    await dialog.submit(models=["fresh:1b"])
    assert [model["local"] for model in stored(entry, "Ollama")["models"]] == [False]
    ollama.models["fresh:1b"] = {"capabilities": ["completion"], "context_length": 4096}

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Ollama"))).submit()
    assert dialog.shown["models"] == ["fresh:1b"]
    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    (model,) = stored(entry, "Ollama")["models"]
    assert (model["id"], model["local"], model["context"]) == ("fresh:1b", True, 4096)


async def test_what_no_form_asks_for_holds_for_the_live_check_too(
    hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama
) -> None:
    await (await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)).submit()
    data = {**stored(entry, "Ollama"), "options": {"local": False, "num_ctx": 2048}}
    hass.config_entries.async_update_subentry(entry, entry.subentries[provider_id(entry, "Ollama")], data=data)

    await (await (await Dialog.change(hass, entry, provider_id(entry, "Ollama"))).submit()).submit()

    assert stored(entry, "Ollama")["options"] == {"num_ctx": 2048, "local": False}
    assert {model["context"] for model in stored(entry, "Ollama")["models"]} == {2048}


# --- servers that speak OpenAI's protocol ----------------------------------------------------------


async def test_a_server_is_added(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    hub = entry.runtime_data
    dialog = await Dialog.add(hass, entry, "openai_compatible")

    assert dialog.shown == {"local": False}
    assert dialog.field("api_key")["selector"]["text"]["type"] == "password"

    await dialog.submit(name="Cloud", url=server.url, api_key=f" {KEY}\n")

    assert dialog.step == "models"
    assert dialog.shown == {
        "models": [CHAT_MODEL, VISION_MODEL],
        "pictures": "auto",
        "limits": {"priority": 0},
    }

    await dialog.submit(
        models=[VISION_MODEL],
        input_price=0.15,
        output_price=0.6,
        limits={"priority": 10, "requests_per_minute": 20, "budget_month": 5},
    )

    data = stored(entry, "Cloud")
    (model,) = data.pop("models")
    credential = data.pop("credential")
    assert KEY not in credential
    assert await Vault(hass).decrypt(credential) == KEY
    assert data == {
        "kind": "openai_compatible",
        "url": server.url,
        "options": {"local": False, "pictures": "auto", "input_price": "0.15", "output_price": "0.6"},
        "priority": 10,
        "requests_per_minute": 20,
        "budget_month": "5",
    }
    assert (model["input_price"], model["output_price"], model["local"]) == ("0.15", "0.6", False)
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    assert {seen.headers["Authorization"] for seen in server.requests} == {f"Bearer {KEY}"}
    reply = await ask(entry, provider_id(entry, "Cloud"))
    assert (reply.text, reply.cost > 0) == (server.text, True)


async def test_a_server_without_a_key(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    server.key = None
    dialog = await (await Dialog.add(hass, entry, "openai_compatible")).submit(name="Cellar", url=server.url)
    await dialog.submit()

    assert dialog.step == "create_entry"
    assert "credential" not in stored(entry, "Cellar")
    assert not any("Authorization" in seen.headers for seen in server.requests)


async def test_of_many_models_the_first_is_suggested(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    server.models = [{"id": "text-embedding-3-small"}, *({"id": f"model-{number}"} for number in range(4))]
    dialog = await (await Dialog.add(hass, entry, "openai_compatible")).submit(name="A", url=server.url, api_key=KEY)

    assert dialog.options_of("models") == ["model-0", "model-1", "model-2", "model-3"]
    assert dialog.shown["models"] == ["model-0"]


async def test_at_least_one_model_is_chosen(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    dialog = await (await Dialog.add(hass, entry, "openai_compatible")).submit(name="A", url=server.url, api_key=KEY)
    await dialog.submit(models=[" "], input_price=1, output_price=2)

    assert (dialog.step, dialog.errors) == ("models", {"models": "no_model_chosen"})
    assert (dialog.shown["input_price"], dialog.shown["output_price"]) == (1.0, 2.0)

    await dialog.submit(models=[CHAT_MODEL])

    assert dialog.step == "create_entry"
    assert (await Dialog.add(hass, entry)).step == "user"


@pytest.mark.parametrize(
    ("pictures", "sees"),
    [
        ("auto", {CHAT_MODEL: False, VISION_MODEL: True}),
        ("yes", {CHAT_MODEL: True, VISION_MODEL: True}),
        ("no", {CHAT_MODEL: False, VISION_MODEL: False}),
    ],
)
async def test_the_household_knows_best_who_sees_pictures(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, pictures: str, sees: dict[str, bool]
) -> None:
    server.models = [{"id": CHAT_MODEL}, {"id": VISION_MODEL, "architecture": {"input_modalities": ["text", "image"]}}]

    data = await add_server(hass, entry, server, pictures=pictures)

    assert {model["id"]: "vision" in model["capabilities"] for model in data["models"]} == sees
    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit()
    assert dialog.shown["pictures"] == pictures


PRICED = {"prompt": "0.00000015", "completion": "0.0000006"}


@pytest.mark.parametrize(
    ("pricing", "local", "prices"),
    [
        (None, False, (None, None)),
        (None, True, (None, None)),
        (PRICED, False, ("0.15", "0.6")),
        ({**PRICED, "prompt": "0", "completion": "0"}, False, ("0", "0")),
        ({**PRICED, "input_cache_read": "0.00000003"}, False, ("0.15", "0.6")),
        # Two prices cannot say these.
        ({**PRICED, "request": "0.01"}, False, (None, None)),
        ({**PRICED, "internal_reasoning": "0.000001"}, False, (None, None)),
        ({**PRICED, "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.0000003"}]}, False, (None, None)),
    ],
)
async def test_prices_that_the_server_tells_are_used(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    server: FakeOpenAI,
    pricing: dict[str, Any] | None,
    local: bool,
    prices: tuple[str | None, str | None],
) -> None:
    server.models = [{"id": CHAT_MODEL, **({"pricing": pricing} if pricing else {})}]
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY, local=local)
    await dialog.submit()

    data = stored(entry, "Cloud")
    assert "input_price" not in data["options"]
    assert [(model["input_price"], model["output_price"]) for model in data["models"]] == [prices]
    (model,) = entry.runtime_data.router.config.providers[provider_id(entry, "Cloud")].models
    assert (model.prices is None) == (prices == (None, None) and not local)
    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit()
    assert "input_price" not in dialog.shown


async def test_the_household_s_price_goes_before_the_server_s(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    server.models = [{"id": CHAT_MODEL, "pricing": PRICED}]

    data = await add_server(hass, entry, server, input_price=1, output_price=2)

    (model,) = data["models"]
    assert (model["input_price"], model["output_price"]) == ("1", "2")
    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit()
    assert (dialog.shown["input_price"], dialog.shown["output_price"]) == (1.0, 2.0)

    await dialog.submit(input_price=None)

    assert dialog.errors == {"input_price": "price_incomplete"}

    await dialog.submit(output_price=None)

    (model,) = stored(entry, "Cloud")["models"]
    assert (model["input_price"], model["output_price"]) == ("0.15", "0.6")


def test_a_kind_is_asked_only_for_what_it_needs() -> None:
    kind = Kind("plain", Demo, Need.REQUIRED, Need.NONE)

    assert [marker.schema for marker in provider_forms.server_form(kind).schema] == ["name", "url"]


# --- accounts --------------------------------------------------------------------------------------

ACCOUNTS = [("anthropic", FakeAnthropic, "Anthropic"), ("gemini", FakeGemini, "Google Gemini")]


@pytest.mark.parametrize(("kind", "fake", "name"), ACCOUNTS)
async def test_an_account_is_added(
    hass: HomeAssistant, entry: MockConfigEntry, kind: str, fake: type[FakeServer], name: str
) -> None:
    server = fake(key=KEY)
    await server.start()
    dialog = await Dialog.add(hass, entry, kind)

    assert dialog.shown == {"name": name}

    await dialog.submit(url=server.url)

    assert (dialog.errors, server.requests) == ({"api_key": "key_missing"}, [])

    await dialog.submit(api_key=KEY)
    assert (dialog.step, "pictures" in dialog.shown) == ("models", False)
    (first, *_) = dialog.options_of("models")
    await dialog.submit(models=[first, "typed-1"], input_price=1, output_price=5)

    data = stored(entry, name)
    assert (data["url"], data["options"]) == (server.url, {"input_price": "1", "output_price": "5"})
    assert [(model["id"], model["local"], model["input_price"]) for model in data["models"]] == [
        (first, False, "1"),
        ("typed-1", False, "1"),
    ]
    assert await Vault(hass).decrypt(data["credential"]) == KEY
    assert (await ask(entry, provider_id(entry, name))).text == server.text

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, name))).submit()
    await dialog.submit(limits={"priority": 1})
    await server.stop()

    assert dialog.step == "reconfigure_successful"
    assert stored(entry, name) == data | {"priority": 1}


@pytest.mark.parametrize(("kind", "fake", "name"), ACCOUNTS)
async def test_an_account_needs_no_address(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    kind: str,
    fake: type[FakeServer],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = fake(key=KEY)
    await server.start()
    monkeypatch.setattr(sys.modules[KINDS[kind].build.__module__], f"{kind.upper()}_URL", server.url)

    dialog = await (await Dialog.add(hass, entry, kind)).submit(url=f"{NOWHERE}/", api_key=KEY)
    assert dialog.errors == {"url": "cannot_connect"}
    await dialog.submit(url=None)
    await dialog.submit()
    await server.stop()

    assert dialog.step == "create_entry"
    assert "url" not in stored(entry, name)


# --- what the live check says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "content_type", "errors", "detail"),
    [
        (
            401,
            '{"error": {"message": "bad key", "code": "invalid_api_key"}}',
            "application/json",
            {"api_key": "invalid_auth"},
            "bad key",
        ),
        (200, "<!DOCTYPE html><html>Router log-in</html>", "text/html", {"url": "not_ai_server"}, "a web page"),
        (200, '{"hello": "world"}', "application/json", {"url": "not_ai_server"}, "JSON of another kind"),
        (404, "<html>Not found</html>", "text/html", {"url": "not_ai_server"}, "HTTP 404"),
        (404, '{"error": "no /models here"}', "application/json", {"url": "not_ai_server"}, "no /models here"),
        (302, "", "text/plain", {"url": "not_ai_server"}, "redirects are not followed"),
        (402, '{"error": {"message": "top up", "code": 402}}', "application/json", {"base": "no_credit"}, "top up"),
        (503, '{"error": {"message": "loading"}}', "application/json", {"base": "unknown"}, "loading"),
        (200, '{"data": []}', "application/json", {"base": "no_models"}, None),
        (200, '{"data": [{"id": "text-embedding-3-small"}]}', "application/json", {"base": "no_models"}, None),
    ],
)
async def test_what_a_server_answers_is_told_at_its_field_and_can_be_mended(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    server: FakeOpenAI,
    status: int,
    body: str,
    content_type: str,
    errors: dict[str, str],
    detail: str | None,
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with OddServer(status, body, content_type) as odd:
        await dialog.submit(name="Cloud", url=odd.url, api_key=KEY, local=True)

        assert odd.asked
        assert (dialog.step, dialog.errors) == ("openai_compatible", errors)
        assert (detail or "") in (dialog.result["description_placeholders"] or {}).get("detail", "")
        assert dialog.shown == {"name": "Cloud", "url": odd.url, "local": True}

    await dialog.submit(url=server.url, api_key=KEY)

    assert (await dialog.submit()).step == "create_entry"


class Failing(Demo):
    """Fails its probe as it is told to."""

    failure: FailureClass

    @override
    async def probe(self) -> None:
        raise AttemptFailed(Failure(self.failure, Phase.SENT, "so it is"))


_FIELDS = {
    **dict.fromkeys(
        (
            FailureClass.NETWORK,
            FailureClass.TIMEOUT_CONNECT,
            FailureClass.TIMEOUT_FIRST_TOKEN,
            FailureClass.TIMEOUT_IDLE,
        ),
        ("url", "cannot_connect"),
    ),
    FailureClass.MALFORMED: ("url", "not_ai_server"),
    FailureClass.MODEL_MISSING: ("url", "not_ai_server"),
    FailureClass.CREDENTIAL: ("api_key", "invalid_auth"),
    FailureClass.BILLING: ("base", "no_credit"),
}


@pytest.mark.parametrize("failure", FailureClass)
async def test_every_failure_has_its_field(failure: FailureClass) -> None:
    kind = Kind("failing", Failing, Need.REQUIRED, Need.OPTIONAL)
    Failing.failure = failure
    setup = ProviderSetup(id="1", kind=kind.id)
    async with ClientSession() as session:
        if failure in {FailureClass.RATE_LIMIT, FailureClass.QUOTA}:
            assert await provider_check.listed_models(kind, setup, session, Redactor()) == {}
            return
        with pytest.raises(FieldProblem) as problem:
            await provider_check.listed_models(kind, setup, session, Redactor())

    assert (problem.value.field, problem.value.error) == _FIELDS.get(failure, ("base", "unknown"))
    assert problem.value.placeholders == {"detail": "so it is"}


@pytest.mark.parametrize("repeated", [KEY, b64encode(KEY.encode()).decode()])
async def test_a_server_that_repeats_the_key_does_not_bring_it_to_light(
    hass: HomeAssistant, entry: MockConfigEntry, repeated: str
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with OddServer(500, f'{{"error": {{"message": "what is {repeated}?"}}}}') as odd:
        await dialog.submit(name="Cloud", url=odd.url, api_key=KEY)

    assert dialog.errors == {"base": "unknown"}
    detail = dialog.result["description_placeholders"]["detail"]
    assert detail.startswith("what is ")
    assert repeated[:20] not in detail
    assert entry.runtime_data.redactor.redact(KEY) == KEY  # what may be wrong is hidden no longer than it is used


async def test_nobody_there(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    await server.stop()
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY)

    assert dialog.errors == {"url": "cannot_connect"}
    assert "refused" in dialog.result["description_placeholders"]["detail"]

    await server.start()
    # The key need not be typed again, though the browser never gets it.
    await dialog.submit()
    await dialog.submit()

    assert dialog.step == "create_entry"
    assert await Vault(hass).decrypt(stored(entry, "Cloud")["credential"]) == KEY


async def test_nobody_answers_in_time(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_check, "_SECONDS", 0.2)
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with Silent() as silent:
        await dialog.submit(name="Cloud", url=silent.url, api_key=KEY)

    assert (silent.asked, dialog.errors) == (1, {"url": "cannot_connect"})

    monkeypatch.undo()

    assert (await dialog.submit(url=server.url)).step == "models"


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limit_exceeded"), (429, "insufficient_quota_today")])
async def test_a_server_that_only_wants_a_rest_can_be_added(
    hass: HomeAssistant, entry: MockConfigEntry, status: int, code: str
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    async with OddServer(status, f'{{"error": {{"message": "slow down", "code": "{code}"}}}}') as odd:
        await dialog.submit(name="Cloud", url=odd.url, api_key=KEY)

    assert (dialog.step, dialog.options_of("models"), dialog.shown["models"]) == ("models", [], [])

    await dialog.submit(models=["gpt-4o-mini"])

    (model,) = entry.runtime_data.router.config.providers[provider_id(entry, "Cloud")].models
    assert (model.id, model.local, model.prices) == ("gpt-4o-mini", False, None)
    assert Capability.CHAT | Capability.VISION in model.caps


@pytest.mark.parametrize(
    ("url", "field", "problem"),
    [
        (" ", "url", EndpointProblem.EMPTY),
        ("http://a b", "url", EndpointProblem.NOT_AN_ADDRESS),
        ("ftp://192.168.1.2", "url", EndpointProblem.SCHEME),
        ("http://me:secret@192.168.1.2", "url", EndpointProblem.USER_PART),
        ("http://192.168.1.2/v1?a=b", "url", EndpointProblem.QUERY),
        ("http://169.254.1.1", "url", EndpointProblem.LINK_LOCAL),
        ("http://metadata.google.internal", "url", EndpointProblem.METADATA),
        ("http://api.example.com", "url", EndpointProblem.KEY_OVER_HTTP),
    ],
)
async def test_addresses_that_are_not_used(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, url: str, field: str, problem: EndpointProblem
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=url, api_key=KEY)

    assert (dialog.step, dialog.errors) == ("openai_compatible", {field: problem.value})
    assert dialog.shown["url"] == url

    await dialog.submit(url=server.url, api_key=KEY)

    assert dialog.step == "models"


# --- the key ---------------------------------------------------------------------------------------


async def test_a_key_with_a_space_in_it(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=f"{KEY} and more")

    assert dialog.errors == {"api_key": "key_malformed"}
    assert not server.requests

    await dialog.submit(api_key=KEY)

    assert dialog.step == "models"


async def test_a_key_that_was_wrong_is_forgotten(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url="http://api.example.com", api_key=KEY)
    assert dialog.errors == {"url": "key_over_http"}

    server.key = None
    await dialog.submit(url=server.url)
    await dialog.submit()

    assert "credential" not in stored(entry, "Cloud")
    assert not any("Authorization" in seen.headers for seen in server.requests)


async def test_a_key_from_the_environment(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key="env:CLOUD_KEY")

    assert dialog.errors == {"api_key": "missing_variable"}
    assert dialog.result["description_placeholders"] == {"variable": "CLOUD_KEY"}
    assert not server.requests

    monkeypatch.setenv("CLOUD_KEY", KEY)
    await dialog.submit(api_key="env:CLOUD_KEY")
    await dialog.submit()

    assert stored(entry, "Cloud")["credential"] == "env:CLOUD_KEY"
    assert (await ask(entry, provider_id(entry, "Cloud"))).text == server.text


async def test_a_variable_that_holds_no_key(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_KEY", f"{KEY} and more")
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key="env:CLOUD_KEY")

    assert dialog.errors == {"api_key": "key_malformed"}
    assert not server.requests

    monkeypatch.setenv("CLOUD_KEY", KEY)

    assert (await dialog.submit(api_key="env:CLOUD_KEY")).step == "models"


async def test_a_key_that_cannot_be_stored(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, tmp_path: Path
) -> None:
    blocked = tmp_path / ".storage" / "ai_router" / "credential.new"
    blocked.mkdir()
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY)

    assert dialog.errors == {"base": "key_not_stored"}
    assert dialog.result["description_placeholders"]["reason"]
    assert not server.requests

    blocked.rmdir()
    await dialog.submit(api_key=KEY)

    assert dialog.step == "models"


# --- changing a server -----------------------------------------------------------------------------


async def test_changing_a_server_keeps_its_key_and_everything_that_is_not_changed(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    before = await add_server(
        hass, entry, server, models=[VISION_MODEL], pictures="no", limits={"priority": 7, "budget_day": 1}
    )
    hub, server_id = entry.runtime_data, provider_id(entry, "Cloud")
    server.requests.clear()

    dialog = await Dialog.change(hass, entry, server_id)

    assert dialog.step == "openai_compatible"
    assert dialog.shown == {"name": "Cloud", "url": server.url, "local": False}

    await dialog.submit()

    assert dialog.step == "models"
    assert dialog.shown == {
        "models": [VISION_MODEL],
        "pictures": "no",
        "limits": {"priority": 7, "budget_day": 1.0},
    }

    await dialog.submit(limits={"priority": 8})

    assert dialog.step == "reconfigure_successful"
    assert {seen.headers["Authorization"] for seen in server.requests} == {f"Bearer {KEY}"}
    assert stored(entry, "Cloud") == {**before, "priority": 8}
    assert (entry.state, entry.runtime_data) == (ConfigEntryState.LOADED, hub)
    assert hub.router.config.providers[server_id].priority == 8


async def test_a_new_key_is_checked_before_it_takes_the_old_one_s_place(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    before = await add_server(hass, entry, server)
    server_id = provider_id(entry, "Cloud")

    dialog = await (await Dialog.change(hass, entry, server_id)).submit(api_key="sk-wrong")

    assert dialog.errors == {"api_key": "invalid_auth"}
    assert stored(entry, "Cloud") == before

    # Empty is the stored one again.
    await dialog.submit()

    assert dialog.step == "models"

    server.key = "sk-another"
    dialog = await (await Dialog.change(hass, entry, server_id)).submit(api_key="sk-another")
    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    assert await Vault(hass).decrypt(stored(entry, "Cloud")["credential"]) == "sk-another"
    assert (await ask(entry, server_id)).text == server.text


async def test_a_stored_key_that_cannot_be_read_is_asked_for(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, tmp_path: Path
) -> None:
    await add_server(hass, entry, server)
    (tmp_path / ".storage" / "ai_router" / "credential.key").unlink()

    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit()

    assert dialog.errors == {"api_key": "key_unreadable"}

    await dialog.submit(api_key=KEY)

    assert (await dialog.submit()).step == "reconfigure_successful"


async def test_another_server_is_asked_for_its_own_models(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    await add_server(hass, entry, server)
    other = FakeOpenAI(key=KEY)
    other.models = [{"id": "other-1"}, {"id": VISION_MODEL}]
    await other.start()
    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit(url=other.url)

    assert dialog.options_of("models") == ["other-1", VISION_MODEL]
    assert dialog.shown["models"] == [VISION_MODEL]

    other.models = [{"id": "other-1"}]
    dialog = await (await Dialog.change(hass, entry, provider_id(entry, "Cloud"))).submit(url=other.url)
    await other.stop()

    assert dialog.shown["models"] == ["other-1"]

    await dialog.submit()

    assert dialog.step == "reconfigure_successful"
    assert (stored(entry, "Cloud")["url"], [model["id"] for model in stored(entry, "Cloud")["models"]]) == (
        other.url,
        ["other-1"],
    )


async def test_a_model_that_is_not_listed_any_more_stays_as_it_was(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    told = {"id": "gone-1", "pricing": PRICED, "context_length": 1234}
    server.models = [told]
    before = await add_server(hass, entry, server)
    server.models = [{"id": CHAT_MODEL}]
    server_id = provider_id(entry, "Cloud")

    dialog = await (await Dialog.change(hass, entry, server_id)).submit()
    assert (dialog.options_of("models"), dialog.shown["models"]) == ([CHAT_MODEL, "gone-1"], ["gone-1"])
    await dialog.submit()

    assert stored(entry, "Cloud") == before

    # With other settings, what was known no longer holds.
    dialog = await (await Dialog.change(hass, entry, server_id)).submit(local=True)
    await dialog.submit(models=["gone-1", CHAT_MODEL])

    gone, listed = stored(entry, "Cloud")["models"]
    assert (gone["id"], gone["local"], gone["context"], gone["input_price"]) == ("gone-1", True, None, None)
    assert (listed["id"], listed["local"]) == (CHAT_MODEL, True)


async def test_traffic_goes_on_while_a_provider_is_changed(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, ollama: FakeOllama
) -> None:
    await add_server(hass, entry, server)
    dialog = await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)
    await dialog.submit(models=[fake_ollama.CHAT_MODEL])
    changed, other = provider_id(entry, "Cloud"), provider_id(entry, "Ollama")
    server.hold()
    ollama.hold()
    asked = [asyncio.create_task(ask(entry, provider)) for provider in (changed, other)]
    async with asyncio.timeout(10):
        while not (server.waiting and ollama.waiting):  # noqa: ASYNC110 - the servers tell it only when asked
            await asyncio.sleep(0.01)

    dialog = await (await Dialog.change(hass, entry, changed)).submit(name="Sky")
    await dialog.submit(pictures="yes")
    server.release()
    ollama.release()

    assert [reply.text for reply in await asyncio.gather(*asked)] == [server.text, ollama.text]
    assert (server.left, ollama.left) == (0, 0)
    assert names(entry) == ["Sky", "Ollama"]
    assert entry.runtime_data.router.config.providers[changed].name == "Sky"
    assert (await ask(entry, changed)).text == server.text


# --- local only ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "errors"),
    [
        ("ollama", {"local": "local_only"}),
        ("openai_compatible", {"local": "local_only"}),
        ("anthropic", {"base": "never_local"}),
        ("gemini", {"base": "never_local"}),
    ],
)
async def test_a_router_that_stays_in_the_house_asks_nobody_outside(
    hass: HomeAssistant, kind: str, errors: dict[str, str]
) -> None:
    entry = await running(hass, local_only=True)
    dialog = await Dialog.add(hass, entry, kind)
    # Whoever looked this name up would fail the test.
    await dialog.submit(name="A", url="https://ai.example.com", api_key=KEY)

    assert (dialog.step, dialog.errors) == (kind, errors)

    await dialog.submit(url=NOWHERE)

    assert dialog.errors == {"url": "cannot_connect"}


@pytest.mark.parametrize("kind", ["ollama", "openai_compatible"])
async def test_a_domain_of_one_s_own_may_be_in_the_house(
    hass: HomeAssistant, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_flow, "is_in_the_house", lambda _: False)  # as if the loopback had such a name
    entry = await running(hass, local_only=True)
    dialog = await (await Dialog.add(hass, entry, kind)).submit(name="A", url=NOWHERE)
    assert dialog.errors == {"local": "local_only"}

    await dialog.submit(local=True)

    assert dialog.errors == {"url": "cannot_connect"}


async def test_a_server_that_is_said_to_stand_in_the_house(
    hass: HomeAssistant, server: FakeOpenAI, ollama: FakeOllama
) -> None:
    entry = await running(hass, local_only=True)
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cellar", url=server.url, api_key=KEY, local=True)
    await dialog.submit(models=[CHAT_MODEL, "typed-1"])
    await (await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url)).submit()

    config = entry.runtime_data.router.config.providers[provider_id(entry, "Cellar")]
    assert [(model.id, model.local) for model in config.models] == [(CHAT_MODEL, True), ("typed-1", True)]
    assert all(model.prices is not None and model.prices.free for model in config.models)
    assert (await ask(entry, config.id)).text == server.text
    assert stored(entry, "Cellar")["options"] == {"local": True, "pictures": "auto"}


# --- translations ----------------------------------------------------------------------------------


def _words_in_code(called: str) -> set[str]:
    """Return the words with which something is called in the flow: a field and its error, an abort's reason."""
    return {
        argument.value
        for module in (provider_check, provider_flow, provider_forms)
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(called)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "reason")]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def test_everything_that_can_be_shown_is_translated_and_nothing_else() -> None:
    texts = english()["config_subentries"]["provider"]
    of_servers = {error for _, error in provider_check._PROBLEMS.values()} | {"unknown"}

    assert set(texts["error"]) == {*_words_in_code("FieldProblem"), *of_servers, *EndpointProblem}
    assert set(texts["abort"]) == _words_in_code("AbortFlow") | _words_in_code("async_abort")
    assert set(texts["step"]) == {"user", "models", *KINDS}
