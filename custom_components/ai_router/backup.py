"""Home Assistant's backup copies the ledger's files while they are written.

Until it is done the file itself stays as it is and only its log grows: copied one after the other, both are a whole
ledger. A copy of its own is laid beside them all the same: whenever the ledger is found damaged at a start, after a
restore or a failing disk, it takes its place. And a mark goes into the backup, by which a restored one is known.
"""

import asyncio
import logging

from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .routing.ports import LedgerUnavailable
from .storage.database import SNAPSHOT_NAME
from .storage.ledger import SqliteLedger

_LOGGER = logging.getLogger(__name__)


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Make the copy, within a minute or not at all: a backup without it is better than none."""
    await asyncio.gather(*(_prepare(ledger) for ledger in _ledgers(hass)))


async def async_post_backup(hass: HomeAssistant) -> None:
    """Let the file be written again. The copy stays: it may be needed once more."""
    await asyncio.gather(*(_copied(ledger, on=False) for ledger in _ledgers(hass)))


def _ledgers(hass: HomeAssistant) -> list[SqliteLedger]:
    return [entry.runtime_data.ledger for entry in hass.config_entries.async_loaded_entries(DOMAIN)]


async def _prepare(ledger: SqliteLedger) -> None:
    await ledger.snapshot(ledger.beside(SNAPSHOT_NAME))
    await _copied(ledger, on=True)


async def _copied(ledger: SqliteLedger, *, on: bool) -> None:
    try:
        await ledger.only_append(on)
        await ledger.mark_backup(on)
    except (OSError, LedgerUnavailable) as err:
        _LOGGER.warning("The backup may hold no whole ledger: %s", err)
