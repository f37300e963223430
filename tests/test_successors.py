"""A model that is gone, and what may take its place: in the provider, in the pools, with what the household said."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import SUBENTRY_POOL
from tests.fakes.faults import Fault, How
from tests.fakes.openai_compatible import CHAT_MODEL, EMBEDDER, VISION_MODEL, FakeOpenAI
from tests.flows import Dialog, english
from tests.household import CLOUD, ask, ask_in_vain, move_in, subentry
from tests.servers import at_server
from tests.test_repairs import issues, the_issue

GONE = "old-1"
POOL = "01POOL"


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant, socket_enabled: None) -> None:
    assert await async_setup_component(hass, "repairs", {})


async def retired(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI, *models: str, **pools: Any
) -> MockConfigEntry:
    """A provider whose first model has just been found gone, and pools by their names."""
    provider = await at_server(hass, server, CLOUD, models=(GONE, *models))
    also = [
        subentry(f"01{name}", SUBENTRY_POOL, name, members=members, local_only=False) for name, members in pools.items()
    ]
    entry = await move_in(hass, freezer, provider, *also)
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()
    return entry


def models(entry: MockConfigEntry) -> list[str]:
    return [model["id"] for model in entry.subentries[CLOUD].data["models"]]


async def test_the_successor_takes_its_place_in_the_pools_too(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await retired(
        hass,
        freezer,
        server,
        VISION_MODEL,
        ALONE=[{"provider": CLOUD, "model": GONE, "weight": 3.0}],
        BOTH=[{"provider": CLOUD, "model": VISION_MODEL, "weight": 2.0}, {"provider": CLOUD, "model": GONE}],
        OTHERS=[{"provider": CLOUD}, {"provider": CLOUD, "model": "another"}, {"provider": "01ELSE", "model": GONE}],
    )

    await (await Dialog.repair(hass, the_issue(hass))).answer(model=VISION_MODEL)

    members = {name: entry.subentries[f"01{name}"].data["members"] for name in ("ALONE", "BOTH", "OTHERS")}
    assert members == {
        "ALONE": [{"provider": CLOUD, "model": VISION_MODEL, "weight": 3.0}],
        "BOTH": [{"provider": CLOUD, "model": VISION_MODEL, "weight": 2.0}],
        "OTHERS": [{"provider": CLOUD}, {"provider": CLOUD, "model": "another"}, {"provider": "01ELSE", "model": GONE}],
    }
    (member,) = entry.runtime_data.router.config.pools["01ALONE"].members
    assert (member.model_id, member.weight) == (VISION_MODEL, 3.0)


async def test_what_the_household_says_of_a_successor_that_is_used_already_goes_on(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await retired(hass, freezer, server, CHAT_MODEL)
    own = {"input_price": "7", "output_price": "9", "context": 1_000}
    data = entry.subentries[CLOUD].data
    priced = [model | ({"own": own} if model["id"] == CHAT_MODEL else {}) for model in data["models"]]
    hass.config_entries.async_update_subentry(entry, entry.subentries[CLOUD], data={**data, "models": priced})
    await hass.async_block_till_done()
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()

    await (await Dialog.repair(hass, the_issue(hass))).answer(model=CHAT_MODEL)

    assert [model["own"] for model in entry.subentries[CLOUD].data["models"]] == [own]
    (model,) = entry.runtime_data.router.config.providers[CLOUD].models
    assert model.prices is not None
    assert model.prices.spans[0].rates.fresh_in == 7_000_000


async def test_what_makes_vectors_is_followed_by_what_makes_vectors(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await retired(hass, freezer, server)
    server.models.append({"id": EMBEDDER, "object": "model", "type": "embedding"})
    data = entry.subentries[CLOUD].data
    vectors = [{**model, "capabilities": ["embeddings"]} for model in data["models"]]
    hass.config_entries.async_update_subentry(entry, entry.subentries[CLOUD], data={**data, "models": vectors})
    await hass.async_block_till_done()
    response = await hass.services.async_call(
        "ai_router", "embed", {"texts": ["door"], "on_error": "return"}, blocking=True, return_response=True
    )
    assert response is not None
    assert response["error"]
    await hass.async_block_till_done()

    dialog = await Dialog.repair(hass, the_issue(hass))

    assert dialog.options_of("model") == [EMBEDDER]
    await dialog.answer(model=EMBEDDER)
    assert models(entry) == [EMBEDDER]


async def test_a_model_that_is_there_again_can_be_kept(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await retired(hass, freezer, server, VISION_MODEL)
    server.models.insert(0, {"id": GONE, "object": "model"})

    await (await Dialog.repair(hass, the_issue(hass))).answer(model=GONE)

    assert models(entry) == [GONE, VISION_MODEL]
    assert issues(hass) == {}
    assert (await ask(entry, CLOUD)).target.model_id == GONE


async def test_what_goes_soon_itself_is_offered_only_where_nothing_stays(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    freezer.move_to("2026-11-21T12:00:00Z")
    await retired(hass, freezer, server)
    server.models[0]["expiration_date"] = "2026-12-01"

    assert (await Dialog.repair(hass, the_issue(hass))).options_of("model") == [VISION_MODEL]

    server.models[1]["expiration_date"] = "2026-12-01"
    assert (await Dialog.repair(hass, the_issue(hass))).options_of("model") == [CHAT_MODEL, VISION_MODEL]


async def test_a_model_that_goes_is_not_its_own_successor(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    freezer.move_to("2026-11-21T12:00:00Z")
    server.models[0]["expiration_date"] = "2026-12-01"
    del server.models[1:]
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))
    dialog = await (await Dialog.change(hass, entry, CLOUD)).submit()
    await dialog.submit()

    dialog = await Dialog.repair(hass, the_issue(hass))

    assert dialog.step == "no_successor"
    assert the_issue(hass).issue_id == f"model_retires_{CLOUD}_{CHAT_MODEL}"


async def test_a_successor_that_is_gone_as_well_gets_its_own_issue(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await retired(hass, freezer, server)
    dialog = await Dialog.repair(hass, the_issue(hass))
    server.models = [each for each in server.models if each["id"] != VISION_MODEL]

    await dialog.answer(model=VISION_MODEL)
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()

    assert the_issue(hass).issue_id == f"model_retired_{CLOUD}_{VISION_MODEL}"
    assert (await Dialog.repair(hass, the_issue(hass))).options_of("model") == [CHAT_MODEL]


async def test_of_two_who_choose_a_successor_the_first_one_decides(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await retired(hass, freezer, server)
    first, second = await Dialog.repair(hass, the_issue(hass)), await Dialog.repair(hass, the_issue(hass))

    await first.answer(model=VISION_MODEL)
    await second.answer(model=CHAT_MODEL)

    assert (first.step, second.step) == ("create_entry", "over")
    assert models(entry) == [VISION_MODEL]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(How.CLOSE_BEFORE), "Check the address"),
        (Fault(How.REFUSE, 429, body={"error": {"message": "Slow down"}}), "no model now"),
        (Fault(How.REFUSE, 401, body={"error": {"message": "Bad key"}}), "The server does not accept this key"),
    ],
)
async def test_why_nothing_can_be_chosen_now_is_said_in_words(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI, fault: Fault, said: str
) -> None:
    await retired(hass, freezer, server)
    server.everywhere, server.fault = True, fault

    dialog = await Dialog.repair(hass, the_issue(hass))

    text = english()["issues"]["model_retired"]["fix_flow"]["abort"][dialog.step]
    assert said in text.format(**dialog.result["description_placeholders"])
    assert issues(hass)
