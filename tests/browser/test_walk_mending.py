"""A walk through a household that is furnished: its pages and dashboard, and everything that somebody has to mend."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, signed_in
from household import forms
from household.furnish import DASHBOARD, FIRST, SECOND, furnish
from household.house import House, opened
from playwright.async_api import Browser, expect
from walking import ROOT, SLOW, Walk, running

from tests.fakes.faults import Fault, How
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI

# Tests build on each other: what is pictured while all is well breaks afterwards.

KEY, NEW_KEY, WRONG_KEY = "sk-mend-0123456789", "sk-mend-new-0123456789", "sk-mend-wrong-0123456789"
STRONG, LIBRARY, STUDY, POOL, RULE = "Strong cloud", "Library", "Study", "Vision", "Doorbell"
NO_CREDIT = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
RETIRED = {"error": {"message": f"The model {CHAT_MODEL} does not exist.", "code": "model_not_found"}}


@pytest.fixture(scope="module")
async def library() -> AsyncGenerator[FakeOpenAI]:
    """A server with a key, whose prices nobody knows."""
    async with running(FakeOpenAI(key=KEY)) as server:
        yield server


@pytest.fixture(scope="module")
async def study() -> AsyncGenerator[FakeOpenAI]:
    """Another one."""
    async with running(FakeOpenAI(key=KEY)) as server:
        yield server


@pytest.fixture(scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory, library: FakeOpenAI, study: FakeOpenAI
) -> AsyncGenerator[House]:
    """The demo's household with a third provider, a pool, a rule and a budget; two servers with keys."""
    async with opened(tmp_path_factory.mktemp("house"), ROOT / "custom_components") as house:
        await house.add_router()
        prices = {"input_price": 100, "output_price": 300}
        await house.add_provider(
            "demo", name=STRONG, latency=1.2, priority=5, requests_per_minute=60, local=False, **prices
        )
        await furnish(house, lambda _: None)
        entry_id = await house.router()
        (strong,) = (row["subentry_id"] for row in await house.subentries(entry_id) if row["title"] == STRONG)
        pool = {"name": POOL, "members": [strong]}
        await forms.complete(house, forms.SUBENTRY_FLOW, [entry_id, "pool"], pool)
        (vision,) = (row["subentry_id"] for row in await house.subentries(entry_id) if row["title"] == POOL)
        rule = {"name": RULE, "labels": ["doorbell"], "pool": vision}
        await forms.complete(house, forms.SUBENTRY_FLOW, [entry_id, "rule"], rule)
        await forms.complete(house, forms.OPTIONS_FLOW, entry_id, {"menu": "balanced"})
        yield house


async def asked(house: House, provider: str) -> bool:
    """Ask a provider, and say whether it answered."""
    status, _ = await house.service("ai_router", "process", {"prompt": "Hello", "provider": provider})
    return status == 200


# --- pages and pictures --------------------------------------------------------------------------


async def test_the_pages_of_the_devices(walk: Walk, house: House) -> None:
    for label in ("morning report", "doorbell", "news", "shopping list", "doorbell"):
        await house.process(prompt=f"Tell me all about the {label}, in one sentence for each thing.", label=label)
    devices = {device["name"]: device["id"] for device in await house.devices(await house.router())}
    pages = {
        "AI Router": ("Cost today", "Cost this month", "Requests today", "Strategy", "Local only", "Clear cache"),
        SECOND: ("Cost today", "Health", "Circuit breaker", "Latency", "Success rate", "Enabled", "Priority"),
        POOL: ("Cost today", "Requests today"),
    }
    for name, words in pages.items():
        await walk.go(f"config/devices/device/{devices[name]}", name)
        page = walk.page.locator("ha-config-device-page")
        for word in words:
            await expect(page).to_contain_text(word, timeout=SLOW)
        await walk.look(f"device-{name.lower().replace(' ', '-')}")
    await walk.integration()
    for name in (FIRST, SECOND, STRONG, POOL, RULE):
        await expect(walk.row(name)).to_be_visible(timeout=SLOW)
    await walk.look("integration")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_dashboard(
    browser: Browser, house: House, shots: Path | None, dark: bool, viewport: dict[str, int]
) -> None:
    async with signed_in(browser, house, dark=dark, viewport=viewport, device_scale_factor=2) as tab:
        walk = Walk(tab, shots)
        card = await tab.open(DASHBOARD)
        await expect(card.locator(".providers li")).to_have_count(3)
        await expect(card.locator(".answers .why").first).to_contain_text(re.compile(f"Rule {RULE}.*Pool {POOL}"))
        await expect(card.locator(".answers li").nth(1)).to_contain_text(f"{FIRST} failed before")
        name = f"{viewport['width']}-{'dark' if dark else 'light'}"
        await walk.picture(f"dashboard-{name}")
        await walk.look(f"dashboard-card-{name}", card)


