"""The checks of the integration's files find a seeded fault of each kind."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checks.findings import findings
from checks.quality_scale import DOCS

ROOT = Path(__file__).parents[1]
HOME = Path("custom_components/ai_router")
STRINGS = "translations/en.json"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with what the checks read."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    shutil.copytree(ROOT / HOME, tmp_path / HOME, ignore=ignored)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("images"))
    for name in ("hacs.json", "README.md", "LICENSE", "CHANGELOG.md", "setup.cfg"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_this_integration_has_none(copy: Path) -> None:
    assert findings(copy) == []


def put(value: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    """Set something; None takes it away."""

    def change(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        if value is None:
            del data[path[-1]]
        else:
            data[path[-1]] = value

    return change


PROMPT = ("services", "process", "fields", "prompt")
STEP = ("config_subentries", "provider", "step", "demo")
IN_JSON = [
    ("manifest.json", put("", "version"), "the version is none"),
    ("manifest.json", put(None, "codeowners"), "codeowners is missing"),
    ("manifest.json", put("x", "zzz"), "zzz is not known"),
    ("manifest.json", put("other", "domain"), "the domain is not the folder's name"),
    ("manifest.json", put("cloud", "iot_class"), "iot_class is not known"),
    ("manifest.json", put("router", "integration_type"), "integration_type is not known"),
    ("manifest.json", put(["me"], "codeowners"), "begin with @"),
    ("manifest.json", put("http://here", "documentation"), "documentation is no https address"),
    ("manifest.json", put([], "after_dependencies"), "imports the integration camera"),
    ("manifest.json", put(None, "single_config_entry"), "(unique-config-entry)"),
    (STRINGS, put(None, "config_subentries", "rule", "initiate_flow", "reconfigure"), "rule cannot be reconfigured"),
    (STRINGS, put("<b>bold</b>", *PROMPT, "name"), "holds HTML"),
    (STRINGS, put("See https://here", *PROMPT, "name"), "holds an address"),
    (STRINGS, put(" blank", *PROMPT, "name"), "begins or ends with a blank"),
    (STRINGS, put("The '{name}'", *PROMPT, "name"), "in single quotes"),
    (STRINGS, put("The {a name}", *PROMPT, "name"), "is no identifier"),
    (STRINGS, put("The {name", *PROMPT, "name"), "cannot be read"),
    (STRINGS, put("text", *PROMPT, "Name"), "is not lower case"),
    (STRINGS, put(None, *PROMPT, "description"), "the field prompt has no name or no description"),
    (STRINGS, put({"name": "x", "description": "y"}, "services", "process", "fields", "gone"), "gone has a text and"),
    (STRINGS, put(None, "services", "process", "description"), "process: has no name or no description"),
    (STRINGS, put(None, "services", "process"), "en.json: services.process is missing"),
    (STRINGS, put(None, "config_subentries", "provider", "entry_type"), "entry_type and initiate_flow.user"),
    (STRINGS, put("x", *STEP, "data_description", "nothing"), "nothing is described and has no name"),
    (STRINGS, put("x", *STEP, "data", "nothing"), "nothing has no description"),
    (STRINGS, put(None, "exceptions", "empty_prompt"), "exceptions.empty_prompt has no text"),
    (STRINGS, put(None, "entity", "sensor", "health"), "entity.sensor.health has no text"),
    ("icons.json", put("hass:lamp", "entity", "sensor", "health", "default"), "is no mdi icon"),
    ("icons.json", put({"happy": "mdi:help"}, "entity", "sensor", "health", "state"), "states without a text: happy"),
    ("icons.json", put(None, "services", "process"), "icons.json: services.process is missing"),
    ("icons.json", put({"gone": "mdi:help"}, "services", "process", "sections"), "has no section gone"),
]


@pytest.mark.parametrize(("file", "change", "said"), IN_JSON, ids=[said for _, _, said in IN_JSON])
def test_a_fault_in_json(copy: Path, file: str, change: Callable[[dict[str, Any]], None], said: str) -> None:
    path = copy / HOME / file
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    assert any(said in finding for finding in findings(copy))


IN_TEXT = [
    (HOME / "manifest.json", '"domain": "ai_router",\n', "", "domain is missing"),
    (HOME / "manifest.json", '  "name": "AI Router",\n', '  "zone": 1,\n  "name": "AI Router",\n', "by the alphabet"),
    (HOME / "services.yaml", "    prompt:\n", "    promt:\n", "the field promt has no name"),
    (HOME / "services.yaml", "          multiline: true", "          several: true", "services.yaml: process: prompt"),
    (HOME / "services.yaml", "process:\n", "proces:\n", "services.yaml: services.process is missing"),
    (HOME / "quality_scale.yaml", "  brands: done\n", "", "brands is missing"),
    (HOME / "quality_scale.yaml", "  brands: done\n", "  brands: todo\n", "brands must be done"),
    (HOME / "quality_scale.yaml", "  brands: done\n", "  brands: done\n  shine: done\n", "shine is no rule"),
    (HOME / "sensor.py", "PARALLEL_UPDATES = 0", "", "PARALLEL_UPDATES is not set"),
    (HOME / "entity.py", "_attr_has_entity_name", "_attr_named", "has-entity-name"),
    (
        HOME / "actions" / "asking.py",
        'translation_key="empty_prompt"',
        "",
        "ServiceValidationError without a translation_key",
    ),
    (HOME / "__init__.py", "async_unload_entry", "unload", "has no async_unload_entry"),
    (HOME / "__init__.py", "async_setup_services(hass)", "pass", "not registered in async_setup"),
    (HOME / "__init__.py", "runtime_data", "data", "runtime_data is not used"),
    (HOME / "diagnostics.py", "async_get_config_entry_diagnostics", "tell", "(diagnostics)"),
    (HOME / "config_flow.py", "async_step_reauth", "async_step_again", "(reauthentication-flow)"),
    (HOME / "repairs.py", "async_create_fix_flow", "mend", "(repair-issues)"),
    (HOME / "clients.py", "async_get_clientsession(", "ClientSession(", "no comment says why (inject-websession)"),
    (
        HOME / "event.py",
        "        self._about = about\n",
        "        self._about = about\n        events.listen(about, self._hear)\n",
        "(entity-event-setup)",
    ),
    (HOME / "manifest.json", '"requirements": []', '"requirements": ["openai"]', "openai is not pinned"),
    (Path("setup.cfg"), "strict = True", "strict = False", "mypy is not strict"),
    (Path("docs/actions.md"), "## `ai_router.process`", "## Asking", "tell of process (docs-actions)"),
    (
        Path("docs/automations.md"),
        "| Went on to another provider |",
        "| Fallback |",
        "tell of failover (docs-triggers)",
    ),
    (Path("docs/automations.md"), "| Budget is left |", "| Money left |", "tell of budget_left (docs-conditions)"),
    *((Path(file), heading, "", f"({rule})") for rule, (file, heading) in DOCS.items()),
    (Path("hacs.json"), '"name"', '"title"', "hacs.json: name is missing"),
    (Path("hacs.json"), '"homeassistant"', '"home"', "hacs.json: home is not known"),
]


@pytest.mark.parametrize(("file", "before", "after", "said"), IN_TEXT, ids=[each[3] for each in IN_TEXT])
def test_a_fault_in_a_file(copy: Path, file: Path, before: str, after: str, said: str) -> None:
    text = (copy / file).read_text()
    assert before in text
    (copy / file).write_text(text.replace(before, after))
    assert any(said in finding for finding in findings(copy))


@pytest.mark.parametrize("missing", ["README.md", str(HOME / "brand" / "icon.png"), str(HOME / "coordinator.py")])
def test_a_missing_file(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    assert any(f"{Path(missing).name} is missing" in finding for finding in findings(copy))


def test_a_second_integration(copy: Path) -> None:
    (copy / "custom_components" / "second").mkdir()
    (copy / "custom_components" / "second" / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="it must be one"):
        findings(copy)


def test_other_languages_have_the_same_placeholders(copy: Path) -> None:
    english = json.loads((copy / HOME / STRINGS).read_text())
    english["exceptions"]["unknown_provider"]["message"] = "Diesen gibt es nicht."
    (copy / HOME / "translations" / "de.json").write_text(json.dumps(english))
    assert findings(copy) == [
        "de.json: exceptions.unknown_provider.message: other placeholders than in English, or no such text there"
    ]
