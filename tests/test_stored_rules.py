"""Two rules, of which one cannot be read: it leads nobody away from where the other one wants him."""

from collections.abc import Mapping
from typing import Any

import pytest

from custom_components.ai_router.const import SUBENTRY_PROVIDER, SUBENTRY_RULE
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.request import Request
from custom_components.ai_router.routing.router import Router

from .household import ATTIC, CLOUD, FREE, demo
from .routing.simulation import LoopClock, MemoryLedger, ask, run
from .test_stored_settings import read, subentry

DOOR, CHATS = ask(label="door"), ask(label="chats")
# In the house: the more urgent rule. In the cloud: the other one.
AT_HOME = {"when": {"labels": ["door"]}, "priority": 5, "providers": [ATTIC]}
ABROAD = {"when": {"labels": ["door", "chats"]}, "priority": 1, "providers": [CLOUD]}


def asks(request: Request, *rules: Mapping[str, Any]) -> str | None:
    """Return who would be asked first under some rules, None if a rule keeps it from all."""
    providers = [
        subentry(each, SUBENTRY_PROVIDER, demo(each, each, prices=FREE, options={"latency": 0}).data)
        for each in (ATTIC, CLOUD)
    ]
    stored = [subentry(f"rule {number}", SUBENTRY_RULE, rule) for number, rule in enumerate(rules)]
    found: list[str | None] = []

    async def main(clock: LoopClock) -> None:
        router = Router(clock, MemoryLedger())
        router.apply(read({}, *providers, *stored))
        plan = router.plan(request)
        found.append(plan.candidates[0].target.provider_id if plan.candidates else None)
        assert plan.candidates or {each.why for each in plan.left_out} == {Why.RULED_OUT}
        await router.close(0)

    run(main)
    return found[0]


def test_the_more_urgent_rule_decides() -> None:
    assert asks(DOOR, AT_HOME, ABROAD) == ATTIC
    assert asks(CHATS, AT_HOME, ABROAD) == CLOUD


@pytest.mark.parametrize("value", ["high", None, 0.5, float("nan"), [1], True], ids=str)
def test_a_rule_of_which_nobody_knows_how_urgent_it_is_gives_way_to_none(value: Any) -> None:
    home, abroad = {**AT_HOME, "priority": value}, {**ABROAD, "priority": value}

    assert asks(DOOR, home, ABROAD) is None
    assert asks(DOOR, AT_HOME, abroad) is None
    assert asks(CHATS, home, ABROAD) == CLOUD


@pytest.mark.parametrize("value", ["door", None, 5, [], {"moon": "full"}], ids=str)
def test_a_rule_of_which_nobody_knows_what_it_is_about_leads_nobody_away(value: Any) -> None:
    abroad = {**ABROAD, "priority": 9, "when": value}

    assert asks(DOOR, AT_HOME, abroad) is None
    assert asks(DOOR, AT_HOME, {**abroad, "priority": 1}) == ATTIC


@pytest.mark.parametrize(("name", "value"), [("priority", "high"), ("when", 5)])
def test_a_rule_that_only_tightens_goes_on_doing_that(name: str, value: Any) -> None:
    brief = {"when": {"labels": ["door"]}, "priority": 9, "max_tokens": 50, name: value}

    assert asks(DOOR, AT_HOME, brief) == ATTIC
    assert asks(DOOR, ABROAD, brief) == CLOUD
