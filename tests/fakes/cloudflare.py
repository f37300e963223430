"""A server that speaks as Cloudflare Workers AI does: its own form of a chat, and OpenAI's, and one envelope for errors.

`python -m tests.fakes.cloudflare --port 0 --key K` runs it as a process of its own.
"""

import json
import re
from typing import Any, override

from aiohttp import web

from tests.fakes import embeddings
from tests.fakes.faults import How
from tests.fakes.openai_compatible import FakeOpenAI, decoded
from tests.fakes.server import Prepared, Refused, run

ACCOUNT = "0123456789abcdef0123456789abcdef"
CHAT_MODEL = "@cf/google/gemma-4-26b-a4b-it"
GPT_MODEL = "@cf/openai/gpt-oss-20b"
JSON_MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
PICTURE_MODEL = "@cf/meta/llama-3.2-11b-vision-instruct"
EMBEDDER = "@cf/baai/bge-m3"

_AI = f"/client/v4/accounts/{ACCOUNT}/ai"
_OWN = {
    "messages": list,
    "max_tokens": int,
    "stream": bool,
    "temperature": (int, float),
    "top_p": (int, float),
    "seed": int,
    "image": str,
    "response_format": dict,
}
_PRICE = [
    {"unit": "per M input tokens", "price": 0.1, "currency": "USD"},
    {"unit": "per M output tokens", "price": 0.3, "currency": "USD"},
]


def _error(code: int, status: int, message: str) -> Refused:
    return Refused(status, {"error": {"code": code, "message": message}})


def _entry(name: str, task: str = "Text Generation", **properties: Any) -> dict[str, Any]:
    told = [{"property_id": key, "value": value} for key, value in properties.items()]
    return {"id": "328adb49", "source": 1, "name": name, "task": {"id": "c3", "name": task}, "properties": told}


