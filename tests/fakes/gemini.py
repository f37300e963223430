"""A server that speaks Gemini's protocol, and takes nothing that a strict one would refuse.

`python -m tests.fakes.gemini --port 0 --key K` runs it as a process of its own.
"""

import base64
import binascii
import json
import re
from functools import partial
from typing import Any, override

from aiohttp import web

from tests.fakes import embeddings
from tests.fakes.faults import How
from tests.fakes.server import FakeServer, Prepared, Refused, run

CHAT_MODEL = "gemini-3.8-flash"
OLD_MODEL = "gemini-2.5-flash"
GEMMA = "gemma-4-31b-it"
EMBEDDER = "gemini-embedding-001"
SKIP = base64.b64encode(b"skip_thought_signature_validator").decode()

_CHAT = re.compile(r"/v1beta/models/(.+):(generateContent|streamGenerateContent)")
_FIELDS = {
    "contents": list,
    "generationConfig": dict,
    "systemInstruction": dict,
    "tools": list,
    "store": bool,
    # From the path.
    "model": str,
    "stream": bool,
}
_CONFIG = {
    "maxOutputTokens": int,
    "temperature": (int, float),
    "topP": (int, float),
    "seed": int,
    "stopSequences": list,
    "thinkingConfig": dict,
    "responseMimeType": str,
    "responseJsonSchema": dict,
}
_THINKING = {"thinkingLevel": str, "thinkingBudget": int, "includeThoughts": bool}
_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("$id", "$ref", "$anchor", "format", "title", "description"), str),
    **dict.fromkeys(("enum", "prefixItems", "anyOf", "oneOf", "required", "propertyOrdering"), list),
    **dict.fromkeys(("items", "properties", "$defs"), dict),
    **dict.fromkeys(("minItems", "maxItems"), int),
    **dict.fromkeys(("minimum", "maximum"), (int, float)),
    "type": (str, list),
    "additionalProperties": (bool, dict),
}
_FORMATS = {"string": {"date-time", "date", "time"}, "number": {"float", "double"}, "integer": {"int32", "int64"}}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_KINDS = ("text", "inlineData", "functionCall", "functionResponse")
_MAGIC = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}


def _error(status: int, message: str, name: str = "INVALID_ARGUMENT", *details: dict[str, Any]) -> Refused:
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if details:
        error["details"] = [
            {"@type": f"type.googleapis.com/google.rpc.{kind}", **detail}
            for one in details
            for kind, detail in one.items()
        ]
    return Refused(status, {"error": error})


def _typed(holder: Any, types: dict[str, Any], where: str) -> None:
    if not isinstance(holder, dict):
        raise _error(400, f"Invalid value at '{where}'")
    for name, value in holder.items():
        violation = {"BadRequest": {"fieldViolations": [{"field": f"{where}.{name}".lstrip("."), "description": "?"}]}}
        if name not in types:
            said = f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field."
            raise _error(400, said, "INVALID_ARGUMENT", violation)
        booleans = types[name] is bool
        if not isinstance(value, types[name]) or (isinstance(value, bool) and not booleans):
            raise _error(400, f"Invalid value at '{where}.{name}'", "INVALID_ARGUMENT", violation)


def _check_schema(schema: Any, where: str) -> None:
    """Refuse what is no part of the JSON Schema that is taken."""
    for name, value in schema.items() if isinstance(schema, dict) else [("schema", schema)]:
        if name not in _SCHEMA or not isinstance(value, _SCHEMA[name]):
            raise _error(400, f"Invalid value at '{where}': {name} is not supported in a schema.")
    if "$ref" in schema and any(not name.startswith("$") for name in schema):
        raise _error(400, f"Invalid value at '{where}': nothing may stand beside a $ref.")
    if any(isinstance(word, bool) or not isinstance(word, str | int | float) for word in schema.get("enum", [])):
        raise _error(400, f"Invalid value at '{where}.enum': only strings and numbers.")
    types = schema.get("type", [])
    known = set().union(*(_FORMATS.get(kind, set()) for kind in ([types] if isinstance(types, str) else types)))
    if "format" in schema and schema["format"] not in known:
        raise _error(400, f"Invalid value at '{where}.format': only 'enum' and 'date-time' are supported.")
    inner = [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]
    inner += [each for name in ("anyOf", "oneOf", "prefixItems") for each in schema.get(name, [])]
    inner += [each for name in ("properties", "$defs") for each in schema.get(name, {}).values()]
    for each in inner:
        _check_schema(each, where)


