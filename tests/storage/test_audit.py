"""Who changed what."""

from pathlib import Path

import pytest

from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.storage import audit
from custom_components.ai_router.storage.audit import Change, Changed, changes
from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW, select

BUDGET = Change(NOW, "anna", Changed.BUDGET, "cloud", "month: 5 to 10 dollars")
KEY = Change(NOW + 1, "", Changed.CREDENTIAL, "cloud", "replaced")
SETTING = Change(NOW + 2, "ben", Changed.SETTINGS, "", "local only: on")


async def test_the_newest_change_comes_first(ledger: SqliteLedger) -> None:
    for change in (BUDGET, KEY, SETTING):
        await ledger.note(change)
    assert await changes(ledger.reader, 10) == [SETTING, KEY, BUDGET]
    assert await changes(ledger.reader, 2) == [SETTING, KEY]
    assert await changes(ledger.reader, 10, since=NOW + 1) == [SETTING, KEY]
    assert await changes(ledger.reader, 10, kind=Changed.CREDENTIAL) == [KEY]


async def test_a_change_is_on_disk_when_it_is_noted(ledger: SqliteLedger, file: Path) -> None:
    await ledger.note(BUDGET)
    assert select(file, "SELECT at, user_id, kind, provider_id, text FROM audit") == [
        (NOW, "anna", "budget", "cloud", "month: 5 to 10 dollars")
    ]


async def test_the_audit_is_bounded(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "AUDIT_ROWS", 3)
    for number in range(10):
        await ledger.note(Change(NOW + number, "", Changed.SETTINGS, "", "x" * 10_000))
    kept = await changes(ledger.reader, 100)
    assert [change.at for change in kept] == [NOW + 9, NOW + 8, NOW + 7]
    assert {len(change.text) for change in kept} == {500}


async def test_a_closed_ledger_takes_no_note(ledger: SqliteLedger) -> None:
    await ledger.close()
    with pytest.raises(LedgerUnavailable):
        await ledger.note(BUDGET)
