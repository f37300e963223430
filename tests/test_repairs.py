"""What is shown under Repairs, how it is mended, and that it goes with its cause."""

from datetime import timedelta
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router import backup
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.flows.key_renewal import ERRORS
from custom_components.ai_router.problems import Problem
from custom_components.ai_router.repairs import BUDGETS
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Pins
from custom_components.ai_router.storage.ledger import SqliteLedger
from tests.fakes.faults import Fault, How
from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI
from tests.flows import Dialog, english
from tests.household import ATTIC, CLOUD, ask, ask_in_vain, demo, move_in, pass_time, subentry
from tests.routing.simulation import ask as asked
from tests.servers import SECRET, at_server
from tests.storage.test_damage import filled, scribble

_NO_CREDIT = Fault(
    How.REFUSE, 402, body={"error": {"message": "You have no credit left", "code": "insufficient_quota"}}
)


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant, socket_enabled: None) -> None:
    assert await async_setup_component(hass, "repairs", {})


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    return {each.issue_id: each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN and each.active}


def the_issue(hass: HomeAssistant) -> ir.IssueEntry:
    """Return the one issue that stands; its title must have all it needs."""
    (issue,) = issues(hass).values()
    assert issue.translation_key is not None
    title = english()["issues"][issue.translation_key]["title"]
    assert "{" not in title.format(**issue.translation_placeholders or {})
    return issue


# --- no credit --------------------------------------------------------------------------------------


async def without_credit(hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI) -> MockConfigEntry:
    """A provider that has just said that nothing is left to pay with."""
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))
    server.fault = _NO_CREDIT
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()
    return entry


async def test_no_credit_is_mended_by_whoever_topped_it_up(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await without_credit(hass, freezer, server)

    issue = the_issue(hass)
    assert (issue.issue_id, issue.is_fixable) == (f"no_credit_{CLOUD}", True)
    assert issue.translation_placeholders == {"provider": "Server"}

    server.fault, server.key = None, "another"
    dialog = await (await Dialog.repair(hass, issue)).answer()
    assert dialog.errors == {"base": "invalid_auth"}
    assert the_issue(hass).issue_id == issue.issue_id

    server.key = SECRET
    await dialog.answer()

    assert dialog.step == "create_entry"
    assert issues(hass) == {}
    assert (await ask(entry, CLOUD)).text == server.text


async def test_no_credit_stands_until_an_answer_shows_that_there_is_some(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await without_credit(hass, freezer, server)
    server.fault = None

    await pass_time(hass, freezer, 2 * 3_600)  # the bench is over, its cause need not be
    assert the_issue(hass).issue_id == f"no_credit_{CLOUD}"

    await ask(entry, CLOUD)
    await hass.async_block_till_done()

    assert issues(hass) == {}


# --- a model that is gone ---------------------------------------------------------------------------


async def test_a_model_that_is_gone_gets_a_successor(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, models=("old-1",)))
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()

    issue = the_issue(hass)
    assert issue.issue_id == f"model_retired_{CLOUD}_old-1"
    assert issue.translation_placeholders == {"provider": "Server", "model": "old-1"}

    dialog = await Dialog.repair(hass, issue)
    assert dialog.options_of("model") == [CHAT_MODEL, VISION_MODEL]
    await dialog.answer(model=VISION_MODEL)

    assert dialog.step == "create_entry"
    assert [model["id"] for model in entry.subentries[CLOUD].data["models"]] == [VISION_MODEL]
    assert issues(hass) == {}
    assert (await ask(entry, CLOUD)).target.model_id == VISION_MODEL


async def test_a_model_that_goes_soon_gets_a_successor_in_time(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    server.models[0]["expiration_date"] = "2027-03-01"
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))
    dialog = await (await Dialog.change(hass, entry, CLOUD)).submit()
    await dialog.submit()
    assert [model["retires"] for model in entry.subentries[CLOUD].data["models"]] == ["2027-03-01"]
    freezer.move_to("2027-01-29T12:00:00Z")
    await pass_time(hass, freezer, 60)
    assert issues(hass) == {}

    freezer.move_to("2027-01-30T12:00:00Z")
    await pass_time(hass, freezer, 60)

    issue = the_issue(hass)
    assert (issue.issue_id, issue.severity) == (f"model_retires_{CLOUD}_{CHAT_MODEL}", ir.IssueSeverity.WARNING)
    assert issue.translation_placeholders == {"provider": "Server", "model": CHAT_MODEL, "date": "2027-03-01"}
    # Until then it answers.
    assert (await ask(entry, CLOUD)).target.model_id == CHAT_MODEL

    await (await Dialog.repair(hass, issue)).answer(model=VISION_MODEL)

    assert issues(hass) == {}
    assert (await ask(entry, CLOUD)).target.model_id == VISION_MODEL


