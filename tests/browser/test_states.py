"""Every state of the card on a real Home Assistant, from an empty router to one that is over its budget."""

import re
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, Tab, hang_up, signed_in
from household import forms
from household.boot import until
from household.house import House
from playwright.async_api import Browser, WebSocketRoute, expect
from servers import fake

# Tests build on each other: a household grows from nothing to fifty providers.

XSS = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
PRICE = 1_000_000  # dollars per million tokens, so a dollar a token


async def test_a_router_without_providers_says_what_to_do(tab: Tab) -> None:
    card = await tab.open()

    await expect(card.locator(".empty")).to_contain_text("No provider yet")
    link = card.get_by_role("link", name="Open settings")
    await link.click()
    await expect(tab.page).to_have_url(re.compile("/config/integrations/integration/ai_router"))


async def test_who_is_no_admin_is_not_sent_to_the_settings(browser: Browser, house: House) -> None:
    async with signed_in(browser, house.reader) as tab:
        card = await tab.open()

        await expect(card.locator(".empty")).to_contain_text("administrator")
        await expect(card.get_by_role("link")).to_have_count(0)


async def test_while_it_waits_for_the_router_it_is_loading(tab: Tab) -> None:
    held: list[str | bytes] = []
    servers: list[WebSocketRoute] = []

    def relay(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        servers.append(server)

        def pass_on(message: str | bytes) -> None:
            # What comes later waits too: Home Assistant wants the numbers of messages to grow.
            (held.append if held or "ai_router/subscribe" in str(message) else server.send)(message)

        route.on_message(pass_on)

    await tab.page.route_web_socket(re.compile("/api/websocket"), relay)
    card = await tab.open()

    await expect(card.locator(".loading")).to_have_attribute("aria-busy", "true")
    await expect(card.get_by_text("Loading…")).to_be_attached()

    for message in held:
        servers[-1].send(message)
    await expect(card.locator(".empty")).to_contain_text("No provider yet")


async def test_the_first_provider_comes_without_a_reload_of_the_page(tab: Tab, house: House) -> None:
    card = await tab.open()
    await expect(card.locator(".empty")).to_be_visible()

    await house.add_provider("demo", name="Attic", latency=0, input_price=0, output_price=0, requests_per_minute=60)

    rows = card.locator(".providers li")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Attic")
    await expect(rows).to_contain_text("not used yet")
    await expect(rows).to_contain_text("Circuit breaker: Closed")
    await expect(rows.locator(".rate")).to_contain_text("0 of 60")
    await expect(card.locator(".answers")).to_contain_text("Nothing asked since")
    await expect(card.locator("[data-window=day] .amount")).to_have_text("$0.00")
    await expect(card.locator("[data-window=month]")).to_contain_text("no budget")


async def test_a_request_shows_within_two_seconds(tab: Tab, house: House) -> None:
    card = await tab.open()
    await expect(card.locator(".providers li")).to_have_count(1)

    await house.process(prompt="Hello", label="front door")

    answer = card.locator(".answers li").first
    await expect(answer).to_contain_text("front door", timeout=2_000)
    await expect(answer.locator(".who-gave")).to_contain_text("Attic · demo-chat")
    await expect(answer.locator(".why")).not_to_be_empty()
    await expect(card.locator(".head.top")).to_contain_text("1 request today")
    await expect(card.locator(".providers li")).to_contain_text("Healthy")
    await expect(card.locator(".providers .rate")).to_contain_text("1 of 60")


async def test_the_page_follows_the_entry_when_it_is_disabled_and_enabled(tab: Tab, house: House) -> None:
    card = await tab.open()
    entry_id = await house.router()

    await house.ws("config_entries/disable", entry_id=entry_id, disabled_by="user")
    await expect(card.locator(".empty")).to_contain_text("AI Router is not set up")

    await house.ws("config_entries/disable", entry_id=entry_id, disabled_by=None)
    await expect(card.locator(".providers li")).to_have_count(1)
    await expect(card.locator(".answers li")).to_contain_text("front door")


async def test_the_page_follows_home_assistant_through_a_restart(tab: Tab, house: House) -> None:
    _, got = tab.listen()
    card = await tab.open()
    await house.restart()

    await expect(card.locator(".answers")).to_contain_text("Nothing asked since", timeout=60_000)
    await expect(card.locator(".providers li")).to_have_count(1)
    await house.process(prompt="Hello", label="after the restart")
    await expect(card.locator(".answers li")).to_have_count(1)
    assert sum(frame.count('"label":"after the restart"') for frame in got) == 1  # it listens once, not twice
    # The browser tells of every try to reach a server that is away.
    tab.errors[:] = [error for error in tab.errors if not re.search("net::ERR_CONNECTION|Failed to fetch", error)]


async def test_an_answer_tells_who_failed_before(tab: Tab, house: House) -> None:
    card = await tab.open()
    await house.add_provider(
        "demo", name="Broken", latency=0, success_rate=0, priority=50, input_price=0, output_price=0
    )
    await expect(card.locator(".providers li")).to_have_count(2)
    await house.process(prompt="Hello")

    answer = card.locator(".answers li").first
    await expect(answer.locator(".who-gave")).to_contain_text("Attic")
    await expect(answer.locator(".why")).to_contain_text("Broken failed before: Server error")


async def test_a_row_tells_what_is_used_of_each_limit_there_is(tab: Tab, house: House) -> None:
    free = {"latency": 0, "input_price": 0, "output_price": 0, "priority": 0}
    await house.add_provider("demo", name="Words", tokens_per_minute=12_000, **free)
    await house.add_provider("demo", name="Both", tokens_per_minute=5_000, requests_per_minute=5, **free)
    await house.add_provider("demo", name="Boundless", **free)
    card = await tab.open()
    rates = {
        name: card.locator(".providers li", has_text=name).locator(".rate") for name in ("Words", "Both", "Boundless")
    }

    await expect(rates["Words"]).to_contain_text("0 of 12K tokens")
    await expect(rates["Words"].get_by_role("meter")).to_have_count(1)
    await expect(rates["Both"].locator(".number")).to_have_text(["0 of 5", "0 of 5K tokens"])
    await expect(rates["Boundless"].locator(".number")).to_have_text(["0"])

    await house.process(prompt="one two three", provider="Both")

    await expect(rates["Both"].locator(".number")).to_have_text(["1 of 5", re.compile(r"^[1-9]\d? of 5K tokens$")])
    await expect(rates["Both"].get_by_role("meter")).to_have_count(2)
    await remove(house, "Words", "Both", "Boundless")


async def test_who_is_ill_comes_first_and_says_why(tab: Tab, house: House) -> None:
    async with fake("ollama") as server:
        await house.add_provider("ollama", name="Cellar", url=server.url, priority=1)
    card = await tab.open()
    row = card.locator(".providers li", has_text="Cellar")

    async def is_open() -> bool:
        await house.service("ai_router", "process", {"prompt": "Hello", "provider": "Cellar", "timeout": 2})
        return await row.get_by_text("Circuit breaker: Open").is_visible()

    await until(is_open, 60)
    await expect(row).to_contain_text(re.compile(r"Unhealthy · \w+"))
    await expect(card.locator(".providers li").first).to_contain_text("Cellar")
    await expect(card.locator(".providers .head")).to_contain_text(re.compile("needs? attention"))


async def test_who_gets_no_answer_is_told_in_words(tab: Tab, house: House) -> None:
    card = await tab.open()

    status, _ = await house.service("ai_router", "process", {"prompt": "Hello", "provider": "Broken"})

    assert status != 200
    answer = card.locator(".answers li").first
    await expect(answer).to_contain_text("Failed: ")
    await expect(answer.locator(".who-gave")).to_contain_text(re.compile("down|failed"))


async def test_names_of_any_kind_stay_text(tab: Tab, house: House) -> None:
    await house.add_provider("demo", name=XSS, latency=0, priority=90, input_price=0, output_price=0)
    await hang_up(house, {"type": "custom:ai-router-card", "title": XSS})
    await house.process(prompt="Hello", label=XSS[:64])
    card = await tab.open()

    await expect(card.locator("h2")).to_have_text(XSS)
    await expect(card.locator(".providers").get_by_text(XSS, exact=True)).to_have_count(1)
    await expect(card.locator(".answers .what").first).to_contain_text(XSS[:64])
    await expect(card.locator(".answers .who-gave").first).to_contain_text(XSS)
    await expect(card.locator("img, script")).to_have_count(0)
    assert await tab.page.evaluate("window.pwned") is None
    await hang_up(house)


async def test_what_is_said_of_several_models_of_a_provider_is_said_once(tab: Tab, house: House) -> None:
    async with fake("openai_compatible") as server:
        models = ["house-1", "house-vl"]
        await house.add_provider(
            "openai_compatible", name="Twin", url=server.url, local=True, priority=99, models=models
        )
        await server.control(fault={"how": "refuse", "status": 500, "body": {"error": {"message": "out of order"}}})
        reply = await house.process(prompt="Hello")
        twin = [each["model"] for each in reply["attempts"] if each["provider"] == "Twin"]
        assert len(set(twin)) == 2, reply["attempts"]

        card = await tab.open()
        why = card.locator(".answers li").first.locator(".why span")
        await expect(why.get_by_text("Twin failed before", exact=False)).to_have_count(1)
        await remove(house, "Twin")


async def test_an_answer_tells_its_pool_and_its_rule(tab: Tab, house: House) -> None:
    entry_id = await house.router()
    card = await tab.open()
    rows = {row["title"]: row["subentry_id"] for row in await house.subentries(entry_id)}
    pool = {"name": "Quiet hours", "members": [rows["Attic"]]}
    await forms.complete(house, forms.SUBENTRY_FLOW, [entry_id, "pool"], pool)
    (pool_id,) = (row["subentry_id"] for row in await house.subentries(entry_id) if row["subentry_type"] == "pool")
    rule = {"name": "Good night", "labels": ["bedtime"], "pool": pool_id}
    await forms.complete(house, forms.SUBENTRY_FLOW, [entry_id, "rule"], rule)

    await house.process(prompt="Hello", label="bedtime")
    why = card.locator(".answers li").first.locator(".why")
    await expect(why.locator("span").first).to_have_text("Rule Good night")
    await expect(why).to_contain_text("Pool Quiet hours")

    await house.process(prompt="Hello", label="morning")
    await expect(card.locator(".answers li").first).to_contain_text("morning")
    await expect(card.locator(".answers li").first).not_to_contain_text("Pool")
    await remove(house, "Good night", "Quiet hours")


async def remove(house: House, *names: str) -> None:
    """Remove providers, pools and rules."""
    entry_id = await house.router()
    for row in await house.subentries(entry_id):
        if row["title"] in names:
            await house.ws("config_entries/subentries/delete", entry_id=entry_id, subentry_id=row["subentry_id"])


async def test_a_budget_that_is_used_up_is_told(tab: Tab, house: House) -> None:
    await house.add_provider(
        "demo", name="Dear", latency=0, priority=99, input_price=1000, output_price=1000, budget_day=100
    )
    card = await tab.open()
    await house.process(prompt="Hello, how much is this going to be?", provider="Dear", label="dear")
    await expect(card.locator(".answers li").first).to_contain_text("dear")
    price = await card.locator(".answers li").first.locator(".price").inner_text()
    assert re.search(r"\$0\.0\d", price)
    await expect(card.locator(".notice")).to_have_count(0)

    await forms.complete(
        house, forms.OPTIONS_FLOW, await house.router(), {"menu": "settings", "budget_day": 0.001, "budget_month": 5}
    )

    notice = card.locator(".notice")
    await expect(notice).to_contain_text("Today's budget is used up")
    await expect(notice).to_contain_text("paid requests start again")
    day = card.locator("[data-window=day]")
    await expect(day.get_by_role("meter")).to_have_attribute("aria-valuenow", "100")
    await expect(day).to_contain_text("of $0.001")
    month = card.locator("[data-window=month]")
    await expect(month).to_contain_text("<1% of $5.00")
    await expect(month.get_by_role("meter")).to_have_attribute("aria-valuetext", "<1%")
    await expect(month.locator(".projection")).to_contain_text("by the end of the month")
    await expect(month.locator(".projection")).not_to_contain_text("$0.00 ")


async def test_fifty_providers_stay_in_order(tab: Tab, house: House) -> None:
    for number in range(45):
        await house.add_provider("demo", name=f"Server {number:02}", latency=0, input_price=0, output_price=0)
    card = await tab.open()
    rows = card.locator(".providers li")
    await expect(rows).to_have_count(6)
    await expect(rows.first.locator(".who .small")).to_contain_text("Unhealthy")

    button = card.get_by_role("button", name="Show all 50")
    await button.focus()
    await tab.page.keyboard.press("Enter")
    await expect(rows).to_have_count(50)
    await expect(card.get_by_role("button", name="Show fewer")).to_have_attribute("aria-expanded", "true")

    await house.process(prompt="Hello", provider="Server 44")
    await expect(card.locator(".answers .who-gave").first).to_contain_text("Server 44", timeout=2_000)
    await tab.page.keyboard.press("Enter")
    await expect(rows).to_have_count(6)


async def test_a_provider_shows_its_details_by_keyboard(tab: Tab, house: House) -> None:
    card = await tab.open()

    await card.get_by_role("button", name="Show details of Broken").focus()
    await tab.page.keyboard.press("Enter")

    await expect(tab.page.locator("ha-more-info-dialog")).to_contain_text("Broken")


async def test_who_is_no_admin_sees_only_own_requests(browser: Browser, house: House) -> None:
    async with signed_in(browser, house.reader) as tab:
        card = await tab.open()
        await expect(card.locator(".answers h3")).to_have_text("Your last answers")
        await expect(card.locator(".answers li")).to_have_count(0)
        await expect(card.locator("[data-window=day] .amount")).not_to_have_text("$0.00")

        await house.reader.process(prompt="Hello", provider="Server 00", label="mine")
        await house.process(prompt="Hello", provider="Server 01", label="not yours")

        await expect(card.locator(".answers li")).to_have_count(1)
        await expect(card.locator(".answers li")).to_contain_text("mine")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_it_fits(
    browser: Browser, house: House, shots: Path | None, viewport: dict[str, int], dark: bool
) -> None:
    async with signed_in(browser, house, viewport=viewport, dark=dark) as tab:
        card = await tab.open()
        await expect(card.locator(".providers li")).to_have_count(6)
        body = card.locator(".body")
        assert await body.evaluate("each => each.scrollWidth <= each.clientWidth")
        assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # Nothing is drawn over its neighbour: every figure stays within the card.
        outside = """body => [...body.querySelectorAll('.number, .name, .chip, .meter')].filter(each => {
            const [one, all] = [each.getBoundingClientRect(), body.getBoundingClientRect()];
            return one.width > 1 && (one.left < all.left - 1 || one.right > all.right + 1);
        }).map(each => each.textContent)"""
        assert await body.evaluate(outside) == []
        if shots is not None:
            await tab.page.screenshot(path=shots / f"{viewport['width']}-{'dark' if dark else 'light'}.png")
            await card.screenshot(path=shots / f"card-{viewport['width']}-{'dark' if dark else 'light'}.png")
