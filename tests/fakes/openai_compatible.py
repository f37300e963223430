"""A server that speaks OpenAI's chat completions, and takes nothing that a strict one would refuse.

`python -m tests.fakes.openai_compatible --port 0 --key K` runs it as a process of its own.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, override

from aiohttp import web

from tests.fakes import embeddings
from tests.fakes.faults import How
from tests.fakes.server import FakeServer, Prepared, Refused, run

CHAT_MODEL = "house-1"
VISION_MODEL = "house-vl"
EMBEDDER = "house-embed"

_FIELDS: dict[str, Any] = {
    "model": str,
    "messages": list,
    "stream": bool,
    "stream_options": dict,
    "temperature": (int, float),
    "top_p": (int, float),
    "stop": (str, list),
    "seed": int,
    "max_tokens": int,
    "max_completion_tokens": int,
    "tools": list,
    "tool_choice": (str, dict),
    "response_format": dict,
}
_PICTURE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,(.+)", re.DOTALL)
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")


def error(
    status: int, message: str, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> Refused:
    return Refused(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})


def _only(holder: Any, where: str, required: set[str], optional: Collection[str] = ()) -> None:
    if not isinstance(holder, dict):
        raise error(400, f"Invalid type for '{where}': expected an object.", where, "invalid_type")
    for name in holder.keys() - required - set(optional):
        raise error(400, f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", "unknown_parameter")
    for name in required - holder.keys():
        raise error(
            400, f"Missing required parameter: '{where}.{name}'.", f"{where}.{name}", "missing_required_parameter"
        )


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise error(400, f"Invalid '{where}'.", where, "invalid_value")


class FakeOpenAI(FakeServer):
    """`refuses` are fields a model does not take; models in `newer` want `max_completion_tokens`.

    `tool_calls` are answered instead of words where tools are offered. `usage` replaces what is counted. `counts`: it
    counts a chat's tokens beforehand, as llama.cpp does.
    """

    default_path = "/v1"
    chat_path = "/v1/chat/completions"
    # What a brand takes beyond the common fields, of a body and of the assistant's messages.
    more_fields: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    assistant_fields: ClassVar[Collection[str]] = ()

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out, chat_path=self.chat_path)
        self.models: list[dict[str, Any]] = [
            {"id": CHAT_MODEL, "object": "model", "created": 1_750_000_000, "owned_by": "house", "max_model_len": 8192},
            {"id": VISION_MODEL, "object": "model", "created": 1_750_000_000, "owned_by": "house"},
        ]
        self.bare_list = False
        self.embedders = {EMBEDDER}
        self.counts = False
        self.refuses: dict[str, set[str]] = {}
        self.newer: set[str] = set()
        # What it gives to a tool that it is made to call.
        self.forced = '{"open": true}'
        self.tool_calls: list[dict[str, Any]] = []
        self.usage: dict[str, Any] | None = None

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/models", self.listing(self._models))
        app.router.add_post("/v1/chat/completions/input_tokens", self.listing(self._count))
        embeddings.add_route(self, app, "/v1/embeddings", self._embed)

    def _embed(self, body: dict[str, Any], counts: bool) -> Any:
        return embeddings.openai_reply(body, counts, self.embedders, error, self.change)

    def _count(self, body: dict[str, Any]) -> Any:
        if not self.counts:
            raise error(404, "File Not Found", kind="not_found_error")
        self.check(body)
        return {"object": "response.input_tokens", "input_tokens": len(json.dumps(body["messages"])) // 4}

    def _models(self, _: Any) -> Any:
        return self.models if self.bare_list else {"object": "list", "data": self.models}

    @override
    def unauthorized(self) -> Refused:
        return error(401, "Incorrect API key provided.", code="invalid_api_key")

    # --- strictness ------------------------------------------------------------------------------

    @override
    def check(self, body: dict[str, Any]) -> None:
        fields = {**_FIELDS, **self.more_fields}
        for name, value in body.items():
            if name not in fields:
                raise error(400, f"Unrecognized request argument supplied: {name}", name, "unknown_parameter")
            if not isinstance(value, fields[name]) or (isinstance(value, bool) and name != "stream"):
                raise error(400, f"Invalid type for '{name}'.", name, "invalid_type")
        model = str(body.get("model"))
        if model not in {entry["id"] for entry in self.models}:
            raise error(404, f"The model `{model}` does not exist", code="model_not_found")
        for name in self.refuses.get(model, set()) & body.keys():
            raise error(
                400, f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter"
            )
        if "max_tokens" in body and model in self.newer:
            said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            raise error(400, said, "max_tokens", "unsupported_parameter")
        if "stream_options" in body and not body.get("stream"):
            raise error(
                400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
            )
        if not 0 <= body.get("temperature", 0) <= 2 or not 0 <= body.get("top_p", 0) <= 1:
            raise error(400, "Invalid value.", "temperature", "invalid_value")
        if isinstance(body.get("stop"), list) and not 1 <= len(body["stop"]) <= 4:
            raise error(400, "Invalid 'stop': array too long.", "stop", "invalid_value")
        self._check_shape(body)
        self._check_messages(body["messages"])

    def _check_choice(self, body: dict[str, Any]) -> None:
        choice = body.get("tool_choice")
        if choice is None:
            return
        if not body.get("tools"):
            raise error(400, "'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
        if isinstance(choice, str):
            if choice not in {"auto", "none", "required"}:
                raise error(400, f"Invalid value: '{choice}'.", "tool_choice", "invalid_value")
            return
        _only(choice, "tool_choice", {"type", "function"})
        _only(choice["function"], "tool_choice.function", {"name"})
        if choice["function"]["name"] not in {tool["function"]["name"] for tool in body["tools"]}:
            raise error(400, "Tool choice 'function' not found in 'tools' parameter.", "tool_choice")

    def _check_shape(self, body: dict[str, Any]) -> None:
        self._check_choice(body)
        for tool in body.get("tools", []):
            _only(tool, "tools[]", {"type", "function"})
            _only(tool["function"], "tools[].function", {"name", "parameters"}, {"description"})
            _check_name(tool["function"]["name"], "tools[].function.name")
            schema = tool["function"]["parameters"]
            if schema.get("type") != "object" or {"anyOf", "oneOf", "allOf", "enum", "not"} & schema.keys():
                raise error(400, "Invalid schema for function.", "tools[].function.parameters")
        shape = body.get("response_format")
        if shape is not None:
            if shape == {"type": "json_object"}:
                return
            _only(shape, "response_format", {"type", "json_schema"})
            _only(shape["json_schema"], "response_format.json_schema", {"name", "schema"})
            _check_name(shape["json_schema"]["name"], "response_format.json_schema.name")

    def _check_messages(self, messages: list[Any]) -> None:
        if not messages:
            raise error(400, "Invalid 'messages': empty array.", "messages", "empty_array")
        open_calls: set[str] = set()
        for number, message in enumerate(messages):
            where = f"messages[{number}]"
            role = message.get("role") if isinstance(message, dict) else None
            if open_calls and role != "tool":
                raise error(400, "An assistant message with 'tool_calls' must be followed by tool messages.", where)
            match role:
                case "system":
                    _only(message, where, {"role", "content"})
                    if number or not isinstance(message["content"], str):
                        raise error(400, "The system message must be the first, and a string.", where)
                case "user":
                    _only(message, where, {"role", "content"})
                    self._check_content(message["content"], where)
                case "assistant":
                    open_calls = self._check_assistant(message, where)
                case "tool":
                    _only(message, where, {"role", "content", "tool_call_id"})
                    if message["tool_call_id"] not in open_calls or not isinstance(message["content"], str):
                        raise error(400, "No tool call is open for this tool message.", where)
                    open_calls.discard(message["tool_call_id"])
                case _:
                    raise error(400, f"Invalid value: '{role}'.", f"{where}.role", "invalid_value")
        if open_calls:
            raise error(400, "Tool calls without an answer.", "messages")

    def _check_assistant(self, message: dict[str, Any], where: str) -> set[str]:
        _only(message, where, {"role", "content"}, {"tool_calls", *self.assistant_fields})
        calls = message.get("tool_calls")
        if not message["content"] and not calls:
            raise error(400, "An assistant message needs content or tool calls.", where)
        for call in calls or []:
            _only(call, f"{where}.tool_calls[]", {"id", "type", "function"})
            _only(call["function"], f"{where}.tool_calls[].function", {"name", "arguments"})
            _check_name(call["function"]["name"], f"{where}.tool_calls[].function.name")
            if not isinstance(call["function"]["arguments"], str):
                raise error(400, "Invalid type for arguments: expected a string.", where, "invalid_type")
            json.loads(call["function"]["arguments"])
        return {call["id"] for call in calls or []}

    def _check_content(self, content: Any, where: str) -> None:
        if isinstance(content, str):
            return
        for part in content:
            if part.get("type") == "text":
                _only(part, f"{where}.content[]", {"type", "text"})
            elif part.get("type") == "image_url":
                _only(part, f"{where}.content[]", {"type", "image_url"})
                _only(part["image_url"], f"{where}.content[].image_url", {"url"}, {"detail"})
                self.pictures.append(decoded(part["image_url"]["url"], where))
            else:
                raise error(400, f"Invalid value: '{part.get('type')}'.", f"{where}.content[].type", "invalid_value")

    # --- answers ---------------------------------------------------------------------------------

    def usage_of(self, tokens: tuple[int, int]) -> dict[str, Any]:
        """Say what was counted."""
        return {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}

    def tells_usage(self, body: dict[str, Any]) -> bool:
        """Say whether a stream ends with what was counted."""
        return bool(body.get("stream_options", {}).get("include_usage"))

    def deltas(self, body: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG002 - brands that think look at it
        """Give what comes before the words."""
        return []

    @override
    def prepare(self, body: dict[str, Any], how: str | None) -> Prepared:
        calls = self.tool_calls if body.get("tools") else []
        choice = body.get("tool_choice")
        forced = isinstance(choice, dict)
        if isinstance(choice, dict):
            calls = [{"id": "call_1", "type": "function", "function": {**choice["function"], "arguments": self.forced}}]
        words = [] if calls or how == How.EMPTY_LENGTH else re.findall(r"\S+\s*", self.text)
        finish = "length" if how == How.EMPTY_LENGTH else "tool_calls" if calls and not forced else "stop"
        tokens = (max(1, len(json.dumps(body["messages"])) // 4), max(1, len(words)))
        usage = self.usage or self.usage_of(tokens)
        head = {"id": "chatcmpl-1", "created": 1_750_000_000, "model": body["model"]}
        wanted = self.tells_usage(body) and how != How.NO_USAGE

        def chunk(**fields: Any) -> bytes:
            whole = {**head, "object": "chat.completion.chunk", **({"usage": None} if wanted else {}), **fields}
            return b"data: " + json.dumps(whole, ensure_ascii=False).encode() + b"\n\n"

        def choice(delta: dict[str, Any], reason: str | None = None) -> bytes:
            return chunk(choices=[{"index": 0, "delta": delta, "finish_reason": reason}])

        deltas = self.deltas(body)
        pieces = [choice({"role": "assistant", "content": ""}), *map(choice, deltas)]
        pieces += [choice({"content": word}) for word in words]
        pieces += [choice({"tool_calls": [{"index": index, **call}]}) for index, call in enumerate(calls)]
        pieces += [] if how == How.NO_FINISH else [choice({}, finish)]
        pieces += [chunk(choices=[], usage=usage)] if wanted else []
        pieces += [] if how == How.NO_DONE else [b"data: [DONE]\n\n"]
        message = {"role": "assistant", "content": "".join(words) or None, **({"tool_calls": calls} if calls else {})}
        whole: dict[str, Any] = {
            **head,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": None if how == How.NO_FINISH else finish}],
        }
        if how != How.NO_USAGE:
            whole["usage"] = usage
        crash = b'data: {"error":{"message":"the model crashed","type":"server_error","code":500}}\n\n'
        return Prepared(
            pieces,
            json.dumps(whole, ensure_ascii=False).encode(),
            stream=body.get("stream", False),
            stream_type="text/event-stream",
            error=crash,
            tokens=tokens,
        )


def decoded(url: Any, where: str) -> bytes:
    found = _PICTURE.fullmatch(url) if isinstance(url, str) else None
    try:
        data = base64.b64decode(found[2], validate=True) if found else b""
    except binascii.Error:
        data = b""
    if not data.startswith(_MAGIC):
        raise error(400, "Invalid image.", f"{where}.content[].image_url", "invalid_image_format")
    return data


if __name__ == "__main__":
    run(lambda args: FakeOpenAI(key=args.key, price_in=args.price_in, price_out=args.price_out))
