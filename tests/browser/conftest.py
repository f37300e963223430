"""Chromium, and the real Home Assistant 2026.11 as a process of its own, booted once for each file of tests."""

import os
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from browsing import Tab, hang_up, signed_in
from household.house import House, opened
from playwright.async_api import Browser, async_playwright
from walking import TALL, Walk

ROOT = Path(__file__).parents[2]
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; the script brings one where there is none."""
    done = subprocess.run([ROOT / "scripts" / "bring_chromium"], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own script
    return done.stdout.strip()


@pytest.fixture(scope="module")
async def browser(chromium: str) -> AsyncGenerator[Browser]:
    """A browser that talks to nobody but who it is told to."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """A booted household with an admin and `reader`, AI Router without a provider, and a dashboard with its card."""
    async with opened(tmp_path_factory.mktemp("house"), ROOT / "custom_components") as house:
        await house.add_reader()
        await house.add_router()
        await hang_up(house)
        yield house


@pytest.fixture
async def tab(browser: Browser, house: House) -> AsyncGenerator[Tab]:
    """The admin's page."""
    async with signed_in(browser, house) as tab:
        yield tab


@pytest.fixture(scope="module")
async def page(browser: Browser, house: House, shots: Path | None) -> AsyncGenerator[Walk]:
    """The admin's page of a walk through all tests of a file, high enough for long forms."""
    async with signed_in(browser, house, viewport=TALL) as tab:
        yield Walk(tab, shots)


@pytest.fixture
async def walk(page: Walk) -> AsyncGenerator[Walk]:
    """The page, for one test."""
    yield page
    page.nothing_went_wrong()


@pytest.fixture(scope="session")
def shots() -> Path | None:
    """Where pictures go, if somebody wants to look at them: the folder AI_ROUTER_SCREENSHOTS."""
    folder = os.environ.get("AI_ROUTER_SCREENSHOTS")
    return Path(folder) if folder else None
