"""quality_scale.yaml: every rule of Home Assistant's Integration Quality Scale, and those that code can tell."""

import ast
from collections.abc import Iterator
from configparser import ConfigParser

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


# Where in the repository a person finds it: a file, and what stands in it.
DOCS = {
    "docs-installation-instructions": ("docs/installation.md", "## Install"),
    "docs-removal-instructions": ("docs/installation.md", "## Remove"),
    "docs-installation-parameters": ("docs/installation.md", "### What each form asks"),
    "docs-configuration-parameters": ("docs/settings.md", "<!-- table form options.step.settings -->"),
    "docs-data-update": ("docs/entities.md", "pushed"),
    "docs-supported-functions": ("docs/entities.md", "<!-- table entities sensor -->"),
    "docs-supported-devices": ("docs/providers.md", "# Providers"),
    "docs-use-cases": ("docs/choosing.md", "## Three households"),
    "docs-examples": ("docs/automations.md", "## Examples"),
    "docs-troubleshooting": ("docs/troubleshooting.md", "# Troubleshooting"),
    "docs-known-limitations": ("docs/known-limits.md", "# Known limits"),
}
# What Home Assistant calls, and the file that it looks into.
CALLED = {
    "config-entry-unloading": ("__init__.py", "async_unload_entry"),
    "diagnostics": ("diagnostics.py", "async_get_config_entry_diagnostics"),
    "reauthentication-flow": ("config_flow.py", "async_step_reauth"),
    "repair-issues": ("repairs.py", "async_create_fix_flow"),
}
_SUBSCRIBES = {"listen", "subscribe", "async_add_listener", "async_dispatcher_connect", "async_listen"}


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
    if not any(isinstance(node, ast.Attribute) and node.attr == "runtime_data" for node in ast.walk(setup)):
        yield "__init__.py: the entry's runtime_data is not used (runtime-data)"
    for needed in ("coordinator.py", "entity.py"):
        if needed not in integration.sources:
            yield f"{needed} is missing (common-modules)"
        elif needed == "entity.py" and "_attr_has_entity_name" not in ast.dump(integration.sources[needed]):
            yield "entity.py: _attr_has_entity_name is not set (has-entity-name)"


def check_docs(integration: Integration) -> Iterator[str]:
    """Yield what the documentation does not tell."""
    for rule, (file, heading) in DOCS.items():
        if heading not in _doc(integration, file):
            yield f"{file}: has no {heading!r} ({rule})"
    actions, automations = _doc(integration, "docs/actions.md"), _doc(integration, "docs/automations.md")
    for name in integration.services:
        if f"## `{integration.home.name}.{name}`" not in actions:
            yield f"docs/actions.md: does not tell of {name} (docs-actions)"
    for kind in ("triggers", "conditions"):
        for name, strings in integration.strings.get(kind, {}).items():
            if f"| {strings.get('name')} |" not in automations:
                yield f"docs/automations.md: does not tell of {name} (docs-{kind})"


def check_code(integration: Integration) -> Iterator[str]:
    """Yield what else the code shows: what Home Assistant calls, sessions, subscriptions, requirements, types."""
    for rule, (file, function) in CALLED.items():
        if file not in integration.sources or function not in _functions(integration.sources[file]):
            yield f"{file}: has no {function} ({rule})"
    rules = integration.yaml("quality_scale.yaml").get("rules", {})
    for file, call, name in integration.calls():
        if name == "ClientSession" and file not in str(rules.get("inject-websession")):
            yield f"{file}:{call.lineno}: a session of its own, and no comment says why (inject-websession)"
    for file in (f"{platform}.py" for platform in Platform):
        for node in ast.walk(integration.sources.get(file, ast.Module([], []))):
            if isinstance(node, ast.FunctionDef) and node.name == "__init__" and _calls(node) & _SUBSCRIBES:
                yield f"{file}:{node.lineno}: subscribes before it is added (entity-event-setup)"
    if not integration.manifest.get("single_config_entry"):
        yield "manifest.json: single_config_entry is not set (unique-config-entry)"
    for kind in integration.strings.get("config_subentries", {}):
        if "reconfigure" not in integration.strings["config_subentries"][kind].get("initiate_flow", {}):
            yield f"en.json: {kind} cannot be reconfigured (reconfiguration-flow)"
    for requirement in integration.manifest.get("requirements", ()):
        if "==" not in requirement:
            yield f"manifest.json: {requirement} is not pinned (dependency-transparency)"
    setup = ConfigParser()
    setup.read(integration.root / "setup.cfg")
    if not setup.getboolean("mypy", "strict", fallback=False):
        yield "setup.cfg: mypy is not strict (strict-typing)"


def _doc(integration: Integration, file: str) -> str:
    path = integration.root / file
    return path.read_text() if path.exists() else ""


def _functions(module: ast.Module) -> set[str]:
    return {node.name for node in ast.walk(module) if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


def _calls(node: ast.AST) -> set[str]:
    calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls}


def _assigned(module: ast.Module) -> set[str]:
    return {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
