"""All checks of one repository."""

from pathlib import Path

from .actions import check_actions, check_icons
from .integration import Integration
from .manifest import check_dependencies, check_hacs, check_manifest
from .quality_scale import check_code, check_docs, check_rules, check_scale
from .texts import check_exceptions, check_forms, check_texts

CHECKS = (
    check_manifest,
    check_dependencies,
    check_hacs,
    check_texts,
    check_forms,
    check_exceptions,
    check_actions,
    check_icons,
    check_scale,
    check_rules,
    check_docs,
    check_code,
)


def findings(root: Path) -> list[str]:
    """Return what is wrong, one sentence each. Raises `OSError` and `ValueError` where files cannot be read."""
    integration = Integration(root)
    return [finding for check in CHECKS for finding in check(integration)]
