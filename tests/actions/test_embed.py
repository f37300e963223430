"""`embed`, `find_similar` and `count_tokens`, over simulated providers and over servers on a real socket."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from custom_components.ai_router.const import DOMAIN, SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.providers.demo import EMBEDDING_MODEL
from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.stored_models import model_to_stored
from tests.fakes.embeddings import SIZE, tokens, vector
from tests.fakes.faults import Fault, How
from tests.fakes.ollama import EMBEDDER, FakeOllama
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI
from tests.fakes.openai_compatible import EMBEDDER as HOUSE_EMBEDDER

from ..household import ATTIC, CLOUD, demo, move_in, subentry

QUICK = {"latency": 0}
PRICES = ("1000", "2000")


def embedder(provider_id: str, title: str, *, local: bool = False, **options: Any) -> ConfigSubentry:
    model = model_to_stored(Model(EMBEDDING_MODEL, Capability.EMBEDDINGS, local=local), *PRICES)
    return demo(provider_id, title, options={**QUICK, **options}, models=[model])


def server(kind: str, url: str, *models: Model, **options: Any) -> ConfigSubentry:
    data = {
        Conf.KIND.value: kind,
        Conf.URL.value: url,
        Conf.MODELS.value: [model_to_stored(model, *PRICES) for model in models],
        Conf.OPTIONS.value: options,
    }
    return subentry(ATTIC, SUBENTRY_PROVIDER, "Attic", **data)


@pytest.fixture
async def ollama(socket_enabled: None) -> AsyncGenerator[FakeOllama]:
    running = FakeOllama()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def house(socket_enabled: None) -> AsyncGenerator[FakeOpenAI]:
    running = FakeOpenAI()
    running.counts = True
    await running.start()
    yield running
    await running.stop()


async def act(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Call an action; what it returns is plain data."""
    reply = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    assert isinstance(reply, dict)
    assert json.loads(json.dumps(reply)) == reply
    return reply


# --- embed -----------------------------------------------------------------------------------------


async def test_vectors_come_with_who_made_them_and_for_how_much(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, ollama: FakeOllama
) -> None:
    await move_in(hass, freezer, server("ollama", ollama.url, Model(EMBEDDER, Capability.EMBEDDINGS)))
    texts = ["The door is open", "It rains"]
    reply = await act(hass, "embed", texts=texts, label="search")

    assert reply["vectors"] == [vector(text) for text in texts]
    assert (reply["dimensions"], reply["provider"], reply["model"]) == (SIZE, "Attic", EMBEDDER)
    assert reply["usage"]["input_tokens"] == tokens(texts)
    assert reply["cost"] == {"amount": pytest.approx(tokens(texts) * 0.001), "currency": "USD", "estimated": False}
    assert [attempt["outcome"] for attempt in reply["attempts"]] == ["ok"]
    assert "text" not in reply


async def test_one_text_needs_no_list(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, embedder(ATTIC, "Attic"))
    reply = await act(hass, "embed", texts="The door is open")

    assert len(reply["vectors"]) == 1


async def test_it_fails_over_as_everything_does(hass: HomeAssistant, ollama: FakeOllama) -> None:
    ollama.change = lambda given: given[:-1]
    broken = server("ollama", ollama.url, Model(EMBEDDER, Capability.EMBEDDINGS))
    await move_in(hass, None, broken, embedder(CLOUD, "Cloud"))
    reply = await act(hass, "embed", texts=["one", "two"])

    assert [(attempt["provider"], attempt["outcome"]) for attempt in reply["attempts"]] == [
        ("Attic", "invalid_answer"),
        ("Cloud", "ok"),
    ]
    assert reply["provider"] == "Cloud"
    # Who names the model gets its vectors or none.
    with pytest.raises(HomeAssistantError, match="1 vectors for 2 texts"):
        await act(hass, "embed", texts=["one", "two"], model=EMBEDDER)


async def test_a_server_that_cuts_texts_is_not_asked_to(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, ollama: FakeOllama
) -> None:
    await move_in(hass, freezer, server("ollama", ollama.url, Model(EMBEDDER, Capability.EMBEDDINGS)))
    returned = await act(hass, "embed", texts=["word " * 5_000], on_error="return")

    assert returned["error"]["failure"] == "context_length"


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ({"texts": ["fine", " "]}, "Text 2 is empty"),
        ({"texts": ["x"], "local_only": True}, "must stay in the house"),
        ({"texts": ["x"], "max_cost": 0.0000001}, "cost more than this request is allowed to"),
        ({"texts": ["x"], "provider": "Nobody"}, "no provider called Nobody"),
    ],
)
async def test_what_is_wrong_with_a_request_is_told_in_words(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, data: dict[str, Any], match: str
) -> None:
    await move_in(hass, freezer, embedder(ATTIC, "Attic"))
    with pytest.raises(ServiceValidationError, match=match):
        await act(hass, "embed", **data)
    returned = await act(hass, "embed", **data, on_error="return")
    assert match in returned["error"]["message"]


