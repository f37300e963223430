"""Whatever a server sends, it ends as an answer, a failure or nothing: never as another exception."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.anthropic_models import anthropic_models
from custom_components.ai_router.providers.anthropic_reader import MessagesReader
from custom_components.ai_router.providers.chat_reader import ChatReader
from custom_components.ai_router.providers.gemini_errors import GeminiReplies
from custom_components.ai_router.providers.gemini_models import gemini_model
from custom_components.ai_router.providers.gemini_reader import GeminiReader
from custom_components.ai_router.providers.model_list import model_list
from custom_components.ai_router.providers.ollama import OllamaReader
from custom_components.ai_router.providers.ollama_models import ollama_model
from custom_components.ai_router.providers.replies import Replies
from custom_components.ai_router.providers.streams import Reader
from custom_components.ai_router.routing.failures import Failure
from custom_components.ai_router.routing.model import Finished, Model

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
    ):
        events = []
        for message in messages:
            if not reader.done and reader.failure is None:
                events += reader.feed(prefix + orjson.dumps(message) + end)
        events += reader.end() if reader.failure is None else []
        assert (reader.failure is not None) != any(isinstance(event, Finished) for event in events)


@given(st.integers(300, 599), _JSON)
def test_refusals(status: int, body: Any) -> None:
    for replies in (_REPLIES, _GEMINI):
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
