"""Half a character is told at the door, whichever field of whichever action it stands in, and the ledger goes on."""

import json
from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant, SupportsResponse

from custom_components.ai_router.const import DOMAIN
from tests.household import CLOUD, demo, move_in

from .calling import call

HALF = "\ud83d"
# What else an action must be given.
NEEDED: dict[str, dict[str, Any]] = {
    "process": {"prompt": "Hi"},
    "process_batch": {"prompts": ["Hi"]},
    "embed": {"texts": ["Hi"]},
    "find_similar": {"query": "Hi", "texts": ["Hi"]},
    "count_tokens": {"prompt": "Hi"},
    "set_provider": {"provider": "Cloud", "priority": 1},
    "get_experiment": {"pool": "Hi"},
    "score": {"request_id": "1", "value": 1},
    "estimate": {"input_tokens": 1},
}
ASKING = {
    **dict.fromkeys(("pool", "model", "strategy", "label"), HALF),
    **{name: [HALF] for name in ("provider", "prefer", "exclude")},
}
WORDS = {
    **dict.fromkeys(("system", "conversation", "default_text"), HALF),
    "history": [{"role": "user", "text": HALF}],
    "files": [HALF],
    "media": [{"media_content_id": HALF}],
}
FIELDS: list[tuple[str, dict[str, Any]]] = [
    *(("process", {name: value}) for name, value in {**ASKING, **WORDS, "prompt": HALF}.items()),
    *(("process_batch", {name: value}) for name, value in {**ASKING, **WORDS, "prompts": [HALF]}.items()),
    ("process_batch", {"prompts": [{"prompt": "Hi", "label": HALF}]}),
    *(
        ("count_tokens", {name: value})
        for name, value in {**ASKING, **WORDS, "prompt": HALF}.items()
        if name not in {"label", "conversation", "default_text"}
    ),
    *(("embed", {name: value}) for name, value in {**ASKING, "texts": ["Hi", HALF]}.items()),
    *(("find_similar", {name: value}) for name, value in {**ASKING, "texts": [HALF], "query": HALF}.items()),
    *((action, {"provider": [HALF]}) for action in ("get_status", "check_health")),
    *((action, {"provider": HALF}) for action in ("get_usage", "get_metrics", "set_provider", "reset")),
    ("get_usage", {"label": HALF}),
    *((action, {"model": HALF}) for action in ("get_metrics", "reset")),
    ("export_usage", {"file": HALF}),
    ("get_experiment", {"pool": HALF}),
    ("score", {"request_id": HALF}),
    ("clear_cache", {"key": HALF}),
]


def of_texts(schema: Any) -> set[str]:
    """Return the fields of an action that take a text."""
    found = set()
    for field in schema.schema:
        try:
            vol.Schema({field: schema.schema[field]}, extra=vol.ALLOW_EXTRA)({str(field): "\x00 any text"})
        except vol.Invalid:
            continue
        found.add(str(field))
    return found


async def test_no_field_is_forgotten(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options={"latency": 0}))
    tried: dict[str, set[str]] = {}
    for action, fields in FIELDS:
        tried.setdefault(action, set()).update(fields)
    for action, service in hass.services.async_services()[DOMAIN].items():
        missing = of_texts(service.schema) - tried.get(action, set())
        assert not missing - {"structure"}, f"{action}: {missing}"


async def test_it_is_told_at_the_door(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options={"latency": 0}))
    for action, fields in FIELDS:
        answers = hass.services.supports_response(DOMAIN, action) is not SupportsResponse.NONE
        data = NEEDED.get(action, {}) | fields

        with pytest.raises(vol.Invalid, match="half a character") as told:
            await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=answers)

        assert next(iter(fields)) in str(told.value)
    paid = await call(hass, "process", prompt="Hi", label="Tür 😀")
    assert paid["cost"]["amount"] > 0


async def test_in_the_shape_of_an_answer_it_is_a_refusal_in_words(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options={"latency": 0}))
    shape = {"open": {"description": HALF, "selector": {"boolean": {}}}}

    reply = await call(hass, "process", prompt="Hi", structure=shape, on_error="return")

    assert reply["error"]["code"] == "unreadable_text"
    assert "half a character" in reply["error"]["message"]
    json.dumps(reply, ensure_ascii=False).encode()
