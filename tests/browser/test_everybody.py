"""The card for everybody: any width and place, language, theme and name; whatever becomes of the connection or the entry."""

import json
import re
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from browsing import Tab, hang_up, signed_in
from household import forms
from household.boot import CONFIGURATION
from household.house import House, opened
from playwright.async_api import Browser, Page, WebSocketRoute, expect

# Tests build on each other: at the end the entry is removed and comes back.

ROOT = Path(__file__).parents[2]
COMPONENT = ROOT / "custom_components" / "ai_router"
CARD = {"type": "custom:ai-router-card"}
LONG = ("Ollama in the attic behind the old wardrobe " * 7)[:300].strip()
SOLID = "Withoutasinglespace" * 15
HOSTILE = "\u202eevil\x00\u2066 <img src=x onerror=window.pwned=1>" + "z" * 10_000
WIDTHS = (320, 360, 412, 800, 1280)

# Some texts in German and some not, as a translation is while somebody works on it.
GERMAN = {
    "common": {"reason_priority": "Rang {number}"},
    "entity": {"sensor": {"health": {"state": {"healthy": "Gesund"}}}},
    "config_panel": {
        "card": {
            "today": "Heute",
            "requests_one": "{count} Anfrage heute",
            "requests_other": "{count} Anfragen heute",
            "pool": "Gruppe {name}",
            "edit_title": "Titel",
        }
    },
}
THEMES = """\
frontend:
  themes:
    Night contrast:
      primary-color: "#ffff00"
      primary-text-color: "#ffffff"
      secondary-text-color: "#ffffff"
      primary-background-color: "#000000"
      card-background-color: "#000000"
      divider-color: "#ffffff"
"""


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A household whose AI Router speaks some German, with a theme of high contrast and names of every kind."""
    components, folder = tmp_path_factory.mktemp("components"), tmp_path_factory.mktemp("house")
    (components / "ai_router" / "translations").mkdir(parents=True)
    for file in COMPONENT.iterdir():
        if file.name != "translations":
            (components / "ai_router" / file.name).symlink_to(file)
    translations = components / "ai_router" / "translations"
    (translations / "en.json").symlink_to(COMPONENT / "translations" / "en.json")
    (translations / "de.json").write_text(json.dumps(GERMAN), encoding="utf-8")
    (folder / "configuration.yaml").write_text(CONFIGURATION + THEMES, encoding="utf-8")
    async with opened(folder, components) as house:
        await house.add_reader()
        await house.add_router()
        for number, name in enumerate((LONG, SOLID, HOSTILE)):
            await house.add_provider(
                "demo", name=f"Server {number}", latency=0, input_price=0, output_price=0, requests_per_minute=6000
            )
            await rename(house, f"Server {number}", name)
        await house.add_provider("demo", name="Dear", latency=0, input_price=10, output_price=10, priority=1)
        await house.add_provider("demo", name="Broken", latency=0, input_price=0, output_price=0, success_rate=0)
        await house.process(prompt="Hello", provider="Dear", label="\u202ethe dear\x00 one")
        await house.process(prompt="Hello", provider=LONG, label="L" * 64)
        await house.process(prompt="Hello", provider=HOSTILE)
        budgets = {"menu": "settings", "budget_day": 0.000001, "budget_week": 3}
        await forms.complete(house, forms.OPTIONS_FLOW, await house.router(), budgets)
        await hang_up(house)
        yield house


async def rename(house: House, old: str, new: str) -> None:
    """Give a provider any name, as the page of the integration can."""
    entry_id = await house.router()
    (row,) = (row for row in await house.subentries(entry_id) if row["title"] == old)
    await house.ws("config_entries/subentries/update", entry_id=entry_id, subentry_id=row["subentry_id"], title=new)


# --- widths and places ---------------------------------------------------------------------------

# Every figure and name: within its card, and not over another one.
_MISPLACED = """cards => cards.flatMap(card => {
    const body = card.shadowRoot.querySelector('.body');
    const all = body.getBoundingClientRect();
    const seen = [...body.querySelectorAll('.number, .name, .label, .columns > span, time, h3, .tile .quiet')]
        .map(each => [each, each.getBoundingClientRect()])
        .filter(([each, box]) => box.width > 1 && getComputedStyle(each).clipPath === 'none');
    const said = each => each.textContent.trim().slice(0, 40);
    const outside = seen.filter(([, box]) => box.left < all.left - 1 || box.right > all.right + 1)
        .map(([each]) => `${said(each)} is outside`);
    const cut = seen.filter(([each]) => !each.matches('.name') && each.scrollWidth > each.clientWidth + 1 && each.clientWidth)
        .map(([each]) => `${said(each)} is cut`);
    const over = seen.flatMap(([each, one], at) => seen.slice(at + 1)
        .filter(([other, two]) => !each.contains(other) && one.left < two.right - 1 && two.left < one.right - 1
            && one.top < two.bottom - 4 && two.top < one.bottom - 4)
        .map(([other]) => `${said(each)} is over ${said(other)}`));
    const wide = body.scrollWidth > body.clientWidth ? ['it scrolls sideways'] : [];
    return [...outside, ...cut, ...over, ...wide];
})"""


async def test_it_fits_everywhere(browser: Browser, house: House, shots: Path | None) -> None:
    narrow = [{**CARD, "grid_options": {"columns": 6}}, {**CARD, "grid_options": {"columns": 6, "rows": 5}}]
    sidebar = {**CARD, "view_layout": {"position": "sidebar"}}
    views = [
        {"title": "Sections", "type": "sections", "sections": [{"type": "grid", "cards": [CARD, *narrow]}]},
        {"title": "Masonry", "type": "masonry", "cards": [CARD, CARD]},
        {"title": "Sidebar", "type": "sidebar", "cards": [CARD, sidebar]},
        {"title": "Panel", "type": "panel", "cards": [CARD]},
    ]
    await house.ws("lovelace/dashboards/create", url_path="ai-places", title="Places")
    await house.ws("lovelace/config/save", url_path="ai-places", config={"views": views})
    async with signed_in(browser, house) as tab:
        for number, view in enumerate(views):
            await tab.open(f"ai-places/{number}")
            cards = tab.page.locator("ai-router-card")
            for width in WIDTHS:
                await tab.page.set_viewport_size({"width": width, "height": 900})
                await expect(cards.first.locator(".providers li")).to_have_count(5)
                await expect(cards.last.locator(".answers li")).to_have_count(3)
                misplaced = await cards.evaluate_all(_MISPLACED)
                assert misplaced == [], f"{view['title']} at {width}"
                assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                if shots is not None:
                    await tab.page.screenshot(path=shots / f"places-{view['title']}-{width}.png")


async def test_a_name_of_any_kind_is_text_on_one_line(browser: Browser, house: House) -> None:
    async with signed_in(browser, house, viewport={"width": 320, "height": 900}) as tab:
        card = await tab.open()
        names = card.locator(".providers .name, .answers .name")
        assert await names.count() >= 5 + 3 * 3
        tall = "each => each.filter(e => e.getBoundingClientRect().height > 1.6 * parseFloat(getComputedStyle(e).fontSize))"
        assert await names.evaluate_all(f"names => ({tall})(names).map(each => each.textContent)") == []
        long = card.locator(".providers .name", has_text="Ollama in the attic")
        await expect(long).to_have_text(LONG)
        await expect(long).to_have_attribute("title", LONG)
        assert await long.evaluate("each => each.scrollWidth > each.clientWidth")

        said = await card.locator(".body").evaluate("body => body.textContent")
        assert "evil <img src=x onerror=window.pwned=1>" in said
        assert re.findall("[\x00\u202a-\u202e\u2066-\u2069]", said) == []
        assert len(said) < 10_000
        await expect(card.locator(".answers .what").last).to_contain_text("the dear one")
        await expect(card.locator("img, script")).to_have_count(0)
        assert await tab.page.evaluate("window.pwned") is None


# --- languages -----------------------------------------------------------------------------------


async def test_two_users_at_once_read_their_own_language_and_numbers(browser: Browser, house: House) -> None:
    chosen = {"language": "de", "number_format": "decimal_comma", "time_format": "24", "time_zone": "server"}
    others = {"date_format": "language", "first_weekday": "language"}
    await house.reader.ws("frontend/set_user_data", key="language", value={**chosen, **others})
    await house.reader.process(prompt="Hello", provider=LONG, label="of the reader")
    async with signed_in(browser, house) as english, signed_in(browser, house.reader) as german:
        card, karte = await english.open(), await german.open()
        await expect(karte.locator(".head.top")).to_contain_text("4 Anfragen heute")
        await expect(card.locator(".head.top")).to_contain_text("4 requests today")
        await expect(karte.locator("[data-window=day]")).to_contain_text("Heute")
        await expect(karte.locator("[data-window=week]")).to_contain_text("This week")  # not translated yet
        await expect(karte.locator("[data-window=week]")).to_contain_text("3,00\u00a0$")
        await expect(card.locator("[data-window=week]")).to_contain_text("$3.00")
        await expect(karte.locator(".providers li", has_text="Ollama")).to_contain_text("Gesund")
        await expect(karte.locator(".providers li", has_text="Ollama").locator(".rate")).to_contain_text("of 6.000")
        await expect(card.locator(".providers li", has_text="Ollama")).to_contain_text("Healthy")
        await expect(card.locator(".providers li", has_text="Ollama").locator(".rate")).to_contain_text("of 6,000")
        await expect(karte.locator(".answers li")).to_have_count(1)
        await expect(karte.locator(".answers .why")).to_contain_text("Rang 0")
        await expect(card.locator(".answers .why").first).to_contain_text("priority 0")
        await expect(karte.locator(".answers time")).to_have_text(re.compile(r"^\d\d:\d\d$"))
        await expect(card.locator(".answers time").first).to_have_text(re.compile(r"^\d+:\d\d\s[AP]M$"))


async def test_it_runs_the_other_way_where_people_read_the_other_way(browser: Browser, house: House) -> None:
    async with signed_in(browser, house, viewport={"width": 412, "height": 900}) as tab:
        await tab.page.add_init_script("localStorage.setItem('selectedLanguage', '\"he\"')")
        card = await tab.open()
        await expect(tab.page.locator("html")).to_have_attribute("dir", "rtl")
        row = card.locator(".providers li").first
        middle = "each => { const box = each.getBoundingClientRect(); return box.left + box.width / 2; }"
        assert await row.locator("ha-icon").first.evaluate(middle) > await row.locator(".name").evaluate(middle)
        assert await card.evaluate(f"card => ({_MISPLACED})([card])") == []
        # What is not translated is read from left to right all the same: the number goes first.
        note = card.locator(".head.top .small")
        await expect(note).to_contain_text("requests today")
        order = """note => {
            const text = note.firstChild.nextSibling ?? note.firstChild;
            const [node] = [...note.childNodes].filter(each => each.data?.includes('requests'));
            const left = at => { const range = document.createRange(); range.setStart(node, at); range.setEnd(node, at + 1);
                return range.getBoundingClientRect().left; };
            const at = node.data.search(/\\d/);
            return left(at) < left(node.data.indexOf('today'));
        }"""
        assert await note.evaluate(order)


# --- themes --------------------------------------------------------------------------------------

# The contrast of every text with what is drawn under it, by the formula of WCAG 2.2.
_PALE = """card => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
    const over = ([r, g, b, a], under) => [r, g, b].map((each, at) => each * a + under[at] * (1 - a));
    const parent = each => each.assignedSlot ?? each.parentElement ?? each.getRootNode().host;
    const ground = each => !each ? [255, 255, 255] : over(rgba(getComputedStyle(each).backgroundColor), ground(parent(each)));
    const light = colour => colour.map(each => each / 255)
        .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
    const texts = document.createTreeWalker(card.shadowRoot.querySelector('.body'), NodeFilter.SHOW_TEXT);
    const pale = [];
    let seen = 0;
    while (texts.nextNode()) {
        const each = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || getComputedStyle(each).clipPath !== 'none') continue;
        const under = ground(each);
        const [one, two] = [light(over(rgba(getComputedStyle(each).color), under)), light(under)];
        const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        seen += 1;
        if (contrast < 4.5) pale.push(`${contrast.toFixed(1)}: ${texts.currentNode.data.trim().slice(0, 40)}`);
    }
    return [seen, pale];
}"""


@pytest.mark.parametrize("theme", ["light", "dark", "Night contrast"])
async def test_every_text_stands_out(browser: Browser, house: House, shots: Path | None, theme: str) -> None:
    await hang_up(house, {**CARD, "max_providers": 2, "title": None, "max_answers": "six"})
    async with signed_in(browser, house, dark=theme == "dark") as tab:
        if theme == "Night contrast":
            chosen = json.dumps({"theme": theme})
            await tab.page.add_init_script(f"localStorage.setItem('selectedTheme', {json.dumps(chosen)})")
        card = await tab.open()
        await expect(card.get_by_role("button", name="Show all 5")).to_be_visible()
        await expect(card.locator(".notice")).to_have_count(2)
        seen, pale = await card.evaluate(_PALE)
        assert seen > 30
        assert pale == []
        if shots is not None:
            await card.screenshot(path=shots / f"theme-{theme}.png")
    await hang_up(house)


# --- the connection ------------------------------------------------------------------------------


@pytest.fixture
async def subscription(tab: Tab) -> list[Callable[[], None]]:
    """Holds back the card's subscription; what is in the list lets it go."""
    held: list[Callable[[], None]] = []

    def relay(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if "ai_router/subscribe" in str(message):
                (number,) = re.findall(
                    r'"id":(\d+)[^}]*ai_router/subscribe|ai_router/subscribe[^}]*"id":(\d+)', str(message)
                )
                error = {"code": "unauthorized", "message": "Unauthorized"}
                answer = {"id": int("".join(number)), "type": "result", "success": False, "error": error}
                held.append(lambda: route.send(json.dumps(answer)))
            else:
                server.send(message)

        route.on_message(pass_on)

    await tab.page.route_web_socket(re.compile("/api/websocket"), relay)
    return held


async def test_who_is_refused_is_told_so_and_who_waits_sees_no_motion_he_does_not_want(
    tab: Tab, subscription: list[Callable[[], None]]
) -> None:
    card = await tab.open()
    bone = card.locator(".bone").first
    await expect(bone).to_have_css("animation-name", "none")
    await tab.page.emulate_media(reduced_motion="no-preference")
    await expect(bone).to_have_css("animation-name", "breathe")

    (refuse,) = subscription
    refuse()
    await expect(card.locator(".empty")).to_contain_text("Home Assistant does not show it here")
    await expect(card.get_by_role("link")).to_have_count(0)


async def hide(page: Page, hidden: bool) -> None:
    """Do what a browser does when its page goes into the background, or comes back."""
    await page.evaluate(
        """hidden => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event('visibilitychange')); }""",
        hidden,
    )


async def test_it_listens_while_it_is_seen_and_never_polls(tab: Tab, house: House) -> None:
    sent, got = tab.listen()
    card = await tab.open()
    await expect(card.locator(".answers li").first).to_contain_text("of the reader")
    assert sum(frame.count("ai_router/subscribe") for frame in sent) == 1

    sent.clear()
    await tab.page.wait_for_timeout(2_500)
    assert [frame for frame in sent if "ping" not in frame] == []

    await hide(tab.page, True)
    await house.process(prompt="Hello", provider=LONG, label="while nobody looks")
    await tab.page.wait_for_timeout(2_200)
    assert sum(frame.count("unsubscribe_events") for frame in sent) == 1
    assert [frame for frame in got if '"label":"while nobody looks"' in frame] == []

    sent.clear()
    await hide(tab.page, False)
    await expect(card.locator(".answers li").first).to_contain_text("while nobody looks")
    assert sum(frame.count("ai_router/subscribe") for frame in sent) == 1

    # A connection that breaks is made again, and with it one subscription.
    sent.clear()
    await tab.page.evaluate("document.querySelector('home-assistant').hass.connection.reconnect(true)")
    await house.process(prompt="Hello", provider=LONG, label="after the break")
    await expect(card.locator(".answers li").first).to_contain_text("after the break")
    await tab.page.wait_for_timeout(500)
    assert sum(frame.count("ai_router/subscribe") for frame in sent) == 1
    assert sum(frame.count('"label":"after the break"') for frame in got) == 1

    sent.clear()
    await tab.page.evaluate(
        "history.pushState(null, '', '/history'); dispatchEvent(new CustomEvent('location-changed'))"
    )
    await expect(tab.page.locator("ai-router-card")).to_have_count(0)
    await tab.page.wait_for_timeout(800)
    await house.process(prompt="Hello", provider=LONG, label="on another page")
    await tab.page.wait_for_timeout(2_200)
    assert [frame for frame in got if '"label":"on another page"' in frame] == []


async def test_it_follows_the_entry_when_it_is_reloaded_cannot_be_loaded_and_is_added_again(
    tab: Tab, house: House
) -> None:
    sent, got = tab.listen()
    card = await tab.open()
    await expect(card.locator(".providers li")).to_have_count(5)
    entry_id = await house.router()
    await house.rest("POST", f"/api/config/config_entries/entry/{entry_id}/reload")
    await house.process(prompt="Hello", provider=LONG, label="after the reload")
    await expect(card.locator(".answers li").first).to_contain_text("after the reload")

    await house.ws("config_entries/disable", entry_id=entry_id, disabled_by="user")
    kept = house.folder / ".storage" / "ai_router"
    aside = kept.rename(kept.with_name("aside"))
    kept.touch()  # no folder, so the ledger cannot be opened
    await house.ws("config_entries/disable", entry_id=entry_id, disabled_by=None)
    assert (await house.entries("ai_router"))[0]["state"] == "setup_retry"
    await expect(card.locator(".empty")).to_contain_text("look there why it could not be loaded")
    kept.unlink()
    aside.rename(kept)
    await house.rest("POST", f"/api/config/config_entries/entry/{entry_id}/reload")
    await expect(card.locator(".providers li")).to_have_count(5)

    await house.rest("DELETE", f"/api/config/config_entries/entry/{entry_id}")
    await expect(card.locator(".empty")).to_contain_text("AI Router is not set up")
    await house.add_router()
    await expect(card.locator(".empty")).to_contain_text("No provider yet")
    await house.add_provider("demo", name="Newcomer", latency=0, input_price=0, output_price=0)
    await expect(card.locator(".providers li")).to_contain_text("Newcomer")
    await house.process(prompt="Hello", label="the first one again")
    await expect(card.locator(".answers li")).to_have_count(1)
    assert sum(frame.count("ai_router/subscribe") for frame in sent) == 1
    assert sum(frame.count('"label":"the first one again"') for frame in got) == 1