async def test_a_successor_that_is_used_already_takes_its_place_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, models=("old-1", CHAT_MODEL)))
    await ask(entry, CLOUD)  # the second one answers
    await hass.async_block_till_done()

    await (await Dialog.repair(hass, the_issue(hass))).answer(model=CHAT_MODEL)

    assert [model["id"] for model in entry.subentries[CLOUD].data["models"]] == [CHAT_MODEL]


async def test_models_that_cannot_be_listed_now(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, models=("old-1",)))
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()
    server.key = "another"

    assert (await Dialog.repair(hass, the_issue(hass))).step == "not_listed"
    assert the_issue(hass).issue_id == f"model_retired_{CLOUD}_old-1"


async def test_a_model_that_is_taken_away_takes_its_issue_along(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, models=("old-1", CHAT_MODEL)))
    await ask(entry, CLOUD)
    await hass.async_block_till_done()
    assert issues(hass)

    data = entry.subentries[CLOUD].data
    changed = {**data, "models": [model for model in data["models"] if model["id"] != "old-1"]}
    hass.config_entries.async_update_subentry(entry, entry.subentries[CLOUD], data=changed)
    await hass.async_block_till_done()

    assert issues(hass) == {}


# --- a price that is not known ----------------------------------------------------------------------


async def test_a_price_is_asked_for_when_it_was_needed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, prices=None))
    await hass.async_block_till_done()
    assert issues(hass) == {}

    await ask(entry, CLOUD)
    await hass.async_block_till_done()

    issue = the_issue(hass)
    assert issue.issue_id == f"price_unknown_{CLOUD}_{CHAT_MODEL}"
    assert issue.severity is ir.IssueSeverity.WARNING

    dialog = await Dialog.repair(hass, issue)
    assert dialog.shown == {}, "nothing becomes free by a click"
    await dialog.answer(input_price=2)
    assert dialog.errors == {"output_price": "price_missing"}
    await dialog.answer(input_price=2, output_price=8.5)

    assert dialog.step == "create_entry"
    assert issues(hass) == {}
    (model,) = entry.runtime_data.router.config.providers[CLOUD].models
    assert model.prices is not None
    rates = model.prices.spans[0].rates
    assert (rates.fresh_in, rates.text_out) == (2_000_000, 8_500_000)


# --- keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "old"), [(89, False), (91, True)])
async def test_an_old_key_is_to_be_changed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI, days: int, old: bool
) -> None:
    since = (dt_util.utcnow() - timedelta(days=days)).isoformat()
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, credential_since=since))

    assert list(issues(hass)) == ([f"key_old_{CLOUD}"] if old else [])
    if not old:
        await pass_time(hass, freezer, 2 * 86_400)  # it grows old while the house runs
        await pass_time(hass, freezer, 61)

    dialog = await Dialog.repair(hass, the_issue(hass))
    assert (await dialog.answer()).errors == {"api_key": "key_missing"}
    assert (await dialog.answer(api_key=f" {SECRET}")).errors == {"api_key": "key_same"}
    assert list(issues(hass)) == [f"key_old_{CLOUD}"]
    server.key = "sk-new-one"
    assert (await dialog.answer(api_key="sk-new-one")).step == "create_entry"

    assert issues(hass) == {}
    assert entry.subentries[CLOUD].data["credential_since"] > since
    assert (await ask(entry, CLOUD)).text == server.text


