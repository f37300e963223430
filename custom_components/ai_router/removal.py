"""What goes when the integration is removed: keys, state and kept answers always, the ledger only if asked for."""

import logging
import shutil
from contextlib import suppress
from pathlib import Path

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
    try:
        await hass.async_add_executor_job(_delete, folder, whole)
    except OSError as err:
        _LOGGER.warning("Not everything in %s could be deleted: %s", folder, err.strerror or type(err).__name__)


def _delete(folder: Path, whole: bool) -> None:
    if whole:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        return
    for name in _ALWAYS:
        for file in folder.glob(f"{name}*"):  # with what SQLite keeps beside its file
            file.unlink(missing_ok=True)
