"""Anthropic's fake: as strict as the real server."""

from typing import Any

import aiohttp
import pytest

from tests.fakes.anthropic import BOUND_MODEL, CHAT_MODEL, OLD_MODEL, FakeAnthropic

from .asking import KEY


def written(*blocks: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


QUESTION = {"model": CHAT_MODEL, "max_tokens": 2_000, "messages": [{"role": "user", "content": "Hi"}]}
HEADERS = {"Authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"}
HELLO = {"role": "user", "content": "Hi"}
USE = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": []}
WORDS = {"type": "text", "text": "x"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
OPEN_SCHEMA = {"type": "object", "properties": {}}
TIGHT_SCHEMA = {**OPEN_SCHEMA, "additionalProperties": False, "minProperties": 1}


def a_picture(mime: str, data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": mime, "data": data}}


@pytest.mark.parametrize(
    ("change", "model"),
    [
        ({"seed": 7}, CHAT_MODEL),
        ({"max_tokens": None}, CHAT_MODEL),
        ({"max_tokens": 0}, CHAT_MODEL),
        ({"max_tokens": 100_000}, OLD_MODEL),
        ({"stream": 1}, CHAT_MODEL),
        ({"temperature": 0.1}, CHAT_MODEL),
        ({"temperature": 0.1, "thinking": {"type": "enabled", "budget_tokens": 1_024}}, OLD_MODEL),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, CHAT_MODEL),
        ({"thinking": {"type": "enabled", "budget_tokens": 500}}, OLD_MODEL),
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, OLD_MODEL),
        ({"thinking": {"type": "adaptive"}}, OLD_MODEL),
        ({"thinking": {"type": "disabled"}}, BOUND_MODEL),
        ({"thinking": {"type": "disabled", "display": "omitted"}}, CHAT_MODEL),
        ({"output_config": {"effort": "low"}}, OLD_MODEL),
        ({"output_config": {"effort": "minimal"}}, CHAT_MODEL),
        ({"output_config": {"format": {"type": "json_schema", "schema": OPEN_SCHEMA}}}, CHAT_MODEL),
        ({"output_config": {"format": {"type": "json_schema", "schema": TIGHT_SCHEMA}}}, CHAT_MODEL),
        ({"tools": [{"name": "f", "input_schema": {}}]}, CHAT_MODEL),
        ({"tools": [{"name": "f g", "input_schema": {"type": "object"}}]}, CHAT_MODEL),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}}, BOUND_MODEL),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, CHAT_MODEL),
        ({"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}] * 5}, CHAT_MODEL),
        ({"messages": []}, CHAT_MODEL),
        ({"messages": [{"role": "user", "content": " "}]}, CHAT_MODEL),
        ({"messages": [written()]}, CHAT_MODEL),
        ({"messages": [HELLO, {"role": "system", "content": "x"}]}, CHAT_MODEL),
        ({"messages": [HELLO, written(WORDS, role="assistant")]}, CHAT_MODEL),
        ({"messages": [HELLO, written(USE, role="assistant"), HELLO]}, CHAT_MODEL),
        ({"messages": [HELLO, written(USE, role="assistant"), written(WORDS, RESULT)]}, CHAT_MODEL),
        ({"messages": [HELLO, written(RESULT)]}, CHAT_MODEL),
        ({"messages": [HELLO, written({**USE, "id": "a:1"}, role="assistant"), HELLO]}, CHAT_MODEL),
        (
            {
                "messages": [
                    HELLO,
                    written({"type": "thinking", "thinking": "", "signature": "s"}, USE, role="assistant"),
                    written(RESULT),
                ]
            },
            CHAT_MODEL,
        ),
        ({"messages": [written(a_picture("image/jpeg", "YWJj"))]}, CHAT_MODEL),
        ({"messages": [written(a_picture("image/tiff", "/9j/"))]}, CHAT_MODEL),
        ({"messages": [written(a_picture("image/png", "/9j/"))]}, CHAT_MODEL),
    ],
)
async def test_anthropic_refuses(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, change: dict[str, Any], model: str
) -> None:
    url, question = f"{anthropic.url}/v1/messages", {**QUESTION, "model": model}
    async with session.post(url, json={**question, **change}, headers=HEADERS) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"
    async with session.post(url, json=question, headers=HEADERS) as answer:
        assert answer.status == 200
    assert anthropic.pictures == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Authorization": f"Bearer {KEY}"}, 400),
        ({"Authorization": f"Bearer {KEY}", "anthropic-version": "2020-01-01"}, 400),
        ({"anthropic-version": "2023-06-01"}, 401),
        ({**HEADERS, "x-api-key": KEY}, 401),
        ({"anthropic-version": "2023-06-01", "x-api-key": KEY}, 200),
    ],
)
async def test_anthropic_wants_one_key_and_a_version(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, headers: dict[str, str], status: int
) -> None:
    async with session.get(f"{anthropic.url}/v1/models", headers=headers) as answer:
        assert answer.status == status
