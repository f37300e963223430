"""Every field that Home Assistant can ask for makes a shape that each kind takes at once."""

from typing import Any

import aiohttp
import pytest
import voluptuous as vol
from homeassistant.helpers import selector

from custom_components.ai_router.actions.structure import structure
from tests.fakes import anthropic as anthropics
from tests.fakes import gemini as geminis
from tests.fakes import openai as responses
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.gemini import FakeGemini
from tests.fakes.openai import FakeResponses
from tests.fakes.server import FakeServer

from .asking import KEY, asking, hear, provider

# What a selector has to be told at the least, and forms that make another schema.
CONFIGS: dict[str, list[dict[str, Any]]] = {
    "attribute": [{"entity_id": "light.hall"}],
    "automation_behavior": [{"mode": "trigger"}],
    "choose": [{"choices": {"one": {"selector": {"text": {}}}, "two": {"selector": {"number": {}}}}}],
    "constant": [{"value": "x"}, {"value": 1}, {"value": True}],
    "device_class": [{"domain": "sensor"}],
    "entity": [{}, {"multiple": True}],
    "file": [{"accept": "image/*"}],
    "number": [{"min": 0, "max": 10, "step": 0.5}, {"mode": "box"}],
    "numeric_threshold": [{"mode": "changed"}],
    "object": [
        {},
        {"fields": {"x": {"selector": {"number": {"min": 1, "max": 5}}, "required": True}}, "multiple": True},
    ],
    "qr_code": [{"data": "x"}],
    "select": [{"options": ["a", "b"]}, {"options": ["a", "b"], "multiple": True}],
    "state_class": [{}],
    "text": [{}, {"multiple": True}],
    "unit_of_measurement": [{"domain": "sensor"}],
}
FIELDS = [(name, config) for name in sorted(selector.SELECTORS) for config in CONFIGS.get(name, [{}])]


KINDS: dict[str, tuple[type[FakeServer], str]] = {
    "anthropic": (FakeAnthropic, anthropics.CHAT_MODEL),
    "gemini": (FakeGemini, geminis.CHAT_MODEL),
    "openai": (FakeResponses, responses.CHAT_MODEL),
}


def test_every_selector_is_tried() -> None:
    refused = []
    for name, config in FIELDS:
        try:
            structure({"field": {"selector": {name: config}}})
        except vol.Invalid:
            refused.append(name)

    assert not refused


@pytest.mark.parametrize("kind", KINDS)
async def test_every_selector_is_taken_at_once(session: aiohttp.ClientSession, kind: str) -> None:
    server_type, model = KINDS[kind]
    server: Any = server_type(key=KEY)
    await server.start()
    of = provider(session, server.url, kind)
    try:
        for name, config in FIELDS:
            shape = structure({"field": {"selector": {name: config}, "description": "What it is."}})
            before = len(server.bodies)

            await hear(of, asking(model, structure=shape))

            assert (name, config, len(server.bodies) - before) == (name, config, 1)
            assert "field" in repr(server.bodies[-1])
    finally:
        await server.stop()
