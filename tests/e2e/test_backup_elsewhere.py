"""A backup goes to another house: a fresh one while it is being set up, and one that has run AI Router before."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any, override

import aiohttp
import pytest
from conftest import COMPONENTS
from household.boot import BootFailed, until
from household.client import Refused
from household.house import House
from servers import Server, fake
from test_backup import AGENT, COPY, KEY, LEDGER, Copied, attempts, issues

KEY_FILE = LEDGER.with_name("credential.key")
MADE_SECONDS = 90


class Unpacked(Copied):
    """Out of the box: onboarding has not begun."""

    @override
    def write(self) -> None:
        super().write()
        onboarding = self.folder / ".storage" / "onboarding"
        if '"user"' not in onboarding.read_text(encoding="utf-8"):
            onboarding.unlink()


@asynccontextmanager
async def booted(process: Copied) -> AsyncGenerator[House]:
    """Start a house; nobody has moved in yet."""
    async with aiohttp.ClientSession() as session:
        try:
            await process.start()
            yield House(session, process)
        finally:
            await process.stop()


@pytest.fixture(scope="module")
async def cloud() -> AsyncGenerator[Server]:
    async with fake("openai_compatible", "--key", KEY, "--price-in", "1000000", "--price-out", "1000000") as server:
        yield server


async def furnish(house: House, cloud: Server, name: str) -> str:
    """Add the router and a provider that costs; return the provider's id."""
    await house.add_router()
    return await house.add_provider(
        "openai_compatible", name=name, url=cloud.url, api_key=KEY, input_price=1, output_price=1
    )


class Left:
    """What house A was when it was backed up, and the backup."""

    def __init__(self, archive: bytes, provider: str, usage: dict[str, Any]) -> None:
        self.archive = archive
        self.provider = provider
        self.usage = usage


@pytest.fixture(scope="module")
async def left(tmp_path_factory: pytest.TempPathFactory, cloud: Server) -> Left:
    """House A: money is spent up to its budget, then it is backed up and gone."""
    async with booted(Copied(tmp_path_factory.mktemp("a"), COMPONENTS)) as house:
        await house.move_in()
        provider = await furnish(house, cloud, "Cloud")
        for number in range(5):
            await house.process(prompt=f"spend {number}")
        usage = await spent(house)
        await change(house, budget_month=float(usage["total"]["cost"]))
        assert await refusal(house) == "over_budget"
        # Home Assistant writes entries a second late.
        await house.written()
        await until(lambda: is_stored(house, '"budget_month"'), 20)
        await house.ws("backup/generate", agent_ids=[AGENT], name="To another house")
        await until(lambda: is_backed_up(house), MADE_SECONDS)
        (archive,) = await asyncio.to_thread(lambda: [*(house.folder / "backups").glob("*.tar")])
        return Left(await asyncio.to_thread(archive.read_bytes), provider, usage)


async def is_stored(house: House, text: str) -> bool:
    file = house.folder / ".storage" / "core.config_entries"
    return text in await asyncio.to_thread(file.read_text, encoding="utf-8")


async def is_backed_up(house: House) -> bool:
    info = await house.ws("backup/info")
    return info["state"] == "idle" and bool(info["backups"])


async def spent(house: House) -> dict[str, Any]:
    """Return what the ledger says of this month."""
    async with asyncio.timeout(20):
        while True:
            status, usage = await house.service("ai_router", "get_usage", {"period": "month"})
            assert status == HTTPStatus.OK, usage
            if usage["total"]["attempts"]:
                return dict(usage)
            await asyncio.sleep(0.2)


async def change(house: House, **settings: Any) -> None:
    data = {"provider": "Cloud", **settings}
    status, answer = await house.service("ai_router", "set_provider", data, response=False)
    assert status == HTTPStatus.OK, answer


async def refusal(house: House) -> str:
    """Ask something that nobody may answer; return why."""
    reply = await house.process(prompt="One more?", on_error="return")
    return str(reply["error"]["code"])


