"""quality_scale.yaml: every rule of Home Assistant's Integration Quality Scale, and those that code can tell."""

import ast
from collections.abc import Iterator

from homeassistant.const import Platform

from .integration import Integration

# https://developers.home-assistant.io/docs/core/integration-quality-scale/rules, August 2026.
RULES = [
    "action-setup",
    "appropriate-polling",
    "brands",
    "common-modules",
    "config-flow-test-coverage",
    "config-flow",
    "dependency-transparency",
    "docs-actions",
    "docs-triggers",
    "docs-conditions",
    "docs-high-level-description",
    "docs-installation-instructions",
    "docs-removal-instructions",
    "entity-event-setup",
    "entity-unique-id",
    "has-entity-name",
    "runtime-data",
    "test-before-configure",
    "test-before-setup",
    "unique-config-entry",
    "action-exceptions",
    "config-entry-unloading",
    "docs-configuration-parameters",
    "docs-installation-parameters",
    "entity-unavailable",
    "integration-owner",
    "log-when-unavailable",
    "parallel-updates",
    "reauthentication-flow",
    "test-coverage",
    "devices",
    "diagnostics",
    "discovery-update-info",
    "discovery",
    "docs-data-update",
    "docs-examples",
    "docs-known-limitations",
    "docs-supported-devices",
    "docs-supported-functions",
    "docs-troubleshooting",
    "docs-use-cases",
    "dynamic-devices",
    "entity-category",
    "entity-device-class",
    "entity-disabled-by-default",
    "entity-translations",
    "exception-translations",
    "icon-translations",
    "reconfiguration-flow",
    "repair-issues",
    "stale-devices",
    "async-dependency",
    "inject-websession",
    "strict-typing",
]


def check_scale(integration: Integration) -> Iterator[str]:
    """Yield rules that are not done, or are exempt without a reason."""
    rules = integration.yaml("quality_scale.yaml").get("rules", {})
    for rule in RULES:
        match rules.get(rule):
            case "done":
                pass
            case {"status": "done" | "exempt", "comment": str(comment)} if comment.strip():
                pass
            case None:
                yield f"quality_scale.yaml: {rule} is missing"
            case _:
                yield f"quality_scale.yaml: {rule} must be done, or exempt with a comment"
    yield from (f"quality_scale.yaml: {rule} is no rule" for rule in rules if rule not in RULES)


def check_rules(integration: Integration) -> Iterator[str]:
    """Yield what the code shows about the rules: parallel-updates, action-setup, has-entity-name, runtime-data."""
    for platform in Platform:
        module = integration.sources.get(f"{platform}.py")
        if module is not None and "PARALLEL_UPDATES" not in _assigned(module):
            yield f"{platform}.py: PARALLEL_UPDATES is not set (parallel-updates)"
    setup = integration.sources["__init__.py"]
    functions = {node.name: ast.dump(node) for node in setup.body if isinstance(node, ast.AsyncFunctionDef)}
    if "services" not in functions.get("async_setup", ""):
        yield "__init__.py: actions are not registered in async_setup (action-setup)"
    if "async_unload_entry" not in functions:
        yield "__init__.py: has no async_unload_entry (config-entry-unloading)"
    if not any(isinstance(node, ast.Attribute) and node.attr == "runtime_data" for node in ast.walk(setup)):
        yield "__init__.py: the entry's runtime_data is not used (runtime-data)"
    for needed in ("coordinator.py", "entity.py"):
        if needed not in integration.sources:
            yield f"{needed} is missing (common-modules)"
        elif needed == "entity.py" and "_attr_has_entity_name" not in ast.dump(integration.sources[needed]):
            yield "entity.py: _attr_has_entity_name is not set (has-entity-name)"


def _assigned(module: ast.Module) -> set[str]:
    return {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
