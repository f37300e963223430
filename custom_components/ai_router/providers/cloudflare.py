"""Cloudflare Workers AI: OpenAI's chat completions where they serve, Cloudflare's own form where it must be."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, override
from uuid import uuid4

from aiohttp import ClientSession
from yarl import URL

from ..routing.call import Call
from ..routing.failures import AttemptFailed, Phase
from ..routing.model import Capability, Message, Model, Role, Text
from .adapting import AdaptingProvider
from .chat_body import FORMAT, JSON_OBJECT, chat_body, objection
from .chat_reader import ChatReader
from .cloudflare_errors import CloudflareReplies
from .cloudflare_models import JSON_MODE, cloudflare_model
from .cloudflare_native import NativeReader, is_native, native_body
from .conversation import schema_in_words
from .embeddings import COMPATIBLE, Embedding
from .endpoint import EndpointProblem, InvalidEndpoint, base_url, checked_key
from .error_bodies import ErrorBody
from .provider import LIST_SECONDS, PROBE_SECONDS, ProviderSetup
from .replies import Replies

CLOUDFLARE_URL = "https://api.cloudflare.com/client/v4"
_ACCOUNT = re.compile(r"[0-9a-f]{32}")
_PAGE = 100
_MAX_PAGES = 10
_OFF = frozenset({"off", "none", "minimal"})
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def _account(setup: ProviderSetup) -> str:
    """Return the account's id. It stands in every address: what does not look like one may be a key."""
    account = str(setup.options.get("account_id") or "").strip().lower()
    if _ACCOUNT.fullmatch(account) is None:
        raise InvalidEndpoint(EndpointProblem.ACCOUNT)
    return account


class Cloudflare(AdaptingProvider):
    """One account, with a token that may use Workers AI. Option `account_id`. Its models are never local."""

    protocol: ClassVar[str] = "Cloudflare Workers AI"
    stream_type: ClassVar[str] = "text/event-stream"
    replies: ClassVar[type[Replies]] = CloudflareReplies

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        base = base_url(setup.url or CLOUDFLARE_URL, root="/client/v4", key=key)
        self._ai = base / "accounts" / _account(setup) / "ai"
        # Prompts that begin alike are cheaper where the last one was: one name leads all of ours to the same place.
        headers = {"x-session-affinity": uuid4().hex}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        super().__init__(session, key, self._ai / "v1/chat/completions", headers)
        self._thinkers = frozenset(model.id for model in setup.models if Capability.REASONING in model.caps)

    @override
    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""
        models: list[Model] = []
        for page in range(1, _MAX_PAGES + 1):
            url = (self._ai / "models/search").with_query(per_page=_PAGE, page=page)
            entries = await self._listed(url, LIST_SECONDS)
            found = (cloudflare_model(entry) for entry in entries if isinstance(entry, dict))
            models.extend(model for model in found if model is not None)
            if len(entries) < _PAGE:
                break
        return models

    @override
    async def probe(self) -> None:
        """List one model: free, and refused to a wrong token, account or permission. Raises `AttemptFailed`."""
        url = (self._ai / "models/search").with_query(per_page=1)
        await self._listed(url, PROBE_SECONDS)

    async def _listed(self, url: URL, seconds: float) -> list[Any]:
        """Return what a list holds. Raises `AttemptFailed`, also for a refusal in an envelope that is a success."""
        data = await self._transport.json(url, seconds=seconds)
        entries = data.get("result") if isinstance(data, dict) else None
        if isinstance(entries, list):
            return entries
        replies = self._transport.replies
        raise AttemptFailed(replies.in_band(data, Phase.SENT) or replies.stranger("JSON of another kind"))

    @override
    def _embedding(self, call: Call) -> tuple[URL, Embedding]:
        return self._ai / "v1/embeddings", COMPATIBLE

    @override
    def _address(self, call: Call) -> URL:
        return self._ai / "run" / call.target.model_id if is_native(call) else self._chat

    @override
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        body = native_body(call) if is_native(call) else self._chat_body(call, refused)
        # Whoever waits in a queue there cannot be asked elsewhere meanwhile.
        body["options"] = {"rejectIfBusy": True}
        return body

    def _chat_body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        if call.target.model_id in JSON_MODE:
            refused |= {FORMAT, JSON_OBJECT}
        if call.structure is not None and FORMAT not in refused:
            # Not every model keeps to a schema, and none says so.
            words = Message(Role.SYSTEM, (Text(schema_in_words(call.structure)),))
            call = call._replace(messages=(*call.messages, words))
        body = chat_body(call, refused)
        for message in body["messages"]:
            # Older models want words in every turn, even where it is all calls.
            if message["content"] is None:
                message["content"] = ""
        return body | {name: value for name, value in self._thinking(call).items() if name not in refused}

    def _thinking(self, call: Call) -> dict[str, Any]:
        wish, model = call.sampling.reasoning, call.target.model_id
        if wish is None or model not in self._thinkers:
            return {}
        if wish in _OFF and "gpt-oss" not in model:
            return {"chat_template_kwargs": {"enable_thinking": False}}
        effort = "low" if wish in _OFF else _EFFORTS.get(wish)
        return {"reasoning_effort": effort} if effort else {}

    @override
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        if is_native(call):
            return None
        words = " ".join((error.message, *error.params))
        named = (name for name in self._thinking(call) if name not in refused and name in words)
        return next(named, None) or objection(error, call, refused)

    @override
    def _reader(self, call: Call) -> ChatReader:
        replies, habit = self._transport.replies, self._habit(call)
        if is_native(call):
            return NativeReader(replies, call, habit)
        return ChatReader(replies, call.target.model_id, habit=habit)
