"""A walk through every form in a real browser: the set-up, each kind of provider, pools, rules, options, and changing them.

With `AI_ROUTER_SCREENSHOTS` it leaves a picture of each; `scripts/take_screenshots` puts the ones the docs show there.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping

import pytest
from household.house import House, opened
from playwright.async_api import expect
from walking import ENGLISH, ROOT, SLOW, Walk, running

from custom_components.ai_router.providers.presets import PRESETS
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.brands import BRANDS
from tests.fakes.cloudflare import ACCOUNT, FakeCloudflare
from tests.fakes.gemini import FakeGemini
from tests.fakes.ollama import FakeOllama
from tests.fakes.openai import FakeResponses
from tests.fakes.openai_compatible import FakeOpenAI
from tests.fakes.server import TEXT, FakeServer

# Tests build on each other: a household is set up and grows.

KEY = "sk-walk-0123456789"
WRONG_KEY = "sk-wrong-0123456789"
ORACLE = "Kitchen oracle"
OLLAMA_PORT = 11434
KINDS: Mapping[str, str] = ENGLISH["selector"]["kind"]["options"]
PRESET = "openrouter"
SERVERS: Mapping[str, Callable[..., FakeServer]] = {
    "openai": FakeResponses,
    "anthropic": FakeAnthropic,
    "gemini": FakeGemini,
    "ollama": FakeOllama,
    "cloudflare": FakeCloudflare,
    "openai_compatible": FakeOpenAI,
    PRESET: BRANDS[PRESET],
}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A Home Assistant with its first user and another integration that has an AI Task entity."""
    components = tmp_path_factory.mktemp("components")
    (components / "ai_router").symlink_to(ROOT / "custom_components" / "ai_router")
    (components / "oracle").symlink_to(ROOT / "tests" / "plug_ins" / "custom_components" / "oracle")
    folder = tmp_path_factory.mktemp("house")
    oracle = {
        **dict.fromkeys(("unique_id", "disabled_by"), None),
        **dict.fromkeys(("pref_disable_new_entities", "pref_disable_polling"), False),
        **dict.fromkeys(("created_at", "modified_at"), "2026-11-01T00:00:00+00:00"),
        **dict.fromkeys(("version", "minor_version"), 1),
        "options": {},
        "discovery_keys": {},
        "entry_id": "oracle",
        "domain": "oracle",
        "title": "Oracle",
        "source": "user",
        "subentries": [],
        "data": {"oracles": {ORACLE: 1}},
    }
    stored = {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [oracle]}}
    (folder / ".storage").mkdir()
    (folder / ".storage" / "core.config_entries").write_text(json.dumps(stored), encoding="utf-8")
    async with opened(folder, components) as house:
        yield house


# --- the set-up ----------------------------------------------------------------------------------


async def test_first_set_up_offers_what_the_house_has(walk: Walk, house: House) -> None:
    await walk.go("config/integrations/dashboard/add?domain=ai_router")
    await walk.press("OK")
    said = await walk.form("set-up-without", "Set up AI Router", "picks a provider", "Add AI Task entities")
    assert "Ollama at" not in said, f"an Ollama runs on this machine: port {OLLAMA_PORT} is its"
    await walk.close()

    async with running(FakeOllama(), OLLAMA_PORT):
        await walk.go("config/integrations/dashboard/add?domain=ai_router")
        await walk.press("OK")
        await walk.form("set-up", "Add the Ollama at http://127.0.0.1:11434", "models answers there")
        offer = walk.dialog.get_by_role("switch", name="Add the Ollama")
        await expect(offer).to_be_checked()
        await walk.press("Submit")
        await walk.finish("set-up-done", "Name and assign", "Ollama")
        await walk.integration()
        await expect(walk.row("Ollama")).to_be_visible(timeout=SLOW)
        assert (await house.process(prompt="Hello"))["provider"] == "Ollama"


async def test_the_list_of_kinds_is_whole(walk: Walk) -> None:
    await walk.add("provider")
    await walk.form("kind", "Add a provider", "It cannot be changed later")
    await walk.dialog.get_by_role("button", name="Kind").click()
    names = await walk.dialog.locator("ha-dropdown-item").all_inner_texts()
    assert {name.strip() for name in names} == set(KINDS.values())
    await walk.look("kinds")


