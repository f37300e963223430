"""What OpenAI's models take, and what its Responses API refuses."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.server import Refused

_FIELDS: dict[str, Any] = {
    "model": str,
    "input": list,
    "instructions": str,
    "max_output_tokens": int,
    "store": bool,
    "stream": bool,
    "tools": list,
    "text": dict,
    "reasoning": dict,
    "include": list,
    "temperature": (int, float),
    "top_p": (int, float),
    "prompt_cache_options": dict,
}
_STRICT = frozenset(
    {"additionalProperties", "anyOf", "const", "description", "enum", "format", "items", "maximum", "maxItems"}
    | {"minimum", "minItems", "multipleOf", "pattern", "properties", "required", "type"}
)
_PICTURE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,(.+)", re.DOTALL)
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Traits:
    """What one model takes. `rests`: it reasons only when it is asked to."""

    efforts: frozenset[str] = frozenset({"none", "low", "medium", "high", "xhigh", "max"})
    rests: bool = False
    cache_options: bool = True
    shutdown: str | None = None


def error(
    status: int, message: str, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> Refused:
    return Refused(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})


def reasons(body: dict[str, Any], traits: Traits) -> bool:
    """Say whether a body makes its model reason."""
    asked = body.get("reasoning", {}).get("effort")
    return asked != "none" if asked else bool(traits.efforts) and not traits.rests


def encrypted(model: str) -> str:
    """Write the reasoning that a model takes back: only its own."""
    return base64.b64encode(hashlib.sha256(model.encode()).digest()).decode()


def _only(holder: Any, where: str, required: set[str], optional: Collection[str] = ()) -> None:
    if not isinstance(holder, dict):
        raise error(400, f"Invalid type for '{where}': expected an object.", where, "invalid_type")
    for name in holder.keys() - required - set(optional):
        raise error(400, f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", "unknown_parameter")
    for name in required - holder.keys():
        param = f"{where}.{name}"
        raise error(400, f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def check(body: dict[str, Any], models: Mapping[str, Traits], refuses: Mapping[str, set[str]]) -> list[bytes]:
    """Refuse what the real server would refuse; return the pictures of a body. Raises `Refused`."""
    for name, value in body.items():
        if name not in _FIELDS:
            raise error(400, f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        if not isinstance(value, _FIELDS[name]) or (isinstance(value, bool) and name not in {"stream", "store"}):
            raise error(400, f"Invalid type for '{name}'.", name, "invalid_type")
    traits = models.get(str(body.get("model")))
    if traits is None:
        raise error(404, f"The model '{body.get('model')}' does not exist.", None, "model_not_found")
    for param in refuses.get(body["model"], set()):
        if _sent(body, param):
            raise error(400, f"Unsupported parameter: '{param}'.", param, "unsupported_parameter")
    if body.get("max_output_tokens", 16) < 16:
        raise error(400, "Expected a value >= 16.", "max_output_tokens", "integer_below_min_value")
    _check_reasoning(body, traits)
    _check_shape(body)
    for number, tool in enumerate(body.get("tools", [])):
        where = f"tools[{number}]"
        _only(tool, where, {"type", "name", "parameters", "strict"}, {"description"})
        if not _NAME.fullmatch(tool["name"]):
            raise error(400, f"Invalid '{where}.name'.", f"{where}.name", "invalid_value")
        if {"anyOf", "oneOf", "allOf", "enum", "not"} & tool["parameters"].keys():
            said = "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level."
            raise error(400, said, f"{where}.parameters", "invalid_function_parameters")
        if tool["parameters"].get("type") != "object" or "properties" not in tool["parameters"]:
            raise error(400, "Invalid schema for function.", f"{where}.parameters", "invalid_function_parameters")
    return _check_input(body)


def _sent(body: dict[str, Any], param: str) -> bool:
    holder: Any = body
    for step in param.split("."):
        if not isinstance(holder, dict) or step not in holder:
            return False
        holder = holder[step]
    return True


def _check_reasoning(body: dict[str, Any], traits: Traits) -> None:
    reasoning = body.get("reasoning", {})
    _only(reasoning, "reasoning", set(), {"effort", "summary"})
    if reasoning and not traits.efforts:
        raise error(400, "Unsupported parameter: 'reasoning.effort'.", "reasoning.effort", "unsupported_parameter")
    if "effort" in reasoning and reasoning["effort"] not in traits.efforts:
        raise error(400, "Unsupported value for 'reasoning.effort'.", "reasoning.effort", "unsupported_value")
    if body.get("include", []) not in ([], ["reasoning.encrypted_content"]):
        raise error(400, "Invalid value for 'include'.", "include", "invalid_value")
    if body.get("include") and not traits.efforts:
        raise error(400, "Encrypted content is not supported with this model.", "include")
    for name in ("temperature", "top_p"):
        if name in body and reasons(body, traits):
            raise error(400, f"Unsupported parameter: '{name}'.", name, "unsupported_parameter")
    if "prompt_cache_options" in body:
        _only(body["prompt_cache_options"], "prompt_cache_options", {"mode"})
        if not traits.cache_options:
            raise error(400, "Not for this model.", "prompt_cache_options", "unsupported_parameter")


def _check_shape(body: dict[str, Any]) -> None:
    if "text" not in body:
        return
    _only(body["text"], "text", {"format"})
    shape = body["text"]["format"]
    if shape.get("type") == "json_object":
        _only(shape, "text.format", {"type"})
        if "json" not in json.dumps(body["input"]).lower():
            raise error(400, "Response input messages must contain the word 'json' in some form.", "input")
        return
    _only(shape, "text.format", {"type", "name", "schema", "strict"})
    if not _NAME.fullmatch(shape["name"]):
        raise error(400, "Invalid 'text.format.name'.", "text.format.name", "invalid_value")
    if shape["strict"]:
        _check_strict(shape["schema"])


def _check_strict(schema: Any) -> None:
    properties = schema.get("properties", {})
    types = schema.get("type")
    closed = schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(properties)
    if "object" in (types if isinstance(types, list) else [types]) and not closed:
        raise error(400, "Invalid schema for response_format.", "text.format.schema", "invalid_json_schema")
    for name in schema.keys() - _STRICT:
        raise error(400, f"'{name}' is not permitted.", "text.format.schema", "invalid_json_schema")
    for inner in [*properties.values(), *schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        _check_strict(inner)


def _check_input(body: dict[str, Any]) -> list[bytes]:
    pictures: list[bytes] = []
    calls: list[str] = []
    if not body["input"]:
        raise error(400, "Invalid 'input': empty array.", "input", "empty_array")
    for number, item in enumerate(body["input"]):
        where = f"input[{number}]"
        kind = item.get("type", "message")
        if calls and kind == "message" and item.get("role") == "user":
            raise error(400, f"No tool output found for function call {calls[0]}.", "input")
        match kind:
            case "message":
                pictures += _check_message(item, where)
            case "function_call":
                _check_call(item, where)
                calls.append(item["call_id"])
            case "function_call_output":
                _only(item, where, {"type", "call_id", "output"})
                if item["call_id"] not in calls:
                    raise error(400, "No tool call found for function call output.", f"{where}.call_id")
                calls.remove(item["call_id"])
                if not isinstance(item["output"], str):
                    pictures += _check_parts(item["output"], f"{where}.output")
            case "reasoning":
                _only(item, where, {"type", "id", "summary"}, {"encrypted_content", "status"})
                if item.get("encrypted_content") != encrypted(body["model"]):
                    param = f"{where}.encrypted_content"
                    raise error(400, "The encrypted content could not be verified.", param, "invalid_encrypted_content")
            case _:
                raise error(400, f"Invalid value: '{kind}'.", f"{where}.type", "invalid_value")
    if calls:
        raise error(400, f"No tool output found for function call {calls[0]}.", "input")
    return pictures


def _check_call(item: Any, where: str) -> None:
    _only(item, where, {"type", "call_id", "name", "arguments"}, {"id", "status"})
    if len(item["call_id"]) > 64:
        said = "Invalid call_id: string too long. Expected a string with maximum length 64."
        raise error(400, said, f"{where}.call_id", "string_above_max_length")
    if not _NAME.fullmatch(item["name"]):
        raise error(400, f"Invalid '{where}.name'.", f"{where}.name", "invalid_value")
    if not isinstance(json.loads(item["arguments"]), dict):
        raise error(400, "Invalid arguments.", f"{where}.arguments", "invalid_type")


def _check_message(item: Any, where: str) -> list[bytes]:
    if item.get("role") not in {"user", "assistant", "system", "developer"}:
        raise error(400, f"Invalid value: '{item.get('role')}'.", f"{where}.role", "invalid_value")
    if "id" in item:
        _only(item, where, {"type", "id", "role", "status", "content"}, {"phase"})
        return []
    _only(item, where, {"role", "content"}, {"type"})
    if isinstance(item["content"], str):
        return []
    if item["role"] != "user":
        raise error(400, "Invalid value: 'input_text'.", f"{where}.content", "invalid_value")
    return _check_parts(item["content"], f"{where}.content")


def _check_parts(parts: list[Any], where: str) -> list[bytes]:
    pictures = []
    for place, part in enumerate(parts):
        here = f"{where}[{place}]"
        match part.get("type"):
            case "input_text":
                _only(part, here, {"type", "text"})
            case "input_image":
                _only(part, here, {"type", "image_url", "detail"})
                pictures.append(_decoded(part["image_url"], here))
            case kind:
                raise error(400, f"Invalid value: '{kind}'.", f"{here}.type", "invalid_value")
    return pictures


def _decoded(url: Any, where: str) -> bytes:
    found = _PICTURE.fullmatch(url) if isinstance(url, str) else None
    try:
        data = base64.b64decode(found[2], validate=True) if found else b""
    except binascii.Error:
        data = b""
    if not data.startswith(_MAGIC):
        raise error(400, "The image data you provided does not represent a valid image.", where, "invalid_image")
    return data
