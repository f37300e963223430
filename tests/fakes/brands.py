"""Servers of the common protocol as some brands have them: what they want otherwise, they insist on.

`python -m tests.fakes.brands openrouter --port 0 --key K` runs one as a process of its own.
"""

import re
import sys
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, override

from aiohttp import web

from tests.fakes.openai_compatible import CHAT_MODEL, VISION_MODEL, FakeOpenAI, error
from tests.fakes.server import Refused, run


class FakeOpenRouter(FakeOpenAI):
    """Its list is public and has prices; `cost` (dollars) is told with every answer, asked for or not."""

    default_path = "/api/v1"
    chat_path = "/api/v1/chat/completions"
    more_fields: ClassVar[Mapping[str, Any]] = {"provider": dict, "reasoning": dict}
    assistant_fields: ClassVar[Collection[str]] = {"reasoning_details"}

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out)
        self.cost: float | None = 0.00042
        self.byok: dict[str, Any] = {}
        self.details: list[list[dict[str, Any]]] = []
        self.models = [
            {
                "id": name,
                "context_length": 131_072,
                "architecture": {"input_modalities": ["text", *sees], "output_modalities": ["text"]},
                "pricing": {"prompt": "0.0000002", "completion": "0.0000008", "input_cache_read": "0.00000002"},
                "top_provider": {"context_length": 131_072, "max_completion_tokens": 16_384},
                "supported_parameters": ["tools", "structured_outputs", "reasoning"],
            }
            for name, sees in ((CHAT_MODEL, []), (VISION_MODEL, ["image"]))
        ]

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/api/v1/models", self.listing(self._models, public=True))
        app.router.add_get("/api/v1/key", self.listing(lambda _: {"data": {"label": "home", "usage": 1.5, "limit": 5}}))

    @override
    def check(self, body: dict[str, Any]) -> None:
        super().check(body)
        if body.get("provider", {}).keys() - {"data_collection", "zdr", "require_parameters", "order", "only"}:
            raise error(400, "Invalid 'provider'.", "provider")
        if body.get("reasoning", {}).keys() - {"effort", "enabled", "max_tokens", "exclude"}:
            raise error(400, "Invalid 'reasoning'.", "reasoning")

    @override
    def usage_of(self, tokens: tuple[int, int]) -> dict[str, Any]:
        told = {"cost": self.cost} if self.cost is not None else {}
        return {**super().usage_of(tokens), **told, **self.byok}

    @override
    def tells_usage(self, body: dict[str, Any]) -> bool:
        return True

    @override
    def deltas(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"content": "", "reasoning_details": details} for details in self.details]


class FakeMistral(FakeOpenAI):
    """It counts unasked, wants ids of nine letters or digits, and an assistant between a tool and the user."""

    more_fields: ClassVar[Mapping[str, Any]] = {"random_seed": int, "reasoning_effort": str}
    no_fields = frozenset({"seed", "stream_options", "max_completion_tokens"})

    @override
    def check(self, body: dict[str, Any]) -> None:
        extra = body.keys() & self.no_fields
        if extra:
            raise Refused(
                422,
                {
                    "detail": [
                        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs"} for name in extra
                    ]
                },
            )
        if body.get("reasoning_effort", "none") not in {"none", "high"}:
            raise Refused(400, {"object": "error", "message": "Invalid reasoning_effort", "code": "3000"})
        super().check(body)
        before = ""
        for message in body["messages"]:
            if (before, message["role"]) == ("tool", "user"):
                said = "Unexpected role 'user' after role 'tool'"
                raise Refused(400, {"object": "error", "message": said, "code": "3230"})
            before = message["role"]
            ids = [call["id"] for call in message.get("tool_calls") or []]
            ids += [message["tool_call_id"]] if before == "tool" else []
            if not all(re.fullmatch(r"[A-Za-z0-9]{9}", each) for each in ids):
                said = "Tool call id must be a-z, A-Z, 0-9, with a length of 9."
                raise Refused(400, {"object": "error", "message": said, "code": "3280"})

    @override
    def tells_usage(self, body: dict[str, Any]) -> bool:
        return True


