"""Which rules a request meets, what they tighten, and where they lead."""

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from custom_components.ai_router.routing.config import Conditions, Member, PoolConfig, RuleConfig
from custom_components.ai_router.routing.model import Capability, Op
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.routing.request import Bounds, Caller, Pins
from custom_components.ai_router.routing.rules import NO_VERDICT, Rules

from .simulation import Home, LoopClock, ScriptedProvider, ask, picture, prices, provider, run

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def rule(name: str = "r", when: Conditions | None = Conditions(), **fields: Any) -> RuleConfig:  # noqa: B008  # frozen
    return RuleConfig(name, name, when, **fields)


def meets(when: Conditions | None, now: float = NOON, zone: str = "UTC", tokens: int = 100, **fields: Any) -> bool:
    needs = fields.pop("needs", Capability.CHAT)
    rules = Rules((rule(when=when, local_only=True),), ZoneInfo(zone))
    return rules.verdict(ask(**fields), needs, tokens, now).local_only


@pytest.mark.parametrize(
    ("when", "yes", "no"),
    [
        (Conditions(ops=frozenset({Op.EMBED})), {"op": Op.EMBED}, {}),
        (Conditions(needs=Capability.VISION), {"needs": Capability.CHAT | Capability.VISION}, {}),
        (Conditions(entities=frozenset({"camera.bed"})), {"entities": ("camera.door", "camera.bed")}, {"entities": ()}),
        (Conditions(areas=frozenset({"bed"})), {"caller": Caller(area="bed")}, {"caller": Caller(area="hall")}),
        (Conditions(areas=frozenset({"bed"})), {"areas": ("bed",)}, {"areas": ("hall",)}),
        (Conditions(labels=frozenset({"door"})), {"label": "door"}, {}),
        (Conditions(users=frozenset({"anna"})), {"caller": Caller("anna")}, {"caller": Caller("ben")}),
        (Conditions(users=frozenset({"anna"})), {"caller": Caller("anna")}, {"caller": Caller()}),
        (Conditions(automations=frozenset({"automation.a"})), {"caller": Caller(automation="automation.a")}, {}),
        (Conditions(sources=frozenset({"conversation"})), {"caller": Caller(source="conversation")}, {}),
        (Conditions(tokens_from=100), {"tokens": 100}, {"tokens": 99}),
        (Conditions(tokens_to=100), {"tokens": 99}, {"tokens": 100}),
    ],
)
def test_each_condition(when: Conditions, yes: dict[str, Any], no: dict[str, Any]) -> None:
    assert meets(when, **yes)
    assert not meets(when, **no)


def test_all_conditions_must_hold_and_none_asks_nothing() -> None:
    both = Conditions(labels=frozenset({"door"}), sources=frozenset({"action"}))
    assert meets(both, label="door")
    assert not meets(both, label="door", caller=Caller(source="ai_task"))
    assert meets(Conditions())


