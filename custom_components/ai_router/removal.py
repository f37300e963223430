"""What goes when the integration is removed: keys, state and kept answers always, the ledger only if asked for."""

import logging
import shutil
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from .const import DOMAIN, Conf
from .credentials import KEY_FILE
from .problems import async_forget_all
from .saved_state import state_store
from .storage.answer_file import FILE_NAME as ANSWERS

_LOGGER = logging.getLogger(__name__)
_ALWAYS = (KEY_FILE, ANSWERS)


async def clean_up(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Leave nothing of an entry that is removed, but the ledger: adding it again finds what was spent."""
    async_forget_all(hass)
    await state_store(hass).async_remove()
    folder = Path(hass.config.path(".storage", DOMAIN))
    whole = entry.options.get(Conf.DELETE_DATA) is True
    if left := await hass.async_add_executor_job(_delete, folder, whole):
        _LOGGER.warning("Not everything in %s could be deleted: %s", folder, "; ".join(left))


def _delete(folder: Path, whole: bool) -> list[str]:
    """Delete what can be; return what could not, and why."""
    left: list[str] = []

    def note(_: Any, path: str, err: BaseException) -> None:
        if not isinstance(err, FileNotFoundError):
            left.append(f"{Path(path).name} ({err})")

    if whole:
        shutil.rmtree(folder, onexc=note)
        return left
    for name in _ALWAYS:
        for file in folder.glob(f"{name}*"):  # with what SQLite keeps beside its file
            try:
                file.unlink()
            except OSError as err:
                note(None, str(file), err)
    return left
