"""On which day a model goes, as the lists of those tell that tell it, and what is kept of it."""

from datetime import date
from typing import Any

import pytest

from custom_components.ai_router.providers.anthropic_models import anthropic_models
from custom_components.ai_router.providers.cloudflare_models import cloudflare_model
from custom_components.ai_router.providers.model_list import model_list
from custom_components.ai_router.providers.openai_models import openai_models
from custom_components.ai_router.routing.model import Model
from custom_components.ai_router.stored_models import model_from_stored, model_to_stored

TODAY = date(2026, 11, 21)
DAYS = [
    ("2026-12-11", date(2026, 12, 11)),
    ("2026-12-11T00:00:00Z", date(2026, 12, 11)),
    (None, None),
    ("", None),
    ("soon", None),
    (1_800_000_000, None),
    ({}, None),
]


def listed(field: str, told: Any) -> list[Model]:
    """Read the list of whoever has such a field."""
    entry = {"id": "m-1", field: told}
    match field:
        case "retires_at":
            return anthropic_models({"data": [entry]}) or []
        case "shutdown_date":
            return openai_models({"data": [entry]}, TODAY) or []
        case "planned_deprecation_date":
            properties = [{"property_id": field, "value": told}]
            model = cloudflare_model({"name": "m-1", "task": {"name": "Text Generation"}, "properties": properties})
            return [model] if model else []
    return model_list({"data": [entry]}, local=False) or []


@pytest.mark.parametrize(("told", "day"), DAYS)
@pytest.mark.parametrize(
    "field", ["retires_at", "shutdown_date", "planned_deprecation_date", "expiration_date", "deprecation"]
)
def test_the_day_is_read(field: str, told: Any, day: date | None) -> None:
    assert [model.retires for model in listed(field, told)] == [day]


def test_the_first_that_is_a_day_counts() -> None:
    (model,) = model_list([{"id": "m", "expiration_date": None, "deprecation": "2027-01-01"}], local=False) or []

    assert model.retires == date(2027, 1, 1)


@pytest.mark.parametrize("day", [None, date(2027, 1, 1)])
def test_the_day_is_kept(day: date | None) -> None:
    stored = model_to_stored(Model("m", retires=day))

    assert model_from_stored(stored).retires == day
    assert ("retires" in stored) == (day is not None)
