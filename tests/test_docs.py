"""The documentation: every example runs, every action, field, entity and option is described, every link leads somewhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.camera import Camera
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.entity_component import EntityComponent
from homeassistant.helpers.script import Script, async_validate_actions_config
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
from pytest_homeassistant_custom_component.common import async_mock_service

import custom_components.ai_router as integration
from custom_components.ai_router.actions.batch import PROGRESS_EVENT
from custom_components.ai_router.const import Conf
from custom_components.ai_router.events import EVENT_DATA
from custom_components.ai_router.providers.demo import VISION_MODEL
from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.stored_models import model_to_stored

from .drawing import halves, saved
from .household import ATTIC, CLOUD, demo, move_in

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HOME = Path(integration.__file__).parent
TEXTS = json.loads((HOME / "translations" / "en.json").read_text())
QUICK = {"latency": 0}


def examples() -> Iterator[Any]:
    for page in PAGES:
        for number, block in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE), 1
        ):
            yield pytest.param(parse_yaml(block), id=f"{page.name} {number}")


@pytest.mark.parametrize("example", examples())
async def test_every_example_runs(hass: HomeAssistant, freezer: FrozenDateTimeFactory, example: Any) -> None:
    if "logger" in example:
        assert await async_setup_component(hass, "logger", example)
        return
    sent = async_mock_service(hass, "notify", "send_message")
    await show_a_door(hass)
    await move_in(hass, freezer, see(ATTIC, "Attic", "0"), see(CLOUD, "Cloud", "1"))
    assert await async_setup_component(hass, "automation", {"automation": [{"alias": "Example", **whole(example)}]})
    await hass.async_block_till_done()
    (automation,) = hass.states.async_all("automation")
    assert automation.state == "on", automation.attributes
    actions = await async_validate_actions_config(hass, cv.SCRIPT_SCHEMA(example["actions"]))
    script = Script(hass, actions, "Example", "automation")
    spent = {"spent": 8, "limit": 10, "window": "day"}
    await script.async_run({"trigger": spent})
    await hass.async_block_till_done()
    if "notify.send_message" in json.dumps(example["actions"]) and not any("if" in each for each in example["actions"]):
        assert sent, "nobody was told"
    await hass.services.async_call("automation", "turn_off", {"entity_id": automation.entity_id}, blocking=True)


def whole(example: dict[str, Any]) -> dict[str, Any]:
    """An example that shows only actions is one of an automation with whatever trigger."""
    return {"triggers": [{"trigger": "event", "event_type": "any"}], **example}


def see(provider_id: str, title: str, price: str) -> ConfigSubentry:
    """Describe a simulated provider whose model sees pictures."""
    caps = Capability.CHAT | Capability.STREAMING | Capability.VISION | Capability.STRUCTURED
    provider = demo(provider_id, title, options=QUICK)
    models = [model_to_stored(Model(VISION_MODEL, caps), price, price)]
    data = MappingProxyType({**provider.data, Conf.MODELS.value: models})
    return replace(provider, data=data)


async def show_a_door(hass: HomeAssistant) -> None:
    """Put up a camera at the front door."""

    class Door(Camera):
        _attr_name = "Front door"

        async def async_camera_image(self, width: int | None = None, height: int | None = None) -> bytes:  # noqa: ARG002 - the platform's signature
            return saved(halves())

    assert await async_setup_component(hass, "camera", {})
    component: EntityComponent[Camera] = hass.data["camera"]
    await component.async_add_entities([Door()])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_every_action_and_field_is_described() -> None:
    text = (ROOT / "docs" / "actions.md").read_text()
    for name, action in TEXTS["services"].items():
        found = re.search(rf"^## `ai_router\.{name}`\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        assert found, f"{name} has no section"
        for field in action.get("fields", {}):
            assert f"`{field}`" in found[1], f"{name} does not describe {field}"


def test_every_entity_is_described() -> None:
    text = (ROOT / "docs" / "entities.md").read_text()
    for platform, entities in TEXTS["entity"].items():
        for key, entity in entities.items():
            assert entity["name"] in text, f"{platform}.{key}"


def test_every_event_is_described_with_its_data() -> None:
    text = (ROOT / "docs" / "automations.md").read_text()
    rows = dict(re.findall(r"^\| `(ai_router_\w+)` \|.*\| ([\w, ]+) \|$", text, re.MULTILINE))
    described = {event: set(data.split(", ")) for event, data in rows.items()}
    told = {kind.event_type: set(data) for kind, data in EVENT_DATA.items()}
    assert described == {**told, PROGRESS_EVENT: {"label", "done", "failed", "total"}}


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for name, label in settings():
        assert label in text, f"{name} ({label})"


def settings() -> Iterator[tuple[str, str]]:
    """All fields of the forms of options, provider limits, pools and rules, with their labels."""
    forms = [*TEXTS["options"]["step"].values()]
    for kind in ("provider", "pool", "rule"):
        forms += TEXTS["config_subentries"].get(kind, {}).get("step", {}).values()
    for form in forms:
        yield from form.get("data", {}).items()
        for section in form.get("sections", {}).values():
            yield from section.get("data", {}).items()
