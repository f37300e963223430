"""A browser on a real Home Assistant: how a user opens it, and what the card shows there."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from household.client import Client
from household.house import House
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, WebSocket, expect

DASHBOARD = "ai-card"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

# A household without the internet: what Home Assistant itself then reports is not ours.
_NOT_OURS = ("net::ERR_INTERNET_DISCONNECTED", "brands.home-assistant.io", "demo.home-assistant.io")


class Tab:
    """One page of one user. `errors` is all that went wrong in it."""

    def __init__(self, page: Page, url: str) -> None:
        """Listen to the page from its first moment."""
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(each in f"{message.text} {message.location}" for each in _NOT_OURS):
            self.errors.append(f"{message.text} ({message.location})")

    def listen(self) -> tuple[list[str], list[str]]:
        """Collect what the page sends and gets on the websockets that it opens from now on."""
        sent: list[str] = []
        got: list[str] = []

        def hear(socket: WebSocket) -> None:
            socket.on("framesent", lambda frame: sent.append(str(frame)))
            socket.on("framereceived", lambda frame: got.append(str(frame)))

        self.page.on("websocket", hear)
        return sent, got

    async def open(self, path: str = DASHBOARD) -> Locator:
        """Open a path of the frontend, and return the first card of ours on it."""
        await self.page.goto(f"{self.url}/{path}")
        card = self.card
        await expect(card.locator(".body")).to_be_visible(timeout=30_000)
        return card

    @property
    def card(self) -> Locator:
        """The first card of ours."""
        return self.page.locator("ai-router-card").first


@asynccontextmanager
async def signed_in(
    browser: Browser, client: Client, *, viewport: dict[str, int] | None = None, dark: bool = False, **more: Any
) -> AsyncGenerator[Tab]:
    """Open a tab as a user; nothing may have gone wrong in it by the time it is closed."""
    context: BrowserContext = await browser.new_context(
        viewport=viewport or DESKTOP,  # type: ignore[arg-type]  # a TypedDict of the same shape
        color_scheme="dark" if dark else "light",
        locale="en-US",
        reduced_motion="reduce",
        **more,
    )
    tokens = {
        "hassUrl": client.url,
        "clientId": f"{client.url}/",
        "access_token": client.token,
        "token_type": "Bearer",
        "expires_in": 1800,
        "refresh_token": "none",
        "expires": 9_999_999_999_999,
    }
    await context.add_init_script(f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))})")
    try:
        tab = Tab(await context.new_page(), client.url)
        yield tab
        assert not tab.errors, "\n".join(tab.errors)
    finally:
        await context.close()


async def hang_up(house: House, *cards: dict[str, Any], path: str = DASHBOARD) -> None:
    """Make a dashboard with these cards, or with the card as it comes out of the box."""
    if not any(row["url_path"] == path for row in await house.ws("lovelace/dashboards/list")):
        await house.ws("lovelace/dashboards/create", url_path=path, title="Card")
    shown = list(cards) or [{"type": "custom:ai-router-card"}]
    view = {"title": "Card", "type": "sections", "max_columns": 2, "sections": [{"type": "grid", "cards": shown}]}
    await house.ws("lovelace/config/save", url_path=path, config={"views": [view]})