async def bring(house: House, archive: bytes, path: str) -> str:
    """Upload a backup; return its id."""
    form = aiohttp.FormData()
    form.add_field("file", archive, filename="backup.tar", content_type="application/x-tar")
    headers = {"Authorization": f"Bearer {house.token}"} if house.token else {}
    async with house.session.post(f"{house.url}{path}?agent_id={AGENT}", data=form, headers=headers) as response:
        assert response.status == HTTPStatus.CREATED, await response.text()
        return str((await response.json())["backup_id"])


async def is_offered(house: House) -> bool:
    """Look whether the page that welcomes a new household offers to restore a backup."""
    async with house.session.get(f"{house.url}/api/onboarding/backup/info") as response:
        return response.status == HTTPStatus.OK and (await response.json())["state"] == "idle"


async def restarted(house: House) -> None:
    """Home Assistant ends, puts the files in place and ends again, then starts with them; A's people live here now."""
    await asyncio.wait_for(house.home_assistant.ended(), 60)
    with pytest.raises(BootFailed, match="exit code 100"):
        await house.home_assistant.start()
    await house.home_assistant.start()
    await house.move_in()


async def is_as_it_was(house: House, left: Left) -> None:
    """Look at everything that came with the backup."""
    entry_id = await house.router()
    (entry,) = await house.entries("ai_router")
    assert entry["state"] == "loaded"
    (subentry,) = await house.subentries(entry_id)
    assert (subentry["subentry_id"], subentry["title"]) == (left.provider, "Cloud")
    assert (await spent(house))["total"] == left.usage["total"]
    shown = await house.state("sensor.ai_router_cost_this_month")
    assert shown is not None
    assert Decimal(shown["state"]) == Decimal(str(left.usage["total"]["cost"]))
    # What was spent in the other house counts: the budget is used up here too.
    assert await refusal(house) == "over_budget"
    told = await issues(house)
    assert told == {f"budget_reached_provider_{left.provider}_month", "ledger_of_backup"}
    await change(house, budget_month=1_000)
    assert (await house.process(prompt="and now?"))["provider"] == "Cloud"  # its key can be read
    assert KEY not in house.log()


async def test_a_fresh_house_takes_the_backup_while_it_is_set_up(tmp_path: Path, left: Left) -> None:
    async with booted(Unpacked(tmp_path, COMPONENTS)) as house:
        await until(lambda: is_offered(house), 60)
        backup_id = await bring(house, left.archive, "/api/onboarding/backup/upload")
        order = {"backup_id": backup_id, "agent_id": AGENT}
        with suppress(aiohttp.ClientError):  # it may be gone before it has answered
            async with house.session.post(f"{house.url}/api/onboarding/backup/restore", json=order) as response:
                assert response.status == HTTPStatus.OK, await response.text()
        await restarted(house)

        await is_as_it_was(house, left)

        # The key file is in the backup. Without it, this provider's key is asked for again, and nothing else fails.
        await house.home_assistant.stop()
        await asyncio.to_thread((house.folder / KEY_FILE).unlink)
        await house.restart()
        (entry,) = await house.entries("ai_router")
        assert entry["state"] == "loaded"
        assert f"key_rejected_{left.provider}" in await issues(house)
        with pytest.raises(Refused):
            await house.process(prompt="without a key")
        assert (await spent(house))["total"]["attempts"] == left.usage["total"]["attempts"] + 1


async def test_a_house_with_a_ledger_of_its_own_becomes_the_other(tmp_path: Path, left: Left, cloud: Server) -> None:
    async with booted(Copied(tmp_path, COMPONENTS)) as house:
        await house.move_in()
        await furnish(house, cloud, "Its own")
        for number in range(9):
            await house.process(prompt=f"its own {number}")
        assert (await spent(house))["total"]["attempts"] == 9
        backup_id = await bring(house, left.archive, "/api/backup/upload")
        order = {"backup_id": backup_id, "agent_id": AGENT, "restore_database": True, "restore_homeassistant": True}
        with suppress(aiohttp.WSMessageTypeError):
            await house.ws("backup/restore", **order)
        await restarted(house)

        await is_as_it_was(house, left)
        assert await asyncio.to_thread(attempts, house.folder / COPY) == left.usage["total"]["attempts"]
