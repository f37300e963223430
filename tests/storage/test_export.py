"""CSV: every attempt once, readable by any reader, harmless in a spreadsheet."""

import csv
import io

import pytest

from custom_components.ai_router.routing.call import Usage
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.storage import export
from custom_components.ai_router.storage.export import TooManyRows
from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW, TODAY, answered, entry, failed

YESTERDAY = "2026-11-20"


async def text(ledger: SqliteLedger, from_day: str = TODAY, to_day: str = TODAY) -> str:
    return "".join([piece async for piece in export.export(ledger.reader, from_day, to_day, {"attic": "Ollama attic"})])


def rows(exported: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported, newline=""), strict=True))


async def test_a_line_has_everything_known_of_an_attempt(ledger: SqliteLedger) -> None:
    usage = Usage(fresh_in=3, cache_read=2, text_out=4)
    one = entry("one", request_id="asked", pool="cameras", user_id="anna", label="door", started=NOW)
    ledger.settle(one, answered(1_234_567, estimated=True, usage=usage))
    await ledger.hold(entry("held", hold=1))
    await ledger.flush()
    exported = await text(ledger)
    assert exported.endswith("\r\n")
    assert exported.count("\n") == exported.count("\r\n") == 2
    (line,) = rows(exported)
    assert {name: value for name, value in line.items() if value not in {"", "0"}} == {
        "attempt_id": "one",
        "started": "2026-11-21T22:26:40.000+00:00",
        "request_id": "asked",
        "day": TODAY,
        "provider_id": "Ollama attic",
        "model_id": "small",
        "pool": "cameras",
        "user_id": "anna",
        "label": "door",
        "source": "action",
        "op": "chat",
        "cost_usd": "0.000001234567",
        "estimated": "1",
        "finish": "stop",
        "fresh_in": "3",
        "cache_read": "2",
        "text_out": "4",
        "requests": "1",
        "latency": "1.5",
        "first_token": "0.25",
    }


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@cmd", "\t=1", "\r=1"])
async def test_what_looks_like_a_formula_is_kept_from_being_one(ledger: SqliteLedger, label: str) -> None:
    ledger.settle(entry(label=label, pool="a=b"), answered())
    await ledger.flush()
    (line,) = rows(await text(ledger))
    assert line["label"] == f"'{label}"
    assert line["pool"] == "a=b"


async def test_quotes_commas_and_lines_come_back_as_they_were(ledger: SqliteLedger) -> None:
    label = 'the "front", door\r\nand\nthe garden ü'
    ledger.settle(entry(label=label), failed(cls=FailureClass.TIMEOUT_IDLE))
    await ledger.flush()
    (line,) = rows(await text(ledger))
    assert (line["label"], line["failure"], line["phase"]) == (label, "timeout_idle", "sent")


async def test_pieces_join_to_each_attempt_once(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE_ROWS", 7)
    for number in range(100):
        day, started = (TODAY if number % 2 else YESTERDAY), NOW - number // 10  # ten of each moment
        ledger.settle(entry(f"{number:02}", day=day, started=started), answered())
    await ledger.flush()
    pieces = [piece async for piece in export.export(ledger.reader, YESTERDAY, TODAY)]
    assert [piece.count("\r\n") for piece in pieces] == [1, *[7] * 14, 2]
    found = [line["attempt_id"] for line in rows("".join(pieces))]
    assert sorted(found) == [f"{number:02}" for number in range(100)]
    assert found[0] == "90"
    assert len(rows(await text(ledger))) == 50
    assert rows(await text(ledger, "2026-11-19", "2026-11-19")) == []


async def test_too_much_is_refused_before_the_first_line(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "EXPORT_ROWS", 3)
    for number in range(4):
        assert len(rows(await text(ledger))) == number
        ledger.settle(entry(), answered())
        await ledger.flush()
    with pytest.raises(TooManyRows):
        await anext(export.export(ledger.reader, TODAY, TODAY))


async def test_an_export_of_a_closed_ledger_fails(ledger: SqliteLedger) -> None:
    await ledger.close()
    with pytest.raises(LedgerUnavailable):
        await text(ledger)
