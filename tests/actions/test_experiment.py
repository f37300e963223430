"""`get_experiment` and `score`: what came of each arm, and what callers think of its answers."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from tests.household import ATTIC, CLOUD, FREE, demo, move_in, subentry

from .calling import call, tell

QUICK = {"latency": 0}
ASKED = 40
TRIAL = subentry("01POOL", "pool", "Trial", members=[{"provider": ATTIC}], strategy="experiment")


@pytest.mark.parametrize(
    ("action", "data", "added"),
    [
        ("get_experiment", {"pool": "Trial"}, TRIAL),
        ("get_metrics", {"provider": "Cloud"}, demo(CLOUD, "Cloud")),
        ("get_usage", {"provider": "Cloud"}, demo(CLOUD, "Cloud")),
        ("get_status", {"provider": "Cloud"}, demo(CLOUD, "Cloud")),
    ],
)
async def test_what_has_just_been_added_is_there(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, action: str, data: dict[str, str], added: ConfigSubentry
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", prices=FREE, options=QUICK))
    hass.config_entries.async_add_subentry(entry, added)
    assert await call(hass, action, **data)


async def test_each_arm_tells_what_came_of_it(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    members = [{"provider": ATTIC}, {"provider": CLOUD}]
    pool = subentry("01POOL", "pool", "Trial", members=members, strategy="experiment")
    dear = demo(CLOUD, "Cloud", prices=("0", "1000"), options=QUICK)
    await move_in(hass, freezer, demo(ATTIC, "Attic", prices=FREE, options=QUICK), dear, pool)

    before = await call(hass, "get_experiment", pool="Trial")
    assert {arm["provider"] for arm in before["arms"]} == {"Attic", "Cloud"}
    for arm in before["arms"]:
        assert (arm["requests"], arm["error_rate"], arm["spent"]) == (0, None, 0.0)
        assert arm["score"] == {"values": 0, "mean": None, "error": None}

    counts = {"Attic": 0, "Cloud": 0}
    for number in range(ASKED):
        reply = await call(hass, "process", prompt=f"question {number}", pool="Trial", cache="bypass")
        counts[reply["provider"]] += 1
        await tell(hass, "score", request_id=reply["request_id"], value=1 if reply["provider"] == "Cloud" else 0.5)

    after = {arm["provider"]: arm for arm in (await call(hass, "get_experiment", pool="Trial"))["arms"]}
    assert min(counts.values()) > 0
    assert {name: arm["requests"] for name, arm in after.items()} == counts
    assert {arm["error_rate"] for arm in after.values()} == {0.0}
    assert all(arm["error_rate_between"][1] > 0 for arm in after.values()), "few answers prove little"
    assert (after["Attic"]["spent"], after["Attic"]["cost"]["mean"]) == (0.0, 0.0)
    assert after["Cloud"]["cost"]["mean"] == pytest.approx(after["Cloud"]["spent"] / counts["Cloud"])
    assert after["Cloud"]["spent"] > 0
    assert (after["Attic"]["score"]["mean"], after["Cloud"]["score"]["mean"]) == (0.5, 1.0)
    assert after["Cloud"]["score"]["values"] == counts["Cloud"]

    with pytest.raises(ServiceValidationError) as refused:
        await tell(hass, "score", request_id="never asked", value=1)
    assert refused.value.translation_key == "request_not_known"
