"""A refusal names the budget or the limit that stood in the way, and when it frees: as data and in words."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.ai_router.routing.tickets import BucketKey, Scope, Unit, Window
from tests.household import ATTIC, CLOUD, demo, move_in, subentry

from .calling import call

QUICK = {"latency": 0}
NOW = "2026-11-21T12:00:00+00:00"
SOON, LATER = "2026-11-21T12:01:02+00:00", "2026-11-21T13:00:02+00:00"
MIDNIGHT, MONDAY, DECEMBER = "2026-11-22T00:00:00+00:00", "2026-11-23T00:00:00+00:00", "2026-12-01T00:00:00+00:00"
POOL = "01POOL"


async def refused(hass: HomeAssistant, user: MockUser | None = None, **data: Any) -> dict[str, Any]:
    """Return the error of a request as data, after a look that it is raised in the same words."""
    reply = await call(hass, "process", user=user, prompt="Hi", on_error="return", **data)
    with pytest.raises(HomeAssistantError) as raised:
        await call(hass, "process", user=user, prompt="Hi", **data)
    assert str(raised.value) == reply["error"]["message"]
    return dict(reply["error"])


def bucket(scope: str, owner: str | None, unit: str, window: str, person: str | None = None) -> dict[str, str | None]:
    return {"scope": scope, "owner": owner, "person": person, "model": None, "unit": unit, "window": window}


DAY = {"budget_day": "0.05"}


@pytest.mark.parametrize(
    ("provider", "options", "asked", "named", "words", "free_at"),
    [
        (DAY, {}, {}, ("provider", "Cloud", "day"), "the budget per day of Cloud", MIDNIGHT),
        ({"budget_total": "0.05"}, {}, {}, ("provider", "Cloud", "total"), "the budget in all of Cloud", None),
        ({}, {"budget_week": "0.05"}, {}, ("router", None, "week"), "per week of all providers together", MONDAY),
        ({}, {"budget_month": "0.05"} | DAY, {}, ("router", None, "month"), "per month of all providers", DECEMBER),
        (
            {},
            {"label_budgets": {"door": {"day": "0.05"}}},
            {"label": "door"},
            ("label", "door", "day"),
            "the budget per day of door",
            MIDNIGHT,
        ),
        ({}, {}, {"pool": "Eyes"}, ("pool", "Eyes", "day"), "the budget per day of Eyes", MIDNIGHT),
        ({"requests_per_minute": 1}, {}, {}, ("provider", "Cloud", "minute"), "the requests per minute of Cloud", SOON),
        ({"requests_per_hour": 1}, {}, {}, ("provider", "Cloud", "hour"), "the requests per hour of Cloud", LATER),
    ],
    ids=["provider", "in_all", "week", "the_later_of_two", "label", "pool", "minute", "hour"],
)
async def test_what_is_used_up(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    provider: dict[str, Any],
    options: dict[str, Any],
    asked: dict[str, Any],
    named: tuple[str, str | None, str],
    words: str,
    free_at: str | None,
) -> None:
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(NOW)
    eyes = subentry(POOL, "pool", "Eyes", members=[{"provider": CLOUD}], **DAY)
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK, **provider), eyes, max_tokens=6, **options)
    await call(hass, "process", prompt="Hi", **asked)

    error = await refused(hass, **asked)

    scope, owner, window = named
    unit = "requests" if window in {"minute", "hour"} else "money"
    assert error["code"] == ("limited" if unit == "requests" else "over_budget")
    assert error["bucket"] == bucket(scope, owner, unit, window)
    assert words in error["message"]
    assert error["free_at"] == free_at
    if free_at is not None:
        assert free_at[:19].replace("T", " ") in error["message"]
        freezer.move_to(free_at)
        assert (await call(hass, "process", prompt="Hi", **asked))["provider"] == "Cloud"


async def test_a_budget_of_ones_own(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, hass_read_only_user: MockUser
) -> None:
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(NOW)
    hass_read_only_user.name = "Ann"
    own = {hass_read_only_user.id: {"day": "0.05"}}
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), user_budgets=own, max_tokens=6)
    await call(hass, "process", user=hass_read_only_user, prompt="Hi")

    error = await refused(hass, hass_read_only_user)

    assert error["bucket"] == bucket("user", hass_read_only_user.id, "money", "day", person="Ann")
    assert "the budget per day of the person who asks" in error["message"]
    assert (await call(hass, "process", prompt="Hi"))["provider"] == "Cloud"


async def test_what_is_more_than_the_whole_budget_frees_at_no_time(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK, budget_day="0.01"))

    error = await refused(hass)

    assert (error["code"], error["free_at"]) == ("over_budget", None)
    assert error["bucket"] == bucket("provider", "Cloud", "money", "day")
    assert "no time will change that" in error["message"]


async def test_every_bucket_has_a_name(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    hub = entry.runtime_data
    target = f"{ATTIC}/mmm"
    provider = (Scope.PROVIDER, ATTIC)
    keys = [
        *(BucketKey(Scope.ROUTER, "", window, Unit.MONEY) for window in (Window.DAY, Window.WEEK)),
        *(BucketKey(*provider, window, Unit.MONEY) for window in (Window.MONTH, Window.TOTAL)),
        *(BucketKey(*provider, window, Unit.REQUESTS) for window in (Window.MINUTE, Window.HOUR, Window.BURST)),
        BucketKey(*provider, Window.NOW, Unit.REQUESTS),
        BucketKey(*provider, Window.MINUTE, Unit.TOKENS),
        BucketKey(*provider, Window.NOW, Unit.SLOTS),
        BucketKey(Scope.TARGET, target, Window.NOW, Unit.REQUESTS),
        *(
            BucketKey(Scope.TARGET, target, Window.TOLD, unit)
            for unit in (Unit.REQUESTS, Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS)
        ),
        BucketKey(Scope.USER, "1", Window.DAY, Unit.MONEY),
        BucketKey(Scope.LABEL, "door", Window.DAY, Unit.MONEY),
        None,
    ]
    for key in keys:
        words = hub.wording.bucket(key, hub.name_of)
        assert not words.startswith("bucket"), key
        assert "owner" not in words
    assert hub.wording.bucket(keys[10], hub.name_of) == "the pause that Attic / mmm asked for"


async def test_a_pool_that_is_no_experiment_says_so(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    pool = subentry(POOL, "pool", "Eyes", members=[{"provider": CLOUD}], strategy="weighted")
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), pool)

    with pytest.raises(HomeAssistantError) as refusal:
        await call(hass, "get_experiment", pool="Eyes")

    assert refusal.value.translation_key == "no_experiment"
    assert "Eyes" in str(refusal.value)


async def test_what_is_wrong_before_anything_is_asked_has_the_same_names(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(CLOUD, "Cloud", options={**QUICK, "success_rate": 0, "error": "billing"}))
    failed = await call(hass, "process", prompt="Hi", on_error="return")
    mistaken = await call(hass, "process", prompt="Hi", provider="Nobody", on_error="return")
    assert mistaken.keys() == failed.keys()
    assert mistaken["error"].keys() == failed["error"].keys()
    assert mistaken["cost"] == {"amount": 0.0, "currency": "USD", "estimated": False}

    assert await hass.config_entries.async_unload(entry.entry_id)
    for action, data in (
        ("process", {"prompt": "Hi"}),
        ("count_tokens", {"prompt": "Hi"}),
        ("embed", {"texts": ["Hi"]}),
        ("find_similar", {"query": "Hi", "texts": ["Hi"]}),
    ):
        away = await call(hass, action, on_error="return", **data)
        with pytest.raises(ServiceValidationError) as raised:
            await call(hass, action, **data)
        assert away["error"]["message"] == str(raised.value)
        assert away.keys() == failed.keys()
