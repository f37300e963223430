"""What was reported as held survives the process and the power."""

import asyncio
import random
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW, check_sums, entry, files, put, row, select

ROUNDS = 10
TRAFFIC = Path(__file__).with_name("traffic.py")


async def killed_traffic(home: Path, chance: random.Random) -> dict[str, int]:
    """Run paid traffic, kill it at a random moment, and return what it had reported."""
    process = await asyncio.create_subprocess_exec(sys.executable, TRAFFIC, home, str(chance.random())[2:], stdout=PIPE)
    assert process.stdout is not None
    lines: list[bytes] = []
    try:
        lines += [await process.stdout.readline() for _ in range(chance.randrange(1, 400))]
        time.sleep(chance.random() / 50)  # noqa: ASYNC251 - reading on would bind the moment to a report
    finally:
        process.kill()
    lines += (await process.stdout.read()).splitlines()
    await process.wait()
    assert process.returncode == -9
    return {attempt_id: int(hold) for attempt_id, hold in (line.decode().split() for line in lines)}


async def test_no_reported_hold_is_lost_when_the_process_is_killed(home: Path, file: Path) -> None:
    chance = random.Random(20_261_121)
    before: set[tuple[object, ...]] = set()
    lost = 0
    for _ in range(ROUNDS):
        reported = await killed_traffic(home, chance)
        ledger = await SqliteLedger.open(home, NOW)
        try:
            assert ledger.recovered is None
            held = dict(select(file, "SELECT attempt_id, hold FROM attempts"))
            assert reported.items() <= held.items()
            replayed = await ledger.replay()
            lost += len(replayed)
            for hold in replayed:
                settled = row(file, hold.attempt_id)
                assert settled is not None
                assert (settled["state"], settled["failure"], settled["estimated"]) == (1, "unknown", 1)
                assert settled["cost"] == settled["hold"] == hold.hold
        finally:
            await ledger.close()
        assert select(file, "SELECT count(*) FROM attempts WHERE state = 0") == [(0,)]
        check_sums(file)
        after = set(select(file, "SELECT * FROM attempts"))
        assert before <= after  # what was settled stays as it was
        before = after
    assert lost > ROUNDS  # or the kills came at no interesting moment


async def held_elsewhere(directory: Path, database: bytes, log: bytes) -> set[str]:
    """Open what the disk would have kept, and return the attempts that are held."""
    put(directory, database, log)
    ledger = await SqliteLedger.open(directory, NOW)
    try:
        assert ledger.recovered is None
        return {hold.attempt_id for hold in await ledger.replay()}
    finally:
        await ledger.close()
        check_sums(directory / "ledger.db")


async def test_a_hold_is_in_the_files_as_they_are_at_its_report(
    ledger: SqliteLedger, home: Path, tmp_path: Path
) -> None:
    await ledger.hold(entry("first", hold=1))
    whole = len(files(home)["ledger.db-wal"])
    await ledger.hold(entry("second", hold=1))
    kept = files(home)
    database, both = kept["ledger.db"], kept["ledger.db-wal"]
    assert await held_elsewhere(tmp_path / "both", database, both) == {"first", "second"}
    for cut in range(whole, len(both), 1_000):  # the power fails while the second is written
        assert await held_elsewhere(tmp_path / str(cut), database, both[:cut]) == {"first"}
