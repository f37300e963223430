"""All kinds of provider, and what each needs from the household."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto

from aiohttp import ClientSession

from ..routing.ports import Provider
from .anthropic import ANTHROPIC_URL, Anthropic
from .cloudflare import CLOUDFLARE_URL, Cloudflare
from .demo import Demo
from .gemini import GEMINI_URL, Gemini
from .ollama import Ollama
from .openai import OPENAI_URL, OpenAI
from .openai_compatible import OpenAICompatible
from .provider import ProviderSetup

__all__ = ["KINDS", "Kind", "Need", "ProviderSetup"]


class Need(StrEnum):
    """Whether a field is asked for."""

    REQUIRED = auto()
    OPTIONAL = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Kind:
    """One wire protocol. `build` raises `InvalidEndpoint`.

    `local_choice`: an admin may declare its models local (option `local`). For Ollama the choice matters only for a
    server with a public address, and never makes a cloud model local. `asks`: options that it cannot do without.
    `extras`: a household may add headers and fields of the body. `max_edge`: a picture with longer edges (pixels) is
    made smaller by its models, or costs more than it shows.
    """

    id: str
    build: Callable[[ProviderSetup, ClientSession], Provider]
    url: Need
    key: Need
    default_url: str | None = None
    local_choice: bool = False
    asks: tuple[str, ...] = ()
    extras: bool = False
    max_edge: int = 1_568


KINDS: dict[str, Kind] = {
    kind.id: kind
    for kind in (
        Kind("openai_compatible", OpenAICompatible, Need.REQUIRED, Need.OPTIONAL, local_choice=True, extras=True),
        Kind(
            "ollama",
            Ollama,
            Need.REQUIRED,
            Need.OPTIONAL,
            default_url="http://localhost:11434",
            local_choice=True,
            max_edge=1_280,
        ),
        Kind("openai", OpenAI, Need.OPTIONAL, Need.REQUIRED, default_url=OPENAI_URL, max_edge=2_048),
        Kind("anthropic", Anthropic, Need.OPTIONAL, Need.REQUIRED, default_url=ANTHROPIC_URL),
        Kind("gemini", Gemini, Need.OPTIONAL, Need.REQUIRED, default_url=GEMINI_URL, max_edge=2_048),
        Kind(
            "cloudflare",
            Cloudflare,
            Need.OPTIONAL,
            Need.REQUIRED,
            default_url=CLOUDFLARE_URL,
            asks=("account_id",),
            max_edge=1_280,
        ),
        Kind("demo", Demo, Need.NONE, Need.NONE),
    )
}
