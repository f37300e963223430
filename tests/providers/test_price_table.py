"""The shipped price table, and whose entry a name means."""

from datetime import UTC, datetime
from typing import Any

import pytest

from custom_components.ai_router.providers.price_spans import prices_of, rates_of, span_of
from custom_components.ai_router.providers.price_table import PriceTable
from custom_components.ai_router.routing.call import Usage
from custom_components.ai_router.routing.model import Capability
from custom_components.ai_router.routing.money import Prices, to_picodollars

TABLE = PriceTable.load()
NOW = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
MILLION = Usage(fresh_in=1_000_000, requests=0)


def at(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()


def prices(vendor: str, model_id: str) -> Prices:
    known = TABLE.find(vendor, model_id)
    assert known is not None
    assert known.prices is not None
    return known.prices


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor", "asked", "name"),
    [
        ("openai", "gpt-5-mini", "gpt-5-mini"),
        ("openai", "GPT-6-Luna", "gpt-6-luna"),
        ("openai", "openai/gpt-6-luna", "gpt-6-luna"),
        ("openai", "gpt-6-luna-2026-09-01", "gpt-6-luna"),
        ("openai", "gpt-6-luna-latest", "gpt-6-luna"),
        ("openai", "ft:gpt-4o-2024-08-06:home:butler:abc", "ft:gpt-4o-2024-08-06"),
        ("anthropic", "claude-haiku-5-5-20261007", "claude-haiku-5-5"),
        ("anthropic", "claude-haiku-5-5@20261007", "claude-haiku-5-5"),
        ("anthropic", "anthropic.claude-haiku-5-5-v1:0", "claude-haiku-5-5"),
        ("anthropic", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001"),
        ("gemini", "models/gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"),
        ("gemini", "gemini-2.5-flash-lite-001", "gemini-2.5-flash-lite"),
        ("cloudflare", "@cf/openai/gpt-oss-20b", "@cf/openai/gpt-oss-20b"),
        ("groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("xai", "x-ai/grok-4.7", "grok-4.7"),
    ],
)
def test_a_name_that_means_an_entry(vendor: str, asked: str, name: str) -> None:
    assert TABLE.name(vendor, asked) == name


@pytest.mark.parametrize(
    ("vendor", "asked"),
    [
        # Another size, another version, another family, another maker.
        ("openai", "gpt-5-tiny"),
        ("openai", "gpt-5.9"),
        ("openai", "gpt-6"),
        ("openai", "gpt-6-luna-mini"),
        ("openai", "gpt-6-luna-1234"),
        ("openai", "ft:gpt-6-luna:home"),
        ("anthropic", "claude-haiku-5"),
        ("anthropic", "gpt-6-luna"),
        ("gemini", "gemini-2.5-flash-8b"),
        ("gemini", "gemini-2.5"),
        ("groq", "gpt-oss-120b-turbo"),
        ("nobody", "gpt-6-luna"),
        (None, "gpt-6-luna"),
        ("openai", ""),
    ],
)
def test_a_name_that_means_none(vendor: str | None, asked: str) -> None:
    assert TABLE.name(vendor, asked) is None
    assert TABLE.find(vendor, asked) is None


def test_the_longest_name_wins() -> None:
    entry = {"source": "s", "date": "2026-01-01"}
    table = PriceTable({"made": "", "models": {"v": {"a": entry, "a-2026-01-01": entry}}})

    assert table.name("v", "a-2026-01-01-latest") == "a-2026-01-01"
    assert table.name("v", "a-2026-01-02") == "a"


@pytest.mark.parametrize(
    ("kind", "url", "vendor"),
    [
        ("openai", None, "openai"),
        ("anthropic", "http://127.0.0.1:1", "anthropic"),
        ("openai_compatible", "https://api.groq.com/openai/v1", "groq"),
        ("openai_compatible", "api.deepseek.com", "deepseek"),
        ("openai_compatible", "https://API.x.ai:443/v1", "xai"),
        ("openai_compatible", "http://192.168.1.2:8080/v1", None),
        ("openai_compatible", "https://api.groq.com.example.org/v1", None),
        ("openai_compatible", "http://[nonsense", None),
        ("ollama", "http://localhost:11434", None),
        ("demo", None, None),
    ],
)
def test_whose_models_a_provider_serves(kind: str, url: str | None, vendor: str | None) -> None:
    assert TABLE.vendor(kind, url) == vendor


# --- the shipped table ------------------------------------------------------------------------------


def test_every_entry_can_be_read_and_says_where_it_comes_from() -> None:
    asked = priced = 0
    for vendor, models in TABLE._vendors.items():
        for name, entry in models.items():
            known = TABLE.find(vendor, name)
            assert known is not None
            asked += 1
            if known.prices is None:
                continue
            priced += 1
            assert known.prices.source == entry["source"]
            assert datetime.fromisoformat(known.prices.as_of) <= datetime.fromisoformat(TABLE.made)
            # The general span comes first; nothing is free but what is said to be.
            first = known.prices.spans[0]
            assert (first.valid_from, first.above_input, first.hours, first.days) == (0, 0, (), ())
            assert known.prices.free == name.startswith("gemma-4"), (vendor, name)
            assert all(
                (span.rates.cache_read <= span.rates.dearest_input) and span.rates.text_out >= 0
                for span in known.prices.spans
            )
    assert asked > 400
    assert priced > 0.95 * asked


@pytest.mark.parametrize(
    ("vendor", "model_id", "usage", "dollars"),
    [
        ("openai", "gpt-6-luna", Usage(fresh_in=200_000, cache_read=50_000, text_out=1_000), "0.021"),
        ("openai", "gpt-6-luna", Usage(fresh_in=272_000), "0.0272"),
        # One more token, and all of it costs twice as much.
        ("openai", "gpt-6-luna", Usage(fresh_in=272_001), "0.0544002"),
        ("openai", "gpt-6.1-sol", Usage(cache_write_5m=1_000, cache_read=1_000, reasoning_out=1_000), "0.0126"),
        ("anthropic", "claude-haiku-5-5", Usage(cache_write_5m=1_000, cache_write_1h=1_000), "0.000325"),
        ("anthropic", "claude-haiku-5-5", Usage(fresh_in=100_001, text_out=1_000), "0.0525005"),
        ("gemini", "gemini-2.5-flash", Usage(audio_in=1_000, image_in=1_000), "0.0013"),
        ("gemini", "gemma-4-31b-it", Usage(fresh_in=1_000_000, text_out=1_000), "0"),
        ("cloudflare", "@cf/baai/bge-m3", Usage(fresh_in=1_000_000), "0.012"),
    ],
)
def test_what_is_known_to_cost(vendor: str, model_id: str, usage: Usage, dollars: str) -> None:
    assert prices(vendor, model_id).cost(usage, at(2026, 11, 21, 12)) == to_picodollars(dollars)


@pytest.mark.parametrize(
    ("vendor", "model_id", "when", "dollars"),
    [
        ("gemini", "gemini-4-argon", (2026, 11, 30, 23, 59), "2"),
        ("gemini", "gemini-4-argon", (2026, 12, 1), "4"),
        ("gemini", "gemini-3.8-flash", (2026, 12, 31), "0.75"),
        ("gemini", "gemini-3.8-flash", (2027, 1, 1), "1.5"),
        # Monday to Friday, 01:00 to 04:00 and 06:00 to 10:00 are dear.
        ("deepseek", "deepseek-flash", (2026, 11, 20, 0, 59), "0.15"),
        ("deepseek", "deepseek-flash", (2026, 11, 20, 1, 0), "0.3"),
        ("deepseek", "deepseek-flash", (2026, 11, 20, 4, 0), "0.15"),
        ("deepseek", "deepseek-flash", (2026, 11, 20, 9, 59), "0.3"),
        ("deepseek", "deepseek-flash", (2026, 11, 20, 23, 59), "0.15"),
        ("deepseek", "deepseek-flash", (2026, 11, 21, 9, 0), "0.15"),
        ("deepseek", "deepseek-flash", (2026, 11, 23, 9, 0), "0.3"),
    ],
)
def test_prices_that_depend_on_the_day_and_the_hour(
    vendor: str, model_id: str, when: tuple[int, ...], dollars: str
) -> None:
    assert prices(vendor, model_id).cost(MILLION, at(*when)) == to_picodollars(dollars)


REGIONS = ["https://eu.api.openai.com/v1", "us.api.openai.com", "HTTPS://JP.API.OpenAI.com./v1/responses"]


@pytest.mark.parametrize("kind", ["openai", "openai_compatible"])
@pytest.mark.parametrize("url", REGIONS)
def test_a_region_of_its_own_costs_a_tenth_more_for_newer_models(kind: str, url: str) -> None:
    vendor = TABLE.vendor(kind, url)
    assert vendor is not None
    used = Usage(fresh_in=1_000, cache_read=3, cache_write_5m=7, text_out=11, reasoning_out=13)
    for newer in ("gpt-6-luna", "gpt-5.4-mini", "gpt-5.5", "gpt-6-luna-2026-09-01"):
        for tokens in (used, Usage(fresh_in=300_000)):
            usual, there = prices("openai", newer).cost(tokens, NOW), prices(vendor, newer).cost(tokens, NOW)
            assert there * 10 == usual * 11
        assert prices(vendor, newer).source == prices("openai", newer).source
    for older in ("gpt-5-mini", "gpt-5.2", "gpt-4o", "text-embedding-3-small", "ft:gpt-4o-2024-08-06:home"):
        assert prices(vendor, older) == prices("openai", older)
    assert TABLE.find(vendor, "claude-haiku-5-5") is None
    # What it can do is the same everywhere.
    here, far = TABLE.find(vendor, "gpt-6-luna"), TABLE.find("openai", "gpt-6-luna")
    assert here is not None
    assert far is not None
    assert (here.caps, here.context, here.max_output) == (far.caps, far.context, far.max_output)


@pytest.mark.parametrize(
    "url", ["https://eu.api.openai.com.example.org/v1", "https://xx.api.openai.com", "http://[", ""]
)
def test_only_the_regions_are_dearer(url: str) -> None:
    assert TABLE.vendor("openai", url) == "openai"


def test_what_the_table_knows_besides() -> None:
    pro = TABLE.find("openai", "gpt-5.4-pro")
    assert pro is not None
    assert Capability.VISION in pro.caps
    assert pro.not_caps == Capability.STRUCTURED
    assert (pro.context, pro.max_output) == (1_050_000, 128_000)


# --- prices as text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spans",
    [
        [{"in": "0.15", "out": "0.6"}],
        [{"in": "0", "out": "0", "request": "0.01", "picture": "0.002", "search": "0.03"}],
        [{"in": "1", "out": "2", "write": "1.25", "write_1h": "2", "read": "0.1", "reasoning": "3", "image_out": "9"}],
        [{"in": "1", "out": "2"}, {"above": 200_000, "in": "2", "out": "3"}],
        [{"in": "1", "out": "2"}, {"from": "2026-12-01T00:00:00+00:00", "in": "2", "out": "3"}],
        [
            {"in": "1", "out": "2"},
            {"hours": [["00:00", "01:30"], ["22:00", "24:00"]], "days": [0, 6], "in": "2", "out": "3"},
        ],
    ],
)
def test_prices_survive_being_written(spans: list[dict[str, Any]]) -> None:
    read = prices_of(spans, "s", "2026-11-21")

    assert [span_of(span) for span in read.spans] == spans
    assert prices_of([span_of(span) for span in read.spans], "s", "2026-11-21") == read


def test_what_is_left_out_costs_as_much_as_what_it_is_a_kind_of() -> None:
    rates = rates_of({"in": "1", "out": "5", "write": "2"})

    assert rates.cache_read == rates.image_in == rates.audio_in == rates.fresh_in
    assert rates.cache_write_1h == rates.cache_write_5m == 2 * rates.fresh_in
    assert rates.reasoning_out == rates.image_out == rates.text_out == 5 * rates.fresh_in
