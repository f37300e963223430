"""A server that speaks Ollama's protocol, and takes nothing that a strict one would refuse.

`python -m tests.fakes.ollama --port 0` runs it as a process of its own.
"""

import asyncio
import base64
import binascii
import json
import re
from typing import Any, override

from aiohttp import web

from tests.fakes import embeddings
from tests.fakes.faults import How
from tests.fakes.server import FakeServer, Prepared, Refused, run

CHAT_MODEL = "qwen3:8b"
VISION_MODEL = "qwen3-vl:8b"
CLOUD_MODEL = "gpt-oss:120b-cloud"
EMBEDDER = "nomic-embed-text:latest"

_FIELDS = {
    "model": str,
    "stream": bool,
    "think": (bool, str),
    "keep_alive": (str, int),
    "format": (str, dict),
    "options": dict,
    "messages": list,
    "tools": list,
    "truncate": bool,
}
_EMBED_FIELDS = {"model": str, "input": list, "keep_alive": (str, int), "options": dict}
_OPTIONS = {
    "num_ctx": int,
    "num_predict": int,
    "temperature": (int, float),
    "top_p": (int, float),
    "seed": int,
    "stop": list,
}
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")


def _typed(holder: dict[str, Any], types: dict[str, Any], where: str) -> None:
    keeps = holder.get("keep_alive", 0)
    if isinstance(keeps, str) and not re.fullmatch(r"-?(\d+(\.\d+)?(ms|s|m|h))+", keeps):
        raise Refused(400, {"error": f'time: missing unit in duration "{keeps}"'})
    for name, value in holder.items():
        if name not in types:
            raise Refused(400, {"error": f"json: unknown field {where}{name}"})
        if not isinstance(value, types[name]) or (
            isinstance(value, bool) and name not in {"stream", "think", "truncate"}
        ):
            raise Refused(400, {"error": f"json: cannot unmarshal {json.dumps(value)} into field {where}{name}"})


