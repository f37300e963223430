"""Servers that speak OpenAI's chat completions: llama.cpp, vLLM, LM Studio, LocalAI, OpenRouter, Groq, Mistral, ..."""

from collections.abc import Sequence
from typing import Any, ClassVar, override

from aiohttp import ClientSession

from ..routing.failures import AttemptFailed
from ..routing.model import Call, Model
from .adapting import AdaptingProvider
from .chat_body import chat_body, objection
from .chat_reader import ChatReader
from .endpoint import base_url, checked_key
from .error_bodies import ErrorBody
from .model_list import model_list
from .provider import LIST_SECONDS, PROBE_SECONDS, ProviderSetup

_ENDINGS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/models")


class OpenAICompatible(AdaptingProvider):
    """One server, one account. Option `local`: an admin says that the server is in the house."""

    protocol: ClassVar[str] = "an OpenAI-compatible server"
    stream_type: ClassVar[str] = "text/event-stream"

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        base = base_url(setup.url or "", root="/v1", endings=_ENDINGS, key=key)
        super().__init__(session, key, base / "chat/completions")
        self._models = base / "models"
        self._local = setup.options.get("local") is True

    @override
    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""
        models = model_list(await self._transport.json(self._models, seconds=LIST_SECONDS), local=self._local)
        if models is None:
            raise AttemptFailed(self._transport.replies.stranger("JSON of another kind"))
        return models

    @override
    async def probe(self) -> None:
        """List the models with the key: free, and refused with a wrong one. Raises `AttemptFailed`."""
        await self._transport.json(self._models, seconds=PROBE_SECONDS)

    @override
    def _reader(self, call: Call) -> ChatReader:
        return ChatReader(self._transport.replies, call.target.model_id)

    @override
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        return chat_body(call, refused)

    @override
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        return objection(error, call, refused)
