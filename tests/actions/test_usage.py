"""`get_usage` and `export_usage`: the ledger's sums as templates read them, and who may see what."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.ai_router.const import DOMAIN, Conf
from tests.household import ATTIC, CLOUD, FREE, demo, move_in, subentry
from tests.storage.attempts import names

from .calling import call

QUICK = {"latency": 0}


@pytest.fixture
async def spent(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """A house that asked yesterday and today, the free and the dear provider."""
    freezer.move_to("2026-11-20 12:00:00+00:00")
    await hass.config.async_set_time_zone("UTC")
    free = demo(ATTIC, "Attic", prices=FREE, options=QUICK)
    await move_in(hass, freezer, free, demo(CLOUD, "Cloud", options=QUICK))
    await call(hass, "process", prompt="one two three", provider="Cloud", label="door")
    freezer.move_to("2026-11-21 12:00:00+00:00")
    for _ in range(2):
        await call(hass, "process", prompt="one two three", provider="Cloud", label="door")
    await call(hass, "process", prompt="one two three", provider="Attic", label="garden")


# Three words in at 1,000 dollars a million, six out ("Demo answer to ..." and the prompt) at 2,000.
EACH = 3 * 0.001 + 6 * 0.002


@pytest.mark.usefixtures("spent")
async def test_the_sum_of_a_period_and_its_rows(hass: HomeAssistant) -> None:
    today = await call(hass, "get_usage", period="today", by=["provider"])
    assert (today["from"], today["to"], today["currency"]) == ("2026-11-21", "2026-11-21", "USD")
    assert today["total"]["cost"] == pytest.approx(2 * EACH)
    assert (today["total"]["attempts"], today["total"]["failures"]) == (3, 0)
    assert [(row["provider"], row["attempts"]) for row in today["rows"]] == [("Cloud", 2), ("Attic", 1)]
    assert today["rows"][0]["average"]["cost"] == pytest.approx(EACH)
    assert today["rows"][0]["input_tokens"] == 6
    month = await call(hass, "get_usage", period="month", by=["day", "label"])
    assert month["total"]["cost"] == pytest.approx(3 * EACH)
    assert {(row["day"], row["label"]): row["attempts"] for row in month["rows"]} == {
        ("2026-11-20", "door"): 1,
        ("2026-11-21", "door"): 2,
        ("2026-11-21", "garden"): 1,
    }
    assert month["projection"]["days"] == 1
    assert month["projection"]["month"] >= month["total"]["cost"]


@pytest.mark.usefixtures("spent")
@pytest.mark.parametrize(
    ("asked", "attempts"),
    [
        ({"period": "yesterday"}, 1),
        ({"period": "week"}, 4),
        ({"period": "last_week"}, 0),
        ({"period": "last_month"}, 0),
        ({"period": "year"}, 4),
        ({"period": "total"}, 4),
        ({"from": "2026-11-20", "to": "2026-11-20"}, 1),
        ({"from": "2026-11-20"}, 4),
        ({"to": "2026-11-20"}, 1),
        ({"period": "total", "provider": "attic"}, 1),
        ({"period": "total", "label": "door"}, 3),
        ({"period": "total", "label": "nobody"}, 0),
    ],
)
async def test_periods_and_what_they_are_narrowed_to(hass: HomeAssistant, asked: dict[str, str], attempts: int) -> None:
    assert (await call(hass, "get_usage", **asked))["total"]["attempts"] == attempts


@pytest.mark.usefixtures("spent")
async def test_a_period_that_ends_before_it_begins_is_refused(hass: HomeAssistant) -> None:
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "get_usage", **{"from": "2026-11-21", "to": "2026-11-20"})
    assert refused.value.translation_key == "period_backwards"


@pytest.mark.usefixtures("spent")
async def test_a_user_sees_by_user_only_his_own(hass: HomeAssistant, hass_read_only_user: MockUser) -> None:
    hass_read_only_user.name = "Ann"
    await call(hass, "process", user=hass_read_only_user, prompt="Hi", provider="Cloud")
    own = await call(hass, "get_usage", user=hass_read_only_user, by="user")
    assert [(row["user"], row["attempts"]) for row in own["rows"]] == [("Ann", 1)]
    assert own["total"]["attempts"] == 1
    everybody = await call(hass, "get_usage", by="user")
    assert {row["user"]: row["attempts"] for row in everybody["rows"]} == {None: 3, "Ann": 1}


@pytest.mark.usefixtures("spent")
async def test_the_export_as_text_and_as_a_file(hass: HomeAssistant, tmp_path: Path) -> None:
    text = await call(hass, "export_usage", period="total")
    rows = list(csv.DictReader(StringIO(text["csv"])))
    assert text["rows"] == len(rows) == 4
    assert sum(float(row["cost_usd"]) for row in rows) == pytest.approx(3 * EACH)
    assert {row["provider_id"] for row in rows} == {"Attic", "Cloud"}
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    file = tmp_path / "usage.csv"
    written = await call(hass, "export_usage", period="total", file=str(file))
    assert written["rows"] == 4
    assert file.read_bytes().decode() == text["csv"]
    assert names(tmp_path) == {"usage.csv"}


@pytest.mark.usefixtures("spent")
async def test_the_export_keeps_to_allowed_folders_and_to_admins(
    hass: HomeAssistant, tmp_path: Path, hass_read_only_user: MockUser
) -> None:
    (tmp_path / "www").mkdir()
    hass.config.allowlist_external_dirs = {str(tmp_path / "www")}
    # The folder itself is allowed, but not what is written beside it on the way.
    for file in (str(tmp_path / "usage.csv"), str(tmp_path / "www"), "/", str(tmp_path / "www" / "a\0b" / "c.csv")):
        with pytest.raises(ServiceValidationError) as refused:
            await call(hass, "export_usage", file=file)
        assert refused.value.translation_key == "path_not_allowed"
    assert names(tmp_path) == set()
    with pytest.raises(Unauthorized):
        await call(hass, "export_usage", user=hass_read_only_user)


@pytest.mark.usefixtures("spent")
async def test_what_is_gone_keeps_its_last_name(hass: HomeAssistant) -> None:
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    pool = subentry("01POOL", "pool", "Words", **{Conf.MEMBERS.value: [{"provider": CLOUD}]})
    hass.config_entries.async_add_subentry(entry, pool)
    await hass.async_block_till_done()
    await call(hass, "process", prompt="one two three", pool="Words")
    hass.config_entries.async_update_subentry(entry, entry.subentries[CLOUD], title="Sky")
    await hass.async_block_till_done()
    for gone in (CLOUD, "01POOL"):
        hass.config_entries.async_remove_subentry(entry, gone)
    await hass.async_block_till_done()

    async def rows() -> set[tuple[str, str | None]]:
        found = await call(hass, "get_usage", period="total", by=["provider", "pool"])
        return {(row["provider"], row["pool"]) for row in found["rows"]}

    before = {("Sky", None), ("Sky", "Words"), ("Attic", None)}
    assert await rows() == before
    metrics = await call(hass, "get_metrics", period="total")
    assert {row["provider"] for row in metrics["rows"]} == {"Sky", "Attic"}

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert await rows() == before
    lines = list(csv.DictReader(StringIO((await call(hass, "export_usage", period="total"))["csv"])))
    assert {(line["provider_id"], line["pool"] or None) for line in lines} == before
    assert entry.runtime_data.name_of(CLOUD) == entry.runtime_data.provider_name(CLOUD) == "Sky"
    assert entry.runtime_data.name_of("01NEVER") == "01NEVER"
