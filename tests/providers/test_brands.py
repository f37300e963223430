"""The brands of server that speak the common protocol, each with what it wants otherwise."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from custom_components.ai_router.providers.endpoint import EndpointProblem, InvalidEndpoint
from custom_components.ai_router.providers.presets import CUSTOM, PRESETS, Preset, preset_of
from custom_components.ai_router.providers.registry import KINDS, ProviderSetup
from custom_components.ai_router.routing.call import Finish, UsageTotal
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass
from custom_components.ai_router.routing.model import (
    Capability,
    Message,
    Role,
    Sampling,
    Target,
    Thinking,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.money import to_picodollars
from tests.fakes.brands import (
    BRANDS,
    FakeDeepSeek,
    FakeGroq,
    FakeLlamaCpp,
    FakeLMStudio,
    FakeMistral,
    FakeOpenRouter,
    FakeVllm,
)
from tests.fakes.faults import Fault, How
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI

from .asking import DOOR, KEY, LIGHT, asking, fail, hear, picture, provider, results, turn, user, whole

CALLS = [{"id": "call_of_another_house", "type": "function", "function": {"name": "light_on", "arguments": "{}"}}]


@pytest.fixture
async def server(request: pytest.FixtureRequest) -> AsyncGenerator[FakeOpenAI]:
    """The server of a brand."""
    server: FakeOpenAI = request.param(key=KEY)
    await server.start()
    yield server
    await server.stop()


def of_brand(*brands: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("brand", "server"), [(brand, BRANDS[brand]) for brand in brands or BRANDS], indirect=["server"]
    )


def only(brand: type[FakeOpenAI]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", [brand], indirect=True)


# --- all of them ------------------------------------------------------------------------------------


@of_brand()
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_with_all_that_can_be_asked(
    session: aiohttp.ClientSession, server: FakeOpenAI, brand: str, stream: bool
) -> None:
    of = provider(session, server.url, preset=brand)
    sampling = Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",))
    call = asking(CHAT_MODEL, structure=DOOR, sampling=sampling)

    answer = await hear(of, call if stream else whole(call))

    assert (answer.text, answer.finish) == (server.text, Finish.STOP)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (server.tokens_in, server.tokens_out)
    # Nothing has to be refused first: what the brand takes is known.
    assert len(server.bodies) == 1


@of_brand()
async def test_a_whole_turn_with_a_tool_and_its_picture(
    session: aiohttp.ClientSession, server: FakeOpenAI, brand: str, jpeg: bytes
) -> None:
    server.tool_calls = CALLS
    of = provider(session, server.url, preset=brand)
    said = [user("Light!")]
    if brand == "llama_cpp":
        server.models = [{"id": VISION_MODEL}]

    for _ in range(2):
        asked = await hear(of, asking(VISION_MODEL, *said, tools=(LIGHT,)))
        (answer,) = results(asked)
        said += [turn(asked, Target("p", VISION_MODEL)), Message(Role.TOOL, (*answer.parts, picture(jpeg)))]

    assert asked.finish is Finish.TOOLS
    assert (server.answers, server.pictures) == (2, [jpeg])


@of_brand()
@pytest.mark.parametrize("wish", ["off", "low", "medium", "xhigh", "on"])
async def test_a_wish_to_reason_is_put_in_words_it_takes(
    session: aiohttp.ClientSession, server: FakeOpenAI, brand: str, wish: str
) -> None:
    of = provider(session, server.url, preset=brand)

    await hear(of, asking(CHAT_MODEL, sampling=Sampling(reasoning=wish)))
    await hear(of, asking(CHAT_MODEL))

    asked, unasked = server.bodies
    fields = {"reasoning", "reasoning_effort", "thinking", "chat_template_kwargs"}
    assert fields & asked.keys() or (wish == "on" and brand in {"groq", "lm_studio", "llama_cpp"})
    assert not fields & unasked.keys()


@of_brand()
async def test_a_wrong_key_is_noticed_for_free(session: aiohttp.ClientSession, server: FakeOpenAI, brand: str) -> None:
    await provider(session, server.url, preset=brand).probe()
    with pytest.raises(AttemptFailed) as raised:
        await provider(session, server.url, key="sk-another-one", preset=brand).probe()

    assert raised.value.failure.cls is FailureClass.CREDENTIAL
    assert server.answers == 0


@of_brand()
async def test_its_models(session: aiohttp.ClientSession, server: FakeOpenAI, brand: str) -> None:
    models = await provider(session, server.url, preset=brand).models()

    assert CHAT_MODEL in {model.id for model in models}


def test_brands_are_known_by_their_hosts() -> None:
    assert preset_of("groq", "192.168.1.5").id == "groq"
    assert preset_of(None, "openrouter.ai").id == "openrouter"
    assert preset_of("a later one", "api.mistral.ai").id == "mistral"
    assert preset_of(None, "localhost") is CUSTOM
    assert {preset.id: preset for preset in PRESETS.values()} == PRESETS
    assert PRESETS.keys() == BRANDS.keys()


@of_brand()
@pytest.mark.parametrize(
    "pasted",
    [
        "http://{host}",
        "http://{host}/",
        "{host}",
        "{base}",
        "{base}/",
        "{base}//",
        "  {base}  ",
        "{base}/chat/completions",
        "{base}/chat/completions/",
        "{base}/chat",
        "{base}/completions",
        "{base}/models",
        "{base}/embeddings",
        "{base}/responses",
        "{typed}/chat/completions ",
    ],
)
async def test_any_address_people_paste(
    session: aiohttp.ClientSession, server: FakeOpenAI, brand: str, pasted: str
) -> None:
    typed = server.url.removeprefix("http://")
    host = typed.partition("/")[0]
    of = provider(session, pasted.format(host=host, base=server.url, typed=typed), preset=brand)

    assert (await hear(of, asking(CHAT_MODEL))).text == server.text
    await of.probe()


@pytest.mark.parametrize("preset", [*PRESETS, None])
@pytest.mark.parametrize(
    ("pasted", "problem"),
    [
        ("{}?api-version=preview", EndpointProblem.QUERY),
        ("{}/#models", EndpointProblem.QUERY),
        ("http://models.example.com/v1", EndpointProblem.KEY_OVER_HTTP),
        ("https://me:{key}@models.example.com/v1", EndpointProblem.USER_PART),
        ("", EndpointProblem.EMPTY),
    ],
)
async def test_addresses_that_no_key_goes_to(
    session: aiohttp.ClientSession, preset: str | None, pasted: str, problem: EndpointProblem
) -> None:
    url = (PRESETS[preset].url if preset else None) or "https://models.example.com/v1"

    with pytest.raises(InvalidEndpoint) as refused:
        provider(session, pasted.format(url, key=KEY), preset=preset)

    assert refused.value.code is problem
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("preset", [preset for preset in PRESETS.values() if preset.url])
async def test_a_brand_s_own_address_in_every_form(session: aiohttp.ClientSession, preset: Preset) -> None:
    base = URL(preset.url or "")
    for pasted in (
        str(base),
        str(base.origin()),
        f"{base}/",
        f"{base}/chat/completions",
        str(base).partition("://")[2],
    ):
        of: Any = provider(session, pasted, preset=preset.id)
        assert of._chat == base / "chat/completions"


@pytest.mark.parametrize(
    "pasted", ["https://openrouter.ai", "openrouter.ai/api", "https://openrouter.ai/api/v1/chat/completions"]
)
async def test_half_an_address_is_enough(session: aiohttp.ClientSession, pasted: str) -> None:
    of: Any = provider(session, pasted)

    assert str(of._chat) == "https://openrouter.ai/api/v1/chat/completions"


# --- OpenRouter -------------------------------------------------------------------------------------


@only(FakeOpenRouter)
async def test_what_it_costs_is_told(session: aiohttp.ClientSession, server: FakeOpenRouter) -> None:
    told = []
    of = provider(session, server.url, preset="openrouter")
    byok = {"is_byok": True, "cost_details": {"upstream_inference_cost": 0.001}}
    for server.cost, server.byok in (
        (0.00042, {}),
        (1.5e-07, {}),
        (0, {}),
        (0.0001, byok),
        (0.0001, {"is_byok": True}),
        (None, {}),
        (-1, {}),
    ):
        answer = await hear(of, asking(CHAT_MODEL))
        told += [event.cost for event in answer.events if isinstance(event, UsageTotal)]

    assert told == [
        to_picodollars("0.00042"),
        to_picodollars("0.00000015"),
        0,
        to_picodollars("0.0011"),
        None,
        None,
        None,
    ]


@only(FakeOpenRouter)
async def test_money_of_an_unknown_kind_is_no_cost(session: aiohttp.ClientSession, server: FakeOpenRouter) -> None:
    # Another server may count in another currency: its `cost` says nothing.
    answer = await hear(provider(session, server.url), asking(CHAT_MODEL))

    assert [event.cost for event in answer.events if isinstance(event, UsageTotal)] == [None]


@only(FakeOpenRouter)
async def test_it_is_told_to_keep_nothing(session: aiohttp.ClientSession, server: FakeOpenRouter) -> None:
    of = provider(session, server.url, preset="openrouter")

    await hear(of, asking(CHAT_MODEL))
    await hear(of, asking(CHAT_MODEL, tools=(LIGHT,)))

    assert [body["provider"] for body in server.bodies] == [
        {"data_collection": "deny"},
        {"data_collection": "deny", "require_parameters": True},
    ]


@only(FakeOpenRouter)
async def test_reasoning_goes_back_as_it_came_while_tools_are_called(
    session: aiohttp.ClientSession, server: FakeOpenRouter
) -> None:
    server.tool_calls = CALLS
    server.details = [
        [{"type": "reasoning.text", "text": "The ", "format": "f", "index": 0}],
        [{"type": "reasoning.text", "text": "door", "signature": "sig", "index": 0}],
        [{"type": "reasoning.encrypted", "data": "xyz", "index": 1}],
    ]
    of = provider(session, server.url, preset="openrouter")
    asked = await hear(of, asking(CHAT_MODEL, user("Light!"), tools=(LIGHT,)))
    made = turn(asked, Target("p", CHAT_MODEL))

    await hear(of, asking(CHAT_MODEL, user("Light!"), made, *results(asked), tools=(LIGHT,)))
    await hear(of, asking(CHAT_MODEL, user("Light!"), made, *results(asked), user("Thanks"), tools=(LIGHT,)))

    details = [message.get("reasoning_details") for body in server.bodies[1:] for message in body["messages"]]
    assert [each for each in details if each] == [
        [
            {"type": "reasoning.text", "text": "The door", "format": "f", "signature": "sig", "index": 0},
            {"type": "reasoning.encrypted", "data": "xyz", "index": 1},
        ]
    ]


@only(FakeOpenRouter)
@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 502, "message": "gone", "metadata": {"error_type": "provider_unavailable"}}},
        {
            "choices": [
                {
                    "message": {"role": "assistant", "content": ""},
                    "finish_reason": "error",
                    "error": {"code": 502, "message": "gone", "metadata": {"error_type": "provider_unavailable"}},
                }
            ]
        },
    ],
)
async def test_an_error_in_a_200_is_an_error(
    session: aiohttp.ClientSession, server: FakeOpenRouter, body: dict[str, Any]
) -> None:
    server.fault = Fault(How.ERROR_IN_BODY, body=body)

    failure, _ = await fail(provider(session, server.url, preset="openrouter"), whole(asking(CHAT_MODEL)))

    assert (failure.cls, failure.detail) == (FailureClass.TRANSIENT, "gone")


# --- DeepSeek ---------------------------------------------------------------------------------------


@only(FakeDeepSeek)
async def test_its_thoughts_go_back_and_those_of_others_do_not(
    session: aiohttp.ClientSession, server: FakeDeepSeek
) -> None:
    server.tool_calls = CALLS
    of = provider(session, server.url, preset="deepseek")
    asked = await hear(of, asking(CHAT_MODEL, user("Light!"), tools=(LIGHT,)))
    own = turn(asked, Target("p", CHAT_MODEL))
    foreign = Message(Role.ASSISTANT, (Thinking("secret", (), Target("q", "m")), ToolCall("call_9", "light_on", {})))

    await hear(
        of,
        asking(
            CHAT_MODEL,
            user("Light!"),
            own,
            *results(asked),
            foreign,
            Message(Role.TOOL, (ToolResult("call_9", "light_on", "done"),)),
        ),
    )

    thoughts = [message["reasoning_content"] for message in server.bodies[-1]["messages"] if "tool_calls" in message]
    assert thoughts == ["The door?", ""]


@only(FakeDeepSeek)
async def test_a_shape_is_any_json_and_words(session: aiohttp.ClientSession, server: FakeDeepSeek) -> None:
    await hear(provider(session, server.url, preset="deepseek"), asking(CHAT_MODEL, structure=DOOR))
    await hear(provider(session, server.url), asking(CHAT_MODEL, structure=DOOR))

    known, refused, found = server.bodies
    assert known["response_format"] == found["response_format"] == {"type": "json_object"}
    assert refused["response_format"]["type"] == "json_schema"
    assert '"required":["open"]' in known["messages"][0]["content"]


# --- Mistral ----------------------------------------------------------------------------------------


@only(FakeMistral)
async def test_ids_of_other_models_become_ids_it_takes(session: aiohttp.ClientSession, server: FakeMistral) -> None:
    calls = [ToolCall("call_1", "light_on", {}), ToolCall("abcdefghi", "light_on", {}), ToolCall("ü", "light_on", {})]
    answers = [Message(Role.TOOL, (ToolResult(call.id, call.name, "done"),)) for call in calls]

    await hear(
        provider(session, server.url, preset="mistral"),
        asking(CHAT_MODEL, user("Light!"), Message(Role.ASSISTANT, tuple(calls)), *answers, user("Thanks")),
    )

    (body,) = server.bodies
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "tool", "assistant", "user"]
    ids = [call["id"] for call in body["messages"][1]["tool_calls"]]
    assert ids == [message["tool_call_id"] for message in body["messages"][2:5]]
    assert (ids[1], len(set(ids))) == ("abcdefghi", 3)


# --- servers of the house ---------------------------------------------------------------------------


@only(FakeLlamaCpp)
async def test_llama_cpp_tells_what_one_request_may_take(session: aiohttp.ClientSession, server: FakeLlamaCpp) -> None:
    of = provider(session, server.url, preset="llama_cpp", local=True)

    (model,) = await of.models()
    server.props = None
    (unknown,) = await of.models()

    assert (model.context, Capability.VISION in model.caps, model.local) == (4_096, True, True)
    assert (unknown.context, Capability.VISION in unknown.caps) == (40_960, False)


@only(FakeLMStudio)
async def test_lm_studio_tells_more_in_its_own_list(session: aiohttp.ClientSession, server: FakeLMStudio) -> None:
    of = provider(session, server.url, preset="lm_studio")

    chat, vision, embedder = await of.models()
    server.old = True
    old = await of.models()

    assert (chat.context, vision.context) == (8_192, 32_768)
    assert Capability.TOOLS | Capability.REASONING in chat.caps
    assert Capability.VISION not in chat.caps
    assert Capability.VISION in vision.caps
    assert Capability.TOOLS not in vision.caps
    assert embedder.caps == Capability.EMBEDDINGS
    assert [model.id for model in old] == [CHAT_MODEL, VISION_MODEL]


@only(FakeVllm)
async def test_a_vllm_without_tools_lets_another_answer(session: aiohttp.ClientSession, server: FakeVllm) -> None:
    server.tools_enabled = False

    failure, _ = await fail(provider(session, server.url, preset="vllm"), asking(CHAT_MODEL, tools=(LIGHT,)))

    assert failure.cls is FailureClass.CAPABILITY


@only(FakeGroq)
async def test_the_bound_has_the_name_it_wants(session: aiohttp.ClientSession, server: FakeGroq) -> None:
    await hear(provider(session, server.url, preset="groq"), asking(CHAT_MODEL, max_output=77))

    (body,) = server.bodies
    assert (body["max_completion_tokens"], "max_tokens" in body) == (77, False)


# --- any other --------------------------------------------------------------------------------------


async def test_a_wish_to_reason_that_is_refused_is_left_out(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    of = provider(session, openai.url)

    for _ in range(2):
        await hear(of, asking(CHAT_MODEL, sampling=Sampling(reasoning="low")))

    assert [body.get("reasoning_effort") for body in openai.bodies] == ["low", None, None]


async def test_a_custom_server_gets_what_the_house_adds(session: aiohttp.ClientSession, openai: FakeOpenAI) -> None:
    secret = "house-secret-77"
    setup = ProviderSetup(
        "p",
        "openai_compatible",
        openai.url,
        None,
        headers={"authorization": f"Bearer {KEY}", "X-House": secret},
        body={"seed": 5, "temperature": 0.1},
    )
    of = KINDS["openai_compatible"].build(setup, session)

    await of.probe()
    await hear(of, asking(CHAT_MODEL, user("Hi"), sampling=Sampling(temperature=0.9)))

    assert [seen.headers["X-House"] for seen in openai.requests] == [secret] * 2
    assert (openai.bodies[0]["seed"], openai.bodies[0]["temperature"]) == (5, 0.1)
    assert secret not in repr(setup)
    openai.fault = Fault(How.REFUSE, 400, body={"error": {"message": f"no {secret} here, {KEY}"}})
    failure, _ = await fail(of, asking(CHAT_MODEL))
    assert secret not in failure.detail
    assert KEY not in failure.detail