async def test_a_household_without_such_a_model_is_told_so(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    with pytest.raises(ServiceValidationError, match="None of the models that may be used makes vectors"):
        await act(hass, "embed", texts=["x"])


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("embed", {}),
        ("embed", {"texts": []}),
        ("embed", {"texts": ["x"] * 251}),
        ("embed", {"texts": ["x"], "max_tokens": 5}),
        ("find_similar", {"texts": ["x"]}),
        ("find_similar", {"texts": ["x"] * 2_001, "query": "x"}),
        ("find_similar", {"texts": ["x"], "query": "x", "limit": 0}),
        ("find_similar", {"texts": ["x"], "query": "x", "min_similarity": 2}),
        ("count_tokens", {}),
        ("count_tokens", {"prompt": "x", "max_tokens": 5}),
    ],
)
async def test_what_the_schema_does_not_allow_is_refused(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, action: str, data: dict[str, Any]
) -> None:
    await move_in(hass, freezer, embedder(ATTIC, "Attic"))
    with pytest.raises(vol.Invalid):
        await act(hass, action, **data)


# --- find_similar ----------------------------------------------------------------------------------


async def test_the_nearest_texts_come_first(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, embedder(ATTIC, "Attic"))
    texts = ["a cat sleeps", "the front door is open", "the door is shut", "rain at seven"]
    reply = await act(hass, "find_similar", query="is the front door open", texts=texts, limit=2)

    assert [(match["index"], match["text"]) for match in reply["matches"]] == [(1, texts[1]), (2, texts[2])]
    assert reply["matches"][0]["similarity"] == 1.0
    assert 0 < reply["matches"][1]["similarity"] < 1
    assert (reply["provider"], reply["model"]) == ("Attic", EMBEDDING_MODEL)
    strict = await act(hass, "find_similar", query="is the front door open", texts=texts, min_similarity=0.9)
    assert [match["index"] for match in strict["matches"]] == [1]


@pytest.mark.parametrize(
    ("query", "texts", "match"), [("x", ["fine", " "], "Text 2 is empty"), (" ", ["fine"], "The query is empty")]
)
async def test_what_is_empty_is_named(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, query: str, texts: list[str], match: str
) -> None:
    await move_in(hass, freezer, embedder(ATTIC, "Attic"))
    with pytest.raises(ServiceValidationError, match=match):
        await act(hass, "find_similar", query=query, texts=texts)


async def test_query_and_texts_are_one_request_of_one_model(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, ollama: FakeOllama
) -> None:
    entry = await move_in(hass, freezer, server("ollama", ollama.url, Model(EMBEDDER, Capability.EMBEDDINGS)))
    texts = [f"text number {number}" for number in range(100)]
    await act(hass, "find_similar", query="text number 42", texts=texts)

    sent = [text for seen in ollama.requests if seen.path == "/api/embed" for text in seen.body["input"]]
    assert sent == ["text number 42", *texts]
    assert entry.runtime_data.router.recent(ATTIC).attempts == 1


async def test_a_portion_that_fails_fails_the_whole(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, ollama: FakeOllama
) -> None:
    await move_in(hass, freezer, server("ollama", ollama.url, Model(EMBEDDER, Capability.EMBEDDINGS)))
    ollama.fault = [None, Fault(How.REFUSE, status=400, body={"error": "no"})]
    returned = await act(hass, "find_similar", query="x", texts=["y"] * 100, on_error="return")

    assert returned["error"]["code"] == "rejected"
    # The first portion was paid for.
    assert returned["cost"]["amount"] == pytest.approx(32 * 0.001)


# --- count_tokens ----------------------------------------------------------------------------------


async def test_a_server_in_the_house_counts_exactly(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, house: FakeOpenAI
) -> None:
    await move_in(hass, freezer, server("openai_compatible", house.url, Model(CHAT_MODEL, local=True), local=True))
    reply = await act(hass, "count_tokens", prompt="Is the door open?", local_only=True)

    (seen,) = house.requests
    assert reply == {
        "tokens": len(json.dumps(seen.body["messages"])) // 4,
        "exact": True,
        "provider": "Attic",
        "model": CHAT_MODEL,
    }
    assert house.answers == 0


async def test_otherwise_it_is_estimated_and_nothing_is_asked(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK))
    reply = await act(hass, "count_tokens", prompt="Is the door open?", system="Be short.")

    assert (reply["exact"], reply["provider"], reply["model"]) == (False, "Attic", "demo-chat")
    assert reply["tokens"] > 0
    assert entry.runtime_data.router.recent(ATTIC).attempts == 0


async def test_what_may_not_leave_is_not_sent_to_be_counted(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, house: FakeOpenAI
) -> None:
    await move_in(hass, freezer, server("openai_compatible", house.url, Model(CHAT_MODEL, local=False)))
    with pytest.raises(ServiceValidationError, match="must stay in the house"):
        await act(hass, "count_tokens", prompt="A secret", local_only=True)

    assert not house.requests


async def test_a_model_that_embeds_is_named_to_its_kind(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, house: FakeOpenAI
) -> None:
    models = (Model(CHAT_MODEL), Model(HOUSE_EMBEDDER, Capability.EMBEDDINGS))
    await move_in(hass, freezer, server("openai_compatible", house.url, *models))
    reply = await act(hass, "embed", texts=["one"])

    assert reply["model"] == HOUSE_EMBEDDER