class FakeGemini(FakeServer):
    """`models` by name: their entry in the list. `can`: what differs from model to model.

    `refuses`: what a model answers when a field of the configuration is sent. `tool_calls` are answered instead of
    words where tools are offered; the first is signed, and its signature is checked when it comes back.
    """

    key_header, key_prefix = "x-goog-api-key", ""

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out, chat_path="/v1beta/models/{call}")
        chats = ["generateContent", "countTokens"]
        self.models: dict[str, dict[str, Any]] = {
            CHAT_MODEL: {"supportedGenerationMethods": chats, "thinking": True},
            OLD_MODEL: {"supportedGenerationMethods": chats, "thinking": True},
            "gemini-3.5-flash": {"supportedGenerationMethods": chats, "thinking": True},
            "gemini-3.1-pro-preview": {"supportedGenerationMethods": chats, "thinking": True},
            "gemini-3.1-flash-lite": {"supportedGenerationMethods": chats, "thinking": True},
            GEMMA: {"supportedGenerationMethods": chats, "thinking": True, "inputTokenLimit": 262_144},
            "gemini-3.1-flash-image": {"supportedGenerationMethods": chats},
            "gemini-2.5-flash-preview-tts": {"supportedGenerationMethods": chats},
            EMBEDDER: {"supportedGenerationMethods": ["embedContent"], "inputTokenLimit": 2_048, "outputTokenLimit": 1},
            "veo-4": {"supportedGenerationMethods": ["predictLongRunning"]},
        }
        self.can = {
            CHAT_MODEL: {"levels", "signed", "both"},
            OLD_MODEL: {"budgets", "sampling"},
            "gemini-3.5-flash": {"levels", "minimal", "signed", "both"},
            "gemini-3.1-pro-preview": {"levels", "signed", "both", "sampling"},
            "gemini-3.1-flash-lite": {"levels", "minimal", "signed", "both", "sampling"},
            GEMMA: {"sampling"},
        }
        self.refuses: dict[str, dict[str, str]] = {}
        self.thinking = ""
        self.tool_calls: list[dict[str, Any]] = []
        self.usage: dict[str, Any] | None = None
        self.page = 3
        self.issued: dict[str, str] = {}  # signatures, and the call each belongs to

    @property
    @override
    def bodies(self) -> list[Any]:
        """The bodies of the chats that were asked for."""
        return [seen.body for seen in self.requests if _CHAT.fullmatch(seen.path)]

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/v1beta/models", self.listing(self._models))
        for name in self.models:
            app.router.add_get(f"/v1beta/models/{name}", self.listing(partial(self._model, name)))

    @override
    async def _chat(self, request: web.Request) -> web.StreamResponse:
        method = request.path.rpartition(":")[2]
        if method == "batchEmbedContents":
            return await embeddings.handler(self, self._embed)(request)
        if method == "countTokens":
            return await self.listing(self._count)(request)
        return await super()._chat(request)

    def _embed(self, body: dict[str, Any], counts: bool) -> Any:
        _typed(body, {"requests": list}, "")
        texts = []
        for each in body["requests"]:
            _typed(each, {"model": str, "content": dict}, "requests")
            _typed(each["content"], {"parts": list}, "requests.content")
            if each["model"] != f"models/{EMBEDDER}":
                raise _error(404, f"{each['model']} is not found, or is not supported for embedContent.", "NOT_FOUND")
            (part,) = each["content"]["parts"]
            _typed(part, {"text": str}, "requests.content.parts")
            texts.append(part["text"])
        if not 1 <= len(texts) <= 100:
            raise _error(400, "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch")
        given = self.change([embeddings.vector(text) for text in texts])
        usage = {"usageMetadata": {"promptTokenCount": embeddings.tokens(texts)}} if counts else {}
        return {"embeddings": [{"values": values} for values in given], **usage}

    def _count(self, body: dict[str, Any]) -> Any:
        _typed(body, {"generateContentRequest": dict}, "")
        asked = body["generateContentRequest"]
        types = {name: _FIELDS[name] for name in ("model", "contents", "systemInstruction", "tools")}
        _typed(asked, types, "generate_content_request")
        name = asked["model"].removeprefix("models/")
        if "countTokens" not in self.models.get(name, {}).get("supportedGenerationMethods", []):
            raise _error(404, f"{asked['model']} is not found, or is not supported for countTokens.", "NOT_FOUND")
        self._check_contents(asked["contents"], self.can[name])
        return {"totalTokens": len(json.dumps(asked["contents"])) // 4}

    def _models(self, query: dict[str, str]) -> Any:
        if query.keys() - {"pageSize", "pageToken"}:
            raise _error(400, "Invalid JSON payload received. Unknown name.")
        start = int(query.get("pageToken", "0"))
        end = start + min(int(query.get("pageSize", 50)), self.page)
        names = list(self.models)
        given = [self._model(name, query) for name in names[start:end]]
        return {"models": given, **({"nextPageToken": str(end)} if end < len(names) else {})}

    def _model(self, name: str, _: Any) -> Any:
        return {"name": f"models/{name}", "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536, **self.models[name]}

    @override
    async def note(self, request: web.Request) -> Any:
        body = await super().note(request)
        if request.method == "GET":
            return dict(request.query)
        found = _CHAT.fullmatch(request.path)
        if found is None or not isinstance(body, dict):
            return body
        return {**body, "model": found[1], "stream": found[2] == "streamGenerateContent"}

    @override
    def unauthorized(self) -> Refused:
        reason = {"ErrorInfo": {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}}
        return _error(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", reason)

    @override
    def authorize(self, request: web.Request) -> None:
        if "key" in request.query or "Authorization" in request.headers:
            raise _error(401, "The key has no place there.", "UNAUTHENTICATED")
        if self.key is not None and self.key_header not in request.headers:
            raise _error(403, "Method doesn't allow unregistered callers.", "PERMISSION_DENIED")
        super().authorize(request)
        if request.path.endswith(":streamGenerateContent") and request.query_string != "alt=sse":
            raise _error(400, "This stream is asked for as server-sent events.")

    # --- strictness ------------------------------------------------------------------------------

    @override
    def check(self, body: dict[str, Any]) -> None:
        model = body["model"]
        if "generateContent" not in self.models.get(model, {}).get("supportedGenerationMethods", []):
            said = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
            raise _error(404, said, "NOT_FOUND")
        _typed(body, _FIELDS, "")
        if body.get("store") is not False:
            raise _error(400, "This project would keep the conversation.")
        for tool in body.get("tools", []):
            _typed(tool, {"functionDeclarations": list}, "tools")
            for declared in tool["functionDeclarations"]:
                _typed(
                    declared, {"name": str, "description": str, "parametersJsonSchema": dict}, "function_declarations"
                )
                if not _NAME.fullmatch(declared["name"]):
                    raise _error(400, f"Invalid function name {declared['name']}.")
                if "parametersJsonSchema" in declared:
                    if declared["parametersJsonSchema"].get("type") != "object":
                        raise _error(400, "parameters schema should be of type OBJECT.")
                    if not declared["parametersJsonSchema"].get("properties"):
                        raise _error(400, "parameters.properties: should be non-empty for OBJECT type")
                    _check_schema(declared["parametersJsonSchema"], "parameters_json_schema")
        self._check_config(body, self.can[model])
        if "systemInstruction" in body:
            _typed(body["systemInstruction"], {"parts": list}, "system_instruction")
        self._check_contents(body["contents"], self.can[model])

    def _check_config(self, body: dict[str, Any], can: set[str]) -> None:
        config = body["generationConfig"]
        _typed(config, _CONFIG, "generation_config")
        for name, said in self.refuses.get(body["model"], {}).items():
            if name in config:
                raise _error(400, said)
        if not can & {"sampling"} and config.keys() & {"temperature", "topP"}:
            raise _error(400, "Sampling is fixed for this model.")
        if len(config.get("stopSequences", [])) > 5 or config["maxOutputTokens"] < 1:
            raise _error(400, "Invalid generation config.")
        if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
            raise _error(400, "A response schema needs a response mime type of application/json.")
        if "responseMimeType" in config and body.get("tools") and "both" not in can:
            raise _error(400, "Function calling with a response mime type: 'application/json' is unsupported")
        if "responseJsonSchema" in config:
            _check_schema(config["responseJsonSchema"], "response_json_schema")
        thinking = config.get("thinkingConfig", {})
        _typed(thinking, _THINKING, "generation_config.thinking_config")
        if "thinkingConfig" in config and not can & {"levels", "budgets"}:
            raise _error(400, "Thinking is not enabled for this model.")
        if "thinkingLevel" in thinking and "levels" not in can:
            raise _error(400, "Thinking level is not supported for this model.")
        allowed = {"LOW", "MEDIUM", "HIGH"} | ({"MINIMAL"} & {word.upper() for word in can})
        if thinking.get("thinkingLevel", "LOW") not in allowed:
            raise _error(400, f"Thinking level {thinking['thinkingLevel']} is not supported for this model.")
        if "thinkingBudget" in thinking and not ("budgets" in can and 0 <= thinking["thinkingBudget"] <= 24_576):
            raise _error(400, "The thinking budget is invalid for this model.")

    def _check_contents(self, contents: list[Any], can: set[str]) -> None:
        if not contents or contents[-1].get("role") != "user":
            raise _error(400, "Please ensure that the conversation ends with a user role.")
        open_calls: list[tuple[str, str]] = []
        before = ""
        for number, content in enumerate(contents):
            _typed(content, {"role": str, "parts": list}, f"contents[{number}]")
            if content["role"] not in {"user", "model"} or not content["parts"]:
                raise _error(400, f"contents[{number}].parts must not be empty; valid roles are user and model.")
            for part in content["parts"]:
                self._check_part(part, content["role"], can)
            answers = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
            if [(each["id"], each["name"]) for each in answers] != open_calls:
                raise _error(400, "The function response parts must match the function call parts of the turn before.")
            calls = [part for part in content["parts"] if "functionCall" in part]
            if calls and before != "user":
                raise _error(400, "A function call turn comes immediately after a user turn.")
            if calls and "signed" in can:
                self._check_signatures(calls)
            made = [part["functionCall"] for part in calls]
            open_calls, before = [(each["id"], each["name"]) for each in made], content["role"]

    def _check_part(self, part: Any, role: str, can: set[str]) -> None:
        if not isinstance(part, dict) or sum(kind in part for kind in _KINDS) != 1:
            raise _error(400, "A part has exactly one kind of data.")
        if part.keys() - {*_KINDS, "thoughtSignature"} or part.get("text") == "":
            raise _error(400, "Unable to submit request because it has an empty or unknown part.")
        if "inlineData" in part:
            if role != "user":
                raise _error(400, "Only a user shows pictures.")
            self._look(part["inlineData"])
        if "functionCall" in part:
            _typed(part["functionCall"], {"id": str, "name": str, "args": dict}, "function_call")
            if not _NAME.fullmatch(part["functionCall"]["name"]):
                raise _error(400, "Invalid function name in a call.")
        if "functionResponse" in part:
            types = {"id": str, "name": str, "response": dict, "parts": list}
            _typed(part["functionResponse"], types, "function_response")
            pictures = part["functionResponse"].get("parts", [])
            if pictures and "signed" not in can:
                raise _error(400, "Multimodal function responses are not supported for this model.")
            for picture in pictures:
                _typed(picture, {"inlineData": dict}, "function_response.parts")
                self._look(picture["inlineData"])

    def _check_signatures(self, calls: list[Any]) -> None:
        if "thoughtSignature" not in calls[0]:
            name = calls[0]["functionCall"]["name"]
            said = f"Function call is missing a thought_signature in functionCall parts. Function call `{name}`."
            raise _error(400, said)
        for part in calls:
            signature = part.get("thoughtSignature", SKIP)
            if signature != SKIP and self.issued.get(signature) != part["functionCall"]["id"]:
                raise _error(400, "Corrupted thought signature.")

    def _look(self, blob: Any) -> None:
        _typed(blob, {"mimeType": str, "data": str}, "inline_data")
        try:
            data = base64.b64decode(blob["data"], validate=True)
        except binascii.Error:
            raise _error(400, "Base64 decoding failed.") from None
        if blob["mimeType"] not in _MAGIC or not data.startswith(_MAGIC[blob["mimeType"]]):
            raise _error(400, "Unable to process input image. Please retry or report.")
        self.pictures.append(data)

    # --- answers ---------------------------------------------------------------------------------

    def _call_parts(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = [{"functionCall": call} for call in self.tool_calls]
        if parts and "id" in self.tool_calls[0]:
            signature = base64.b64encode(f"signature {len(self.issued)}".encode()).decode()
            self.issued[signature] = self.tool_calls[0]["id"]
            parts[0]["thoughtSignature"] = signature
        return parts

    @override
    def prepare(self, body: dict[str, Any], how: str | None) -> Prepared:
        calls = self._call_parts() if body.get("tools") else []
        words = [] if calls or how == How.EMPTY_LENGTH else re.findall(r"\S+\s*", self.text)
        shown = body["generationConfig"].get("thinkingConfig", {}).get("includeThoughts")
        thoughts = [{"text": self.thinking, "thought": True}] if self.thinking and shown else []
        parts = [*thoughts, *({"text": word} for word in words), *calls]
        read, written = max(1, len(json.dumps(body["contents"])) // 4), max(1, len(words))
        usage = self.usage or {
            "promptTokenCount": read,
            "candidatesTokenCount": written,
            "totalTokenCount": read + written,
        }
        head = {"modelVersion": body["model"], "responseId": "r1"}
        reason = "MAX_TOKENS" if how == How.EMPTY_LENGTH else "STOP"
        finish = {} if how == How.NO_FINISH else {"finishReason": reason}
        told = {} if how == How.NO_USAGE else {"usageMetadata": usage}
        so_far = {} if how == How.NO_USAGE else {"usageMetadata": {"promptTokenCount": read, "totalTokenCount": read}}

        def answer(parts: list[dict[str, Any]], more: dict[str, Any], counted: dict[str, Any]) -> bytes:
            candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **more}
            return json.dumps({"candidates": [candidate], **counted, **head}, ensure_ascii=False).encode()

        pieces = [answer([part], {}, so_far) for part in parts]
        pieces.append(answer([{"text": ""}], finish, told))
        together = [*thoughts, *([{"text": "".join(words)}] if words else []), *calls]
        return Prepared(
            [b"data: " + piece + b"\r\n\r\n" for piece in pieces],
            answer(together, finish, told),
            stream=body["stream"],
            stream_type="text/event-stream",
            error=b'data: {"error":{"code":500,"message":"the model crashed","status":"INTERNAL"}}\n\n',
            tokens=(read, written),
        )


if __name__ == "__main__":
    run(lambda args: FakeGemini(key=args.key, price_in=args.price_in, price_out=args.price_out))
