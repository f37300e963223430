"""The cache's durable layer: answers that outlive a restart, for households that want them kept on disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, override

from ..routing.cache import Answer, CacheStore, StoreStats
from ..routing.ports import Clock
from .answer_file import AnswerFile

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
CLEAN_SECONDS = 600.0
QUEUED_JOBS = 200
"""How much may wait for the disk: beyond it nothing is found and nothing is kept."""


class SqliteAnswers(CacheStore):
    """The core's `CacheStore` port on an SQLite file of its own; all its SQL runs in one thread of its own."""

    def __init__(self, directory: Path, clock: Clock, max_bytes: int) -> None:
        """Use `open`."""
        self._clock = clock
        self._file = AnswerFile(directory, max_bytes)
        self._thread = ThreadPoolExecutor(1, "ai_router answers")
        self._queued = 0
        self._cleaning: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    async def open(cls, directory: Path, clock: Clock, max_bytes: int = DEFAULT_MAX_BYTES) -> Self:
        """Open the answers of a directory, or begin anew; `max_bytes` bounds the file.

        Never raises: answers that cannot be kept are not kept, and the log says so once.
        """
        answers = cls(directory, clock, max_bytes)
        answers._clean()
        try:
            await answers.stats()
        except BaseException:
            answers._stop()
            raise
        return answers

    @override
    async def get(self, key: str) -> Answer | None:
        if self._closed or self._queued >= QUEUED_JOBS:
            return None
        return await self._run(lambda: self._file.get(key))

    @override
    async def put(self, key: str, answer: Answer) -> None:
        if not self._closed and self._queued < QUEUED_JOBS:
            self._run(lambda: self._file.put(key, answer))

    @override
    async def drop(self, key: str | None = None) -> None:
        if not self._closed:
            await self._run(self._file.delete if key is None else lambda: self._file.drop(key))

    @override
    async def stats(self) -> StoreStats:
        return StoreStats(0, 0) if self._closed else await self._run(self._file.stats)

    async def close(self) -> None:
        """Write what is queued and let go of file and thread. May be called again."""
        self._stop()
        await asyncio.to_thread(self._thread.shutdown)

    def _stop(self) -> None:
        """Take nothing more; what is queued is done, then the thread ends."""
        if self._closed:
            return
        self._closed = True
        if self._cleaning is not None:
            self._cleaning.cancel()
        self._thread.submit(self._file.close)
        self._thread.shutdown(wait=False)

    def _run[R](self, job: Callable[[], R]) -> asyncio.Future[R]:
        self._queued += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, job)
        future.add_done_callback(lambda _: self._done())
        return future

    def _done(self) -> None:
        self._queued -= 1

    def _clean(self) -> None:
        """Clean now, and again from time to time."""
        now = self._clock.now()
        self._run(lambda: self._file.clean(now))
        self._cleaning = asyncio.get_running_loop().call_later(CLEAN_SECONDS, self._clean)
