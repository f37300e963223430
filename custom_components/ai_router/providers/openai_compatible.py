"""Servers that speak OpenAI's chat completions: llama.cpp, vLLM, LM Studio, LocalAI, OpenRouter, Groq, Mistral, ..."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, override

from aiohttp import ClientSession
from multidict import CIMultiDict
from yarl import URL

from ..routing.call import Call
from ..routing.failures import AttemptFailed
from ..routing.model import Model
from ..routing.sight import LeastTokens
from . import picture_tokens
from .adapting import AdaptingProvider
from .chat_body import answer_name, chat_body, count_body, objection
from .chat_reader import ChatReader
from .embeddings import COMPATIBLE, Embedding
from .endpoint import base_url, checked_key
from .error_bodies import ErrorBody
from .extras import secrets_in
from .local_lists import lm_studio_entries, with_props
from .model_list import entries_of, model_list
from .presets import Listing, Probe, preset_of
from .provider import LIST_SECONDS, PROBE_SECONDS, ProviderSetup

_ENDINGS = ("/completions", "/chat", "/embeddings", "/responses", "/models")


class OpenAICompatible(AdaptingProvider):
    """One server, one account.

    Options: `local`: an admin says that the server is in the house; `preset`: the brand of the server, else it is
    recognised by its address. The household's own headers go with everything, its own fields into every chat.
    """

    protocol: ClassVar[str] = "an OpenAI-compatible server"
    stream_type: ClassVar[str] = "text/event-stream"

    def __init__(self, setup: ProviderSetup, session: ClientSession) -> None:
        """Prepare addresses and headers once. Raises `InvalidEndpoint`."""
        key = checked_key(setup.key)
        # A header may be a key as well as the key.
        keyed = key or next(iter(setup.headers.values()), None)
        host = base_url(setup.url or "", key=keyed).host or ""
        self._preset = preset_of(setup.options.get("preset"), host)
        base = base_url(setup.url or "", root=self._preset.root, endings=_ENDINGS, key=keyed)
        headers = CIMultiDict({"Authorization": f"Bearer {key}"} if key else {})
        headers.update(setup.headers)
        super().__init__(session, key, base / "chat/completions", headers, secrets_in(setup.headers, setup.body))
        self._extra = dict(setup.body)
        self._models = base / "models"
        # What is not OpenAI's lies beside it.
        self._beside = base.with_path(base.path.removesuffix("/v1") or "/")
        self._key_check = {
            Probe.MODELS: self._models,
            Probe.KEY: base / "key",
            Probe.PROPS: self._beside / "props",
        }[self._preset.probe]
        self._embeddings = base / "embeddings"
        self._local = setup.options.get("local") is True

    @override
    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""
        entries = await self._own_list() or entries_of(await self._transport.json(self._models, seconds=LIST_SECONDS))
        if entries is not None and self._preset.listing is Listing.LLAMA_CPP:
            entries = with_props(entries, await self._told(self._beside / "props"))
        models = model_list(entries, local=self._local)
        if models is None:
            raise AttemptFailed(self._transport.replies.stranger("JSON of another kind"))
        return models

    async def _own_list(self) -> list[dict[str, Any]] | None:
        """Return the server's own list of models where it has one that tells more; older servers have none."""
        if self._preset.listing is not Listing.LM_STUDIO:
            return None
        return lm_studio_entries(await self._told(self._beside / "api/v1/models"))

    async def _told(self, url: URL) -> Any:
        """Ask for what a server need not have; None where it has not."""
        try:
            return await self._transport.json(url, seconds=PROBE_SECONDS)
        except AttemptFailed:
            return None

    @override
    async def probe(self) -> None:
        """Ask with the key for what is free, and refused to a wrong one. Raises `AttemptFailed`."""
        await self._transport.json(self._key_check, seconds=PROBE_SECONDS)

    async def count(self, call: Call) -> int | None:
        """Ask for the tokens of a call's input as llama.cpp tells them. Raises `AttemptFailed`.

        None for a server that is not in the house: nobody knows what is free there.
        """
        if not self._local:
            return None
        write = partial(count_body, preset=self._preset)
        return await self._counted(self._chat / "input_tokens", write, call, "input_tokens")

    @override
    def _embedding(self, call: Call) -> tuple[URL, Embedding]:
        return self._embeddings, COMPATIBLE

    @property
    @override
    def least_picture(self) -> LeastTokens | None:
        """The fewest tokens that are counted for a picture; None where it is not known how the server counts."""
        return picture_tokens.open_model if self._preset.counts_pictures else None

    @override
    def _reader(self, call: Call) -> ChatReader:
        model = call.target.model_id
        return ChatReader(self._transport.replies, model, self._preset, self._habit(call), answer_name(call))

    @override
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        # What the household adds goes before what we say of our own.
        return chat_body(call, refused, self._preset) | self._extra

    @override
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        return objection(error, call, refused, self._preset)
