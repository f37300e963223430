"""The whole table of speed and promises, in one run.

    .venv/test/bin/python -m benchmarks.chapter [--litellm PYTHON] [--rounds 3] [--calls 1000] [--rows N]

Every figure comes from a fresh process, the subjects take turns, and the median of the rounds counts; the provider is a
process of its own on loopback. `--litellm` names a Python that has LiteLLM, to be measured in the same run; `--rows`
fills a ledger with so many rows first, which takes a while (a minute and a half for a million).
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from benchmarks import ledger
from custom_components.ai_router.storage.ledger import SqliteLedger

ROOT = Path(__file__).resolve().parents[1]
CALLERS = (1, 10, 100)
_STREAMS = 40
_CANCELS = 10_000
_FEWER = 10
_SUBJECTS = {
    "direct": "bare aiohttp POST",
    "free": "AI Router, free target",
    "paid": "AI Router, paid target",
    "action": "the action `ai_router.process`",
    "litellm": "LiteLLM Router",
}

type Found = dict[str, Any]


class Bench(NamedTuple):
    """What is measured against, and how thoroughly."""

    address: str
    rounds: int
    calls: int
    litellm: str | None
    compiled: str

    def ask(self, module: str, *words: object, python: str | None = None) -> Found:
        """Run one measurement in a process of its own."""
        done = subprocess.run(
            [python or sys.executable, "-m", f"benchmarks.{module}", *map(str, words)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if not lines:
            raise SystemExit(f"benchmarks.{module} {words}: {done.stderr[-2000:]}")
        found: Found = json.loads(lines[-1])
        return found

    @property
    def environment(self) -> dict[str, str]:
        """As it is, and compiled modules are kept, as in every house, but beside the tree."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "PYTHONPYCACHEPREFIX": self.compiled, "LITELLM_LOG": "ERROR"}

    def often(self, module: str, *words: object, python: str | None = None) -> Found:
        """Run one in every round, and return the medians of its figures."""
        rounds = [self.ask(module, *words, python=python) for _ in range(self.rounds)]
        return {name: median(found[name] for found in rounds) for name in rounds[0]}

    def both(self, task: str) -> tuple[Found, Found | None]:
        """Let a crowd ask AI Router, and LiteLLM where it is there."""
        ours = self.ask("crowd", "router", task, self.address)
        return ours, self.ask("crowd", "litellm", task, self.address, python=self.litellm) if self.litellm else None


