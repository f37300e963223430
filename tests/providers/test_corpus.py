"""Every error body of the corpus, over a real socket: class, scope, what it costs, when to come again."""

import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.anthropic import CHAT_MODEL as ANTHROPIC_MODEL
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.cloudflare import ACCOUNT, FakeCloudflare
from tests.fakes.cloudflare import CHAT_MODEL as CLOUDFLARE_MODEL
from tests.fakes.faults import Fault, How
from tests.fakes.gemini import CHAT_MODEL as GEMINI_MODEL
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import CHAT_MODEL as OLLAMA_MODEL
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import CHAT_MODEL as RESPONSES_MODEL
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import FakeOpenAI

from .asking import asking, fail, provider, whole

CORPUS = Path(__file__).parents[1] / "fixtures" / "errors"


def cases(kind: str) -> list[Any]:
    return [pytest.param(json.loads(file.read_text()), id=file.stem) for file in sorted((CORPUS / kind).glob("*.json"))]


def fault(case: dict[str, Any]) -> Fault:
    return Fault(How.REFUSE, case["status"], case["headers"], case["body"])


def check(case: dict[str, Any], failure: Any, before: float, after: float) -> None:
    assert case["source"]
    assert (failure.cls, failure.scope, failure.billed) == (case["class"], case["scope"], case["billed"])
    assert failure.status == case["status"]
    assert failure.detail
    if case["retry_after"] is None:
        assert failure.retry_at is None
    else:
        assert before + case["retry_after"] <= failure.retry_at <= after + case["retry_after"]


@pytest.mark.parametrize("case", cases("openai_compatible"))
async def test_openai_compatible(session: aiohttp.ClientSession, openai: FakeOpenAI, case: dict[str, Any]) -> None:
    openai.fault = fault(case)
    before = time.time()

    failure, heard = await fail(provider(session, openai.url), whole(asking("house-9")))

    check(case, failure, before, time.time())
    assert heard.events == []


@pytest.mark.parametrize("case", cases("ollama"))
async def test_ollama(session: aiohttp.ClientSession, ollama: FakeOllama, case: dict[str, Any]) -> None:
    ollama.fault = fault(case)
    before = time.time()

    failure, heard = await fail(provider(session, ollama.url, "ollama", key=None), asking(OLLAMA_MODEL))

    check(case, failure, before, time.time())
    assert heard.events == []


@pytest.mark.parametrize("case", cases("gemini"))
async def test_gemini(session: aiohttp.ClientSession, gemini: FakeGemini, case: dict[str, Any]) -> None:
    gemini.fault = fault(case)
    before = time.time()

    failure, heard = await fail(provider(session, gemini.url, "gemini"), asking(GEMINI_MODEL))

    check(case, failure, before, time.time())
    assert heard.events == []


@pytest.mark.parametrize("case", cases("openai"))
async def test_openai(session: aiohttp.ClientSession, responses: FakeResponses, case: dict[str, Any]) -> None:
    responses.fault = fault(case)
    before = time.time()

    failure, heard = await fail(provider(session, responses.url, "openai"), asking(RESPONSES_MODEL))

    check(case, failure, before, time.time())
    assert heard.events == []


@pytest.mark.parametrize("case", cases("anthropic"))
async def test_anthropic(session: aiohttp.ClientSession, anthropic: FakeAnthropic, case: dict[str, Any]) -> None:
    anthropic.fault = fault(case)
    before = time.time()

    failure, heard = await fail(provider(session, anthropic.url, "anthropic"), asking(ANTHROPIC_MODEL))

    check(case, failure, before, time.time())
    assert heard.events == []


@pytest.mark.parametrize("case", cases("cloudflare"))
async def test_cloudflare(session: aiohttp.ClientSession, cloudflare: FakeCloudflare, case: dict[str, Any]) -> None:
    cloudflare.fault = fault(case)
    before = time.time()

    failure, heard = await fail(
        provider(session, cloudflare.url, "cloudflare", account_id=ACCOUNT), asking(CLOUDFLARE_MODEL)
    )

    check(case, failure, before, time.time())
    assert heard.events == []


def test_the_corpus_is_there() -> None:
    assert len(cases("openai_compatible")) >= 15
    assert len(cases("ollama")) >= 8
    assert len(cases("gemini")) >= 20
    assert len(cases("cloudflare")) >= 20
    assert len(cases("anthropic")) >= 25
    assert len(cases("openai")) >= 25
