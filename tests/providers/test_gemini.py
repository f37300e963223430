"""Gemini's own protocol, spoken to over a real socket."""

import logging
import math
from copy import replace
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.providers.gemini_models import generation
from custom_components.ai_router.routing.call import Finish, ThinkingDelta
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
from tests.fakes.faults import Fault, How
from tests.fakes.gemini import CHAT_MODEL, EMBEDDER, GEMMA, OLD_MODEL, SKIP, FakeGemini

from .asking import DOOR, KEY, LIGHT, Heard, asking, fail, hear, picture, provider, user, whole

EVERYTHING = Sampling(temperature=0.2, top_p=0.9, seed=7, stop=("END",))
SYSTEM = Message(Role.SYSTEM, (Text("Be brief."),))


def at(session: aiohttp.ClientSession, server: FakeGemini, *, key: str = KEY) -> Any:
    return provider(session, server.url, "gemini", key=key)


# --- what is sent ------------------------------------------------------------------------------------


async def test_the_least(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    await hear(at(session, gemini), asking(CHAT_MODEL))

    (seen,) = gemini.requests
    assert seen.path == f"/v1beta/models/{CHAT_MODEL}:streamGenerateContent"
    assert seen.headers["x-goog-api-key"] == KEY
    assert seen.body == {
        "contents": [{"role": "user", "parts": [{"text": "Is the door open?"}]}],
        "generationConfig": {"maxOutputTokens": 300},
        "store": False,
    }


async def test_everything(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    call = asking(CHAT_MODEL, SYSTEM, user("Hello"), sampling=EVERYTHING, tools=(LIGHT,), structure=DOOR)

    await hear(at(session, gemini), whole(call))

    (seen,) = gemini.requests
    assert seen.path == f"/v1beta/models/{CHAT_MODEL}:generateContent"
    declared = {"name": "light_on", "description": LIGHT.description, "parametersJsonSchema": LIGHT.parameters}
    assert seen.body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "tools": [{"functionDeclarations": [declared]}],
        "generationConfig": {
            "maxOutputTokens": 300,
            "seed": 7,
            "stopSequences": ["END"],
            "responseMimeType": "application/json",
            "responseJsonSchema": DOOR.schema,
        },
        "store": False,
    }


async def test_older_models_still_take_sampling(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    await hear(at(session, gemini), asking(OLD_MODEL, sampling=EVERYTHING))

    config = gemini.bodies[0]["generationConfig"]
    assert (config["temperature"], config["topP"]) == (0.2, 0.9)


@pytest.mark.parametrize("model", [OLD_MODEL, GEMMA])
async def test_older_models_take_tools_or_a_shape_not_both(
    session: aiohttp.ClientSession, gemini: FakeGemini, model: str
) -> None:
    of = at(session, gemini)

    await hear(of, asking(model, SYSTEM, user("Hello"), tools=(LIGHT,), structure=DOOR))
    await hear(of, asking(model, structure=DOOR))

    both, shape = gemini.bodies
    assert both["generationConfig"] == {"maxOutputTokens": 300}
    (words,) = both["systemInstruction"]["parts"]
    assert words["text"].startswith("Be brief.\n\nAnswer with one JSON object")
    assert '"required":["open"]' in words["text"]
    assert shape["generationConfig"]["responseJsonSchema"] == DOOR.schema
    assert "systemInstruction" not in shape


@pytest.mark.parametrize(
    ("model", "wish", "config"),
    [
        (CHAT_MODEL, None, None),
        (CHAT_MODEL, "off", {"thinkingLevel": "LOW"}),
        (CHAT_MODEL, "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (CHAT_MODEL, "max", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (CHAT_MODEL, "on", {"includeThoughts": True}),
        ("gemini-3.5-flash", "off", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW"}),
        (OLD_MODEL, None, None),
        (OLD_MODEL, "none", {"thinkingBudget": 0}),
        (OLD_MODEL, "low", {"includeThoughts": True, "thinkingBudget": 1_024}),
        (OLD_MODEL, "high", {"includeThoughts": True, "thinkingBudget": 1_500}),
        (GEMMA, "high", None),
    ],
)
async def test_thinking_is_asked_for_as_each_model_takes_it(
    session: aiohttp.ClientSession, gemini: FakeGemini, model: str, wish: str | None, config: dict[str, Any] | None
) -> None:
    await hear(at(session, gemini), asking(model, sampling=Sampling(reasoning=wish), max_output=3_000))

    assert gemini.bodies[0]["generationConfig"].get("thinkingConfig") == config
    assert len(gemini.bodies) == 1


async def test_pictures_keep_their_place(session: aiohttp.ClientSession, gemini: FakeGemini, jpeg: bytes) -> None:
    await hear(at(session, gemini), asking(CHAT_MODEL, user("Before", picture(jpeg), "and after", picture(jpeg))))

    (content,) = gemini.bodies[0]["contents"]
    assert [next(iter(part)) for part in content["parts"]] == ["text", "inlineData", "text", "inlineData"]
    assert gemini.pictures == [jpeg, jpeg]


@pytest.mark.parametrize("model", ["models/gemini-3.8-flash", CHAT_MODEL])
async def test_a_name_may_be_given_as_the_list_has_it(
    session: aiohttp.ClientSession, gemini: FakeGemini, model: str
) -> None:
    assert (await hear(at(session, gemini), asking(model))).finish is Finish.STOP


async def test_a_name_never_leaves_its_place_in_the_path(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    failure, _ = await fail(at(session, gemini), asking("../../_control?x=#"))

    assert failure.cls is FailureClass.MODEL_MISSING
    (seen,) = gemini.requests
    assert seen.path == "/v1beta/models/../../_control?x=#:streamGenerateContent"


# --- what comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer(session: aiohttp.ClientSession, gemini: FakeGemini, stream: bool) -> None:
    gemini.thinking = "hm"
    call = asking(CHAT_MODEL, sampling=Sampling(reasoning="low"))

    answer = await hear(at(session, gemini), call if stream else whole(call))

    assert answer.opened is not None
    assert (answer.thoughts, answer.text, answer.finish) == ("hm", gemini.text, Finish.STOP)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (gemini.tokens_in, gemini.tokens_out)


# --- tools over several turns ------------------------------------------------------------------------


def turn(answer: Heard, origin: Target) -> Message:
    """Make the model's turn of an answer, as the core does."""
    opaque = tuple(event.opaque for event in answer.events if isinstance(event, ThinkingDelta) and event.opaque)
    return Message(Role.ASSISTANT, (Thinking("", opaque, origin), *answer.calls))


def results(*answered: tuple[str, str], extra: tuple[Any, ...] = ()) -> Message:
    return Message(Role.TOOL, (*(ToolResult(call_id, "light_on", said) for call_id, said in answered), *extra))


@pytest.mark.parametrize("stream", [True, False])
async def test_signatures_come_back_with_their_calls(
    session: aiohttp.ClientSession, gemini: FakeGemini, stream: bool
) -> None:
    of = at(session, gemini)
    call = replace(asking(CHAT_MODEL, tools=(LIGHT,)), stream=stream)
    gemini.tool_calls = [
        {"id": "k1", "name": "light_on", "args": {"room": "hall"}},
        {"id": "k2", "name": "light_on", "args": {}},
    ]
    first = await hear(of, call)
    call = replace(call, messages=(*call.messages, turn(first, call.target), results(("k2", "2"), ("k1", "1"))))
    gemini.tool_calls = [{"id": "k3", "name": "light_on", "args": {}}]
    second = await hear(of, call)
    call = replace(call, messages=(*call.messages, turn(second, call.target), results(("k3", "3"))))
    gemini.tool_calls = []

    last = await hear(of, call)

    assert (first.finish, second.finish, last.finish) == (Finish.TOOLS, Finish.TOOLS, Finish.STOP)
    assert first.calls == [ToolCall("k1", "light_on", {"room": "hall"}), ToolCall("k2", "light_on", {})]
    assert len(gemini.bodies) == 3
    one, two = gemini.issued
    _, asked, answered, again, _ = gemini.bodies[2]["contents"]
    assert [part.get("thoughtSignature") for part in asked["parts"]] == [one, None]
    assert [part["thoughtSignature"] for part in again["parts"]] == [two]
    assert [part["functionResponse"] for part in answered["parts"]] == [
        {"id": "k1", "name": "light_on", "response": {"output": "1"}},
        {"id": "k2", "name": "light_on", "response": {"output": "2"}},
    ]


@pytest.mark.parametrize(
    "origin", [Target("p", "gemini-3.5-flash"), Target("q", CHAT_MODEL)], ids=["another model", "another provider"]
)
async def test_signatures_of_others_are_not_sent(
    session: aiohttp.ClientSession, gemini: FakeGemini, origin: Target
) -> None:
    thought = Thinking("hm", ({"call": "k1", "signature": "Zm9yZWlnbg=="},), origin)
    asked = Message(Role.ASSISTANT, (Text("I will."), thought, ToolCall("k1", "light_on", {})))

    await hear(at(session, gemini), asking(CHAT_MODEL, user("Light!"), asked, results(("k1", "done"))))

    (_, told, _) = gemini.bodies[0]["contents"]
    call = {"functionCall": {"id": "k1", "name": "light_on", "args": {}}, "thoughtSignature": SKIP}
    assert told == {"role": "model", "parts": [{"text": "I will."}, call]}


async def test_older_models_need_no_signature(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    asked = Message(Role.ASSISTANT, (ToolCall("k1", "light_on", {}),))

    await hear(at(session, gemini), asking(OLD_MODEL, user("Light!"), asked, results(("k1", "done"))))

    assert "thoughtSignature" not in gemini.bodies[0]["contents"][1]["parts"][0]


async def test_signatures_that_another_key_was_given_are_given_up_at_once(
    session: aiohttp.ClientSession, gemini: FakeGemini
) -> None:
    of = at(session, gemini)
    gemini.tool_calls = [{"id": "k1", "name": "light_on", "args": {}}]
    call = asking(CHAT_MODEL, tools=(LIGHT,))
    first = await hear(of, call)
    call = replace(call, messages=(*call.messages, turn(first, call.target), results(("k1", "1"))))
    gemini.issued = {"somebody else's": "k9"}
    gemini.tool_calls = []

    answer = await hear(of, call)

    assert answer.finish is Finish.STOP
    refused, taken = (body["contents"][1]["parts"][0]["thoughtSignature"] for body in gemini.bodies[1:])
    assert refused != taken == SKIP
    # That says nothing about the next conversation.
    gemini.issued = {refused: "k1"}
    await hear(of, call)
    assert gemini.bodies[3]["contents"][1]["parts"][0]["thoughtSignature"] == refused


@pytest.mark.parametrize("model", [CHAT_MODEL, OLD_MODEL])
async def test_a_tool_may_show_a_picture(
    session: aiohttp.ClientSession, gemini: FakeGemini, jpeg: bytes, model: str
) -> None:
    call = asking(
        model,
        user("Who is at the door?"),
        Message(Role.ASSISTANT, (ToolCall("k1", "light_on", {}), ToolCall("k2", "light_on", {}))),
        results(("k1", "see"), extra=(picture(jpeg),)),
        results(("k2", "nothing")),
    )

    await hear(at(session, gemini), call)

    assert gemini.pictures == [jpeg]
    contents = gemini.bodies[0]["contents"]
    assert len(contents) == (3 if model == CHAT_MODEL else 4)
    assert [part["functionResponse"]["id"] for part in contents[2]["parts"]] == ["k1", "k2"]


async def test_an_empty_turn_is_left_out(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    thought = Message(Role.ASSISTANT, (Thinking("hm", (), Target("p", CHAT_MODEL)), Text("")))

    await hear(at(session, gemini), asking(CHAT_MODEL, user("One"), thought, user("Two")))

    assert [content["role"] for content in gemini.bodies[0]["contents"]] == ["user", "user"]


async def test_a_picture_is_never_the_model_s_own(
    session: aiohttp.ClientSession, gemini: FakeGemini, jpeg: bytes
) -> None:
    call = asking(CHAT_MODEL, Message(Role.ASSISTANT, (picture(jpeg),)), user("What was that?"))

    failure, _ = await fail(at(session, gemini), call)

    assert (failure.cls, failure.phase) == (FailureClass.CAPABILITY, Phase.UNSENT)
    assert gemini.requests == []


# --- what a model does not take ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("thinkingConfig", "Thinking level LOW is not supported for this model."),
        ("seed", "Invalid value at 'generation_config.seed'"),
        ("stopSequences", "Too many stop sequences"),
    ],
)
async def test_refused_fields_are_left_out_and_remembered(
    session: aiohttp.ClientSession, gemini: FakeGemini, field: str, said: str
) -> None:
    gemini.refuses = {CHAT_MODEL: {field: said}}
    of = at(session, gemini)
    call = asking(CHAT_MODEL, sampling=replace(EVERYTHING, reasoning="low"))

    answers = [await hear(of, call), await hear(of, call)]

    assert [answer.text for answer in answers] == [gemini.text] * 2
    sent = [set(body["generationConfig"]) for body in gemini.bodies]
    every = {"maxOutputTokens", "thinkingConfig", "seed", "stopSequences"}
    assert sent == [every, every - {field}, every - {field}]


@pytest.mark.parametrize("model", [CHAT_MODEL, OLD_MODEL])
async def test_turns_that_follow_each_other_are_one(
    session: aiohttp.ClientSession, gemini: FakeGemini, model: str
) -> None:
    def says(*parts: Any) -> Message:
        return Message(Role.ASSISTANT, parts)

    call = asking(
        model,
        says(Text("Good evening!")),
        user("Light!"),
        says(Text("One moment.")),
        says(Thinking("hm", None, Target("q", "x")), Text("The hall first."), ToolCall("a1", "light_on", {})),
        Message(Role.TOOL, (ToolResult("a1", "light_on", "done"),)),
        says(ToolCall("a2", "light_on", {})),
        Message(Role.TOOL, (ToolResult("a2", "light_on", "done"),)),
        tools=(LIGHT,),
    )

    await hear(at(session, gemini), call)

    (body,) = gemini.bodies
    assert [content["role"] for content in body["contents"]] == ["model", "user"] * 3
    assert [part.get("text") for part in body["contents"][2]["parts"]] == ["One moment.", "The hall first.", None]


@pytest.mark.parametrize(
    "said",
    [
        "The specified schema produces a constraint that has too many states for serving.",
        "Request contains an invalid argument.",
    ],
)
async def test_a_schema_that_is_refused_leaves_json_and_words(
    session: aiohttp.ClientSession, gemini: FakeGemini, said: str
) -> None:
    gemini.refuses = {CHAT_MODEL: {"responseJsonSchema": said}}
    of = at(session, gemini)

    await hear(of, asking(CHAT_MODEL, structure=DOOR))
    gemini.refuses = {}
    await hear(of, asking(CHAT_MODEL, structure=DOOR))

    refused, taken, later = gemini.bodies
    assert refused["generationConfig"]["responseJsonSchema"] == DOOR.schema
    assert taken["generationConfig"] == {"maxOutputTokens": 300, "responseMimeType": "application/json"}
    assert '"boolean"' in taken["systemInstruction"]["parts"][0]["text"]
    # Another schema may be simple enough.
    assert "responseJsonSchema" in later["generationConfig"]


async def test_a_refusal_without_words_is_about_nothing_else(
    session: aiohttp.ClientSession, gemini: FakeGemini
) -> None:
    gemini.refuses = {CHAT_MODEL: {"seed": "Request contains an invalid argument."}}

    failure, _ = await fail(at(session, gemini), asking(CHAT_MODEL, sampling=Sampling(seed=7)))

    assert failure.cls is FailureClass.BAD_REQUEST
    assert len(gemini.bodies) == 1


async def test_a_model_without_json_is_asked_in_words(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    gemini.refuses = {GEMMA: {"responseMimeType": f"JSON mode is not enabled for models/{GEMMA}"}}
    of = at(session, gemini)

    await hear(of, asking(GEMMA, structure=DOOR))
    await hear(of, asking(GEMMA, structure=DOOR))

    _, first, second = gemini.bodies
    assert first == second
    assert first["generationConfig"] == {"maxOutputTokens": 300}
    assert '"boolean"' in first["systemInstruction"]["parts"][0]["text"]


async def test_an_objection_that_never_ends_is_a_failure(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    said = "thinking, seed, stop sequences, thought signature"
    gemini.fault = Fault(How.REFUSE, 400, body={"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT"}})

    failure, _ = await fail(at(session, gemini), asking(CHAT_MODEL, sampling=replace(EVERYTHING, reasoning="low")))

    assert failure.cls is FailureClass.BAD_REQUEST
    assert len(gemini.bodies) == 5


async def test_fields_named_apart_from_the_words_count(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "generation_config.seed", "description": "?"}],
        }
    ]
    error = {"code": 400, "message": "Invalid argument.", "status": "INVALID_ARGUMENT", "details": details}
    gemini.fault = [Fault(How.REFUSE, 400, body={"error": error}), None]

    await hear(at(session, gemini), asking(CHAT_MODEL, sampling=EVERYTHING))

    assert "seed" not in gemini.bodies[1]["generationConfig"]


# --- models and probe --------------------------------------------------------------------------------


async def test_models(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    models = {model.id: model for model in await at(session, gemini).models()}

    assert list(models) == list(gemini.models)
    chat = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED | Capability.TOOLS | Capability.VISION
    full = chat | Capability.AUDIO_IN | Capability.REASONING
    assert models[CHAT_MODEL] == Model(CHAT_MODEL, full, 1_048_576, 65_536)
    assert models[GEMMA] == Model(GEMMA, chat, 262_144, 65_536)
    assert models["gemini-3.1-flash-image"].caps == Capability.IMAGE_OUT
    assert models["gemini-2.5-flash-preview-tts"].caps == Capability.NONE
    assert models[EMBEDDER] == Model(EMBEDDER, Capability.EMBEDDINGS, 2_048, 1)
    assert models["veo-4"].caps == Capability.NONE
    assert not any(model.local or model.prices for model in models.values())
    assert gemini.bodies == []
    assert len(gemini.requests) == math.ceil(len(gemini.models) / gemini.page)


async def test_a_list_without_an_end_is_bounded(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    gemini.page = 1

    assert len(await at(session, gemini).models()) == 5


@pytest.mark.parametrize(
    ("name", "age"),
    [
        ("gemini-3.8-flash", (3, 8)),
        ("gemini-4-argon", (4, 0)),
        ("gemini-2.5-flash-preview-09-2025", (2, 5)),
        ("gemini-robotics-er-1.5-preview", (1, 5)),
        ("gemini-flash-latest", (99, 0)),
        ("gemma-4-31b-it", (0, 0)),
    ],
)
def test_generations(name: str, age: tuple[int, int]) -> None:
    assert generation(name) == age


async def test_a_probe_is_free_and_checks_the_key(session: aiohttp.ClientSession, gemini: FakeGemini) -> None:
    await at(session, gemini).probe()

    for wrong in ("another-key", ""):
        with pytest.raises(AttemptFailed) as raised:
            await at(session, gemini, key=wrong).probe()
        failure = raised.value.failure
        assert (failure.cls, failure.scope) == (FailureClass.CREDENTIAL, FailureScope.ACCOUNT)
    assert gemini.bodies == []


@pytest.mark.parametrize("pasted", ["{}", "{}/", "{}/v1beta", "{}/v1beta/models", "{}/v1beta/openai/"])
async def test_any_address_people_paste(session: aiohttp.ClientSession, gemini: FakeGemini, pasted: str) -> None:
    await provider(session, pasted.format(gemini.url), "gemini").probe()

    assert gemini.requests[0].path == "/v1beta/models"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(How.ECHO_KEY),
        Fault(How.REFUSE, 400, body={"error": {"code": 400, "message": f"no {KEY}", "status": "INVALID_ARGUMENT"}}),
        Fault(How.SCRIPT, pieces=(f'data: {{"error":{{"message":"{KEY}"}}}}\n\n',)),
        Fault(How.CUT, after=3),
    ],
)
async def test_the_key_is_nowhere_but_in_its_header(
    session: aiohttp.ClientSession, gemini: FakeGemini, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    gemini.fault = fault

    failure, _ = await fail(at(session, gemini), asking(CHAT_MODEL))

    (seen,) = gemini.requests
    assert [name for name, value in seen.headers.items() if KEY in value] == ["x-goog-api-key"]
    assert KEY not in seen.path
    assert KEY not in failure.detail
    assert KEY not in caplog.text
