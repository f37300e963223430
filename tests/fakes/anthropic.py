"""A server that speaks Anthropic's messages, and takes nothing that the real one would refuse.

`python -m tests.fakes.anthropic --port 0 --key K` runs it as a process of its own.
"""

import json
import re
from typing import Any, override

from aiohttp import web

from tests.fakes.anthropic_rules import ALL_EFFORTS, THINKING_FIELDS, Traits, check, error, signature
from tests.fakes.faults import How
from tests.fakes.server import FakeServer, Prepared, Refused, run

CHAT_MODEL = "claude-haiku-5-5"
BOUND_MODEL = "claude-opus-5-5"
BETWEEN_MODEL = "claude-sonnet-5-5"
OLD_MODEL = "claude-haiku-4-5-20251001"


class FakeAnthropic(FakeServer):
    """`refuses` are fields a model does not take beyond what is known of it.

    `tool_calls` are answered instead of words where tools are offered, `data` where a shape is asked for; `thinking`
    is what a model thinks where it does.
    """

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out, chat_path="/v1/messages")
        self.models: dict[str, Traits] = {
            CHAT_MODEL: Traits(),
            BOUND_MODEL: Traits(thinking=frozenset({"adaptive"}), forced=False),
            BETWEEN_MODEL: Traits(thinking=frozenset({"adaptive", "between_tools"}), forced=False),
            OLD_MODEL: Traits(
                thinking=frozenset({"enabled", "disabled"}),
                thinks=False,
                efforts=frozenset(),
                sampling=True,
                bound=False,
                context=200_000,
                max_tokens=64_000,
            ),
        }
        self.bare_list = False
        self.limits: list[int] = []
        self.refuses: dict[str, set[str]] = {}
        self.thinking = ""
        self.tool_calls: list[dict[str, Any]] = []
        self.data: dict[str, Any] = {"open": True}
        self.usage: dict[str, Any] | None = None
        self.stop_reason: str | None = None

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/messages/count_tokens", self.listing(self._count))

    def _count(self, body: dict[str, Any]) -> Any:
        for name in body.keys() & {"max_tokens", "stream", "temperature", "top_p", "stop_sequences"}:
            raise error(400, f"{name}: Extra inputs are not permitted")
        check({**body, "max_tokens": 2_000, "stream": False}, self.models, self.refuses)
        return {"input_tokens": len(json.dumps(body["messages"])) // 4}

    @override
    def unauthorized(self) -> Refused:
        return error(401, "invalid credential", "authentication_error")

    @override
    def authorize(self, request: web.Request) -> None:
        if request.headers.get("anthropic-version") not in {"2023-06-01", "2026-10-21"}:
            raise error(400, "anthropic-version: header is required")
        told = [request.headers.get("x-api-key"), request.headers.get("Authorization")]
        if self.key is not None and told not in ([self.key, None], [None, f"Bearer {self.key}"]):
            raise self.unauthorized()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        limit = int(request.query.get("limit", "20"))
        self.limits.append(limit)

        def page(_: Any) -> Any:
            if not 1 <= limit <= 1_000:
                raise error(400, "limit: Input should be between 1 and 1000")
            entries = [self._entry(name, traits) for name, traits in self.models.items()]
            more = len(entries) > limit
            return {"data": entries[:limit], "has_more": more, "first_id": entries[0]["id"], "last_id": "x"}

        return await self.listing(page)(request)

    def _entry(self, name: str, traits: Traits) -> dict[str, Any]:
        if self.bare_list:
            return {"id": name, "type": "model", "display_name": name}

        def can(answer: bool, **more: Any) -> dict[str, Any]:
            return {"supported": answer, **more}

        types = {kind: can(kind in traits.thinking) for kind in THINKING_FIELDS}
        return {
            "id": name,
            "type": "model",
            "display_name": name,
            "created_at": "2026-10-07T00:00:00Z",
            "lifecycle": "retired" if "retired" in name else "active",
            "max_input_tokens": traits.context,
            "max_tokens": traits.max_tokens,
            "capabilities": {
                "image_input": can(answer=True),
                "structured_outputs": can(answer=True),
                "server_tools": {"code_execution": can(answer=True), "web_search": can(answer=True)},
                "thinking": can(bool(traits.thinking), types=types),
                "effort": can(bool(traits.efforts), **{level: can(level in traits.efforts) for level in ALL_EFFORTS}),
            },
        }

    @override
    def check(self, body: dict[str, Any]) -> None:
        self.pictures += check(body, self.models, self.refuses)

    # --- answers ---------------------------------------------------------------------------------

    @override
    def prepare(self, body: dict[str, Any], how: str | None) -> Prepared:
        blocks, reason = self._blocks(body, how)
        tokens = (max(1, len(json.dumps(body["messages"])) // 4), max(1, sum(map(_words, blocks))))
        usage = self.usage or {"input_tokens": tokens[0], "output_tokens": tokens[1]}
        if how == How.NO_USAGE:
            usage = {}
        ended = {"stop_reason": self.stop_reason or reason, "stop_sequence": None, "stop_details": None}
        whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": blocks}
        begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1} if usage else {}}
        pieces = [_event("message_start", message=begun) + _event("ping")]
        for index, block in enumerate(blocks):
            pieces += _streamed(index, block)
        if how != How.NO_FINISH:
            told = {"output_tokens": usage["output_tokens"]} if usage else {}
            pieces += [
                _event("message_delta", delta=ended, usage={**told, "input_tokens": None}),
                _event("message_stop"),
            ]
        return Prepared(
            pieces,
            json.dumps({**whole, **ended, "usage": usage}, ensure_ascii=False).encode(),
            stream=body.get("stream", False),
            stream_type="text/event-stream",
            error=_event("error", error={"type": "api_error", "message": "the model crashed"}),
            tokens=tokens,
        )

    def _blocks(self, body: dict[str, Any], how: str | None) -> tuple[list[dict[str, Any]], str]:
        traits = self.models[body["model"]]
        wish = body.get("thinking", {})
        blocks: list[dict[str, Any]] = []
        if self.thinking and wish.get("type", "adaptive" if traits.thinks else "disabled") in {"adaptive", "enabled"}:
            shown = self.thinking if wish.get("display") == "summarized" or "enabled" in traits.thinking else ""
            bound = signature(body, len(body["messages"]) if traits.bound else 0)
            blocks.append({"type": "thinking", "thinking": shown, "signature": bound})
        if how == How.EMPTY_LENGTH:
            return blocks, "max_tokens"
        if "tool_choice" in body:
            call = {"type": "tool_use", "id": "toolu_0", "name": body["tool_choice"]["name"], "input": self.data}
            return [*blocks, call], "tool_use"
        if body.get("tools") and self.tool_calls:
            # No id is given twice.
            asked = json.dumps(body["messages"])
            fresh = (
                "" if not any(f'"{call["id"]}"' in asked for call in self.tool_calls) else f"_{len(body['messages'])}"
            )
            calls = [{"type": "tool_use", **call, "id": call["id"] + fresh} for call in self.tool_calls]
            return [*blocks, *calls], "tool_use"
        shaped = "format" in body.get("output_config", {})
        return [*blocks, {"type": "text", "text": json.dumps(self.data) if shaped else self.text}], "end_turn"


def _words(block: dict[str, Any]) -> int:
    return len(f"{block.get('text', '')} {block.get('thinking', '')}".split()) or 1


def _event(name: str, **fields: Any) -> bytes:
    data = json.dumps({"type": name, **fields}, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode()


def _streamed(index: int, block: dict[str, Any]) -> list[bytes]:
    """Write a block as it comes in a stream."""
    empties: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    match block["type"]:
        case "text":
            deltas = [{"type": "text_delta", "text": word} for word in re.findall(r"\S+\s*", block["text"])]
        case "thinking":
            words = re.findall(r"\S+\s*", block["thinking"])
            deltas = [{"type": "thinking_delta", "thinking": word} for word in words]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            text = json.dumps(block["input"]) if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": text[at : at + 5]} for at in range(0, len(text), 5)]
    return [
        _event("content_block_start", index=index, content_block={**block, **empties[block["type"]]}),
        *(_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        _event("content_block_stop", index=index),
    ]


if __name__ == "__main__":
    run(lambda args: FakeAnthropic(key=args.key, price_in=args.price_in, price_out=args.price_out))
