"""From the `structure` of an action, as in `ai_task.generate_data`, to the JSON schema of an answer."""

import json
from typing import Any

import probatio
import voluptuous as vol
from homeassistant.const import CONF_DESCRIPTION, CONF_SELECTOR
from homeassistant.helpers import llm, selector

from ..routing.model import Structure

_REQUIRED = "required"
_NAME = "data"
_FIELD = vol.Schema(
    {
        vol.Optional(CONF_DESCRIPTION): str,
        vol.Optional(_REQUIRED): bool,
        vol.Required(CONF_SELECTOR): selector.validate_selector,
    }
)
# Making the schema of twice as many would hold the event loop up for 20 ms.
_MOST_FIELDS = 500
_FIELDS = vol.All(vol.Schema({str: _FIELD}), vol.Length(min=1, max=_MOST_FIELDS))


def structure(value: Any) -> Structure:
    """Check the fields and return the shape that they make. Raises `vol.Invalid`."""
    fields: dict[str, Any] = _FIELDS(value)
    markers = {
        (probatio.Required if field.get(_REQUIRED) else probatio.Optional)(
            name, description=field.get(CONF_DESCRIPTION)
        ): selector.selector(field[CONF_SELECTOR])
        for name, field in fields.items()
    }
    schema = probatio.Schema(markers, extra=probatio.PREVENT_EXTRA)
    described = probatio.to_openapi(schema, custom_serializer=_described)
    if _has_no_answer(described):
        raise vol.Invalid("a select without options: no answer can be one of them")
    # Words out of YAML know which line they stood in: to JSON writers that are in a hurry they are no strings.
    return Structure(_NAME, json.loads(json.dumps(described)))


def _described(each: Any) -> Any:
    """Describe a selector as Home Assistant does, but a free choice that names no word as any word instead of none."""
    if isinstance(each, selector.SelectSelector) and each.config["custom_value"] and not each.config["options"]:
        word = {"type": "string"}
        return {"type": "array", "items": word} if each.config["multiple"] else word
    return llm.selector_serializer(each)


def _has_no_answer(described: Any) -> bool:
    """Say whether words are chosen out of none anywhere: every answer would be paid for in vain."""
    if isinstance(described, dict):
        return described.get("enum") == [] or any(map(_has_no_answer, described.values()))
    return isinstance(described, list) and any(map(_has_no_answer, described))
