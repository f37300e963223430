"""translations/: that they can be shown, and that everything a person sees has one."""

import ast
import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from .integration import Integration, Strings, texts

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
_HTML = re.compile(r"<[a-zA-Z/!]")
_URL = re.compile(r"https?://|www\.")
_QUOTED = re.compile(r"'[^']*\{[^}]*\}[^']*'")
_FLOWS = ("config", "options")
_RAISED = {"HomeAssistantError", "ServiceValidationError", "ConfigEntryError", "ConfigEntryNotReady"}


def check_texts(integration: Integration) -> Iterator[str]:
    """Yield texts that Home Assistant's validator would refuse, in every language."""
    for file in sorted((integration.home / "translations").glob("*.json")):
        strings = integration.json("translations", file.name)
        for where, text in texts(strings):
            yield from (f"{file.name}: {where}: {fault}" for fault in _faults(where, text))
        if file.name != "en.json":
            english = dict(texts(integration.strings))
            for where, text in texts(strings):
                if _fields(str(text)) != _fields(str(english.get(where, ""))):
                    yield f"{file.name}: {where}: other placeholders than in English, or no such text there"


def _faults(where: str, text: object) -> Iterator[str]:
    if not isinstance(text, str):
        yield "is no text"
        return
    for key in where.split("."):
        if not _KEY.fullmatch(key):
            yield f"the key {key!r} is not lower case letters, digits, - and _"
    if not text or text != text.strip():
        yield "is empty, or begins or ends with a blank"
    if _HTML.search(text):
        yield "holds HTML"
    if _URL.search(text):
        yield "holds an address; give it as a placeholder"
    if _QUOTED.search(text):
        yield "a placeholder stands in single quotes"
    try:
        bad = [name for name in _fields(text) if not name.isidentifier()]
    except ValueError as err:
        yield f"its placeholders cannot be read ({err})"
    else:
        yield from (f"the placeholder {name!r} is no identifier" for name in bad)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def check_forms(integration: Integration) -> Iterator[str]:
    """Yield flows whose fields lack a name or a description, or that describe fields they do not have."""
    strings = integration.strings
    flows: dict[str, Strings] = {name: strings[name] for name in _FLOWS if name in strings}
    for kind, subentry in strings.get("config_subentries", {}).items():
        flows[f"config_subentries.{kind}"] = subentry
        if "entry_type" not in subentry or "user" not in subentry.get("initiate_flow", {}):
            yield f"en.json: config_subentries.{kind}: entry_type and initiate_flow.user are needed"
    for issue, text in strings.get("issues", {}).items():
        flows[f"issues.{issue}"] = text.get("fix_flow", {})
        if "title" not in text or ("description" in text) == ("fix_flow" in text):
            yield f"en.json: issues.{issue}: needs a title, and a description or a fix_flow"
    for flow, text in flows.items():
        for step, form in text.get("step", {}).items():
            yield from _form(f"{flow}.step.{step}", form)
            for section, inner in form.get("sections", {}).items():
                if "name" not in inner:
                    yield f"en.json: {flow}.step.{step}.sections.{section}: has no name"
                yield from _form(f"{flow}.step.{step}.sections.{section}", inner)


def _form(where: str, form: Mapping[str, Any]) -> Iterator[str]:
    named, described = form.get("data", {}).keys(), form.get("data_description", {}).keys()
    for field in sorted(named - described):
        yield f"en.json: {where}: {field} has no description"
    for field in sorted(described - named):
        yield f"en.json: {where}: {field} is described and has no name"


def check_exceptions(integration: Integration) -> Iterator[str]:
    """Yield errors that a person would read untranslated, and translations that are not there."""
    known = integration.strings.get("exceptions", {})
    for file, call, name in integration.calls():
        if name not in _RAISED:
            continue
        key = next((word.value for word in call.keywords if word.arg == "translation_key"), None)
        if key is None and not any(word.arg is None for word in call.keywords):
            yield f"{file}:{call.lineno}: {name} without a translation_key"
        elif isinstance(key, ast.Constant) and isinstance(key.value, str) and _is_ours(call) and key.value not in known:
            yield f"{file}:{call.lineno}: exceptions.{key.value} has no text"


def _is_ours(call: ast.Call) -> bool:
    """Say whether a text is looked up among ours: an error may be said as another integration says it."""
    domain = next((word.value for word in call.keywords if word.arg == "translation_domain"), None)
    return not isinstance(domain, ast.Name) or domain.id == "DOMAIN"
