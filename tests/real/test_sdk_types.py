"""What is sent, checked against the types of the providers' own SDKs: no field they do not know, none of another type."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import anthropic.types.message_count_tokens_params as anthropic_count
import anthropic.types.message_create_params as anthropic_types
import cloudflare.types.ai.ai_run_params as cloudflare_types
import ollama._types as ollama_types
import openai.types.chat.completion_create_params as chat_types
import openai.types.embedding_create_params as embedding_types
import openai.types.responses.response_create_params as responses_types
import pytest
from google.genai import types as gemini_types
from pydantic import TypeAdapter, ValidationError

from custom_components.ai_router.providers.registry import KINDS, ProviderSetup
from custom_components.ai_router.routing.call import Call
from custom_components.ai_router.routing.model import Capability, Message, Model, Op, Role, Sampling, ToolResult
from tests.fakes import anthropic, cloudflare, gemini, ollama, openai, openai_compatible
from tests.fakes.server import FakeServer
from tests.providers.asking import DOOR, KEY, LIGHT, asking, hear, picture, results, turn, user, whole

type Check = Callable[[dict[str, Any]], None]


# --- checks ------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return what was validated as it would be sent; sequences are validated only while they are read."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, str | bytes | int | float | None):
        return value
    return [_plain(inner) for inner in value]


def typed(kind: Any) -> Check:
    """Check against a `TypedDict`: fields it does not know are dropped on validation, so they show."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def check(body: dict[str, Any]) -> None:
        assert _plain(adapter.validate_python(body, strict=True)) == body

    return check


def _anthropic(body: dict[str, Any]) -> None:
    # The newest version of this protocol has no sampling; the one that is spoken leaves it to the model.
    for name in ("temperature", "top_p"):
        body.pop(name, None)
    wanted = (
        anthropic_types.MessageCreateParamsStreaming
        if body["stream"]
        else anthropic_types.MessageCreateParamsNonStreaming
    )
    typed(wanted)(body)


def _responses(body: dict[str, Any]) -> None:
    streaming, one = responses_types.ResponseCreateParamsStreaming, responses_types.ResponseCreateParamsNonStreaming
    typed(streaming if body["stream"] else one)(body)


def _chat(body: dict[str, Any]) -> None:
    streaming, one = chat_types.CompletionCreateParamsStreaming, chat_types.CompletionCreateParamsNonStreaming
    typed(streaming if body["stream"] else one)(body)


def _cloudflare(body: dict[str, Any]) -> None:
    # The SDK's types do not know how to wait in a queue, nor what a model's own template takes.
    assert body.pop("options") == {"rejectIfBusy": True}
    body.pop("chat_template_kwargs", None)
    _chat(body)


def _cloudflare_own(body: dict[str, Any]) -> None:
    assert body.pop("options") == {"rejectIfBusy": True}
    # A picture and a shape are not in the SDK's type of a chat, but in that of a prompt.
    image = body.pop("image", "data:image/")
    assert image.startswith("data:image/")
    typed(cloudflare_types.PromptResponseFormat)(body.pop("response_format", {"type": "json_schema"}))
    typed(cloudflare_types.Messages)({"account_id": cloudflare.ACCOUNT, **body})


def _gemini(body: dict[str, Any]) -> None:
    # The path holds the model and how it answers.
    assert body.keys() - {"model", "stream"} <= {
        "contents",
        "generationConfig",
        "store",
        "systemInstruction",
        "tools",
    }
    for content in [*body["contents"], *([body["systemInstruction"]] if "systemInstruction" in body else [])]:
        gemini_types.Content.model_validate_json(json.dumps(content))
    gemini_types.GenerationConfig.model_validate_json(json.dumps(body["generationConfig"]))
    for tool in body.get("tools", []):
        gemini_types.Tool.model_validate_json(json.dumps(tool))


def _ollama(body: dict[str, Any]) -> None:
    # The SDK's types are older than the ids of calls.
    for message in body["messages"]:
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls", []):
            call.pop("id")
    # Known to servers, not yet to the SDK: what is too long for the context is to be refused.
    assert body.pop("truncate") is False
    request = ollama_types.ChatRequest.model_validate(body)
    assert request.model_dump(exclude_unset=True, exclude_none=True) == body