class FakeDeepSeek(FakeOpenAI):
    """It thinks unless told not to, wants its thoughts back while tools are being called, and knows no schemas."""

    more_fields: ClassVar[Mapping[str, Any]] = {"thinking": dict, "reasoning_effort": str}
    assistant_fields: ClassVar[Collection[str]] = {"reasoning_content"}

    @override
    def check(self, body: dict[str, Any]) -> None:
        super().check(body)
        shape = body.get("response_format", {})
        if shape.get("type") == "json_schema":
            raise error(400, "This response_format type is unavailable now", code="invalid_request_error")
        if shape and not any("json" in str(message["content"]).lower() for message in body["messages"]):
            raise error(400, "Prompt must contain the word 'json' in some form to use 'response_format'.")
        if body.get("reasoning_effort", "high") not in {"low", "high", "max"}:
            raise error(400, "Invalid reasoning_effort.", "reasoning_effort")
        if body.get("thinking", {}).get("type") == "disabled":
            return
        last = max((place for place, message in enumerate(body["messages"]) if message["role"] == "user"), default=0)
        for message in body["messages"][last:]:
            if message.get("tool_calls") and "reasoning_content" not in message:
                raise error(400, "The reasoning_content in the thinking mode must be passed back to the API")

    @override
    def deltas(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        thinks = body.get("thinking", {}).get("type") != "disabled"
        return [{"content": None, "reasoning_content": word} for word in ("The ", "door?")] if thinks else []


class FakeGroq(FakeOpenAI):
    """Its path is another one, and so is the name of the bound on the answer."""

    default_path = "/openai/v1"
    chat_path = "/openai/v1/chat/completions"
    more_fields: ClassVar[Mapping[str, Any]] = {"reasoning_effort": str}

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/openai/v1/models", self.listing(self._models))

    @override
    def check(self, body: dict[str, Any]) -> None:
        super().check(body)
        if "max_tokens" in body:
            raise error(400, "`max_tokens` is deprecated. Use `max_completion_tokens` instead.", "max_tokens")


class FakeVllm(FakeOpenAI):
    """As it is started without the flags that tools need."""

    more_fields: ClassVar[Mapping[str, Any]] = {"chat_template_kwargs": dict, "reasoning_effort": str}
    tools_enabled = True

    @override
    def check(self, body: dict[str, Any]) -> None:
        super().check(body)
        if body.get("tools") and not self.tools_enabled:
            said = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
            raise Refused(400, {"error": {"message": said, "type": "BadRequestError", "param": None, "code": 400}})


class FakeLlamaCpp(FakeOpenAI):
    """One model. Its list is public, its properties are not; they tell what one request may take."""

    more_fields: ClassVar[Mapping[str, Any]] = {"reasoning_effort": str, "chat_template_kwargs": dict}

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out)
        self.models = [{"id": CHAT_MODEL, "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx_train": 40_960}}]
        self.props: Any = {
            "default_generation_settings": {"n_ctx": 4_096},
            "total_slots": 4,
            "modalities": {"vision": True, "audio": False},
        }

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/models", self.listing(self._models, public=True))
        app.router.add_get("/props", self.listing(self._props))

    def _props(self, _: Any) -> Any:
        if self.props is None:
            raise error(501, "This server does not support props.", kind="not_supported_error")
        return self.props

    @override
    def unauthorized(self) -> Refused:
        return Refused(401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}})


class FakeLMStudio(FakeOpenAI):
    """Its own list tells more than the common one; `old`: it has none yet. Any JSON is nothing it can be held to."""

    more_fields: ClassVar[Mapping[str, Any]] = {"reasoning_effort": str}

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out)
        self.old = False
        self.own: list[dict[str, Any]] = [
            {
                "type": "llm",
                "key": CHAT_MODEL,
                "max_context_length": 131_072,
                "loaded_instances": [{"id": CHAT_MODEL, "config": {"context_length": 8_192, "parallel": 4}}],
                "capabilities": {
                    "vision": False,
                    "trained_for_tool_use": True,
                    "reasoning": {"allowed_options": ["off", "on"], "default": "on"},
                },
            },
            {
                "type": "llm",
                "key": VISION_MODEL,
                "max_context_length": 32_768,
                "loaded_instances": [],
                "capabilities": {"vision": True, "trained_for_tool_use": False},
            },
            {"type": "embedding", "key": "nomic", "max_context_length": 2_048, "loaded_instances": []},
        ]

    @override
    def routes(self, app: web.Application) -> None:
        super().routes(app)
        app.router.add_get("/api/v1/models", self.listing(self._own))

    def _own(self, _: Any) -> Any:
        if self.old:
            raise Refused(404, {"error": "Unexpected endpoint or method. (GET /api/v1/models)"})
        return {"models": self.own}

    @override
    def check(self, body: dict[str, Any]) -> None:
        super().check(body)
        if body.get("response_format", {}).get("type") == "json_object":
            raise Refused(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})


BRANDS: dict[str, type[FakeOpenAI]] = {
    "openrouter": FakeOpenRouter,
    "lm_studio": FakeLMStudio,
    "llama_cpp": FakeLlamaCpp,
    "vllm": FakeVllm,
    "groq": FakeGroq,
    "mistral": FakeMistral,
    "deepseek": FakeDeepSeek,
}


if __name__ == "__main__":
    brand = BRANDS[sys.argv.pop(1)]
    run(lambda args: brand(key=args.key, price_in=args.price_in, price_out=args.price_out))
