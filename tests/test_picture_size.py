"""How large a picture is sent: as large as the best of those who may get it makes use of, and no larger."""

from typing import Any

import pytest

from custom_components.ai_router.pictures import useful_edge
from custom_components.ai_router.providers.registry import KINDS
from custom_components.ai_router.routing.config import ProviderConfig, RouterConfig
from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.routing.request import Caller, Pins, Request

SEES = Capability.CHAT | Capability.VISION


def provider(name: str, kind: str, *, caps: Capability = SEES, local: bool = False, **more: Any) -> ProviderConfig:
    client: Any = None
    return ProviderConfig(name, name, kind, client, (Model("m", caps, local=local),), **more)


def edge(*providers: ProviderConfig, local_only: bool = False, **request: Any) -> int:
    asked = Request("r", Caller(), (), **request)
    return useful_edge(RouterConfig({each.id: each for each in providers}, local_only=local_only), asked)


OLLAMA = provider("attic", "ollama", local=True)
OPENAI = provider("cloud", "openai")


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_says_what_it_makes_use_of(kind: str) -> None:
    assert edge(provider("a", kind)) == KINDS[kind].max_edge
    assert 512 <= KINDS[kind].max_edge <= 4_096


def test_the_largest_of_those_who_may_get_it_decides() -> None:
    assert KINDS["ollama"].max_edge < KINDS["openai"].max_edge
    assert edge(OLLAMA, OPENAI) == KINDS["openai"].max_edge
    assert edge(OLLAMA, OPENAI, pins=Pins(providers=("attic",))) == KINDS["ollama"].max_edge
    assert edge(OLLAMA, OPENAI, local_only=True) == KINDS["ollama"].max_edge
    assert edge(OLLAMA, provider("off", "openai", enabled=False)) == KINDS["ollama"].max_edge
    assert edge(OLLAMA, provider("blind", "openai", caps=Capability.CHAT)) == KINDS["ollama"].max_edge


def test_where_nobody_is_known_the_usual_size_holds() -> None:
    assert edge() == edge(provider("x", "of_another_integration")) == 1_568
