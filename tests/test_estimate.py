"""The action `estimate`: targets by the price of so many tokens."""

from typing import Any

import probatio
import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from custom_components.ai_router.const import DOMAIN
from tests.household import ATTIC, CLOUD, FREE, demo, move_in

DEAR = "01DEAR"


async def estimate(hass: HomeAssistant, **data: Any) -> list[dict[str, Any]]:
    response = await hass.services.async_call(DOMAIN, "estimate", data, blocking=True, return_response=True)
    assert response is not None
    targets: Any = response["targets"]
    return list(targets)


def unknown(provider_id: str, title: str, **own: Any) -> Any:
    """A provider of which nothing is known but what the household says."""
    subentry = demo(provider_id, title)
    (model,) = subentry.data["models"]
    changed = {**model, "local": False, "input_price": None, "output_price": None, **({"own": own} if own else {})}
    return demo(provider_id, title, models=[changed])


async def test_the_cheapest_comes_first_and_what_is_unknown_last(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await move_in(
        hass,
        freezer,
        unknown("01NEW", "New"),
        demo(DEAR, "Dear", prices=("3", "15")),
        demo(CLOUD, "Cloud", prices=("0.5", "1")),
        unknown("01FLAT", "Flat", call_price="0.002"),
        demo(ATTIC, "Attic", prices=FREE),
    )

    targets = await estimate(hass, input_tokens=2_000, output_tokens=500)

    assert [(each["provider"], each["cost"]) for each in targets] == [
        ("Attic", {"amount": 0.0, "currency": "USD"}),
        ("Cloud", {"amount": 0.0015, "currency": "USD"}),
        ("Flat", {"amount": 0.002, "currency": "USD"}),
        ("Dear", {"amount": 0.0135, "currency": "USD"}),
        ("New", None),
    ]
    assert targets[1] | {"cost": None} == {
        "provider": "Cloud",
        "model": "demo-chat",
        "cost": None,
        "local": False,
        "source": "user",
        "as_of": None,
    }
    # A long prompt turns it around.
    assert [each["provider"] for each in await estimate(hass, input_tokens=5_000)] == [
        "Attic",
        "Flat",
        "Cloud",
        "Dear",
        "New",
    ]


async def test_only_what_can_take_them(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(
        hass,
        freezer,
        unknown("01SEES", "Sees", call_price="0.01", capabilities={"vision": True}),
        unknown(
            "01PAYS", "Pays", input_price="1", output_price="1", picture_price="0.5", capabilities={"vision": True}
        ),
        unknown("01HOME", "Home", local=True),
        unknown("01SMALL", "Small", call_price="0.1", context=1_000, max_output=100),
    )

    async def names(**data: Any) -> list[str]:
        return [each["provider"] for each in await estimate(hass, **data)]

    assert await names(input_tokens=1, output_tokens=1, images=2) == ["Sees", "Pays"]
    assert (await estimate(hass, input_tokens=0, output_tokens=0, images=2))[1]["cost"]["amount"] == 1.0
    assert await names(input_tokens=1, needs=["vision"]) == ["Pays", "Sees"]
    assert await names(input_tokens=1, needs="embeddings") == []
    assert await names(input_tokens=1, output_tokens=1, local_only=True) == ["Home"]
    assert "Small" in await names(input_tokens=900, output_tokens=100)
    assert "Small" not in await names(input_tokens=901, output_tokens=100)
    assert "Small" not in await names(input_tokens=1, output_tokens=101)
    hass.config_entries.async_update_entry(entry, options={"local_only": True})
    await hass.async_block_till_done()
    assert await names(input_tokens=1, output_tokens=1) == ["Home"]


@pytest.mark.parametrize("data", [{}, {"input_tokens": -1}, {"input_tokens": 1, "needs": ["wings"]}])
async def test_what_makes_no_sense(hass: HomeAssistant, freezer: FrozenDateTimeFactory, data: dict[str, Any]) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic"))
    with pytest.raises(probatio.Invalid):
        await estimate(hass, **data)


async def test_before_it_is_set_up(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"))
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError):
        await estimate(hass, input_tokens=1)
