"""A server that speaks OpenAI's Responses API, and takes nothing that the real one would refuse.

`python -m tests.fakes.openai --port 0 --key K` runs it as a process of its own.
"""

import json
import re
from typing import Any, override

from aiohttp import web

from tests.fakes import embeddings
from tests.fakes.faults import How
from tests.fakes.openai_rules import Traits, check, encrypted, error, reasons
from tests.fakes.server import FakeServer, Prepared, Refused, run

CHAT_MODEL = "gpt-6-luna"
ALWAYS_MODEL = "gpt-6.1-sol"
RESTING_MODEL = "gpt-5.4-mini"
PLAIN_MODEL = "gpt-4.1"

_ALWAYS = frozenset({"low", "medium", "high", "xhigh", "max"})


class FakeResponses(FakeServer):
    """`refuses` are fields a model does not take beyond what is known of it.

    `tool_calls` are answered instead of words where tools are offered, `data` where a shape is asked for; `thinking`
    is what a model reasons where it does, `end` what else the last word says.
    """

    default_path = "/v1"

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out, chat_path="/v1/responses")
        self.models: dict[str, Traits] = {
            CHAT_MODEL: Traits(),
            ALWAYS_MODEL: Traits(efforts=_ALWAYS),
            RESTING_MODEL: Traits(efforts=frozenset({"none", *_ALWAYS} - {"max"}), rests=True, cache_options=False),
            PLAIN_MODEL: Traits(efforts=frozenset(), cache_options=False),
        }
        self.others = ["text-embedding-3-small", "gpt-image-2.5-flare", "gpt-audio", "whisper-1"]
        self.refuses: dict[str, set[str]] = {}
        self.thinking = ""
        self.tool_calls: list[dict[str, Any]] = []
        self.data: dict[str, Any] = {"open": True}
        self.usage: dict[str, Any] | None = None
        self.end: dict[str, Any] = {}

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/models", self.listing(self._models))
        embeddings.add_route(self, app, "/v1/embeddings", self._embed)

    def _embed(self, body: dict[str, Any], counts: bool) -> Any:
        return embeddings.openai_reply(body, counts, {"text-embedding-3-small"}, error, self.change)

    def _models(self, _: Any) -> Any:
        ends = {name: traits.shutdown for name, traits in self.models.items()} | dict.fromkeys(self.others)
        entries = [
            {"id": name, "object": "model", "created": 1, "owned_by": "openai", "shutdown_date": end}
            for name, end in ends.items()
        ]
        return {"object": "list", "data": entries}

    @override
    def unauthorized(self) -> Refused:
        return error(401, "Incorrect API key provided.", None, "invalid_api_key")

    @override
    def check(self, body: dict[str, Any]) -> None:
        self.pictures += check(body, self.models, self.refuses)

    # --- answers ---------------------------------------------------------------------------------

    @override
    def prepare(self, body: dict[str, Any], how: str | None) -> Prepared:
        items = [] if how == How.EMPTY_LENGTH else self._items(body)
        tokens = (max(1, len(json.dumps(body["input"])) // 4), max(1, sum(map(_words, items))))
        usage = self.usage or {
            "input_tokens": tokens[0],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": tokens[1],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(tokens),
        }
        begun = {"id": "resp_1", "object": "response", "status": "in_progress", "model": body["model"], "output": []}
        ended = {**begun, "status": "completed", "output": items, "incomplete_details": None, "error": None}
        if how != How.NO_USAGE:
            ended["usage"] = usage
        if how == How.EMPTY_LENGTH:
            ended |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
        ended |= self.end
        number = iter(range(10_000))

        def event(name: str, **fields: Any) -> bytes:
            data = {"type": name, "sequence_number": next(number), **fields}
            return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()

        pieces = [event("response.created", response=begun) + event("response.in_progress", response=begun)]
        for index, item in enumerate(items):
            pieces += _streamed(event, index, item)
        if how != How.NO_FINISH:
            pieces.append(event(f"response.{ended['status']}", response=ended))
        return Prepared(
            pieces,
            json.dumps(ended, ensure_ascii=False).encode(),
            stream=body.get("stream", False),
            stream_type="text/event-stream",
            error=event("error", code="server_error", message="the model crashed", param=None),
            tokens=tokens,
        )

    def _items(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        calls = self.tool_calls if body.get("tools") else []
        if self.thinking and reasons(body, self.models[body["model"]]):
            shown = [{"type": "summary_text", "text": self.thinking}] if "summary" in body.get("reasoning", {}) else []
            thought = {"type": "reasoning", "id": "rs_1", "summary": shown}
            if "include" in body:
                thought["encrypted_content"] = encrypted(body["model"])
            items.append(thought)
            if calls:
                items.append(_said("On it.", "commentary"))
        # No id is given twice.
        asked = json.dumps(body["input"])
        fresh = "" if not any(f'"{call["call_id"]}"' in asked for call in calls) else f"_{len(body['input'])}"
        for number, call in enumerate(calls):
            given = {**call, "call_id": call["call_id"] + fresh}
            items.append({"type": "function_call", "id": f"fc_{number}", "status": "completed", **given})
        if not calls:
            items.append(_said(json.dumps(self.data) if "text" in body else self.text, "final_answer"))
        return items


def _said(text: str, phase: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    return {**said, "phase": phase, "content": content}


def _words(item: dict[str, Any]) -> int:
    return sum(len(part["text"].split()) for part in item.get("content", [])) or 1


def _streamed(event: Any, index: int, item: dict[str, Any]) -> list[bytes]:
    """Write an item as it comes in a stream."""
    at: dict[str, Any] = {"output_index": index, "item_id": item["id"]}
    begun = {**item, "content": []} if item["type"] == "message" else item
    deltas: list[bytes] = []
    match item["type"]:
        case "message":
            text = item["content"][0]["text"]
            part = {**at, "content_index": 0}
            begin = event("response.content_part.added", **part, part={"type": "output_text", "text": ""})
            deltas = [
                event("response.output_text.delta", **part, delta=word, logprobs=[], obfuscation="q8")
                for word in re.findall(r"\S+\s*", text)
            ]
            deltas[0] = begin + deltas[0]
            deltas.append(event("response.output_text.done", **part, text=text))
        case "reasoning":
            begun = {**item, "encrypted_content": "cut", "summary": []}
            for number, summary in enumerate(item["summary"]):
                part = {**at, "summary_index": number}
                deltas.append(event("response.reasoning_summary_part.added", **part, part=summary))
                deltas.append(event("response.reasoning_summary_text.delta", **part, delta=summary["text"]))
        case _:
            begun = {**item, "arguments": ""}
            text = item["arguments"]
            deltas = [
                event("response.function_call_arguments.delta", **at, delta=text[start : start + 5])
                for start in range(0, len(text), 5)
            ]
    added = event("response.output_item.added", output_index=index, item=begun)
    return [added, *deltas, event("response.output_item.done", output_index=index, item=item)]


if __name__ == "__main__":
    run(lambda args: FakeResponses(key=args.key, price_in=args.price_in, price_out=args.price_out))
