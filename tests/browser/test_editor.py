"""The card's place in the card picker, its visual editor, and what it says to a wrong setting."""

from typing import Any

from browsing import DASHBOARD, Tab, hang_up, signed_in
from household.boot import until
from household.house import House
from playwright.async_api import Browser, expect


async def stored(house: House) -> dict[str, Any]:
    """Return the last card of the dashboard as it is stored."""
    config = await house.ws("lovelace/config", url_path=DASHBOARD)
    return dict(config["views"][0]["sections"][0]["cards"][-1])


async def test_the_card_is_picked_set_and_stored(tab: Tab, house: House) -> None:
    await house.add_provider("demo", name="Attic", latency=0, input_price=0, output_price=0)
    await hang_up(house, {"type": "heading", "heading": "Mine"})
    page = tab.page
    await page.goto(f"{tab.url}/{DASHBOARD}?edit=1")
    await page.locator("hui-section .add, hui-grid-section .add").first.click()

    await page.get_by_role("tab", name="By card").click()
    picker = page.locator("hui-card-picker")
    await picker.locator("input").first.fill("AI Router")
    offer = picker.locator(".card", has_text="AI Router").first
    await expect(offer.locator("ai-router-card .providers")).to_contain_text("Attic")  # a preview, with real figures
    await offer.click()

    editor = page.locator("hui-card-element-editor ha-form").first
    preview = page.locator("hui-dialog-edit-card ai-router-card")
    await expect(preview.locator("h2")).to_have_text("AI Router")
    await editor.locator("input").first.fill("Who answers")
    await expect(preview.locator("h2")).to_have_text("Who answers")
    await expect(editor).to_contain_text("The others are one click away")
    switches = editor.get_by_role("switch")
    await expect(switches).to_have_count(3)
    await switches.last.focus()
    await page.keyboard.press("Space")
    await expect(preview.locator(".answers")).to_have_count(0)
    await page.get_by_role("button", name="Save").click()

    async def is_stored() -> bool:
        return (await stored(house))["type"] == "custom:ai-router-card"

    await until(is_stored, 20)
    card = await stored(house)
    assert (card["title"], card["show_answers"]) == ("Who answers", False)


WRONG = {
    "title must be text.": {"title": 5},
    "show_spend must be true or false.": {"show_spend": "perhaps"},
    "max_providers must be a whole number from 1 to 100.": {"max_providers": 0},
    "max_answers must be a whole number from 1 to 20.": {"max_answers": [2.5]},
}


async def test_a_wrong_setting_is_named_and_costs_nobody_the_card(tab: Tab, house: House) -> None:
    await house.add_provider("demo", name="Garage", latency=0, input_price=0, output_price=0)
    older = {"title": None, "max_answers": None, "show_graph": {"of": "an older version"}, "card_mod": {"style": ""}}
    nothing = {"show_spend": False, "show_providers": False, "show_answers": False}
    cards = [{"type": "custom:ai-router-card", **each} for each in (*WRONG.values(), older, nothing)]
    await hang_up(house, *cards)
    await tab.open()
    shown = tab.page.locator("ai-router-card")
    await expect(shown).to_have_count(6)
    for number, complaint in enumerate(WRONG):
        await expect(shown.nth(number).locator(".notice")).to_contain_text(complaint)
        await expect(shown.nth(number).locator(".providers")).to_contain_text("Garage")
    await expect(shown.nth(4).locator("h2")).to_have_text("AI Router")
    await expect(shown.nth(4).locator(".providers")).to_contain_text("Garage")
    await expect(shown.nth(4).locator(".notice")).to_have_count(0)
    await expect(shown.nth(5)).to_contain_text("Nothing is chosen to be shown")

    # Where it is edited, it is said too, and the YAML is there to mend it.
    await tab.page.goto(f"{tab.url}/{DASHBOARD}?edit=1")
    await tab.page.locator("hui-card-edit-mode").nth(1).click()
    editor = tab.page.locator("hui-card-element-editor")
    await expect(editor).to_contain_text("show_spend must be true or false.")
    await expect(editor.locator("ha-yaml-editor")).to_be_visible()


async def test_what_is_set_is_what_is_shown(tab: Tab, house: House) -> None:
    for number in range(3):
        await house.add_provider("demo", name=f"Server {number}", latency=0, input_price=0, output_price=0)
        await house.process(prompt="Hello", label=f"question {number}")
    await hang_up(house, {"type": "custom:ai-router-card", "show_spend": False, "max_providers": 2, "max_answers": 1})
    card = await tab.open()

    await expect(card.locator(".providers li")).to_have_count(2)
    await expect(card.locator(".answers li")).to_have_count(1)
    await expect(card.locator(".answers li")).to_contain_text("question 2")
    await expect(card.locator(".spend")).to_have_count(0)


async def test_it_is_suggested_for_entities_of_ours_only(tab: Tab, house: House) -> None:
    await hang_up(house)
    await tab.open()
    suggested = """entity => window.customCards.find(card => card.type === "ai-router-card")
        .getEntitySuggestion(document.querySelector("home-assistant").hass, entity)"""

    own = {"config": {"type": "custom:ai-router-card"}}
    assert await tab.page.evaluate(suggested, "sensor.attic_health") == own
    assert await tab.page.evaluate(suggested, "sun.sun") is None
    assert await tab.page.evaluate(suggested, "sensor.not_there") is None


async def test_two_cards_share_one_subscription(tab: Tab, house: House) -> None:
    sent, _ = tab.listen()
    card = {"type": "custom:ai-router-card"}
    await hang_up(house, card, card)
    await tab.open()

    await expect(tab.page.locator("ai-router-card .providers")).to_have_count(2)
    assert sum(frame.count("ai_router/subscribe") for frame in sent) == 1


async def test_numbers_are_written_as_the_user_writes_them(browser: Browser, house: House) -> None:
    await hang_up(house)
    async with signed_in(browser, house) as tab:
        await tab.page.add_init_script("localStorage.setItem('selectedLanguage', '\"de\"')")
        card = await tab.open()
        await expect(card.locator("[data-window=day] .amount")).to_have_text("0,00\u00a0$")
        await expect(card.locator(".providers .today").first).to_contain_text("0,00\u00a0$")
