"""Ollama's own protocol: only here are a model's capabilities, its context size and whether it runs in a cloud."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, override

from aiohttp import ClientSession

from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from ..routing.model import (
    Call,
    Capability,
    Finish,
    Image,
    Message,
    Model,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from .conversation import dumps, encoded, function, joined, picture, schema_in_words, split
from .endpoint import base_url, checked_key, is_in_the_house
from .lines import JsonLines
from .ollama_models import ollama_model
from .provider import LIST_SECONDS, PROBE_SECONDS, HttpProvider, ProviderSetup
from .replies import Replies
from .streams import Reader
from .transport import Answer

_ENDINGS = ("/chat", "/generate", "/tags", "/api", "/v1")
_MAX_MODELS = 1_000
_SHOWN_AT_ONCE = 4
_CLOUD_HOST = "ollama.com"
_OFF = frozenset({"off", "none"})
_LEVELS = frozenset({"low", "medium", "high", "max"})
_FINISHES = {"stop": Finish.STOP, "length": Finish.LENGTH}
_NO_ANSWERS = frozenset({"load", "unload"})


# --- the request -----------------------------------------------------------------------------------


def _turn(message: Message, call: Call) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role.value, "content": joined(message.parts)}
    images = [picture(part) for part in message.parts if isinstance(part, Image)]
    if images:
        turn["images"] = images
    calls = [
        {"id": part.id, "function": {"name": part.name, "arguments": part.arguments}}
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    if calls:
        turn["tool_calls"] = calls
    thoughts = [part.text for part in message.parts if isinstance(part, Thinking) and part.origin == call.target]
    if thoughts:
        turn["thinking"] = "".join(thoughts)
    return turn


def _turns(messages: list[Message], call: Call) -> Iterator[dict[str, Any]]:
    for message in messages:
        if message.role is not Role.TOOL:
            yield _turn(message, call)
            continue
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield {"role": "tool", "content": part.content, "tool_name": part.name, "tool_call_id": part.call_id}
        rest = tuple(part for part in message.parts if isinstance(part, Text | Image))
        if rest:
            yield _turn(Message(Role.USER, rest), call)


def _think(call: Call) -> bool | str:
    """Say how much to think; left out, a model that can would think."""
    wish = call.sampling.reasoning
    if wish is None or wish in _OFF:
        return False
    # Levels are known to this family alone; others take only yes or no.
    return wish if wish in _LEVELS and "gpt-oss" in call.target.model_id else True


# --- the answer ------------------------------------------------------------------------------------


class OllamaReader(Reader):
    """Reads the answer to one chat, line by line or in one piece."""

    __slots__ = ("_called", "_finish", "_model")

    def __init__(self, replies: Replies, model: str) -> None:
        """Begin before the first byte."""
        super().__init__(JsonLines(), replies)
        self._model = model
        self._called = 0
        self._finish: Finish | None = None

    @override
    def _take(self, message: dict[str, Any]) -> bool:
        said = message.get("message")
        if isinstance(said, dict):
            thought, text, calls = said.get("thinking"), said.get("content"), said.get("tool_calls")
            if thought and isinstance(thought, str):
                self._thought(thought)
            if text and isinstance(text, str):
                self._text(text)
            if calls and isinstance(calls, list):
                for call in calls:
                    self._tool(call)
        if "error" in message:
            phase = Phase.SENT if self._in_one else self.phase
            self.failure = self._replies.in_band(message, phase, self._model) or self._replies.malformed(
                "the server gave up", phase
            )
        elif message.get("done") is True:
            self._ended(message)
        return "message" in message or self.failure is not None

    def _tool(self, call: Any) -> None:
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if not (isinstance(name, str) and name and isinstance(arguments, dict | None)):
            self.failure = self._replies.malformed("a tool call that makes no sense", self.phase)
            return
        told = call.get("id")
        self._called += 1
        call_id = told if isinstance(told, str) and told else f"call_{self._called}"
        self._call(ToolCall(call_id, name, arguments or {}))

    def _ended(self, message: dict[str, Any]) -> None:
        self.done = True
        reason = str(message.get("done_reason") or "stop")
        if reason in _NO_ANSWERS:
            self.failure = Failure(FailureClass.EMPTY, self.phase, f"the server only did a {reason}", billed=Billed.NO)
            return
        self._finish = _FINISHES.get(reason, Finish.OTHER)
        if self._finish is Finish.STOP and self._called:
            self._finish = Finish.TOOLS
        read, written = message.get("prompt_eval_count"), message.get("eval_count")
        # The count of what was read is left out where all of it was still known: that is not zero tokens.
        if isinstance(read, int) and isinstance(written, int) and min(read, written) >= 0:
            self.usage = Usage(fresh_in=read, text_out=written)

    @override
    def _close(self) -> Finish | None:
        return self._finish


class Ollama(HttpProvider):
    """One Ollama server, or Ollama's cloud.

    Options: `num_ctx` (tokens), `keep_alive` (as Ollama takes it), `local`: an admin says that a server with a public
    address is in the house all the same.
    """

    protocol: ClassVar[str] = "an Ollama server"
    stream_type: ClassVar[str] = "ndjson"

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        base = base_url(setup.url or "", endings=_ENDINGS, key=key)
        super().__init__(session, key)
        self._api = base / "api"
        self._chat = self._api / "chat"
        self._owns_key = key is not None
        host = (base.host or "").rstrip(".")
        cloud = host == _CLOUD_HOST or host.endswith(f".{_CLOUD_HOST}")
        self._at_home = not cloud and (is_in_the_house(host) or setup.options.get("local") is True)
        num_ctx = setup.options.get("num_ctx")
        # Number fields of a form give floats, and Ollama takes none here.
        self._num_ctx = int(num_ctx) if num_ctx else None
        self._keep_alive = setup.options.get("keep_alive")
        self._thinkers = frozenset(model.id for model in setup.models if Capability.REASONING in model.caps)

    @override
    async def models(self) -> Sequence[Model]:
        """List the models this server offers. Raises `AttemptFailed`."""
        data = await self._transport.json(self._api / "tags", seconds=LIST_SECONDS)
        entries = data.get("models") if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise AttemptFailed(self._transport.replies.stranger("JSON of another kind"))
        turn = asyncio.Semaphore(_SHOWN_AT_ONCE)
        try:
            async with asyncio.timeout(LIST_SECONDS), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._model(entry, turn))
                    for entry in entries[:_MAX_MODELS]
                    if isinstance(entry, dict) and (entry.get("model") or entry.get("name"))
                ]
        except TimeoutError:
            late = Failure(FailureClass.TIMEOUT_FIRST_TOKEN, Phase.SENT, "no answer in time", FailureScope.PROVIDER)
        else:
            return [task.result() for task in tasks]
        raise AttemptFailed(late)

    @override
    async def probe(self) -> None:
        """Ask for the version. Raises `AttemptFailed`."""
        await self._transport.json(self._api / "version", seconds=PROBE_SECONDS)

    async def _model(self, entry: dict[str, Any], turn: asyncio.Semaphore) -> Model:
        name = str(entry.get("model") or entry["name"])
        at_home = self._at_home
        if not isinstance(entry.get("capabilities"), list):
            async with turn:
                shown = await self._shown(name)
            # What could not be asked may run in a cloud: it is not local until it can.
            at_home = at_home and shown is not None
            entry = {**entry, **(shown or {})}
        return ollama_model(name, entry, at_home=at_home, num_ctx=self._num_ctx)

    async def _shown(self, name: str) -> dict[str, Any] | None:
        """Ask about one model; None where nothing is told."""
        try:
            shown = await self._transport.json(self._api / "show", seconds=LIST_SECONDS, body=dumps({"model": name}))
        except AttemptFailed:
            return None
        return shown if isinstance(shown, dict) else None

    def _body(self, call: Call) -> dict[str, Any]:
        sampling = call.sampling
        system, turns = split(call.messages)
        body: dict[str, Any] = {"model": call.target.model_id, "stream": call.stream}
        if call.structure is not None:
            body["format"] = call.structure.schema
            system = f"{system}\n\n{schema_in_words(call.structure)}".strip()
        messages = [{"role": "system", "content": system}] if system else []
        body["messages"] = [*messages, *_turns(turns, call)]
        if call.tools:
            body["tools"] = [function(tool) for tool in call.tools]
        if call.target.model_id in self._thinkers:
            body["think"] = _think(call)
        if self._keep_alive is not None:
            body["keep_alive"] = self._keep_alive
        options = {
            "num_predict": call.max_output,
            "num_ctx": self._num_ctx,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stop": list(sampling.stop) or None,
        }
        body["options"] = {name: value for name, value in options.items() if value is not None}
        return body

    @override
    def _reader(self, call: Call) -> OllamaReader:
        return OllamaReader(self._transport.replies, call.target.model_id)

    @override
    async def _send(self, call: Call) -> Answer:
        answer = await self._transport.post(self._chat, await encoded(self._body, call), call.timeouts.connect)
        if answer.ok:
            return answer
        try:
            failure = await self._transport.refusal(answer, call.target.model_id)
        finally:
            answer.close()
        if failure.cls is FailureClass.CREDENTIAL and not self._owns_key:
            # The server is not signed in to its cloud: its own models still answer.
            failure = replace(failure, scope=FailureScope.TARGET)
        raise AttemptFailed(failure)
