"""Ollama's own protocol: only here are a model's capabilities, its context size and whether it runs in a cloud."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar, override

from aiohttp import ClientSession
from yarl import URL

from ..routing.call import Call, Event, Usage
from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from ..routing.model import Capability, Model, Text
from .adapting import AdaptingProvider
from .chat_usage import count
from .conversation import dumps
from .embeddings import DIGITS_AT_ONCE, Embedding
from .endpoint import base_url, checked_key, is_in_the_house
from .error_bodies import ErrorBody
from .ollama_body import OF_THIS_CALL, objection, ollama_body
from .ollama_models import ollama_model, runs_in_a_cloud
from .ollama_reader import OllamaReader, not_local
from .provider import LIST_SECONDS, PROBE_SECONDS, ProviderSetup
from .tools import ANY_NAMES
from .transport import Answer

# Of its own protocol, of the others that it speaks, and what they stand under: in the order in which they are cut off.
_ENDINGS = (
    *("/completions", "/chat", "/generate", "/embed", "/embeddings", "/tags", "/show", "/ps", "/version"),
    *("/models", "/responses", "/messages", "/api", "/v1"),
)
# Contexts (tokens) that a model is loaded anew with where its own is too small: few, since each of them takes time.
_CONTEXTS = tuple(2**power for power in range(13, 21))
_TOKEN = 3
_MAX_MODELS = 1_000
_SHOWN_AT_ONCE = 4
_CLOUD_HOST = "ollama.com"


def _vectors(data: dict[str, Any]) -> list[Any] | None:
    vectors = data.get("embeddings")
    return vectors if isinstance(vectors, list) else None


def _read_tokens(data: dict[str, Any]) -> Usage | None:
    tokens = count(data, "prompt_eval_count")
    return Usage(fresh_in=tokens) if tokens else None


def _keeps(told: Any) -> Any:
    """Return for how long a model stays loaded as Ollama takes it: in words only with a unit."""
    return int(told) if isinstance(told, str) and told.removeprefix("-").isdecimal() else told


class Ollama(AdaptingProvider):
    """One Ollama server, or Ollama's cloud.

    Options: `num_ctx` (tokens), `keep_alive` (as Ollama takes it), `local`: an admin says that a server with a public
    address is in the house all the same.
    """

    protocol: ClassVar[str] = "an Ollama server"
    stream_type: ClassVar[str] = "ndjson"
    tool_names: ClassVar[re.Pattern[str]] = ANY_NAMES
    # A larger context is one for good only where the model could be loaded with it.
    passing: ClassVar[frozenset[str]] = OF_THIS_CALL | {str(size) for size in _CONTEXTS}

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        base = base_url(setup.url or "", endings=_ENDINGS, key=key)
        super().__init__(session, key, base / "api/chat")
        self._api = base / "api"
        self._owns_key = key is not None
        host = (base.host or "").rstrip(".")
        cloud = host == _CLOUD_HOST or host.endswith(f".{_CLOUD_HOST}")
        self._at_home = not cloud and (is_in_the_house(host) or setup.options.get("local") is True)
        num_ctx = setup.options.get("num_ctx")
        # Number fields of a form give floats, and Ollama takes none here.
        self._num_ctx = int(num_ctx) if num_ctx else None
        self._keep_alive = _keeps(setup.options.get("keep_alive"))
        self._thinkers = frozenset(model.id for model in setup.models if Capability.REASONING in model.caps)
        self._believed = frozenset(model.id for model in setup.models if model.local)
        self._looked_at: set[str] = set()
        self._sizes = {model.id: model.context for model in setup.models if model.context is not None}
        self._asked: dict[str, int] = {}
        self._loaded: dict[str, int] = {}

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
                shown = await self._shown(name, LIST_SECONDS)
            # What could not be asked may run in a cloud: it is not local until it can.
            at_home = at_home and shown is not None
            entry = {**entry, **(shown or {})}
        return ollama_model(name, entry, at_home=at_home, num_ctx=self._num_ctx)

    async def _shown(self, name: str, seconds: float) -> dict[str, Any] | None:
        """Ask about one model; None where nothing is told."""
        try:
            shown = await self._transport.json(self._api / "show", seconds=seconds, body=dumps({"model": name}))
        except AttemptFailed:
            return None
        return shown if isinstance(shown, dict) else None

    @override
    def attempt(self, call: Call) -> AsyncGenerator[Event]:
        """Send a call and yield what comes back. Raises `AttemptFailed`; closing it closes the connection.

        Before the first call to a model that is believed to run in the house, the server is asked whether it still
        does: since it was listed, another may have got its name.
        """
        model = call.target.model_id
        if model in self._believed and model not in self._looked_at:
            return self._looking_first(call)
        return super().attempt(call)

    async def _looking_first(self, call: Call) -> AsyncGenerator[Event]:
        model = call.target.model_id
        shown = await self._shown(model, PROBE_SECONDS)
        if shown is not None:
            if runs_in_a_cloud(model, shown):
                raise AttemptFailed(not_local(model, Phase.UNSENT, Billed.NO))
            self._looked_at.add(model)
        async with aclosing(super().attempt(call)) as events:
            async for event in events:
                yield event

    @override
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        sampling = call.sampling
        body = ollama_body(call, refused, thinks=call.target.model_id in self._thinkers)
        if self._keep_alive is not None:
            body["keep_alive"] = self._keep_alive
        # What is too long for the context is to be refused, not cut without a word.
        body["truncate"] = False
        options = {
            "num_predict": call.max_output,
            "num_ctx": self._context(call.target.model_id, refused),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stop": list(sampling.stop) or None,
        }
        body["options"] = {name: value for name, value in options.items() if value is not None}
        return body

    def _context(self, model: str, refused: frozenset[str]) -> int | None:
        """Return the context to ask for: the household's, else a larger one than the server's own where that is too small."""
        if self._num_ctx is not None:
            return self._num_ctx
        grown = max((size for size in _CONTEXTS if str(size) in refused), default=0)
        if grown:
            self._asked[model] = min(grown, self._sizes[model])
        return self._asked[model] if grown else self._loaded.get(model)

    def _larger(self, call: Call, refused: frozenset[str]) -> str | None:
        """Name the next context that is worth a try; None where the model has no larger one, or the household set it."""
        model = call.target.model_id
        most = self._sizes.get(model, 0)
        now = max(self._loaded.get(model, 0), *(size for size in _CONTEXTS if str(size) in refused), 0)
        if self._num_ctx is not None or now >= most:
            return None
        texts = sum(len(part.text) for turn in call.messages for part in turn.parts if isinstance(part, Text))
        wanted = max(now + 1, min(texts // _TOKEN + call.max_output, most))
        return next((str(size) for size in _CONTEXTS if size >= wanted), None)

    @override
    def _objects(self, status: int, cls: FailureClass) -> bool:
        # A schema that cannot be carried out is a fault of the server, if one asks it.
        faults = status == HTTPStatus.INTERNAL_SERVER_ERROR or cls is FailureClass.CONTEXT_LENGTH
        return faults or super()._objects(status, cls)

    @override
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        if "context length" in error.message.lower():
            return self._larger(call, refused)
        return objection(error, call, refused, thinks=call.target.model_id in self._thinkers)

    @override
    def _embedding(self, call: Call) -> tuple[URL, Embedding]:
        return self._api / "embed", Embedding(DIGITS_AT_ONCE, self._texts, _vectors, _read_tokens)

    def _texts(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        # Left to itself, the server would cut what is too long and say nothing.
        body: dict[str, Any] = {"model": model, "input": list(texts), "truncate": False}
        if self._keep_alive is not None:
            body["keep_alive"] = self._keep_alive
        return body | ({"options": {"num_ctx": self._num_ctx}} if self._num_ctx else {})

    @override
    def _reader(self, call: Call) -> OllamaReader:
        model = call.target.model_id
        if model in self._asked:
            # It answers, so it could be loaded: from now on always so, or it would be loaded anew with every change.
            self._loaded[model] = self._asked.pop(model)
        trusted = self._looked_at if model in self._believed else None
        return OllamaReader(self._transport.replies, model, trusted, self._habit(call))

    @override
    async def _send(self, call: Call) -> Answer:
        try:
            return await super()._send(call)
        except AttemptFailed as err:
            failure = err.failure
        raise AttemptFailed(self._scoped(failure))

    @override
    async def _refusal(self, answer: Answer, call: Call) -> Failure:
        return self._scoped(await super()._refusal(answer, call))

    def _scoped(self, failure: Failure) -> Failure:
        if failure.cls is FailureClass.CREDENTIAL and not self._owns_key:
            # The server is not signed in to its cloud: its own models still answer.
            return replace(failure, scope=FailureScope.TARGET)
        return failure
