"""The demo: a ready household on http://127.0.0.1:8123, or a check that it would work."""

import argparse
import asyncio
import fcntl
import shutil
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .boot import RESTART_EXIT_CODE, BootFailed
from .check import CheckFailed, check
from .client import Refused
from .forms import FlowFailed
from .furnish import DASHBOARD, furnish
from .house import NAME, PASSWORD, opened
from .users import LoginFailed

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "custom_components"
FOLDER = ROOT / ".demo" / "config"
PORT = 8123

EXPECTED = (BootFailed, CheckFailed, FlowFailed, LoginFailed, Refused)


def main() -> int:
    """Run the demo or the check; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs left in .demo/")
    parser.add_argument("--check", action="store_true", help="boot in a temporary folder, ask twice, and end")
    parser.add_argument("--port", type=int, default=PORT, help="the port to use if it is free (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        return asyncio.run(_run(arguments))
    except asyncio.CancelledError:
        say("stopped")
        return 130 if arguments.check else 0
    except EXPECTED as err:
        say(f"failed: {err}")
        return 1


async def _run(arguments: argparse.Namespace) -> int:
    if task := asyncio.current_task():
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if arguments.check:
        await check(COMPONENTS, say)
        say("both requests were answered")
        return 0
    return await _live(arguments)


async def _live(arguments: argparse.Namespace) -> int:
    with _alone():
        if arguments.fresh and FOLDER.exists():
            say("forgetting the old household")
            await asyncio.to_thread(shutil.rmtree, FOLDER)
        return await _serve(arguments.port)


@contextmanager
def _alone() -> Generator[None]:
    FOLDER.parent.mkdir(exist_ok=True)
    with (FOLDER.parent / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BootFailed(
                f"another demo runs in {FOLDER.parent}; stop it first (Ctrl-C where it was started)"
            ) from None
        yield


async def _serve(port: int) -> int:
    say("booting Home Assistant")
    async with opened(FOLDER, COMPONENTS, port=port) as house:
        await furnish(house, say)
        say(f"ready: {house.url}/{DASHBOARD}   user: {NAME}   password: {PASSWORD}")
        say(f"log: {house.home_assistant.console}   stop: Ctrl-C")
        while (code := await house.home_assistant.ended()) == RESTART_EXIT_CODE:
            say("restarting Home Assistant")
            await house.restart()
            say("Home Assistant is back")
        if code:
            raise BootFailed(f"Home Assistant ended with exit code {code}\n{house.home_assistant.log_end()}")
    return 0


STARTED = time.monotonic()


def say(text: str) -> None:
    """Print a progress line with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
