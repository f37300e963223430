"""The fake servers themselves: as strict as the real ones, and usable from another process."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.fakes.cloudflare import ACCOUNT
from tests.fakes.cloudflare import CHAT_MODEL as CLOUDFLARE_MODEL
from tests.fakes.gemini import CHAT_MODEL as GEMINI_MODEL
from tests.fakes.gemini import OLD_MODEL, FakeGemini
from tests.fakes.ollama import CHAT_MODEL as OLLAMA_MODEL
from tests.fakes.ollama import VISION_MODEL as OLLAMA_VISION
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI

from .asking import KEY
from .test_fake_anthropic import HEADERS as ANTHROPIC_HEADERS
from .test_fake_anthropic import QUESTION as ANTHROPIC_QUESTION
from .test_fake_openai import QUESTION as RESPONSES_QUESTION

QUESTION: dict[str, Any] = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
GEMINI_QUESTION: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
    "generationConfig": {"maxOutputTokens": 9},
    "store": False,
}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


def looking(url: str) -> dict[str, Any]:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    return {"model": VISION_MODEL, "messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    "change",
    [
        {"user": "me"},
        {"parallel_tool_calls": False},
        {"max_tokens": 9.0},
        {"max_tokens": True},
        {"temperature": "0"},
        {"temperature": 3},
        {"seed": 1.5},
        {"stream": 1},
        {"stream_options": {"include_usage": True}},
        {"stop": []},
        {"messages": []},
        {"messages": [{"role": "developer", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x", "name": "me"}]},
        {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]},
        {"messages": [{"role": "assistant", "content": None}]},
        {"messages": [CALL]},
        {"messages": [CALL, {"role": "user", "content": "x"}]},
        {"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
        looking("https://house.example/door.jpg"),
        looking("data:image/jpeg;base64,!!!!"),
        looking("data:image/jpeg;base64,YWJj"),
    ],
)
async def test_openai_refuses(session: aiohttp.ClientSession, openai: FakeOpenAI, change: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with session.post(f"{openai.url}/chat/completions", json={**QUESTION, **change}, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"]
    async with session.post(f"{openai.url}/chat/completions", json=QUESTION, headers=headers) as answer:
        assert answer.status == 200
    assert openai.pictures == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}])
async def test_openai_wants_its_key(
    session: aiohttp.ClientSession, openai: FakeOpenAI, headers: dict[str, str]
) -> None:
    async with session.post(f"{openai.url}/chat/completions", json=QUESTION, headers=headers) as answer:
        assert answer.status == 401
    async with session.get(f"{openai.url}/models", headers=headers) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"max_tokens": 9}, 400),
        ({"options": {"num_predict": 9.0}}, 400),
        ({"options": {"max_tokens": 9}}, 400),
        ({"options": {"stop": "END"}}, 400),
        ({"stream": "yes"}, 400),
        ({"model": "gone"}, 404),
        ({"model": OLLAMA_VISION, "think": True}, 400),
        ({"model": "nomic-embed-text:latest"}, 400),
        ({"messages": [{"role": "developer", "content": "x"}]}, 400),
        ({"messages": [{"role": "user", "content": "x", "name": "me"}]}, 400),
        ({"model": OLLAMA_VISION, "messages": [{"role": "user", "images": ["data:image/jpeg;base64,/9j/"]}]}, 400),
        ({"model": OLLAMA_VISION, "messages": [{"role": "user", "images": ["YWJj"]}]}, 500),
        ({"messages": [{"role": "user", "images": ["/9j/"]}]}, 400),
        ({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]}, 400),
    ],
)
async def test_ollama_refuses(
    session: aiohttp.ClientSession, ollama: FakeOllama, change: dict[str, Any], status: int
) -> None:
    question = {"model": OLLAMA_MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    async with session.post(f"{ollama.url}/api/chat", json={**question, **change}) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]
    async with session.post(f"{ollama.url}/api/chat", json=question) as answer:
        assert answer.status == 200
    assert ollama.pictures == []


def saying(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


WISH = {"functionCall": {"id": "a", "name": "f", "args": {}}}
RESULT = {"functionResponse": {"id": "a", "name": "f", "response": {"output": "x"}}}
HI = saying({"text": "Hi"})


@pytest.mark.parametrize(
    ("change", "model"),
    [
        ({"messages": []}, GEMINI_MODEL),
        ({"store": True}, GEMINI_MODEL),
        ({"contents": []}, GEMINI_MODEL),
        ({"contents": [saying({"text": ""})]}, GEMINI_MODEL),
        ({"contents": [saying()]}, GEMINI_MODEL),
        ({"contents": [saying({"text": "x"}, role="assistant")]}, GEMINI_MODEL),
        ({"contents": [HI, saying({"text": "x"}, role="model")]}, GEMINI_MODEL),
        ({"contents": [HI, saying(WISH, role="model"), saying(RESULT)]}, GEMINI_MODEL),
        ({"contents": [HI, saying({**WISH, "thoughtSignature": "eA=="}, role="model"), saying(RESULT)]}, GEMINI_MODEL),
        ({"contents": [HI, saying(WISH, role="model"), HI]}, OLD_MODEL),
        ({"contents": [HI, saying(RESULT)]}, OLD_MODEL),
        ({"contents": [saying({"text": "x", "inline_data": {}})]}, GEMINI_MODEL),
        ({"contents": [saying({"inlineData": {"mimeType": "image/jpeg", "data": "YWJj"}})]}, GEMINI_MODEL),
        ({"tools": [{"functionDeclarations": [{"name": "f", "parameters": {}}]}]}, GEMINI_MODEL),
        ({"generationConfig": {"max_output_tokens": 9}}, GEMINI_MODEL),
        ({"generationConfig": {"maxOutputTokens": 9, "temperature": 0.1}}, GEMINI_MODEL),
        ({"generationConfig": {"maxOutputTokens": 9, "responseJsonSchema": {}}}, GEMINI_MODEL),
        ({"generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"thinkingLevel": "MINIMAL"}}}, GEMINI_MODEL),
        ({"generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"thinkingBudget": 0}}}, GEMINI_MODEL),
        ({"generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"thinkingLevel": "LOW"}}}, OLD_MODEL),
    ],
)
async def test_gemini_refuses(
    session: aiohttp.ClientSession, gemini: FakeGemini, change: dict[str, Any], model: str
) -> None:
    url, headers = f"{gemini.url}/v1beta/models/{model}", {"x-goog-api-key": KEY}
    async with session.post(f"{url}:generateContent", json={**GEMINI_QUESTION, **change}, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["status"] == "INVALID_ARGUMENT"
    async with session.post(f"{url}:generateContent", json=GEMINI_QUESTION, headers=headers) as answer:
        assert answer.status == 200
    async with session.post(f"{url}:streamGenerateContent", json=GEMINI_QUESTION, headers=headers) as answer:
        assert answer.status == 400
    assert gemini.pictures == []


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("", {"x-goog-api-key": "wrong"}),
        ("", {"Authorization": f"Bearer {KEY}"}),
        (f"?key={KEY}", {"x-goog-api-key": KEY}),
    ],
)
async def test_gemini_wants_its_key_in_its_header(
    session: aiohttp.ClientSession, gemini: FakeGemini, query: str, headers: dict[str, str]
) -> None:
    async with session.get(f"{gemini.url}/v1beta/models{query}", headers=headers) as answer:
        assert answer.status in {400, 401, 403}


# --- as a process ------------------------------------------------------------------------------------


_CHATS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai_compatible": ("/chat/completions", QUESTION),
    "ollama": ("/api/chat", {"model": OLLAMA_MODEL, "messages": QUESTION["messages"], "stream": False}),
    "gemini": (f"/v1beta/models/{GEMINI_MODEL}:generateContent", GEMINI_QUESTION),
    "cloudflare": (
        f"/accounts/{ACCOUNT}/ai/v1/chat/completions",
        {**QUESTION, "model": CLOUDFLARE_MODEL, "options": {"rejectIfBusy": True}},
    ),
    "anthropic": ("/v1/messages", ANTHROPIC_QUESTION),
    "openai": ("/responses", RESPONSES_QUESTION),
}


@pytest.fixture(params=_CHATS)
async def process(socket_enabled: None, request: pytest.FixtureRequest) -> AsyncGenerator[tuple[str, str]]:
    """A fake server as a process: its kind and its address."""
    arguments = ("--port", "0", "--key", KEY, "--price-in", "100", "--price-out", "1000")
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.fakes.{request.param}", *arguments),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert started.stdout is not None
    try:
        line = await asyncio.wait_for(started.stdout.readline(), 30)
        yield request.param, json.loads(line)["url"]
        started.terminate()
        assert await asyncio.wait_for(started.wait(), 10) == 0
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_a_process_is_controlled_from_outside(session: aiohttp.ClientSession, process: tuple[str, str]) -> None:
    kind, url = process
    root = URL(url).origin()
    path, body = _CHATS[kind]
    headers = {"x-goog-api-key": KEY} if kind == "gemini" else ANTHROPIC_HEADERS

    async def ask() -> tuple[int, str]:
        async with session.post(f"{url}{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def control(**order: Any) -> None:
        async with session.post(f"{root}/_control", json=order) as answer:
            assert answer.status == 200

    async def tally() -> dict[str, Any]:
        async with session.get(f"{root}/_tally") as answer:
            told: dict[str, Any] = await answer.json()
            return told

    await control(fault=[{"how": "refuse", "status": 503, "body": {"error": "busy"}}, None], text="It is shut.")
    assert (await ask())[0] == 503
    status, said = await ask()
    assert status == 200
    assert "It is shut." in said

    await control(hold=True)
    held = [asyncio.create_task(ask()) for _ in range(3)]
    async with asyncio.timeout(10):
        while (await tally())["waiting"] < 3:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)
    await control(hold=False)
    assert [status for status, _ in await asyncio.gather(*held)] == [200] * 3

    told = await tally()
    assert (told["requests"], told["answers"], told["waiting"]) == (5, 4, 0)
    assert told["tokens_out"] == 4 * 3
    assert told["money"] == told["tokens_in"] * 100 + told["tokens_out"] * 1000

    await control(reset=True, fault={"how": "page", "status": 502})
    assert (await ask())[0] == 502
    assert (await tally())["answers"] == 0
