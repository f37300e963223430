"""What all kinds that speak HTTP share: the course of an attempt."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aiohttp import ClientSession
from yarl import URL

from ..routing.call import ALIVE, Call, Event, Opened
from ..routing.failures import AttemptFailed, Failure, FailureClass
from ..routing.model import Model, Op
from ..routing.sight import LeastTokens, PictureTokens
from .conversation import unsent
from .embeddings import Embedding, embed
from .rates import rate_windows
from .replies import Replies
from .streams import Reader
from .tools import NAMES, taken
from .transport import Answer, Transport

LIST_SECONDS = 30.0
PROBE_SECONDS = 10.0
COUNT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProviderSetup:
    """One provider as the household set it up. `models` are those it uses; `options` belong to the kind.

    `headers` and `body` are what it adds to all that is sent and to the body of a chat: secrets, like the key. So may
    an address be, as it was typed.
    """

    id: str
    kind: str
    url: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    models: tuple[Model, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


class HttpProvider(ABC):
    """Sends a call over HTTP and reads the answer in the form in which it comes.

    `tool_names` are those that the protocol takes.
    """

    protocol: ClassVar[str]
    stream_type: ClassVar[str]
    replies: ClassVar[type[Replies]] = Replies
    tool_names: ClassVar[re.Pattern[str]] = NAMES

    def __init__(
        self,
        session: ClientSession,
        key: str | None,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        """Use a session that is closed by its owner. `headers` and `secrets` as in `Transport`."""
        self._transport = Transport(session, self.protocol, key, headers=headers, secrets=secrets, replies=self.replies)

    def attempt(self, call: Call) -> AsyncGenerator[Event]:
        """Send a call and yield what comes back. Raises `AttemptFailed`; closing it closes the connection."""
        if call.op is Op.EMBED:
            return embed(self._transport, *self._embedding(call), call, self._refusal)
        return self._answer(call)

    async def _answer(self, call: Call) -> AsyncGenerator[Event]:
        call, own_names = taken(call, self.tool_names)
        answer = await self._send(call)
        try:
            yield Opened(rate_windows(answer.headers, time.time()))
            reader = self._reader(call)
            reader.own_names = own_names
            if await self._streams(answer, call, reader):
                while not reader.done and (data := await answer.chunk()):
                    events = reader.feed(data)
                    answer.phase = reader.phase
                    for event in events:
                        yield event
                    if not events:
                        # A comment, a ping, a piece of what is passed on only whole.
                        yield ALIVE
                    if (counted := reader.counted()) is not None:
                        yield counted
                    if reader.failure is not None:
                        raise AttemptFailed(reader.failure)
                if reader.done:
                    await answer.drain()
                events = reader.end()
            else:
                events = reader.whole(await self._transport.parse(answer, await answer.body()))
            for event in events:
                yield event
            if reader.failure is not None:
                raise AttemptFailed(reader.failure)
        finally:
            answer.close()

    async def _streams(self, answer: Answer, call: Call, reader: Reader) -> bool:
        """Say whether an answer comes as a stream. Its own type says so, if it is not missing or wrong."""
        if self.stream_type in answer.content_type:
            return True
        return (call.stream or "json" not in answer.content_type) and reader.streams(await answer.beginning())

    @abstractmethod
    async def models(self) -> Sequence[Model]:
        """List the models this provider offers. Raises `AttemptFailed`."""

    @abstractmethod
    async def probe(self) -> None:
        """Check reachability and credential for free. Raises `AttemptFailed`."""

    @property
    def least_picture(self) -> LeastTokens | None:
        """The fewest tokens that are counted for a picture; None where the counts do not show whether it was seen."""
        return None

    @property
    def picture_tokens(self) -> PictureTokens | None:
        """The tokens that a model counts for a picture; None where nobody tells how."""
        return None

    def _embedding(self, call: Call) -> tuple[URL, Embedding]:  # noqa: ARG002 - Gemini has the model in the path
        """Return where and how texts are embedded. Raises `AttemptFailed` where they cannot be."""
        raise unsent(FailureClass.CAPABILITY, "this provider embeds no texts")

    async def _refusal(self, answer: Answer, call: Call) -> Failure:
        """Read why an answer is no success."""
        return await self._transport.refusal(answer, call.target.model_id)

    @abstractmethod
    async def _send(self, call: Call) -> Answer:
        """Send a call; return an answer that is a success. Raises `AttemptFailed`."""

    @abstractmethod
    def _reader(self, call: Call) -> Reader:
        """Return what reads the answer to a call."""
