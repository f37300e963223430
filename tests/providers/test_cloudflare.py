"""Cloudflare Workers AI, spoken to over a real socket, in both forms."""

import json
from copy import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.providers.cloudflare_errors import CloudflareReplies
from custom_components.ai_router.providers.cloudflare_models import cloudflare_model
from custom_components.ai_router.providers.endpoint import EndpointProblem, InvalidEndpoint
from custom_components.ai_router.providers.price_spans import prices_of
from custom_components.ai_router.routing.call import Finish, TextDelta, Usage
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import (
    Capability,
    Message,
    Model,
    Role,
    Sampling,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tests.fakes.cloudflare import (
    ACCOUNT,
    CHAT_MODEL,
    EMBEDDER,
    GPT_MODEL,
    JSON_MODEL,
    PICTURE_MODEL,
    FakeCloudflare,
)
from tests.fakes.faults import Fault, How

from .asking import DOOR, KEY, LIGHT, asking, fail, hear, picture, provider, user, whole

CHAT_PATH = f"/client/v4/accounts/{ACCOUNT}/ai/v1/chat/completions"
SYSTEM = Message(Role.SYSTEM, (Text("Be brief."),))
THINKERS = tuple(Model(name, Capability.CHAT | Capability.REASONING) for name in (CHAT_MODEL, GPT_MODEL))


def at(session: aiohttp.ClientSession, server: FakeCloudflare, *, account: str = ACCOUNT, key: str = KEY) -> Any:
    return provider(session, server.url, "cloudflare", key=key, models=THINKERS, account_id=account)


# --- in OpenAI's form --------------------------------------------------------------------------------


async def test_the_least(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    await hear(at(session, cloudflare), asking(CHAT_MODEL))

    (seen,) = cloudflare.requests
    assert seen.path == CHAT_PATH
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.body == {
        "model": CHAT_MODEL,
        "messages": [{"role": "user", "content": "Is the door open?"}],
        "max_tokens": 300,
        "stream": True,
        "stream_options": {"include_usage": True},
        "options": {"rejectIfBusy": True},
    }


async def test_prompts_that_begin_alike_meet_at_one_place(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare
) -> None:
    of = at(session, cloudflare)

    await hear(of, asking(CHAT_MODEL))
    await hear(of, asking(CHAT_MODEL))
    await hear(at(session, cloudflare), asking(CHAT_MODEL))

    first, second, other = (seen.headers["x-session-affinity"] for seen in cloudflare.requests)
    assert first == second != other


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer(session: aiohttp.ClientSession, cloudflare: FakeCloudflare, stream: bool) -> None:
    call = replace(asking(CHAT_MODEL), stream=stream)

    answer = await hear(at(session, cloudflare), call)

    assert answer.opened is not None
    assert (answer.text, answer.finish) == (cloudflare.text, Finish.STOP)
    assert answer.usage == Usage(fresh_in=cloudflare.tokens_in, text_out=cloudflare.tokens_out)


async def test_what_the_cache_held_is_told_apart(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    cloudflare.usage = {
        "prompt_tokens": 26_034,
        "completion_tokens": 9,
        "total_tokens": 26_043,
        "prompt_tokens_details": {"cached_tokens": 25_984},
    }

    answer = await hear(at(session, cloudflare), asking(CHAT_MODEL))

    assert answer.usage == Usage(fresh_in=50, cache_read=25_984, text_out=9)


async def test_a_schema_is_sent_and_said(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    await hear(at(session, cloudflare), asking(CHAT_MODEL, SYSTEM, user("Hello"), structure=DOOR))

    (body,) = cloudflare.bodies
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "door", "schema": DOOR.schema}}
    system = body["messages"][0]["content"]
    assert system.startswith("Be brief.\n\nAnswer with one JSON object")
    assert system.count('"boolean"') == 1


async def test_pictures(session: aiohttp.ClientSession, cloudflare: FakeCloudflare, jpeg: bytes) -> None:
    await hear(at(session, cloudflare), asking(CHAT_MODEL, user("What is this?", picture(jpeg), picture(jpeg))))

    assert cloudflare.requests[0].path == CHAT_PATH
    assert cloudflare.pictures == [jpeg, jpeg]


async def test_tools_over_two_turns(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    cloudflare.tool_calls = [
        {"id": "a1", "type": "function", "function": {"name": "light_on", "arguments": '{"room":"hall"}'}},
        {"id": "a2", "type": "function", "function": {"name": "light_on", "arguments": "{}"}},
    ]
    of = at(session, cloudflare)
    asked = await hear(of, asking(CHAT_MODEL, user("Light!"), tools=(LIGHT,)))
    results = Message(Role.TOOL, tuple(ToolResult(call.id, call.name, "done") for call in asked.calls))

    await hear(of, asking(CHAT_MODEL, user("Light!"), Message(Role.ASSISTANT, tuple(asked.calls)), results))

    assert asked.calls == [ToolCall("a1", "light_on", {"room": "hall"}), ToolCall("a2", "light_on", {})]
    assert asked.finish is Finish.TOOLS
    # Words in every turn: null is refused.
    assert cloudflare.bodies[1]["messages"][1]["content"] == ""


@pytest.mark.parametrize(
    ("model", "wish", "sent"),
    [
        (CHAT_MODEL, None, {}),
        (CHAT_MODEL, "off", {"chat_template_kwargs": {"enable_thinking": False}}),
        (CHAT_MODEL, "medium", {"reasoning_effort": "medium"}),
        (CHAT_MODEL, "max", {"reasoning_effort": "high"}),
        (CHAT_MODEL, "on", {}),
        (GPT_MODEL, "off", {"reasoning_effort": "low"}),
        (JSON_MODEL, "high", {}),
    ],
)
async def test_thinking(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, model: str, wish: str | None, sent: dict[str, Any]
) -> None:
    await hear(at(session, cloudflare), asking(model, sampling=Sampling(reasoning=wish)))

    (body,) = cloudflare.bodies
    assert {name: body[name] for name in ("reasoning_effort", "chat_template_kwargs") if name in body} == sent


async def test_what_a_model_does_not_take_is_left_out(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare
) -> None:
    envelope = {"success": False, "errors": [{"code": 5006, "message": "AiError: reasoning_effort is not allowed"}]}
    cloudflare.fault = [Fault(How.REFUSE, 400, body=envelope), None, None]
    cloudflare.refuses = {CHAT_MODEL: {"stop"}}
    of = at(session, cloudflare)
    call = asking(CHAT_MODEL, sampling=Sampling(stop=("END",), reasoning="low"))

    await hear(of, call)
    await hear(of, call)

    extras = [{"reasoning_effort", "stop"} & body.keys() for body in cloudflare.bodies]
    assert extras == [{"reasoning_effort", "stop"}, {"stop"}, set(), set()]


# --- in its own form ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
async def test_a_shape_from_an_older_model(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, stream: bool
) -> None:
    sampling = Sampling(temperature=0.2, top_p=0.9, seed=7)
    silent = Message(Role.ASSISTANT, (Thinking("hm", (), Target("p", JSON_MODEL)),))
    call = asking(JSON_MODEL, SYSTEM, silent, user("Hello"), structure=DOOR, sampling=sampling)

    answer = await hear(at(session, cloudflare), replace(call, stream=stream))

    (seen,) = cloudflare.requests
    assert seen.path == f"/client/v4/accounts/{ACCOUNT}/ai/run/{JSON_MODEL}"
    assert seen.body == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_tokens": 300,
        "stream": False,
        "temperature": 0.2,
        "top_p": 0.9,
        "seed": 7,
        "response_format": {"type": "json_schema", "json_schema": DOOR.schema},
        "options": {"rejectIfBusy": True},
    }
    assert (answer.text, answer.finish) == ('{"open":false}', Finish.STOP)
    assert answer.usage == Usage(fresh_in=cloudflare.tokens_in, text_out=cloudflare.tokens_out)


async def test_with_tools_the_older_model_is_told_the_shape_in_words(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare
) -> None:
    of = at(session, cloudflare)
    history = (
        user("Light!"),
        Message(Role.ASSISTANT, (ToolCall("a1", "light_on", {}),)),
        Message(Role.TOOL, (ToolResult("a1", "light_on", "done"),)),
    )

    await hear(of, asking(JSON_MODEL, structure=DOOR, tools=(LIGHT,)))
    await hear(of, asking(JSON_MODEL, *history, structure=DOOR))

    for seen in cloudflare.requests:
        assert seen.path == CHAT_PATH
        assert "response_format" not in seen.body
        assert seen.body["messages"][0]["content"].count('"boolean"') == 1


async def test_a_refusal_there_is_final(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    envelope = {"success": False, "errors": [{"code": 5006, "message": "AiError: temperature is too high"}]}
    cloudflare.fault = Fault(How.REFUSE, 400, body=envelope)

    failure, _ = await fail(
        at(session, cloudflare), asking(JSON_MODEL, structure=DOOR, sampling=Sampling(temperature=5))
    )

    assert failure.cls is FailureClass.BAD_REQUEST
    assert len(cloudflare.requests) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_picture_beside_the_words(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, jpeg: bytes, stream: bool
) -> None:
    cloudflare.text = "I see 3 doors, all shut: 21 °C ☃"
    call = asking(PICTURE_MODEL, user("What is this?", picture(jpeg)), structure=DOOR)

    answer = await hear(at(session, cloudflare), replace(call, stream=stream))

    (seen,) = cloudflare.requests
    assert seen.path.endswith(f"/ai/run/{PICTURE_MODEL}")
    assert cloudflare.pictures == [jpeg]
    assert '"boolean"' in seen.body["messages"][0]["content"]
    assert answer.text.replace(" ", "") == cloudflare.text.replace(" ", "")
    assert answer.finish is Finish.STOP


async def test_words_alone_go_the_usual_way(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    of = at(session, cloudflare)

    await hear(of, asking(PICTURE_MODEL))
    await hear(of, asking(JSON_MODEL))

    assert {seen.path for seen in cloudflare.requests} == {CHAT_PATH}


@pytest.mark.parametrize("tools", [True, False])
async def test_what_has_no_place_is_never_dropped(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, jpeg: bytes, tools: bool
) -> None:
    question = user("Compare", picture(jpeg)) if tools else user("Compare", picture(jpeg), picture(jpeg))

    failure, _ = await fail(at(session, cloudflare), asking(PICTURE_MODEL, question, tools=(LIGHT,) if tools else ()))

    assert (failure.cls, failure.phase) == (FailureClass.CAPABILITY, Phase.UNSENT)
    assert cloudflare.requests == []


async def test_a_model_of_words_is_never_shown_a_picture(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, jpeg: bytes
) -> None:
    call = asking(JSON_MODEL, user("What is this?", picture(jpeg)), structure=DOOR)

    failure, _ = await fail(at(session, cloudflare), call)

    assert (failure.cls, failure.phase) == (FailureClass.CAPABILITY, Phase.UNSENT)


SHUT = 'data: {"response":"Shut.","p":"abc"}\n\n'
USED = 'data: {"response":"","usage":{"prompt_tokens":20,"completion_tokens":%d,"total_tokens":%d}}\n\n'
DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("pieces", "finish"),
    [
        ((SHUT, USED % (5, 25), DONE), Finish.STOP),
        ((SHUT, USED % (300, 320), DONE), Finish.LENGTH),
        # Nobody knows whether it is whole.
        ((SHUT, DONE), Finish.OTHER),
        # Newer models answer in OpenAI's form even here.
        (('data: {"choices":[{"delta":{"content":"Shut."},"finish_reason":"stop"}]}\n\n', DONE), Finish.STOP),
    ],
)
async def test_ends(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, jpeg: bytes, pieces: tuple[str, ...], finish: Finish
) -> None:
    cloudflare.fault = Fault(How.SCRIPT, pieces=pieces)

    answer = await hear(at(session, cloudflare), asking(PICTURE_MODEL, user("Door?", picture(jpeg))))

    assert (answer.text, answer.finish) == ("Shut.", finish)


@pytest.mark.parametrize(
    ("fault", "cls", "phase"),
    [
        (Fault(How.NO_DONE), FailureClass.STREAM_CUT, Phase.STREAMING),
        (Fault(How.CUT, after=2), FailureClass.STREAM_CUT, Phase.STREAMING),
        (Fault(How.ERROR_IN_STREAM, after=0), FailureClass.OVERLOADED, Phase.SENT),
        (Fault(How.ERROR_IN_STREAM, after=2), FailureClass.OVERLOADED, Phase.STREAMING),
        (
            Fault(How.ERROR_IN_BODY, body={"success": False, "errors": [], "result": None}),
            FailureClass.MALFORMED,
            Phase.SENT,
        ),
        (Fault(How.ERROR_IN_BODY, body={"success": True, "result": {}}), FailureClass.MALFORMED, Phase.SENT),
        (Fault(How.PAGE, 200), FailureClass.MALFORMED, Phase.SENT),
    ],
)
async def test_faults_in_its_own_form(
    session: aiohttp.ClientSession,
    cloudflare: FakeCloudflare,
    jpeg: bytes,
    fault: Fault,
    cls: FailureClass,
    phase: Phase,
) -> None:
    cloudflare.fault = fault

    failure, heard = await fail(at(session, cloudflare), asking(PICTURE_MODEL, user("Door?", picture(jpeg))))

    assert (failure.cls, failure.phase) == (cls, phase)
    assert heard.finish is None


async def test_all_tokens_used_up(session: aiohttp.ClientSession, cloudflare: FakeCloudflare, jpeg: bytes) -> None:
    cloudflare.fault = Fault(How.EMPTY_LENGTH)

    answer = await hear(at(session, cloudflare), asking(PICTURE_MODEL, user("Door?", picture(jpeg))))

    assert (answer.text, answer.finish) == ("", Finish.LENGTH)


async def test_an_error_with_a_success_s_status(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    envelope = {"success": False, "errors": [{"code": 3036, "message": "used up"}], "result": None}
    cloudflare.fault = Fault(How.ERROR_IN_BODY, body=envelope)

    failure, heard = await fail(at(session, cloudflare), whole(asking(CHAT_MODEL)))

    assert (failure.cls, failure.scope) == (FailureClass.QUOTA, FailureScope.ACCOUNT)
    assert heard.text == ""


def test_the_day_s_allocation_comes_back_at_midnight() -> None:
    now = datetime(2026, 11, 21, 10, 30, tzinfo=UTC).timestamp()
    body = b'{"success":false,"errors":[{"code":3036,"message":"You have used up your daily free allocation"}]}'

    failure = CloudflareReplies("a server").refusal(429, {"retry-after": "5"}, body, CHAT_MODEL, now)

    assert (failure.cls, failure.scope) == (FailureClass.QUOTA, FailureScope.ACCOUNT)
    assert failure.retry_at == datetime(2026, 11, 22, tzinfo=UTC).timestamp()


async def test_a_licence_nobody_agreed_to(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, jpeg: bytes
) -> None:
    cloudflare.agreed = False

    failure, _ = await fail(at(session, cloudflare), asking(PICTURE_MODEL, user("Door?", picture(jpeg))))

    assert (failure.cls, failure.scope) == (FailureClass.MODEL_MISSING, FailureScope.TARGET)
    assert "agree" in failure.detail


# --- models and probe --------------------------------------------------------------------------------


async def test_models(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    models = {model.id: model for model in await at(session, cloudflare).models()}

    assert len(models) == len(cloudflare.listed)
    chat = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED
    full = chat | Capability.TOOLS | Capability.REASONING | Capability.VISION
    prices = prices_of([{"in": "0.1", "out": "0.3"}], "provider")
    assert models[CHAT_MODEL] == Model(CHAT_MODEL, full, 256_000, prices=prices)
    assert models[GPT_MODEL] == Model(GPT_MODEL, full & ~Capability.VISION, 128_000)
    assert models[JSON_MODEL] == Model(JSON_MODEL, chat | Capability.TOOLS, 24_000)
    assert models[PICTURE_MODEL] == Model(PICTURE_MODEL, chat | Capability.VISION, prices=prices)
    assert models[EMBEDDER] == Model(EMBEDDER, Capability.EMBEDDINGS, 60_000)
    assert models["@cf/black-forest-labs/flux-1-schnell"].caps == Capability.IMAGE_OUT
    assert models["@cf/meta/llama-guard-3-8b"].caps == Capability.NONE
    assert models["@cf/openai/whisper"].caps == Capability.NONE
    assert cloudflare.bodies == []


IN = {"unit": "per M input tokens", "price": 0.29, "currency": "USD"}
OUT = {"unit": "per M output tokens", "price": 2.25, "currency": "USD"}


@pytest.mark.parametrize(
    ("told", "span"),
    [
        ([IN, OUT], {"in": "0.29", "out": "2.25"}),
        (
            [IN, OUT, {**IN, "unit": "per M cached input tokens", "price": 0.03}],
            {"in": "0.29", "out": "2.25", "read": "0.03"},
        ),
        ([{**IN, "price": 0}, {**OUT, "price": 0}], {"in": "0", "out": "0"}),
        # Unknown is better than wrong.
        ([IN], None),
        ([IN, OUT, {"unit": "per 512 by 512 tile", "price": 0.1, "currency": "USD"}], None),
        ([IN, {**OUT, "currency": "EUR"}], None),
        ([IN, {**OUT, "price": -1}], None),
        ([IN, {**OUT, "price": float("nan")}], None),
        ([IN, {**OUT, "price": "2.25"}], None),
        ([IN, {**OUT, "price": True}], None),
        ([IN, OUT, "free"], None),
        ("0.29", None),
        ([], None),
    ],
)
def test_prices_in_the_list(told: Any, span: dict[str, str] | None) -> None:
    entry = {"name": CHAT_MODEL, "task": {"name": "Text Generation"}}

    model = cloudflare_model({**entry, "properties": [{"property_id": "price", "value": told}]})

    assert model is not None
    assert model.prices == (None if span is None else prices_of([span], "provider"))


def test_texts_are_embedded_for_the_price_of_reading_them() -> None:
    entry = {
        "name": EMBEDDER,
        "task": {"name": "Text Embeddings"},
        "properties": [{"property_id": "price", "value": [IN]}],
    }

    model = cloudflare_model(entry)

    assert model is not None
    assert model.prices == prices_of([{"in": "0.29", "out": "0"}], "provider")


@pytest.mark.parametrize("ask", ["models", "probe"])
async def test_a_list_that_is_refused_with_a_success_s_status(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, ask: str
) -> None:
    envelope = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}], "result": None}
    cloudflare.everywhere = True
    cloudflare.fault = Fault(How.ERROR_IN_BODY, body=envelope)

    with pytest.raises(AttemptFailed) as raised:
        await getattr(at(session, cloudflare), ask)()

    assert (raised.value.failure.cls, raised.value.failure.scope) == (FailureClass.CREDENTIAL, FailureScope.ACCOUNT)


async def test_a_long_list_comes_in_pages(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    first = cloudflare.listed[0]
    cloudflare.listed = [{**first, "name": f"@cf/a/{number}"} for number in range(250)]

    assert [model.id for model in await at(session, cloudflare).models()] == [f"@cf/a/{n}" for n in range(250)]
    assert len(cloudflare.requests) == 3


async def test_a_list_without_an_end_is_bounded(session: aiohttp.ClientSession, cloudflare: FakeCloudflare) -> None:
    cloudflare.listed = cloudflare.listed[:1] * 2_000

    assert len(await at(session, cloudflare).models()) == 1_000


@pytest.mark.parametrize(("account", "key"), [(ACCOUNT, "another-token"), ("f" * 32, KEY)])
async def test_a_probe_is_free_and_checks_token_and_account(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, account: str, key: str
) -> None:
    await at(session, cloudflare).probe()

    with pytest.raises(AttemptFailed) as raised:
        await at(session, cloudflare, account=account, key=key).probe()

    failure = raised.value.failure
    assert (failure.cls, failure.scope) == (FailureClass.CREDENTIAL, FailureScope.ACCOUNT)
    assert cloudflare.bodies == []


@pytest.mark.parametrize("account", ["", KEY, "0123", "../" * 10 + "ab", f"{ACCOUNT}/x"])
async def test_only_an_account_s_id_gets_into_an_address(session: aiohttp.ClientSession, account: str) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        provider(session, None, "cloudflare", account_id=account)

    assert refused.value.code is EndpointProblem.ACCOUNT
    assert KEY not in str(refused.value)


async def test_an_id_may_be_pasted_with_spaces_and_capitals(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare
) -> None:
    await at(session, cloudflare, account=f" {ACCOUNT.upper()}\n").probe()

    assert ACCOUNT in cloudflare.requests[0].path


# --- the fake itself ---------------------------------------------------------------------------------

QUESTION = {
    "model": CHAT_MODEL,
    "messages": [{"role": "user", "content": "Hi"}],
    "max_tokens": 9,
    "options": {"rejectIfBusy": True},
}


@pytest.mark.parametrize(
    "change",
    [
        {"options": {}},
        {"model": "@cf/a/b"},
        {"model": EMBEDDER},
        {"store": False},
        {"reasoning_effort": "minimal"},
        {"model": JSON_MODEL, "reasoning_effort": "low"},
        {"model": JSON_MODEL, "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        {"model": JSON_MODEL, "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{"role": "assistant", "content": None}]},
    ],
)
async def test_the_fake_refuses(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare, change: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{cloudflare.url}/accounts/{ACCOUNT}/ai/v1/chat/completions"
    async with session.post(url, json={**QUESTION, **change}, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["success"] is False
    async with session.post(url, json=QUESTION, headers=headers) as answer:
        assert answer.status == 200


async def test_reasoning_without_a_beginning_is_known_from_the_second_answer_on(
    session: aiohttp.ClientSession, cloudflare: FakeCloudflare
) -> None:
    of = at(session, cloudflare)
    words = ("hm, ", "is it</think>", "No.")
    chunks = [{"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    said = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    cloudflare.fault = Fault(How.SCRIPT, pieces=(said,))

    first, second = [await hear(of, asking(CHAT_MODEL)) for _ in range(2)]

    assert (first.text, first.thoughts) == (second.text, second.thoughts) == ("No.", "hm, is it")
    shown = ["".join(event.text for event in heard.events if isinstance(event, TextDelta)) for heard in (first, second)]
    assert shown == ["hm, No.", "No."]
