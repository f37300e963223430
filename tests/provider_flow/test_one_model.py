"""What a person says of one model: its prices, abilities and sizes."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.routing.money import to_picodollars
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import CHAT_MODEL, EMBEDDER, VISION_MODEL, FakeOpenAI
from tests.flows import KEY, Dialog
from tests.household import demo

from .steps import PRICED, add_server, provider_id, stored

PER_MILLION = 10**6


def used(entry: MockConfigEntry, title: str, model_id: str) -> Model:
    """Return a model as the router has it."""
    models = entry.runtime_data.router.config.providers[provider_id(entry, title)].models
    return next(model for model in models if model.id == model_id)


async def open_model(hass: HomeAssistant, entry: MockConfigEntry, model_id: str, title: str = "Cloud") -> Dialog:
    dialog = await Dialog.change(hass, entry, provider_id(entry, title), "choose_model")
    assert dialog.step == "choose_model"
    return await dialog.submit(model=model_id)


async def test_everything_about_a_model(hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI) -> None:
    server.models = [{"id": CHAT_MODEL, "pricing": PRICED}, {"id": VISION_MODEL, "pricing": PRICED}]
    before = await add_server(hass, entry, server, models=[CHAT_MODEL, VISION_MODEL])
    await server.stop()  # it need not be there

    dialog = await open_model(hass, entry, CHAT_MODEL)

    assert dialog.step == "model"
    assert dialog.result["description_placeholders"]["model"] == CHAT_MODEL
    assert dialog.result["description_placeholders"]["price"].startswith(
        "0.15 USD for a million tokens read and 0.6 USD for a million tokens written, by its server's own list of 20"
    )
    assert dialog.shown["prices"] == {}

    await dialog.submit(
        prices={
            "input_price": 1,
            "output_price": 2.5,
            "cached_price": 0.1,
            "cache_write_price": 1.25,
            "reasoning_price": 3,
            "picture_price": 0.001,
            "request_price": 0.0001,
        },
        abilities={"vision": "yes", "tools": "no", "local": "yes"},
        sizes={"context": 8192, "max_output": 512.0},
    )

    assert dialog.step == "reconfigure_successful"
    model, other = used(entry, "Cloud", CHAT_MODEL), used(entry, "Cloud", VISION_MODEL)
    assert model.prices is not None
    rates = model.prices.at(0, 0)
    assert [PER_MILLION * rate for rate in (rates.fresh_in, rates.text_out, rates.cache_read)] == [
        to_picodollars(price) for price in ("1", "2.5", "0.1")
    ]
    assert (PER_MILLION * rates.cache_write_5m, PER_MILLION * rates.reasoning_out) == tuple(
        to_picodollars(price) for price in ("1.25", "3")
    )
    assert (rates.pictures, rates.requests) == (to_picodollars("0.001"), to_picodollars("0.0001"))
    assert model.prices.source == "user"
    assert (Capability.VISION in model.caps, Capability.TOOLS in model.caps) == (True, False)
    assert (model.local, model.context, model.max_output) == (True, 8192, 512)
    assert (other.local, other.prices and other.prices.source) == (False, "provider")
    after = stored(entry, "Cloud")
    assert after.pop("models")[1:] == before.pop("models")[1:]
    assert after == before

    dialog = await open_model(hass, entry, CHAT_MODEL)
    assert dialog.shown["prices"]["picture_price"] == 0.001
    assert (dialog.shown["abilities"]["vision"], dialog.shown["abilities"]["structured"]) == ("yes", "auto")
    emptied = dict.fromkeys(dialog.shown["prices"])
    await dialog.submit(
        prices=emptied,
        abilities=dict.fromkeys(dialog.shown["abilities"], "auto"),
        sizes=dict.fromkeys(("context", "max_output")),
    )

    assert "own" not in stored(entry, "Cloud")["models"][0]
    assert used(entry, "Cloud", CHAT_MODEL).prices == other.prices


async def test_it_outlives_a_change_of_the_provider(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    await add_server(hass, entry, server, models=[CHAT_MODEL])
    await (await open_model(hass, entry, CHAT_MODEL)).submit(prices={"call_price": 0})
    assert (await open_model(hass, entry, CHAT_MODEL)).shown["prices"] == {"call_price": 0}
    server_id = provider_id(entry, "Cloud")

    # Before the prices of the whole provider, too.
    await (await (await Dialog.change(hass, entry, server_id)).submit()).submit(input_price=3, output_price=4)

    prices = used(entry, "Cloud", CHAT_MODEL).prices
    assert prices is not None
    assert prices.free

    # Another server has another model of this name.
    other = FakeOpenAI(key=KEY)
    await other.start()
    await (await (await Dialog.change(hass, entry, server_id)).submit(url=other.url)).submit(models=[CHAT_MODEL])
    await other.stop()

    prices = used(entry, "Cloud", CHAT_MODEL).prices
    assert prices is not None
    assert not prices.free


@pytest.mark.parametrize(
    ("prices", "error"),
    [
        ({"input_price": 1}, "prices_incomplete"),
        ({"request_price": 1}, "prices_incomplete"),
        ({"call_price": 1, "input_price": 1, "output_price": 1}, "price_twice"),
    ],
)
async def test_half_a_price_is_none(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, prices: dict[str, Any], error: str
) -> None:
    before = await add_server(hass, entry, server, models=[CHAT_MODEL])
    dialog = await (await open_model(hass, entry, CHAT_MODEL)).submit(prices=prices)

    assert (dialog.errors, dialog.shown["prices"]) == ({"base": error}, prices)
    assert stored(entry, "Cloud") == before


async def test_what_only_embeds_has_no_price_of_output(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    await add_server(hass, entry, server, models=[CHAT_MODEL, EMBEDDER])

    dialog = await (await open_model(hass, entry, EMBEDDER)).submit(prices={"output_price": 1})
    assert dialog.errors == {"base": "prices_incomplete"}
    assert (await dialog.submit(prices={"input_price": 2, "output_price": None})).step == "reconfigure_successful"

    prices = used(entry, "Cloud", EMBEDDER).prices
    assert prices is not None
    rates = prices.at(0, 0)
    assert (PER_MILLION * rates.fresh_in, rates.text_out) == (to_picodollars("2"), 0)


async def test_a_provider_of_embeddings_alone_has_no_price_of_output(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI
) -> None:
    await add_server(hass, entry, server, models=[EMBEDDER])
    server_id = provider_id(entry, "Cloud")

    dialog = await (await Dialog.change(hass, entry, server_id)).submit()
    assert (await dialog.submit(output_price=4)).errors == {"input_price": "price_incomplete"}
    assert (await dialog.submit(input_price=3, output_price=None)).step == "reconfigure_successful"
    prices = used(entry, "Cloud", EMBEDDER).prices
    assert prices is not None
    assert PER_MILLION * prices.at(0, 0).fresh_in == to_picodollars("3")

    # One that writes would write for nothing.
    dialog = await (await Dialog.change(hass, entry, server_id)).submit()
    assert (await dialog.submit(models=[EMBEDDER, CHAT_MODEL])).errors == {"output_price": "price_incomplete"}
    assert (await dialog.submit(output_price=4)).step == "reconfigure_successful"


async def test_a_price_of_the_table_is_shown_and_never_stored(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    account = FakeResponses(key=KEY)
    await account.start()
    dialog = await (await Dialog.add(hass, entry, "openai")).submit(url=account.url, api_key=KEY)
    await dialog.submit(models=["gpt-6-luna"])
    await account.stop()

    dialog = await open_model(hass, entry, "gpt-6-luna", "OpenAI")

    price = dialog.result["description_placeholders"]["price"]
    assert price.startswith("0.1 USD for a million tokens read and 0.5 USD for a million tokens written, by ")
    assert price[-10:] == used(entry, "OpenAI", "gpt-6-luna").prices.as_of  # type: ignore[union-attr] # it is there
    assert "local" not in dialog.shown["abilities"]
    (model,) = stored(entry, "OpenAI")["models"]
    assert not [name for name in model if "price" in name and model[name]]
    assert "listed" not in model


async def test_a_model_that_is_gone_meanwhile(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_add_subentry(entry, demo("01DEMO", "Demo"))
    await hass.async_block_till_done()
    dialog = await open_model(hass, entry, "demo-chat", "Demo")
    data = {**stored(entry, "Demo"), "models": [{**stored(entry, "Demo")["models"][0], "id": "another"}]}
    hass.config_entries.async_update_subentry(entry, entry.subentries["01DEMO"], data=data)

    assert (await dialog.submit()).step == "model_removed"


_TOKENS = {"input_price": 500, "output_price": 1500}


_SAID = "500 USD for a million tokens read and 1500 USD for a million tokens written"
_EACH = "0.002 USD for each request, and 0.03 USD for each picture"


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"call_price": 0}, "nothing"),
        ({"call_price": 0.01}, "0.01 USD for each request, as you have entered it"),
        (
            _TOKENS,
            "500 USD for a million tokens read and 1500 USD for a million tokens written, as you have entered it",
        ),
        (
            _TOKENS | {"request_price": 0.002, "picture_price": 0.03},
            f"{_SAID}, and {_EACH}, as you have entered it",
        ),
    ],
)
async def test_a_price_in_words(
    hass: HomeAssistant, entry: MockConfigEntry, server: FakeOpenAI, prices: dict[str, Any], said: str
) -> None:
    await add_server(hass, entry, server, models=[CHAT_MODEL])
    dialog = await open_model(hass, entry, CHAT_MODEL)
    assert dialog.result["description_placeholders"]["price"] == "an amount that nobody has told yet"

    await dialog.submit(prices=prices)

    dialog = await open_model(hass, entry, CHAT_MODEL)
    assert dialog.result["description_placeholders"]["price"] == said