# --- who is asked ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A kind: its server, the model that does everything, the one that sees, and how a body is checked."""

    server: type[FakeServer]
    model: str
    sees: str
    check: Check
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


ROOM = {"room": "hall"}
CHAT_CALLS = [
    {"id": each, "type": "function", "function": {"name": LIGHT.name, "arguments": json.dumps(ROOM)}}
    for each in ("a1", "a2")
]
KINDS_ASKED = {
    "openai": Asked(
        openai.FakeResponses,
        openai.CHAT_MODEL,
        openai.CHAT_MODEL,
        _responses,
        [{"call_id": each, "name": LIGHT.name, "arguments": json.dumps(ROOM)} for each in ("a1", "a2")],
    ),
    "anthropic": Asked(
        anthropic.FakeAnthropic,
        anthropic.CHAT_MODEL,
        anthropic.CHAT_MODEL,
        _anthropic,
        [{"id": each, "name": LIGHT.name, "input": ROOM} for each in ("a1", "a2")],
    ),
    "gemini": Asked(
        gemini.FakeGemini,
        gemini.CHAT_MODEL,
        gemini.CHAT_MODEL,
        _gemini,
        [{"id": each, "name": LIGHT.name, "args": ROOM} for each in ("a1", "a2")],
    ),
    "ollama": Asked(
        ollama.FakeOllama,
        ollama.CHAT_MODEL,
        ollama.VISION_MODEL,
        _ollama,
        [{"id": each, "function": {"name": LIGHT.name, "arguments": ROOM}} for each in ("a1", "a2")],
        {"num_ctx": 8192, "keep_alive": "5m"},
    ),
    "cloudflare": Asked(
        cloudflare.FakeCloudflare,
        cloudflare.CHAT_MODEL,
        cloudflare.CHAT_MODEL,
        _cloudflare,
        CHAT_CALLS,
        {"account_id": cloudflare.ACCOUNT},
    ),
    "openai_compatible": Asked(
        openai_compatible.FakeOpenAI,
        openai_compatible.CHAT_MODEL,
        openai_compatible.VISION_MODEL,
        _chat,
        CHAT_CALLS,
    ),
}
EMBEDDERS = {
    "openai": "text-embedding-3-small",
    "cloudflare": cloudflare.EMBEDDER,
    "openai_compatible": openai_compatible.EMBEDDER,
}

of_each = pytest.mark.parametrize("kind", KINDS_ASKED)


@pytest.fixture
async def server(kind: str) -> AsyncGenerator[Any]:
    server: Any = KINDS_ASKED[kind].server(key=KEY)
    await server.start()
    yield server
    await server.stop()


def built(session: aiohttp.ClientSession, server: FakeServer, kind: str) -> Any:
    asked = KINDS_ASKED[kind]
    thinks = Capability.CHAT | Capability.REASONING
    models = (Model(asked.model, thinks),)
    return KINDS[kind].build(ProviderSetup("p", kind, server.url, KEY, models, asked.options), session)


def questions(asked: Asked, jpeg: bytes) -> Iterator[Call]:
    """Yield calls with all that can be asked for, alone and together."""
    seen, system = picture(jpeg), Message(Role.SYSTEM, (*user("Be short.").parts,))
    talk = (user("Hi"), Message(Role.ASSISTANT, user("Ho").parts), user("Is it open?"))
    for wish in (None, "off", "low", "high"):
        yield asking(asked.model, system, *talk, sampling=Sampling(reasoning=wish))
    sampling = Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",))
    yield asking(asked.model, user("Hi"), sampling=sampling)
    yield asking(asked.sees, user("Who?", seen, seen), user("And here?", seen))
    yield asking(asked.model, structure=DOOR)
    yield asking(asked.model, *talk, structure=DOOR, sampling=Sampling(reasoning="low"))
    yield asking(asked.model, tools=(LIGHT,))


