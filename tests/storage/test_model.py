"""Whatever happens in whatever order: the ledger agrees with a model of three dictionaries."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.ai_router.routing.ports import LedgerUnavailable
from custom_components.ai_router.storage.ledger import SqliteLedger

from .attempts import NOW, answered, check_sums, entry, failed, select

PROVIDERS = ("attic", "cloud")
ATTEMPTS = st.integers(0, 7)
AMOUNTS = st.integers(0, 10**13)

STEPS = st.one_of(
    st.tuples(st.just("hold"), ATTEMPTS, AMOUNTS),
    st.tuples(st.just("settle"), ATTEMPTS, AMOUNTS),
    st.tuples(st.just("settle"), ATTEMPTS, AMOUNTS),
    st.tuples(st.just("fail"), ATTEMPTS, AMOUNTS),
    st.tuples(st.sampled_from(("flush", "reopen")), st.just(0), st.just(0)),
)


@dataclass
class Model:
    """What the ledger should say."""

    held: dict[int, int] = field(default_factory=dict)
    settled: dict[int, tuple[int, bool]] = field(default_factory=dict)

    def known(self, attempt: int) -> bool:
        return attempt in self.held or attempt in self.settled

    def settle(self, attempt: int, cost: int, *, failure: bool) -> None:
        self.held.pop(attempt, None)
        self.settled.setdefault(attempt, (cost, failure))

    def replay(self) -> dict[int, int]:
        left, self.held = self.held, {}
        for attempt, hold in left.items():
            self.settled[attempt] = (hold, True)
        return left

    def usage(self) -> dict[str, tuple[int, int, int]]:
        sums: dict[str, tuple[int, int, int]] = {}
        for attempt, (cost, failure) in self.settled.items():
            name = PROVIDERS[attempt % 2]
            count, failures, money = sums.get(name, (0, 0, 0))
            sums[name] = (count + 1, failures + failure, money + cost)
        return sums


async def play(steps: list[tuple[str, int, int]], home: Path) -> None:
    model = Model()
    ledger = await SqliteLedger.open(home, NOW)
    try:
        for step, attempt, amount in steps:
            one = entry(str(attempt), amount, provider_id=PROVIDERS[attempt % 2])
            if step == "hold" and attempt in model.settled:
                continue  # its settle may still be on the way to the disk: no caller does this
            if step == "hold":
                try:
                    await ledger.hold(one)
                except LedgerUnavailable:
                    assert model.known(attempt)
                else:
                    assert not model.known(attempt)
                    model.held[attempt] = amount
            elif step == "settle":
                ledger.settle(one, answered(amount))
                model.settle(attempt, amount, failure=False)
            elif step == "fail":
                ledger.settle(one, failed(amount))
                model.settle(attempt, amount, failure=True)
            elif step == "flush":
                await ledger.flush()
            else:
                await ledger.close()
                ledger = await SqliteLedger.open(home, NOW)
                replayed = {int(hold.attempt_id): hold.hold for hold in await ledger.replay()}
                assert replayed == model.replay()
        await ledger.flush()
        usage = {
            row.key[0]: (row.attempts, row.failures, row.cost)
            for row in await ledger.usage("2026-01-01", "2026-12-31", ("provider_id",))
        }
        assert usage == model.usage()
        rows = select(home / "ledger.db", "SELECT attempt_id, state, hold, cost FROM attempts")
        assert {int(name): hold for name, state, hold, _ in rows if state == 0} == model.held
        assert {int(name): cost for name, state, _, cost in rows if state == 1} == {
            attempt: cost for attempt, (cost, _) in model.settled.items()
        }
        check_sums(home / "ledger.db")
    finally:
        await ledger.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_the_ledger_agrees_with_the_model(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(play(steps, Path(home)))
