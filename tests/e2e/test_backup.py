"""Home Assistant's own backup and restore: keys, providers and what was spent come back with the household."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, override

import aiohttp
import pytest
from conftest import COMPONENTS
from household.boot import BootFailed, HomeAssistant, until
from household.house import House
from servers import Server, fake

KEY = "sk-e2e-backup-0123456789"
AGENT = "backup.local"
LEDGER = Path(".storage", "ai_router", "ledger.db")
COPY = LEDGER.with_name("ledger.snapshot.db")


class Copied(HomeAssistant):
    """Has the integration as a household has it: copied. Home Assistant does not clear away a link when it restores."""

    @override
    def write(self) -> None:
        place = self.folder / "custom_components"
        shutil.rmtree(place, ignore_errors=True)
        super().write()
        place.unlink()
        shutil.copytree(COMPONENTS, place, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    process = Copied(tmp_path_factory.mktemp("house"), COMPONENTS)
    async with aiohttp.ClientSession() as session:
        try:
            await process.start()
            house = House(session, process)
            await house.move_in()
            yield house
        finally:
            await process.stop()


@pytest.fixture(scope="module")
async def cloud() -> AsyncGenerator[Server]:
    async with fake("openai_compatible", "--key", KEY, "--price-in", "1000000", "--price-out", "1000000") as server:
        yield server


@pytest.fixture(scope="module")
async def provider(house: House, cloud: Server) -> str:
    entry_id = await house.add_router()
    added = await house.add_provider(
        "openai_compatible", name="Cloud", url=cloud.url, api_key=KEY, input_price=1, output_price=1
    )

    async def followed() -> bool:
        return any(row["unique_id"] == f"{added}_alert" for row in await house.entities(entry_id))

    await until(followed, 20)
    return added


def attempts(file: Path) -> int:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (count,) = connection.execute("SELECT count(*) FROM attempts").fetchone()
        return int(count)


async def ask(house: House, prompt: str) -> dict[str, Any]:
    return await house.process(prompt=prompt)


async def back_up(house: House) -> str:
    """Make a backup while the router is busy; return its id."""
    before = {each["backup_id"] for each in (await house.ws("backup/info"))["backups"]}
    done = asyncio.Event()

    async def busy() -> None:
        number = 0
        while not done.is_set():
            number += 1
            await ask(house, f"busy {number}")

    asking = asyncio.create_task(busy())
    await house.ws("backup/generate", agent_ids=[AGENT], name="A test")
    made: list[str] = []

    async def there() -> bool:
        info = await house.ws("backup/info")
        made[:] = [each["backup_id"] for each in info["backups"] if each["backup_id"] not in before]
        return bool(made) and info["state"] == "idle"

    await until(there, 90)
    done.set()
    await asking
    return made[0]


async def restore(house: House, backup_id: str) -> None:
    """Restore a backup: Home Assistant ends, puts the files in place and ends again, then starts with them."""
    order = {"backup_id": backup_id, "agent_id": AGENT, "restore_database": True, "restore_homeassistant": True}
    with suppress(aiohttp.WSMessageTypeError):  # it may be gone before it has answered
        await house.ws("backup/restore", **order)
    await asyncio.wait_for(house.home_assistant.ended(), 60)
    with pytest.raises(BootFailed, match="exit code 100"):
        await house.home_assistant.start()
    await house.restart()


async def issues(house: House) -> set[str]:
    listed = (await house.ws("repairs/list_issues"))["issues"]
    return {each["issue_id"] for each in listed if each["domain"] == "ai_router"}


async def test_a_backup_of_a_busy_router_is_restored(house: House, provider: str, cloud: Server) -> None:
    for number in range(5):
        await ask(house, f"before {number}")
    backup_id = await back_up(house)
    at_the_copy = await asyncio.to_thread(attempts, house.folder / COPY)
    assert at_the_copy >= 5
    for number in range(5):
        await ask(house, f"after {number}")
    in_all = (await cloud.tally())["requests"]

    await restore(house, backup_id)

    entry_id = await house.router()
    assert [row["subentry_id"] for row in await house.subentries(entry_id)] == [provider]
    found = await asyncio.to_thread(attempts, house.folder / LEDGER)
    assert at_the_copy <= found <= in_all - 5
    assert await asyncio.to_thread(attempts, house.folder / COPY) == at_the_copy
    assert (await ask(house, "and again"))["provider"] == "Cloud"  # its key can still be read
    assert KEY not in house.log()
    assert "ledger_of_backup" in await issues(house)


async def test_a_restored_ledger_that_is_damaged_gives_way_to_the_copy(house: House, provider: str) -> None:
    await house.home_assistant.stop()
    at_the_copy = await asyncio.to_thread(attempts, house.folder / COPY)
    with (house.folder / LEDGER).open("r+b") as file:
        file.write(b"\xa5" * 4_096)

    await house.restart()

    assert "ledger_restored" in await issues(house)
    assert await asyncio.to_thread(attempts, house.folder / LEDGER) == at_the_copy
    assert (await ask(house, "still there"))["provider"] == "Cloud"
    assert "Detected that custom integration" not in house.log()
