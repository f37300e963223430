"""Servers that speak OpenAI's protocol: models, pictures and prices."""

from datetime import UTC, datetime
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.flows import provider_forms
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.providers.price_spans import span_of
from custom_components.ai_router.providers.registry import Kind, Need
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI
from tests.flows import KEY, Dialog
from tests.household import ask

from .steps import PRICED, STORED_UNLIMITED, UNLIMITED, add_server, provider_id, stored


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
        "limits": UNLIMITED,
        "patience": {},
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
    assert data.pop("credential_since")
    assert KEY not in credential
    assert await Vault(hass).decrypt(credential) == KEY
    assert data == {
        "kind": "openai_compatible",
        "url": server.url,
        "options": {"local": False, "pictures": "auto", "input_price": "0.15", "output_price": "0.6"},
        **STORED_UNLIMITED,
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

    assert dialog.options_of("models") == ["model-0", "model-1", "model-2", "model-3", "text-embedding-3-small"]
    assert dialog.shown["models"] == ["model-0"]


async def test_a_model_that_only_embeds_can_be_chosen(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    server.models = [{"id": CHAT_MODEL}, {"id": "text-embedding-3-small"}]
    dialog = await (await Dialog.add(hass, entry, "openai_compatible")).submit(name="A", url=server.url, api_key=KEY)
    assert dialog.shown["models"] == [CHAT_MODEL]

    await dialog.submit(models=[CHAT_MODEL, "text-embedding-3-small"])

    assert dialog.step == "create_entry"
    caps = {model["id"]: model["capabilities"] for model in stored(entry, "A")["models"]}
    assert caps["text-embedding-3-small"] == ["embeddings"]


async def test_a_server_that_only_embeds_is_of_use(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    server.models = [{"id": "bge-m3"}, {"id": "nomic-embed-text"}]
    dialog = await (await Dialog.add(hass, entry, "openai_compatible")).submit(name="A", url=server.url, api_key=KEY)

    assert (dialog.step, dialog.shown["models"]) == ("models", ["bge-m3"])


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


@pytest.mark.parametrize(
    ("pricing", "local", "prices"),
    [
        (None, False, None),
        (None, True, None),
        (PRICED, False, [{"in": "0.15", "out": "0.6"}]),
        ({**PRICED, "prompt": "0", "completion": "0"}, False, [{"in": "0", "out": "0"}]),
        ({**PRICED, "input_cache_read": "0.00000003"}, False, [{"in": "0.15", "out": "0.6", "read": "0.03"}]),
        ({**PRICED, "request": "0.01"}, False, [{"in": "0.15", "out": "0.6", "request": "0.01"}]),
        ({**PRICED, "internal_reasoning": "0.000001"}, False, [{"in": "0.15", "out": "0.6", "reasoning": "1"}]),
        (
            {**PRICED, "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.0000003"}]},
            False,
            [{"in": "0.15", "out": "0.6"}, {"above": 199_999, "in": "0.3", "out": "0.6"}],
        ),
    ],
)
async def test_prices_that_the_server_tells_are_used(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    server: FakeOpenAI,
    pricing: dict[str, Any] | None,
    local: bool,
    prices: list[dict[str, Any]] | None,
) -> None:
    server.models = [{"id": CHAT_MODEL, **({"pricing": pricing} if pricing else {})}]
    dialog = await Dialog.add(hass, entry, "openai_compatible")
    await dialog.submit(name="Cloud", url=server.url, api_key=KEY, local=local)
    await dialog.submit()

    data = stored(entry, "Cloud")
    assert "input_price" not in data["options"]
    (told,) = data["models"]
    assert (told["input_price"], told.get("listed", {}).get("prices")) == (None, prices)
    (model,) = entry.runtime_data.router.config.providers[provider_id(entry, "Cloud")].models
    assert (model.prices is None) == (prices is None and not local)
    if prices is not None:
        assert model.prices is not None
        assert (model.prices.source, model.prices.as_of) == ("provider", datetime.now(UTC).date().isoformat())
        assert [span_of(span) for span in model.prices.spans] == prices
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
    assert (model["input_price"], model["output_price"]) == (None, None)
    assert model["listed"]["prices"] == [{"in": "0.15", "out": "0.6"}]


def test_a_kind_is_asked_only_for_what_it_needs() -> None:
    kind = Kind("plain", Demo, Need.REQUIRED, Need.NONE)

    assert [marker.schema for marker in provider_forms.server_form(kind, {}).schema] == ["name", "url"]
