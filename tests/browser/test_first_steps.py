"""A new user's path: from a Home Assistant that has nothing to the first answers and their cost, as the README says."""

import re
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from browsing import Tab, signed_in
from household.house import House, opened
from playwright.async_api import Browser, Locator, Page, expect
from servers import Server, fake

ROOT = Path(__file__).parents[2]
KEY = "sk-first-steps-0123456789"
SLOW = 30_000


class Person:
    """Somebody who has read the README: follows its paths, and counts clicks and what is typed."""

    def __init__(self, tab: Tab) -> None:
        """Sit down in front of a browser."""
        self.page: Page = tab.page
        self.url = tab.url
        self._readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
        self.clicks = self.typed = 0
        self.notes: list[str] = []
        self._began = time.monotonic()

    def reads(self, path: str) -> None:
        """The README must say what is about to be done."""
        assert f"**{path}**" in self._readme, f"the README does not say {path}"

    def done(self, what: str) -> None:
        """Note how far it took."""
        seconds = time.monotonic() - self._began
        self.notes.append(f"{what}: {self.clicks} clicks, {self.typed} fields, {seconds:.0f} s since the start")

    async def click(self, where: Locator) -> None:
        """Click once."""
        self.clicks += 1
        await where.click(timeout=SLOW)

    async def press(self, name: str) -> None:
        """Click a button by its name."""
        await self.click(self.page.get_by_role("button", name=name, exact=True).first)

    async def type(self, field: str, text: str) -> None:
        """Fill in a field of a form."""
        self.typed += 1
        box = self.page.locator("ha-form ha-selector", has_text=field).first
        await box.locator("input, textarea").first.fill(text, timeout=SLOW)

    async def choose(self, kind: str) -> None:
        """Choose the kind of a provider."""
        await self.click(self.page.locator("ha-form ha-select").first)
        await self.click(self.page.locator("ha-dropdown-item", has_text=kind).first)

    async def settings(self, page: str) -> None:
        """Open a page of the settings."""
        await self.click(self.page.locator("ha-sidebar").get_by_text("Settings", exact=True))
        await self.click(self.page.locator("ha-config-navigation").get_by_text(page, exact=True).first)


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A Home Assistant with its first user, and nothing else."""
    async with opened(tmp_path_factory.mktemp("house"), ROOT / "custom_components") as house:
        yield house


@pytest.fixture
async def tab(browser: Browser, house: House) -> AsyncGenerator[Tab]:
    """The new user's page."""
    async with signed_in(browser, house) as tab:
        yield tab
        # The icons of other integrations come from the internet.
        tab.errors[:] = [error for error in tab.errors if not re.search("api/brands/(?!integration/ai_router)", error)]


@pytest.fixture(scope="module")
async def cloud() -> AsyncGenerator[Server]:
    """A server with a key that says what it takes: one and two dollars per million tokens."""
    async with fake("openai_compatible", "--key", KEY, "--price-in", "1000000", "--price-out", "2000000") as server:
        yield server


async def test_from_nothing_to_the_first_answer_and_its_cost(
    tab: Tab, house: House, cloud: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person(tab)
    await tab.page.goto(f"{tab.url}/")
    await add_ai_router(person)
    await add_demo(person)
    await add_cloud(person, cloud)
    assert len(await house.subentries(await house.router())) == 2

    assert "Demo answer" in await ask(person, "What can we do on a rainy Sunday?")
    await add_card(person)

    card = tab.page.locator("ai-router-card").first
    await expect(card.locator(".providers li")).to_have_count(2)
    await expect(card.locator(".answers li").first).to_contain_text("Demo")
    await expect(card.locator("[data-window=day] .amount")).to_contain_text(re.compile(r"\$0\.0*[1-9]"))
    person.done("the answer's cost on the dashboard")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(person.notes) + "\n")
    assert person.clicks <= 40, "the path has become longer"


async def add_ai_router(person: Person) -> None:
    person.reads("Settings > Devices & services > Add integration > AI Router")
    await person.settings("Devices & services")
    await person.press("Add integration")
    person.typed += 1
    await person.page.locator("dialog-add-integration input").first.fill("AI Router")
    await person.click(person.page.locator("dialog-add-integration").get_by_text("AI Router", exact=True))
    await person.press("Submit")
    await person.press("Skip and finish")
    await expect(person.page).to_have_url(re.compile("/config/devices/device/"))
    person.done("AI Router is added")


async def add_demo(person: Person) -> None:
    person.reads("Settings > Devices & services > AI Router > Add provider")
    await person.settings("Devices & services")
    await person.click(person.page.locator("ha-integration-card").get_by_text("AI Router", exact=True))
    await person.press("Add provider")
    await person.choose("Demo")
    await person.press("Submit")
    await person.type("Price of input", "500")
    await person.type("Price of output", "1500")
    await person.press("Submit")
    await person.press("Finish")
    person.done("a simulated provider is added")


async def add_cloud(person: Person, server: Server) -> None:
    await person.press("Add provider")
    await person.choose("Any other OpenAI-compatible server")
    await person.press("Submit")
    await person.type("Name", "Cloud")
    await person.type("Address", server.url)
    await person.type("Key", KEY)
    await person.press("Next")
    await person.press("Submit")
    await person.press("Finish")
    person.done("a server with a key is added")


async def ask(person: Person, question: str) -> str:
    person.reads("Settings > Tools > Actions > Ask an AI provider")
    page = person.page
    await person.settings("Tools")
    await person.click(page.get_by_text("Actions", exact=True).first)
    await person.click(page.locator("ha-service-picker"))
    person.typed += 1
    await page.locator("ha-picker-combo-box input").first.fill("Ask an AI", timeout=SLOW)
    await expect(page.locator("ha-combo-box-item", has_text="ai_router.process").first).to_be_visible(timeout=SLOW)
    await page.keyboard.press("Enter")
    prompt = page.locator("ha-service-control ha-settings-row", has_text="Prompt").first
    person.typed += 1
    await prompt.locator("textarea").first.fill(question, timeout=SLOW)
    await person.press("Perform action")
    answer = page.locator(".cm-content", has_text="provider:").last
    await expect(answer).to_be_visible(timeout=SLOW)
    person.done("the first answer")
    return await answer.inner_text()


async def add_card(person: Person) -> None:
    person.reads("Settings > Dashboards > Add dashboard")
    person.reads("Add card > AI Router")
    page = person.page
    person.clicks += 1
    await page.reload()
    await person.settings("Dashboards")
    await person.press("Add dashboard")
    await person.click(page.get_by_text("New dashboard from scratch"))
    await person.type("Title", "Our AI")
    await person.press("Create")
    await person.click(page.locator("ha-sidebar").get_by_text("Our AI", exact=True))
    await person.click(page.locator("hui-root ha-icon-button").last)
    await person.click(page.locator("hui-section .add, hui-grid-section .add").first)
    await person.click(page.get_by_role("tab", name="By card"))
    picker = page.locator("hui-card-picker")
    person.typed += 1
    await picker.locator("input").first.fill("AI Router")
    await person.click(picker.locator(".card", has_text="AI Router").first)
    await person.press("Save")
    await person.press("Done")