# --- each kind -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_server_is_added_and_answers(walk: Walk, house: House, kind: str) -> None:
    name = f"My {KINDS[kind]}"
    async with running(SERVERS[kind](key=None if kind == "ollama" else KEY)) as server:
        await walk.add_provider(KINDS[kind])
        said = await walk.form(f"kind-{kind}", "before anything is stored", "Key", "Address")
        assert said.index('"Name') < said.index("Key") < said.index('"Next"')
        await walk.fill(Name=name, Address=server.url)
        if kind == "cloudflare":
            await walk.fill(Account_ID=ACCOUNT)
        if kind != "ollama":
            await walk.fill(Key=KEY)
        await walk.press("Next")
        await walk.form(f"models-{kind}", "the router may ask", "Models")
        await walk.press("Submit")
        await walk.finish(f"added-{kind}", name)
        await expect(walk.row(name)).to_be_visible(timeout=SLOW)
        reply = await house.process(prompt="Is there a package at the door?", provider=name)
        assert (reply["provider"], reply["text"]) == (name, TEXT)


async def test_the_form_of_a_brand_knows_where_it_is(walk: Walk) -> None:
    assert KINDS.keys() == SERVERS.keys() | PRESETS.keys() | {"ai_task", "demo"}, "a kind that nobody walks through"
    for brand in PRESETS.keys() - SERVERS.keys():
        await walk.add_provider(KINDS[brand])
        await walk.form(f"kind-{brand}", "before anything is stored")
        await expect(walk.box("Name")).to_have_value(PRESETS[brand].name)
        await expect(walk.box("Address")).to_have_value(PRESETS[brand].url or "")
        await walk.close()


async def test_a_wrong_key_and_a_wrong_address_are_told_beside_their_fields(walk: Walk) -> None:
    async with running(FakeOpenAI(key=KEY)) as server:
        await walk.add_provider(KINDS["openai_compatible"])
        await walk.form("kind-empty", "Additional headers", "Additional fields")
        await walk.fill(Name="Library", Address="http://127.0.0.1:9", Key=WRONG_KEY)
        await walk.press("Next")
        await walk.form("no-server", "No server answers at this address")
        await walk.fill(Address=server.url)
        await walk.press("Next")
        said = await walk.form("key-rejected", "does not accept this key")
        assert WRONG_KEY not in said
        await walk.fill(Key=KEY)
        await walk.press("Next")
        await walk.form("models", "the router may ask")
        await walk.unfold("Priority, limits and budgets")
        said = await walk.form("limits", "is asked first", "Requests per minute")
        assert said.index("Priority") < said.index("Budget per day") < said.index("Requests per minute")
        await walk.fill(Priority="7", Budget_per_day="2")
        await walk.press("Submit")
        await walk.finish("added", "Library")
    await expect(walk.row("Library")).to_be_visible(timeout=SLOW)


async def test_an_entity_of_another_integration_is_added_and_answers(walk: Walk, house: House) -> None:
    await walk.add_provider(KINDS["ai_task"])
    await walk.form("kind-ai_task", "AI Task entity", "In the house", "Price of a call")
    await walk.fill(Name="Oracle", Price_of_a_call="0")
    await walk.choose("AI Task entity", ORACLE)
    await walk.press("Submit")
    await walk.finish("added-ai_task", "Oracle")
    await expect(walk.row("Oracle")).to_be_visible(timeout=SLOW)
    assert (await house.process(prompt="Hello", provider="Oracle"))["text"] == f"{ORACLE} has spoken"


async def test_a_simulated_provider_is_added_and_answers(walk: Walk, house: House) -> None:
    await walk.add_provider(KINDS["demo"])
    await walk.form("kind-demo", "sends nothing anywhere", "Latency", "Success rate")
    await walk.fill(Name="Attic", Latency="0", Price_of_input="500")
    await walk.press("Submit")
    await walk.form("price-missing", "Enter both prices")
    await walk.fill(Price_of_output="1500")
    await walk.press("Submit")
    await walk.finish("added-demo", "Attic")
    assert (await house.process(prompt="Hello", provider="Attic"))["cost"]["amount"] > 0


# --- changing ------------------------------------------------------------------------------------


async def test_one_model_gets_a_price(walk: Walk) -> None:
    await walk.change("Attic", "provider")
    await walk.form("reconfigure", "What do you want to change?")
    await walk.menu("Prices and abilities of one model")
    await walk.form("choose-model", "Which model?")
    await walk.press("Next")
    await walk.form("model", "now costs 500 USD for a million tokens read", "Prices", "Abilities", "Sizes")
    await walk.unfold("Abilities")
    await walk.form("model-abilities", "Whether it sees pictures")
    await walk.fill(Price_of_input="2", Price_of_output="8")
    await walk.press("Submit")
    await walk.finish("model-stored", "successful")

    await walk.change("Attic", "provider")
    await walk.menu("Prices and abilities of one model")
    await walk.press("Next")
    await walk.form("model-again", "now costs 2 USD for a million tokens read and 8 USD")
    await walk.close()


