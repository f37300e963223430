"""A person who goes through forms and pages: opens them, fills them in, and reads everything that is on the screen."""

import json
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from browsing import Tab
from playwright.async_api import Locator, Page, expect

from tests.fakes.server import FakeServer

ROOT = Path(__file__).parents[2]
ENGLISH: dict[str, Any] = json.loads(
    (ROOT / "custom_components" / "ai_router" / "translations" / "en.json").read_text(encoding="utf-8")
)
INTEGRATION = "config/integrations/integration/ai_router"
TALL = {"width": 1180, "height": 1500}
SLOW = 30_000

# A text that is missing shows as its key, a value that is missing as one of these.
_MISSING = re.compile(r"component\.\w+|\{\w+\}|\bundefined\b|\bNaN\b|\[object|\b(?!ai_router)[a-z]+(?:_[a-z]+)+\b")
_READS = 20
_ADDRESS = re.compile(r"^\s*- /url: .*$", re.MULTILINE)
# The icons of other integrations come from the internet.
_FOREIGN_ICONS = re.compile("api/brands/(?!integration/ai_router)")


@asynccontextmanager
async def running[S: FakeServer](server: S, port: int = 0) -> AsyncGenerator[S]:
    """Run a provider's server for a while."""
    await server.start(port)
    try:
        yield server
    finally:
        await server.stop()


