"""Anthropic's messages, spoken to over a real socket."""

import asyncio
import json
from contextlib import aclosing

import aiohttp
import pytest

from custom_components.ai_router.providers.anthropic import Anthropic
from custom_components.ai_router.routing.call import Finish, RateWindow, Usage
from custom_components.ai_router.routing.failures import AttemptFailed, Billed, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.model import (
    Capability,
    Message,
    Model,
    Role,
    Target,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.ports import Provider
from tests.fakes.anthropic import BETWEEN_MODEL, BOUND_MODEL, CHAT_MODEL, OLD_MODEL, FakeAnthropic
from tests.fakes.anthropic_rules import Traits
from tests.fakes.faults import Fault, How

from .asking import KEY, LIGHT, asking, fail, hear, picture, provider, user, whole

ALL = [CHAT_MODEL, BOUND_MODEL, BETWEEN_MODEL, OLD_MODEL]
CALLS = [
    {"id": "toolu_1", "name": "light_on", "input": {"room": "hall"}},
    {"id": "toolu_2", "name": "light_on", "input": {}},
]


def at(session: aiohttp.ClientSession, server: FakeAnthropic) -> Provider:
    return provider(session, server.url, "anthropic")


# --- answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", ALL)
async def test_an_answer(session: aiohttp.ClientSession, anthropic: FakeAnthropic, model: str, stream: bool) -> None:
    anthropic.thinking = "The door is a door."
    call = asking(model)

    answer = await hear(at(session, anthropic), call if stream else whole(call))

    assert answer.opened is not None
    assert (answer.text, answer.finish) == (anthropic.text, Finish.STOP)
    assert answer.usage == Usage(fresh_in=anthropic.tokens_in, text_out=anthropic.tokens_out)
    assert len([event for event in answer.events if hasattr(event, "text")]) == (
        len(anthropic.text.split()) if stream else 1
    )


async def test_the_headers(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    of = at(session, anthropic)

    await hear(of, asking(CHAT_MODEL))
    await of.probe()

    for seen in anthropic.requests:
        assert seen.headers["Authorization"] == f"Bearer {KEY}"
        assert seen.headers["anthropic-version"] == "2023-06-01"
        assert not {"x-api-key", "anthropic-beta"} & {name.lower() for name in seen.headers}
    assert [seen.path for seen in anthropic.requests] == ["/v1/messages", "/v1/models"]


async def test_without_an_address_it_is_anthropic_s_own(session: aiohttp.ClientSession) -> None:
    of = provider(session, None, "anthropic")

    assert isinstance(of, Anthropic)
    assert str(of._address(asking(CHAT_MODEL))) == "https://api.anthropic.com/v1/messages"


@pytest.mark.parametrize("pasted", ["{}", "{}/", "{}/v1", "{}/v1/messages", "{}/v1/models"])
async def test_any_address_people_paste(session: aiohttp.ClientSession, anthropic: FakeAnthropic, pasted: str) -> None:
    answer = await hear(provider(session, pasted.format(anthropic.url), "anthropic"), asking(CHAT_MODEL))

    assert answer.text == anthropic.text


@pytest.mark.parametrize("model", ALL)
async def test_pictures_arrive_as_they_are(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, jpeg: bytes, model: str
) -> None:
    await hear(at(session, anthropic), asking(model, user("Who is it?", picture(jpeg), picture(jpeg))))

    assert anthropic.pictures == [jpeg, jpeg]


async def test_the_provider_s_own_limits_are_told(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    anthropic.fault = Fault(
        How.SLOW,
        headers={
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "7000",
        },
    )

    answer = await hear(at(session, anthropic), asking(CHAT_MODEL))

    assert answer.opened is not None
    assert answer.opened.rates == (RateWindow("requests", 50, 49, None), RateWindow("output-tokens", 8000, 7000, None))


# --- tools -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
async def test_a_turn_with_tools_is_taken_back(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, jpeg: bytes, stream: bool
) -> None:
    anthropic.tool_calls = CALLS
    of = at(session, anthropic)
    call = asking(CHAT_MODEL, Message(Role.SYSTEM, (Text("Be brief."),)), user("Light!"), tools=(LIGHT,))

    asked = await hear(of, call if stream else whole(call))
    await hear(
        of,
        asking(
            CHAT_MODEL,
            user("Light!"),
            Message(Role.ASSISTANT, (Text("On it. "), *asked.calls)),
            *(Message(Role.TOOL, (ToolResult(call.id, call.name, "done"), picture(jpeg))) for call in asked.calls),
            user("And?"),
            tools=(LIGHT,),
        ),
    )

    assert asked.calls == [ToolCall("toolu_1", "light_on", {"room": "hall"}), ToolCall("toolu_2", "light_on", {})]
    assert asked.finish is Finish.TOOLS
    assert anthropic.answers == 2
    assert anthropic.pictures == [jpeg, jpeg]


async def test_calls_of_another_provider_are_taken(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    foreign = ToolCall("functions.light_on:0", "light_on", {"room": "hall"})

    await hear(
        at(session, anthropic),
        asking(
            CHAT_MODEL,
            user("Light!"),
            Message(Role.ASSISTANT, (Thinking("secret", ({"x": 1},), Target("q", "other")), foreign)),
            Message(Role.TOOL, (ToolResult(foreign.id, foreign.name, "done"),)),
        ),
    )

    assert anthropic.answers == 1
    assert "secret" not in json.dumps(anthropic.bodies[0])


# --- refusals of the model ---------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_before_the_first_word_costs_nothing(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, stream: bool
) -> None:
    anthropic.fault = lambda _: Fault(How.EMPTY_LENGTH)
    anthropic.stop_reason = "refusal"
    call = asking(CHAT_MODEL)

    failure, heard = await fail(at(session, anthropic), call if stream else whole(call))

    assert (failure.cls, failure.billed, failure.phase) == (FailureClass.CONTENT_POLICY, Billed.NO, Phase.SENT)
    assert failure.scope is FailureScope.REQUEST
    assert heard.usage is None


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_in_the_middle_is_no_whole_answer(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic, stream: bool
) -> None:
    anthropic.stop_reason = "refusal"
    call = asking(CHAT_MODEL)

    heard = await hear(at(session, anthropic), call if stream else whole(call))

    assert (heard.text, heard.finish) == (anthropic.text, Finish.FILTERED)
    assert heard.usage is not None


# --- connections -------------------------------------------------------------------------------------


async def test_closing_an_attempt_closes_the_connection(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    anthropic.fault = Fault(How.HANG_AFTER, after=3)
    async with aclosing(at(session, anthropic).attempt(asking(CHAT_MODEL))) as events:
        await anext(events)
        await anext(events)

    async with asyncio.timeout(10):
        await anthropic.someone_left.wait()


async def test_the_key_is_nowhere(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    anthropic.fault = Fault(How.ECHO_KEY)

    failure, _ = await fail(at(session, anthropic), asking(CHAT_MODEL))

    assert KEY in anthropic.requests[0].headers["Authorization"]
    assert KEY not in repr(failure)


# --- models and probe --------------------------------------------------------------------------------

_CAN = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED | Capability.TOOLS
_CAN |= Capability.VISION | Capability.REASONING


@pytest.mark.parametrize("bare", [False, True])
async def test_models(session: aiohttp.ClientSession, anthropic: FakeAnthropic, bare: bool) -> None:
    anthropic.bare_list = bare

    models = await at(session, anthropic).models()

    assert models == [
        *(Model(name, _CAN, 1_000_000, 128_000) for name in (CHAT_MODEL, BOUND_MODEL, BETWEEN_MODEL)),
        Model(OLD_MODEL, _CAN, 200_000, 64_000),
    ]
    assert not any(model.local or model.prices for model in models)


async def test_only_models_that_still_answer_are_listed(
    session: aiohttp.ClientSession, anthropic: FakeAnthropic
) -> None:
    anthropic.models = {
        "claude-retired-1": Traits(),
        "claude-new-9": Traits(thinking=frozenset(), context=5_000, max_tokens=900),
    }

    (model,) = await at(session, anthropic).models()

    assert model == Model("claude-new-9", _CAN & ~Capability.REASONING, 5_000, 900)


async def test_long_lists_are_read_to_their_end(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    anthropic.models = {f"claude-{number}": Traits() for number in range(60)}

    assert len(await at(session, anthropic).models()) == 60


async def test_a_probe_is_free_and_checks_the_key(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    await at(session, anthropic).probe()

    with pytest.raises(AttemptFailed) as raised:
        await provider(session, anthropic.url, "anthropic", key="sk-another-key").probe()

    assert anthropic.bodies == []
    assert anthropic.limits == [1, 1]
    failure = raised.value.failure
    assert (failure.cls, failure.scope) == (FailureClass.CREDENTIAL, FailureScope.ACCOUNT)


async def test_a_list_that_is_none(session: aiohttp.ClientSession, anthropic: FakeAnthropic) -> None:
    anthropic.fault, anthropic.everywhere = Fault(How.ERROR_IN_BODY, body={"hello": 1}), True

    with pytest.raises(AttemptFailed) as raised:
        await at(session, anthropic).models()

    assert raised.value.failure.cls is FailureClass.MALFORMED
