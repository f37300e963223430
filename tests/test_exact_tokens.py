"""Exact token counts: switched on, refused, out of reach. tiktoken is a package on the path that splits at spaces."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.requirements import RequirementsNotFound
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router import exact_tokens
from custom_components.ai_router.routing.model import Message, Role, Target, Text
from custom_components.ai_router.routing.request import Caller, Request
from tests.flows import Dialog
from tests.household import ATTIC, demo, move_in

WORDS = "one two three " * 100
_MODULE = """
import threading
ASKED = []
class Encoding:
    def encode_ordinary(self, text):
        ASKED.append(text)
        return text.split()
def get_encoding(name):
    assert name == "o200k_base"
    assert threading.current_thread() is not threading.main_thread()
    {body}
"""


@pytest.fixture
def tiktoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path in which tiktoken may be written."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("tiktoken", None)


def install(folder: Path, body: str = "return Encoding()") -> None:
    (folder / "tiktoken.py").write_text(_MODULE.format(body=body))


def named(model_id: str) -> object:
    """A simulated provider whose model has this name."""
    (model,) = demo(ATTIC, "Attic").data["models"]
    return demo(ATTIC, "Attic", models=[{**model, "id": model_id}])


def expected(entry: MockConfigEntry, text: str = WORDS) -> int:
    """Return the input tokens that the plan expects."""
    request = Request("r", Caller(), (Message(Role.USER, (Text(text),)),))
    (candidate,) = entry.runtime_data.router.plan(request).candidates
    return int(candidate.estimate.input_tokens)


async def switch(hass: HomeAssistant, entry: MockConfigEntry, **options: bool) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, **options})
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize(
    ("model_id", "exact"),
    [
        ("gpt-6-luna", True),
        ("openai/gpt-5-mini", True),
        ("GPT-4o", True),
        ("gpt-oss:20b", True),
        ("o4-mini", True),
        ("ft:gpt-4.1-mini:home", True),
        ("gpt-3.5-turbo", False),
        ("claude-haiku-5-5", False),
        ("llama-o1x", False),
        ("my-gpt-5", False),
    ],
)
async def test_openai_s_models_are_counted(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tiktoken: Path, model_id: str, exact: bool
) -> None:
    install(tiktoken)
    entry = await move_in(hass, freezer, named(model_id))  # type: ignore[arg-type] # a subentry
    estimated = expected(entry)
    assert estimated == 397

    await switch(hass, entry, exact_tokens=True)

    assert expected(entry) == (308 if exact else estimated)

    await switch(hass, entry, exact_tokens=False)

    assert expected(entry) == estimated


async def test_a_text_is_counted_once_and_a_long_one_not_at_all(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tiktoken: Path
) -> None:
    install(tiktoken)
    entry = await move_in(hass, freezer, named("gpt-6-luna"), exact_tokens=True)  # type: ignore[arg-type] # a subentry
    await hass.async_block_till_done(wait_background_tasks=True)
    asked = sys.modules["tiktoken"].ASKED

    assert expected(entry) == expected(entry) == 308
    assert asked == [WORDS]
    assert expected(entry, "word " * 2_001) > 2_009
    assert asked == [WORDS]


async def test_a_house_that_stays_to_itself_loads_nothing(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tiktoken: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(tiktoken)
    entry = await move_in(hass, freezer, named("gpt-6-luna"), exact_tokens=True, local_only=True)  # type: ignore[arg-type] # a subentry
    await hass.async_block_till_done(wait_background_tasks=True)

    assert "the router is local only" in caplog.text
    assert "tiktoken" not in sys.modules

    dialog = await (await Dialog.options(hass, entry)).submit()
    assert dialog.errors == {"data": "exact_tokens_local"}

    await dialog.submit(access={"local_only": False})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (entry.options["exact_tokens"], expected(entry)) == (True, 308)

    # What has been loaded asks nobody any more.
    await switch(hass, entry, local_only=True)
    (model,) = entry.subentries[ATTIC].data["models"]
    data = {**entry.subentries[ATTIC].data, "models": [{**model, "local": True}]}
    hass.config_entries.async_update_subentry(entry, entry.subentries[ATTIC], data=data)
    await hass.async_block_till_done()
    assert expected(entry) == 308


@pytest.mark.parametrize("fault", ["not_installed", "missing", "no_network", "damaged"])
async def test_where_it_cannot_be_had_the_estimator_goes_on(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    tiktoken: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    asked: list[list[str]] = []

    async def refuse(_: HomeAssistant, name: str, requirements: list[str], is_built_in: bool = True) -> None:
        asked.append(requirements)
        raise RequirementsNotFound(name, requirements)

    if fault == "not_installed":
        monkeypatch.setattr(exact_tokens, "async_process_requirements", refuse)
    if fault == "missing":
        (tiktoken / "tiktoken.py").write_text("raise ImportError('no wheel')")
    else:
        install(tiktoken, {"no_network": "raise OSError('no route')"}.get(fault, "raise ValueError('hash mismatch')"))
    entry = await move_in(hass, freezer, named("gpt-6-luna"), exact_tokens=True)  # type: ignore[arg-type] # a subentry
    await hass.async_block_till_done(wait_background_tasks=True)

    assert caplog.text.count("Tokens are estimated, not counted") == 1
    assert asked == ([["tiktoken==0.14.0"]] if fault == "not_installed" else [])
    assert expected(entry) == 397

    # Switched off and on again, it is tried once more; by other changes it is not.
    await switch(hass, entry, failover=False)
    assert caplog.text.count("Tokens are estimated, not counted") == 1
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(tiktoken))
    sys.modules.pop("tiktoken", None)
    install(tiktoken)
    await switch(hass, entry, exact_tokens=False)
    await switch(hass, entry, exact_tokens=True)
    assert expected(entry) == 308


async def test_the_target_s_own_measure_is_not_spoilt(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tiktoken: Path
) -> None:
    install(tiktoken)
    entry = await move_in(hass, freezer, named("gpt-6-luna"), exact_tokens=True)  # type: ignore[arg-type] # a subentry
    await hass.async_block_till_done(wait_background_tasks=True)

    assert entry.runtime_data.router._usual.ratio(Target(ATTIC, "gpt-6-luna")) == 1.0
    assert await hass.config_entries.async_unload(entry.entry_id)