@of_each
async def test_what_is_asked(session: aiohttp.ClientSession, server: Any, kind: str, jpeg: bytes) -> None:
    asked = KINDS_ASKED[kind]
    of = built(session, server, kind)

    for call in questions(asked, jpeg):
        for form in (call, whole(call)):
            await hear(of, form)

    assert len(server.bodies) >= 18
    for body in server.bodies:
        asked.check(body)


@of_each
async def test_turns_with_tools(session: aiohttp.ClientSession, server: Any, kind: str, jpeg: bytes) -> None:
    asked = KINDS_ASKED[kind]
    of = built(session, server, kind)
    server.tool_calls = asked.tool_calls
    if hasattr(server, "thinking"):
        server.thinking = "Which room?"
    said = [user("Light!")]

    for _ in range(2):
        call = asking(asked.model, *said, tools=(LIGHT,), sampling=Sampling(reasoning="low"))
        answer = await hear(of, call)
        assert len(answer.calls) == 2
        said += [turn(answer, call.target), *results(answer)]
    if asked.sees == asked.model:
        last = said[-1]
        assert isinstance(last.parts[0], ToolResult)
        said[-1] = Message(Role.TOOL, (*last.parts, picture(jpeg)))
    await hear(of, asking(asked.model, *said, tools=(LIGHT,)))

    for body in server.bodies:
        asked.check(body)


@pytest.mark.parametrize(
    ("model", "call"),
    [
        (cloudflare.JSON_MODEL, {"structure": DOOR}),
        (cloudflare.PICTURE_MODEL, {}),
    ],
)
@pytest.mark.parametrize("kind", ["cloudflare"])
async def test_cloudflare_s_own_form(
    session: aiohttp.ClientSession, server: Any, kind: str, model: str, call: dict[str, Any], jpeg: bytes
) -> None:
    shown = user("Who?", picture(jpeg)) if model == cloudflare.PICTURE_MODEL else user("Open?")

    await hear(built(session, server, kind), asking(model, shown, sampling=Sampling(seed=7), **call))

    assert "/run/" in server.requests[-1].path
    _cloudflare_own(server.requests[-1].body)


@pytest.mark.parametrize("kind", EMBEDDERS)
async def test_texts_that_are_embedded(session: aiohttp.ClientSession, server: Any, kind: str) -> None:
    await hear(built(session, server, kind), asking(EMBEDDERS[kind], user("one"), user("two"), op=Op.EMBED))

    typed(embedding_types.EmbeddingCreateParams)(server.requests[-1].body)


@pytest.mark.parametrize("kind", ["ollama"])
async def test_texts_that_ollama_embeds(session: aiohttp.ClientSession, server: Any, kind: str) -> None:
    await hear(built(session, server, kind), asking(ollama.EMBEDDER, user("one"), user("two"), op=Op.EMBED))

    body = server.requests[-1].body
    assert ollama_types.EmbedRequest.model_validate(body).model_dump(exclude_unset=True, exclude_none=True) == body


@pytest.mark.parametrize("kind", ["anthropic"])
async def test_what_is_only_counted(session: aiohttp.ClientSession, server: Any, kind: str) -> None:
    await built(session, server, kind).count(asking(anthropic.CHAT_MODEL, tools=(LIGHT,), structure=DOOR))

    typed(anthropic_count.MessageCountTokensParams)(server.requests[-1].body)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        (_responses, {"stop": ["END"]}),
        (_responses, {"max_output_tokens": 9.5}),
        (_responses, {"input": [{"role": "user", "content": [{"type": "input_image", "url": "x"}]}]}),
        (_responses, {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False, "extra": 1}]}),
        (_anthropic, {"max_output_tokens": 9}),
        (_anthropic, {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "extra": 1}]}]}),
        (_chat, {"max_output": 9}),
        (_chat, {"messages": [{"role": "tool", "content": "x"}]}),
    ],
)
def test_the_checks_notice_what_is_wrong(check: Check, change: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"model": "m", "stream": True}
    if check is _responses:
        asked |= {"input": [], "store": False}
    else:
        asked |= {"messages": [], "max_tokens": 9}
    check(dict(asked))

    with pytest.raises((AssertionError, ValidationError)):
        check({**asked, **change})
