"""Home Assistant as a process: written, started, stopped, killed."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path

import aiohttp

START_SECONDS = 90
STOP_SECONDS = 30
POLL_SECONDS = 0.1
RESTART_EXIT_CODE = 100  # what `hass` ends with when somebody asked it to restart

CONFIGURATION = """\
homeassistant:
  country: NL
  time_zone: Europe/Amsterdam
  currency: USD
history:
logbook:
logger:
  default: warning
  logs:
    custom_components.ai_router: debug
automation: !include automations.yaml
"""


class BootFailed(Exception):
    """Home Assistant did not come up, or ended by itself; the text holds the end of its log."""


def free_port(wanted: int = 0) -> int:
    """Return the wanted port if nothing listens there, else a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Poll until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(POLL_SECONDS)


class HomeAssistant:
    """One Home Assistant in a folder of its own, on 127.0.0.1.

    Its whole output, over restarts, is in `console.log` of that folder.
    """

    def __init__(
        self, folder: Path, components: Path, *, port: int = 0, environment: Mapping[str, str] | None = None
    ) -> None:
        """Take the folder for its configuration and the `custom_components` to run with."""
        self.folder = folder
        self.port = free_port(port)
        self.url = f"http://127.0.0.1:{self.port}"
        self._components = components
        self._environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._environment.update(environment or {})
        self._process: asyncio.subprocess.Process | None = None

    @property
    def console(self) -> Path:
        """Return the file with everything Home Assistant logged and printed."""
        return self.folder / "console.log"

    def write(self) -> None:
        """Write what is missing of the configuration, and the port."""
        storage = self.folder / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        link = self.folder / "custom_components"
        link.unlink(missing_ok=True)
        link.symlink_to(self._components.resolve(), target_is_directory=True)
        for name, text in {"configuration.yaml": CONFIGURATION, "automations.yaml": "[]\n"}.items():
            if not (self.folder / name).exists():
                (self.folder / name).write_text(text, encoding="utf-8")
        _store(storage / "http", 3, 1, {"stable": _http(self.port), "pending": None, "yaml_migration_done": True})
        # All of onboarding but the user: the other steps would add integrations that talk to the internet.
        if not (storage / "onboarding").exists():
            _store(storage / "onboarding", 4, 1, {"done": ["core_config", "analytics", "integration"]})

    async def start(self) -> None:
        """Start and wait until it answers. Raises BootFailed."""
        self.write()
        command = [sys.executable, "-m", "homeassistant", "--skip-pip", "--log-no-color", "--config", str(self.folder)]
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "TERM", *command]  # ends with us, however we end
        with self.console.open("ab") as console:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,  # Ctrl-C is ours to pass on, once
            )
        try:
            async with aiohttp.ClientSession() as session:
                await until(lambda: self._answers(session), START_SECONDS)
        except BaseException as err:
            await self.stop()
            if isinstance(err, TimeoutError):
                raise BootFailed(f"Home Assistant did not answer within {START_SECONDS} s\n{self.log_end()}") from err
            raise

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        if self._process is not None and self._process.returncode is not None:
            raise BootFailed(f"Home Assistant ended with exit code {self._process.returncode}\n{self.log_end()}")
        try:
            async with session.get(f"{self.url}/manifest.json") as response:
                return response.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async def ended(self) -> int:
        """Wait until it ends by itself and return its exit code."""
        return await self._process.wait() if self._process else 0

    async def stop(self) -> None:
        """Ask it to stop, as a reboot of the machine would; kill it if it does not within STOP_SECONDS."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Kill it where it stands, as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def log(self) -> str:
        """Return everything it logged and printed so far, over all its starts."""
        return self.console.read_text(encoding="utf-8", errors="replace") if self.console.exists() else ""

    def log_end(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log().splitlines()[-30:])


def _http(port: int) -> dict[str, object]:
    # The http integration reads its settings from here; the ones in YAML would only be pending and fall back.
    return {
        "server_host": ["127.0.0.1"],
        "server_port": port,
        "cors_allowed_origins": ["https://cast.home-assistant.io"],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "intermediate_v6",
        "use_x_frame_options": True,
        "created_at": "2026-01-01T00:00:00+00:00",
        "error": None,
        "error_message": None,
    }


def _store(path: Path, version: int, minor_version: int, data: dict[str, object]) -> None:
    document = {"version": version, "minor_version": minor_version, "key": path.name, "data": data}
    path.write_text(json.dumps(document), encoding="utf-8")
