"""OpenAI's fake: as strict as the real server."""

from typing import Any

import aiohttp
import pytest

from tests.fakes.openai import CHAT_MODEL, PLAIN_MODEL, RESTING_MODEL, FakeResponses

from .asking import KEY

QUESTION = {"model": CHAT_MODEL, "input": [{"role": "user", "content": "Hi"}], "store": False}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
CALL = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "x"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
ASKED = {"role": "user", "content": "Hi"}
CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def shaped(schema: dict[str, Any]) -> dict[str, Any]:
    return {"text": {"format": {"type": "json_schema", "name": "a", "schema": schema, "strict": True}}}


def shown(**part: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [{"type": "input_image", **part}]}]}


@pytest.mark.parametrize(
    ("change", "model"),
    [
        ({"seed": 7}, CHAT_MODEL),
        ({"stop": ["x"]}, CHAT_MODEL),
        ({"stream": 1}, CHAT_MODEL),
        ({"max_output_tokens": 5}, CHAT_MODEL),
        ({"max_output_tokens": True}, CHAT_MODEL),
        ({"temperature": 0.1}, CHAT_MODEL),
        ({"temperature": 0.1, "reasoning": {"effort": "low"}}, RESTING_MODEL),
        ({"reasoning": {"effort": "minimal"}}, CHAT_MODEL),
        ({"reasoning": {"effort": "low"}}, PLAIN_MODEL),
        ({"include": ["reasoning.encrypted_content"]}, PLAIN_MODEL),
        ({"include": ["everything"]}, CHAT_MODEL),
        ({"prompt_cache_options": {"mode": "explicit"}}, RESTING_MODEL),
        ({"tools": [{name: value for name, value in FUNCTION.items() if name != "strict"}]}, CHAT_MODEL),
        ({"tools": [{"type": "function", "function": FUNCTION}]}, CHAT_MODEL),
        ({"tools": [{**FUNCTION, "parameters": {"type": "object"}}]}, CHAT_MODEL),
        (shaped({"type": "object", "properties": {}}), CHAT_MODEL),
        (shaped({**CLOSED, "properties": {"x": {"type": "null"}}}), CHAT_MODEL),
        (shaped({**CLOSED, "not": {}}), CHAT_MODEL),
        ({"text": {"format": {"type": "json_object"}}}, CHAT_MODEL),
        ({"input": []}, CHAT_MODEL),
        ({"input": [{"role": "tool", "content": "x"}]}, CHAT_MODEL),
        ({"input": [ASKED, CALL]}, CHAT_MODEL),
        ({"input": [ASKED, CALL, ASKED]}, CHAT_MODEL),
        ({"input": [ASKED, OUTPUT]}, CHAT_MODEL),
        ({"input": [ASKED, REASONING, CALL, OUTPUT]}, CHAT_MODEL),
        ({"input": [ASKED, {"type": "item_reference", "id": "x"}]}, CHAT_MODEL),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}, CHAT_MODEL),
        (shown(image_url="data:image/jpeg;base64,/9j/"), CHAT_MODEL),
        (shown(image_url="data:image/jpeg;base64,YWJj", detail="auto"), CHAT_MODEL),
        (shown(image_url="https://house.example/door.jpg", detail="auto"), CHAT_MODEL),
    ],
)
async def test_it_refuses(
    session: aiohttp.ClientSession, responses: FakeResponses, change: dict[str, Any], model: str
) -> None:
    url, question = f"{responses.url}/responses", {**QUESTION, "model": model}
    headers = {"Authorization": f"Bearer {KEY}"}
    async with session.post(url, json={**question, **change}, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"
    async with session.post(url, json=question, headers=headers) as answer:
        assert answer.status == 200
    assert responses.pictures == []
