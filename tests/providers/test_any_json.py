"""Whatever a server sends, it ends as an answer, a failure or nothing: never as another exception."""

from datetime import date
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.anthropic_models import anthropic_models
from custom_components.ai_router.providers.anthropic_reader import MessagesReader
from custom_components.ai_router.providers.chat_reader import ChatReader
from custom_components.ai_router.providers.cloudflare_errors import CloudflareReplies
from custom_components.ai_router.providers.cloudflare_models import cloudflare_model
from custom_components.ai_router.providers.cloudflare_native import NativeReader
from custom_components.ai_router.providers.gemini_errors import GeminiReplies
from custom_components.ai_router.providers.gemini_models import gemini_model
from custom_components.ai_router.providers.gemini_reader import GeminiReader
from custom_components.ai_router.providers.model_list import model_list
from custom_components.ai_router.providers.ollama_models import ollama_model
from custom_components.ai_router.providers.ollama_reader import OllamaReader
from custom_components.ai_router.providers.openai_models import openai_models
from custom_components.ai_router.providers.openai_reader import ResponsesReader
from custom_components.ai_router.providers.replies import Replies
from custom_components.ai_router.providers.streams import Reader
from custom_components.ai_router.routing.call import DEFAULT_TIMEOUTS, Call, Finished
from custom_components.ai_router.routing.failures import Failure
from custom_components.ai_router.routing.model import Model, Target

_NAMES = st.sampled_from(
    [
        "choices",
        "delta",
        "message",
        "content",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "index",
        "finish_reason",
        "usage",
        "prompt_tokens",
        "text",
        "type",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "cached_tokens",
        "reasoning_tokens",
        "thinking",
        "error",
        "code",
        "param",
        "metadata",
        "details",
        "detail",
        "loc",
        "msg",
        "status",
        "done",
        "done_reason",
        "eval_count",
        "prompt_eval_count",
        "x_groq",
        "reasoning",
        "data",
        "models",
        "model",
        "pricing",
        "prompt",
        "completion",
        "overrides",
        "min_prompt_tokens",
        "architecture",
        "input_modalities",
        "capabilities",
        "output_modalities",
        "supported_parameters",
        "top_provider",
        "meta",
        "n_ctx_train",
        "context_length",
        "model_info",
        "remote_host",
        "candidates",
        "parts",
        "functionCall",
        "args",
        "thought",
        "finishReason",
        "promptFeedback",
        "blockReason",
        "usageMetadata",
        "promptTokenCount",
        "promptTokensDetails",
        "modality",
        "tokenCount",
        "supportedGenerationMethods",
        "inputTokenLimit",
        "violations",
        "fieldViolations",
        "retryDelay",
        "reason",
        "result",
        "response",
        "success",
        "errors",
        "task",
        "properties",
        "property_id",
        "value",
    ]
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**12),
    st.floats(),
    st.sampled_from(["", "x", "stop", "error", "0.1", "thinking"]),
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=5)),
    max_leaves=25,
)
_REPLIES = Replies("a server")
_GEMINI = GeminiReplies("a server")
_CLOUDFLARE = CloudflareReplies("a server")
_CALL = Call(Target("p", "m"), (), 300, DEFAULT_TIMEOUTS)


def ends(reader: Reader, answer: Any) -> None:
    """Read an answer in one piece: it must end in exactly one way."""
    events = reader.whole(answer)
    assert (reader.failure is not None) != any(isinstance(event, Finished) for event in events)


@given(_JSON)
def test_answers(data: Any) -> None:
    ends(ChatReader(_REPLIES, "m"), data)
    ends(ChatReader(_REPLIES, "m"), {"choices": [{"message": data, "finish_reason": "stop"}], "usage": data})
    ends(OllamaReader(_REPLIES, "m"), data)
    ends(OllamaReader(_REPLIES, "m"), {"message": data, "done": True, "done_reason": data})
    ends(NativeReader(_CLOUDFLARE, _CALL), data)
    ends(NativeReader(_CLOUDFLARE, _CALL), {"result": data, "success": True})
    ends(NativeReader(_CLOUDFLARE, _CALL), {"result": {"response": data, "usage": data}})
    ends(GeminiReader(_GEMINI, "m"), data)
    candidate = {"content": {"parts": [data, {"functionCall": data}]}, "finishReason": "STOP"}
    ends(GeminiReader(_GEMINI, "m"), {"candidates": [candidate], "usageMetadata": data})


