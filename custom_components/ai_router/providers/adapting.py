"""Providers whose models refuse some fields of a request: what a model has refused is left out from then on."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, override

from aiohttp import ClientSession
from yarl import URL

from ..routing.call import Call
from ..routing.failures import AttemptFailed, FailureClass
from .conversation import encoded
from .error_bodies import ErrorBody, error_body, parsed
from .provider import COUNT_SECONDS, HttpProvider
from .thinking import Habit
from .tools import taken
from .transport import Answer

_REMEMBERED = 256
_NO_REASONING = frozenset({"off", "none"})
_OBJECTIONS = frozenset({FailureClass.BAD_REQUEST, FailureClass.CAPABILITY})
_OBJECTION_STATUSES = frozenset({400, 422})


class AdaptingProvider(HttpProvider):
    """Sends a call again without the field its refusal names, and remembers that per model.

    `passing` are the fields whose refusal says something about one call rather than about its model.
    """

    passing: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        session: ClientSession,
        key: str | None,
        chat: URL,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        """Use a session that is closed by its owner; send calls to `chat`. The rest as in `HttpProvider`."""
        super().__init__(session, key, headers, secrets)
        self._chat = chat
        self._refused: dict[str, frozenset[str]] = {}
        self._habits: dict[str, Habit] = {}

    def _address(self, call: Call) -> URL:  # noqa: ARG002 - protocols with the model in the path look at the call
        """Return where a call is sent."""
        return self._chat

    @abstractmethod
    def _body(self, call: Call, refused: frozenset[str]) -> dict[str, Any]:
        """Return the body of a call without what was refused. May block. Raises `AttemptFailed`."""

    @abstractmethod
    def _objection(self, error: ErrorBody, call: Call, refused: frozenset[str]) -> str | None:
        """Return the field that a refusal objects to and that can be left out or changed, if any.

        Never one in `refused`: that is what ends the trying.
        """

    async def _counted(self, url: URL, write: Callable[..., Any], call: Call, *names: str) -> int:
        """Return the tokens of a call's input, for free: `write` forms the question, `names` lead to the count in the answer.

        Raises `AttemptFailed`.
        """
        refused = self._refused.get(call.target.model_id, frozenset())
        body = await encoded(partial(write, refused=refused), taken(call, self.tool_names)[0])
        data = await self._transport.json(url, seconds=COUNT_SECONDS, body=body)
        return self._transport.replies.counted(data, *names)

    def _objects(self, status: int, cls: FailureClass) -> bool:
        """Say whether a refusal may be about a field."""
        return status in _OBJECTION_STATUSES and cls in _OBJECTIONS

    @override
    async def _send(self, call: Call) -> Answer:
        model = call.target.model_id
        refused = self._refused.get(model, frozenset())
        while True:
            body = await encoded(partial(self._body, refused=refused), call)
            answer = await self._transport.post(self._address(call), body, call.timeouts.connect)
            if answer.ok:
                return answer
            try:
                field = await self._refused_field(answer, call, refused)
            finally:
                answer.close()
            refused |= {field}
            if field not in self.passing:
                self._remember(model, field)

    async def _refused_field(self, answer: Answer, call: Call, refused: frozenset[str]) -> str:
        """Return the field a refusal wants left out or changed. Raises `AttemptFailed` for any other refusal."""
        body = await answer.head()
        model = call.target.model_id
        failure = self._transport.replies.refusal(answer.status, answer.headers, body, model)
        error = error_body(parsed(body))
        field = None
        if error is not None and self._objects(answer.status, failure.cls):
            field = self._objection(error, call, refused)
        if field is None:
            raise AttemptFailed(failure)
        return field

    def _habit(self, call: Call) -> Habit:
        """Return what is known of how a model reasons in its text. What is not asked to reason does not."""
        if call.sampling.reasoning in _NO_REASONING:
            return Habit()
        model = call.target.model_id
        habit = self._habits.setdefault(model, Habit())
        if len(self._habits) > _REMEMBERED:
            del self._habits[next(iter(self._habits))]
        return habit

    def _remember(self, model: str, field: str) -> None:
        self._refused[model] = self._refused.get(model, frozenset()) | {field}
        if len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]
