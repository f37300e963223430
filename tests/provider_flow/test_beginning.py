"""How the flow begins and ends, names, and its translations."""

import ast
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.flows import (
    key_renewal,
    limit_forms,
    loading,
    model,
    model_forms,
    provider,
    provider_check,
    provider_forms,
    subentry,
)
from custom_components.ai_router.providers.endpoint import EndpointProblem
from custom_components.ai_router.providers.extras import ExtraProblem
from custom_components.ai_router.providers.presets import PRESETS
from custom_components.ai_router.providers.registry import KINDS
from tests.fakes.ollama import FakeOllama
from tests.flows import Dialog, english, running
from tests.household import demo

from .steps import ADDRESS, ASKED, names


async def test_every_kind_can_be_added(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    dialog = await Dialog.add(hass, entry)

    assert dialog.step == "user"
    first, others = ["openai", "anthropic", "gemini", "ollama"], list(KINDS)[4:]
    assert dialog.options_of("kind") == [*first, *PRESETS, *others, "ai_task"]
    for kind in KINDS:
        assert (await Dialog.add(hass, entry, kind)).step == kind


async def test_nothing_is_added_to_a_router_that_does_not_run(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01DEMO", "Demo"))
    open_before = await Dialog.add(hass, entry, "demo")
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert (await open_before.submit()).step == "entry_not_loaded"
    assert (await Dialog.add(hass, entry)).step == "entry_not_loaded"
    assert (await Dialog.change(hass, entry, "01DEMO")).step == "entry_not_loaded"


async def test_a_kind_that_is_not_known_cannot_be_changed(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01DEMO", "Demo", kind="of_another_integration"))

    assert (await Dialog.change(hass, entry, "01DEMO")).step == "kind_unknown"


async def test_a_provider_that_is_removed_meanwhile(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01DEMO", "Demo"))
    dialog = await Dialog.change(hass, entry, "01DEMO")
    hass.config_entries.async_remove_subentry(entry, "01DEMO")

    assert (await dialog.submit()).step == "provider_removed"


@pytest.mark.parametrize("kind", list(KINDS))
async def test_a_page_can_be_loaded_anew(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> None:
    dialog = await Dialog.add(hass, entry, kind)

    assert (await dialog.look_again()).step == kind


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "error"), [("ATTIC ", "name_taken"), (" ", "name_missing")])
@pytest.mark.parametrize("kind", list(KINDS))
async def test_a_name_is_there_and_is_the_only_one(hass: HomeAssistant, kind: str, name: str, error: str) -> None:
    entry = await running(hass, demo("01ATTIC", "Attic"))
    dialog = await (await Dialog.add(hass, entry, kind)).submit(**{"name": name, **ADDRESS[kind], **ASKED[kind]})

    assert (dialog.step, dialog.errors) == (kind, {"name": error})
    assert dialog.shown["name"] == name
    assert names(entry) == ["Attic"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("x" * 101, "name_too_long"),
        ("x" * 10_000, "name_too_long"),
        ("At\ntic", "name_unreadable"),
        ("At\ttic", "name_unreadable"),
        ("At\u2028tic", "name_unreadable"),
        ("At\x00tic", "name_unreadable"),
        ("\u202ecitta", "name_unreadable"),
        ("At\u2066tic", "name_unreadable"),
        ("At\u200btic", "name_unreadable"),
        ("At\ud800tic", "name_unreadable"),
        ("\u200d", "name_missing"),
        ("\u00a0\u200d\u00a0", "name_missing"),
    ],
)
async def test_a_name_can_be_read_in_one_go(hass: HomeAssistant, entry: MockConfigEntry, name: str, error: str) -> None:
    dialog = await (await Dialog.add(hass, entry, "demo")).submit(name=name)

    assert (dialog.step, dialog.errors) == ("demo", {"name": error})
    assert names(entry) == []


@pytest.mark.parametrize(
    "name",
    [
        "x" * 100,
        "👨\u200d👩\u200d👧 Ollama",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "🏴\U000e0067\U000e007f",
        "屋根裏 2",
    ],
)
async def test_letters_and_pictures_of_all_kinds_make_a_name(
    hass: HomeAssistant, entry: MockConfigEntry, name: str
) -> None:
    assert (await (await Dialog.add(hass, entry, "demo")).submit(name=f" {name}\n")).step == "create_entry"
    assert names(entry) == [name]


async def test_a_provider_may_keep_its_own_name_and_change_it(hass: HomeAssistant) -> None:
    entry = await running(hass, demo("01ATTIC", "Attic"), demo("01CELLAR", "Cellar"))

    assert (await (await Dialog.change(hass, entry, "01ATTIC")).submit()).step == "reconfigure_successful"
    dialog = await (await Dialog.change(hass, entry, "01ATTIC")).submit(name="cellar")
    assert dialog.errors == {"name": "name_taken"}
    assert (await dialog.submit(name="attic")).step == "reconfigure_successful"

    assert names(entry) == ["attic", "Cellar"]
    assert entry.runtime_data.router.config.providers["01ATTIC"].name == "attic"


async def test_of_two_at_once_with_one_name_the_faster_gets_it(
    hass: HomeAssistant, entry: MockConfigEntry, ollama: FakeOllama
) -> None:
    slow, fast = [await (await Dialog.add(hass, entry, "ollama")).submit(url=ollama.url) for _ in range(2)]

    assert (await fast.submit()).step == "create_entry"
    assert (await slow.submit()).errors == {"name": "name_taken"}
    assert (slow.step, slow.shown["url"]) == ("ollama", ollama.url)
    assert (await slow.submit(name="Ollama 2")).step == "models"
    assert (await slow.submit()).step == "create_entry"
    assert names(entry) == ["Ollama", "Ollama 2"]


# --- translations -----------------------------------------------------------------------------------


def _words_in_code(called: str) -> set[str]:
    """Return the words with which something is called in the flow: a field and its error, an abort's reason."""
    return {
        argument.value
        for module in (
            key_renewal,
            limit_forms,
            loading,
            model,
            model_forms,
            provider_check,
            provider,
            provider_forms,
            subentry,
        )
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(called)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "reason")]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def test_everything_that_can_be_shown_is_translated_and_nothing_else() -> None:
    texts = english()["config_subentries"]["provider"]
    of_servers = {error for _, error in provider_check._PROBLEMS.values()} | {"unknown"}

    assert set(texts["error"]) == {*_words_in_code("FieldProblem"), *of_servers, *EndpointProblem, *ExtraProblem}
    assert set(texts["abort"]) == _words_in_code("AbortFlow") | _words_in_code("async_abort")
    assert set(texts["step"]) == {
        "user",
        "reconfigure",
        "choose_model",
        "model",
        "models",
        "ai_task",
        "plug_in",
        *KINDS,
    }
