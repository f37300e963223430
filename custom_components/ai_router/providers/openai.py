"""OpenAI's own protocol, the Responses API: newer models call tools and reason at once only there."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, override

from aiohttp import ClientSession
from yarl import URL

from ..routing.call import Call
from ..routing.failures import AttemptFailed
from ..routing.model import Model
from ..routing.sight import LeastTokens, PictureTokens
from . import picture_tokens
from .adapting import AdaptingProvider
from .embeddings import OPENAI, Embedding
from .endpoint import base_url, checked_key
from .error_bodies import ErrorBody
from .openai_body import OF_THIS_CALL, objection, responses_body
from .openai_models import openai_models
from .openai_reader import ResponsesReader
from .provider import LIST_SECONDS, PROBE_SECONDS, ProviderSetup

OPENAI_URL = "https://api.openai.com/v1"
_ENDINGS = ("/responses", "/completions", "/chat", "/embeddings", "/models")


class OpenAI(AdaptingProvider):
    """One account. Its models are never local, and nothing of a call is kept there."""

    protocol: ClassVar[str] = "the OpenAI API"
    stream_type: ClassVar[str] = "text/event-stream"
    passing: ClassVar[frozenset[str]] = OF_THIS_CALL

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        base = base_url(setup.url or OPENAI_URL, root="/v1", endings=_ENDINGS, key=key)
        super().__init__(session, key, base / "responses")
        self._models = base / "models"
        self._embeddings = base / "embeddings"

    @override
    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""
        data = await self._transport.json(self._models, seconds=LIST_SECONDS)
        models = openai_models(data, datetime.now(UTC).date())
        if models is None:
            raise AttemptFailed(self._transport.replies.stranger("JSON of another kind"))
        return models

    @override
    async def probe(self) -> None:
        """List the models with the key: free, and refused with a wrong one. Raises `AttemptFailed`."""
        await self._transport.json(self._models, seconds=PROBE_SECONDS)

    @override
    def _embedding(self, call: Call) -> tuple[URL, Embedding]:
        return self._embeddings, OPENAI

    @property
    @override
    def least_picture(self) -> LeastTokens:
        """The fewest tokens that are counted for a picture."""
        return picture_tokens.openai

    @property
    @override
    def picture_tokens(self) -> PictureTokens:
        """The tokens that a model counts for a picture."""
        return picture_tokens.of_gpt

    @override
    def _reader(self, call: Call) -> ResponsesReader:
        return ResponsesReader(self._transport.replies, call.target.model_id, call.max_output)

    @override
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        return responses_body(call, refused)

    @override
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        return objection(error, call, refused)