async def test_a_provider_is_renamed(walk: Walk, house: House) -> None:
    await walk.change("Attic", "provider")
    await walk.menu("Address, key, models and limits")
    await walk.form("reconfigure-provider", "Latency")
    await walk.fill(Name="Loft")
    await walk.press("Submit")
    await walk.finish("provider-changed", "successful")
    await expect(walk.row("Loft")).to_be_visible(timeout=SLOW)
    await expect(walk.row("Attic")).to_have_count(0)
    assert (await house.process(prompt="Hello", provider="Loft"))["provider"] == "Loft"


async def test_a_pool_is_added_and_changed(walk: Walk, house: House) -> None:
    await walk.add("pool")
    await walk.form("pool-empty", "Members", "Strategy", "Fallback pool")
    await walk.fill(Name="Everyday")
    for chosen in await walk.dialog.get_by_role("button", name="Remove").all():
        await chosen.click()  # the form begins with the first one that there is
    await walk.pick("Members", ["Loft", "Oracle"])
    await walk.choose("Strategy", "By weight")
    await walk.form("pool", "Loft", "By weight")
    await walk.press("Submit")
    await walk.form("pool-weights", "gets twice as many", "Loft", "Oracle")
    await walk.fill(Oracle="0")
    await walk.press("Submit")
    await walk.finish("pool-added", "Everyday")
    await expect(walk.row("Everyday")).to_contain_text("Pool")
    assert (await house.process(prompt="Hello", pool="Everyday"))["provider"] == "Loft"

    await walk.change("Everyday", "pool")
    await walk.form("reconfigure-pool", "Change the pool", "Loft")
    await walk.fill(Name="Weekend")
    await walk.press("Submit")
    await walk.form("pool-weights-again", "Oracle")
    await walk.fill(Loft="0", Oracle="1")
    await walk.press("Submit")
    await walk.finish("pool-changed", "successful")
    await expect(walk.row("Weekend")).to_be_visible(timeout=SLOW)
    assert (await house.process(prompt="Hello", pool="Weekend"))["provider"] == "Oracle"


async def test_a_rule_is_added_and_changed(walk: Walk, house: House) -> None:
    await walk.add("rule")
    await walk.form("rule", "Which requests", "What holds for them", "A time of day")
    await walk.fill(Name="Long prompts")
    await walk.press("Submit")
    await walk.form("rule-empty", "Fill in at least one field that says which requests are meant")
    await walk.fill(Tokens_from="200")
    await walk.pick("Providers", ["Loft"])
    await walk.press("Submit")
    await walk.finish("rule-added", "Long prompts")
    await expect(walk.row("Long prompts")).to_contain_text("Rule")
    prompt = "A long story, with many words in it. " * 40
    reply = await house.process(prompt=prompt)
    assert (reply["provider"], reply["route"]["rule"]) == ("Loft", "Long prompts")

    await walk.change("Long prompts", "rule")
    await walk.form("reconfigure-rule", "Change the rule", "Loft")
    await walk.turn("In force")
    await walk.press("Submit")
    await walk.finish("rule-changed", "successful")
    assert (await house.process(prompt=prompt, pool="Weekend"))["route"]["rule"] is None


async def test_the_options_begin_with_what_is_set_or_with_a_preset(walk: Walk) -> None:
    await walk.integration()
    await walk.press("Configure")
    await walk.form("options", "My settings", "Begin with balanced", "Begin with careful", "nothing is stored before")
    await walk.menu("Begin with careful")
    await walk.form("options-careful", "The cheapest")
    await walk.unfold("Money")
    await walk.unfold("Routing")  # which is open at first, and stands above
    await expect(walk.box("Budget per month")).to_have_value("5")
    await walk.form("options-money", "Budget per month", "Warn at", "Calls of unknown price")
    await walk.close()

    await walk.press("Configure")
    await walk.menu("My settings")
    await walk.form("options-settings", "By priority")
    for section in ("Privacy and rights", "People and labels", "Cache", "Health", "Data and details"):
        await walk.unfold(section)
    await walk.form("options-whole", "Only these people may ask", "Delete data when removed")
    await walk.close()

    await walk.press("Configure")
    await walk.menu("Begin with balanced")
    await walk.form("options-balanced", "By priority")
    await walk.press("Submit")
    await walk.finish("options-stored", "Success")
    await walk.press("Configure")
    await walk.menu("My settings")
    await walk.unfold("Money")
    await expect(walk.box("Budget per month")).to_have_value("20")
    await walk.close()