class FakeOllama(FakeServer):
    """`models` by name: what /api/tags and /api/show tell. `old`: the list has no capabilities yet."""

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out, chat_path="/api/chat")
        self.models: dict[str, dict[str, Any]] = {
            CHAT_MODEL: {"capabilities": ["completion", "tools", "thinking"], "context_length": 40960},
            VISION_MODEL: {"capabilities": ["completion", "vision", "tools"], "context_length": 262144},
            "nomic-embed-text:latest": {"capabilities": ["embedding"], "context_length": 2048},
            CLOUD_MODEL: {
                "capabilities": ["completion", "tools", "thinking"],
                "context_length": 131072,
                "remote_model": "gpt-oss:120b",
                "remote_host": "https://ollama.com:443",
            },
        }
        self.old = False
        self.broken_show = False
        self.showing = self.most_showing = 0
        # Tokens of the context that it loads a model with when nobody says otherwise.
        self.context = 1_000_000
        self.thinking = ""
        self.tool_calls: list[dict[str, Any]] = []

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/api/version", self.listing(lambda _: {"version": "0.30.1"}))
        app.router.add_get("/api/tags", self.listing(self._tags))
        app.router.add_post("/api/show", self._show)
        embeddings.add_route(self, app, "/api/embed", self._embed)

    def _embed(self, body: dict[str, Any], counts: bool) -> Any:
        _typed({name: value for name, value in body.items() if name != "truncate"}, _EMBED_FIELDS, "")
        _typed(body.get("options", {}), _OPTIONS, "options.")
        told = self.models.get(body["model"])
        if told is None:
            raise Refused(404, {"error": f'model "{body["model"]}" not found, try pulling it first'})
        if "embedding" not in told["capabilities"]:
            raise Refused(501, {"error": "this model does not support embeddings"})
        if any(embeddings.tokens([text]) > told["context_length"] for text in body["input"]):
            assert body.get("truncate") is False, "it would have been cut"
            raise Refused(400, {"error": "the input length exceeds the context length"})
        given = self.change([embeddings.vector(text) for text in body["input"]])
        usage = {"prompt_eval_count": embeddings.tokens(body["input"])} if counts else {}
        return {"model": body["model"], "embeddings": given, "total_duration": 14_143_917, **usage}

    def _tags(self, _: Any) -> Any:
        def entry(name: str) -> dict[str, Any]:
            told = self.models[name]
            return {"name": name, "model": name, "size": 5_000_000_000, "digest": "00", **({} if self.old else told)}

        return {"models": [entry(name) for name in self.models]}

    async def _show(self, request: web.Request) -> web.StreamResponse:
        self.showing += 1
        self.most_showing = max(self.most_showing, self.showing)
        try:
            # Long enough for others to come in between, if they are let.
            await asyncio.sleep(0.01)
            return await self.listing(self._shown)(request)
        finally:
            self.showing -= 1

    def _shown(self, body: Any) -> Any:
        name = body["model"]
        if self.broken_show or name not in self.models:
            raise Refused(404, {"error": f"model '{name}' not found"})
        told = dict(self.models[name])
        context = told.pop("context_length")
        return {**told, "model_info": {"general.architecture": "qwen3", "qwen3.context_length": context}}

    @override
    def unauthorized(self) -> Refused:
        return Refused(401, {"error": "unauthorized"})

    # --- strictness ------------------------------------------------------------------------------

    @override
    def check(self, body: dict[str, Any]) -> None:
        _typed(body, _FIELDS, "")
        _typed(body.get("options", {}), _OPTIONS, "options.")
        name = body.get("model")
        if name not in self.models:
            raise Refused(404, {"error": f'model "{name}" not found, try pulling it first'})
        can = self.models[name]["capabilities"]
        if "completion" not in can:
            raise Refused(400, {"error": f'"{name}" does not support chat'})
        if body.get("tools") and "tools" not in can:
            raise Refused(400, {"error": f"{name} does not support tools"})
        if body.get("think") and "thinking" not in can:
            raise Refused(400, {"error": f'"{name}" does not support thinking'})
        for message in body.get("messages", []):
            self._check_message(message, name)
        size = min(body.get("options", {}).get("num_ctx", self.context), self.models[name]["context_length"])
        if len(json.dumps(body.get("messages", []))) // 4 > size:
            assert body.get("truncate") is False, "it would have been cut"
            raise Refused(400, {"error": "the input length exceeds the context length"})

    def _check_message(self, message: Any, model: str) -> None:
        if not isinstance(message, dict) or message.get("role") not in {"system", "user", "assistant", "tool"}:
            raise Refused(400, {"error": "invalid message"})
        allowed = {"role", "content", "images", "thinking", "tool_calls", "tool_name", "tool_call_id"}
        if message.keys() - allowed or not isinstance(message.get("content", ""), str):
            raise Refused(400, {"error": f"json: unknown field in message: {sorted(message.keys() - allowed)}"})
        for call in message.get("tool_calls", []):
            if not isinstance(call["function"]["arguments"], dict):
                raise Refused(400, {"error": "json: cannot unmarshal string into arguments"})
        for image in message.get("images", []):
            try:
                data = base64.b64decode(image, validate=True)
            except binascii.Error:
                raise Refused(400, {"error": "illegal base64 data at input byte 0"}) from None
            if not data.startswith(_MAGIC):
                raise Refused(500, {"error": "failed to decode image"})
            if "vision" not in self.models[model]["capabilities"]:
                raise Refused(400, {"error": f'"{model}" does not support vision'})
            self.pictures.append(data)

    # --- answers ---------------------------------------------------------------------------------

    @override
    def prepare(self, body: dict[str, Any], how: str | None) -> Prepared:
        told = self.models[body["model"]]
        calls = self.tool_calls if body.get("tools") else []
        words = [] if calls or how == How.EMPTY_LENGTH else re.findall(r"\S+\s*", self.text)
        thoughts = [self.thinking] if self.thinking and body.get("think", "thinking" in told["capabilities"]) else []
        tokens = (max(1, len(json.dumps(body.get("messages", []))) // 4), max(1, len(words) + len(thoughts)))
        head: dict[str, Any] = {"model": body["model"], "created_at": "2026-11-21T10:00:00Z"}
        if "remote_host" in told:
            head |= {"remote_host": told["remote_host"], "remote_model": told["remote_model"]}
        last: dict[str, Any] = {
            "done": True,
            "done_reason": "length" if how == How.EMPTY_LENGTH else "stop",
            "total_duration": 1_900_000_000,
            "load_duration": 20_000_000,
        }
        if how != How.NO_USAGE:
            last |= {"prompt_eval_count": tokens[0], "eval_count": tokens[1]}
        if not body.get("messages"):
            last["done_reason"] = "unload" if body.get("keep_alive") == 0 else "load"
            words = []

        def line(message: dict[str, Any], **more: Any) -> bytes:
            whole = {**head, "message": {"role": "assistant", "content": "", **message}, "done": False, **more}
            return json.dumps(whole, ensure_ascii=False).encode() + b"\n"

        pieces = [line({"thinking": thought}) for thought in thoughts]
        pieces += [line({"content": word}) for word in words]
        pieces += [line({"tool_calls": calls})] if calls else []
        pieces += [] if how in {How.NO_DONE, How.NO_FINISH} else [line({}, **last)]
        message = {
            "content": "".join(words),
            **({"thinking": "".join(thoughts)} if thoughts else {}),
            **({"tool_calls": calls} if calls else {}),
        }
        return Prepared(
            pieces,
            line(message, **last),
            stream=body.get("stream", True),
            stream_type="application/x-ndjson",
            error=b'{"error":"an error was encountered while running the model"}\n',
            tokens=tokens,
        )


if __name__ == "__main__":
    run(lambda args: FakeOllama(key=args.key, price_in=args.price_in, price_out=args.price_out))