# --- what somebody has to mend -------------------------------------------------------------------


async def test_two_rejected_keys_are_asked_for_again_in_turn(
    walk: Walk, house: House, library: FakeOpenAI, study: FakeOpenAI
) -> None:
    for name, server in ((LIBRARY, library), (STUDY, study)):
        await house.add_provider("openai_compatible", name=name, url=server.url, api_key=KEY, models=[CHAT_MODEL])
        server.key = NEW_KEY
        assert not await asked(house, name)

    for name in (LIBRARY, STUDY):
        await walk.go("config/integrations/dashboard")
        card = walk.page.locator("ha-config-flow-card")
        await expect(card).to_contain_text(name, timeout=SLOW)
        await expect(card).to_have_count(1)
        await walk.look(f"reauthentication-offer-{name.lower()}")
        await walk.press("Reconfigure")
        await walk.form(f"reauthentication-{name.lower()}", f"New key for {name}", "All other providers go on")
        await walk.fill(Key=WRONG_KEY)
        await walk.press("Submit")
        assert WRONG_KEY not in await walk.form("reauthentication-rejected", "does not accept this key")
        await walk.fill(Key=NEW_KEY)
        await walk.press("Submit")
        await walk.finish("reauthentication-done", "successful")
        assert await asked(house, name)
    await expect(walk.page.locator("ha-config-flow-card")).to_have_count(0)


async def mend(walk: Walk, title: str, name: str, *words: str, **fields: str) -> None:
    """Follow an issue from the list to its end."""
    await walk.go("config/integrations/dashboard")
    await walk.go("config/repairs", title)
    await walk.look(f"repairs-{name}")
    await walk.page.get_by_text(title).first.click(timeout=SLOW)
    await walk.form(f"repair-{name}", *words)
    for label, text in fields.items():
        await (walk.choose(label, text) if label == "Model" else walk.fill(**{label: text}))
    await walk.press("Submit")
    await walk.finish(f"repaired-{name}", "repaired")
    await expect(walk.page.get_by_text(title)).to_have_count(0, timeout=SLOW)


async def test_a_price_that_is_not_known_is_entered(walk: Walk, house: House) -> None:
    title = f"The price of {CHAT_MODEL} at {LIBRARY} is not known"
    fields = {"Price_of_input": "1", "Price_of_output": "2"}
    await walk.go("config/repairs", title)
    await walk.page.get_by_text(title).first.click(timeout=SLOW)
    await walk.form("price-empty", "Price of input")
    await expect(walk.box("Price of input")).to_have_value("")  # nothing is free by a click
    await walk.press("Submit")
    await walk.form("price-missing", "Enter each price. Only 0 is free.")
    await walk.close()
    await mend(walk, title, "price_unknown", "counted with a fixed amount", **fields)
    reply = await house.process(prompt="Hello", provider=LIBRARY)
    assert reply["cost"]["amount"] > 0
    assert not reply["cost"]["estimated"]


async def test_a_rejected_key_is_mended_where_repairs_are(walk: Walk, house: House, study: FakeOpenAI) -> None:
    study.key = KEY
    assert not await asked(house, STUDY)
    await mend(walk, f"The key of {STUDY} is rejected", "key_rejected", "all other providers go on", Key=KEY)
    assert await asked(house, STUDY)


async def test_an_account_without_credit_is_used_again(walk: Walk, house: House, library: FakeOpenAI) -> None:
    library.fault = Fault(How.REFUSE, status=429, body=NO_CREDIT)
    assert not await asked(house, LIBRARY)
    library.fault = None
    await mend(walk, f"{LIBRARY} has no credit", "no_credit", LIBRARY)
    assert await asked(house, LIBRARY)


async def test_a_retired_model_gets_a_successor(walk: Walk, house: House, library: FakeOpenAI) -> None:
    library.fault = Fault(How.REFUSE, status=404, body=RETIRED)
    assert not await asked(house, LIBRARY)
    library.fault = None
    title = f"{LIBRARY} does not have {CHAT_MODEL} any more"
    await mend(walk, title, "model_retired", "takes its place", Model=VISION_MODEL)
    assert (await house.process(prompt="Hello", provider=LIBRARY))["model"] == VISION_MODEL


async def test_a_budget_is_raised(walk: Walk, house: House) -> None:
    await forms.complete(
        house, forms.OPTIONS_FLOW, await house.router(), {"menu": "settings", "budget_day": 0.001, "max_cost": 1}
    )
    assert not await asked(house, STRONG)
    title = "AI Router has used up its budget per day"
    await mend(walk, title, "budget_reached", "0.001 USD per day", Budget_per_day="20")
    assert await asked(house, STRONG)
