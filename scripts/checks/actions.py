"""services.yaml, triggers.yaml, conditions.yaml and icons.json against each other and the texts."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from homeassistant.helpers.selector import validate_selector

from .integration import Integration, texts

_ICON = re.compile(r"mdi:[a-z0-9]+(?:-[a-z0-9]+)*")
_KINDS = (("services", "services.yaml"), ("triggers", "triggers.yaml"), ("conditions", "conditions.yaml"))

# Home Assistant has texts for these itself.
_STATES = {"binary_sensor": {"on", "off"}, "switch": {"on", "off"}}


def check_actions(integration: Integration) -> Iterator[str]:
    """Yield actions, triggers and conditions that cannot be shown, or lack texts or icons."""
    for kind, file in _KINDS:
        defined = integration.yaml(file)
        strings = integration.strings.get(kind, {})
        icons = integration.icons.get(kind, {})
        module = integration.home / f"{kind.removesuffix('s')}.py"
        if kind != "services" and module.exists() != bool(defined):
            yield f"{file} and {module.name} must come together"
        for name in sorted({*defined, *strings, *icons}):
            for where, there in ((file, defined), ("en.json", strings), ("icons.json", icons)):
                if name not in there:
                    yield f"{where}: {kind}.{name} is missing"
            if name in defined and name in strings:
                yield from _action(integration, f"{file}: {name}", defined[name] or {}, strings[name])
            if name in defined and name in icons:
                sections = {key for key, field in _fields(defined[name] or {}) if "fields" in field}
                for section in icons[name].get("sections", {}).keys() - sections:
                    yield f"icons.json: {kind}.{name} has no section {section}"


def _fields(action: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, field in (action.get("fields") or {}).items():
        yield name, field or {}


def _action(
    integration: Integration, where: str, action: Mapping[str, Any], strings: Mapping[str, Any]
) -> Iterator[str]:
    if "name" not in strings or "description" not in strings:
        yield f"{where}: has no name or no description"
    named: set[str] = set()
    for name, field in _fields(action):
        if "fields" in field:
            if "name" not in strings.get("sections", {}).get(name, {}):
                yield f"{where}: the section {name} has no name"
            inner = dict(_fields(field))
        else:
            inner = {name: field}
        for key, each in inner.items():
            named.add(key)
            if not {"name", "description"} <= strings.get("fields", {}).get(key, {}).keys():
                yield f"{where}: the field {key} has no name or no description"
            yield from _selector(integration, f"{where}: {key}", each)
    for gone in strings.get("fields", {}).keys() - named:
        yield f"{where}: the field {gone} has a text and does not exist"


def _selector(integration: Integration, where: str, field: Mapping[str, Any]) -> Iterator[str]:
    if "selector" not in field:
        yield f"{where}: has no selector"
        return
    try:
        selector = validate_selector(field["selector"])
    except Exception as err:  # noqa: BLE001 - whatever a selector does not take is a finding
        yield f"{where}: {err}"
        return
    for options in selector.values():
        key = options.get("translation_key")
        if key is not None and key not in integration.strings.get("selector", {}):
            yield f"{where}: the selector's translation_key {key} has no texts"


def check_icons(integration: Integration) -> Iterator[str]:
    """Yield icons that are none, and entities without texts."""
    for where, icon in texts(integration.icons):
        if not isinstance(icon, str) or not _ICON.fullmatch(icon):
            yield f"icons.json: {where}: {icon!r} is no mdi icon"
    strings = integration.strings.get("entity", {})
    for platform, entities in integration.icons.get("entity", {}).items():
        for key, icon in entities.items():
            text = strings.get(platform, {}).get(key)
            if text is None:
                yield f"icons.json: entity.{platform}.{key} has no text"
            elif unknown := icon.get("state", {}).keys() - text.get("state", {}).keys() - _STATES.get(platform, set()):
                yield f"icons.json: entity.{platform}.{key}: states without a text: {', '.join(sorted(unknown))}"
