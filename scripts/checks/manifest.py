"""manifest.json, hacs.json, and the integrations that the code builds on."""

import ast
import json
from collections.abc import Iterator

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant.const import Platform

from .integration import Integration

_REQUIRED = {
    "domain",
    "name",
    "codeowners",
    "config_flow",
    "documentation",
    "integration_type",
    "iot_class",
    "issue_tracker",
    "requirements",
    "version",
}
_OPTIONAL = {"after_dependencies", "dependencies", "loggers", "quality_scale", "single_config_entry"}
_TYPES = {"device", "entity", "hardware", "helper", "hub", "service", "system", "virtual"}
_IOT = {"assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"}
_VERSIONS = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]
_HACS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "content_in_root": bool,
    "country": (str, list),
    "filename": str,
    "hide_default_branch": bool,
    "homeassistant": str,
    "persistent_directory": str,
    "render_readme": bool,
    "zip_release": bool,
}
# Always there, or loaded by Home Assistant itself before it asks for what builds on them.
_ALWAYS = {
    *("automation", "backup", "diagnostics", "homeassistant", "logbook", "persistent_notification", "repairs"),
    *("script", "system_health", "websocket_api"),
}


def check_manifest(integration: Integration) -> Iterator[str]:
    """Yield what is wrong with the manifest."""
    manifest = integration.manifest
    for key in sorted(_REQUIRED - manifest.keys()):
        yield f"manifest.json: {key} is missing"
    for key in sorted(manifest.keys() - _REQUIRED - _OPTIONAL):
        yield f"manifest.json: {key} is not known"
    ordered = ["domain", "name", *sorted(manifest.keys() - {"domain", "name"})]
    if list(manifest) != ordered:
        yield "manifest.json: keys must be domain, name, then the rest by the alphabet"
    if manifest.get("domain") != integration.home.name:
        yield "manifest.json: the domain is not the folder's name"
    if manifest.get("integration_type") not in _TYPES:
        yield "manifest.json: integration_type is not known"
    if manifest.get("iot_class") not in _IOT:
        yield "manifest.json: iot_class is not known"
    version = AwesomeVersion(str(manifest.get("version", "")))
    if version.strategy not in _VERSIONS:
        yield "manifest.json: the version is none that can be compared"
    if not all(owner.startswith("@") for owner in manifest.get("codeowners") or [""]):
        yield "manifest.json: codeowners are names that begin with @, at least one"
    for key in ("documentation", "issue_tracker"):
        if not str(manifest.get(key, "")).startswith("https://"):
            yield f"manifest.json: {key} is no https address"


def check_dependencies(integration: Integration) -> Iterator[str]:
    """Yield integrations that are imported and not named in the manifest."""
    manifest = integration.manifest
    named = {*manifest.get("dependencies", ()), *manifest.get("after_dependencies", ()), *_ALWAYS}
    named |= {platform.value for platform in Platform if f"{platform}.py" in integration.sources}
    for file, node in integration.imports():
        for used in _components(node):
            if used not in named:
                yield f"{file}:{node.lineno}: imports the integration {used}, which the manifest does not name"


def _components(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    prefix = "homeassistant.components"
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if module == prefix:
            yield from (alias.name for alias in node.names)
        elif module.startswith(f"{prefix}."):
            yield module.split(".")[2]
    else:
        yield from (alias.name.split(".")[2] for alias in node.names if alias.name.startswith(f"{prefix}."))


def check_hacs(integration: Integration) -> Iterator[str]:
    """Yield what the Marketplace would refuse."""
    hacs = json.loads((integration.root / "hacs.json").read_text())
    if "name" not in hacs:
        yield "hacs.json: name is missing"
    for key, value in hacs.items():
        if key not in _HACS:
            yield f"hacs.json: {key} is not known"
        elif not isinstance(value, _HACS[key]):
            yield f"hacs.json: {key} has the wrong type"
    if not AwesomeVersion(str(hacs.get("homeassistant", ""))).valid:
        yield "hacs.json: homeassistant is no version"
    for needed in ("README.md", "LICENSE", "CHANGELOG.md"):
        if not (integration.root / needed).exists():
            yield f"{needed} is missing"
    if not (integration.home / "brand" / "icon.png").exists():
        yield "brand/icon.png is missing"
