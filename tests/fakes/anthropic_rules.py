"""What Anthropic's models take, and what its server refuses."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.server import Refused

ALL_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_FIELDS: dict[str, Any] = {
    "model": str,
    "messages": list,
    "max_tokens": int,
    "stream": bool,
    "system": (str, list),
    "temperature": (int, float),
    "top_p": (int, float),
    "stop_sequences": list,
    "tools": list,
    "tool_choice": dict,
    "thinking": dict,
    "output_config": dict,
    "cache_control": dict,
}
THINKING_FIELDS = {
    "adaptive": {"type", "display"},
    "enabled": {"type", "display", "budget_tokens"},
    "disabled": {"type"},
    "between_tools": {"type"},
}
_NARROW = {"additionalProperties", "anyOf", "const", "description", "enum", "format", "items"}
_NARROW |= {"properties", "required", "type"}
_MAGIC = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF", "image/gif": b"GIF8"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Traits:
    """What one model takes."""

    thinking: frozenset[str] = frozenset({"adaptive", "disabled"})
    thinks: bool = True
    efforts: frozenset[str] = ALL_EFFORTS
    sampling: bool = False
    forced: bool = True
    bound: bool = True
    context: int = 1_000_000
    max_tokens: int = 128_000


def error(status: int, message: str, kind: str = "invalid_request_error", **details: Any) -> Refused:
    told = {"type": kind, "message": message, **({"details": details} if details else {})}
    return Refused(status, {"type": "error", "error": told, "request_id": "req_1"})


def _only(holder: Any, where: str, required: set[str], optional: set[str] = frozenset()) -> None:  # type: ignore[assignment] # an empty frozenset is never changed
    if not isinstance(holder, dict):
        raise error(400, f"{where}: Input should be a valid dictionary")
    for name in holder.keys() - required - optional:
        raise error(400, f"{where}.{name}: Extra inputs are not permitted")
    for name in required - holder.keys():
        raise error(400, f"{where}.{name}: Field required")


def check(body: dict[str, Any], models: Mapping[str, Traits], refuses: Mapping[str, set[str]]) -> list[bytes]:
    """Refuse what the real server would refuse; return the pictures of a body. Raises `Refused`."""
    for name, value in body.items():
        if name not in _FIELDS:
            raise error(400, f"{name}: Extra inputs are not permitted")
        if not isinstance(value, _FIELDS[name]) or (isinstance(value, bool) and name != "stream"):
            raise error(400, f"{name}: Input has another type")
    for name in ("model", "messages", "max_tokens"):
        if name not in body:
            raise error(400, f"{name}: Field required")
    traits = models.get(body["model"])
    if traits is None:
        raise error(404, f"model: {body['model']}", "not_found_error")
    for name in refuses.get(body["model"], set()):
        if name in body or name in body.get("output_config", {}):
            raise error(400, f"{name}: is not taken by this model")
    if not 1 <= body["max_tokens"] <= traits.max_tokens:
        raise error(400, f"max_tokens: {body['max_tokens']} > {traits.max_tokens}")
    _check_thinking(body, traits)
    _check_tools(body, traits)
    if "format" in body.get("output_config", {}):
        _only(body["output_config"]["format"], "output_config.format", {"type", "schema"})
        _check_narrow(body["output_config"]["format"]["schema"])
    if json.dumps(body).count('"cache_control"') > 4:
        raise error(400, "A maximum of 4 blocks with cache_control may be provided.")
    if isinstance(body.get("system"), list):
        for number, block in enumerate(body["system"]):
            _check_text(block, f"system.{number}")
    pictures: list[bytes] = []
    _check_messages(body, traits, pictures)
    return pictures


def _check_thinking(body: dict[str, Any], traits: Traits) -> None:
    thinking, output = body.get("thinking", {}), body.get("output_config", {})
    kind = thinking.get("type")
    if "thinking" in body:
        _only(thinking, "thinking", {"type"}, THINKING_FIELDS.get(kind, set()))
        if kind not in traits.thinking:
            raise error(400, f'"thinking.type.{kind}" is not supported for this model.')
    if kind == "enabled" and not 1_024 <= thinking["budget_tokens"] < body["max_tokens"]:
        raise error(400, "thinking.enabled.budget_tokens: Input should be >= 1024 and less than max_tokens")
    _only(output, "output_config", set(), {"effort", "format"})
    if "effort" in output and output["effort"] not in traits.efforts:
        raise error(400, "output_config.effort: this model does not support this effort.")
    if traits.sampling and {"temperature", "top_p"} <= body.keys():
        raise error(400, "`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    for name in ("temperature", "top_p"):
        if name in body and not traits.sampling:
            raise error(400, f"{name}: is not supported by this model")
        if name in body and kind == "enabled":
            raise error(400, f"`{name}` may not be set when thinking is enabled")


def _check_tools(body: dict[str, Any], traits: Traits) -> None:
    for number, tool in enumerate(body.get("tools", [])):
        where = f"tools.{number}"
        _only(tool, where, {"name", "input_schema"}, {"description", "cache_control"})
        if not _NAME.fullmatch(tool["name"]):
            raise error(400, f"{where}.name: String should match pattern")
        if tool["input_schema"].get("type") != "object" or {"anyOf", "oneOf", "allOf"} & tool["input_schema"].keys():
            raise error(400, f"{where}.input_schema.type: Input should be 'object'")
    choice = body.get("tool_choice")
    if choice is None:
        return
    _only(choice, "tool_choice", {"type", "name"}, {"disable_parallel_tool_use"})
    if choice["name"] not in {tool["name"] for tool in body.get("tools", [])}:
        raise error(400, "tool_choice: tool not found")
    if not traits.forced:
        raise error(400, "tool_choice: this model cannot be made to call a tool")
    if body.get("thinking", {}).get("type") == "enabled":
        raise error(400, "Thinking may not be enabled when tool_choice forces tool use.")


def _check_messages(body: dict[str, Any], traits: Traits, pictures: list[bytes]) -> None:
    messages = body["messages"]
    if not messages:
        raise error(400, "messages: at least one message is required")
    calls: set[str] = set()
    all_calls: list[str] = []
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        _only(message, where, {"role", "content"})
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        if not isinstance(blocks, list) or not blocks:
            raise error(400, f"{where}: all messages must have non-empty content")
        answered = [block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"]
        if calls and (message["role"] != "user" or set(answered[: len(calls)]) != calls):
            raise error(400, f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after")
        if not calls.issuperset(answered):
            raise error(400, f"{where}: unexpected `tool_use_id` found in `tool_result` blocks")
        if any(block.get("type") != "tool_result" for block in blocks[: len(answered)]):
            raise error(400, f"{where}: `tool_result` blocks must come first")
        match message["role"]:
            case "user":
                for place, block in enumerate(blocks):
                    _check_user_block(block, f"{where}.content.{place}", pictures)
                calls = set()
            case "assistant":
                for place, block in enumerate(blocks):
                    _check_own_block(block, f"{where}.content.{place}", body, number, traits)
                calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
                all_calls += [block["id"] for block in blocks if block["type"] == "tool_use"]
                if len(set(all_calls)) < len(all_calls):
                    raise error(400, f"{where}: `tool_use` ids must be unique")
            case _:
                raise error(400, f"{where}.role: Input should be 'user' or 'assistant'")
    _check_end(messages, body.get("thinking", {}))


def _check_end(messages: list[Any], thinking: dict[str, Any]) -> None:
    """Refuse a beginning of the answer, and a loop over tools that models with a budget did not begin with a thought."""
    if messages[-1]["role"] == "assistant":
        raise error(400, "This model does not support assistant message prefill.")
    if thinking.get("type") != "enabled":
        return
    number = max((number for number, each in enumerate(messages) if each["role"] == "assistant"), default=-1)
    if number < 0 or isinstance(messages[number]["content"], str):
        return
    first = messages[number]["content"][0]["type"]
    if any(block["type"] == "tool_use" for block in messages[number]["content"]) and "thinking" not in first:
        raise error(
            400,
            f"messages.{number}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When "
            "`thinking` is enabled, a final `assistant` message must start with a thinking block (preceding the "
            "lastmost set of `tool_use` and `tool_result` blocks).",
        )


def _check_user_block(block: Any, where: str, pictures: list[bytes]) -> None:
    match block.get("type"):
        case "text":
            _check_text(block, where)
        case "image":
            _only(block, where, {"type", "source"})
            _only(block["source"], f"{where}.source", {"type", "media_type", "data"})
            pictures.append(_decoded(block["source"], where))
        case "tool_result":
            _only(block, where, {"type", "tool_use_id", "content"})
            for place, inner in enumerate(block["content"]):
                _check_user_block(inner, f"{where}.content.{place}", pictures)
        case kind:
            raise error(400, f"{where}.type: unexpected {kind}")


def _check_own_block(block: Any, where: str, body: dict[str, Any], number: int, traits: Traits) -> None:
    match block.get("type"):
        case "text":
            _check_text(block, where)
        case "tool_use":
            _only(block, where, {"type", "id", "name", "input"})
            if not isinstance(block["input"], dict) or not (
                _NAME.fullmatch(block["id"]) and _NAME.fullmatch(block["name"])
            ):
                raise error(400, f"{where}: Input should be a valid tool call")
        case "thinking":
            _only(block, where, {"type", "thinking", "signature"})
            if block["signature"] != signature(body, number if traits.bound else 0):
                raise error(400, f"{where}.thinking: Invalid `signature` in `thinking` block")
        case kind:
            raise error(400, f"{where}.type: unexpected {kind}")


def signature(body: dict[str, Any], before: int) -> str:
    """Bind a thought to its model and to everything before the message with this number."""
    prefix = {name: body.get(name) for name in ("model", "system", "tools")}
    seen = json.dumps([prefix, body["messages"][:before]] if before else prefix["model"], sort_keys=True)
    return hashlib.sha256(seen.encode()).hexdigest()


def _check_text(block: Any, where: str) -> None:
    _only(block, where, {"type", "text"}, {"cache_control"})
    if not isinstance(block["text"], str) or not block["text"].strip():
        raise error(400, f"{where}: text content blocks must contain non-whitespace text")


def _check_narrow(schema: Any) -> None:
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise error(400, "output_config.format.schema: For 'object' type, 'additionalProperties' must be set to false")
    for name in schema.keys() - _NARROW:
        raise error(400, f"output_config.format.schema: property '{name}' is not supported")
    for inner in [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]:
        _check_narrow(inner)
    if "items" in schema:
        _check_narrow(schema["items"])


def _decoded(source: Any, where: str) -> bytes:
    try:
        data = base64.b64decode(source["data"], validate=True)
    except binascii.Error:
        data = b""
    if source["media_type"] not in _MAGIC or not data.startswith(_MAGIC[source["media_type"]]):
        raise error(400, f"{where}.source.base64.data: Could not process image")
    return data
