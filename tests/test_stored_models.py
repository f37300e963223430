"""Whose word goes first: the household's, the server's, the table's; and a newer table holds for old providers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant

from custom_components.ai_router import hub as hub_module
from custom_components.ai_router.providers.price_table import PriceTable
from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.routing.money import FREE, Prices, Rates, per_million, to_dollars
from custom_components.ai_router.stored_models import model_from_stored, model_to_stored
from tests.household import demo, move_in

PLAIN = Capability.CHAT | Capability.STREAMING
TABLE = {
    "made": "2026-11-21",
    "models": {
        "openai": {
            "gpt-9": {
                "source": "a list",
                "date": "2026-11-20",
                "caps": "CVts",
                "context": 9_000,
                "max_output": 900,
                "prices": [{"in": "3", "out": "4"}],
            }
        }
    },
}
LISTED = Prices.flat(Rates.of(per_million("2"), per_million("2")), "provider")


def read(stored: dict[str, Any], vendor: str | None = "openai") -> Model:
    return model_from_stored(json.loads(json.dumps(stored)), PriceTable(TABLE), vendor)


def price(model: Model) -> float | None:
    return None if model.prices is None else float(to_dollars(model.prices.at(0, 0).fresh_in * 10**6))


@pytest.mark.parametrize(
    ("stored", "expected", "source"),
    [
        (model_to_stored(Model("gpt-9")), 3, "a list"),
        (model_to_stored(Model("gpt-9", prices=LISTED), today="2026-11-19"), 2, "provider"),
        (model_to_stored(Model("gpt-9", prices=LISTED), "1", "1"), 1, "user"),
        (model_to_stored(Model("gpt-9", prices=LISTED), "0", "0"), 0, "user"),
        (model_to_stored(Model("gpt-9"), "1", "1", own={"input_price": "0.5", "output_price": "1"}), 0.5, "user"),
        (model_to_stored(Model("gpt-9"), "1", "1", own={"call_price": "0.1"}), 0, "user"),
        (model_to_stored(Model("gpt-9", local=True, prices=FREE)), 0, "free"),
        (model_to_stored(Model("gpt-9", local=True), "1", "1"), 1, "user"),
        (model_to_stored(Model("gpt-9"), own={"local": True}), 0, "free"),
        # No price of a name alone.
        (model_to_stored(Model("gpt-8")), None, None),
    ],
)
def test_where_a_price_comes_from(stored: dict[str, Any], expected: float | None, source: str | None) -> None:
    model = read(stored)

    assert (price(model), model.prices and model.prices.source) == (expected, source)


def test_a_server_that_nobody_knows_has_no_prices_of_the_table() -> None:
    assert read(model_to_stored(Model("gpt-9")), None).prices is None


def test_a_local_model_has_nothing_of_the_table() -> None:
    model = read(model_to_stored(Model("gpt-9", PLAIN, local=True)))

    assert (model.caps, model.context, model.prices) == (PLAIN, None, FREE)


def test_nothing_of_the_table_is_stored() -> None:
    stored = model_to_stored(Model("gpt-9"))
    used = read(stored)

    assert used.prices is not None
    assert (
        model_to_stored(used) | {"context": None, "max_output": None, "capabilities": stored["capabilities"]} == stored
    )


@pytest.mark.parametrize(
    ("model", "own", "caps"),
    [
        # What nobody told is the table's: it sees, it neither calls tools nor keeps to a schema.
        (Model("gpt-9", PLAIN | Capability.TOOLS | Capability.STRUCTURED), {}, PLAIN | Capability.VISION),
        # What the table does not know stays a guess.
        (Model("gpt-9", PLAIN | Capability.REASONING), {}, PLAIN | Capability.REASONING | Capability.VISION),
        # What the server told stays.
        (
            Model("gpt-9", PLAIN | Capability.TOOLS, told=Capability.TOOLS | Capability.VISION),
            {},
            PLAIN | Capability.TOOLS,
        ),
        # The household knows best.
        (
            Model("gpt-9", PLAIN, told=Capability.VISION),
            {"capabilities": {"vision": True, "tools": True, "streaming": False}},
            Capability.CHAT | Capability.VISION | Capability.TOOLS,
        ),
        # A model that only embeds does not learn to see.
        (Model("gpt-9", Capability.EMBEDDINGS), {}, Capability.EMBEDDINGS),
    ],
)
def test_who_knows_what_a_model_can_do(model: Model, own: dict[str, Any], caps: Capability) -> None:
    assert read(model_to_stored(model, own=own)).caps == caps


def test_sizes() -> None:
    assert (read(model_to_stored(Model("gpt-9"))).context, read(model_to_stored(Model("gpt-9"))).max_output) == (
        9_000,
        900,
    )
    told = read(model_to_stored(Model("gpt-9", context=5, max_output=4)))
    assert (told.context, told.max_output) == (5, 4)
    own = read(model_to_stored(Model("gpt-9", context=5), own={"context": 7, "max_output": 6}))
    assert (own.context, own.max_output) == (7, 6)


def test_what_was_stored_before_is_taken_as_told() -> None:
    old = {
        "id": "gpt-9",
        "capabilities": ["chat", "tools"],
        "context": None,
        "max_output": None,
        "local": False,
        "input_price": "1",
        "output_price": "2",
    }
    model = read(old)

    assert (model.caps, model.context) == (Capability.CHAT | Capability.TOOLS, 9_000)
    assert (price(model), model.prices and model.prices.source) == (1, "user")


async def test_a_newer_table_holds_for_a_provider_that_has_been_there_for_long(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "prices.json"
    load: Callable[[Path], PriceTable] = PriceTable.load
    monkeypatch.setattr(hub_module.PriceTable, "load", lambda: load(shipped))
    shipped.write_text(json.dumps(TABLE))
    account = demo("01GPT", "GPT", kind="openai", models=[model_to_stored(Model("gpt-9"))], url="http://127.0.0.1:9")
    entry = await move_in(hass, freezer, account)

    def used() -> Model:
        (model,) = entry.runtime_data.router.config.providers["01GPT"].models
        return model

    assert (price(used()), used().context) == (3, 9_000)
    stored = dict(entry.subentries["01GPT"].data)

    newer = json.loads(json.dumps(TABLE))
    newer["models"]["openai"]["gpt-9"] |= {"date": "2027-01-01", "prices": [{"in": "1", "out": "1"}], "context": 99}
    shipped.write_text(json.dumps(newer))
    assert await hass.config_entries.async_reload(entry.entry_id)

    assert (price(used()), used().context) == (1, 99)
    assert used().prices is not None
    assert used().prices.as_of == "2027-01-01"
    assert entry.subentries["01GPT"].data == stored

    # A damaged table is no table, and never free.
    shipped.write_text("{")
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert used().prices is None