@contextmanager
def serving() -> Iterator[str]:
    """Run the provider; yields its address."""
    with subprocess.Popen([sys.executable, ROOT / "benchmarks/server.py"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.terminate()


# --- speed -----------------------------------------------------------------------------------------


def speeds(bench: Bench) -> dict[str, list[Found]]:
    """Measure all subjects in turns."""
    found: dict[str, list[Found]] = {name: [] for name in _SUBJECTS if name != "litellm" or bench.litellm}
    for number in range(bench.rounds):
        for name, rounds in found.items():
            slow = name == "litellm"
            calls = bench.calls // _FEWER if slow else bench.calls
            streams = {"litellm": _STREAMS // _FEWER, "action": 0}.get(name, _STREAMS)
            python = bench.litellm if slow else None
            rounds.append(bench.ask("speed", name, bench.address, calls, streams, *CALLERS, python=python))
            print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
    return found


def of(rounds: list[Found], *path: str) -> float:
    """Return the median of a figure."""
    figures = []
    for found in rounds:
        figure: Any = found
        for name in path:
            figure = figure[name]
        figures.append(float(figure))
    return median(figures)


def speed_table(found: dict[str, list[Found]]) -> None:
    """Print what a call costs, beside the bare one of the same run."""
    print("| subject | callers | requests/s | of the bare one's | p50 ms | CPU ms a call | over the bare one's |")
    print("|---|---|---|---|---|---|---|")
    for name, rounds in found.items():
        for callers in map(str, CALLERS):
            rate, wait, cpu = (of(rounds, callers, figure) for figure in ("rps", "p50", "cpu"))
            beside = (
                f"{rate / of(found['direct'], callers, 'rps'):.2f} x",
                f"+{cpu - of(found['direct'], callers, 'cpu'):.2f}",
            )
            ratio, over = ("", "") if name == "direct" else beside
            print(f"| {_SUBJECTS[name]} | {callers} | {rate:.0f} | {ratio} | {wait:.2f} | {cpu:.3f} | {over} |")


# --- the table of promises -------------------------------------------------------------------------


def row(what: str, target: str, ours: str, litellm: str = "-") -> None:
    """Print one line."""
    print(f"| {what} | {target} | {ours} | {litellm} |", flush=True)


def over(found: dict[str, list[Found]], name: str, callers: str) -> float:
    """Return the CPU (milliseconds) of a call over a bare one's, without that of the disk's own syncing."""
    cpu = of(found[name], callers, "cpu") - of(found["direct"], callers, "cpu")
    return cpu - of(found[name], "fsync") * of(found[name], callers, "commits") if name == "paid" else cpu


def overs(found: dict[str, list[Found]], name: str) -> str:
    """Tell it for one caller and for a hundred."""
    return f"{over(found, name, '1'):.2f} / {over(found, name, '100'):.2f} ms" if name in found else "-"


def rate(found: dict[str, list[Found]], name: str) -> str:
    """Tell how many calls a hundred callers get answered, beside bare ones."""
    bare = of(found["direct"], "100", "rps")
    return f"{of(found[name], '100', 'rps') / bare:.2f} x" if name in found else "-"


def chunk(found: dict[str, list[Found]], name: str) -> str:
    """Tell the CPU of a streamed chunk."""
    return f"{of(found[name], 'chunk'):.3f} ms" if name in found else "-"


def cost_rows(bench: Bench, found: dict[str, list[Found]]) -> None:
    """Print what calls, chunks, importing and setting up cost."""
    row("CPU over a bare POST, free, 1 / 100 callers", "<= 0.10 ms", overs(found, "free"), overs(found, "litellm"))
    fsync, commits = of(found["paid"], "fsync"), of(found["paid"], "1", "commits")
    synced = f"{fsync:.2f} ms of CPU a sync, {commits:.1f} of them a call with 1 caller"
    row(
        "the same, paid, without the disk's fsync",
        "<= 0.20 ms",
        f"{overs(found, 'paid')} ({synced})",
        "nothing durable",
    )
    row("requests/s of 100 callers, beside bare ones", ">= 0.5 x", rate(found, "free"), rate(found, "litellm"))
    row("the same, by the action", "-", rate(found, "action"))
    chunks = f"{chunk(found, 'free')}, paid {chunk(found, 'paid')} (bare {chunk(found, 'direct')})"
    row("CPU a streamed chunk", "<= 0.03 ms", chunks, chunk(found, "litellm"))
    ours = bench.often("imports", "ours")
    theirs = bench.often("imports", "litellm", python=bench.litellm) if bench.litellm else None
    row("import of all modules", "<= 60 ms, <= 8 MB", imported(ours), "-" if theirs is None else imported(theirs))
    one, fifty = bench.often("at_home", "setup", 1), bench.often("at_home", "setup", 50)
    steps = f"{one['stall']:.0f} ms with 1 provider, {fifty['stall']:.0f} ms with 50 ({fifty['entities']:.0f} states)"
    stall = f"{of(found['litellm'], 'stall'):.0f} ms, with its import" if "litellm" in found else "-"
    row("longest step of the loop at set-up, Home Assistant's own work included", "<= 20 ms with 1", steps, stall)


def imported(found: Found) -> str:
    """Tell what an import takes."""
    return f"{found['ms']:.0f} ms ({found['cpu']:.0f} ms of CPU), {found['mb']:.1f} MB"


def crowd_rows(bench: Bench) -> None:
    """Print what many at once, and a dead server, lead to."""

    def sent(task: str) -> list[str]:
        return ["-" if found is None else f"{found['sent']} sent" for found in bench.both(task)]

    row("100 at once on a budget that fits 13", "13 sent", *sent("budget"))
    row("100 at once on 20,000 tokens a minute, claims of 2,000", "10 sent", *sent("tokens"))
    row("100 identical calls at once", "1 sent", *sent("identical"))

    def dead(found: Found | None) -> str:
        if found is None:
            return "-"
        after = f"{found['before']} tries, then {found['after']} in {found['calls']} calls"
        return f"{after}; {max(0.0, found['late'] - found['usual']):.2f} ms lost a call by then"

    ours, theirs = bench.both("dead")
    target = f"<= {ours['threshold']:.0f} tries, then <= 1 a period; < 10 ms lost"
    row("dead primary", target, dead(ours), dead(theirs))

    def most(found: Found | None) -> str:
        return "-" if found is None else ", ".join(f"{name} {most}" for name, most in found["most"].items())

    ours, theirs = bench.both("spread")
    row("60 at once on 3 equal targets: the most on one", "<= 24", most(ours), most(theirs))


async def month(rows: int) -> float:
    """Fill a ledger, and return the milliseconds of a month's summary."""
    with tempfile.TemporaryDirectory() as folder:
        filled = await SqliteLedger.open(Path(folder), ledger.NOW.timestamp())
        await ledger.fill(filled, Random(1), rows)  # noqa: S311  # the same household in every run
        taken = []
        for _ in range(21):
            began = time.perf_counter()
            await filled.usage("2026-06-01", "2026-06-30", ("provider_id",))
            taken.append((time.perf_counter() - began) * 1e3)
        await filled.close()
    return median(taken)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", metavar="PYTHON", help="a Python that has litellm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=0)
    asked = parser.parse_args()
    with serving() as address, tempfile.TemporaryDirectory() as compiled:
        bench = Bench(address, asked.rounds, asked.calls, asked.litellm, compiled)
        found = speeds(bench)
        speed_table(found)
        print("\n| | target | AI Router | LiteLLM Router |\n|---|---|---|---|")
        cost_rows(bench, found)
        crowd_rows(bench)
        left = bench.ask("cancels", _CANCELS)
        row(f"{_CANCELS:,} random cancels", "0 leaked", f"{left['leaked']} leaked ({left['answered']} were answered)")
        if asked.rows:
            row(f"ledger of {asked.rows:,} rows: month summary", "<= 5 ms", f"{asyncio.run(month(asked.rows)):.1f} ms")
        writes = bench.ask("at_home", "writes", 1_000)
        told = f"{writes['most']} in {writes['seconds']:.1f} s, {writes['shortest']:.1f} s apart at the least"
        row("state writes of one entity while 1,000 requests run", "<= 1 per 2 s", told)


if __name__ == "__main__":
    main()