class Walk:
    """One person at one page."""

    def __init__(self, tab: Tab, shots: Path | None) -> None:
        """Sit down in front of a page; without a folder nothing is pictured."""
        self.page: Page = tab.page
        self._tab = tab
        self._shots = shots

    def nothing_went_wrong(self) -> None:
        """Fail if the browser has complained since the last time."""
        complaints = [error for error in self._tab.errors if not _FOREIGN_ICONS.search(error)]
        self._tab.errors.clear()
        assert not complaints, "\n".join(complaints)

    # --- where -----------------------------------------------------------------------------------

    async def go(self, path: str, says: str = "") -> None:
        """Open a page, as a click on a link to it does; wait until it says something."""
        page = self.page
        if page.url.startswith(self._tab.url) and not await page.locator("dialog[open]").count():
            await page.evaluate(
                "path => { history.pushState(null, '', path); dispatchEvent(new CustomEvent('location-changed')); }",
                f"/{path}",
            )
        else:
            await page.goto(f"{self._tab.url}/{path}")
        if says:
            await self.sees(says)

    async def integration(self) -> None:
        """Open the page of the integration."""
        await self.go(INTEGRATION)
        await expect(self.page.get_by_role("button", name="Add provider", exact=True)).to_be_visible(timeout=SLOW)

    def row(self, name: str) -> Locator:
        """Return the row of a provider, pool or rule on the page of the integration."""
        return self.page.locator("ha-config-sub-entry-row").filter(has=self.page.get_by_text(name, exact=True))

    @property
    def dialog(self) -> Locator:
        """The dialog of a flow: what stands in it, in whatever slot."""
        return self.page.locator("dialog-data-entry-flow")

    # --- what is there ---------------------------------------------------------------------------

    async def sees(self, *words: str) -> None:
        """Wait until the page says all of it."""
        for word in words:
            await expect(self.page.locator("home-assistant")).to_contain_text(word, timeout=SLOW)

    async def form(self, name: str, *words: str) -> str:
        """Wait for a dialog that says these words, look at it, and return all that it says."""
        for word in words:
            await expect(self.dialog).to_contain_text(word, timeout=SLOW)
        return await self.look(name, self.page.locator("dialog[open]").last)

    async def look(self, name: str, what: Locator | None = None) -> str:
        """Read what is on the screen, take a picture of it, and return it: nothing may be without its text."""
        shown = what or self.page.locator("home-assistant")
        seen = await self._read(shown)
        for _ in range(_READS):  # the texts of a page may come after the page
            if not _MISSING.search(seen):
                break
            await self.page.wait_for_timeout(500)
            seen = await self._read(shown)
        missing = _MISSING.search(seen)
        assert missing is None, f"{missing and missing[0]} is on the screen:\n{seen}"
        await self.picture(name, what)
        return seen

    async def _read(self, shown: Locator) -> str:
        return _ADDRESS.sub("", await shown.aria_snapshot(timeout=SLOW))

    async def picture(self, name: str, what: Locator | None = None) -> None:
        """Take a picture, if pictures are wanted."""
        if self._shots is not None:
            await self.page.mouse.move(0, 0)
            await self.page.wait_for_timeout(700)  # for what is still moving
            await (what or self.page).screenshot(path=self._shots / f"{name}.png")

    # --- what is done ----------------------------------------------------------------------------

    async def press(self, name: str) -> None:
        """Click a button by its name."""
        await self.page.get_by_role("button", name=name, exact=True).first.click(timeout=SLOW)

    async def menu(self, choice: str) -> None:
        """Choose from a menu."""
        await self.dialog.get_by_text(choice, exact=True).click(timeout=SLOW)

    async def add(self, what: str) -> None:
        """Open the form of a new provider, pool or rule."""
        await self.integration()
        await self.press(f"Add {what}")

    async def add_provider(self, kind: str) -> None:
        """Choose the kind of a new provider."""
        await self.add("provider")
        await self.choose("Kind", kind)
        await self.press("Submit")

    async def change(self, name: str, what: str) -> None:
        """Open the form that changes a provider, pool or rule."""
        await self.integration()
        await self.row(name).get_by_role("button", name=f"Change {what}").click(timeout=SLOW)

    def box(self, label: str) -> Locator:
        """Return the field for text or a number that has a label."""
        if label == "Key":  # what hides what is typed has no role
            return self.dialog.locator("input[type=password]")
        name = re.compile(rf"^{label}\*?$")
        return self.dialog.get_by_role("textbox", name=name).or_(self.dialog.get_by_role("spinbutton", name=name))

    async def fill(self, **fields: str) -> None:
        """Fill in fields by their labels, with `_` for a space."""
        for label, text in fields.items():
            await self.box(label.replace("_", " ")).fill(text, timeout=SLOW)

    async def turn(self, label: str) -> None:
        """Turn a switch."""
        await self.dialog.get_by_role("switch", name=re.compile(f"^{label}")).press("Space")

    async def unfold(self, section: str) -> None:
        """Open a section of a form."""
        await self.dialog.get_by_role("button", name=section, exact=True).click(timeout=SLOW)

    async def choose(self, label: str, option: str) -> None:
        """Choose one of several words."""
        await self.dialog.get_by_role("button", name=re.compile(rf"^{label}")).first.click(timeout=SLOW)
        items = self.dialog.locator("ha-dropdown-item").filter(visible=True)
        await items.filter(has=self.page.get_by_text(option, exact=True)).first.click(timeout=SLOW)

    async def pick(self, label: str, options: Iterable[str]) -> None:
        """Add to a field that takes several things."""
        for option in options:
            toolbar = self.dialog.get_by_role("toolbar", name=label)
            await toolbar.get_by_role("button", name="Add", exact=True).click(timeout=SLOW)
            await self.page.get_by_role("option", name=option, exact=True).click(timeout=SLOW)

    async def close(self) -> None:
        """Leave a dialog without an answer."""
        await self.press("Close")
        await expect(self.page.locator("dialog[open]")).to_have_count(0, timeout=SLOW)

    async def finish(self, name: str, *words: str) -> None:
        """End a dialog that says that all went well."""
        await self.form(name, *words)
        close = self.dialog.get_by_role("button", name=re.compile("^(Finish|Skip and finish|Close)$")).last
        await close.click(timeout=SLOW)
        await expect(self.page.locator("dialog[open]")).to_have_count(0, timeout=SLOW)
