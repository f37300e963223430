"""What shows that a server is at work without saying anything, protocol by protocol."""

import json
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.routing.call import ALIVE, Finish, Opened, TextDelta
from tests.fakes.anthropic import CHAT_MODEL as ANTHROPIC_MODEL
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.faults import Fault, How
from tests.fakes.gemini import CHAT_MODEL as GEMINI_MODEL
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import CHAT_MODEL as OLLAMA_MODEL
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import CHAT_MODEL as RESPONSES_MODEL
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI

from .asking import Heard, asking, hear, provider


def sse(**message: Any) -> str:
    return (
        f"event: {message['type']}\ndata: {json.dumps(message)}\n\n"
        if "type" in message
        else f"data: {json.dumps(message)}\n\n"
    )


def script(*pieces: str, kind: str = "text/event-stream") -> Fault:
    # A moment between them, so that each is read alone.
    return Fault(How.SCRIPT, pieces=pieces, content_type=kind, gap=0.02)


def check(heard: Heard, alive: int) -> None:
    """Signs of life come before the first word, and say nothing themselves."""
    first = next(place for place, event in enumerate(heard.events) if isinstance(event, TextDelta))
    assert isinstance(heard.events[0], Opened)
    assert heard.events[1:first].count(ALIVE) >= alive
    assert (heard.text, heard.finish) == ("Yes", Finish.STOP)


@pytest.mark.parametrize(
    "sign", [": OPENROUTER PROCESSING\n\n", ": keep-alive\n", "\n\n", "event: ping\n\n", 'data: {"choices":[]}\n\n']
)
async def test_chat_completions(session: aiohttp.ClientSession, openai: FakeOpenAI, sign: str) -> None:
    answer = sse(choices=[{"index": 0, "delta": {"content": "Yes"}, "finish_reason": "stop"}])
    openai.fault = script(sign, sign, sign, answer, "data: [DONE]\n\n")

    check(await hear(provider(session, openai.url), asking(CHAT_MODEL)), 3)


async def test_responses(session: aiohttp.ClientSession, responses: FakeResponses) -> None:
    done = {"status": "completed", "output": [], "usage": {"input_tokens": 3, "output_tokens": 1}}
    responses.fault = script(
        sse(type="response.created", response={"status": "in_progress"}),
        sse(type="response.in_progress", response={"status": "in_progress"}),
        sse(type="response.output_item.added", output_index=0, item={"type": "reasoning", "summary": []}),
        sse(type="response.output_text.delta", output_index=1, delta="Yes"),
        sse(type="response.completed", response=done),
    )

    check(await hear(provider(session, responses.url, "openai"), asking(RESPONSES_MODEL)), 3)


async def test_anthropic(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    usage = {"input_tokens": 3, "output_tokens": 1}
    anthropic.fault = script(
        sse(type="message_start", message={"id": "m", "role": "assistant", "content": [], "usage": usage}),
        sse(type="ping"),
        sse(type="content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
        sse(type="ping"),
        sse(type="content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"}),
        sse(type="content_block_stop", index=0),
        sse(type="content_block_start", index=1, content_block={"type": "text", "text": ""}),
        sse(type="content_block_delta", index=1, delta={"type": "text_delta", "text": "Yes"}),
        sse(type="content_block_stop", index=1),
        sse(type="message_delta", delta={"stop_reason": "end_turn"}, usage=usage),
        sse(type="message_stop"),
    )

    check(await hear(provider(session, anthropic.url, "anthropic"), asking(ANTHROPIC_MODEL)), 4)


async def test_gemini(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4}
    gemini.fault = script(
        ": \n\n",
        sse(candidates=[{"index": 0, "content": {"role": "model", "parts": []}}], usageMetadata=usage),
        sse(
            candidates=[{"index": 0, "content": {"role": "model", "parts": [{"text": "Yes"}]}, "finishReason": "STOP"}],
            usageMetadata=usage,
        ),
    )

    check(await hear(provider(session, gemini.url, "gemini"), asking(GEMINI_MODEL)), 2)


async def test_ollama(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    empty = json.dumps({"message": {"role": "assistant", "content": ""}, "done": False}) + "\n"
    last = {"message": {"role": "assistant", "content": "Yes"}, "done": True, "done_reason": "stop"}
    ollama.fault = script(empty, "\n", empty, json.dumps(last) + "\n", kind="application/x-ndjson")

    check(await hear(provider(session, ollama.url, "ollama", key=None), asking(OLLAMA_MODEL)), 3)
