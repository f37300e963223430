"""No secret comes out, whatever a server does with it: over every kind and every error body of the corpus."""

import base64
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import aiohttp
import pytest

from custom_components.ai_router.providers.endpoint import InvalidEndpoint
from custom_components.ai_router.providers.registry import KINDS, Need, ProviderSetup
from custom_components.ai_router.routing.failures import AttemptFailed
from custom_components.ai_router.routing.ports import Provider
from tests.fakes.cloudflare import ACCOUNT
from tests.fakes.faults import Fault, How
from tests.fakes.server import FakeServer

from .asking import asking, hear, whole
from .test_connections import everything_of
from .test_corpus import CORPUS
from .test_faults import ASKED

KEY = "sk-Canary/5f3A+91c7d2=="
HEADER, WORD, NUMBER = "Canary header/77?", "canary&body%é", 730_215_448
SECRETS = (KEY, HEADER, "header/77?", WORD, str(NUMBER))
MODELS = {kind: (server, model) for server, (kind, model) in ASKED.items()}

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "lower": str.lower,
    "in an address": lambda secret: f"https://api.example/?key={quote(secret, safe='')}",
    "in a form": quote_plus,
    "basic": lambda secret: "Basic " + base64.b64encode(f"user:{secret}".encode()).decode(),
    "for addresses": lambda secret: base64.urlsafe_b64encode(f"a{secret}z".encode()).decode(),
    "escaped": json.dumps,
    "header": lambda secret: f"Authorization: Bearer {secret}",
}


@dataclass(frozen=True)
class Echo:
    """Puts what it was sent into all that it answers."""

    text: str

    def within(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {**{name: self.within(value) for name, value in data.items()}, self.text: self.text}
        if isinstance(data, list):
            return [*map(self.within, data), self.text]
        return f"{self.text} {data} {self.text}" if isinstance(data, str) else data


def leaks(text: str) -> list[str]:
    """Return what of the secrets a text shows: any spelling, in any case."""
    text = text.lower()
    return [
        f"{name}: {secret}"
        for secret in SECRETS
        for name, spell in SPELLINGS.items()
        # The ends of base64 depend on the neighbours.
        if _core(name, spell(secret)).lower() in text
    ]


def _core(name: str, spelled: str) -> str:
    return spelled[len("Basic ") + 8 : -4] if name == "basic" else spelled[4:-6] if name == "for addresses" else spelled


def built(session: aiohttp.ClientSession, server: FakeServer, kind: str) -> Provider:
    server.key = KEY
    extras: dict[str, Any] = {}
    if KINDS[kind].extras:
        extras = {"headers": {"X-House": HEADER}, "body": {"seed": NUMBER, "stop": [WORD]}}
    options = {"account_id": ACCOUNT} if kind == "cloudflare" else {}
    return KINDS[kind].build(ProviderSetup("p", kind, server.url, KEY, (), options, **extras), session)


async def said(of: Provider, do: Callable[[], Any]) -> str:
    """Show all that comes of something that fails, or does not."""
    try:
        heard = await do()
    except AttemptFailed as err:
        return everything_of(err) + repr(err.failure) + repr(of)
    return repr(heard) + repr(of)


def corpus() -> list[Any]:
    return [
        pytest.param(kind, json.loads(file.read_text()), id=f"{kind}-{file.stem}")
        for kind in MODELS
        for file in sorted((CORPUS / kind).glob("*.json"))
    ]


@pytest.fixture
def server(request: pytest.FixtureRequest, kind: str) -> FakeServer:
    names = {"openai_compatible": "openai", "openai": "responses"}
    found: FakeServer = request.getfixturevalue(names.get(kind, kind))
    return found


@pytest.mark.parametrize(("kind", "case"), corpus())
async def test_no_secret_comes_out(
    session: aiohttp.ClientSession,
    server: FakeServer,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    case: dict[str, Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    server.everywhere = True
    of, model = built(session, server, kind), MODELS[kind][1]
    secrets = SECRETS if KINDS[kind].extras else SECRETS[:1]
    shown = repr(of)

    for spell in SPELLINGS.values():
        echo = Echo(" ".join(map(spell, secrets)))
        body = echo.within(case["body"])
        headers = {**case["headers"], "X-Echo": quote(echo.text), "Location": f"/{quote(echo.text)}"}
        server.fault = Fault(How.REFUSE, case["status"], headers, body)
        shown += await said(of, lambda: hear(of, asking(model)))
        shown += await said(of, of.probe)
        server.fault = Fault(How.ERROR_IN_BODY, body=body)
        shown += await said(of, lambda: hear(of, whole(asking(model))))

    assert len(server.requests) >= 3 * len(SPELLINGS)
    assert leaks(shown) == []
    assert leaks(caplog.text) == []


def test_what_would_be_a_leak_is_noticed() -> None:
    for spell in SPELLINGS.values():
        assert leaks(f"it was {spell(KEY)}!")


async def test_a_code_in_place_of_words(session: aiohttp.ClientSession, openai: FakeServer) -> None:
    of = built(session, openai, "openai_compatible")
    openai.fault = Fault(How.REFUSE, 401, body={"error": {"code": KEY, "type": KEY.upper()}})

    assert leaks(await said(of, lambda: hear(of, asking(MODELS["openai_compatible"][1])))) == []


@pytest.mark.parametrize("kind", [kind.id for kind in KINDS.values() if kind.url is not Need.NONE])
@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{quote(KEY, safe='')}@api.example.com/v1",
        f"https://{quote(KEY, safe='')}@api.example.com",
        f"https://api.example.com/v1?key={KEY}",
        f"https://api.example.com/v1#{KEY}",
        f"https://api.example.com:{KEY}/v1",
        f"ftp://user:{KEY}@api.example.com",
        f"https://[{KEY}",
    ],
)
async def test_no_part_of_an_address_comes_out(session: aiohttp.ClientSession, kind: str, url: str) -> None:
    setup = ProviderSetup("p", kind, url, "sk-other-key", options={"account_id": ACCOUNT})

    with pytest.raises(InvalidEndpoint) as raised:
        KINDS[kind].build(setup, session)

    assert leaks(everything_of(raised.value)) == []
    assert leaks(repr(setup)) == []