class FakeCloudflare(FakeOpenAI):
    """`listed` are the entries of the model list; the rest is as in the OpenAI-compatible fake."""

    default_path = "/client/v4"
    chat_path = f"{_AI}/v1/chat/completions"

    def __init__(self, *, key: str | None = None, price_in: int = 0, price_out: int = 0) -> None:
        super().__init__(key=key, price_in=price_in, price_out=price_out)
        self.listed = [
            _entry(
                CHAT_MODEL,
                context_window="256000",
                function_calling="true",
                reasoning="true",
                vision="true",
                price=_PRICE,
            ),
            _entry(GPT_MODEL, context_window="128000", function_calling="true", reasoning="true"),
            _entry(JSON_MODEL, context_window="24000", function_calling="true"),
            _entry(PICTURE_MODEL, price=_PRICE, terms="https://example.com"),
            _entry("@cf/meta/llama-guard-3-8b"),
            _entry(EMBEDDER, "Text Embeddings", context_window="60000"),
            _entry("@cf/black-forest-labs/flux-1-schnell", "Text-to-Image"),
            _entry("@cf/openai/whisper", "Automatic Speech Recognition"),
        ]
        self.agreed = True
        self.embedders = {entry["name"] for entry in self.listed if entry["task"]["name"] == "Text Embeddings"}

    @property
    @override
    def bodies(self) -> list[Any]:
        """The bodies of the chats that were asked for."""
        return [seen.body for seen in self.requests if seen.method == "POST"]

    @override
    def routes(self, app: web.Application) -> None:
        app.router.add_get(f"{_AI}/models/search", self.listing(self._search))
        embeddings.add_route(self, app, f"{_AI}/v1/embeddings", self._embed)
        app.router.add_post(f"{_AI}/run/{{model:.+}}", self._chat)
        app.router.add_route("*", "/client/v4/accounts/{rest:.*}", self._nowhere)

    async def _nowhere(self, request: web.Request) -> web.Response:
        await self.note(request)
        said = f"Could not route to {request.path}, perhaps your object identifier is invalid?"
        return self.refusal(_error(7003, 404, said))

    def _search(self, query: dict[str, str]) -> Any:
        size, page = int(query["per_page"]), int(query.get("page", "1"))
        if query.keys() - {"per_page", "page"} or not 1 <= size <= 100:
            raise _error(7001, 400, "Invalid query")
        given = self.listed[(page - 1) * size : page * size]
        info = {"page": page, "per_page": size, "count": len(given), "total_count": len(self.listed)}
        return {"result": given, "success": True, "errors": [], "messages": [], "result_info": info}

    @override
    async def note(self, request: web.Request) -> Any:
        body = await super().note(request)
        if request.method == "GET":
            return dict(request.query)
        own = request.path.removeprefix(f"{_AI}/run/")
        return {**body, "model": own, "own": True} if own != request.path and isinstance(body, dict) else body

    @override
    def unauthorized(self) -> Refused:
        return _error(10000, 403, "Authentication error")

    @override
    def refusal(self, refused: Refused) -> web.Response:
        """Write a refusal into the envelope."""
        error = refused.body["error"]
        error = {"message": error} if isinstance(error, str) else error
        code = error.get("code") if isinstance(error.get("code"), int) else 5006
        errors = [{"code": code, "message": f"AiError: {error['message']}"}]
        envelope = {"result": None, "success": False, "errors": errors, "messages": []}
        return web.json_response(envelope, status=refused.status)

    # --- strictness ------------------------------------------------------------------------------

    @override
    def check(self, body: dict[str, Any]) -> None:
        model = body.get("model")
        entry = next((entry for entry in self.listed if entry["name"] == model), None)
        if entry is None or entry["task"]["name"] != "Text Generation":
            raise _error(5007, 400, f"No such model {model} or task")
        if body.get("options") != {"rejectIfBusy": True}:
            raise _error(5006, 400, "A router does not wait in a queue.")
        if "own" in body:
            self._check_own(
                {name: value for name, value in body.items() if name not in {"own", "model", "options"}}, model
            )
            return
        thinking = {"reasoning_effort", "chat_template_kwargs"} & body.keys()
        can = {told["property_id"]: told["value"] for told in entry["properties"]}
        if thinking and can.get("reasoning") != "true":
            raise _error(5006, 400, "Error: oneOf at '/' not met")
        if body.get("reasoning_effort", "low") not in {"low", "medium", "high"}:
            raise _error(5006, 400, "Invalid reasoning_effort")
        if "response_format" in body and model in {JSON_MODEL, PICTURE_MODEL}:
            raise _error(5006, 400, "This model keeps to a schema in its own form alone.")
        for message in body["messages"]:
            if message["content"] is None or (isinstance(message["content"], list) and can.get("vision") != "true"):
                raise _error(5006, 400, "Error: oneOf at '/' not met, '/messages/0/content' must be of type string")
        rest = {name: value for name, value in body.items() if name not in {"options", *thinking}}
        self.models = [{"id": entry["name"]} for entry in self.listed]
        super().check(rest)

    def _check_own(self, body: dict[str, Any], model: str) -> None:
        for name, value in body.items():
            if not isinstance(value, _OWN.get(name, ())) or (isinstance(value, bool) and name != "stream"):
                raise _error(5006, 400, f"Error: oneOf at '/' not met, '/{name}' is unknown or of another type")
        for message in body["messages"]:
            if message.keys() != {"role", "content"} or not isinstance(message["content"], str):
                raise _error(5006, 400, "Error: oneOf at '/' not met, '/messages/0/content' must be of type string")
        if "image" in body:
            if model != PICTURE_MODEL:
                raise _error(5006, 400, "This model takes no picture.")
            self.pictures.append(decoded(body["image"], "image"))
        if model == PICTURE_MODEL and not self.agreed:
            raise _error(5016, 403, "Prior to using this model, you must submit the prompt 'agree'.")
        shape = body.get("response_format")
        if shape is not None and (
            model != JSON_MODEL
            or body["stream"]
            or shape.keys() != {"type", "json_schema"}
            or shape["json_schema"].get("type") != "object"
        ):
            raise _error(5006, 400, "A bare schema, in one piece, of a model that has a JSON mode.")

    # --- answers ---------------------------------------------------------------------------------

    @override
    def prepare(self, body: dict[str, Any], how: str | None) -> Prepared:
        if "own" not in body:
            return super().prepare(body, how)
        words = [] if how == How.EMPTY_LENGTH else re.findall(r"\S+\s*", self.text)
        written = body["max_tokens"] if how == How.EMPTY_LENGTH else max(1, len(words))
        tokens = (max(1, len(json.dumps(body["messages"])) // 4), written)
        counted = {"prompt_tokens": tokens[0], "completion_tokens": written, "total_tokens": sum(tokens)}
        usage = {} if how == How.NO_USAGE else {"usage": self.usage or counted}
        said: Any = {"open": False} if "response_format" in body else "".join(words)

        def line(data: dict[str, Any]) -> bytes:
            return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"

        # A token of digits alone comes as a number.
        pieces = [line({"response": int(word) if word.strip().isdigit() else word, "p": "abcd"}) for word in words]
        pieces.append(line({"response": "", **usage}))
        pieces += [] if how == How.NO_DONE else [b"data: [DONE]\n\n"]
        envelope = {
            "result": {"response": said, "tool_calls": [], **usage},
            "success": True,
            "errors": [],
            "messages": [],
        }
        return Prepared(
            pieces,
            json.dumps(envelope, ensure_ascii=False).encode(),
            stream=body["stream"],
            stream_type="text/event-stream",
            error=b'data: {"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}],"success":false}\n\n',
            tokens=tokens,
        )


if __name__ == "__main__":
    run(lambda args: FakeCloudflare(key=args.key, price_in=args.price_in, price_out=args.price_out))
