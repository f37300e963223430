"""A month of a household on virtual time, its books kept a second time by the test itself."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from custom_components.ai_router.routing.budgets import Budget
from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import Billed, Failure, FailureClass, FailureScope, Phase
from custom_components.ai_router.routing.fleet import router_money
from custom_components.ai_router.routing.model import Message, Role, Text
from custom_components.ai_router.routing.money import Prices, PriceSpan, Rates, to_picodollars
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.tickets import Window

from .simulation import Home, LoopClock, ScriptedProvider, ask, picture, provider, run

ZONE = ZoneInfo("Europe/Berlin")  # clocks go back on 25 October 2026
FIRST = datetime(2026, 10, 1, tzinfo=ZONE)
LAST = datetime(2026, 11, 1, tzinfo=ZONE)
DEARER = datetime(2026, 10, 15, tzinfo=UTC)
CLOUD_DOWN = (datetime(2026, 10, 10, 6, tzinfo=ZONE), datetime(2026, 10, 10, 12, tzinfo=ZONE))
ALL_DOWN = (datetime(2026, 10, 20, 18, tzinfo=ZONE), datetime(2026, 10, 20, 19, tzinfo=ZONE))
DAY_LIMIT = to_picodollars("0.40")
MONTH_LIMIT = to_picodollars("9")
REFUSED = Failure(FailureClass.NETWORK, Phase.UNSENT, "refused", FailureScope.PROVIDER, billed=Billed.NO)

# What the test's own books say a token costs, in picodollars: in, out; the cloud gets dearer at a date.
BACKUP = (500_000, 4_000_000)
CLOUD = ((1_000_000, 5_000_000), (2_000_000, 9_000_000))


class Books:
    """The test's own bookkeeping: what each provider answered, when, and what that costs."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.by_day: dict[str, int] = defaultdict(int)
        self.answers = 0

    def script(self, name: str) -> Any:
        """Answer, or be down; note what is answered."""

        def steps(number: int) -> Sequence[Any]:
            now = datetime.fromtimestamp(self.clock.now(), ZONE)
            if ALL_DOWN[0] <= now < ALL_DOWN[1] or (name == "cloud" and CLOUD_DOWN[0] <= now < CLOUD_DOWN[1]):
                return [REFUSED]
            usage = Usage(fresh_in=300 + number % 97, text_out=20 + number % 31, reasoning_out=number % 5)
            price_in, price_out = BACKUP if name == "backup" else CLOUD[now >= DEARER]
            self.by_day[now.date().isoformat()] += usage.fresh_in * price_in + usage.output_tokens * price_out
            self.answers += 1
            return [0.5, "Nobody is there.", 0.5, usage, Finish.STOP]

        return steps


def household(clock: LoopClock, books: Books) -> Home:
    """Set up a dear first provider, a cheaper second one, and the household's budgets."""
    dear, dearer = (Rates.of(*each) for each in CLOUD)
    prices = Prices((PriceSpan(dear), PriceSpan(dearer, valid_from=DEARER.timestamp())))
    clouds = {
        "cloud": provider("cloud", ScriptedProvider(books.script("cloud")), prices=prices, priority=2),
        "backup": provider("backup", ScriptedProvider(books.script("backup")), prices=Prices.flat(Rates.of(*BACKUP))),
    }
    budgets = (Budget(Window.DAY, DAY_LIMIT), Budget(Window.MONTH, MONTH_LIMIT))
    return Home(clock, *clouds.values(), budgets=budgets, zone=ZONE)


def test_a_month_of_a_household() -> None:
    async def main(clock: LoopClock) -> None:
        clock.shift = FIRST.timestamp()
        books = Books(clock)
        home = household(clock, books)
        refused: list[tuple[datetime, RefusalCode]] = []

        async def request(label: str, *, look: bool) -> None:
            parts = (Text("What do you see?"), picture()) if look else (Text("How was the day?"),)
            try:
                await home.router.process(ask(messages=(Message(Role.USER, parts),), label=label))
            except RequestFailed as err:
                refused.append((datetime.fromtimestamp(clock.now(), ZONE), err.code))

        async def every(minutes: float, first: float, label: str, *, look: bool) -> None:
            await asyncio.sleep(first * 60)
            while clock.now() < LAST.timestamp() - 600:
                await request(label, look=look)
                await asyncio.sleep(minutes * 60)

        async def watch() -> None:
            """Just before each midnight the counters, the ledger and the test's own books say the same."""
            day_key, month_key, _ = router_money(home.router.config)
            day = FIRST
            while day < LAST:
                after = datetime.combine(day.date() + timedelta(days=1), day.time(), ZONE)
                await asyncio.sleep(after.timestamp() - 1 - clock.now())
                name, admission = day.date().isoformat(), home.router.admission
                counted = admission.money(day_key).account
                assert counted.settled + counted.held >= books.by_day.get(name, 0)
                if not counted.held:
                    assert counted.settled == home.ledger.by_day.get(name, 0) == books.by_day.get(name, 0)
                assert counted.settled <= DAY_LIMIT
                assert admission.money(month_key).account.settled <= MONTH_LIMIT
                day = after

        cameras = [every(20, 3 * n, f"camera {n}", look=True) for n in range(5)]
        automations = [every(180, 7 * n, f"automation {n}", look=False) for n in range(12)]
        watching = asyncio.create_task(watch())
        await asyncio.gather(*cameras, *automations)
        await watching
        home.assert_nothing_left()
        # To the last digit, day by day and in all.
        assert {day: cost for day, cost in home.ledger.by_day.items() if cost} == books.by_day
        assert home.ledger.spent == sum(books.by_day.values())
        assert len(books.by_day) >= 28
        assert books.answers > 10_000
        in_outage = [when for when, code in refused if code is not RefusalCode.OVER_BUDGET]
        assert in_outage
        assert all(ALL_DOWN[0] <= when < ALL_DOWN[1] + timedelta(minutes=2) for when in in_outage)
        # The first outage was bridged by the other provider.
        assert books.by_day[CLOUD_DOWN[0].date().isoformat()] > 0
        over = [when for when, code in refused if code is RefusalCode.OVER_BUDGET]
        assert over, "the budgets never mattered: nothing was shown"

    run(main)