# --- budgets ----------------------------------------------------------------------------------------


async def _spend(entry: MockConfigEntry, server: FakeOpenAI, tokens: int, prompt: str = "Hi") -> None:
    server.usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    await ask(entry, CLOUD, prompt)


async def test_a_provider_s_budget_that_is_used_up_can_be_raised(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD, budget_day="1"))
    await _spend(entry, server, 1_000_000)
    await hass.async_block_till_done()

    issue = the_issue(hass)
    assert issue.issue_id == f"budget_reached_provider_{CLOUD}_day"
    assert issue.translation_placeholders == {"name": "Server", "limit": "1"}
    with pytest.raises(RequestFailed):
        await ask(entry, CLOUD, "More")

    dialog = await Dialog.repair(hass, issue)
    assert dialog.shown == {"amount": 1.0}
    assert (await dialog.answer(amount=0.5)).errors == {"amount": "not_raised"}
    await dialog.answer(amount=2.5)

    assert dialog.step == "create_entry"
    assert entry.subentries[CLOUD].data["budget_day"] == "2.5"
    assert issues(hass) == {}
    await ask(entry, CLOUD, "More")


async def test_the_router_s_budget_that_is_used_up_can_be_raised_and_comes_back_in_the_next_month(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    freezer.move_to("2026-11-21 12:00:00+00:00")
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD), budget_month="1", failover=False)
    await _spend(entry, server, 1_200_000)
    await hass.async_block_till_done()
    assert the_issue(hass).issue_id == "budget_reached_router_month"

    dialog = await (await Dialog.repair(hass, the_issue(hass))).answer(amount=1.1)
    assert dialog.errors == {"amount": "not_raised"}  # more than before, and less than is spent
    assert dialog.result["description_placeholders"]["spent"] == "1.200012"
    assert entry.options == {"budget_month": "1", "failover": False}

    freezer.move_to("2026-12-01 12:00:00+00:00")
    await pass_time(hass, freezer, 61)

    assert issues(hass) == {}
    assert (await dialog.answer(amount=2)).step == "over"
    assert entry.options == {"budget_month": "1", "failover": False}


