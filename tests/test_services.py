"""The action `ai_router.process`: what it takes, what it returns, and what it says when it cannot."""

import json
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, UnknownUser
from homeassistant.helpers import device_registry as dr
from homeassistant.util.yaml import load_yaml_dict

import custom_components.ai_router as integration
from custom_components.ai_router.const import DOMAIN

from .household import ATTIC, CLOUD, FREE, demo, move_in

TEXTS = json.loads((Path(integration.__file__).parent / "translations" / "en.json").read_text("utf-8"))
DEAD = {"success_rate": 0.0, "latency": 0}
QUICK = {"latency": 0}


async def process(hass: HomeAssistant, context: Context | None = None, **data: Any) -> dict[str, Any]:
    """Call the action."""
    reply = await hass.services.async_call(
        DOMAIN, "process", data, blocking=True, return_response=True, context=context
    )
    assert isinstance(reply, dict)
    return reply


async def test_a_reply_tells_who_answered_why_and_for_how_much(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    dead = demo(ATTIC, "Attic", prices=FREE, options={**DEAD, "error": "rate_limit"}, priority=10)
    await move_in(hass, freezer, dead, demo(CLOUD, "Cloud", options=QUICK))
    reply = await process(hass, prompt="Is the door open?", label="doorbell")
    assert reply["text"] == 'Demo answer to "Is the door open?"'
    assert (reply["provider"], reply["model"], reply["finish_reason"]) == ("Cloud", "demo-chat", "stop")
    assert [(each["provider"], each["outcome"]) for each in reply["attempts"]] == [
        ("Attic", "rate_limit"),
        ("Cloud", "ok"),
    ]
    # Four words in at 1,000 dollars a million, seven out at 2,000.
    words = reply["usage"]
    expected = words["input_tokens"] * 0.001 + words["output_tokens"] * 0.002
    assert reply["cost"] == {"amount": pytest.approx(expected), "currency": "USD", "estimated": False}
    assert reply["route"]["strategy"] == "priority"
    assert json.loads(json.dumps(reply)) == reply


async def test_a_provider_is_named_by_name_or_by_device(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK), demo(CLOUD, "Cloud", options=QUICK))
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, CLOUD), entry.entry_id)
    assert device is not None
    for reference in ("Cloud", " cloud ", device.id):
        assert (await process(hass, prompt="Hello", provider=reference))["provider"] == "Cloud"
    with pytest.raises(ServiceValidationError, match=r"no provider called Nobody\. Known are: Attic, Cloud"):
        await process(hass, prompt="Hello", provider="Nobody")


async def test_a_plan_sends_nothing(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    plan = await process(hass, prompt="Hello", dry_run=True, max_tokens=100)
    (target,) = plan["targets"]
    assert (target["provider"], target["output_tokens"]) == ("Attic", 100)
    assert target["hold"]["amount"] >= 100 * 0.002
    assert entry.runtime_data.router.recent(ATTIC).attempts == 0


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ({"prompt": " "}, "The prompt is empty"),
        ({"prompt": "Hello", "local_only": True}, "must stay in the house"),
        ({"prompt": "Hello", "max_cost": 0.0001}, "cost more than this request is allowed to"),
        ({"prompt": "Hello", "model": "other"}, "asks for by name is not there"),
    ],
)
async def test_what_is_wrong_with_a_request_is_told_in_words(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, data: dict[str, Any], match: str
) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    with pytest.raises(ServiceValidationError, match=match):
        await process(hass, **data)
    returned = await process(hass, **data, on_error="return")
    assert match in returned["error"]["message"]


@pytest.mark.parametrize(
    "data",
    [{"prompt": "x", "max_tokens": 0}, {"prompt": "x", "temperature": 3}, {"prompt": "x", "on_error": "no"}, {}],
)
async def test_what_the_schema_does_not_allow_is_refused(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, data: dict[str, Any]
) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    with pytest.raises(vol.Invalid):
        await process(hass, **data)


async def test_failures_are_raised_or_returned(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options={**DEAD, "error": "credential"}))
    with pytest.raises(HomeAssistantError, match="Attic rejected its key"):
        await process(hass, prompt="Hello")
    returned = await process(hass, prompt="Hello", on_error="return")
    assert returned["error"]["code"] == "all_down"
    assert returned["route"]["left_out"][0]["reason"] == "benched"


async def test_without_an_entry_the_action_says_so(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError):
        await process(hass, prompt="Hello")


async def test_a_user_that_does_not_exist_is_refused(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    with pytest.raises(UnknownUser):
        await process(hass, Context(user_id="nobody"), prompt="Hello", on_error="return")


def described(fields: dict[str, Any]) -> dict[str, bool]:
    """Return the fields that the form of an action shows, sections opened, and whether each must be filled in."""
    shown: dict[str, bool] = {}
    for name, field in fields.items():
        shown |= described(field["fields"]) if "fields" in field else {name: field.get("required", False)}
    return shown


async def test_whatever_an_action_takes_its_form_shows(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    file = Path(integration.__file__).parent / "services.yaml"
    forms = await hass.async_add_executor_job(load_yaml_dict, str(file))
    for action, service in hass.services.async_services()[DOMAIN].items():
        assert service.schema is not None
        taken = {str(field): isinstance(field, vol.Required) for field in service.schema.schema}
        assert taken == described((forms[action] or {}).get("fields", {})), action
