"""What one user can do over Home Assistant's REST and websocket API."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp

from .boot import until

ANSWER_SECONDS = 60


class Refused(Exception):
    """Home Assistant said no; the text is its answer."""


class Client:
    """One user of one Home Assistant."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Take the address and the user's access token."""
        self.session = session
        self.url = url
        self.token = token

    async def rest(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request and return the status with the answer: data if it is JSON, else text."""
        async with self._request(method, path, body) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def download(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and bytes of what is at a path."""
        async with self._request("GET", path) as response:
            return response.status, response.content_type, await response.read()

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        return self.session.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )

    async def service(
        self, domain: str, service: str, data: dict[str, Any] | None = None, *, response: bool = True
    ) -> tuple[int, Any]:
        """Call an action and return the status with its response, or with the error's text.

        With `response` false: for actions that answer nothing.
        """
        query = "?return_response" if response else ""
        status, body = await self.rest("POST", f"/api/services/{domain}/{service}{query}", data or {})
        if status == HTTPStatus.OK and response:
            return status, body["service_response"]
        return status, body

    async def process(self, **data: Any) -> dict[str, Any]:
        """Ask the router and return its reply. Raises Refused."""
        status, reply = await self.service("ai_router", "process", data)
        if status != HTTPStatus.OK:
            raise Refused(f"ai_router.process answered {status}: {reply}")
        return dict(reply)

    async def ws(self, command: str, **fields: Any) -> Any:
        """Send one websocket command and return its result. Raises Refused."""
        async with self._connect() as connection:
            return await _command(connection, 1, command, fields)

    @asynccontextmanager
    async def events(self, event_type: str) -> AsyncGenerator[asyncio.Queue[dict[str, Any]]]:
        """Collect the bus events of a type while the context is open, each with its `data`. For admins."""
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def listen() -> None:
            async for message in connection:
                heard.put_nowait(message.json()["event"])

        async with self._connect() as connection:
            await _command(connection, 1, "subscribe_events", {"event_type": event_type})
            listening = asyncio.create_task(listen())
            try:
                yield heard
            finally:
                listening.cancel()

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        async with self.session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0) as connection:
            await connection.receive_json(timeout=ANSWER_SECONDS)
            await connection.send_json({"type": "auth", "access_token": self.token})
            answer = await connection.receive_json(timeout=ANSWER_SECONDS)
            if answer["type"] != "auth_ok":
                raise Refused(f"the websocket does not take the token: {answer}")
            yield connection

    async def state(self, entity_id: str) -> dict[str, Any] | None:
        """Return an entity's state with its attributes; None if it has none."""
        status, state = await self.rest("GET", f"/api/states/{entity_id}")
        return state if status == HTTPStatus.OK else None

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return all states by entity id."""
        _, states = await self.rest("GET", "/api/states")
        return {state["entity_id"]: state for state in states}

    async def until(self, entity_id: str, wanted: str, seconds: float = 20) -> dict[str, Any]:
        """Wait until an entity has a state and return it. Raises TimeoutError naming what it was instead."""
        last: dict[str, Any] = {}

        async def reached() -> bool:
            nonlocal last
            last = await self.state(entity_id) or {}
            return last.get("state") == wanted

        try:
            await until(reached, seconds)
        except TimeoutError:
            raise TimeoutError(f"{entity_id} did not become {wanted!r}, it is {last}") from None
        return last

    async def entities(self, entry_id: str) -> list[dict[str, Any]]:
        """Return the entity registry's rows of a config entry, disabled ones too."""
        rows = await self.ws("config/entity_registry/list")
        return [row for row in rows if row["config_entry_id"] == entry_id]

    async def devices(self, entry_id: str) -> list[dict[str, Any]]:
        """Return the device registry's rows of a config entry."""
        rows = await self.ws("config/device_registry/list")
        return [row for row in rows if entry_id in row["config_entries"]]

    async def entries(self, domain: str) -> list[dict[str, Any]]:
        """Return the config entries of a domain."""
        _, entries = await self.rest("GET", f"/api/config/config_entries/entry?domain={domain}")
        return list(entries)

    async def subentries(self, entry_id: str) -> list[dict[str, Any]]:
        """Return subentry_id, subentry_type and title of an entry's subentries."""
        return list(await self.ws("config_entries/subentries/list", entry_id=entry_id))

    async def diagnostics(self, entry_id: str, device_id: str | None = None) -> tuple[int, Any]:
        """Download the diagnostics of a config entry, or of one of its devices."""
        device = f"/device/{device_id}" if device_id else ""
        return await self.rest("GET", f"/api/diagnostics/config_entry/{entry_id}{device}")


async def _command(
    connection: aiohttp.ClientWebSocketResponse, number: int, command: str, fields: dict[str, Any]
) -> Any:
    await connection.send_json({"id": number, "type": command, **fields})
    answer = await connection.receive_json(timeout=ANSWER_SECONDS)
    if not answer["success"]:
        raise Refused(f"{command}: {answer['error']}")
    return answer["result"]
