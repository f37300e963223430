"""Google's Gemini API, with a key from AI Studio."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, override
from urllib.parse import quote

from aiohttp import ClientSession
from yarl import URL

from ..routing.call import Call
from ..routing.failures import AttemptFailed
from ..routing.model import Model
from ..routing.sight import LeastTokens, PictureTokens
from . import picture_tokens
from .adapting import AdaptingProvider
from .embeddings import Embedding
from .endpoint import base_url, checked_key
from .error_bodies import ErrorBody
from .gemini_body import OF_THIS_CALL, count_body, gemini_body, objection
from .gemini_embeddings import GEMINI
from .gemini_errors import GeminiReplies
from .gemini_models import gemini_model
from .gemini_reader import GeminiReader
from .provider import LIST_SECONDS, PROBE_SECONDS, ProviderSetup
from .replies import Replies
from .tools import GEMINI_NAMES

GEMINI_URL = "https://generativelanguage.googleapis.com"
_ENDINGS = ("/models", "/openai")
_PAGE = 1_000
_MAX_PAGES = 5


class Gemini(AdaptingProvider):
    """One account. Its models are never local, and nothing is kept there, whatever the project's own setting is."""

    protocol: ClassVar[str] = "the Gemini API"
    stream_type: ClassVar[str] = "text/event-stream"
    replies: ClassVar[type[Replies]] = GeminiReplies
    passing: ClassVar[frozenset[str]] = OF_THIS_CALL
    tool_names: ClassVar[re.Pattern[str]] = GEMINI_NAMES

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        base = base_url(setup.url or GEMINI_URL, root="/v1beta", endings=_ENDINGS, key=key)
        self._models = base / "models"
        super().__init__(session, key, self._models, {"x-goog-api-key": key} if key else {})

    @override
    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""
        models: list[Model] = []
        query = {"pageSize": str(_PAGE)}
        for _ in range(_MAX_PAGES):
            data = await self._transport.json(self._models.with_query(query), seconds=LIST_SECONDS)
            entries = data.get("models") if isinstance(data, dict) else None
            if not isinstance(entries, list):
                raise AttemptFailed(self._transport.replies.stranger("JSON of another kind"))
            found = (gemini_model(entry) for entry in entries if isinstance(entry, dict))
            models.extend(model for model in found if model is not None)
            if not data.get("nextPageToken"):
                break
            query["pageToken"] = str(data["nextPageToken"])
        return models

    @override
    async def probe(self) -> None:
        """List one model with the key: free, and refused with a wrong one. Raises `AttemptFailed`."""
        await self._transport.json(self._models.with_query(pageSize=1), seconds=PROBE_SECONDS)

    async def count(self, call: Call) -> int:
        """Ask for the tokens of a call's input: free. Raises `AttemptFailed`."""
        return await self._counted(self._of_model(call, "countTokens"), count_body, call, "totalTokens")

    @override
    def _address(self, call: Call) -> URL:
        if not call.stream:
            return self._of_model(call, "generateContent")
        return self._of_model(call, "streamGenerateContent").with_query(alt="sse")

    @override
    def _embedding(self, call: Call) -> tuple[URL, Embedding]:
        return self._of_model(call, "batchEmbedContents"), GEMINI

    def _of_model(self, call: Call, method: str) -> URL:
        # A name is one step of the path, whatever is in it.
        name = quote(call.target.model_id.removeprefix("models/"), safe="")
        return self._models.joinpath(f"{name}:{method}", encoded=True)

    @override
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        return gemini_body(call, refused)

    @property
    @override
    def least_picture(self) -> LeastTokens:
        """The fewest tokens that are counted for a picture."""
        return picture_tokens.gemini

    @property
    @override
    def picture_tokens(self) -> PictureTokens:
        """The tokens that a model counts for a picture."""
        return picture_tokens.of_gemini

    @override
    def _reader(self, call: Call) -> GeminiReader:
        return GeminiReader(self._transport.replies, call.target.model_id)

    @override
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        return objection(error, call, refused)