async def test_a_budget_of_nothing_is_a_choice(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await move_in(hass, freezer, demo(ATTIC, "Attic"), budget_day="0")
    await pass_time(hass, freezer, 61)

    assert issues(hass) == {}


# --- kinds, ledgers ---------------------------------------------------------------------------------


async def test_a_provider_of_an_unknown_kind_waits(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await move_in(
        hass, freezer, demo(ATTIC, "Attic", options={"latency": 0}), demo(CLOUD, "Foreign", kind="of_another")
    )

    issue = the_issue(hass)
    assert (issue.issue_id, issue.is_fixable) == (f"kind_unknown_{CLOUD}", False)
    assert issue.translation_placeholders == {"provider": "Foreign", "kind": "of_another"}
    await ask(entry, ATTIC)

    hass.config_entries.async_remove_subentry(entry, CLOUD)
    await hass.async_block_till_done()

    assert issues(hass) == {}


@pytest.mark.parametrize("copied", [True, False])
async def test_a_ledger_that_was_damaged_is_told_until_somebody_has_read_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path, copied: bool
) -> None:
    home = tmp_path / ".storage" / "ai_router"
    home.mkdir(parents=True)
    await filled(home)
    if copied:
        ledger = await SqliteLedger.open(home, 0)
        assert await ledger.snapshot(ledger.beside("ledger.snapshot.db"))
        await ledger.close()
    scribble(home / "ledger.db", 0, 100)

    entry = await move_in(hass, freezer)

    issue = the_issue(hass)
    assert issue.issue_id == ("ledger_restored" if copied else "ledger_damaged")
    assert issue.translation_placeholders is not None
    assert (home / issue.translation_placeholders["file"]).exists()
    assert issue.is_persistent

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    dialog = await Dialog.repair(hass, the_issue(hass))
    assert dialog.step == "confirm"
    assert (await dialog.answer()).step == "create_entry"
    assert issues(hass) == {}


@pytest.mark.parametrize("restored", [True, False])
async def test_a_ledger_that_comes_from_a_backup_is_told_of_and_one_that_was_cut_off_in_it_is_not(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path, restored: bool
) -> None:
    entry = await move_in(hass, freezer)
    home = tmp_path / ".storage" / "ai_router"
    await backup.async_pre_backup(hass)
    # Too short to wait for: as if the file had been unpacked an hour after it was laid.
    mark = home / "ledger.in_backup"
    if restored:
        made = float(mark.read_text()) - 3_600
        mark.write_text(repr(made))
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert not mark.exists()
    if not restored:
        assert issues(hass) == {}
        return
    issue = the_issue(hass)
    assert (issue.issue_id, issue.is_persistent) == ("ledger_of_backup", True)
    day = dt_util.as_local(dt_util.utc_from_timestamp(made)).strftime("%Y-%m-%d %H:%M")
    assert issue.translation_placeholders == {"date": day}
    assert await hass.config_entries.async_reload(entry.entry_id)
    dialog = await Dialog.repair(hass, the_issue(hass))
    assert (await dialog.answer()).step == "create_entry"
    assert issues(hass) == {}


async def test_after_a_backup_nothing_is_told(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path
) -> None:
    entry = await move_in(hass, freezer)
    await backup.async_pre_backup(hass)
    assert (tmp_path / ".storage" / "ai_router" / "ledger.in_backup").exists()
    await backup.async_post_backup(hass)
    assert not (tmp_path / ".storage" / "ai_router" / "ledger.in_backup").exists()
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert issues(hass) == {}


# --- all of them ------------------------------------------------------------------------------------


async def test_none_is_left_of_an_entry_that_is_unloaded_or_a_provider_that_is_removed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(
        hass,
        freezer,
        await at_server(hass, server, CLOUD, prices=None, models=("old-1", CHAT_MODEL), budget_day="0.05"),
    )
    await ask(entry, CLOUD)
    await hass.async_block_till_done()
    assert len(issues(hass)) == 3

    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert issues(hass) == {}

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert issues(hass)

    hass.config_entries.async_remove_subentry(entry, CLOUD)
    await hass.async_block_till_done()
    assert issues(hass) == {}


async def _ignored_budget_and_price(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> MockConfigEntry:
    """A house where a budget is used up and a price unknown, which nobody wants to hear of, and a model is gone."""
    models = ("old-1", CHAT_MODEL)
    provider = await at_server(hass, server, CLOUD, prices=None, models=models, budget_day="0.05")
    entry = await move_in(hass, freezer, provider)
    await ask(entry, CLOUD)
    await hass.async_block_till_done()
    assert len(issues(hass)) == 3
    for issue_id in issues(hass):
        if not issue_id.startswith("model_retired"):
            ir.async_ignore_issue(hass, DOMAIN, issue_id, True)
    return entry


def ignored(hass: HomeAssistant) -> set[str]:
    return {issue_id for issue_id, issue in issues(hass).items() if issue.dismissed_version is not None}


async def test_what_is_ignored_is_so_after_a_reload_too(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await _ignored_budget_and_price(hass, freezer, server)
    before, hidden = issues(hass).keys(), ignored(hass)
    assert len(hidden) == 2

    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert issues(hass).keys() == hidden, "nothing is told while it does not run, and nobody's word is lost"

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert issues(hass).keys() == before
    assert ignored(hass) == hidden

    # What is over ends all the same; what is still so stays ignored.
    cloud = entry.subentries[CLOUD]
    hass.config_entries.async_update_subentry(entry, cloud, data={**cloud.data, "budget_day": "50"})
    await hass.async_block_till_done()
    await ask(entry, CLOUD, "More")
    await hass.async_block_till_done()
    assert ignored(hass) == {issue_id for issue_id in hidden if issue_id.startswith("price_unknown")}


async def test_nothing_is_left_of_what_was_ignored_when_the_entry_is_removed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await _ignored_budget_and_price(hass, freezer, server)

    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()

    assert not [each for each in ir.async_get(hass).issues.values() if each.domain == DOMAIN]


@pytest.mark.parametrize(("scope", "reason"), [("provider", "provider_removed"), ("pool", "pool_removed")])
async def test_whose_budget_it_was_is_gone_while_it_is_being_raised(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI, scope: str, reason: str
) -> None:
    budget = {"budget_day": "1"}
    pool = subentry("01POOL", "pool", "Words", members=[{"provider": CLOUD}], **(budget if scope == "pool" else {}))
    provider = await at_server(hass, server, CLOUD, **(budget if scope == "provider" else {}))
    entry = await move_in(hass, freezer, provider, pool)
    server.usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    await entry.runtime_data.router.process(asked(pins=Pins(pool="01POOL")))
    await hass.async_block_till_done()
    dialog = await Dialog.repair(hass, the_issue(hass))

    hass.config_entries.async_remove_subentry(entry, CLOUD if scope == "provider" else "01POOL")
    await hass.async_block_till_done()

    assert (await dialog.answer(amount=5)).step == reason


async def test_a_provider_that_is_gone_while_its_issue_is_being_mended(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await without_credit(hass, freezer, server)
    first, second = await Dialog.repair(hass, the_issue(hass)), await Dialog.repair(hass, the_issue(hass))

    hass.config_entries.async_remove_subentry(entry, CLOUD)
    await hass.async_block_till_done()
    assert (await first.answer()).step == "provider_removed"

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert (await second.answer()).step == "entry_not_loaded"


async def test_an_issue_that_is_over_while_somebody_mends_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: FakeOpenAI
) -> None:
    entry = await move_in(hass, freezer, await at_server(hass, server, CLOUD))
    server.key = "another"
    await ask_in_vain(entry, CLOUD)
    await hass.async_block_till_done()
    late = await Dialog.repair(hass, the_issue(hass))
    await (await Dialog.repair(hass, the_issue(hass))).answer(api_key="another")
    assert issues(hass) == {}

    await late.answer(api_key="wrong")  # the form's own words are compared on the way

    assert late.errors == {"api_key": "invalid_auth"}
    assert (await late.answer(api_key="another")).step == "create_entry"


def test_every_issue_has_its_texts_and_every_text_its_issue() -> None:
    texts = english()["issues"]
    plain = set(Problem) - {Problem.BUDGET_REACHED, Problem.SETTINGS_UNREADABLE}
    own = {"not_raised", "price_missing", "key_same"}

    several = {f"budget_reached_{window}" for window in ("day", "week", "month", "total")}
    several |= {f"settings_unreadable_{whose}" for whose in ("router", "provider", "pool", "rule")}

    assert set(texts) == {*plain, *several, "price_unknown_refused"}
    assert all("fix_flow" in texts[f"budget_reached_{window}"] for window in BUDGETS)
    for key, text in texts.items():
        assert text["title"], key
        assert ("description" in text) != ("fix_flow" in text), key
    for key in ("key_rejected", "key_old", "no_credit", "model_retired", "model_retires"):
        assert set(texts[key]["fix_flow"]["error"]) - {"key_same"} == ERRORS - own, key
    assert ERRORS - own <= set(english()["config"]["error"])
