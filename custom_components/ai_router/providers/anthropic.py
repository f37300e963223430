"""Anthropic's own protocol: only here are prompt caching, thinking that goes on over tools, and capabilities told."""

from collections.abc import Sequence
from typing import Any, ClassVar, override

from aiohttp import ClientSession

from ..routing.call import Call
from ..routing.failures import AttemptFailed
from ..routing.model import Model
from ..routing.sight import LeastTokens, PictureTokens
from . import picture_tokens
from .adapting import AdaptingProvider
from .anthropic_body import OF_THIS_CALL, answer_tool, count_body, messages_body, objection
from .anthropic_models import anthropic_models
from .anthropic_reader import MessagesReader
from .endpoint import base_url, checked_key
from .error_bodies import ErrorBody
from .provider import LIST_SECONDS, PROBE_SECONDS, ProviderSetup

ANTHROPIC_URL = "https://api.anthropic.com"
_ENDINGS = ("/count_tokens", "/messages", "/models", "/v1")
# The newer version differs in one thing: it refuses sampling to all models, where this one leaves it to the model.
_VERSION = "2023-06-01"
_ALL = 1_000


class Anthropic(AdaptingProvider):
    """One account. Its models are never local, and it keeps nothing beyond what its contract says."""

    protocol: ClassVar[str] = "the Anthropic API"
    stream_type: ClassVar[str] = "text/event-stream"
    passing: ClassVar[frozenset[str]] = OF_THIS_CALL

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        base = base_url(setup.url or ANTHROPIC_URL, endings=_ENDINGS, key=key) / "v1"
        headers = {"anthropic-version": _VERSION}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        super().__init__(session, key, base / "messages", headers)
        self._models = base / "models"
        self._count = base / "messages/count_tokens"

    @override
    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""
        data = await self._transport.json(self._models.with_query(limit=_ALL), seconds=LIST_SECONDS)
        models = anthropic_models(data)
        if models is None:
            raise AttemptFailed(self._transport.replies.stranger("JSON of another kind"))
        return models

    @override
    async def probe(self) -> None:
        """List one model with the key: free, and refused with a wrong one. Raises `AttemptFailed`."""
        await self._transport.json(self._models.with_query(limit=1), seconds=PROBE_SECONDS)

    async def count(self, call: Call) -> int:
        """Ask for the tokens of a call's input: free. Raises `AttemptFailed`."""
        return await self._counted(self._count, count_body, call, "input_tokens")

    @property
    @override
    def least_picture(self) -> LeastTokens:
        """The fewest tokens that are counted for a picture."""
        return picture_tokens.claude

    @property
    @override
    def picture_tokens(self) -> PictureTokens:
        """The tokens that a model counts for a picture."""
        return picture_tokens.of_claude

    @override
    def _reader(self, call: Call) -> MessagesReader:
        return MessagesReader(self._transport.replies, call.target.model_id, answer_tool(call))

    @override
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        return messages_body(call, refused)

    @override
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        return objection(error, call, refused)
