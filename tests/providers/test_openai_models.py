"""What is known of OpenAI's models by their names."""

from datetime import date
from typing import Any

import pytest

from custom_components.ai_router.providers.openai_models import effort, family, openai_models, reasons
from custom_components.ai_router.routing.model import Capability

TODAY = date(2026, 11, 21)
CHAT = Capability.CHAT | Capability.STREAMING | Capability.STRUCTURED | Capability.TOOLS | Capability.VISION
THINKS = CHAT | Capability.REASONING


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("gpt-6-luna", "gpt-6-luna"),
        ("gpt-6.1-sol", "gpt-6.1-sol"),
        ("gpt-6.2-astra", "gpt-6.2"),
        ("gpt-5.6-terra-2026-07-30", "gpt-5.6"),
        ("gpt-5.4", "gpt-5.4"),
        ("gpt-5.4-mini-2026-03-17", "gpt-5.4-mini"),
        ("gpt-5.4-pro", "gpt-5.4-pro"),
        ("gpt-5.2-chat-latest", "gpt-5.2-chat-latest"),
        ("gpt-5.3-codex", "gpt-5.3"),
        ("gpt-5-nano", "gpt-5"),
        ("ft:gpt-4.1-mini:house::abc", "gpt-4.1"),
        ("ft:gpt-4.1:house::abc", "gpt-4.1"),
        ("GPT-4o", "gpt-4o"),
        ("gpt-5.7", None),
        ("gpt-6", None),
        ("gpt-4", None),
        ("gpt-40", None),
    ],
)
def test_families(model_id: str, name: str | None) -> None:
    known = family(model_id)

    assert (known.name if known else None) == name


@pytest.mark.parametrize(
    ("model_id", "wish", "asked"),
    [
        ("gpt-6-luna", None, None),
        ("gpt-6-luna", "none", "none"),
        ("gpt-6-luna", "off", "none"),
        ("gpt-6-luna", "minimal", "low"),
        ("gpt-6-luna", "max", "max"),
        ("gpt-6-luna", "on", None),
        ("gpt-6.1-sol", "off", "low"),
        ("gpt-5.5", "max", "xhigh"),
        ("gpt-5.4", "on", "medium"),
        ("gpt-5", "none", "minimal"),
        ("gpt-5.2-pro", "low", "medium"),
        ("gpt-5.1", "xhigh", "high"),
        ("gpt-5.1-chat-latest", "high", "medium"),
        ("gpt-4.1", "high", None),
        ("gpt-4.1", "none", None),
        ("gpt-9", "high", "high"),
        ("gpt-9", "off", "none"),
        ("gpt-9", "on", None),
    ],
)
def test_the_effort_that_comes_nearest(model_id: str, wish: str | None, asked: str | None) -> None:
    assert effort(family(model_id), wish) == asked


@pytest.mark.parametrize(
    ("model_id", "asked", "thinks"),
    [
        ("gpt-6-luna", None, True),
        ("gpt-6-luna", "none", False),
        ("gpt-5.4", None, False),
        ("gpt-5.4", "low", True),
        ("gpt-4.1", None, False),
        ("gpt-9", None, None),
        ("gpt-9", "low", True),
    ],
)
def test_who_reasons(model_id: str, asked: str | None, thinks: bool | None) -> None:
    assert reasons(family(model_id), asked) is thinks


@pytest.mark.parametrize(
    ("model_id", "caps", "context", "max_output"),
    [
        ("gpt-6-astra", THINKS, 1_050_000, 128_000),
        ("gpt-5.4-nano", THINKS, 400_000, 128_000),
        ("gpt-5.2", THINKS, 400_000, 128_000),
        ("gpt-5-mini", THINKS, 400_000, 128_000),
        ("gpt-4.1-mini", CHAT, 1_000_000, 32_000),
        ("gpt-4o-mini", CHAT, 128_000, 16_000),
        ("gpt-6.2-astra", THINKS, None, None),
        ("gpt-5.5-pro", THINKS & ~Capability.STRUCTURED, None, None),
        ("gpt-5.7", CHAT, None, None),
        ("gpt-4", CHAT & ~Capability.VISION, None, None),
        ("gpt-4o-realtime-preview", Capability.NONE, None, None),
        ("gpt-4o-mini-transcribe", Capability.NONE, None, None),
        ("gpt-4o-mini-tts", Capability.NONE, None, None),
        ("gpt-4o-audio-preview", Capability.NONE, None, None),
        ("gpt-5-search-api", Capability.NONE, None, None),
        ("o3-deep-research", Capability.NONE, None, None),
        ("gpt-3.5-turbo-instruct", Capability.NONE, None, None),
        ("omni-moderation-latest", Capability.NONE, None, None),
        ("text-embedding-3-large", Capability.EMBEDDINGS, None, None),
        ("dall-e-3", Capability.IMAGE_OUT, None, None),
    ],
)
def test_what_a_model_can_do(model_id: str, caps: Capability, context: int | None, max_output: int | None) -> None:
    models = openai_models({"data": [{"id": model_id}]}, TODAY)

    assert models is not None
    (model,) = models

    assert (model.caps, model.context, model.max_output) == (caps, context, max_output)
    assert (model.prices, model.local) == (None, False)


@pytest.mark.parametrize(
    ("end", "there"),
    [
        (None, True),
        ("2026-11-22", True),
        ("2026-11-21", False),
        ("2026-11-20T00:00:00Z", False),
        ("soon", True),
        (7, True),
    ],
)
def test_models_that_were_shut_down_are_left_out(end: Any, there: bool) -> None:
    assert bool(openai_models({"data": [{"id": "gpt-4o", "shutdown_date": end}]}, TODAY)) is there


@pytest.mark.parametrize("data", [None, [], {}, {"data": {}}, {"models": []}])
def test_what_is_no_list(data: Any) -> None:
    assert openai_models(data, TODAY) is None


def test_entries_without_a_name_are_passed_over() -> None:
    assert openai_models({"data": [None, {}, {"id": 7}, {"id": ""}]}, TODAY) == []
