"""All kinds of provider, and what each needs from the household."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any, NamedTuple

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

__all__ = ["KINDS", "Kind", "Need", "Option", "ProviderSetup"]


class Need(StrEnum):
    """Whether a field is asked for."""

    REQUIRED = auto()
    OPTIONAL = auto()
    NONE = auto()


class Option(NamedTuple):
    """A field of a kind's form. What is entered comes to `build` in `ProviderSetup.options` under `name`.

    `label` is what the form shows. `selector` is one of Home Assistant's.
    """

    name: str
    label: str
    selector: Any
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One wire protocol. `build` raises `InvalidEndpoint`.

    `local_choice`: an admin may declare its models local (option `local`). For Ollama the choice matters only for a
    server with a public address, and never makes a cloud model local. `asks`: options that it cannot do without.
    `extras`: a household may add headers and fields of the body. `max_edge`: a picture with longer edges (pixels) is
    made smaller by its models, or costs more than it shows.

    `name` is that of another integration's kind; ours have theirs in the translations. `options` are asked for each
    time the form is shown. `limits` are filled in for a new provider, as they are stored. `chosen`: the household
    chooses among the models; else all are used, and there is no second page. `call_price`: it is paid by the call, so
    a flat price of a call is asked for instead of prices of tokens.
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
    name: str = ""
    options: Callable[[], Sequence[Option]] = tuple
    limits: Mapping[str, Any] = field(default_factory=dict, compare=False)
    chosen: bool = True
    call_price: bool = False


KINDS: dict[str, Kind] = {
    kind.id: kind
    for kind in (
        # In the order in which they are offered.
        Kind("openai", OpenAI, Need.OPTIONAL, Need.REQUIRED, default_url=OPENAI_URL, max_edge=2_048),
        Kind("anthropic", Anthropic, Need.OPTIONAL, Need.REQUIRED, default_url=ANTHROPIC_URL),
        Kind("gemini", Gemini, Need.OPTIONAL, Need.REQUIRED, default_url=GEMINI_URL, max_edge=2_048),
        Kind(
            "ollama",
            Ollama,
            Need.REQUIRED,
            Need.OPTIONAL,
            default_url="http://localhost:11434",
            local_choice=True,
            max_edge=1_280,
            # It answers one at a time unless it is told otherwise (OLLAMA_NUM_PARALLEL); one may stand behind that.
            limits={"concurrent": 2},
        ),
        Kind("openai_compatible", OpenAICompatible, Need.REQUIRED, Need.OPTIONAL, local_choice=True, extras=True),
        Kind(
            "cloudflare",
            Cloudflare,
            Need.OPTIONAL,
            Need.REQUIRED,
            default_url=CLOUDFLARE_URL,
            asks=("account_id",),
            max_edge=1_280,
            # What every account may ask for texts, by Cloudflare's documentation. Clouds above tell theirs themselves.
            limits={"requests_per_minute": 300},
        ),
        Kind("demo", Demo, Need.NONE, Need.NONE, local_choice=True),
    )
}
