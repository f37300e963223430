"""Why nobody answered, in one sentence: for every reason there is, and for households in which they mix."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

import custom_components.ai_router as integration
from custom_components.ai_router.routing.failures import MEANING, Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Target
from custom_components.ai_router.routing.outcome import Attempt, Outcome
from custom_components.ai_router.routing.plans import LeftOut, Plan, Why
from custom_components.ai_router.routing.refusals import RefusalCode, RequestFailed
from custom_components.ai_router.sentences import to_exception
from custom_components.ai_router.wording import Wording

from .actions.calling import call, tell
from .household import ATTIC, CLOUD, FREE, ask_in_vain, demo, move_in, subentry

TEXTS = json.loads((Path(integration.__file__).parent / "translations" / "en.json").read_text("utf-8"))
QUICK = {"latency": 0}
POLLY, POOL, RULE = "01POLLY", "01POOL", "01RULE"
OWN_KEY = "gAAAA-not-ours"


def _refusals() -> list[RequestFailed]:
    """Make every refusal that the core can give."""
    target = Target("a", "m")
    refusals = []
    for code in RefusalCode:
        refusals += [RequestFailed(code, "r"), RequestFailed(code, "r", free_at=1.0)]
        for cls in FailureClass:
            failure = Failure(cls, Phase.SENT, "detail", billed=Billed.NO)
            attempt = Attempt("1", target, Outcome(failure, None, 0, False, 1.0, None))
            refusals.append(RequestFailed(code, "r", attempts=[attempt]))
            benched = LeftOut(target, Why.BENCHED, cls=cls)
            refusals.append(RequestFailed(code, "r", Plan((), (benched,), "priority")))
        for why in Why:
            refusals.append(RequestFailed(code, "r", Plan((), (LeftOut(target, why),), "priority")))
    return refusals


def test_every_refusal_has_a_sentence(hass: HomeAssistant) -> None:
    for refusal in _refusals():
        exception = to_exception(refusal, str, Wording(hass))
        message = TEXTS["exceptions"][str(exception.translation_key)]["message"]
        assert message.format(**(exception.translation_placeholders or {}))


def test_how_many_attempts_there_were_reads_well_for_one_and_for_many() -> None:
    """Home Assistant has no plurals in these: a number of attempts stands before no word."""
    counting = [each["message"] for each in TEXTS["exceptions"].values() if "{count}" in each["message"]]

    assert len(counting) == 3
    assert [each for each in counting if re.search(r"{count} \w", each)] == [
        "{count} pictures were asked for, but one request takes at most {limit}. Ask with fewer pictures."
    ]


@pytest.mark.parametrize("said", ["Incorrect API key provided.", "Incorrect API key provided", "Wait ..."])
def test_a_server_s_full_stop_is_not_one_too_many(hass: HomeAssistant, said: str) -> None:
    outcome = Outcome(Failure(FailureClass.CREDENTIAL, Phase.SENT, said, billed=Billed.NO), None, 0, False, 1.0, None)
    attempt = Attempt("1", Target("a", "m"), outcome)
    exception = to_exception(RequestFailed(RefusalCode.ALL_FAILED, "r", attempts=[attempt]), str, Wording(hass))
    message = TEXTS["exceptions"][str(exception.translation_key)]["message"]
    assert f"{said.rstrip('. ')}. Enter" in message.format(**(exception.translation_placeholders or {}))


# Of these the core makes a refusal of its own.
TOLD_BY_CODE = {
    *(Why.BENCHED, Why.BREAKER_OPEN, Why.LIMITED, Why.OVER_BUDGET, Why.LEDGER_DOWN, Why.UNKNOWN_STRATEGY),
    *(Why.KIND_UNKNOWN, Why.UNUSABLE),
}


@pytest.mark.parametrize("why", [why for why in Why if why not in TOLD_BY_CODE])
def test_a_reason_that_all_share_is_the_sentence(hass: HomeAssistant, why: Why) -> None:
    left_out = (LeftOut(Target("a", "m"), why), LeftOut(Target("b", "m"), why))
    silent = () if why is Why.NOT_IN_POOL else (LeftOut(Target("c", "m"), Why.NOT_IN_POOL),)
    refusal = RequestFailed(RefusalCode.NO_CAPABLE_TARGET, "r", Plan((), (*silent, *left_out), "priority"))
    key = to_exception(refusal, str, Wording(hass)).translation_key
    assert key != "no_capable_target"
    mixed = RequestFailed(
        RefusalCode.NO_CAPABLE_TARGET,
        "r",
        Plan((), (*left_out, *(LeftOut(Target("d", "m"), other) for other in (Why.DISABLED, Why.NO_VISION))), "x"),
    )
    assert to_exception(mixed, str, Wording(hass)).translation_key == "no_capable_target"


def test_no_two_reasons_have_the_same_sentence(hass: HomeAssistant) -> None:
    keys = set()
    for why in Why:
        code = RefusalCode.ALL_DOWN if why in TOLD_BY_CODE else RefusalCode.NO_CAPABLE_TARGET
        plan = Plan((), (LeftOut(Target("a", "m"), why),), "priority")
        keys.add(to_exception(RequestFailed(code, "r", plan), str, Wording(hass)).translation_key)
    # Benched without a cause, and what its code alone tells.
    assert len(keys) == len(Why) - len(TOLD_BY_CODE) + len({Why.KIND_UNKNOWN, Why.UNUSABLE}) + 1


@pytest.mark.parametrize(
    "cls", [cls for cls, meaning in MEANING.items() if meaning.bench and not meaning.pause], ids=str
)
def test_what_sets_all_providers_aside_is_the_sentence(hass: HomeAssistant, cls: FailureClass) -> None:
    left_out = tuple(LeftOut(Target(name, "m"), Why.BENCHED, 9.0, cls=cls) for name in ("Attic", "Loft"))
    off = LeftOut(Target("Off", "m"), Why.DISABLED)
    refusal = RequestFailed(RefusalCode.ALL_DOWN, "r", Plan((), (*left_out, off), "priority"), free_at=9.0)
    exception = to_exception(refusal, str, Wording(hass))
    assert exception.translation_key == f"all_down_{cls}"
    assert (exception.translation_placeholders or {})["providers"] == "Attic, Loft"


def parrot(**settings: Any) -> ConfigSubentry:
    """Describe a provider of a kind that nobody brings."""
    models = demo(POLLY, "Polly").data["models"]
    return subentry(POLLY, "provider", "Polly", kind="parrot", models=models, **settings)


async def refused(hass: HomeAssistant, **data: Any) -> tuple[str, str]:
    """Return the code of a refusal and its sentence, after a look that it is raised in the same words."""
    error = (await call(hass, "process", prompt="Hi", on_error="return", **data))["error"]
    with pytest.raises(HomeAssistantError) as raised:
        await call(hass, "process", prompt="Hi", **data)
    assert str(raised.value) == error["message"]
    return error["code"], error["message"]


async def test_a_house_without_providers_has_none_yet(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer)
    assert (await refused(hass))[0] == "no_provider"


async def test_whoever_waits_for_his_kind_is_there_and_says_so(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    pool = subentry(POOL, "pool", "Birds", members=[{"provider": POLLY}])
    await move_in(hass, freezer, parrot(), pool)
    for where in ({}, {"pool": "Birds"}, {"provider": "Polly"}):
        code, message = await refused(hass, **where)
        assert code == "all_down"
        assert "waits for the integration that brings its kind: Polly." in message
    plan = await call(hass, "process", prompt="Hi", dry_run=True)
    (left_out,) = plan["left_out"]
    assert (left_out["provider"], left_out["model"], left_out["reason"]) == ("Polly", "demo-chat", "kind_unknown")
    with pytest.raises(HomeAssistantError, match="brings its kind: Polly"):
        await call(hass, "count_tokens", prompt="Hi")
    # Where nothing is read from it, it is none.
    with pytest.raises(ServiceValidationError, match="no provider called Polly"):
        await tell(hass, "set_provider", provider="Polly", enabled=False)


async def test_one_that_waits_is_judged_as_any_other(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, parrot(enabled=False))
    assert (await refused(hass))[1].startswith("Every provider that may answer is switched off.")


async def test_one_that_waits_outside_is_not_in_the_way(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    pool = subentry(POOL, "pool", "Homely", members=[{"provider": ATTIC}])
    await move_in(hass, freezer, parrot(), demo(ATTIC, "Attic", options=QUICK, enabled=False), pool)
    assert "switched off" in (await refused(hass, pool="Homely"))[1]
    code, message = await refused(hass)
    assert (code, "Polly" in message) == ("all_down", True)
    assert "local model" in (await refused(hass, local_only=True, provider="Polly"))[1]
    assert "excludes every provider" in (await refused(hass, exclude=["Polly"], provider="Polly"))[1]


async def test_an_address_that_cannot_be_used(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    models = demo(CLOUD, "Cloud").data["models"]
    await move_in(hass, freezer, subentry(CLOUD, "provider", "Cloud", kind="ollama", url="ftp://x", models=models))
    code, message = await refused(hass)
    assert (code, "cannot be used: Cloud." in message) == ("all_down", True)


async def test_keys_that_cannot_be_read(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    models = demo(CLOUD, "Cloud").data["models"]
    stored = subentry(CLOUD, "provider", "Cloud", kind="openai", credential=OWN_KEY, models=models)
    await move_in(hass, freezer, stored)
    code, message = await refused(hass)
    assert code == "all_down"
    assert "rejected or cannot be read: Cloud. Enter a valid key" in message


async def test_several_faults_are_named_with_whose_they_are(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    rejected = demo(ATTIC, "Attic", options={**QUICK, "success_rate": 0.0, "error": "credential"})
    entry = await move_in(hass, freezer, rejected, parrot(), demo(CLOUD, "Cloud", enabled=False))
    await ask_in_vain(entry, ATTIC)
    code, message = await refused(hass)
    assert code == "all_down"
    assert "needs to be mended. " in message
    assert "Attic: Set aside until mended (Key rejected)" in message
    assert "Polly: Waits for the integration that brings its kind" in message
    assert "Cloud" not in message


async def test_different_reasons_are_named_what_can_be_mended_first(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    blind = [demo(f"01{number}", f"Blind {number}", prices=FREE, options=QUICK) for number in range(4)]
    off = demo(CLOUD, "Cloud", options=QUICK, enabled=False)
    await move_in(hass, freezer, *blind, off)
    code, message = await refused(hass, needs=["reasoning"])
    assert code == "no_capable_target"
    assert "Cloud: Switched off; Blind 0, Blind 1, Blind 2, …: Cannot do what was asked for." in message


async def test_what_is_too_expensive_alone_is_a_refusal_of_its_own(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    off = demo(ATTIC, "Attic", prices=FREE, options=QUICK, enabled=False)
    await move_in(hass, freezer, demo(CLOUD, "Cloud", options=QUICK), off)
    code, message = await refused(hass, max_cost=0.000001, exclude=["Attic"])
    assert (code, "might cost more than this request" in message) == ("too_expensive", True)
    code, message = await refused(hass, max_cost=0.000001)
    assert code == "no_capable_target"
    assert "Attic: Switched off; Cloud: Might cost more than the request may." in message


async def test_a_pool_without_members(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    empty = subentry(POOL, "pool", "Nobody", members=[{"provider": "01GONE"}])
    homely = subentry("01HOMELY", "pool", "Homely", members=[{"provider": ATTIC}])
    rule = subentry(RULE, "rule", "Door", pool="01HOMELY", when={"labels": ["door"]})
    cloudy = subentry("01CLOUDY", "pool", "Cloudy", members=[{"provider": CLOUD}])
    both = (demo(ATTIC, "Attic", options=QUICK), demo(CLOUD, "Cloud", options=QUICK))
    await move_in(hass, freezer, *both, empty, homely, rule, cloudy)
    code, message = await refused(hass, pool="Nobody")
    assert (code, message.startswith("The pool Nobody, ")) == ("empty_pool", True)
    code, message = await refused(hass, pool="Cloudy", label="door")
    assert (code, "have no model in common" in message) == ("no_capable_target", True)
    assert "asks for by name" in (await refused(hass, pool="Cloudy", provider="Attic"))[1]
    assert "asks for by name" in (await refused(hass, model="none of ours"))[1]


async def test_providers_without_a_model(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, subentry(CLOUD, "provider", "Cloud", kind="demo", models=[]))
    code, message = await refused(hass)
    assert (code, message.startswith("None of the providers has a model.")) == ("no_capable_target", True)
