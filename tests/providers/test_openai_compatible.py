"""OpenAI-compatible servers, spoken to over a real socket."""

import json
import threading
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.providers import conversation
from custom_components.ai_router.providers.endpoint import EndpointProblem, InvalidEndpoint
from custom_components.ai_router.routing.call import Finish, RateWindow
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import (
    Audio,
    Capability,
    Message,
    Role,
    Sampling,
    Text,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.money import FREE
from tests.fakes.faults import Fault, How
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI

from .asking import DOOR, KEY, LIGHT, asking, fail, hear, picture, provider, user, whole


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer(session: aiohttp.ClientSession, openai: FakeOpenAI, stream: bool) -> None:
    call = asking(CHAT_MODEL)

    answer = await hear(provider(session, openai.url), call if stream else whole(call))

    assert answer.opened is not None
    assert (answer.text, answer.finish) == (openai.text, Finish.STOP)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (openai.tokens_in, openai.tokens_out)
    assert openai.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert len([event for event in answer.events if hasattr(event, "text")]) == (
        len(openai.text.split()) if stream else 1
    )


@pytest.mark.parametrize(("stream", "how"), [(True, How.IGNORE_STREAM), (False, How.STREAM_UNASKED)])
async def test_the_answer_s_own_type_decides(
    session: aiohttp.ClientSession, openai: FakeOpenAI, stream: bool, how: How
) -> None:
    openai.fault = Fault(how)
    call = asking(CHAT_MODEL)

    answer = await hear(provider(session, openai.url), call if stream else whole(call))

    assert (answer.text, answer.finish) == (openai.text, Finish.STOP)


@pytest.mark.parametrize("pasted", ["{}", "{}/", "{}/chat/completions", "http://127.0.0.1:{port}"])
async def test_any_address_people_paste(session: aiohttp.ClientSession, openai: FakeOpenAI, pasted: str) -> None:
    port = openai.url.rpartition(":")[2].removesuffix("/v1")

    answer = await hear(provider(session, pasted.format(openai.url, port=port)), asking(CHAT_MODEL))

    assert answer.text == openai.text


async def test_a_picture_arrives_as_it_is(session: aiohttp.ClientSession, openai: FakeOpenAI, jpeg: bytes) -> None:
    answer = await hear(provider(session, openai.url), asking(VISION_MODEL, user("What is this?", picture(jpeg))))

    assert answer.text == openai.text
    assert openai.pictures == [jpeg]


@pytest.mark.parametrize("kind", ["picture", "long text"])
async def test_heavy_work_is_not_done_in_the_event_loop(
    session: aiohttp.ClientSession, openai: FakeOpenAI, jpeg: bytes, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    threads: list[int] = []
    dumps = conversation.dumps

    def noting(value: Any) -> bytes:
        threads.append(threading.get_ident())
        return dumps(value)

    monkeypatch.setattr(conversation, "dumps", noting)
    of = provider(session, openai.url)

    await hear(of, asking(VISION_MODEL, user(picture(jpeg) if kind == "picture" else "x" * 100_000)))
    await hear(of, asking(CHAT_MODEL))

    assert [thread == threading.get_ident() for thread in threads] == [False, True]


async def test_a_body_of_many_megabytes_arrives(
    session: aiohttp.ClientSession, openai: FakeOpenAI, jpeg: bytes
) -> None:
    large = jpeg + b"\x00" * 3_000_000

    await hear(provider(session, openai.url), asking(VISION_MODEL, user("Look", picture(large), picture(jpeg))))

    assert openai.pictures == [large, jpeg]


async def test_a_long_text_arrives(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    text = "Türe ☃ " * 60_000

    await hear(provider(session, openai.url), asking(CHAT_MODEL, user(text)))

    assert openai.bodies[0]["messages"][0]["content"] == text


async def test_a_turn_with_tools_is_taken_back(session: aiohttp.ClientSession, openai: FakeOpenAI, jpeg: bytes) -> None:
    openai.tool_calls = [
        {"id": "a1", "type": "function", "function": {"name": "light_on", "arguments": '{"room":"hall"}'}},
        {"id": "a2", "type": "function", "function": {"name": "light_on", "arguments": "{}"}},
    ]
    of = provider(session, openai.url)
    question = user("Light!")

    asked = await hear(of, asking(VISION_MODEL, question, tools=(LIGHT,)))
    await hear(
        of,
        asking(
            VISION_MODEL,
            Message(Role.SYSTEM, (Text("Be brief."),)),
            question,
            Message(Role.ASSISTANT, tuple(asked.calls)),
            *(Message(Role.TOOL, (ToolResult(call.id, call.name, "done"), picture(jpeg))) for call in asked.calls),
        ),
    )

    assert asked.calls == [ToolCall("a1", "light_on", {"room": "hall"}), ToolCall("a2", "light_on", {})]
    assert asked.finish is Finish.TOOLS
    assert openai.answers == 2
    assert openai.pictures == [jpeg, jpeg]


async def test_the_provider_s_own_limits_are_told(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.fault = Fault(How.SLOW, headers={"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"})

    answer = await hear(provider(session, openai.url), whole(asking(CHAT_MODEL)))

    assert answer.opened is not None
    assert answer.opened.rates == (RateWindow("requests", 60, 59, None),)


async def test_sound_is_never_dropped_in_silence(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    call = asking(CHAT_MODEL, user("What is this?", Audio("0", "audio/wav", 1.0, lambda: b"RIFF")))

    failure, _ = await fail(provider(session, openai.url), call)

    assert (failure.cls, failure.phase) == (FailureClass.CAPABILITY, Phase.UNSENT)
    assert openai.requests == []


async def test_what_is_no_text_is_our_own_failure(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    failure, _ = await fail(provider(session, openai.url), asking(CHAT_MODEL, user("half a \ud83d character")))

    assert (failure.cls, failure.phase) == (FailureClass.BAD_REQUEST, Phase.UNSENT)
    assert openai.requests == []


# --- what a model does not take ----------------------------------------------------------------------

EVERYTHING = Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",))


async def test_refused_fields_are_left_out_and_remembered(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.refuses = {CHAT_MODEL: {"temperature", "stream_options", "stop"}}
    openai.newer = {CHAT_MODEL}
    of = provider(session, openai.url)

    first = await hear(of, asking(CHAT_MODEL, sampling=EVERYTHING))
    tries = len(openai.bodies)
    second = await hear(of, asking(CHAT_MODEL, sampling=EVERYTHING))
    other = await hear(of, asking(VISION_MODEL, sampling=EVERYTHING))

    assert (first.text, second.text, other.text) == (openai.text,) * 3
    assert tries == 5
    assert len(openai.bodies) == tries + 2
    assert openai.bodies[-2].keys() == {"model", "messages", "stream", "max_completion_tokens", "top_p", "seed"}
    assert openai.bodies[-2]["max_completion_tokens"] == 300
    assert {"temperature", "stream_options", "stop", "max_tokens"} <= openai.bodies[-1].keys()


async def test_a_refused_shape_is_asked_for_in_words(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.refuses = {CHAT_MODEL: {"response_format"}}

    await hear(provider(session, openai.url), asking(CHAT_MODEL, structure=DOOR))

    refused, any_json, forced = openai.bodies
    assert refused["response_format"]["type"] == "json_schema"
    assert any_json["response_format"] == {"type": "json_object"}
    assert "response_format" not in forced


@pytest.mark.parametrize("stream", [True, False])
async def test_a_shape_is_asked_for_by_ever_simpler_means_and_what_a_model_takes_is_remembered(
    session: aiohttp.ClientSession, openai: FakeOpenAI, stream: bool
) -> None:
    openai.refuses = {CHAT_MODEL: {"response_format"}, VISION_MODEL: {"response_format", "tool_choice"}}
    of = provider(session, openai.url)

    forced = await hear(of, asking(CHAT_MODEL, structure=DOOR, stream=stream))
    # The call that it was made to make is its answer.
    assert (json.loads(forced.text), forced.calls, forced.finish) == ({"open": True}, [], Finish.STOP)
    *_, asked = openai.bodies
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "door"}}
    assert [tool["function"]["parameters"] for tool in asked["tools"]] == [DOOR.schema]

    words = await hear(of, asking(VISION_MODEL, structure=DOOR, stream=stream))
    assert words.text == openai.text
    *_, asked = openai.bodies
    assert not {"response_format", "tools", "tool_choice"} & asked.keys()
    assert '"boolean"' in asked["messages"][0]["content"]

    tries = len(openai.bodies)
    assert tries == 3 + 4
    for model in (CHAT_MODEL, VISION_MODEL):
        await hear(of, asking(model, structure=DOOR, stream=stream))
    assert len(openai.bodies) == tries + 2


async def test_no_tool_is_forced_beside_those_of_the_call(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.refuses = {CHAT_MODEL: {"response_format"}}
    openai.tool_calls = [{"id": "a", "type": "function", "function": {"name": "light_on", "arguments": "{}"}}]

    answer = await hear(provider(session, openai.url), asking(CHAT_MODEL, structure=DOOR, tools=(LIGHT,)))

    assert [call.name for call in answer.calls] == ["light_on"]
    assert answer.finish is Finish.TOOLS
    assert "tool_choice" not in openai.bodies[-1]


@pytest.mark.parametrize("given", ['{"open": tr', "[]", ""])
async def test_an_answer_in_a_call_is_whole_or_none(
    session: aiohttp.ClientSession, openai: FakeOpenAI, given: str
) -> None:
    openai.refuses = {CHAT_MODEL: {"response_format"}}
    openai.forced = given
    of = provider(session, openai.url)

    if given:
        failure, _ = await fail(of, asking(CHAT_MODEL, structure=DOOR))
        assert failure.cls is FailureClass.MALFORMED
    else:
        assert (await hear(of, asking(CHAT_MODEL, structure=DOOR))).text == "{}"


async def test_an_objection_that_never_ends_is_a_failure(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.fault = Fault(
        How.REFUSE, 400, body={"error": {"message": "temperature, top_p, seed, 'stop', stream_options"}}
    )

    failure, _ = await fail(provider(session, openai.url), asking(CHAT_MODEL, sampling=EVERYTHING))

    assert failure.cls is FailureClass.BAD_REQUEST
    assert len(openai.bodies) == 6


async def test_what_is_remembered_is_bounded(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.models += [{"id": f"m{number}"} for number in range(300)]
    openai.refuses = {f"m{number}": {"stream_options"} for number in range(300)}
    of = provider(session, openai.url)

    for number in range(300):
        await hear(of, asking(f"m{number}"))
    tries = len(openai.bodies)
    await hear(of, asking("m299"))
    await hear(of, asking("m0"))

    assert tries == 600
    assert len(openai.bodies) == tries + 1 + 2


async def test_the_bound_on_the_output_is_never_left_out(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.refuses = {CHAT_MODEL: {"max_tokens"}}

    failure, _ = await fail(provider(session, openai.url), asking(CHAT_MODEL))

    assert failure.cls is FailureClass.BAD_REQUEST
    assert all("max_tokens" in body for body in openai.bodies)


# --- models and probe --------------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [True, False])
async def test_models(session: aiohttp.ClientSession, openai: FakeOpenAI, bare: bool) -> None:
    openai.bare_list = bare

    chat, vision = await provider(session, openai.url).models()

    assert (chat.id, chat.context, chat.prices, chat.local) == (CHAT_MODEL, 8192, None, False)
    assert Capability.VISION not in chat.caps
    assert (vision.id, vision.context) == (VISION_MODEL, None)
    assert Capability.VISION in vision.caps


async def test_only_an_admin_makes_it_local(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    models = await provider(session, openai.url, local=True).models()

    assert all(model.local and model.prices is FREE for model in models)


async def test_a_probe_is_free_and_checks_the_key(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    await provider(session, openai.url).probe()

    with pytest.raises(AttemptFailed) as raised:
        await provider(session, openai.url, key="sk-another-key").probe()

    assert openai.bodies == []
    failure = raised.value.failure
    assert (failure.cls, failure.scope) == (FailureClass.CREDENTIAL, FailureScope.ACCOUNT)


@pytest.mark.parametrize(
    ("fault", "cls", "words"),
    [
        (Fault(How.PAGE, 200), FailureClass.MALFORMED, "a web page: this does not seem to be"),
        (Fault(How.EMPTY_BODY), FailureClass.MALFORMED, "an empty answer"),
        (Fault(How.ERROR_IN_BODY, body={"hello": 1}), FailureClass.MALFORMED, "JSON of another kind"),
        (Fault(How.REDIRECT), FailureClass.MALFORMED, "redirects are not followed"),
        (Fault(How.HUGE_BODY), FailureClass.MALFORMED, "longer than 8 MB"),
        (Fault(How.PAGE, 502), FailureClass.TRANSIENT, "web page"),
        (Fault(How.CLOSE_BEFORE), FailureClass.NETWORK, "the server closed the connection"),
    ],
)
async def test_a_list_that_is_none(
    session: aiohttp.ClientSession, openai: FakeOpenAI, fault: Fault, cls: FailureClass, words: str
) -> None:
    openai.fault, openai.everywhere = fault, True

    with pytest.raises(AttemptFailed) as raised:
        await provider(session, openai.url).models()

    assert raised.value.failure.cls is cls
    assert words in raised.value.failure.detail


# --- set-up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "key", "problem"),
    [
        (None, KEY, EndpointProblem.EMPTY),
        ("http://api.example.com", KEY, EndpointProblem.KEY_OVER_HTTP),
        ("https://api.example.com", "sk-1\nX: y", EndpointProblem.KEY_MALFORMED),
    ],
)
async def test_what_cannot_be_built(
    session: aiohttp.ClientSession, url: str | None, key: str, problem: EndpointProblem
) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        provider(session, url, key=key)

    assert refused.value.code is problem


async def test_without_a_key_there_is_no_header(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    openai.key = None

    await hear(provider(session, openai.url, key=None), asking(CHAT_MODEL))

    assert "Authorization" not in openai.requests[0].headers
