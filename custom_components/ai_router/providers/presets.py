"""What is particular to the brands of server that speak OpenAI's chat completions (November 2026).

A preset is data: the protocol stays one. It is chosen by the household, or recognised by the server's address.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum, auto
from typing import Any, NamedTuple

_OFF = frozenset({"off", "none"})
_EFFORTS = frozenset({"minimal", "low", "medium", "high", "xhigh", "max"})

type Reasoning = Callable[[str], Mapping[str, Any]]
"""From what the caller wishes (an effort, `off`, or anything else for yes) to the fields that say so."""


class Replay(StrEnum):
    """In which field a model's reasoning has to go back with its calls of tools, while the turn goes on."""

    TEXT = "reasoning_content"
    DETAILS = "reasoning_details"


class Probe(StrEnum):
    """What can be asked for free and is refused to a wrong key."""

    MODELS = auto()
    KEY = auto()
    PROPS = auto()


class Listing(StrEnum):
    """Where the list of models tells most."""

    COMMON = auto()
    LM_STUDIO = auto()
    LLAMA_CPP = auto()


def _unsaid(_: str) -> Mapping[str, Any]:
    return {}


def _effort(wish: str) -> Mapping[str, Any]:
    if wish in _OFF:
        return {"reasoning_effort": "none"}
    return {"reasoning_effort": wish} if wish in _EFFORTS else {}


def _openrouter(wish: str) -> Mapping[str, Any]:
    if wish in _OFF:
        return {"reasoning": {"effort": "none"}}
    return {"reasoning": {"effort": wish} if wish in _EFFORTS else {"enabled": True}}


def _deepseek(wish: str) -> Mapping[str, Any]:
    if wish in _OFF:
        return {"thinking": {"type": "disabled"}}
    # It knows three: what lies between is the next higher one.
    effort = {"minimal": "low", "low": "low", "max": "max", "xhigh": "max"}.get(wish, "high")
    return {"thinking": {"type": "enabled"}, "reasoning_effort": effort}


def _mistral(wish: str) -> Mapping[str, Any]:
    return {"reasoning_effort": "none" if wish in _OFF else "high"}


def _vllm(wish: str) -> Mapping[str, Any]:
    thinks = wish not in _OFF
    return {"chat_template_kwargs": {"enable_thinking": thinks}, **(_effort(wish) if thinks else {})}


class Preset(NamedTuple):
    """One brand. `url` is its own address, or where such a server usually listens; `root` the path behind the host.

    `hosts` are the hosts by which it is recognised. `local`: it usually stands in the house. `key`: nothing goes without
    one. `output` is the name of the bound on the answer, `seed` that of the seed. `asks_usage`: token counts have to be
    asked for in a stream. `costs`: `usage.cost` is in USD. `schemas`, `json_mode`: whether it holds an answer to a
    schema, or to any JSON; `forces`: whether a model can be made to call a tool. `nine`: ids of calls are nine letters or digits; `answered`: the user speaks only after the
    assistant, never after a tool. `private`: its servers are told not to keep what they are sent. `counts_pictures`: the count
    of what was read holds the pictures, also of what was still known from before.
    """

    id: str
    name: str = ""
    url: str | None = None
    root: str = "/v1"
    hosts: tuple[str, ...] = ()
    local: bool = False
    key: bool = False
    probe: Probe = Probe.MODELS
    listing: Listing = Listing.COMMON
    output: str = "max_tokens"
    seed: str = "seed"
    asks_usage: bool = True
    costs: bool = False
    schemas: bool = True
    json_mode: bool = True
    forces: bool = True
    reasoning: Reasoning = _unsaid
    replay: Replay | None = None
    nine: bool = False
    answered: bool = False
    private: bool = False
    counts_pictures: bool = False


BASELINE = Preset("baseline")
"""What all servers take, and nothing more."""
CUSTOM = Preset("custom", reasoning=_effort)

PRESETS: dict[str, Preset] = {
    preset.id: preset
    for preset in (
        Preset(
            "openrouter",
            "OpenRouter",
            "https://openrouter.ai/api/v1",
            root="/api/v1",
            hosts=("openrouter.ai",),
            key=True,
            # The list of models is public.
            probe=Probe.KEY,
            asks_usage=False,
            costs=True,
            reasoning=_openrouter,
            replay=Replay.DETAILS,
            private=True,
            counts_pictures=True,
        ),
        Preset(
            "lm_studio",
            "LM Studio",
            "http://localhost:1234/v1",
            local=True,
            listing=Listing.LM_STUDIO,
            json_mode=False,
            forces=False,
            reasoning=_effort,
        ),
        Preset(
            "llama_cpp",
            "llama.cpp",
            "http://localhost:8080/v1",
            local=True,
            # So it is here; the properties are not.
            probe=Probe.PROPS,
            listing=Listing.LLAMA_CPP,
            reasoning=_effort,
            counts_pictures=True,
        ),
        Preset("vllm", "vLLM", "http://localhost:8000/v1", local=True, reasoning=_vllm, counts_pictures=True),
        Preset(
            "groq",
            "Groq",
            "https://api.groq.com/openai/v1",
            root="/openai/v1",
            hosts=("api.groq.com",),
            key=True,
            output="max_completion_tokens",
            reasoning=_effort,
            counts_pictures=True,
        ),
        Preset(
            "mistral",
            "Mistral",
            "https://api.mistral.ai/v1",
            hosts=("api.mistral.ai",),
            key=True,
            seed="random_seed",
            asks_usage=False,
            reasoning=_mistral,
            nine=True,
            answered=True,
            counts_pictures=True,
        ),
        Preset(
            "deepseek",
            "DeepSeek",
            "https://api.deepseek.com/v1",
            hosts=("api.deepseek.com",),
            key=True,
            schemas=False,
            # Not while it thinks, and it thinks unless it is told not to.
            forces=False,
            reasoning=_deepseek,
            replay=Replay.TEXT,
            counts_pictures=True,
        ),
    )
}


def preset_of(chosen: object, host: str) -> Preset:
    """Return the preset that was chosen, else the one whose server a host is."""
    if isinstance(chosen, str) and chosen in PRESETS:
        return PRESETS[chosen]
    return next((preset for preset in PRESETS.values() if host in preset.hosts), CUSTOM)
