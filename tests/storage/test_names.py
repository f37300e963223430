"""Names outlive what they name."""

from pathlib import Path

import pytest

from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.storage import names
from custom_components.ai_router.storage.ledger import SqliteLedger
from custom_components.ai_router.storage.names import known_names

from .attempts import NOW


async def test_the_last_name_of_each_is_kept_over_a_restart_and_a_purge(ledger: SqliteLedger, home: Path) -> None:
    await ledger.name({"a": "Attic", "b": "Cloud"}, NOW)
    await ledger.name({"a": "Loft"}, NOW + 1)
    assert await known_names(ledger.reader) == {"a": "Loft", "b": "Cloud"}
    await ledger.purge(None)
    await ledger.close()
    again = await SqliteLedger.open(home, NOW)
    assert await known_names(again.reader) == {"a": "Loft", "b": "Cloud"}
    await again.close()


async def test_names_are_bounded(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "NAMES_KEPT", 3)
    for number in range(10):
        await ledger.name({f"{number}": "x" * 10_000}, NOW + number)
    await ledger.name({"8": "eight"}, NOW + 20)
    assert await known_names(ledger.reader) == {"7": "x" * 255, "9": "x" * 255, "8": "eight"}


async def test_a_closed_ledger_takes_no_name(ledger: SqliteLedger) -> None:
    await ledger.close()
    with pytest.raises(LedgerUnavailable):
        await ledger.name({"a": "Attic"}, NOW)