@pytest.mark.parametrize(
    ("after", "before", "inside", "outside"),
    [
        (time(8), time(20), [time(8), time(19, 59, 59)], [time(7, 59, 59), time(20)]),
        (time(22), time(6), [time(22), time(0), time(5, 59)], [time(6), time(21, 59)]),
        (time(22), None, [time(22), time(23, 59)], [time(0), time(21, 59)]),
        (None, time(6), [time(0), time(5, 59)], [time(6)]),
        (time(7), time(7), [time(7), time(6, 59)], []),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Vienna", "Asia/Kolkata"])
def test_times_of_day_are_the_households(
    after: time | None, before: time | None, inside: list[time], outside: list[time], zone: str
) -> None:
    when = Conditions(after=after, before=before)
    for at, expected in [*((at, True) for at in inside), *((at, False) for at in outside)]:
        # Before and after the clocks change.
        for day in (datetime(2026, 7, 1), datetime(2026, 12, 1)):  # noqa: DTZ001  # its zone follows
            now = datetime.combine(day.date(), at, ZoneInfo(zone)).timestamp()
            assert meets(when, now, zone) is expected, (at, zone)


def test_all_that_match_tighten_and_the_highest_that_points_decides() -> None:
    rules = Rules(
        (
            rule("low", priority=1, pool="low", bounds=Bounds(max_output=5), local_only=True),
            rule("high", priority=2, pool="high", bounds=Bounds(max_output=10, max_cost=7)),
            rule("higher", priority=3, bounds=Bounds(timeout=3.0)),
            rule("off", priority=4, pool="off", enabled=False),
            rule("other", Conditions(labels=frozenset({"x"})), priority=5, pool="other", bounds=Bounds(max_output=1)),
        ),
        UTC,
    )
    verdict = rules.verdict(ask(), Capability.CHAT, 1, NOON)
    assert (verdict.pool, verdict.rule, verdict.local_only) == ("high", "high", True)
    assert verdict.bounds == Bounds(timeout=3.0, max_cost=7, max_output=5)


def test_of_equals_the_first_decides_and_without_any_nothing_changes() -> None:
    rules = Rules((rule("one", providers=("a",)), rule("two", providers=("b",))), UTC)
    assert rules.verdict(ask(), Capability.CHAT, 1, NOON).providers == ("a",)
    assert Rules((), UTC).verdict(ask(), Capability.CHAT, 1, NOON) is NO_VERDICT


@pytest.mark.parametrize(
    "when",
    [
        None,
        Conditions(after=cast("time", "22:00")),
        Conditions(tokens_from=cast("int", "many")),
        Conditions(entities=cast("frozenset[str]", 7)),
        Conditions(labels=frozenset({"door"}), users=cast("frozenset[str]", 7)),
    ],
)
def test_a_rule_that_cannot_be_evaluated_holds(when: Conditions | None) -> None:
    assert meets(when, label="door")


def test_broken_rules_do_not_break_those_that_do_not_concern_a_request() -> None:
    assert not meets(Conditions(labels=frozenset({"door"}), users=cast("frozenset[str]", 7)), label="hall")


def test_a_rule_leads_to_its_pool_and_the_plan_says_so() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("a", ScriptedProvider(), priority=9),
            provider("b", ScriptedProvider()),
            pools={"p": PoolConfig("p", "P", (Member("b"),))},
            rules=(rule("seen", Conditions(needs=Capability.VISION), pool="p"),),
        )
        plain = await home.router.process(ask())
        assert (plain.target.provider_id, plain.pool, plain.plan.rule) == ("a", None, None)
        shown = await home.router.process(
            replace(ask(), messages=(replace(ask().messages[0], parts=(picture(),)),), id="2")
        )
        assert (shown.target.provider_id, shown.pool, shown.plan.rule) == ("b", "p", "seen")
        assert [(each.target.provider_id, each.why) for each in shown.plan.left_out] == [("a", Why.NOT_IN_POOL)]

    run(main)


def test_a_rule_keeps_to_what_the_caller_named() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            *(provider(name, ScriptedProvider()) for name in "abc"),
            pools={
                "ab": PoolConfig("ab", "AB", (Member("a"), Member("b"))),
                "bc": PoolConfig("bc", "BC", (Member("b"), Member("c"))),
                "c": PoolConfig("c", "C", (Member("c"),), fallback="ab"),
            },
            rules=(rule(pool="bc"),),
        )
        reply = await home.router.process(ask(pins=Pins(pool="ab")))
        assert (reply.target.provider_id, reply.pool) == ("b", "bc")
        assert [c.target.provider_id for c in reply.plan.candidates] == ["b"]
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask(pins=Pins(providers=("a",))))
        assert caught.value.code is RefusalCode.NO_CAPABLE_TARGET
        # What the caller's pool may lead to counts as named.
        plan = home.router.plan(ask(pins=Pins(pool="c")))
        assert {c.target.provider_id for c in plan.candidates} == {"b", "c"}

    run(main)


def test_what_the_pools_of_the_callers_way_ask_holds_where_a_rule_leads_too() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            *(provider(name, ScriptedProvider(), local=name == "d") for name in "abcd"),
            pools={
                "asked": PoolConfig("asked", "Asked", (Member("a"),), fallback="next", bounds=Bounds(max_output=50)),
                "next": PoolConfig("next", "Next", (Member("b"), Member("d")), local_only=True, fallback="asked"),
                "led": PoolConfig("led", "Led", tuple(Member(name) for name in "abcd")),
            },
            rules=(rule(pool="led"),),
        )
        plan = home.router.plan(ask(pins=Pins(pool="asked")))
        assert [each.target.provider_id for each in plan.candidates] == ["a", "d"]
        assert [each.estimate.output_tokens for each in plan.candidates] == [50, 50]
        whys = {each.target.provider_id: each.why for each in plan.left_out}
        assert whys == {"b": Why.NOT_LOCAL, "c": Why.NOT_IN_POOL}

    run(main)


def test_a_rule_that_leads_nowhere_refuses() -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider()
        home = Home(clock, provider("a", client), rules=(rule(pool="gone"),))
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.UNKNOWN_POOL
        home.configure(provider("a", client), rules=(rule(providers=("gone",)),))
        with pytest.raises(RequestFailed) as caught:
            await home.router.process(ask())
        assert caught.value.code is RefusalCode.NO_CAPABLE_TARGET
        assert caught.value.plan is not None
        assert [each.why for each in caught.value.plan.left_out] == [Why.RULED_OUT]
        assert not client.calls

    run(main)


def test_a_rules_bounds_hold() -> None:
    async def main(clock: LoopClock) -> None:
        dear = ScriptedProvider()
        home = Home(
            clock,
            provider("dear", dear, prices=prices(per_request=1_000)),
            provider("cheap", ScriptedProvider(), prices=prices(per_request=10)),
            rules=(rule(when=Conditions(labels=frozenset({"door"})), bounds=Bounds(max_cost=100, max_output=9)),),
        )
        assert (await home.router.process(ask())).target.provider_id == "dear"
        request = ask(label="door", bounds=Bounds(max_cost=10**9, max_output=500))
        assert (await home.router.process(request)).target.provider_id == "cheap"
        assert [candidate.estimate.output_tokens for candidate in home.router.plan(request).candidates] == [9]

    run(main)
