"""The core's codes in words: every one has a text, none is left over, and the household reads its own language."""

from itertools import product
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import (
    _async_get_translations_cache,  # the only place to put texts of another language
    async_get_translations,
)

from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.events import EVENT_DATA, Kind
from custom_components.ai_router.flows.model_forms import price_in_words
from custom_components.ai_router.logbook import sentence
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.fleet import target_id
from custom_components.ai_router.routing.model import Model, Target
from custom_components.ai_router.routing.money import FREE, Prices, PriceSpan, Rates, to_picodollars
from custom_components.ai_router.routing.plans import Because, LeftOut, Reason, Why
from custom_components.ai_router.routing.tickets import BucketKey, Scope, Unit, Window
from custom_components.ai_router.stored_models import LISTED
from custom_components.ai_router.wording import Wording

from .actions.calling import call
from .household import ATTIC, CLOUD, demo, move_in

QUICK = {"latency": 0}
COMMON = f"component.{DOMAIN}.common."


class Listening(Wording):
    """Notes which texts were wanted."""

    def __init__(self, hass: HomeAssistant) -> None:
        super().__init__(hass)
        self.wanted: set[str] = set()

    def text(self, key: str, **values: object) -> str:
        self.wanted.add(f"{COMMON}{key}")
        return super().text(key, **values)


@pytest.fixture
async def words(hass: HomeAssistant) -> Listening:
    await async_get_translations(hass, "en", "common", [DOMAIN])
    return Listening(hass)


def happenings() -> list[tuple[Kind, dict[str, Any]]]:
    """Return all that can be told, about a model and about none, with a reason and without."""
    figures = {"spent": 0.8, "limit": 1.0, "amount": 0.1, "latency": 0.3, "window": "day", "scope": "router"}
    told = []
    for kind in Kind:
        for model, reason, failed in (
            (None, None, []),
            (
                "house-1",
                "all_down" if kind is Kind.ALL_FAILED else "rate_limit",
                [{"provider": "X", "outcome": "empty"}],
            ),
        ):
            data = {name: figures.get(name, "word") for name in EVENT_DATA[kind]}
            more = {"model": model, "reason": reason, "failed": failed}
            told.append((kind, data | {name: more[name] for name in more if name in EVENT_DATA[kind]}))
    for window in ("day", "week", "month", "total"):
        for scope in (each for each in Scope if each is not Scope.TARGET):
            data = {**dict.fromkeys(EVENT_DATA[Kind.BUDGET_ALERT], "word"), "spent": 0.8, "limit": 1.0}
            told.append((Kind.BUDGET_ALERT, data | {"window": window, "scope": scope.value, "owner": "Ada"}))
    return told


async def test_every_code_has_a_text_and_every_text_a_code(hass: HomeAssistant, words: Listening) -> None:
    said = [words.reasons([Reason(because, 1, 0.5, 2.0, 3)]) for because in Because]
    target = Target("cloud", "house-1")
    left_out = [LeftOut(target, why, cls=cls) for why in Why for cls in (None, *FailureClass)]
    said += [words.left_out(each) for each in left_out]
    said += [words.text("left_out_of", names="Cloud", text="Switched off")]
    said += [words.text("person_gone", id="8a1b2c"), words.text("nobody")]
    said += [sentence(words, kind, data) for kind, data in happenings()]
    rates = PriceSpan(Rates(fresh_in=1, text_out=2, requests=3, pictures=4))
    prices = [None, FREE, *(Prices((rates,), source, "2026-11-21") for source in ("user", LISTED, "A publication"))]
    said += [price_in_words(Model("m", prices=each), 0.0, words) for each in prices]
    for text in said:
        assert text is not None
        assert text == " ".join(text.split())
        assert "None" not in text
        assert "{" not in text
    there = {key for key in words._texts("common") if key.startswith(COMMON)}
    assert words.wanted <= there
    # Not every unit is counted in every window; that each that is has a name is shown where limits are told of.
    words.bucket(None, str)
    for scope in Scope:
        about = target_id(Target("cloud", "house-1")) if scope is Scope.TARGET else "any"
        for unit, window in product(Unit, Window):
            words.bucket(BucketKey(scope, about, window, unit), str)
    assert there <= words.wanted


async def test_figures_are_written_as_people_read_them(words: Listening) -> None:
    assert words.reasons((Reason(Because.PRIORITY, 3), Reason(Because.PROBING))) == "priority 3, being tried again"
    assert words.reasons((Reason(Because.EXPERIENCE, share=0.953, seconds=1.2345),)) == "95% good in about 1.23 s"
    assert words.reasons((Reason(Because.PRICE, price=to_picodollars("0.0000125")),)) == "about 0.000012 USD"
    assert words.reasons((Reason(Because.SHARE, share=1 / 3),)) == "share 33%"
    assert words.reasons(("as the plug-in says",)) == "as the plug-in says"
    assert words.reasons(()) is None


async def test_what_has_no_text_is_shown_as_its_code(words: Listening) -> None:
    assert (words.text("never_heard_of"), words.failure("brand_new")) == ("never heard of", "brand new")


@pytest.fixture
async def german(hass: HomeAssistant) -> None:
    await async_get_translations(hass, "de", "common", [DOMAIN])
    cache = _async_get_translations_cache(hass).cache_data.cache["de"]["common"]
    cache[DOMAIN] = {
        **cache[DOMAIN],
        f"{COMMON}reason_priority": "Rang {number}",
        f"{COMMON}left_out_not_asked_for": "Nicht gefragt",
        f"{COMMON}logbook_provider_recovered": "ist wieder da",
    }


@pytest.mark.usefixtures("german")
async def test_the_household_reads_its_own_language(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK, priority=4), demo(CLOUD, "Cloud", options=QUICK))
    hass.config.language = "de"
    reply = await call(hass, "process", prompt="Hi", provider="Attic")
    assert reply["route"]["reason"] == "Rang 4"
    assert [(each["reason"], each["detail"]) for each in reply["route"]["left_out"]] == [
        ("not_asked_for", "Nicht gefragt")
    ]
    told = await call(hass, "process", prompt="Hi", dry_run=True)
    assert [each["reason"] for each in told["targets"]] == ["Rang 4", "Rang 0"]
    assert sentence(Wording(hass), Kind.PROVIDER_RECOVERED, {"reason": None}) == "ist wieder da"


async def test_a_household_that_changes_its_language_reads_english_until_the_other_one_is_there(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic", options=QUICK, priority=4))
    await hass.config.async_update(language="fr")
    await hass.async_block_till_done()

    reply = await call(hass, "process", prompt="Hi")
    (left_out,) = (await call(hass, "process", prompt="Hi", max_cost=0, dry_run=True))["left_out"]

    assert reply["route"]["reason"] == "priority 4"
    assert left_out["detail"] == "Might cost more than the request may"
