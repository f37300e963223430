"""Ollama's own protocol, spoken to over a real socket."""

import socket
from typing import Any, override

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from custom_components.ai_router.providers.ollama_models import runs_in_a_cloud
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import AttemptFailed, Billed, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import (
    Capability,
    Message,
    Model,
    Op,
    Role,
    Sampling,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.money import FREE
from tests.fakes.faults import Fault, How
from tests.fakes.ollama import CHAT_MODEL, CLOUD_MODEL, EMBEDDER, VISION_MODEL, FakeOllama

from .asking import DOOR, KEY, LIGHT, asking, fail, hear, picture, provider, user, whole

THINKER = Model(CHAT_MODEL, Capability.CHAT | Capability.REASONING)


def at(session: aiohttp.ClientSession, server: FakeOllama, *models: Model, **options: Any) -> Any:
    return provider(session, server.url, "ollama", key=None, models=models, **options)


# --- what is sent ------------------------------------------------------------------------------------


async def test_the_least(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    await hear(at(session, ollama), asking(CHAT_MODEL))

    assert ollama.bodies == [
        {
            "model": CHAT_MODEL,
            "stream": True,
            "messages": [{"role": "user", "content": "Is the door open?"}],
            "truncate": False,
            "options": {"num_predict": 300},
        }
    ]


async def test_everything(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    of = at(session, ollama, THINKER, num_ctx=8192.0, keep_alive="10m")
    call = asking(
        CHAT_MODEL,
        Message(Role.SYSTEM, (Text("Be brief."),)),
        user("Hello"),
        sampling=Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",)),
        tools=(LIGHT,),
        structure=DOOR,
    )

    await hear(of, whole(call))

    (body,) = ollama.bodies
    system = body["messages"].pop(0)
    assert system["role"] == "system"
    assert system["content"].startswith("Be brief.\n\nAnswer with one JSON object")
    assert '"required":["open"]' in system["content"]
    assert body == {
        "model": CHAT_MODEL,
        "stream": False,
        "think": False,
        "keep_alive": "10m",
        "format": DOOR.schema,
        "messages": [{"role": "user", "content": "Hello"}],
        "tools": [
            {
                "type": "function",
                "function": {"name": "light_on", "description": LIGHT.description, "parameters": LIGHT.parameters},
            }
        ],
        "truncate": False,
        "options": {
            "num_predict": 300,
            "num_ctx": 8192,
            "temperature": 0.2,
            "top_p": 0.9,
            "seed": 7,
            "stop": ["END"],
        },
    }


@pytest.mark.parametrize(
    ("model", "wish", "think"),
    [
        (CHAT_MODEL, None, False),
        (CHAT_MODEL, "none", False),
        (CHAT_MODEL, "low", True),
        (CLOUD_MODEL, "low", "low"),
        (CLOUD_MODEL, "minimal", "low"),
        (CLOUD_MODEL, "xhigh", "high"),
        # It cannot be kept from thinking.
        (CLOUD_MODEL, "off", "low"),
        (CLOUD_MODEL, "yes", True),
        (CLOUD_MODEL, None, False),
    ],
)
async def test_thinking_is_always_said(
    session: aiohttp.ClientSession, ollama: FakeOllama, model: str, wish: str | None, think: bool | str
) -> None:
    of = at(session, ollama, Model(model, Capability.CHAT | Capability.REASONING))

    await hear(of, asking(model, sampling=Sampling(reasoning=wish)))

    assert ollama.bodies[0]["think"] == think


async def test_thinking_is_not_said_to_a_model_that_cannot(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    of = at(session, ollama, Model(VISION_MODEL))

    await hear(of, asking(VISION_MODEL, sampling=Sampling(reasoning="low")))

    assert "think" not in ollama.bodies[0]


async def test_a_turn_with_tools(session: aiohttp.ClientSession, ollama: FakeOllama, jpeg: bytes) -> None:
    mine = Thinking("hm", None, Target("p", VISION_MODEL))
    other = Thinking("secret of another", None, Target("q", VISION_MODEL))
    call = asking(
        VISION_MODEL,
        user("Light!", picture(jpeg)),
        Message(Role.ASSISTANT, (mine, other, ToolCall("a1", "light_on", {"room": "hall"}))),
        Message(Role.TOOL, (ToolResult("a1", "light_on", "done"), picture(jpeg))),
    )

    await hear(at(session, ollama), call)

    question, answer, result, look = ollama.bodies[0]["messages"]
    assert question["content"] == "Light!"
    assert answer == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "a1", "function": {"name": "light_on", "arguments": {"room": "hall"}}}],
        "thinking": "hm",
    }
    assert result == {"role": "tool", "content": "done", "tool_name": "light_on", "tool_call_id": "a1"}
    assert look["role"] == "user"
    assert ollama.pictures == [jpeg, jpeg]


# --- what comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer(session: aiohttp.ClientSession, ollama: FakeOllama, stream: bool) -> None:
    ollama.thinking = "hm"
    call = asking(CHAT_MODEL, sampling=Sampling(reasoning="on"))

    answer = await hear(at(session, ollama, THINKER), call if stream else whole(call))

    assert answer.opened is not None
    assert (answer.thoughts, answer.text, answer.finish) == ("hm", ollama.text, Finish.STOP)
    assert answer.usage == Usage(fresh_in=ollama.tokens_in, text_out=ollama.tokens_out)


@pytest.mark.parametrize("stream", [True, False])
async def test_tool_calls(session: aiohttp.ClientSession, ollama: FakeOllama, stream: bool) -> None:
    ollama.tool_calls = [
        {"id": "call_a", "function": {"index": 0, "name": "light_on", "arguments": {"room": "hall"}}},
        {"function": {"name": "light_on", "arguments": {}}},
    ]
    call = asking(CHAT_MODEL, tools=(LIGHT,))

    answer = await hear(at(session, ollama), call if stream else whole(call))

    first, second = answer.calls
    assert first == ToolCall("call_a", "light_on", {"room": "hall"})
    assert second.id
    assert second.id != first.id
    assert answer.finish is Finish.TOOLS


@pytest.mark.parametrize("reason", ["load", "unload"])
async def test_loading_is_no_answer(session: aiohttp.ClientSession, ollama: FakeOllama, reason: str) -> None:
    line = f'{{"model":"m","message":{{"role":"assistant","content":""}},"done":true,"done_reason":"{reason}"}}\n'
    ollama.fault = Fault(How.SCRIPT, pieces=(line,), content_type="application/x-ndjson")

    failure, _ = await fail(at(session, ollama), asking(CHAT_MODEL))

    assert (failure.cls, failure.phase) == (FailureClass.EMPTY, Phase.SENT)


@pytest.mark.parametrize(
    "call",
    ['"x"', '{"function":{"name":"","arguments":{}}}', '{"function":{"name":"on","arguments":"{}"}}', "{}"],
)
async def test_half_a_call_is_never_passed_on(session: aiohttp.ClientSession, ollama: FakeOllama, call: str) -> None:
    pieces = (f'{{"message":{{"tool_calls":[{call}]}}}}\n', '{"message":{},"done":true,"done_reason":"stop"}\n')
    ollama.fault = Fault(How.SCRIPT, pieces=pieces, content_type="application/x-ndjson")

    failure, heard = await fail(at(session, ollama), asking(CHAT_MODEL))

    assert failure.cls is FailureClass.MALFORMED
    assert heard.calls == []


@pytest.mark.parametrize(
    ("end", "finish"),
    [
        ('{"done":true}', Finish.STOP),
        ('{"done":true,"done_reason":"length"}', Finish.LENGTH),
        ('{"done":true,"done_reason":"something_new"}', Finish.OTHER),
    ],
)
async def test_finishes(session: aiohttp.ClientSession, ollama: FakeOllama, end: str, finish: Finish) -> None:
    pieces = ('{"message":{"content":"Yes"},"done":false}\n', end)
    ollama.fault = Fault(How.SCRIPT, pieces=pieces, content_type="application/x-ndjson")

    answer = await hear(at(session, ollama), asking(CHAT_MODEL))

    assert (answer.text, answer.finish, answer.usage) == ("Yes", finish, None)


async def test_a_server_that_is_not_signed_in_keeps_its_own_models(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    ollama.fault = Fault(How.REFUSE, 401, body={"error": "unauthorized"})

    without_key, _ = await fail(at(session, ollama), asking(CLOUD_MODEL))
    with_key, _ = await fail(provider(session, ollama.url, "ollama"), asking(CLOUD_MODEL))

    assert (without_key.cls, without_key.scope) == (FailureClass.CREDENTIAL, FailureScope.TARGET)
    assert (with_key.cls, with_key.scope) == (FailureClass.CREDENTIAL, FailureScope.ACCOUNT)


# --- models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", [False, True])
async def test_models(session: aiohttp.ClientSession, ollama: FakeOllama, old: bool) -> None:
    ollama.old = old

    models = {model.id: model for model in await at(session, ollama).models()}

    chat = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED
    assert models == {
        CHAT_MODEL: Model(CHAT_MODEL, chat | Capability.TOOLS | Capability.REASONING, 40960, None, FREE, True),
        VISION_MODEL: Model(VISION_MODEL, chat | Capability.TOOLS | Capability.VISION, 262144, None, FREE, True),
        "nomic-embed-text:latest": Model(
            "nomic-embed-text:latest", Capability.EMBEDDINGS, 2048, None, FREE, local=True
        ),
        CLOUD_MODEL: Model(CLOUD_MODEL, chat | Capability.TOOLS | Capability.REASONING, 131072, None, None, False),
    }
    assert ollama.bodies == []
    assert (ollama.most_showing > 0) == old


async def test_models_are_asked_for_a_few_at_a_time(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    ollama.old = True
    ollama.models = {f"m{number}": {"capabilities": ["completion"], "context_length": 4096} for number in range(40)}

    assert len(await at(session, ollama).models()) == 40
    assert 1 <= ollama.most_showing <= 4


async def test_a_model_that_cannot_be_asked_about_is_not_local(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    ollama.old = ollama.broken_show = True

    models = await at(session, ollama).models()

    assert len(models) == 4
    assert not any(model.local or model.prices for model in models)


@pytest.mark.parametrize(
    ("keeps", "sent"),
    [("30m", "30m"), ("1h30m", "1h30m"), ("-1", -1), ("0", 0), ("900", 900), (600, 600), (None, None)],
)
async def test_how_long_a_model_stays_loaded(
    session: aiohttp.ClientSession, ollama: FakeOllama, keeps: str | int | None, sent: str | int | None
) -> None:
    of = at(session, ollama, keep_alive=keeps)

    await hear(of, asking(CHAT_MODEL))
    await hear(of, asking(EMBEDDER, op=Op.EMBED))

    assert [body.get("keep_alive") for body in ollama.bodies] == [sent] * len(ollama.bodies)
    assert ollama.bodies


async def test_a_smaller_context_bounds_the_prompt(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    models = await at(session, ollama, num_ctx=4096).models()

    assert {model.context for model in models} == {4096, 2048}


@pytest.mark.parametrize(
    ("name", "entry", "cloud"),
    [
        ("qwen3:8b", {}, False),
        ("gpt-oss:120b-cloud", {}, True),
        ("GPT-OSS:120B-Cloud", {}, True),
        ("minimax-m2:cloud", {}, True),
        ("mine-cloud:latest", {}, True),
        ("mine", {"remote_host": "https://ollama.com:443"}, True),
        ("mine", {"remote_model": "gpt-oss:120b"}, True),
        ("mine", {"remote_host": "", "remote_model": None}, False),
        ("cloudy:8b", {}, False),
    ],
)
def test_what_runs_in_a_cloud(name: str, entry: dict[str, Any], cloud: bool) -> None:
    assert runs_in_a_cloud(name, entry) is cloud


class Here(AbstractResolver):
    """Finds every name on this machine."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    @override
    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("url", "options", "local"),
    [
        ("http://nas.local", {}, True),
        ("http://vps.example.com", {}, False),
        ("http://vps.example.com", {"local": True}, True),
        ("http://ollama.com", {"local": True}, False),
        ("http://api.ollama.com.", {"local": True}, False),
    ],
)
async def test_only_a_server_in_the_house_is_local(
    ollama: FakeOllama, url: str, options: dict[str, Any], local: bool
) -> None:
    port = int(ollama.url.rpartition(":")[2])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Here())) as session:
        of = provider(session, f"{url}:{port}", "ollama", key=None, **options)

        models = {model.id: model for model in await of.models()}

    assert models[CHAT_MODEL].local is local
    assert (models[CHAT_MODEL].prices is FREE) is local
    assert not models[CLOUD_MODEL].local


# --- the probe ---------------------------------------------------------------------------------------


async def test_a_probe_is_free(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    await at(session, ollama).probe()

    assert [seen.path for seen in ollama.requests] == ["/api/version"]


async def test_a_probe_carries_the_key(session: aiohttp.ClientSession, ollama: FakeOllama) -> None:
    ollama.key = KEY
    await provider(session, ollama.url, "ollama").probe()

    with pytest.raises(AttemptFailed) as raised:
        await at(session, ollama).probe()

    assert raised.value.failure.cls is FailureClass.CREDENTIAL


def local(context: int | None = 40_960) -> Model:
    return Model(CHAT_MODEL, context=context, local=True)


LONG = user("word " * 8_000)  # some 10,000 tokens


async def test_a_context_that_is_too_small_is_made_larger_and_stays_so(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    ollama.context = 4_096
    of = provider(session, ollama.url, "ollama", key=None, models=(local(),))

    await hear(of, asking(CHAT_MODEL))
    assert "num_ctx" not in ollama.bodies[-1]["options"]
    assert (await hear(of, asking(CHAT_MODEL, LONG))).text == ollama.text
    assert [body["options"].get("num_ctx") for body in ollama.bodies] == [None, None, 16_384]

    # Loaded once with it, it is not loaded anew with every question.
    await hear(of, asking(CHAT_MODEL))
    assert ollama.bodies[-1]["options"]["num_ctx"] == 16_384
    await hear(of, asking(CHAT_MODEL, user("word " * 28_000)))
    # Never more than the model can have.
    assert [body["options"].get("num_ctx") for body in ollama.bodies[4:]] == [16_384, 40_960]


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (local(8_192), {}),
        # The household says how much memory it may take.
        (local(), {"num_ctx": 4_096}),
        (local(None), {}),
    ],
)
async def test_what_is_too_long_is_refused_and_never_cut_unseen(
    session: aiohttp.ClientSession, ollama: FakeOllama, model: Model, options: dict[str, Any]
) -> None:
    ollama.context = 4_096
    ollama.models[CHAT_MODEL]["context_length"] = model.context or 40_960
    of = provider(session, ollama.url, "ollama", key=None, models=(model,), **options)

    failure, _ = await fail(of, asking(CHAT_MODEL, LONG))

    assert (failure.cls, failure.scope, failure.billed) == (
        FailureClass.CONTEXT_LENGTH,
        FailureScope.REQUEST,
        Billed.NO,
    )
    assert len(ollama.bodies) <= 2


async def test_a_context_for_which_there_is_no_memory_is_not_asked_for_again(
    session: aiohttp.ClientSession, ollama: FakeOllama
) -> None:
    ollama.context = 4_096
    of = provider(session, ollama.url, "ollama", key=None, models=(local(),))
    memory = {"error": "model requires more system memory (40 GiB) than is available (12 GiB)"}
    ollama.fault = [None, Fault(How.REFUSE, 500, body=memory)]

    failure, _ = await fail(of, asking(CHAT_MODEL, LONG))
    assert failure.cls is FailureClass.TRANSIENT
    await hear(of, asking(CHAT_MODEL))
    assert "num_ctx" not in ollama.bodies[-1]["options"]


@pytest.mark.parametrize(
    "pasted",
    [
        "{}",
        "{}/",
        "{}/api",
        "{}/api/chat",
        "{}/api/tags",
        "{}/api/show",
        "{}/api/embed",
        "{}/v1",
        "{}/v1/",
        "{}/v1/chat/completions",
        "{}/v1/models",
    ],
)
async def test_any_address_people_paste(session: aiohttp.ClientSession, ollama: FakeOllama, pasted: str) -> None:
    await provider(session, pasted.format(ollama.url), "ollama", key=None).probe()

    assert ollama.requests[0].path == "/api/version"
