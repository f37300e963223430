"""Kept answers on a real file: they survive, they stay small, and losing them costs nobody an error."""

import asyncio
import logging
import random
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from custom_components.ai_router.routing.cache import Answer, StoreStats
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.config import RouterConfig
from custom_components.ai_router.routing.model import Sampling, Target
from custom_components.ai_router.routing.request import CacheMode
from custom_components.ai_router.routing.router import Router
from custom_components.ai_router.storage.answer_file import delete_answers
from custom_components.ai_router.storage.answers import SqliteAnswers
from tests.routing.simulation import MemoryLedger, ScriptedProvider, ask, provider

from .attempts import NOW, files, modes, opened, select, until
from .test_damage import broken_disk, put_in_the_way, scribble

HOUR = 3_600.0


class Clock:
    """The time of day as the test sets it."""

    def __init__(self) -> None:
        self.time = NOW

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(home: Path) -> Path:
    return home / "cache.db"


@pytest.fixture
async def answers(home: Path, clock: Clock) -> AsyncGenerator[SqliteAnswers]:
    store = await SqliteAnswers.open(home, clock)
    yield store
    await store.close()


def answer(text: str = "The door is open.", *, stored: float = NOW, kept: float = HOUR, **fields: Any) -> Answer:
    whole: dict[str, Any] = {
        "data": None,
        "target": Target("attic", "small"),
        "usage": Usage(fresh_in=100, cache_read=20, text_out=30),
        "cost": 2**60,
        "stored": stored,
        "fresh_until": stored + kept / 2,
        "kept_until": stored + kept,
        **fields,
    }
    return Answer(text, **whole)


def size_of(file: Path) -> int:
    return file.stat().st_size


def clear_away(file: Path) -> None:
    file.unlink()


