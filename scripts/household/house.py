"""A booted household: Home Assistant as its admin sees it, a member who may only look, and a camera at the door."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from . import forms, picture, users
from .boot import START_SECONDS, BootFailed, HomeAssistant, until
from .client import Client

DOMAIN = "ai_router"
NAME = "demo"
PASSWORD = "demo-household"  # noqa: S105 - a throwaway household on 127.0.0.1
READER = "reader"
WRITTEN_SECONDS = 10


class House(Client):
    """The household, through its admin's eyes. `reader` is a user of the read-only group."""

    def __init__(self, session: aiohttp.ClientSession, process: HomeAssistant) -> None:
        """Take a process that answers; `move_in` makes the users."""
        super().__init__(session, process.url, "")
        self.home_assistant = process
        self.reader = Client(session, process.url, "")
        self._on_disk: set[str] = set()

    async def move_in(self) -> None:
        """Create the admin in a fresh Home Assistant; log in, and wait until everything is set up."""
        await users.onboard(self.session, self.url, NAME, PASSWORD)
        tokens = await users.login(self.session, self.url, NAME, PASSWORD)
        self.token = tokens["access_token"]
        self._on_disk.add(tokens["refresh_token"])
        await self._running()

    async def add_reader(self) -> None:
        """Create and log in the user who may only look."""
        answer = await self.ws("config/auth/create", name=READER, group_ids=["system-read-only"])
        fields = {"user_id": answer["user"]["id"], "username": READER, "password": PASSWORD}
        await self.ws("config/auth_provider/homeassistant/create", **fields)
        tokens = await users.login(self.session, self.url, READER, PASSWORD)
        self.reader.token = tokens["access_token"]
        self._on_disk.add(tokens["refresh_token"])

    async def add_camera(self) -> str:
        """Hang up a camera whose picture tells where it was taken; return its entity id."""
        path = self.folder / "Front door.jpg"
        await asyncio.to_thread(picture.draw, path)
        step = await forms.complete(self, forms.ENTRY_FLOW, "local_file", {"file_path": str(path)})
        self._on_disk.add(step["result"]["entry_id"])
        (camera,) = await self.entities(step["result"]["entry_id"])
        return str(camera["entity_id"])

    async def add_router(self, **values: Any) -> str:
        """Add the AI Router entry; return its id. Raises FlowFailed.

        An Ollama that happens to run on this machine is left alone: the house is the same on every machine.
        """
        step = await forms.complete(self, forms.ENTRY_FLOW, DOMAIN, values, where_asked={"add_ollama": False})
        self._on_disk.add(step["result"]["entry_id"])
        return str(step["result"]["entry_id"])

    async def router(self) -> str:
        """Return the id of the AI Router entry, which must be there."""
        (entry,) = await self.entries(DOMAIN)
        return str(entry["entry_id"])

    async def add_provider(self, kind: str, **fields: Any) -> str:
        """Add a provider through its forms; return its subentry id. Raises FlowFailed with the form's errors."""
        entry_id = await self.router()
        before = {row["subentry_id"] for row in await self.subentries(entry_id)}
        await forms.complete(self, forms.SUBENTRY_FLOW, [entry_id, "provider"], {"kind": kind, **fields})
        (added,) = (row for row in await self.subentries(entry_id) if row["subentry_id"] not in before)
        self._on_disk.add(added["subentry_id"])
        return str(added["subentry_id"])

    @property
    def folder(self) -> Path:
        """Return Home Assistant's configuration folder."""
        return self.home_assistant.folder

    def log(self) -> str:
        """Return everything Home Assistant logged and printed, over all starts; our part at DEBUG."""
        return self.home_assistant.log()

    async def restart(self) -> None:
        """Stop Home Assistant cleanly if it runs, start it and wait until everything is set up."""
        await self.home_assistant.stop()
        await self.home_assistant.start()
        await self._running()

    async def kill(self) -> None:
        """End Home Assistant as a power cut would; `restart` brings it back.

        It writes users and config entries a second late: what was added just before is waited for, and nothing else.
        """
        await self.written()
        await self.home_assistant.kill()

    async def written(self) -> None:
        """Wait until the users and entries added so far are on disk."""
        await until(self._is_written, WRITTEN_SECONDS)

    async def _is_written(self) -> bool:
        return await asyncio.to_thread(lambda: all(_in_files(self.folder / ".storage", text) for text in self._on_disk))

    async def _running(self) -> None:
        try:
            await until(self._is_running, START_SECONDS)
        except TimeoutError as err:
            raise BootFailed(f"Home Assistant did not finish starting\n{self.home_assistant.log_end()}") from err

    async def _is_running(self) -> bool:
        status, config = await self.rest("GET", "/api/config")
        return status == HTTPStatus.OK and config["state"] == "RUNNING"


def _in_files(storage: Path, text: str) -> bool:
    files = (storage / "auth", storage / "core.config_entries")
    return any(text in file.read_text(encoding="utf-8") for file in files if file.exists())


@asynccontextmanager
async def opened(
    folder: Path, components: Path, *, port: int = 0, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[House]:
    """Boot a household, fresh or as it was left in the folder, and stop it at the end, whatever happens."""
    process = HomeAssistant(folder, components, port=port, environment=environment)
    async with aiohttp.ClientSession() as session:
        try:
            await process.start()
            house = House(session, process)
            await house.move_in()
            yield house
        finally:
            await process.stop()