_EVENTS = st.sampled_from(
    ["message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "error", "ping"]
)
_BLOCKS = st.sampled_from(["text", "thinking", "tool_use", "text_delta", "input_json_delta", "signature_delta"])


@given(st.lists(st.tuples(_EVENTS, _BLOCKS, st.integers(0, 2), _JSON), max_size=12))
def test_anthropic_streams(messages: list[tuple[str, str, int, Any]]) -> None:
    reader = MessagesReader(_REPLIES, "m")
    events = []
    for name, block, index, data in messages:
        inner = {"text": data, "thinking": data, "input": data, "partial_json": "{}", "id": "a", "name": "f"}
        inner |= {"type": block, "signature": data, "stop_reason": block}
        message = {"type": name, "index": index, "content_block": inner, "delta": inner, "usage": data, "error": data}
        if not reader.done and reader.failure is None:
            events += reader.feed(b"data: " + orjson.dumps(message) + b"\n\n")
    events += reader.end() if reader.failure is None else []
    assert (reader.failure is not None) != any(isinstance(event, Finished) for event in events)


@given(_JSON)
def test_anthropic_answers(data: Any) -> None:
    ends(MessagesReader(_REPLIES, "m"), data)
    ends(MessagesReader(_REPLIES, "m"), {"type": "message", "content": data, "stop_reason": "tool_use", "usage": data})
    ends(MessagesReader(_REPLIES, "m"), {"type": "message", "content": [data, {"type": "tool_use", "input": data}]})


_RESPONSE_EVENTS = st.sampled_from(
    [
        "response.output_text.delta",
        "response.reasoning_summary_text.delta",
        "response.output_item.done",
        "response.refusal.done",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    ]
)
_ITEMS = st.sampled_from(["message", "reasoning", "function_call"])


@given(st.lists(st.tuples(_RESPONSE_EVENTS, _ITEMS, st.integers(0, 2), _JSON), max_size=12))
def test_openai_streams(messages: list[tuple[str, str, int, Any]]) -> None:
    reader = ResponsesReader(_REPLIES, "m")
    events = []
    for name, kind, index, data in messages:
        item = {"type": kind, "call_id": "a", "name": "f", "arguments": data, "content": data, "phase": data}
        response = {"status": name.rpartition(".")[2], "usage": data, "error": data, "incomplete_details": data}
        message = {"type": name, "output_index": index, "item": item, "delta": data, "response": response}
        if not reader.done and reader.failure is None:
            events += reader.feed(b"data: " + orjson.dumps(message) + b"\n\n")
    events += reader.end() if reader.failure is None else []
    assert (reader.failure is not None) != any(isinstance(event, Finished) for event in events)


@given(_JSON)
def test_openai_answers(data: Any) -> None:
    ends(ResponsesReader(_REPLIES, "m"), data)
    whole = {"object": "response", "status": "completed", "usage": data}
    ends(ResponsesReader(_REPLIES, "m"), {**whole, "output": data})
    items = [data, {"type": "message", "content": data}, {"type": "reasoning", "summary": data, "content": [data]}]
    ends(ResponsesReader(_REPLIES, "m"), {**whole, "output": items})


@given(_JSON)
def test_openai_models(data: Any) -> None:
    models = openai_models(data, date(2026, 11, 21))
    if isinstance(data, dict):
        models = openai_models({"data": [{**data, "id": "gpt-5"}, {"id": "m", "shutdown_date": data}]}, date.max)

    assert models is None or all(isinstance(model, Model) for model in models)


@given(_JSON)
def test_anthropic_models(data: Any) -> None:
    models = anthropic_models(data)
    if isinstance(data, dict):
        models = anthropic_models({"data": [{"id": "m", **data}, {"id": "claude-haiku-5-5", "capabilities": data}]})

    assert models is None or all(isinstance(model, Model) for model in models)


@given(st.lists(_JSON, max_size=5))
def test_streams(messages: list[Any]) -> None:
    for reader, prefix, end in (
        (ChatReader(_REPLIES, "m"), b"data: ", b"\n\n"),
        (OllamaReader(_REPLIES, "m"), b"", b"\n"),
        (GeminiReader(_GEMINI, "m"), b"data: ", b"\n\n"),
        (NativeReader(_CLOUDFLARE, _CALL), b"data: ", b"\n\n"),
    ):
        events = []
        for message in messages:
            if not reader.done and reader.failure is None:
                events += reader.feed(prefix + orjson.dumps(message) + end)
        events += reader.end() if reader.failure is None else []
        assert (reader.failure is not None) != any(isinstance(event, Finished) for event in events)


@given(st.integers(300, 599), _JSON)
def test_refusals(status: int, body: Any) -> None:
    for replies in (_REPLIES, _GEMINI, _CLOUDFLARE):
        failure = replies.refusal(status, {}, orjson.dumps(body), "m", 0.0)

        assert isinstance(failure, Failure)
        assert failure.status == status


@given(_JSON)
def test_model_lists(data: Any) -> None:
    models = model_list([{"id": "m", **data}] if isinstance(data, dict) else data, local=False)

    assert models is None or all(isinstance(model, Model) for model in models)


@given(st.dictionaries(_NAMES, _JSON))
def test_ollama_models(entry: dict[str, Any]) -> None:
    model = ollama_model("m", entry, at_home=True, num_ctx=None)

    assert model.local == (not (entry.get("remote_host") or entry.get("remote_model")))


@given(st.dictionaries(_NAMES, _JSON))
def test_gemini_models(entry: dict[str, Any]) -> None:
    assert isinstance(gemini_model({**entry, "name": "models/m"}), Model)
    assert gemini_model({**entry, "name": entry}) is None


@given(st.dictionaries(_NAMES, _JSON))
def test_cloudflare_models(entry: dict[str, Any]) -> None:
    assert isinstance(cloudflare_model({**entry, "name": "@cf/a/b"}), Model)
    assert isinstance(cloudflare_model({"name": "@cf/a/b", "task": {"name": "Text Generation"}, **entry}), Model | None)