def noise(length: int, seed: int) -> str:
    """Text that cannot be compressed below half its length."""
    return random.Random(seed).randbytes(length // 2).hex()


async def test_answers_survive_a_restart(home: Path, clock: Clock, answers: SqliteAnswers) -> None:
    kept = answer("Grüße \U0001f600 \ud800", data='{"open": true}')
    await answers.put("k", kept)
    await answers.close()
    again = await SqliteAnswers.open(home, clock)
    assert await again.get("k") == kept
    assert await again.get("l") is None
    assert (await again.stats()).entries == 1
    await again.close()


async def test_a_newer_answer_takes_the_place_of_the_older(answers: SqliteAnswers) -> None:
    await answers.put("k", answer("old"))
    await answers.put("k", answer("new"))
    found = await answers.get("k")
    assert found is not None
    assert found.text == "new"
    assert (await answers.stats()).entries == 1


async def test_the_files_are_the_owners_alone(home: Path, answers: SqliteAnswers) -> None:
    await answers.put("k", answer())
    await answers.stats()
    assert modes(home) == {".": 0o700, "cache.db": 0o600, "cache.db-wal": 0o600, "cache.db-shm": 0o600}


async def test_a_file_open_to_all_is_closed_to_others(home: Path, file: Path, clock: Clock) -> None:
    put_in_the_way(file)
    store = await SqliteAnswers.open(home, clock)
    assert modes(home)["cache.db"] == 0o600
    await store.close()


@pytest.mark.parametrize(("length", "packed"), [(100, 0), (3_000, 0), (20_000, 1)])
async def test_long_answers_are_compressed(answers: SqliteAnswers, file: Path, length: int, packed: int) -> None:
    kept = answer("light " * (length // 6))
    await answers.put("k", kept)
    assert await answers.get("k") == kept
    [(found, size)] = select(file, "SELECT packed, length(body) FROM answers")
    assert found == packed
    assert (size < length / 10) == bool(packed)


async def test_the_file_stays_within_its_limit_and_the_oldest_go(home: Path, file: Path, clock: Clock) -> None:
    limit = 256 * 1024
    store = await SqliteAnswers.open(home, clock, limit)
    for number in range(300):
        await store.put(str(number), answer(noise(3_000, number), stored=NOW + number))
        await store.stats()  # the queue is bounded too
        assert size_of(file) <= limit + 16_384
    entries, size = await store.stats()
    assert 40 < entries < 100
    assert limit / 2 < size <= limit
    assert [await store.get(str(number)) is not None for number in (0, 299 - entries, 300 - entries, 299)] == [
        False,
        False,
        True,
        True,
    ]
    await store.put("huge", answer(noise(limit + 4_096, 1), stored=NOW + 1_000))
    assert await store.get("huge") is None
    assert (await store.stats()).entries == entries
    await store.close()
    smaller = await SqliteAnswers.open(home, clock, limit // 4)
    assert 0 < (await smaller.stats()).bytes <= limit // 4
    assert await smaller.get("299") is not None
    await smaller.close()
    assert size_of(file) <= limit // 4


async def test_opening_clears_away_what_nobody_would_be_given(home: Path, file: Path, clock: Clock) -> None:
    store = await SqliteAnswers.open(home, clock)
    for number in range(50):
        await store.put(str(number), answer(noise(3_000, number), kept=HOUR if number else 2 * HOUR))
    await store.close()
    before = size_of(file)
    clock.time += HOUR
    again = await SqliteAnswers.open(home, clock)
    assert (await again.stats()).entries == 1
    assert await again.get("0") is not None
    await again.close()
    assert size_of(file) < before / 3


async def test_it_is_cleaned_in_the_background(
    home: Path, file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.ai_router.storage.answers.CLEAN_SECONDS", 0.01)
    store = await SqliteAnswers.open(home, clock)
    await store.put("k", answer())
    assert await store.get("k") is not None
    clock.time += HOUR
    await until(lambda: select(file, "SELECT count(*) FROM answers") == [(0,)])
    await store.close()


async def test_what_is_dropped_is_gone_from_the_disk(home: Path, answers: SqliteAnswers) -> None:
    for number in range(20):
        await answers.put(str(number), answer(f"secret {number} " * 20))
    await answers.drop("7")
    assert await answers.get("7") is None
    assert (await answers.stats()).entries == 19
    await answers._run(lambda: answers._file.clean(NOW))  # moves the log into the file
    kept = b"".join(files(home).values())
    assert b"secret 8 " in kept
    assert b"secret 7 " not in kept
    await answers.drop()
    assert not files(home)
    assert (await answers.stats()).entries == 0
    await answers.put("k", answer())
    assert await answers.get("k") == answer()


async def test_deleting_leaves_other_files_alone(home: Path, answers: SqliteAnswers) -> None:
    (home / "ledger.db").touch()
    await answers.close()
    delete_answers(home)
    delete_answers(home)
    assert list(files(home)) == ["ledger.db"]


# --- trouble -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "length"), [(0, 100), (4_096, 20_000), (40_000, 4_096)])
async def test_a_damaged_file_is_begun_anew(
    home: Path, file: Path, clock: Clock, caplog: pytest.LogCaptureFixture, offset: int, length: int
) -> None:
    store = await SqliteAnswers.open(home, clock)
    for number in range(100):
        await store.put(str(number), answer(noise(3_000, number)))
    await store.close()
    scribble(file, offset, length)
    caplog.clear()
    again = await SqliteAnswers.open(home, clock)
    assert (await again.stats()).entries == 0
    await again.put("k", answer())
    assert await again.get("k") == answer()
    await again.close()
    assert list(files(home)) == ["cache.db"]
    ours = [record for record in caplog.records if record.name.startswith("custom_components.")]
    assert [record.levelno for record in ours] == [logging.WARNING]


def put_a_folder(file: Path) -> None:
    file.unlink()
    (file / "something").mkdir(parents=True)


def write(text: str) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        file.write_text(text)

    return spoil


def run_sql(script: str) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(script)

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        put_a_folder,
        write(""),
        write("x"),
        write("these are notes\n" * 500),
        run_sql("PRAGMA application_id = 5"),
        run_sql("DROP TABLE answers; PRAGMA user_version = 0"),
        run_sql("DROP TABLE answers; CREATE TABLE answers (key, body)"),
        run_sql("ALTER TABLE answers DROP COLUMN packed"),
        run_sql("DROP TABLE answers; CREATE VIEW answers AS SELECT 1 AS stored, 2 AS kept_until"),
    ],
)
async def test_an_odd_file_is_thrown_away(home: Path, file: Path, clock: Clock, spoil: Callable[[Path], None]) -> None:
    store = await SqliteAnswers.open(home, clock)
    await store.put("k", answer())
    await store.close()
    spoil(file)

    again = await SqliteAnswers.open(home, clock)
    assert await again.get("k") is None
    await again.put("k", answer("new"))
    assert await again.get("k") == answer("new")
    await again.close()
    assert list(files(home)) == ["cache.db"]


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA user_version = 2",
        "DROP TABLE answers",
        "UPDATE answers SET body = x'7b7d'",
        "UPDATE answers SET body = x'5b'",
        "UPDATE answers SET packed = 1",
        "UPDATE answers SET body = CAST(replace(body, 'fresh_in', 'gone') AS BLOB)",
    ],
)
@pytest.mark.parametrize("restart", [True, False])
async def test_what_cannot_be_understood_is_begun_anew(
    home: Path, file: Path, clock: Clock, sql: str, restart: bool
) -> None:
    store = await SqliteAnswers.open(home, clock)
    await store.put("k", answer())
    assert await store.get("k") == answer()
    if restart:
        await store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(sql)
    if restart:
        store = await SqliteAnswers.open(home, clock)
    if restart or "version" not in sql:
        assert await store.get("k") is None
        assert (await store.stats()).entries == 0
    await store.put("k", answer("new"))
    assert await store.get("k") == answer("new")
    await store.close()


async def test_a_disk_that_fails_costs_no_error(answers: SqliteAnswers, caplog: pytest.LogCaptureFixture) -> None:
    with broken_disk():
        for number in range(5):
            await answers.put(str(number), answer())
            await answers.drop("x")
        assert await answers.get("1") is None
    await answers.put("k", answer())
    assert await answers.get("k") == answer()
    assert (await answers.stats()).entries == 1
    assert len(caplog.records) == 1


async def test_a_place_that_cannot_be_written_costs_no_error(
    home: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    put_in_the_way(home)
    store = await SqliteAnswers.open(home, clock)
    await store.put("k", answer())
    assert await store.get("k") is None
    await store.drop("k")
    assert await store.stats() == StoreStats(0, 0)
    assert len(caplog.records) == 1
    clear_away(home)
    await store.put("k", answer())
    assert await store.get("k") == answer()
    await store.close()


async def test_a_disk_that_hangs_fills_no_queue(answers: SqliteAnswers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.ai_router.storage.answers.QUEUED_JOBS", 5)
    go_on = threading.Event()
    answers._run(go_on.wait)
    try:
        async with asyncio.timeout(5):
            for number in range(20):
                await answers.put(str(number), answer())
            assert answers._queued == 5
            assert await answers.get("0") is None
    finally:
        go_on.set()
    await until(lambda: not answers._queued)
    assert (await answers.stats()).entries == 4
    assert await answers.get("0") is not None


async def test_close_writes_what_is_queued_and_leaves_nothing(home: Path, clock: Clock) -> None:
    store = await SqliteAnswers.open(home, clock)
    for number in range(20):
        await store.put(str(number), answer())
    assert opened(home)
    await store.close()
    await store.close()
    assert not opened(home)
    assert not [thread for thread in threading.enumerate() if "ai_router answers" in thread.name]
    assert list(files(home)) == ["cache.db"]
    await store.put("late", answer())
    await store.drop()
    assert await store.get("1") is None
    assert await store.stats() == StoreStats(0, 0)
    again = await SqliteAnswers.open(home, clock)
    assert (await again.stats()).entries == 20
    await again.close()


async def test_an_opening_that_is_cancelled_leaves_nothing(home: Path, clock: Clock) -> None:
    opening = asyncio.ensure_future(SqliteAnswers.open(home, clock))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(lambda: not [thread for thread in threading.enumerate() if "ai_router answers" in thread.name])
    assert not opened(home)


# --- with the router ---------------------------------------------------------------------------------


async def test_a_router_finds_its_answers_after_a_restart_and_keeps_no_questions(home: Path, clock: Clock) -> None:
    request = ask("Where is the spare key?", sampling=Sampling(temperature=0.0), label="hall")
    client = ScriptedProvider()
    for cached in (False, True):
        router = Router(clock, MemoryLedger())
        router.apply(RouterConfig(providers={"a": provider("a", client)}))
        router.answers.store = store = await SqliteAnswers.open(home, clock)
        reply = await router.process(request)
        assert (reply.text, reply.cached) == ("Hello", cached)
        await router.close(1)
        await store.close()
    assert len(client.calls) == 1
    kept = b"".join(files(home).values())
    assert b"Hello" in kept
    assert b"spare" not in kept
    assert b"hall" not in kept


async def test_100_equal_requests_at_once_with_a_store_are_one_call(clock: Clock, answers: SqliteAnswers) -> None:
    client = ScriptedProvider(["Hello", 0.01, Finish.STOP])
    router = Router(clock, MemoryLedger())
    router.apply(RouterConfig(providers={"a": provider("a", client)}))
    router.answers.store = answers
    request = ask(cache_mode=CacheMode.USE)
    replies = await asyncio.gather(*(router.process(request) for _ in range(100)))
    assert len(client.calls) == 1
    assert sum(not reply.cached for reply in replies) == 1
    await router.answers.drop()
    assert not (await router.process(request)).cached
